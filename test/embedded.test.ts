import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWarden, type LogLine, startResourceSystems, type Warden } from '../src/embedded/index.ts';
import {
  type AlertRule,
  BackupReplicationConfig,
  CleanupPriority,
  CleanupTask,
  CleanupTriggerType,
  createClient,
  RagwardenError,
  ResourceType,
  SystemOperations,
} from '../src/sdk/index.ts';
import { freePort } from './setup/free-port.ts';
import { removeFolder, temporaryFolder, until } from './warden-harness.ts';

let dataDir: string;
const wardens: Warden[] = [];
const made = (warden: Warden): Warden => {
  wardens.push(warden);
  return warden;
};
/** Without recovery points, which are not what is looked at here. */
const settings = { backup: { enabled: false }, monitoring: { interval_seconds: 60 } };

beforeEach(() => {
  dataDir = temporaryFolder('embedded');
});
afterEach(async () => {
  await Promise.all(wardens.splice(0).map((warden) => warden.stop()));
  removeFolder(dataDir);
});

test('a stream of events survives a restart of the server: nothing twice, nothing missed', async () => {
  const port = await freePort();
  const first = made(createWarden({ dataDir, settings, port }));
  const { api, client } = await first.start();
  const { token } = await client.access.createToken({ name: 'watcher', role: 'admin' });
  const watcher = createClient({ url: api, token });
  const seen: number[] = [];
  let lost = 0;
  const enough = new AbortController();
  const options = { after: 0, signal: enough.signal, longestPauseMs: 100, onReconnect: () => (lost += 1) };
  const following = (async () => {
    for await (const { seq } of watcher.events.stream(options)) seen.push(seq);
  })().catch((err: unknown) => err);
  await until('the first events', () => (seen.length > 0 ? true : undefined));
  await first.stop();
  await until('a lost connection', () => (lost > 0 ? true : undefined));
  await made(createWarden({ dataDir, settings, port })).start();

  const { items } = await watcher.events.list({ order: 'oldest', limit: 500 });
  expect(items.filter(({ type }) => type === 'warden.started')).toHaveLength(2);
  await until('every event', () => (seen.length >= items.length ? true : undefined));
  expect(seen.slice(0, items.length)).toEqual(items.map(({ seq }) => seq));
  enough.abort('seen enough');
  expect(await following).toBe('seen enough');
});

test('the examples of the document record, and what they recorded can be asked for', async () => {
  const warden = made(createWarden({ dataDir, settings }));
  const { metrics } = warden;
  // Before it is started, too: it waits for that.
  metrics.recordMetric(
    'request_duration',
    150.5,
    { endpoint: '/api/v1/agents', method: 'POST' },
    { user_id: 'user123' },
  );
  await warden.start();
  metrics.incrementCounter('requests_processed', 1);
  metrics.incrementCounter('requests_processed', 2);
  metrics.setGauge('active_connections', 25);
  metrics.recordTimer('database_query', 45.2);
  const told = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  metrics.recordTimer('not-a-name', 1);
  await metrics.flush();
  expect(told).not.toHaveBeenCalled();
  metrics.setDebugMode(true);
  metrics.recordTimer('not-a-name', 1);
  await metrics.flush();
  expect(told).toHaveBeenCalledWith(expect.stringContaining('not-a-name was not taken (name)'));
  told.mockRestore();
  expect(await metrics.getMetricValues('request_duration')).toMatchObject([
    {
      ...{ metric_type: 'timer', value: 150.5, labels: { endpoint: '/api/v1/agents', method: 'POST' } },
      metadata: { user_id: 'user123' },
    },
  ]);
  const aggregate = metrics.getMetricAggregations.bind(metrics);
  expect(await aggregate('requests_processed', 'sum')).toBe(3);
  expect(await aggregate('active_connections', 'last')).toBe(25);
  expect(await aggregate('database_query', 'average')).toBe(45.2);
  expect(await aggregate('request_duration', 'p95', { tags: { method: 'POST' } })).toBeCloseTo(150.5, 9);
  expect(await aggregate('nothing', 'sum')).toBeNull();
  await metrics.defineMetric({ name: 'queue_length', type: 'gauge', unit: 'documents', aggregations: ['max'] });
  metrics.recordExecution({ agentId: 'a1', status: 'success', durationMs: 120 });
  metrics.recordLlmUsage({ agentId: 'a1', tokens: 900, costUsd: 0.02 });
  metrics.recordToolUsage({ agentId: 'a1', tool: 'search', durationMs: 30 });
  expect(await metrics.getPerformanceSummary()).toMatchObject({
    summary: { success_rate: 1 },
    performance: { average_execution_time_ms: 120, total_llm_cost_usd: 0.02, total_tool_executions: 1 },
  });
  expect((await metrics.getMetricsSummary()).metrics_by_type.timer).toBeGreaterThanOrEqual(3);
  const alertRule: AlertRule = {
    name: 'high_memory_usage',
    metricName: 'system_memory_percent',
    condition: 'gt',
    threshold: 85.0,
    durationSeconds: 300, // 5 minutes
    severity: 'warning',
  };
  await metrics.addAlertRule(alertRule);
  // The same through the manager of alerts.
  expect(await warden.alerts.getAlertRules()).toContainEqual(
    expect.objectContaining({
      name: 'high_memory_usage',
      duration_seconds: 300,
      says: 'system_memory_percent is above 85',
    }),
  );
  expect(await warden.alerts.testAlertRule('high_memory_usage', { value: 86 })).toMatchObject({
    value: { value: 86, matches: true },
  });
  expect(await warden.alerts.getAlertHistory({ rule: 'high_memory_usage' })).toEqual([]);
  await warden.alerts.removeAlertRule('high_memory_usage');
  const names = (await warden.start()).client.metrics.definitions({ limit: 1_000 });
  expect((await names).items.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['system_cpu_percent', 'system_network_bytes_recv', 'queue_length', 'requests_processed']),
  );
  expect(await metrics.exportToPrometheus()).toContain('ragwarden_app_active_connections 25');
});

test('the cleanup of the document is added, runs its strategy, and frees what leaks in this very program', async () => {
  const warden = made(createWarden({ dataDir, settings }));
  await warden.start();
  const { cleanup, resources } = warden;
  const freed: string[] = [];
  const { MEMORY, LOCK } = ResourceType;
  await resources.registerResource({
    ...{ resourceId: 'buffer', resourceType: MEMORY, leaseSeconds: 1, cleanup: () => freed.push('buffer') },
  });
  await resources.registerResource({ resourceId: 'in use', resourceType: MEMORY, cleanup: () => freed.push('in use') });
  await resources.registerResource({ resourceId: 'lock', resourceType: LOCK, owner: 'indexer' });
  await cleanup.addTask(
    new CleanupTask({
      taskId: 'daily_memory_cleanup',
      name: 'Daily Memory Cleanup',
      description: 'Clean up memory resources daily',
      cleanupFunction: null, // Will use strategy
      triggerType: CleanupTriggerType.SCHEDULED,
      priority: CleanupPriority.MEDIUM,
      scheduleExpression: '0 2 * * *', // 2 AM daily
      tags: { cleanup_type: 'resource', resource_type: 'memory' },
    }),
  );
  expect(await cleanup.getTaskStatus('daily_memory_cleanup')).toMatchObject({ success_rate: null, enabled: true });
  // Forced: what is in use goes too, since it is freed by the program that holds it.
  const client = createClient((await warden.start()).connection);
  await client.operations.wait(await client.cleanup.resources('memory', { force: true }));
  expect(freed.sort()).toEqual(['buffer', 'in use']);
  expect(await resources.getResourceSummary()).toMatchObject({ total_resources: 1 });
  expect(await cleanup.runTaskNow('daily_memory_cleanup')).toMatchObject({ outcome: 'success', strategy: 'resources' });
  expect(await cleanup.getTaskStatus('daily_memory_cleanup')).toMatchObject({ success_rate: 1, run_count: 1 });
  expect(await resources.cleanupResourcesByOwner('indexer')).toEqual({ cleaned: 0, failed: [], left: ['lock'] });
  resources.addCleanupStrategy(LOCK, (resourceId) => freed.push(resourceId));
  expect(await resources.cleanupAllResources()).toEqual({ cleaned: 1, failed: [], left: [] });
  expect(freed).toContain('lock');
  await cleanup.disableTask('daily_memory_cleanup');
  await cleanup.removeTask('daily_memory_cleanup');
  expect((await cleanup.getAllTasks()).map(({ task_id }) => task_id)).not.toContain('daily_memory_cleanup');
});

test('settings come from what is handed over alone, in the order of the settings', async () => {
  writeFileSync(join(dataDir, 'ragwarden.yaml'), 'log:\n  level: loud\n');
  process.env.RAGWARDEN_TARGET_URL = 'http://127.0.0.1:1';
  try {
    const lines: LogLine[] = [];
    const env = { LIGHTRAG_METRICS_ENABLED: 'false', RAGWARDEN_ADMIN_TOKEN: 'a-token-of-sixteen-and-more' };
    const started = await startResourceSystems({
      dataDir,
      settings: { ...settings, metrics: { enabled: true }, log: { level: 'debug' } },
      env,
      log: (line) => lines.push(line),
    });
    expect(started).toMatchObject({ metrics: undefined, targetIds: [], sample: false, dataDir });
    const admin = createClient({ url: started.api, token: env.RAGWARDEN_ADMIN_TOKEN });
    expect(await admin.access.session()).toMatchObject({ role: 'admin' });
    expect(existsSync(join(dataDir, 'endpoint.json'))).toBe(true);
    await started.stop();
    expect(existsSync(join(dataDir, 'endpoint.json'))).toBe(false);
    expect(lines).toContainEqual(expect.objectContaining({ level: 'debug', msg: 'part stopped', part: 'state' }));
    expect(JSON.stringify(lines)).not.toContain(env.RAGWARDEN_ADMIN_TOKEN);
  } finally {
    delete process.env.RAGWARDEN_TARGET_URL;
  }
});

test('the first start writes the admin token down where a server would', async () => {
  const { api, connection } = await made(createWarden({ dataDir, settings })).start();
  const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim();
  expect(token).not.toBe(connection.token);
  expect(await createClient({ url: api, token }).access.session()).toMatchObject({ role: 'admin' });
});

test('every bad setting is told in one error', async () => {
  const bad = {
    backup: { frequency_seconds: 'often', enabled: false },
    bakup: {},
    server: { admin_token: 'written in' },
  };
  const refused: unknown = await createWarden({ dataDir, settings: bad })
    .start()
    .catch((err: unknown) => err);
  expect(refused).toBeInstanceOf(RagwardenError);
  expect(refused).toMatchObject({ code: 'config/invalid', status: 422 });
  const { message, violations } = refused as RagwardenError;
  expect(violations).toHaveLength(3);
  for (const part of ['backup.frequency_seconds', 'Did you mean backup?', 'RAGWARDEN_ADMIN_TOKEN'])
    expect(message).toContain(part);
  expect(existsSync(join(dataDir, 'state.sqlite'))).toBe(false);
});

test('a warden lives once, and may be stopped at any time', async () => {
  const never = createWarden({ dataDir });
  await never.stop();
  await expect(never.start()).rejects.toMatchObject({ code: 'embedded/stopped' });

  const early = createWarden({ dataDir, settings });
  const refused = expect(early.start()).rejects.toBeInstanceOf(RagwardenError);
  await early.stop();
  await refused;

  const twice = made(createWarden({ dataDir, settings }));
  expect(twice.start()).toBe(twice.start());
  const { client } = await twice.start();
  await Promise.all([twice.stop(), twice.stop()]);
  await expect(client.health.get()).rejects.toMatchObject({ code: 'server/unreachable' });
});

test.each([
  ['nothing at all', undefined, 'needs `{ dataDir }`'],
  ['no folder', {}, '`dataDir` is the path'],
  ['an unknown option', { dataDir: 'x', dataFolder: 'y' }, 'has no option `dataFolder`'],
  ['a port that is none', { dataDir: 'x', port: 70_000 }, '`port` is a whole number'],
  ['a log that is no function', { dataDir: 'x', log: 'debug' }, '`log` is a function'],
])('%s is refused at once', (_name, options, message) => {
  // As a program without types would call it.
  expect(() => createWarden(options as never)).toThrow(
    expect.objectContaining({ name: 'TypeError', message: expect.stringContaining(message) }),
  );
});

test('settings are asked for, checked and reloaded through the doors of the documents', async () => {
  const variables = {
    LIGHTRAG_BACKUP_RETENTION_DAYS: '45',
    LIGHTRAG_METRICS_PORT: '0',
    RAGWARDEN_GATEWAY_ENABLED: 'false',
  };
  const { connection, client } = await made(createWarden({ dataDir, settings, env: variables })).start();
  expect({ ...(await BackupReplicationConfig.load(connection)) }).toEqual({
    backupStoragePath: join(dataDir, 'repository'),
    backupRetentionDays: 45,
    replicationEnabled: false,
    recoveryDbUrl: `sqlite:///${join(dataDir, 'state.sqlite')}`,
    metricsEnabled: true,
    metricsPort: 0,
  });
  const operations = new SystemOperations(connection);
  expect(await operations.validateConfiguration()).toMatchObject({
    valid: true,
    errors: [],
    config_type: 'all',
  });
  expect(await client.settings.check()).toMatchObject({ valid: true, problems: [], changed: [], file: null });

  const { etag } = await client.settings.list();
  const ifMatch = etag ?? 'none';
  const { changed } = await client.settings.patch({ 'monitoring.thresholds.cpu_warning_percent': 71 }, { ifMatch });
  expect(changed).toMatchObject([{ key: 'monitoring.thresholds.cpu_warning_percent', after: 71 }]);
  await expect(client.settings.patch({ 'log.level': 'debug' }, { ifMatch })).rejects.toMatchObject({ status: 412 });
  await expect(client.settings.patch({ 'log.levle': 'debug' })).rejects.toBeInstanceOf(RagwardenError);
  expect(await operations.reloadConfiguration()).toMatchObject({ valid: true, needs_restart: [] });
  // What was changed over the API counts more than what is written, also after reading that again.
  expect(await client.settings.get('monitoring.thresholds.cpu_warning_percent')).toMatchObject({
    value: 71,
    origin: { kind: 'api' },
  });
});
