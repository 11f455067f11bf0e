import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readConfig } from '../config/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { resourceTypes } from '../resources/index.ts';
import { createWarden, type StartedWarden, type Warden } from './warden.ts';

let folder: string;
let warden: Warden;
let started: StartedWarden;
const adminToken = 'an-admin-token-of-this-test-and-no-other';
const hour = 3_600_000;

/** A workspace whose files were last written so long ago. */
function workspace(name: string, ageMs: number): string {
  const path = join(folder, 'rag', name);
  mkdirSync(path, { recursive: true });
  const at = (Date.now() - ageMs) / 1_000;
  for (const file of ['kv_store_full_docs.json', 'kv_store_doc_status.json']) {
    writeFileSync(join(path, file), '{}');
    utimesSync(join(path, file), at, at);
  }
  utimesSync(path, at, at);
  return path;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rw-cleanup-api-'));
  const env = {
    RAGWARDEN_DATA_DIR: join(folder, 'data'),
    RAGWARDEN_PORT: '0',
    LIGHTRAG_METRICS_PORT: '0',
    RAGWARDEN_GATEWAY_ENABLED: 'false',
    RAGWARDEN_ADMIN_TOKEN: adminToken,
    RAGWARDEN_BACKUP_AT_START: 'false',
    RAGWARDEN_LEAK_CHECK_INTERVAL: '1',
    // What is registered here is given up by who is asked to, and by nobody else meanwhile.
    RAGWARDEN_RESOURCE_CLEANUP_INTERVAL: '3600',
    RAGWARDEN_ALERT_EVALUATION_INTERVAL: '1',
    // Nobody answers there, which is soon known.
    RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9',
    WORKING_DIR: join(folder, 'rag'),
  };
  mkdirSync(join(folder, 'rag'));
  mkdirSync(join(folder, 'exports'));
  writeFileSync(
    join(folder, 'ragwarden.yaml'),
    [
      'cleanup:',
      `  folders: [{id: exports, path: ${join(folder, 'exports')}, use: temporary, patterns: ["*.part"]}]`,
      '  tasks: [{task_id: parts, cleanup_type: temporary-files, params: {folder: exports}, priority: high, schedule_expression: "0 4 * * *"}]',
      '',
    ].join('\n'),
  );
  warden = createWarden({ reading: readConfig({ env, cwd: folder }), log: silentLogger, command: 'serve' });
  started = await warden.start();
});
afterAll(async () => {
  await warden.stop('the test is over');
  rmSync(folder, { recursive: true, force: true });
});

type Answer = { status: number; body: ReturnType<typeof JSON.parse> };
async function call(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object): Promise<Answer> {
  const answer = await started.server.inject({
    ...{ method, url, headers: { authorization: `Bearer ${adminToken}`, prefer: 'wait=20' } },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? null : answer.json() };
}
const base = '/api/v1/metrics/cleanup';

test('every task that comes with the product succeeds on a fresh install, and no rate is told before', async () => {
  const before = await call('GET', `${base}/tasks`);
  const defaults = before.body.items.filter((one: { origin: string }) => one.origin === 'default');
  expect(defaults.map((one: { task_id: string }) => one.task_id)).toEqual([
    ...['cache_cleanup_6hourly', 'memory_cleanup_threshold', 'metrics_cleanup_daily', 'quarantine_expiry_daily'],
    'resource_cleanup_hourly',
  ]);
  for (const one of defaults) expect(one).toMatchObject({ success_rate: null, last_run: null, enabled: true });
  expect((await call('GET', `${base}/history`)).body).toMatchObject({ items: [], totals: { success_rate: null } });
  for (const { task_id } of defaults)
    expect(await call('POST', `${base}/tasks/${task_id}/run`)).toMatchObject({
      ...{ status: 200, body: { state: 'succeeded', result: { outcome: 'success' } } },
    });
  const { body: history } = await call('GET', `${base}/history`);
  expect(history).toMatchObject({
    total: 5,
    totals: {
      ...{ total_tasks_run: 5, total_successful_runs: 5, total_failed_runs: 0, total_resources_cleaned: 0 },
      ...{ enabled_tasks: 6, total_tasks: 6, success_rate: 1 },
    },
  });
  const took = history.items.map((one: { execution_time_seconds: number }) => one.execution_time_seconds);
  for (const seconds of took) expect(seconds).toBeTypeOf('number');
  const { body: after } = await call('GET', `${base}/tasks`);
  for (const one of after.items.filter(({ origin }: { origin: string }) => origin === 'default')) {
    expect(one).toMatchObject({ run_count: 1, success_count: 1, failure_count: 0, success_rate: 1, is_running: false });
    const of = history.items.find(({ task_id }: { task_id: string }) => task_id === one.task_id);
    expect([of.trigger_type, of.success, of.retry_attempt, of.error]).toEqual(['manual', true, 0, null]);
    expect([one.last_run, one.average_duration_seconds]).toEqual([expect.any(String), expect.any(Number)]);
  }
});

test('a task of the settings file cleans the folder that only the file names, and cannot be changed over the API', async () => {
  const path = join(folder, 'exports', 'a.part');
  writeFileSync(path, 'half');
  const at = (Date.now() - 24 * hour) / 1_000;
  utimesSync(path, at, at);
  const { body } = await call('POST', `${base}/tasks/parts/run`);
  expect(body.result).toMatchObject({ cleaned: 1 });
  expect(existsSync(path)).toBe(false);
  expect(await call('DELETE', `${base}/tasks/parts`)).toMatchObject({ status: 409 });
  const undone = await call('POST', `${base}/quarantine/undo`, { run_id: body.result.run_id });
  expect(undone.body.result).toMatchObject({ undone: 1 });
  expect(readFileSync(path, 'utf8')).toBe('half');
});

test('an idle workspace goes whole and comes back whole; a young one, a served one and an unknown one do not go, forced or not', async () => {
  const idle = workspace('idle', 20 * hour);
  workspace('young', hour / 10);
  workspace('fresh', hour);
  const clean = (name: string, force = '') => call('POST', `/api/workspaces/${name}/cleanup${force}`);
  expect(await clean('young', '?force=true')).toMatchObject({ status: 409, body: { code: 'cleanup/workspace-busy' } });
  expect(await clean('nobody')).toMatchObject({ status: 404 });
  expect(await clean('..%2f..')).toMatchObject({ status: expect.any(Number), body: { code: expect.any(String) } });
  expect(await clean('fresh')).toMatchObject({ status: 200, body: { success: false } });
  const gone = await clean('idle');
  expect(gone).toMatchObject({ status: 200, body: { success: true, workspace_id: 'idle' } });
  expect(existsSync(idle)).toBe(false);
  expect((await call('GET', '/api/workspaces/cleanup/stats')).body).toMatchObject({
    ...{ total_cleanups: 1, expired_cleaned: 0, idle_cleaned: 1, size_cleaned: 0, errors: 0, running: false },
    settings: {
      ...{ cleanup_enabled: false, cleanup_interval_minutes: 60, ttl_hours: 24, max_idle_hours: 12 },
      max_size_mb: 1000,
      grace_period_minutes: 30,
    },
  });
  await call('POST', `${base}/quarantine/undo`, { run_id: gone.body.operation_id });
  expect(readFileSync(join(idle, 'kv_store_full_docs.json'), 'utf8')).toBe('{}');
  // All of them: the one that is idle goes, the others stay.
  const all = await call('POST', '/api/workspaces/cleanup/run');
  expect(all).toMatchObject({ status: 200, body: { success: true, workspace_id: null } });
  expect(['idle', 'young', 'fresh'].filter((name) => existsSync(join(folder, 'rag', name)))).toEqual([
    'young',
    'fresh',
  ]);
  expect((await call('GET', '/api/workspaces/cleanup/stats')).body).toMatchObject({
    total_cleanups: 2,
    idle_cleaned: 2,
  });
});

test('resources of a type: what nobody claims any more is given up and comes back, what is in use stays unless it is forced', async () => {
  // Nor by the clock, or by a machine that is short of memory.
  for (const task of ['resource_cleanup_hourly', 'cache_cleanup_6hourly', 'memory_cleanup_threshold'])
    expect((await call('POST', `${base}/tasks/${task}/disable`)).status).toBe(200);
  const register = (resource_id: string, more: object = {}) =>
    call('POST', '/api/v1/metrics/resources', { resource_id, resource_type: 'lock', ...more });
  await register('used');
  await register('lapsed', { lease_seconds: 0.1 });
  const state = async (id: string) => (await call('GET', `/api/v1/metrics/resources/${id}`)).status;
  const clean = async (more = '') => (await call('POST', `/api/v1/metrics/resources/cleanup/lock${more}`)).body;
  await expect.poll(async () => (await call('GET', '/api/v1/metrics/resources/leaks')).body.total).toBe(1);
  const ended = await clean();
  expect(ended.result).toMatchObject({ cleaned: 1, outcome: 'success' });
  expect([await state('used'), await state('lapsed')]).toEqual([200, 404]);
  await call('POST', `${base}/quarantine/undo`, { run_id: ended.id });
  expect(await state('lapsed')).toBe(200);
  expect((await clean('?force=true')).result).toMatchObject({ cleaned: 2 });
  expect([await state('used'), await state('lapsed')]).toEqual([404, 404]);
  expect(await call('POST', '/api/v1/metrics/resources/cleanup/all')).toMatchObject({ status: 422 });
  const [entry] = await started.events.listAudit({ action: 'cleanup.run', limit: 1 });
  expect(entry).toMatchObject({ data: { strategy: 'resources', params: { force: true } } });
});

test('what nobody claims any more of each of the ten types is given up by the cleanup of its type, and nothing else', async () => {
  const leaks = async () => (await call('GET', '/api/v1/metrics/resources/leaks?limit=100')).body.items;
  expect(resourceTypes).toHaveLength(10);
  for (const resource_type of resourceTypes) {
    const of = { resource_type, resource_id: `lapsed ${resource_type}`, lease_seconds: 0.1 };
    await call('POST', '/api/v1/metrics/resources', of);
    await call('POST', '/api/v1/metrics/resources', {
      ...of,
      resource_id: `used ${resource_type}`,
      lease_seconds: 3_600,
    });
  }
  await expect.poll(async () => (await leaks()).length).toBe(10);
  for (const type of resourceTypes) {
    const { body } = await call('POST', `/api/v1/metrics/resources/cleanup/${type}`);
    expect(body.result, type).toMatchObject({ cleaned: 1, failed: 0, outcome: 'success' });
    const left = (await leaks()).map((one: { resource_type: string }) => one.resource_type);
    expect(left).not.toContain(type);
  }
  const { body: summary } = await call('GET', '/api/v1/metrics/resources/summary');
  expect(summary).toMatchObject({ total_resources: 10, total_leaks: 0 });
  expect(Object.values(summary.resources_by_type)).toEqual(Array(10).fill(1));
  for (const type of resourceTypes) await call('DELETE', `/api/v1/metrics/resources/used%20${type}`);
});

test('an alert has a cleanup task run, which stands in the history with its cause, and in the trail', async () => {
  const path = join(folder, 'exports', 'b.part');
  writeFileSync(path, 'half');
  const at = (Date.now() - 24 * hour) / 1_000;
  utimesSync(path, at, at);
  const name = `parts_pile_up_${Date.now()}`;
  const rule = {
    ...{ name, metric_name: name, condition: 'gt', threshold: 4 },
    ...{ duration_seconds: 0, action: { kind: 'run-cleanup-task', task_id: 'parts', mode: 'run' } },
  };
  expect(await call('POST', '/api/v1/metrics/alerts/rules', rule)).toMatchObject({ status: 201 });
  const recorded = await call('POST', '/api/v1/metrics/record', { items: [{ name, value: 5 }] });
  expect(recorded.status).toBeLessThan(300);
  await expect
    .poll(async () => (await call('GET', `${base}/history?task_id=parts&limit=1`)).body.items[0], { timeout: 60_000 })
    .toMatchObject({ trigger_type: 'alert', started_by: 'alerts', success: true });
  expect(existsSync(path)).toBe(false);
  await expect
    .poll(() => started.events.listAudit({ action: 'alerts.action.run-cleanup-task', limit: 1 }))
    .toMatchObject([{ actor: `alert:${name}`, outcome: 'done' }]);
});
