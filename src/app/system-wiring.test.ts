import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readConfig } from '../config/index.ts';
import { openLogFile } from '../platform/log-file.ts';
import { createLogger } from '../platform/logging.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-system-'));
const dataDir = join(folder, 'data');
const logPath = join(folder, 'log/ragwarden.log');
/** Planted everywhere; none may come out. */
const planted = {
  admin: 'planted-admin-token-0123456789',
  jwt: 'planted-jwt-secret-of-more-than-32-bytes',
  heartbeat: 'planted-heartbeat-key',
  backendKey: 'planted-backend-key',
  backendPassword: 'planted-backend-password',
  envFile: 'planted-in-the-env-file',
  envUrl: 'planted%2Fin%2Fa%2Furl',
  dump: 'planted-in-a-log-line',
  bearer: 'plantedBearerInAnEvent123',
  variable: 'planted-in-an-environment-variable',
};
let warden: Warden;
let started: StartedWarden;

beforeAll(async () => {
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const envFile = join(folder, '.env');
  writeFileSync(
    envFile,
    [
      'CHUNK_SIZE=400',
      'CHUNK_OVERLAP_SIZE=500',
      `LIGHTRAG_API_KEY=${planted.envFile}`,
      `REDIS_URI=redis://:${planted.envUrl}@127.0.0.1:1`,
    ].join('\n'),
  );
  const settings = join(folder, 'ragwarden.yaml');
  writeFileSync(settings, `logs:\n  folders:\n    - {path: ${join(folder, 'logs')}, how: rename}\n`);
  mkdirSync(join(folder, 'rag'));
  const env = {
    RAGWARDEN_ADMIN_TOKEN: planted.admin,
    RAGWARDEN_JWT_SECRET: planted.jwt,
    RAGWARDEN_HEARTBEAT_URL: `http://127.0.0.1:1/${planted.heartbeat}`,
    RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1',
    RAGWARDEN_TARGET_ENV_FILE: envFile,
    RAGWARDEN_LOG_FILE: logPath,
    LIGHTRAG_BACKUP_ENABLED: 'false',
    WORKING_DIR: join(folder, 'rag'),
    LIGHTRAG_API_KEY: planted.backendKey,
    OPENAI_API_KEY: planted.variable,
    RAGWARDEN_GATEWAY_ENABLED: 'false',
  };
  const flags = { 'data-dir': dataDir, config: settings, port: '0', 'metrics-port': '0' };
  const reading = readConfig({ env, flags, cwd: folder });
  expect(reading.problems).toEqual([]);
  const file = openLogFile(logPath, () => undefined);
  const log = createLogger({ level: 'info', destination: file });
  warden = createWarden({ reading, log, command: 'serve', reopenLog: () => file.reopen() });
  started = await warden.start();
  log.error(
    { url: `postgres://me:${planted.backendPassword}@db/x`, password: planted.dump, said: planted.backendKey },
    `it said: --password=${planted.dump} api_key: ${planted.dump}`,
  );
});
afterAll(async () => {
  await warden.stop('the test is over');
  rmSync(folder, { recursive: true });
});

const ask = async (method: 'GET' | 'POST', url: string, payload?: object) => {
  const answer = await started.server.inject({
    method,
    url,
    headers: { authorization: `Bearer ${planted.admin}`, prefer: 'wait=30' },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, raw: answer.rawPayload, body: () => answer.json() };
};

test('the bundle has what a helper needs and none of the secrets, wherever they were', async () => {
  await ask('POST', '/api/v1/events', {
    kind: 'backup',
    event_type: 'x',
    message: `They sent Authorization: Bearer ${planted.bearer} and ${planted.admin}.`,
    details: { password: planted.backendPassword, deep: [{ note: `key=${planted.variable}` }], max_tokens: 5 },
  });
  const { status, raw } = await ask('GET', '/api/v1/system/bundle');
  expect(status).toBe(200);
  const into = join(folder, 'bundle');
  mkdirSync(into);
  writeFileSync(join(into, 'b.tar.gz'), raw);
  execFileSync('tar', ['-xzf', 'b.tar.gz', '--strip-components=1'], { cwd: into });
  const names = readdirSync(into).filter((name) => name !== 'b.tar.gz');
  expect(names.sort()).toEqual(
    [
      'README.txt',
      'versions.json',
      'settings.json',
      'settings-check.json',
      'health.json',
      'jobs.json',
      'growth.json',
      'operations.json',
      'events.ndjson',
      'metrics.txt',
      'log.ndjson',
    ].sort(),
  );
  const all = names.map((name) => readFileSync(join(into, name), 'utf8')).join('\n');
  const local = readFileSync(join(dataDir, 'local-token'), 'utf8').trim();
  for (const [where, secret] of Object.entries({ ...planted, local }))
    for (const form of [secret, decodeURIComponent(secret), Buffer.from(secret).toString('base64')])
      expect(all.includes(form), `${where} is in the bundle`).toBe(false);
  // And it is not empty for that.
  expect(readFileSync(join(into, 'log.ndjson'), 'utf8')).toContain('it said');
  expect(readFileSync(join(into, 'events.ndjson'), 'utf8')).toContain('backup.told.x');
  expect(readFileSync(join(into, 'events.ndjson'), 'utf8')).toContain('"max_tokens":5');
  expect(JSON.parse(readFileSync(join(into, 'jobs.json'), 'utf8')).length).toBeGreaterThan(3);
  expect(readFileSync(join(into, 'metrics.txt'), 'utf8')).toContain('# HELP');
  expect(readFileSync(join(into, 'settings.json'), 'utf8')).toContain('"backup.enabled"');
});

test('all metrics at a glance tell of resources, quotas and alerts as they are, and of the requests themselves', async () => {
  const quotas = '/api/v1/metrics/quotas';
  const before = (await ask('GET', '/api/v1/metrics/global')).body();
  expect(before.quota_status).toMatchObject({
    ...{ total_quotas: 6, enforced_quotas: 0, open_violations: 0 },
    metrics: { total_checks: 0, total_violations: 0, blocks_enforced: 0, quota_resets: 0 },
  });
  expect(before.resource_summary).toMatchObject({ total_resources: 0, total_leaks: 0 });
  const quota = { quota_id: 'one', name: 'One', resource_type: 'tokens', limit: 1, action: 'block' };
  expect((await ask('POST', quotas, quota)).status).toBe(201);
  for (let use = 0; use < 3; use += 1) await ask('POST', `${quotas}/check`, { resource_type: 'tokens' });
  await ask('POST', '/api/v1/metrics/resources', { resource_id: 'held', resource_type: 'lock' });
  // What was exceeded is written down in a moment.
  const { resource_summary: resources, ...glance } = await vi.waitUntil(
    async () => {
      const body = (await ask('GET', '/api/v1/metrics/global')).body();
      return body.quota_status.open_violations === 1 ? body : undefined;
    },
    { timeout: 60_000, interval: 100 },
  );
  expect(glance.quota_status).toEqual({
    ...{ total_quotas: 7, enforced_quotas: 1, open_violations: 1 },
    metrics: {
      ...{ total_checks: 3, total_violations: 2, total_warnings: 0 },
      ...{ blocks_enforced: 2, throttles_enforced: 0, quota_resets: 0 },
    },
  });
  expect(resources).toMatchObject({
    total_resources: 1,
    resources_by_type: { lock: 1 },
    resources_by_status: { active: 1 },
  });
  expect(glance.enhanced_metrics.alert_rules).toBeGreaterThan(20);
  // What others say of the same, asked for at once: words and alerts may change in between.
  await vi.waitUntil(
    async () => {
      const { enhanced_metrics: counted, system_health: word } = (await ask('GET', '/api/v1/metrics/global')).body();
      const { firing } = (await ask('GET', '/api/v1/metrics/alerts/active')).body();
      const { status } = (await ask('GET', '/health')).body();
      return counted.active_alerts === firing && word.overall_status === status;
    },
    { timeout: 60_000, interval: 100 },
  );
  // The requests of this test are what the metrics of requests tell, of one person.
  const asked = async (name: string, aggregation: string) =>
    (
      await ask('GET', `/api/v1/metrics/query?name=${name}&aggregation=${aggregation}&group_by=&step_seconds=3600`)
    ).body();
  expect((await asked('request_duration_ms', 'count')).series[0].values.at(-1)).toBeGreaterThanOrEqual(5);
  await vi.waitUntil(async () => (await asked('active_users', 'max')).series[0]?.values.at(-1) === 1, {
    ...{ timeout: 60_000, interval: 200 },
  });
});

test('the configuration of both sides is checked where document 002 has it', async () => {
  const found = (await ask('POST', '/api/system/config/validate?config_type=graphrag&strict_mode=true')).body();
  expect(found).toMatchObject({
    valid: false,
    config_type: 'graphrag',
    errors: [expect.stringMatching(/\.env:2: chunks overlap/)],
    validated_config: { CHUNK_SIZE: '400', LIGHTRAG_API_KEY: '***' },
  });
  expect((await ask('POST', '/api/system/config/validate?config_type=nothing')).status).toBe(422);
});

test('own caches are cleared; that of the backend tells first what that costs, and is no success when it is away', async () => {
  mkdirSync(join(dataDir, 'cache/restic'), { recursive: true });
  writeFileSync(join(dataDir, 'cache/restic/x'), 'x'.repeat(1_000));
  const stats = (await ask('GET', '/api/system/cache/stats')).body();
  expect(stats).toMatchObject({
    cache_hit_rate: null,
    cache_types: ['repository', 'callers', 'backend-llm'],
    namespaces: { repository: { size_bytes: 1_000, confirm_needed: false }, 'backend-llm': { confirm_needed: true } },
  });
  const cleared = (await ask('POST', '/api/system/cache/clear')).body();
  expect(cleared).toMatchObject({
    success: true,
    bytes_freed: 1_000,
    files_cleared: expect.any(Number),
    cache_types_cleared: ['repository', 'callers'],
  });
  const refused = await ask('POST', '/api/system/cache/clear?cache_types=backend-llm');
  expect(refused.status).toBe(409);
  expect(refused.body().detail).toContain('is paid again');
  const away = (await ask('POST', '/api/system/cache/clear?cache_types=backend-llm&confirm=true')).body();
  expect(away).toMatchObject({ success: false, bytes_freed: 0, cache_types_cleared: [] });
});

test('background jobs are begun anew by name, and all of them', async () => {
  const restarted = async (payload: object) =>
    (await ask('POST', '/api/v1/system/services/restart', payload)).body().items as { name: string; outcome: string }[];
  expect(await restarted({ names: ['growth'] })).toEqual([{ name: 'growth', outcome: 'restarted' }]);
  const jobs = (await ask('GET', '/api/v1/system/jobs')).body().items as { name: string; runs: number }[];
  const all = await restarted({ wait_seconds: 30 });
  // What only looks from time to time has nothing to begin anew.
  expect(jobs.map(({ name }) => name)).toEqual(expect.arrayContaining(all.map(({ name }) => name)));
  expect(all.length).toBeGreaterThan(10);
  expect(all.filter(({ outcome }) => outcome === 'aborted')).toEqual([]);
  expect((await ask('POST', '/api/v1/system/services/restart', { names: ['nothing'] })).status).toBe(404);
  const entries = await started.events.listAudit({ action: 'system.restart', limit: 10 });
  expect(entries.map(({ actor, object }) => [actor, object])).toEqual([
    ['local:admin', 'all'],
    ['local:admin', 'growth'],
  ]);
});

test('logs are set aside by what was asked: ours and those of a registered folder', async () => {
  writeFileSync(join(folder, 'logs/app.log'), 'a line\n');
  const planned = (await ask('GET', '/api/v1/system/logs?all=true')).body();
  expect(planned.items.map((one: { how: string }) => one.how)).toEqual(['reopen', 'rename']);
  const { status, body } = await ask('POST', '/api/v1/system/logs/rotate', { all: true });
  expect(status).toBe(200);
  const { result, state } = body();
  expect(state).toBe('succeeded');
  expect(result.rotated_files.map((one: { original: string }) => one.original)).toEqual([
    logPath,
    join(folder, 'logs/app.log'),
  ]);
  const cleaned = (await ask('POST', '/api/v1/system/logs/cleanup', { days_to_keep: 1 })).body();
  expect(cleaned.result).toMatchObject({ days_to_keep: 1, deleted_files: [], freed_space_mb: 0 });
  expect((await ask('POST', '/api/v1/system/logs/cleanup', { days_to_keep: 0 })).status).toBe(422);
});
