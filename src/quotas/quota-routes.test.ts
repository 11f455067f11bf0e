import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHttpServer, type HttpServer } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createQuotaWatch } from './quota-jobs.ts';
import { quotaRoutes } from './quota-routes.ts';
import type { PastUse } from './replay.ts';
import { openTestQuotas, quota, type TestQuotas } from './test-quotas.ts';

const base = '/api/v1/metrics/quotas';
let found: TestQuotas;
let server: HttpServer;
let past: PastUse[] = [];
let who = { subject: 'local:admin', role: 'admin' as 'admin' | 'service' | 'user' };

beforeAll(async () => {
  found = await openTestQuotas([], {
    fromFile: [{ ...quota({ id: 'from-file', enabled: false }), origin: 'file' }],
  });
  server = createHttpServer({
    log: silentLogger,
    clock: found.clock,
    authenticate: async () => ({ ...who, workspaces: 'all', kind: 'token' }) as never,
    allowedHosts: () => ['localhost'],
    trustedProxies: [],
    onResponse: () => undefined,
  });
  await server.register(
    quotaRoutes({
      quotas: found.quotas,
      db: found.state.db,
      now: () => found.clock.now(),
      onlyTarget: () => 'main',
      pastUses: () => past,
    }),
  );
});
afterAll(async () => {
  await server.close();
  await found.remove();
});

/** Made by a test; gone with it. */
afterEach(async () => {
  for (const { id, origin } of found.quotas.definitions.all())
    if (origin === 'api' && !id.includes('_per_')) await found.quotas.definitions.remove(id, 'test');
});

async function call(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, payload?: object, headers = {}) {
  const answer = await server.inject({ method, url: `${base}${path}`, headers, ...(payload ? { payload } : {}) });
  return { status: answer.statusCode, headers: answer.headers, body: answer.body === '' ? undefined : answer.json() };
}
const watch = (): Promise<void> => {
  const { quotas, state, clock } = found;
  return createQuotaWatch({ quotas, db: state.db, clock, log: silentLogger, intervalMs: 30_000 }).runOnce();
};

test('the six quotas of the document are there from the start, in shadow mode', async () => {
  const { body } = await call('GET', '');
  const defaults = Object.values(body.quotas as Record<string, { origin: string }>).filter(
    ({ origin }) => origin === 'default',
  );
  expect(
    defaults.map((one) => {
      const { quota_id, quota_type, period, limit, burst_limit, action, per, shadow } = one as unknown as Record<
        string,
        unknown
      >;
      return [quota_id, quota_type, period, limit, burst_limit, action, per, shadow].join(' ');
    }),
  ).toEqual([
    'async_tasks_per_user hard second 50  block user true',
    'db_connections_per_workspace soft second 10 20 throttle workspace true',
    'file_handles_per_user hard minute 100  block user true',
    'memory_per_user soft hour 1073741824 1610612736 warn user true',
    'memory_per_workspace hard hour 4294967296  block workspace true',
    'network_connections_per_workspace soft minute 100  warn workspace true',
  ]);
  expect(body.ledger).toMatchObject({ state: 'answers', lost_since: null });
});

test('a quota is made, changed, shown and removed, and each change is in the trail', async () => {
  const made = await call('POST', '', { quota_id: 'mine', name: 'Mine', resource_type: 'tokens', limit: 10 });
  expect([made.status, made.body.action, made.body.when_lost, made.body.origin]).toEqual([
    201,
    'warn',
    'closed',
    'api',
  ]);
  expect((await call('POST', '', { quota_id: 'mine', name: 'M', resource_type: 'tokens', limit: 1 })).status).toBe(409);
  const changed = await call('PATCH', '/mine', { limit: 20, action: 'block' });
  expect(changed.body).toMatchObject({ limit: 20, action: 'block', name: 'Mine', period: 'hour' });
  expect((await call('GET', '/mine')).body).toMatchObject({ quota: { limit: 20 }, usage: { current_usage: 0 } });
  expect((await call('DELETE', '/mine')).status).toBe(204);
  expect((await call('GET', '/mine')).status).toBe(404);
  const trail = await found.events.listAudit({ limit: 10 });
  expect(trail.map(({ action, object }) => `${action} ${object}`)).toEqual([
    'quota.delete mine',
    'quota.update mine',
    'quota.create mine',
  ]);
});

test.each([
  ['a burst without a burst limit', { quota_type: 'burst' }, 'burst_limit'],
  ['a hard one with a burst limit', { burst_limit: 20 }, 'burst_limit'],
  ['a burst limit below the limit', { quota_type: 'soft', burst_limit: 5 }, 'burst_limit'],
  ['inserts under way that begin anew', { resource_type: 'concurrent_inserts', period: 'hour' }, 'period'],
  ['a rate without a slow lane', { rate_per_minute: 5 }, 'rate_per_minute'],
])('%s is refused with the field, and nothing is made', async (_what, told, at) => {
  const body = { quota_id: 'bad', name: 'Bad', resource_type: 'tokens', limit: 10, ...told };
  const answer = await call('POST', '', body);
  expect(answer.status).toBe(422);
  expect(answer.body.errors.map((one: { at: string }) => one.at)).toContain(at);
  expect((await call('GET', '/bad')).status).toBe(404);
});

test.each([
  { limit: -1 },
  { limit: 1.5 },
  { limit: 1e17 },
  { quota_id: 'check' },
  { quota_id: '../x' },
  { unknown: 1 },
])('a body with %j is refused', async (told) => {
  const body = { quota_id: 'bad', name: 'Bad', resource_type: 'tokens', limit: 10, ...told };
  expect((await call('POST', '', body)).status).toBe(422);
});

test('what stands in the file and what came with ragwarden is not taken away over the API', async () => {
  expect((await call('PATCH', '/from-file', { limit: 1 })).status).toBe(409);
  expect((await call('DELETE', '/from-file')).status).toBe(409);
  expect((await call('DELETE', '/memory_per_user')).status).toBe(409);
  expect((await call('PATCH', '/memory_per_user', { enabled: false })).status).toBe(200);
  expect((await call('PATCH', '/memory_per_user', { enabled: true })).body.shadow).toBe(true);
});

test('checks, blocks, throttles, warnings, violations and resets are counted, each for what it was', async () => {
  const of = (quota_id: string, resource_type: string, more: object) =>
    call('POST', '', { quota_id, name: quota_id, resource_type, limit: 1, ...more });
  await of('blocks', 'tokens', { action: 'block' });
  await of('slows', 'chunks', { quota_type: 'soft', action: 'throttle', rate_per_minute: 6_000, wait_seconds: 1 });
  await of('warns', 'documents', { quota_type: 'soft', burst_limit: 5 });
  const counted = async () => {
    await found.quotas.flush();
    return (await call('GET', '')).body.metrics as Record<string, number>;
  };
  const before = await counted();
  const use = async (resource_type: string): Promise<boolean> =>
    (await call('POST', '/check', { resource_type })).body.allowed;
  expect([await use('tokens'), await use('tokens'), await use('tokens')]).toEqual([true, false, false]);
  expect([await use('chunks'), await use('chunks')]).toEqual([true, true]);
  expect([await use('documents'), await use('documents')]).toEqual([true, true]);
  await call('POST', '/blocks/reset', {});
  const after = await counted();
  expect(
    Object.fromEntries(Object.keys(after).map((name) => [name, Number(after[name]) - Number(before[name])])),
  ).toEqual({
    ...{ total_checks: 7, total_violations: 3, total_warnings: 2 },
    ...{ blocks_enforced: 2, throttles_enforced: 1, queued: 0, quota_resets: 1 },
  });
});

test('one user does not use up what another has, and nothing is charged where another quota denies', async () => {
  await call('POST', '', {
    quota_id: 'per-user',
    name: 'U',
    resource_type: 'chunks',
    limit: 10,
    action: 'block',
    per: ['user'],
  });
  await call('POST', '', { quota_id: 'all', name: 'A', resource_type: 'chunks', limit: 15, action: 'block' });
  const use = (user_id: string, usage_amount: number) =>
    call('POST', '/check', { resource_type: 'chunks', usage_amount, user_id });
  expect((await use('anna', 10)).body.allowed).toBe(true);
  const denied = await use('bert', 6);
  expect(denied.body).toMatchObject({ allowed: false });
  expect(
    denied.body.results.map((one: Record<string, unknown>) => [one.quota_id, one.allowed, one.exceeded_by]),
  ).toEqual([
    ['all', false, 1],
    ['per-user', true, 0],
  ]);
  expect(denied.body.detail).toContain(
    '"A" (all) allows 15 chunks in an hour; 5 chunks left, and this asks for 6 chunks',
  );
  expect(denied.body.retry_after_seconds).toBe(3_600);
  expect((await use('bert', 5)).body.allowed).toBe(true);
  const { body } = await call('GET', '?quota_id=per-user');
  expect(
    body.usage['per-user'].buckets.map((one: Record<string, unknown>) => [one.user_id, one.current_usage]),
  ).toEqual([
    ['anna', 10],
    ['bert', 5],
  ]);
  who = { subject: 'bert', role: 'user' };
  expect((await call('GET', '/own')).body.items).toMatchObject([
    { quota_id: 'per-user', usage: { user_id: 'bert', current_usage: 5, remaining: 5 } },
  ]);
  who = { subject: 'local:admin', role: 'admin' };
});

test('asking only uses nothing', async () => {
  await call('POST', '', { quota_id: 'dry', name: 'D', resource_type: 'chunks', limit: 10, action: 'block' });
  const ask = { resource_type: 'chunks', usage_amount: 11, dry_run: true };
  expect((await call('POST', '/check', ask)).body.allowed).toBe(false);
  expect((await call('POST', '/check', { ...ask, usage_amount: 10 })).body.allowed).toBe(true);
  expect((await call('GET', '/dry')).body.usage.current_usage).toBe(0);
  await found.quotas.flush();
  expect((await call('GET', '/violations?quota_id=dry')).body.total).toBe(0);
});

test('a violation says by how much, is one while it lasts, and is resolved when it is over', async () => {
  await call('POST', '', {
    quota_id: 'v',
    name: 'V',
    resource_type: 'chunks',
    limit: 10,
    period: 'minute',
    action: 'block',
  });
  await call('POST', '/check', { resource_type: 'chunks', usage_amount: 8 });
  for (const usage_amount of [3, 7, 4]) await call('POST', '/check', { resource_type: 'chunks', usage_amount });
  await found.quotas.flush();
  const open = (await call('GET', '/violations?quota_id=v')).body;
  expect(open.items).toMatchObject([
    { times: 3, current_usage: 15, limit: 10, exceeded_by: 5, action_taken: 'block', shadow: false, resolved: false },
  ]);
  await found.clock.advance(60_000);
  await watch();
  expect((await call('GET', '/violations?quota_id=v&resolved=true')).body.total).toBe(1);
  const all = await found.events.list({ types: ['quota.*'], limit: 50 });
  const events = all.filter(({ data }) => data?.quota_id === 'v');
  expect(events.filter(({ type }) => type === 'quota.exceeded')).toHaveLength(1);
  expect(events.filter(({ type }) => type === 'quota.resolved')).toHaveLength(1);
});

test('shadow mode counts and reports, and never denies', async () => {
  await call('POST', '', {
    quota_id: 's',
    name: 'S',
    resource_type: 'chunks',
    limit: 10,
    action: 'block',
    shadow: true,
  });
  const answer = await call('POST', '/check', { resource_type: 'chunks', usage_amount: 25 });
  expect(answer.body).toMatchObject({
    allowed: true,
    results: [{ is_violation: true, exceeded_by: 15, shadow: true }],
  });
  await found.quotas.flush();
  expect((await call('GET', '/violations?quota_id=s')).body.items).toMatchObject([
    { action_taken: 'none', shadow: true },
  ]);
  expect((await call('GET', '/s')).body.usage).toMatchObject({ current_usage: 25, burst_usage: 15, remaining: 0 });
});

test('soft and block together deny, and the violation is recorded', async () => {
  await call('POST', '', {
    quota_id: 'sb',
    name: 'SB',
    resource_type: 'chunks',
    limit: 1,
    quota_type: 'soft',
    action: 'block',
  });
  await call('POST', '/check', { resource_type: 'chunks' });
  expect((await call('POST', '/check', { resource_type: 'chunks' })).body).toMatchObject({
    allowed: false,
    results: [{ is_warning: true, is_violation: true }],
  });
  await found.quotas.flush();
  expect((await call('GET', '/violations?quota_id=sb')).body.total).toBe(1);
});

test('what is used begins anew when somebody says so, and an unknown quota is none', async () => {
  await call('POST', '', { quota_id: 'r', name: 'R', resource_type: 'chunks', limit: 1, action: 'block' });
  await call('POST', '/check', { resource_type: 'chunks' });
  expect((await call('POST', '/check', { resource_type: 'chunks' })).body.allowed).toBe(false);
  expect((await call('POST', '/r/reset', {})).body.current_usage).toBe(0);
  expect((await call('POST', '/check', { resource_type: 'chunks' })).body.allowed).toBe(true);
  expect((await call('POST', '/nothing/reset', {})).status).toBe(404);
});

test('a reservation holds, is settled with what it took, and gives the rest back', async () => {
  await call('POST', '', { quota_id: 'h', name: 'H', resource_type: 'cost_micros', limit: 1_000_000, action: 'block' });
  const wish = { resource_type: 'cost_micros', usage_amount: 700_000 };
  const held = await call('POST', '/reservations', wish, { 'idempotency-key': 'one' });
  expect([held.status, held.body.state, held.body.quotas]).toEqual([201, 'held', ['h']]);
  const again = await call('POST', '/reservations', wish, { 'idempotency-key': 'one' });
  expect([again.status, again.body.reservation_id]).toEqual([200, held.body.reservation_id]);
  const other = await call('POST', '/reservations', { ...wish, usage_amount: 1 }, { 'idempotency-key': 'one' });
  expect([other.status, other.body.code]).toEqual([422, 'request/idempotency-conflict']);
  const denied = await call('POST', '/reservations', wish);
  expect([denied.status, denied.body.code]).toEqual([429, 'quota/exceeded']);
  expect(denied.body.detail).toContain('$0.30 left, and this asks for $0.70');
  expect(Number(denied.headers['retry-after'])).toBeGreaterThan(0);
  const id: string = held.body.reservation_id;
  const settle = () => call('POST', `/reservations/${id}/settle`, { amounts: { cost_micros: 200_000 } });
  expect((await settle()).body.state).toBe('settled');
  expect((await settle()).body.state).toBe('settled');
  expect((await call('POST', `/reservations/${id}/release`)).status).toBe(409);
  expect((await call('GET', '/h')).body.usage.buckets).toMatchObject([{ used: 200_000, held: 0 }]);
});

test('what nobody settles in time comes back, or is charged where that was asked for', async () => {
  await call('POST', '', {
    quota_id: 'e',
    name: 'E',
    resource_type: 'tokens',
    limit: 100,
    period: 'day',
    action: 'block',
  });
  const reserve = (told: object) =>
    call('POST', '/reservations', { resource_type: 'tokens', usage_amount: 40, ttl_seconds: 60, ...told });
  const dies = await reserve({});
  const charged = await reserve({ on_expiry: 'charge' });
  const renewed = await reserve({ usage_amount: 20 });
  await call('POST', `/reservations/${renewed.body.reservation_id}/renew`, { ttl_seconds: 600 });
  await found.clock.advance(61_000);
  await watch();
  const state = async (one: { body: { reservation_id: string } }): Promise<string> =>
    (await call('GET', `/reservations/${one.body.reservation_id}`)).body.state;
  expect([await state(dies), await state(charged), await state(renewed)]).toEqual(['expired', 'expired', 'held']);
  expect((await call('GET', '/e')).body.usage.buckets).toMatchObject([{ used: 40, held: 20, remaining: 40 }]);
});

test('a service sees its own reservations only', async () => {
  who = { subject: 'local:one', role: 'service' };
  const { body } = await call('POST', '/reservations', { resource_type: 'tokens', usage_amount: 1 });
  who = { subject: 'local:two', role: 'service' };
  expect((await call('POST', `/reservations/${body.reservation_id}/settle`)).status).toBe(404);
  expect((await call('GET', '/reservations')).body.items).toEqual([]);
  who = { subject: 'local:admin', role: 'admin' };
  expect((await call('POST', `/reservations/${body.reservation_id}/release`)).status).toBe(200);
});

test('a definition is tried on what was used, and nothing is changed by it', async () => {
  past = Array.from({ length: 30 }, (_, index) => ({
    atMs: found.clock.now() - 60_000 + index * 1_000,
    lastedMs: 10,
    place: { targetId: 'main', workspace: '', userId: index % 3 === 0 ? 'anna' : 'bert', keyId: 'k' },
    amounts: { requests: 1 },
  }));
  const body = {
    quota_id: 'try',
    name: 'T',
    resource_type: 'requests',
    limit: 12,
    period: 'hour',
    action: 'block',
    per: ['user'],
  };
  const tried = (await call('POST', '/replay', body)).body;
  expect(tried).toMatchObject({ uses: 30, over: 8, greatest: 12 });
  expect(tried.buckets).toEqual([
    { bucket: 'user=bert', uses: 20, over: 8, greatest: 12 },
    { bucket: 'user=anna', uses: 10, over: 0, greatest: 10 },
  ]);
  expect((await call('GET', '/try')).status).toBe(404);
});
