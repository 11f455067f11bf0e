import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog, eventRoutes } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, listen } from '../platform/http/index.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { silentLogger } from '../platform/logging.ts';
import { isExpiryNear } from './access.ts';
import { type Access, accessRoutes, createAccess, createAccessExpiry, createTokenUseJob } from './index.ts';

const adminToken = 'configured-admin-token';
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const http = createHttpClient();
let state: TestState;
let clock: FakeClock;
let events: EventLog;
let dataDir: string;
let access: Access;
let app: HttpServer;

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock(Date.UTC(2026, 4, 1));
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  dataDir = await mkdtemp(join(tmpdir(), 'ragwarden-tokens-'));
  access = createAccess({ db: state.db, clock, log: silentLogger, events, dataDir, adminToken, http });
  await access.open();
  app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: (request) => access.authenticate(request),
    allowedHosts: () => [],
  });
  access.onEnded(() => app.recheckStreams());
  app.register(accessRoutes({ access, now: () => clock.now() }));
  app.register(
    eventRoutes({
      events,
      recorder: events,
      ...{ db: state.db, clock, log: silentLogger, enabled: true },
      requireTarget: () => undefined,
      anchors: async () => [],
    }),
  );
  app.get('/who', { config: { access: 'user' } }, async (request) => ({ who: request.principal }));
  await app.ready();
});
afterEach(async () => {
  await app.close();
  await access.close();
  await state.remove();
  await rm(dataDir, { recursive: true });
});
afterAll(() => http.close());

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const asAdmin = async (method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object) => {
  const answer = await app.inject({
    method,
    url: `/api/v1/access/${path}`,
    headers: bearer(adminToken),
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
};
const make = async (more: object = {}): Promise<{ id: string; token: string }> =>
  (await asAdmin('POST', 'tokens', { name: 'alice', role: 'user', workspaces: ['w1'], ...more })).body;
const who = async (headers: Record<string, string>) => {
  const answer = await app.inject({ url: '/who', headers });
  return answer.statusCode === 200 ? answer.json().who : answer.statusCode;
};
const logIn = async (credentials: object): Promise<{ cookie: string; csrf_token: string }> => {
  const answer = await app.inject({ method: 'POST', url: '/api/v1/access/login', payload: credentials });
  return { ...answer.json(), cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '' };
};

test('a rotated token has a new secret under the same id, and the old one ends at once', async () => {
  const made = await make();
  const session = await logIn({ token: made.token });
  await clock.advance(1_000);
  const { status, body } = await asAdmin('POST', `tokens/${made.id}/rotate`);
  expect([status, body.id, body.rotated_at, body.previous_secret_until]).toEqual([
    200,
    made.id,
    '2026-05-01T00:00:01.000Z',
    null,
  ]);
  expect(body.token).toMatch(/^rw_user_[\w-]{43}$/);
  expect(await who(bearer(made.token))).toBe(401);
  // Whoever had the old secret may have logged in with it.
  expect(await who({ cookie: session.cookie })).toBe(401);
  expect(await who(bearer(body.token))).toMatchObject({ subject: 'local:alice', workspaces: ['w1'] });
  const trail = await events.listAudit({ limit: 1, action: 'access.rotate-token' });
  expect(trail).toMatchObject([{ actor: 'local:admin', object: made.id, outcome: 'done', data: { grace_seconds: 0 } }]);
  const told = JSON.stringify([trail, await events.list({ limit: 10 })]);
  for (const secret of [made.token, body.token]) expect(told).not.toContain(secret);
});

test('with a grace period both secrets are good until it is over, and its sessions end with it', async () => {
  const made = await make();
  const before = await logIn({ token: made.token });
  const rotated = (await asAdmin('POST', `tokens/${made.id}/rotate`, { grace_seconds: 3_600 })).body;
  expect(rotated.previous_secret_until).toBe('2026-05-01T01:00:00.000Z');
  const during = await logIn({ token: made.token });
  const after = await logIn({ token: rotated.token });
  for (const cookie of [before.cookie, during.cookie, after.cookie])
    expect(await who({ cookie })).toMatchObject({ role: 'user' });
  await clock.advance(hourMs - 1);
  expect(await who(bearer(made.token))).toMatchObject({ via: 'token' });
  await clock.advance(1);
  expect(await who(bearer(made.token))).toBe(401);
  expect([await who({ cookie: before.cookie }), await who({ cookie: during.cookie })]).toEqual([401, 401]);
  expect(await who({ cookie: after.cookie })).toMatchObject({ role: 'user' });
  expect(await who(bearer(rotated.token))).toMatchObject({ via: 'token' });
});

test('a second rotation ends the secret from before the first, whatever its grace period was', async () => {
  const made = await make();
  const first = (await asAdmin('POST', `tokens/${made.id}/rotate`, { grace_seconds: 604_800 })).body;
  const second = (await asAdmin('POST', `tokens/${made.id}/rotate`, { grace_seconds: 60 })).body;
  expect([await who(bearer(made.token)), typeof (await who(bearer(first.token)))]).toEqual([401, 'object']);
  await access.revokeToken('local:admin', made.id);
  expect([await who(bearer(first.token)), await who(bearer(second.token))]).toEqual([401, 401]);
});

test('a rotation may give the token a new end, and ended tokens cannot be rotated', async () => {
  const made = await make({ expires_at: '2026-05-02T00:00:00Z' });
  const rotate = (id: string, payload: object) => asAdmin('POST', `tokens/${id}/rotate`, payload);
  expect((await rotate(made.id, {})).body.expires_at).toBe('2026-05-02T00:00:00.000Z');
  expect((await rotate(made.id, { expires_at: '2026-06-01T00:00:00Z' })).body.expires_at).toBe(
    '2026-06-01T00:00:00.000Z',
  );
  for (const bad of [
    { grace_seconds: -1 },
    { grace_seconds: 604_801 },
    { grace_seconds: 1.5 },
    { expires_at: '2020-01-01T00:00:00Z' },
    { x: 1 },
  ])
    expect([bad, (await rotate(made.id, bad)).status]).toEqual([bad, 422]);
  expect((await rotate('tok_none', {})).status).toBe(404);
  await clock.advance(40 * dayMs);
  expect((await rotate(made.id, {})).body.code).toBe('conflict/state');
  const revoked = await make();
  await access.revokeToken('local:admin', revoked.id);
  expect((await rotate(revoked.id, {})).body.code).toBe('conflict/state');
});

test('when a token was last used is shown at once, in minutes, and written down now and then', async () => {
  const made = await make();
  const lastUsed = async () => (await asAdmin('GET', 'tokens')).body.items[0].last_used_at;
  expect(await lastUsed()).toBeNull();
  await clock.advance(90_500);
  await who(bearer(made.token));
  expect(await lastUsed()).toBe('2026-05-01T00:01:00.000Z');
  const stored = async () => {
    const other = createAccess({ db: state.db, clock, log: silentLogger, events, dataDir, adminToken, http });
    return (await other.listTokens({ limit: 1 }))[0]?.lastUsedMs;
  };
  expect(await stored()).toBeNull();
  const job = createTokenUseJob({ access, clock, log: silentLogger });
  await job.runOnce();
  expect(await stored()).toBe(Date.UTC(2026, 4, 1, 0, 1));
  await who(bearer('rw_user_unknown'));
  await clock.advance(10 * 60_000);
  await who(bearer(made.token));
  await access.close();
  expect(await stored()).toBe(Date.UTC(2026, 4, 1, 0, 11));
  await job.stop?.();
});

test('the end of a token is told once, some days before, and again after it was put off', async () => {
  const job = createAccessExpiry({ access, clock, log: silentLogger });
  const made = await make({ expires_at: '2026-07-01T00:00:00Z' });
  await make({ name: 'forever' });
  await make({ name: 'short', expires_at: '2026-05-01T20:00:00Z' });
  const told = async () => {
    await job.runOnce();
    return (await events.list({ limit: 10, types: ['access.token-expiring'] })).map((event) => event.data.token_id);
  };
  expect(await told()).toEqual([]);
  await clock.advance(Date.UTC(2026, 5, 24) - clock.now() - 1);
  expect(await told()).toEqual([]);
  await clock.advance(1);
  expect(await told()).toEqual([made.id]);
  await clock.advance(dayMs);
  expect(await told()).toEqual([made.id]);
  await asAdmin('POST', `tokens/${made.id}/rotate`, { expires_at: '2026-08-01T00:00:00Z' });
  expect(await told()).toEqual([made.id]);
  await clock.advance(Date.UTC(2026, 6, 30) - clock.now());
  expect(await told()).toEqual([made.id, made.id]);
  await job.stop?.();
});

test.each([
  ['a year, a week left', 365 * dayMs, 7 * dayMs, true],
  ['a year, more than a week left', 365 * dayMs, 7 * dayMs + 1, false],
  ['eight days, two left', 8 * dayMs, 2 * dayMs, true],
  ['eight days, three left', 8 * dayMs, 3 * dayMs, false],
  ['an hour, a minute left', hourMs, 60_000, false],
  ['ended', 365 * dayMs, 0, false],
])('whether a token for %s is near its end', (_name, lifeMs, leftMs, near) => {
  const token = { createdMs: 0, rotatedMs: null, expiresMs: lifeMs, revokedMs: null };
  expect(isExpiryNear(token, lifeMs - leftMs)).toBe(near);
  expect(isExpiryNear({ ...token, revokedMs: 1 }, lifeMs - leftMs)).toBe(false);
});

test('a login link may be made for a user and carries workspaces; an admin’s cannot', async () => {
  const link = (payload?: object) => asAdmin('POST', 'login-links', payload);
  const made = await link({ role: 'user', name: 'bob', workspaces: ['w1', ''] });
  const session = await logIn({ code: made.body.code });
  expect(session).toMatchObject({ subject: 'local:bob', role: 'user', workspaces: ['w1', ''] });
  expect(await who({ cookie: session.cookie })).toEqual({
    subject: 'local:bob',
    role: 'user',
    workspaces: ['w1', ''],
    via: 'session',
  });
  expect(await logIn({ code: (await link()).body.code })).toMatchObject({
    subject: 'local:admin',
    role: 'admin',
    workspaces: 'all',
  });
  expect(await logIn({ code: (await link({ name: 'ops' })).body.code })).toMatchObject({
    subject: 'local:ops',
    role: 'admin',
  });
  expect(await logIn({ code: (await link({ role: 'user', name: 'eve' })).body.code })).toMatchObject({
    workspaces: [],
  });
  for (const bad of [
    { role: 'user' },
    { role: 'service', name: 'x' },
    { workspaces: ['w1'] },
    { name: 'local:x' },
    { x: 1 },
  ])
    expect([bad, (await link(bad)).status]).toEqual([bad, 422]);
});

test('every session of a subject ends at once, and only an admin ends those of others', async () => {
  const alice = await make();
  const bob = await make({ name: 'bob' });
  const sessions = [
    await logIn({ token: alice.token }),
    await logIn({ token: alice.token }),
    await logIn({ token: bob.token }),
  ];
  const cookies = sessions.map(({ cookie }) => cookie);
  const end = async (token: string, subject?: string) => {
    const url = `/api/v1/access/sessions${subject === undefined ? '' : `?subject=${encodeURIComponent(subject)}`}`;
    const answer = await app.inject({ method: 'DELETE', url, headers: bearer(token) });
    return [answer.statusCode, answer.json().ended ?? answer.json().code];
  };
  const open = async () => (await Promise.all(cookies.map((cookie) => who({ cookie })))).map((one) => one !== 401);
  expect(await end(alice.token, 'local:bob')).toEqual([403, 'access/forbidden']);
  expect(await open()).toEqual([true, true, true]);
  expect(await end(alice.token)).toEqual([200, 2]);
  expect(await open()).toEqual([false, false, true]);
  expect(await end(adminToken, 'local:bob')).toEqual([200, 1]);
  expect(await open()).toEqual([false, false, false]);
  expect(await end(adminToken, 'local:nobody')).toEqual([200, 0]);
  // The token itself goes on: revoking it is another thing.
  expect(await who(bearer(alice.token))).toMatchObject({ via: 'token' });
});

test('an open event stream ends with the token, the session or the role that opened it, and others go on', async () => {
  const { url } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'the API' });
  const follow = async (headers: Record<string, string>) => {
    const abort = new AbortController();
    const answer = await fetch(`${url}/api/v1/events/stream`, { headers, signal: abort.signal });
    const text = answer.text().then(
      // A heartbeat before the end would mean that the end waited for it.
      (all) => (all.includes('heartbeat') ? 'ended late' : 'ended'),
      () => 'cut off',
    );
    return { status: answer.status, text, abort };
  };
  const revoked = await make({ name: 'one', role: 'admin', workspaces: 'all' });
  const rotated = await make({ name: 'two', role: 'admin', workspaces: 'all' });
  const session = await logIn({ token: (await make({ name: 'three', role: 'admin', workspaces: 'all' })).token });
  const streams = {
    revoked: await follow(bearer(revoked.token)),
    rotated: await follow(bearer(rotated.token)),
    session: await follow({ cookie: session.cookie }),
    kept: await follow(bearer(adminToken)),
  };
  expect(Object.values(streams).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  await access.revokeToken('local:admin', revoked.id);
  expect(await streams.revoked.text).toBe('ended');
  await asAdmin('POST', `tokens/${rotated.id}/rotate`);
  expect(await streams.rotated.text).toBe('ended');
  await access.endSessions('local:admin', 'local:three');
  expect(await streams.session.text).toBe('ended');
  expect([app.openStreams.size, app.streamChecks.size]).toEqual([1, 1]);
  streams.kept.abort.abort();
  expect(await streams.kept.text).toBe('cut off');
});

test('a stream whose store cannot be asked stays open: no answer is no verdict', async () => {
  const made = await make({ role: 'admin', workspaces: 'all' });
  const request = { headers: bearer(made.token), ip: '127.0.0.1', routeOptions: { config: { access: 'admin' } } };
  // Only what `stillAllowed` reads of a request.
  const ask = () => app.stillAllowed(request as never);
  expect(await ask()).toBe(true);
  await state.db.close();
  expect(await ask()).toBe(true);
  await state.reopen();
});
