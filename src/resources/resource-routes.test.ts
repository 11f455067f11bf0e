import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import { createClient, ResourceManager, ResourceType } from '../sdk/index.ts';
import { createClaims, type ResourceQuota } from './claims.ts';
import { createLeakScan } from './resource-jobs.ts';
import { createResourceMetrics } from './resource-metrics.ts';
import { createResourceRegistry, type LeakChange } from './resource-registry.ts';
import { resourceRoutes } from './resource-routes.ts';

const clock = createFakeClock();
let made: TestMetrics;
let state: TestState;
let events: EventLog;
let server: HttpServer;
let scan: Reconciler;
let stateFails = false;
const claim: ResourceQuota['claim'] = async () => undefined;

beforeAll(async () => {
  made = await openMetrics({ clock });
  state = await openTestState();
  events = createEventLog({ db: state.db, clock, instance: 'i1' });
  let note: (change: LeakChange) => void = () => undefined;
  const resources = createResourceRegistry({
    ...{ clock, mostTracked: () => 100 },
    onLeak: (change) => note(change),
    onGone: (id) => claims.gone(id),
  });
  const quota = {
    claim: (use: Parameters<typeof claim>[0]) => claim(use),
    violations: async () => ({ open: 2, total: 7 }),
  };
  const claims = createClaims({ resources, quota });
  const db: Pick<typeof state.db, 'unit'> = {
    unit: (work) => (stateFails ? Promise.reject(new Error('away')) : state.db.unit(work)),
  };
  const leakScan = createLeakScan({ resources, intervalMs: 60_000, db, events, clock, log: silentLogger });
  scan = leakScan.job;
  note = leakScan.note;
  createResourceMetrics({ recorder: made.metrics.recorder, registry: made.registry, resources });
  server = createHttpServer({
    log: silentLogger,
    clock,
    allowedHosts: () => [],
    authenticate: async ({ headers }) => ({
      subject: String(headers.authorization ?? 'Bearer local:app').slice('Bearer '.length),
      role: String(headers['x-role'] ?? 'service') as Role,
      workspaces: 'all',
      via: 'token',
    }),
  });
  const surroundings = () => ({
    ...{ memoryBytes: 30, memoryPeakBytes: 40, memoryGrowthBytes: 10 },
    ...{ memoryPercent: 50, cpuPercent: null, openFiles: 12, threads: null },
  });
  await server.register(
    resourceRoutes({
      ...{ resources, claims, quota, surroundings, db, events },
      mostTracked: () => 100,
      observed: () => undefined,
    }),
  );
});
afterAll(async () => {
  await server.close();
  await made.remove();
  await state.remove();
});

const ask = async (method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, role = 'service') => {
  const answer = await server.inject({
    method,
    url: `/api/v1/metrics/resources${path}`,
    headers: { 'x-role': role, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
};
/** The library over this very server. */
const connection = (token = 'local:app') => ({
  url: 'http://localhost',
  token,
  fetch: (async (input, init) => {
    const { pathname, search } = new URL(String(input));
    const answer = await server.inject({
      method: (init?.method ?? 'GET') as 'GET',
      url: pathname + search,
      headers: init?.headers as Record<string, string>, // a plain object is what the client makes
      ...(typeof init?.body === 'string' ? { payload: init.body } : {}),
    });
    return new Response(answer.payload, {
      status: answer.statusCode,
      headers: { 'content-type': String(answer.headers['content-type']) },
    });
  }) as typeof fetch,
});
const told = async () =>
  (await events.list({ limit: 100, order: 'oldest-first' })).map(({ type, data }) => ({ type, data }));

test('before anything is registered, numbers are zero and shares unknown', async () => {
  const { body } = await ask('GET', '/summary');
  expect(body).toMatchObject({
    ...{ total_resources: 0, max_tracked: 100, total_leaks: 0, quota_violations: 2, checked_at: null },
    resources_by_status: { active: 0, idle: 0, leaked: 0, cleaned_up: 0, error: 0 },
  });
  expect(body.metrics).toEqual({
    ...{
      total_resources_created: 0,
      total_resources_cleaned: 0,
      total_leaks_detected: 0,
      total_quota_violations: 7,
    },
    ...{ cleanup_success_rate: null, leak_detection_rate: null },
    ...{ memory_current_bytes: 30, memory_peak_bytes: 40, memory_growth_bytes: 10 },
    ...{ system_memory_percent: 50, system_cpu_percent: null, system_open_files: 12, system_threads: null },
  });
});

test('what is not right is refused and changes nothing, and users may not register', async () => {
  const status = async (body: unknown, role?: string) => (await ask('POST', '', body, role)).status;
  const right = { resource_id: 'x', resource_type: 'memory' };
  expect(await status(right, 'user')).toBe(403);
  for (const wrong of [
    { ...right, resource_type: 'all' },
    { ...right, resource_id: 'summary' },
    { ...right, resource_id: '' },
    { ...right, size_bytes: -1 },
    { ...right, lease_seconds: 0 },
    { ...right, size: 3 },
    { ...right, metadata: { text: 'x'.repeat(1_001) } },
  ])
    expect([wrong, await status(wrong)]).toEqual([wrong, 422]);
  expect((await ask('GET', '')).body).toEqual({ items: [], next_cursor: null });
  expect((await ask('GET', '/leaks?severity=grave')).status).toBe(422);
  expect((await ask('POST', '/nothing/touch', {})).body).toMatchObject({ status: 404, code: 'resource/unknown' });
});

test('the library registers, uses, frees and forgets, and what leaks is told once, with metrics and an end', async () => {
  const manager = new ResourceManager(connection());
  const path = '/tmp/a file';
  const file = await manager.registerResource({
    ...{ resourceId: path, resourceType: ResourceType.TEMPORARY_FILE, owner: 'user123', workspaceId: 'workspace456' },
    ...{ sizeBytes: 1024 * 1024, metadata: { line: 7 } },
  });
  expect(file).toMatchObject({
    ...{ resource_id: path, status: 'active', owner: 'user123', workspace_id: 'workspace456', size_bytes: 1_048_576 },
    ...{ registered_by: 'local:app', access_count: 0, created_at: '2026-01-01T00:00:00.000Z', metadata: { line: 7 } },
  });
  expect((await manager.accessResource(path)).access_count).toBe(1);
  await manager.registerResource({ resourceId: 'lock', resourceType: 'lock' });

  await clock.advance(1_801_000);
  stateFails = true;
  await scan.runOnce();
  stateFails = false;
  expect(await told()).toEqual([]);
  for (let i = 0; i < 3; i += 1) await scan.runOnce();
  const facts = {
    resource_id: path,
    resource_type: 'temporary_file',
    owner: 'user123',
    severity: 'medium',
    rule: 'age',
  };
  expect(await told()).toEqual([{ type: 'resource.leak-found', data: facts }]);
  const leaks = await manager.getLeakedResources('medium');
  expect(leaks).toMatchObject([
    {
      ...{ resource_id: path, resource_type: 'temporary_file', severity: 'medium', rule: 'age' },
      ...{ leak_detected_at: '2026-01-01T00:30:01.000Z', leak_duration_seconds: 901 },
      description: 'temporary_file "/tmp/a file" of user123 is 1801 s old and was not used for 1801 s.',
      suggested_action: expect.stringMatching(/^Delete it/),
      resource_info: { status: 'leaked', size_bytes: 1_048_576 },
    },
  ]);
  expect(await manager.getLeakedResources('critical')).toEqual([]);
  expect((await ask('GET', '/leaks?limit=1')).body).toMatchObject({ total: 1, next_cursor: null });
  expect((await ask('GET', '?status=leaked&owner=user123')).body.items).toHaveLength(1);

  const { history } = made.metrics;
  await history.sampleOnce();
  await clock.advance(1_000);
  const value = async (name: string, type: string) => {
    const range = { fromMs: clock.now() - 60_000, toMs: clock.now() + 1, match: { type } };
    return (await history.query({ name, aggregation: 'last', ...range, groupBy: [] })).series[0]?.values[0];
  };
  expect(await value('resource_count', 'temporary_file')).toBe(1);
  expect(await value('resource_leaks', 'temporary_file')).toBe(1);
  expect(await value('resource_leaks', 'lock')).toBe(0);
  expect(await value('resource_leaks', 'cache')).toBeUndefined();

  await manager.accessResource(path);
  await scan.runOnce();
  expect((await told()).at(-1)).toEqual({ type: 'resource.leak-retracted', data: { ...facts, reason: 'used' } });
  await clock.advance(5_000);
  await history.sampleOnce();
  expect(await value('resource_leaks', 'temporary_file')).toBe(0);

  await expect(manager.cleanupResource(path)).rejects.toThrow(/without a cleanup/);
  let fails = true;
  await manager.registerResource({
    ...{ resourceId: 'pool', resourceType: 'cache' },
    cleanup: () => {
      if (fails) throw new Error('busy');
    },
  });
  await expect(manager.cleanupResource('pool')).rejects.toThrow('busy');
  expect((await ask('GET', '/pool')).body).toMatchObject({ status: 'error', error: 'Error: busy' });
  fails = false;
  expect((await manager.cleanupResource('pool')).status).toBe('cleaned_up');
  await manager.unregisterResource(path);
  await expect(manager.accessResource(path)).rejects.toMatchObject({ code: 'resource/unknown', status: 404 });
  expect((await ask('GET', '/summary')).body).toMatchObject({
    ...{ total_resources: 1, resources_by_type: { lock: 1, cache: 0 }, checked_at: '2026-01-01T00:30:02.000Z' },
    metrics: {
      ...{ total_resources_created: 3, total_resources_cleaned: 1, cleanup_success_rate: 0.5 },
      ...{ total_leaks_detected: 1, leak_detection_rate: 1 / 3 },
    },
  });
});

test('whoever uses or ends what another registered is in the audit trail, its holder is not', async () => {
  const [mine, theirs] = [createClient(connection()).resources, createClient(connection('local:other')).resources];
  await mine.register({ resourceId: 'shared', resourceType: 'cache' });
  await mine.access('shared');
  const trail = async () =>
    (await events.listAudit({ limit: 20 }))
      .filter(({ action }) => action !== 'resources.register')
      .map(({ actor, action, object }) => `${actor} ${action} ${object}`);
  expect(await trail()).toEqual([]);
  await theirs.access('shared');
  expect(await trail()).toEqual(['local:other resources.access shared']);
  await theirs.access('shared');
  await theirs.unregister('shared');
  expect(await trail()).toEqual(['local:other resources.unregister shared', 'local:other resources.access shared']);
});

test('registering is in the trail, once a minute for each token and type, with the number since', async () => {
  const { resources } = createClient(connection('local:busy'));
  const told = async () =>
    (await events.listAudit({ limit: 50 }))
      .filter(({ actor, action }) => actor === 'local:busy' && action === 'resources.register')
      .map(({ object, data }) => [object, data.registered_since_the_last_entry]);
  for (let i = 0; i < 5; i += 1) await resources.register({ resourceId: `busy-${i}`, resourceType: 'lock' });
  expect(await told()).toEqual([['busy-0', 1]]);
  await clock.advance(61_000);
  await resources.register({ resourceId: 'busy-5', resourceType: 'lock' });
  expect(await told()).toEqual([
    ['busy-5', 5],
    ['busy-0', 1],
  ]);
  for (let i = 0; i < 6; i += 1) await resources.unregister(`busy-${i}`);
});

test('a flood of leaks is no flood of events, and lists go on page by page', async () => {
  const before = (await told()).length;
  const { resources } = createClient(connection());
  for (let i = 0; i < 30; i += 1)
    await resources.register({ resourceId: `many-${i}`, resourceType: 'thread', ttlSeconds: 1 });
  await clock.advance(2_000);
  await scan.runOnce();
  const more = (await told()).slice(before);
  expect(more).toHaveLength(21);
  expect(more.at(-1)).toEqual({ type: 'resource.leaks-found', data: { count: 10 } });
  const seen: string[] = [];
  let cursor: string | null = '0';
  while (cursor !== null) {
    const page: { items: { resource_id: string }[]; next_cursor: string | null } = await resources.list({
      ...{ resourceType: 'thread', limit: 7, cursor },
    });
    seen.push(...page.items.map(({ resource_id }) => resource_id));
    cursor = page.next_cursor;
  }
  expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => `many-${i}`));
  const leaked = await new ResourceManager(connection()).getLeakedResources();
  expect(leaked.map(({ resource_id }) => resource_id).sort()).toEqual([...seen].sort());
});
