import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  BackupManager,
  BackupService,
  createClient,
  EventLogger,
  getBackupService,
  getQuotaManager,
  getSystemHealth,
  getSystemMonitor,
  LogManager,
  MetricsCollector,
  QuotaAction,
  QuotaDefinition,
  QuotaPeriod,
  QuotaType,
  type RagwardenClient,
  ResourceType,
  SystemHealthMonitor,
  SystemOperations,
} from '../src/sdk/index.ts';
import { hasPart } from './setup/parts.ts';
import { contentOf, type RunningWarden, removeFolder, startWarden, temporaryFolder, until } from './warden-harness.ts';

const dataDir = temporaryFolder('sdk');
let warden: RunningWarden;
let options: { url: string; token: string };
let client: RagwardenClient;

beforeAll(async () => {
  warden = await startWarden({ dataDir });
  options = { url: warden.api, token: readFileSync(join(dataDir, 'local-token'), 'utf8').trim() };
  client = createClient(options);
});
afterAll(async () => {
  await warden.stop();
  removeFolder(dataDir);
});

test('what is watched is told with types', async () => {
  const { items } = await client.targets.list();
  expect(items.map(({ id, sample }) => [id, sample])).toEqual([['sample', true]]);
  const probed = await client.targets.probe('sample');
  expect(probed).toMatchObject({ status: 'HEALTHY', kind: 'lightrag', reasons: [] });
  expect((await client.health.get()).checks?.length).toBeGreaterThan(0);
  expect((await createClient({ url: options.url }).health.get()).checks).toBeUndefined();
});

test('the system monitor has metrics, checks and users', async () => {
  const monitor = getSystemMonitor(options);
  const metrics = await until('the first sample', () => monitor.getSystemMetrics().catch(() => undefined));
  expect(metrics.memory.total).toBeGreaterThan(metrics.memory.used);
  expect(Object.keys((await monitor.getHealthCheck()).checks)).toEqual(['cpu', 'memory', 'disk']);
  await expect(monitor.getUserMetrics('nobody-of-this-name')).rejects.toMatchObject({ name: 'RagwardenError' });
});

test('test_health_check_integration: the health monitor looks at all, and each system has its word with one over all', async () => {
  const monitor = new SystemHealthMonitor(options);
  const { components, status } = await monitor.checkSystemHealth();
  expect(Object.keys(components).sort()).toEqual([
    ...['application_services', 'cache', 'database', 'external_services', 'system_resources'],
  ]);
  const resources = await monitor.checkSystemResources({ fresh: false });
  expect(Object.keys(resources.checks)).toEqual(['cpu', 'memory', 'disk']);
  expect(components.application_services.services).toMatchObject({
    'indexing sample': { status: 'healthy' },
    'queues sample': { status: 'healthy' },
    'background jobs': { status: 'healthy' },
  });
  const { overall, systems } = await getSystemHealth({ ...options, fresh: true });
  expect(['healthy', 'unknown', 'degraded', 'unhealthy', 'critical']).toEqual(
    expect.arrayContaining([overall, status]),
  );
  expect(systems['target sample']).toMatchObject({ status: 'healthy', message: expect.any(String) });
  expect(Object.keys(systems)).toEqual(expect.arrayContaining(['scheduler', 'outbox', 'state database', 'host']));
  expect(systems).toMatchObject({
    resource_manager: { status: 'healthy', resources_tracked: expect.any(Number), active_leaks: 0 },
    metrics_collector: { metrics_defined: expect.any(Number), active_alerts: expect.any(Number) },
    resource_analyzer: { status: 'healthy', patterns_detected: expect.any(Number) },
    quota_manager: { status: 'healthy', recent_violations: 0 },
    // Nothing is called well before it ran.
    cleanup_scheduler: { tasks_configured: expect.any(Number) },
  });
});

test('refusals carry code, status and what was violated', async () => {
  await expect(client.targets.get('other')).rejects.toMatchObject({ code: 'target/unknown', status: 404 });
  await expect(client.backup.history({ limit: 1_000 })).rejects.toMatchObject({
    code: 'request/invalid',
    status: 422,
    violations: [{ at: expect.stringContaining('limit') }],
  });
  await expect(createClient({ ...options, token: 'rw_wrong' }).targets.list()).rejects.toMatchObject({
    code: 'access/unauthenticated',
    status: 401,
  });
  await expect(client.operations.get('op_unknown')).rejects.toMatchObject({ code: 'operation/unknown', status: 404 });
});

test('test_prometheus_export: metrics are exported as Prometheus reads them', async () => {
  const text = await new MetricsCollector(options).exportToPrometheus();
  expect(text).toMatch(/^ragwarden_build_info\{[^}]*\} 1$/m);
  const scraper = await client.access.createToken({ name: 'scraper', role: 'scrape' });
  const collector = new MetricsCollector({ ...options, token: scraper.token });
  expect(await collector.exportToPrometheus()).toContain('recovery_points_total');
  await client.access.revokeToken(scraper.id);
  await expect(collector.exportToPrometheus()).rejects.toMatchObject({ code: 'access/unauthenticated' });
});

test('test_metrics_collection: each part is collected with its true values, and nothing is said of what nobody knows', async () => {
  const collector = new MetricsCollector(options);
  await client.targets.probe('sample');
  const { counts } = await until('an inspection', () => client.targets.inspection('sample').catch(() => undefined));
  const health = await collector.collectHealthMetrics();
  const value = (name: string, label: string, of: string): number | undefined =>
    health.find((one) => one.name === name && one.labels[label] === of)?.value;
  const { checks = [] } = await client.health.get();
  expect(checks.find(({ name }) => name === 'target sample')?.status).toBe('healthy');
  expect(value('ragwarden_component_health_status', 'component', 'target sample')).toBe(1);
  expect(value('ragwarden_target_up', 'target', 'sample')).toBe(1);
  expect(value('ragwarden_graphs', 'target', 'sample')).toBe(1);
  expect(counts.graph_nodes).toBeGreaterThan(0);
  expect(value('ragwarden_graph_entities', 'target', 'sample')).toBe(counts.graph_nodes);
  expect(value('ragwarden_graph_relations', 'target', 'sample')).toBe(counts.graph_edges);
  // A probe is a health check that took some time.
  expect(value('ragwarden_health_check_duration_seconds_count', 'target', 'sample')).toBeGreaterThan(0);
  expect(await collector.collectReplicationMetrics()).toEqual([]);
  if (!hasPart('restic')) return;
  await until('the first point', async () =>
    (await client.backup.points({ limit: 1 })).items.length > 0 ? true : undefined,
  );
  const [newest] = (await client.backup.points({ limit: 1 })).items;
  const recovery = await until('that it is counted', async () => {
    const found = await collector.collectRecoveryMetrics();
    return found.find(({ name }) => name === 'recovery_points_total') === undefined ? undefined : found;
  });
  expect(recovery).toContainEqual({ name: 'recovery_points_total', labels: { target: 'sample' }, value: 1 });
  const backup = await collector.collectBackupMetrics();
  expect(backup).toContainEqual({
    name: 'backup_snapshots_total',
    labels: { target: 'sample', outcome: 'success' },
    value: 1,
  });
  const size = backup.find(({ name }) => name === 'backup_size_bytes')?.value ?? 0;
  expect(size / 1024 ** 2).toBeCloseTo(newest?.total_size_mb ?? 0, 2);
});

test('events of a graph are told in their order and in the range that was asked for', async () => {
  const logger = new EventLogger(options);
  const all = await until('an event of the target', async () => {
    const found = await logger.getEventsForGraph('sample');
    return found.length > 0 ? found : undefined;
  });
  expect(all.every(({ target_id: id }) => id === 'sample')).toBe(true);
  expect(all.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq).toSorted((a, b) => a - b));
  const last = new Date(all.at(-1)?.at ?? 0);
  const before = await logger.getEventsForGraph('sample', { until: last });
  expect(before.length).toBeLessThan(all.length);
  expect(await logger.getEventsForGraph('sample', { since: new Date(last.getTime() + 3_600_000) })).toEqual([]);
  expect(await logger.getEventsForGraph('sample:no-such-workspace')).toEqual([]);
});

test('test_event_logging: programs tell of backups, replications and recoveries, and find them by graph', async () => {
  const { token } = await client.access.createToken({ name: 'teller', role: 'service' });
  const logger = new EventLogger({ ...options, token });
  const told = await logger.logBackupEvent('sample', 'COPIED', { bytes: 4 });
  expect(told).toMatchObject({ kind: 'backup', type: 'backup.told.copied', actor: 'local:teller' });
  await logger.logReplicationEvent('sample', 'second-site', 'synced');
  const validated = await logger.logRecoveryEvent('checkpoint-1', 'validated');
  expect(validated.data).toEqual({ checkpoint_id: 'checkpoint-1' });
  await expect(logger.logBackupEvent('elsewhere', 'copied')).rejects.toMatchObject({ code: 'target/unknown' });
  const found = await new EventLogger(options).getEventsForGraph('sample');
  expect(found.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['backup.told.copied', 'replication.told.synced']),
  );
  const exported: number[] = [];
  for await (const event of client.events.export({ kinds: ['recovery'] })) exported.push(event.seq);
  expect(exported).toContain(validated.seq);
  expect(await client.events.analytics({ kinds: ['replication'] })).toMatchObject({ total: 1 });
});

test('the quotas of document 003 are made and checked as its example does, and asked before something is registered', async () => {
  const quota = new QuotaDefinition({
    quotaId: 'user_memory_limit',
    name: 'User Memory Limit',
    description: 'Maximum memory usage per user',
    resourceType: ResourceType.MEMORY,
    quotaType: QuotaType.SOFT,
    period: QuotaPeriod.HOUR,
    limit: 1024 * 1024 * 1024,
    action: QuotaAction.WARN,
    per: ['user'],
  });
  const quotaManager = getQuotaManager(options);
  // The second attempt of this test finds what the first one left.
  await quotaManager.removeQuota(quota.quota.quotaId).catch(() => undefined);
  await quotaManager.addQuota(quota);
  const check = (usageAmount: number) =>
    quotaManager.checkQuota({ resourceType: ResourceType.MEMORY, usageAmount, userId: 'user123' });
  const ofOurs = (results: Awaited<ReturnType<typeof check>>) =>
    results.find((one) => one.quota_id === 'user_memory_limit');
  expect(ofOurs(await check(512 * 1024 * 1024))).toMatchObject({ allowed: true, is_warning: false, current_usage: 0 });
  expect(ofOurs(await check(600 * 1024 * 1024))).toMatchObject({ allowed: true, is_warning: true });
  await quotaManager.updateQuota('user_memory_limit', { action: QuotaAction.BLOCK });
  const resource = { resourceId: 'index', resourceType: ResourceType.MEMORY, owner: 'user123', sizeBytes: 1 };
  await expect(client.resources.register(resource)).rejects.toMatchObject({ code: 'quota/exceeded', status: 429 });
  await client.resources.register({ ...resource, owner: 'user456' });
  await client.resources.unregister('index');
  const { usage } = await quotaManager.getQuotaStatus({ quotaId: 'user_memory_limit' });
  expect(usage.user_memory_limit?.buckets.map(({ user_id, current_usage }) => [user_id, current_usage])).toEqual([
    ['user123', 1112 * 1024 * 1024],
    ['user456', 1],
  ]);
  await quotaManager.removeQuota('user_memory_limit');
});

test('logs, jobs and caches have the doors of document 002', async () => {
  const system = new SystemOperations(options);
  const logs = new LogManager(options);
  // This one logs to standard error, and no folder is named.
  expect(await logs.listLogs()).toEqual([]);
  for (const ask of [
    () => logs.rotateLogs(),
    () => logs.cleanupOldLogs(30),
    () => system.rotateLogs(),
    () => system.cleanupOldLogs(),
  ])
    await expect(ask()).rejects.toMatchObject({ code: 'conflict/state' });
  expect(await system.restartBackgroundServices({ names: ['growth'] })).toEqual([
    { name: 'growth', outcome: 'restarted' },
  ]);
  expect(await system.clearSystemCaches({ types: ['callers'] })).toMatchObject({ success: true });
  await expect(system.clearSystemCaches({ types: ['backend-llm'] })).rejects.toMatchObject({
    code: 'conflict/confirmation-required',
  });
  const cleared = await system.clearSystemCaches({ types: ['backend-llm'], confirm: true });
  expect(cleared).toMatchObject({ success: true, cache_types_cleared: ['backend-llm'] });
  expect(await system.validateConfiguration({ strict: true })).toMatchObject({ valid: true, strict_mode: true });
  const bundle = await client.system.bundle();
  expect([bundle[0], bundle[1]]).toEqual([0x1f, 0x8b]);
});

test('the schedule is switched off and on', async () => {
  const service = new BackupService(options);
  expect(await service.stopBackupScheduler()).toMatchObject({ running: false });
  expect(await service.startBackupScheduler()).toMatchObject({ was_running: false, running: true });
});

test.skipIf(!hasPart('restic'))('a point is taken, listed and restored through the door of the documents', async () => {
  const service = getBackupService(options);
  // The first point is taken by the schedule itself; two at once on one target are refused.
  await until('the first point', async () => ((await client.backup.points()).items.length > 0 ? true : undefined));
  await until('an idle target', async () =>
    (await client.operations.list({ state: 'running' })).items.length === 0 ? true : undefined,
  );
  const before = contentOf(join(dataDir, 'sample/rag_storage'));
  const phases = new Set<string>();
  const point = await service.triggerBackup({ onProgress: ({ phase }) => phases.add(phase) });
  expect(point).toMatchObject({ status: 'success', cause: 'manual', target_id: 'sample' });
  expect(phases.size).toBeGreaterThan(0);
  expect((await service.getBackupHistory()).at(-1)?.backup_id).toBe(point.backup_id);
  expect(await service.getBackupStatus()).toMatchObject({ available: true, backup_count: 2 });

  await expect(service.restoreBackup(point.backup_id, { confirm: false })).rejects.toMatchObject({
    code: 'conflict/confirmation-required',
  });
  await expect(service.restoreBackup('../../etc', { confirm: true })).rejects.toMatchObject({
    code: 'backup/invalid-id',
  });
  // The example of the document.
  await expect(service.restoreBackup('backup_20230101_120000', { confirm: true })).rejects.toMatchObject({
    code: 'backup/unknown-point',
  });
  expect((await client.backup.planRestore(point.backup_id)).blockers).toEqual([]);
  removeFolder(join(dataDir, 'sample/rag_storage/kv_store_doc_status.json'));
  const restored = await service.restoreBackup(point.backup_id, { confirm: true });
  expect(restored).toMatchObject({ backup_id: point.backup_id, status: 'success' });
  expect(contentOf(join(dataDir, 'sample/rag_storage'))).toEqual(before);
  removeFolder(join(dataDir, 'sample/rag_storage/kv_store_doc_status.json'));
  const manager = new BackupManager(options);
  const again = await manager.restoreBackup(point.backup_id, { confirm: true });
  expect(again).toMatchObject({ backup_name: point.backup_id, components: { workspaces: { status: 'restored' } } });
  expect(contentOf(join(dataDir, 'sample/rag_storage'))).toEqual(before);
  // Work that a request began belongs to that request, whoever carries it out.
  const taken = (await client.events.list({ types: ['backup.point-taken'] })).items.at(0);
  expect(taken).toMatchObject({ actor: 'local:admin' });
  const together = await client.events.list({ correlationId: taken?.correlation_id ?? '' });
  expect(together.items.map(({ operation_id: id }) => id)).toContain(taken?.operation_id);
  // The heads that the points noted are those of this trail, in the catalogue and in the repository.
  const verdict = await client.audit.verify({ against: 'repository' });
  expect(verdict).toMatchObject({ intact: true, anchors: { removed: 0, foreign: 0 } });
  expect(verdict.anchors?.matched).toBeGreaterThanOrEqual(3);
  expect(await client.audit.verify()).toMatchObject({ anchors: { matched: verdict.anchors?.matched } });
  const { items } = await client.events.list({ types: ['restore.finished'] });
  expect(items.map(({ target_id: id }) => id)).toEqual(['sample', 'sample']);
});

test.skipIf(!hasPart('restic'))('the examples do what they say', async () => {
  const run = promisify(execFile);
  const example = (name: string): string => join(import.meta.dirname, '../examples/library', name);
  const env = { PATH: process.env.PATH, RAGWARDEN_URL: options.url, RAGWARDEN_TOKEN: options.token };
  const took = await run(process.execPath, [example('client.mjs')], { env });
  expect(took.stdout).toMatch(/^sample is HEALTHY$/m);
  expect(took.stdout).toMatch(/^event \d+ backup\.point-taken: /m);
  expect(took.stdout).toMatch(/^point backup_\w+ succeeded, \w/m);
  const told = await run(process.execPath, [example('documents.ts')], { env });
  expect(told.stdout).toMatch(/^cpu is \w+ \([\d.]+ %\)\nmemory is .*\ndisk is .*\nthe last run was a success$/m);
  const folder = join(dataDir, 'embedded');
  const brought = await run(process.execPath, [example('embedded.mjs'), folder], { env: { PATH: process.env.PATH } });
  expect(brought.stdout).toMatch(/^the page is at http.*\nsample is HEALTHY: lightrag .*\nstopped$/m);
});
