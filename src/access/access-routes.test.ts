import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import {
  createHttpServer,
  decideAccess,
  type HttpServer,
  listen,
  listenPlain,
  type Role,
} from '../platform/http/index.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { silentLogger } from '../platform/logging.ts';
import { mostTold } from './attempts.ts';
import { type Access, accessRoutes, createAccess, createAccessExpiry, localTokenFile } from './index.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let dataDir: string;
const http = createHttpClient();
const ends: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock(Date.UTC(2026, 4, 1));
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  dataDir = await mkdtemp(join(tmpdir(), 'ragwarden-access-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await state.remove();
  await rm(dataDir, { recursive: true });
});

type Warden = { app: HttpServer; access: Access; admin: string };

/** The access slice behind the real server, with one route of each class beside its own. */
async function warden(options: { adminToken?: string | undefined; trustedProxies?: string[] } = {}): Promise<Warden> {
  const adminToken = 'adminToken' in options ? options.adminToken : 'configured-admin-token';
  const access = createAccess({ db: state.db, clock, log: silentLogger, events, dataDir, adminToken, http });
  const { created } = await access.open();
  const app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: (request) => access.authenticate(request),
    allowedHosts: () => ['ops.example.com'],
    trustedProxies: options.trustedProxies ?? [],
  });
  ends.push(async () => {
    await app.close();
    await access.close();
  });
  app.register(accessRoutes({ access, now: () => clock.now() }));
  for (const entry of ['public', 'user', 'service', 'scrape', 'admin'] as const)
    app.route({
      method: ['GET', 'POST'],
      url: `/only/${entry}`,
      config: { access: entry },
      handler: async (request) => ({ who: request.principal ?? null }),
    });
  await app.ready();
  return { app, access, admin: created ?? adminToken ?? '' };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const statusOf = async (app: HttpServer, headers: Record<string, string>, url = '/only/admin') =>
  (await app.inject({ url, headers })).statusCode;

const statusOfPost = async (app: HttpServer, headers: Record<string, string>): Promise<number> =>
  (await app.inject({ method: 'POST', url: '/only/admin', headers })).statusCode;

async function tokenFor(access: Access, role: Role, expiresMs?: number): Promise<{ secret: string; id: string }> {
  const made = await access.createToken('local:admin', { name: role, role, workspaces: ['w1'], label: '', expiresMs });
  return { secret: made.secret, id: made.token.id };
}

async function login(app: HttpServer, payload: object, headers: Record<string, string> = {}) {
  const answer = await app.inject({ method: 'POST', url: '/api/v1/access/login', payload, headers });
  const cookie = String(answer.headers['set-cookie'] ?? '').split(';', 1)[0] ?? '';
  return {
    status: answer.statusCode,
    body: answer.json(),
    cookie,
    setCookie: String(answer.headers['set-cookie'] ?? ''),
  };
}

test('every kind of credential opens exactly the doors of its role', async () => {
  const { app, access, admin } = await warden();
  const expired = await tokenFor(access, 'admin', clock.now() + 1_000);
  const revoked = await tokenFor(access, 'admin');
  await access.revokeToken('local:admin', revoked.id);
  const linked = await login(app, {
    code: (await access.createLoginLink('local:admin', { subject: 'local:admin', role: 'admin', workspaces: 'all' }))
      .code,
  });
  const userToken = (await tokenFor(access, 'user')).secret;
  const userSession = await login(app, { token: userToken });
  await clock.advance(1_000);
  const local = readFileSync(localTokenFile(dataDir), 'utf8').trim();
  const all = { public: 200, user: 200, service: 200, scrape: 200, admin: 200 };
  const none = { public: 200, user: 401, service: 401, scrape: 401, admin: 401 };
  const userDoors = { public: 200, user: 200, service: 403, scrape: 403, admin: 403 };
  const table: [string, Record<string, string>, Record<string, number>][] = [
    ['nothing', {}, none],
    ['configured admin token', bearer(admin), all],
    ['configured admin token as key', { 'x-api-key': admin }, all],
    ['local token', bearer(local), all],
    ['admin session', { cookie: linked.cookie }, all],
    ['user token', bearer(userToken), userDoors],
    ['user session', { cookie: userSession.cookie }, userDoors],
    [
      'service token',
      bearer((await tokenFor(access, 'service')).secret),
      { public: 200, user: 403, service: 200, scrape: 200, admin: 403 },
    ],
    [
      'scrape token',
      bearer((await tokenFor(access, 'scrape')).secret),
      { public: 200, user: 403, service: 403, scrape: 200, admin: 403 },
    ],
    ['expired token', bearer(expired.secret), none],
    ['revoked token', bearer(revoked.secret), none],
    ['forged token', bearer(`rw_admin_${'A'.repeat(43)}`), none],
    ['empty key', { 'x-api-key': '' }, none],
    ['basic credentials', { authorization: 'Basic YWRtaW46YWRtaW4=' }, none],
    ['the hash instead of the token', bearer('0'.repeat(64)), none],
    ['forged session', { cookie: `rw_session=${'A'.repeat(43)}` }, none],
    ['strange cookie', { cookie: 'rw_session=%00; other=1' }, none],
    ['wrong token beside a good session', { ...bearer('rw_user_x'), cookie: linked.cookie }, none],
  ];
  for (const [name, headers, expected] of table) {
    const seen: Record<string, number> = {};
    for (const door of Object.keys(expected)) seen[door] = await statusOf(app, headers, `/only/${door}`);
    // Forged tokens are throttled in the end; that too keeps the door shut.
    expect([
      name,
      Object.fromEntries(Object.entries(seen).map(([door, status]) => [door, status === 429 ? 401 : status])),
    ]).toEqual([name, expected]);
  }
});

test('a principal carries subject, role, workspaces and where it came from', async () => {
  const { app, access } = await warden();
  const { secret } = await tokenFor(access, 'user');
  expect((await app.inject({ url: '/only/user', headers: bearer(secret) })).json()).toEqual({
    who: { subject: 'local:user', role: 'user', workspaces: ['w1'], via: 'token' },
  });
});

test('every route of the slice has its class', async () => {
  const { app } = await warden();
  expect(
    app.routeTable
      .filter((route) => route.url.startsWith('/api/'))
      .map((route) => `${route.method} ${route.url} ${route.access}`),
  ).toEqual([
    'POST /api/v1/access/login public',
    'GET /api/v1/access/session user',
    'POST /api/v1/access/logout user',
    'POST /api/v1/access/login-links admin',
    'GET /api/v1/access/tokens admin',
    'POST /api/v1/access/tokens admin',
    'POST /api/v1/access/tokens/:id/rotate admin',
    'DELETE /api/v1/access/sessions user',
    'DELETE /api/v1/access/tokens/:id admin',
  ]);
});

test('the first start makes one admin token, and only a hash of it stays', async () => {
  const first = await warden({ adminToken: undefined });
  expect(first.admin).toMatch(/^rw_admin_[A-Za-z0-9_-]{43}$/);
  expect(await statusOf(first.app, bearer(first.admin))).toBe(200);
  await first.access.close();
  const second = await warden({ adminToken: undefined });
  expect(second.admin).toBe('');
  expect(await statusOf(second.app, bearer(first.admin))).toBe(200);
  expect((await state.everything()).includes(first.admin)).toBe(false);
});

test('a configured admin token takes the place of the first one, and another value ends it and its sessions', async () => {
  const first = await warden({ adminToken: undefined });
  const second = await warden({ adminToken: 'the-second-admin-token' });
  expect(await statusOf(second.app, bearer(first.admin))).toBe(401);
  const { cookie } = await login(second.app, { token: 'the-second-admin-token' });
  expect(await statusOf(second.app, { cookie })).toBe(200);
  const third = await warden({ adminToken: 'the-third-admin-token' });
  expect(await statusOf(third.app, bearer('the-second-admin-token'))).toBe(401);
  expect(await statusOf(third.app, { cookie })).toBe(401);
});

test('the local token is a private file, new at each start and gone after the stop', async () => {
  const { access, app } = await warden();
  const path = localTokenFile(dataDir);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const before = readFileSync(path, 'utf8').trim();
  expect((await app.inject({ url: '/only/admin', headers: bearer(before) })).json().who.via).toBe('local');
  const again = await warden();
  expect(readFileSync(path, 'utf8').trim()).not.toBe(before);
  expect(await statusOf(again.app, bearer(before))).toBe(401);
  await again.access.close();
  await again.access.close();
  await access.close();
  expect(await readdir(dataDir)).toEqual([]);
});

test('a login link opens one session, once, within ten minutes', async () => {
  const { app, admin } = await warden();
  const link = async () =>
    (await app.inject({ method: 'POST', url: '/api/v1/access/login-links', headers: bearer(admin) })).json();
  const { code, path, expires_at } = await link();
  expect([path, expires_at]).toEqual([`/#login=${code}`, '2026-05-01T00:10:00.000Z']);
  const attempts = await Promise.all([login(app, { code }), login(app, { code }), login(app, { code })]);
  expect(attempts.map((attempt) => attempt.status).sort()).toEqual([200, 401, 401]);
  expect(attempts.find((attempt) => attempt.status === 401)?.body.code).toBe('access/login-used');
  const late = await link();
  await clock.advance(10 * 60_000);
  expect((await login(app, { code: late.code })).status).toBe(401);
});

test('a session cookie is kept from scripts and other sites, and bound to the host under TLS', async () => {
  const { app, admin } = await warden({ trustedProxies: ['127.0.0.1'] });
  const plain = await login(app, { token: admin });
  expect(plain.setCookie).toMatch(/^rw_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/);
  const tls = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'ops.example.com' };
  const secure = await login(app, { token: admin }, tls);
  expect(secure.setCookie).toMatch(
    /^__Host-rw_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/,
  );
  expect(await statusOf(app, { cookie: secure.cookie, ...tls })).toBe(200);
  expect(await statusOf(app, { cookie: plain.cookie, ...tls })).toBe(401);
});

test('a session says who it is, ends at logout, and after half a day', async () => {
  const { app, admin } = await warden();
  const { cookie, body } = await login(app, { token: admin });
  const session = () => app.inject({ url: '/api/v1/access/session', headers: { cookie } });
  expect((await session()).json()).toEqual({ ...body, expires_at: '2026-05-01T12:00:00.000Z' });
  expect(body).toMatchObject({ subject: 'local:admin', role: 'admin', workspaces: 'all', via: 'session' });
  const headers = { cookie, origin: 'http://localhost:80', 'x-csrf-token': body.csrf_token };
  const out = await app.inject({ method: 'POST', url: '/api/v1/access/logout', headers });
  expect([out.statusCode, out.headers['set-cookie']]).toEqual([204, expect.stringContaining('Max-Age=0')]);
  expect((await session()).statusCode).toBe(401);
  const other = await login(app, { token: admin });
  await clock.advance(12 * 3_600_000);
  expect(await statusOf(app, { cookie: other.cookie })).toBe(401);
  expect((await app.inject({ url: '/api/v1/access/session', headers: bearer(admin) })).json()).toMatchObject({
    via: 'token',
    csrf_token: null,
    expires_at: null,
  });
});

test('a session may change something only from an own page with the session’s own token', async () => {
  const { app, admin } = await warden();
  const { cookie, body } = await login(app, { token: admin });
  const other = await login(app, { token: admin });
  const own = { cookie, origin: 'http://localhost', 'x-csrf-token': body.csrf_token };
  const post = async (headers: Record<string, string>) => {
    const answer = await app.inject({ method: 'POST', url: '/only/admin', headers });
    return answer.statusCode === 200 ? 200 : answer.json().code;
  };
  expect(await post(own)).toBe(200);
  expect(await post({ cookie })).toBe('access/csrf');
  expect(await post({ ...own, origin: 'https://evil.example' })).toBe('access/csrf');
  expect(await post({ ...own, origin: 'null' })).toBe('access/csrf');
  expect(await post({ ...own, 'x-csrf-token': other.body.csrf_token })).toBe('access/csrf');
  expect(await post({ ...own, host: 'rebound.example', origin: 'http://rebound.example' })).toBe('request/misdirected');
  expect(await post(bearer(admin))).toBe(200);
  expect((await login(app, { token: admin }, { origin: 'https://evil.example' })).body.code).toBe('access/csrf');
});

test('a session ends with the token it came from', async () => {
  const { app, access, admin } = await warden();
  const made = await tokenFor(access, 'user', clock.now() + 60_000);
  const { cookie, body } = await login(app, { token: made.secret });
  expect(body.expires_at).toBe('2026-05-01T00:01:00.000Z');
  expect(await statusOf(app, { cookie }, '/only/user')).toBe(200);
  const gone = await app.inject({ method: 'DELETE', url: `/api/v1/access/tokens/${made.id}`, headers: bearer(admin) });
  expect(gone.statusCode).toBe(204);
  expect(await statusOf(app, { cookie }, '/only/user')).toBe(401);
});

test('programs’ tokens open no dashboard', async () => {
  const { app, access } = await warden();
  for (const role of ['service', 'scrape'] as const)
    expect((await login(app, { token: (await tokenFor(access, role)).secret })).body.code).toBe('access/forbidden');
});

test('a token is made, shown once, listed without its secret and revoked', async () => {
  const { app, admin } = await warden();
  const headers = bearer(admin);
  const make = (payload: object) => app.inject({ method: 'POST', url: '/api/v1/access/tokens', headers, payload });
  const made = await make({ name: 'ci', role: 'service', label: 'pipeline', expires_at: '2026-06-01T00:00:00+02:00' });
  expect(made.statusCode).toBe(201);
  const { token, ...rest } = made.json();
  expect(rest).toMatchObject({
    subject: 'local:ci',
    role: 'service',
    workspaces: 'all',
    state: 'active',
    expires_at: '2026-05-31T22:00:00.000Z',
  });
  expect(await statusOf(app, bearer(token), '/only/service')).toBe(200);
  await clock.advance(1);
  await make({ name: 'second', role: 'user' });
  const page = (await app.inject({ url: '/api/v1/access/tokens?limit=1', headers })).json();
  expect(page.items.map((item: { subject: string }) => item.subject)).toEqual(['local:second']);
  const next = await app.inject({ url: `/api/v1/access/tokens?limit=1&cursor=${page.next_cursor}`, headers });
  expect(next.json()).toEqual({ items: [{ ...rest, last_used_at: '2026-05-01T00:00:00.000Z' }], next_cursor: null });
  expect(next.body).not.toContain(token);
  const remove = () => app.inject({ method: 'DELETE', url: `/api/v1/access/tokens/${rest.id}`, headers });
  expect([(await remove()).statusCode, (await remove()).statusCode]).toEqual([204, 204]);
  expect(await statusOf(app, bearer(token), '/only/service')).toBe(401);
  const removeOther = async (id: string) =>
    (await app.inject({ method: 'DELETE', url: `/api/v1/access/tokens/${id}`, headers })).statusCode;
  expect(await removeOther('tok_none')).toBe(404);
  for (const id of ['..%2f..%2fetc', '%00', 'x'.repeat(10_000)])
    expect([id.slice(0, 20), await removeOther(id)]).toEqual([id.slice(0, 20), 422]);
});

test.each([
  [{}],
  [{ name: 'a', role: 'root' }],
  [{ name: '../a', role: 'user' }],
  [{ name: 'local:a', role: 'user' }],
  [{ name: 'a', role: 'user', workspaces: 'some' }],
  [{ name: 'a', role: 'user', expires_at: 'tomorrow' }],
  [{ name: 'a', role: 'user', expires_at: '2020-01-01T00:00:00Z' }],
  [{ name: 'a', role: 'user', surplus: 1 }],
  [{ name: 'a', role: 'user', label: 'a\0b' }],
  [{ name: 'a', role: 'user', workspaces: ['a\u0085b'] }],
])('a token like %j is refused and nothing is made', async (payload) => {
  const { app, admin, access } = await warden();
  const answer = await app.inject({ method: 'POST', url: '/api/v1/access/tokens', headers: bearer(admin), payload });
  expect(answer.statusCode).toBe(422);
  expect(answer.json().errors.length).toBeGreaterThan(0);
  expect(await access.listTokens({ limit: 10 })).toEqual([]);
});

test.each([[{}], [{ code: 'a', token: 'b' }], [{ code: '' }], [{ code: 7 }], ['text']])(
  'a login with %j is refused as such',
  async (payload) => {
    const { app } = await warden();
    const headers = { 'content-type': 'application/json' };
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/access/login',
      headers,
      payload: JSON.stringify(payload),
    });
    expect(answer.statusCode).toBe(422);
  },
);

test('who made, used and revoked what stands in the trail, without any secret', async () => {
  const { app, access, admin } = await warden();
  const made = await tokenFor(access, 'user');
  await login(app, { token: made.secret });
  await login(app, { token: 'rw_user_wrong' });
  await access.revokeToken('local:admin', made.id);
  const trail = await events.listAudit({ limit: 100 });
  expect(trail.map((entry) => `${entry.actor} ${entry.action} ${entry.outcome}`).sort()).toEqual([
    '127.0.0.1 access.login refused',
    'local:admin access.create-token done',
    'local:admin access.revoke-token done',
    'local:user access.login done',
  ]);
  const told = await events.list({ limit: 100, order: 'oldest-first' });
  expect(told.map((event) => event.type)).toEqual(['access.token-created', 'access.login', 'access.token-revoked']);
  expect(JSON.stringify([trail, told])).not.toMatch(new RegExp(`${made.secret}|${admin}|rw_user_wrong`));
});

test('ten thousand failed logins are held up, cost no memory or rows, and hold up nobody else', async () => {
  const { app, access, admin } = await warden();
  const { port } = await listen(app, { host: '127.0.0.1', port: 0, setting: 'RAGWARDEN_PORT', name: 'the API' });
  const statuses = new Map<number, number>();
  const attempt = async (i: number) => {
    const payload = i % 2 === 0 ? { token: `rw_admin_${i}` } : { code: `guess-${i}` };
    const { status } = await login(app, payload);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  for (let i = 0; i < 10_000; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, k) => attempt(i + k)));
    await turn();
  }
  expect(Object.fromEntries(statuses)).toEqual({ 401: 10, 429: 9_990 });
  expect(await events.listAudit({ limit: 100 })).toHaveLength(11);
  expect((await events.list({ limit: 100 })).map((event) => event.type)).toEqual(['access.throttled']);
  // The same address with a right token; a login from elsewhere; the login here when the window is over.
  const answer = await fetch(`http://127.0.0.1:${port}/only/admin`, { headers: bearer(admin) });
  expect(answer.status).toBe(200);
  const blocked = await app.inject({ method: 'POST', url: '/api/v1/access/login', payload: { token: admin } });
  expect([blocked.statusCode, blocked.headers['retry-after']]).toEqual([429, '300']);
  const elsewhere = await app.inject({
    method: 'POST',
    url: '/api/v1/access/login',
    payload: { token: admin },
    remoteAddress: '203.0.113.9',
  });
  expect(elsewhere.statusCode).toBe(200);
  await clock.advance(5 * 60_000);
  expect((await login(app, { token: admin })).status).toBe(200);
  expect(await access.listTokens({ limit: 10 })).toEqual([]);
});

test('a thousand wrong tokens and forged JWTs are held up, told once, and hold up no right one', async () => {
  const { app, admin } = await warden();
  const statuses = new Map<number, number>();
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (let i = 0; i < 1_000; i += 1) {
    const token = i % 2 ? `rw_admin_${i}` : `${part({ alg: 'none' })}.${part({ sub: `${i}` })}.`;
    const status = await statusOf(app, i % 3 ? bearer(token) : { 'x-api-key': token });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (i % 100 === 0) await turn();
  }
  expect(Object.fromEntries(statuses)).toEqual({ 401: 10, 429: 990 });
  expect(await events.listAudit({ limit: 10 })).toHaveLength(1);
  expect((await events.list({ limit: 10 })).map((event) => event.type)).toEqual(['access.throttled']);
  expect(await statusOf(app, bearer(admin))).toBe(200);
});

test('a crowd of addresses that guesses fills neither the trail nor the event log', async () => {
  const { app } = await warden();
  for (let i = 0; i < 2 * mostTold; i += 1) {
    const remoteAddress = `203.0.${Math.floor(i / 100)}.${i % 100}`;
    await app.inject({ method: 'POST', url: '/api/v1/access/login', payload: { token: 'rw_no' }, remoteAddress });
  }
  expect(await events.listAudit({ limit: 500 })).toHaveLength(mostTold - 1);
  expect((await events.list({ limit: 10 })).map((event) => event.data.what)).toEqual(['many']);
  await clock.advance(5 * 60_000);
  await login(app, { token: 'rw_no' });
  expect(await events.listAudit({ limit: 500 })).toHaveLength(mostTold);
});

test('behind a proxy the address that the proxy saw counts, whatever was written before it', async () => {
  const { app } = await warden({ trustedProxies: ['127.0.0.1'] });
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1)
    statuses.push(
      await statusOf(app, { ...bearer('rw_admin_no'), 'x-forwarded-for': `203.0.113.${i}, 127.0.0.1, 198.51.100.7` }),
    );
  expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
  const other = { ...bearer('rw_admin_no'), 'x-forwarded-for': '198.51.100.7, 198.51.100.8' };
  expect(await statusOf(app, other)).toBe(401);
});

test.each([
  ['another port of this host', { origin: 'http://localhost:8711' }],
  ['a name below', { origin: 'http://evil.localhost:8710' }],
  ['a sandboxed frame', { origin: 'null' }],
  ['nowhere', {}],
  ['an own page and another one', { origin: 'http://localhost:8710, https://evil.example' }],
  ['an own page without the token', { origin: 'http://localhost:8710', 'x-csrf-token': '' }],
  ['a name that was rebound', { origin: 'http://rebound.example:8710', host: 'rebound.example:8710' }],
] as const)('a cookie that comes with a change from %s changes nothing', async (_name, given) => {
  const { app, access, admin } = await warden();
  const { cookie, body } = await login(app, { token: admin });
  const answer = await app.inject({
    method: 'POST',
    url: '/api/v1/access/tokens',
    headers: { cookie, host: 'localhost:8710', 'x-csrf-token': body.csrf_token, ...given },
    payload: { name: 'planted', role: 'admin' },
  });
  expect([403, 421]).toContain(answer.statusCode);
  expect(await access.listTokens({ limit: 10 })).toEqual([]);
});

test('a cookie without the prefix opens nothing under TLS, so that a neighbour’s page cannot plant one', async () => {
  const { app, admin } = await warden({ trustedProxies: ['127.0.0.1'] });
  const { cookie } = await login(app, { token: admin });
  const tls = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'ops.example.com' };
  expect(await statusOf(app, { cookie, ...tls })).toBe(401);
  expect(await statusOf(app, { cookie: `__Host-${cookie}` })).toBe(401);
  expect(await statusOf(app, { cookie: `__Host-${cookie}`, ...tls })).toBe(200);
  // A page of this name without TLS is somebody else's, whoever is in between.
  const { cookie: own, body } = await login(app, { token: admin }, tls);
  const change = (origin: string) =>
    statusOfPost(app, { cookie: own, ...tls, origin, 'x-csrf-token': body.csrf_token });
  expect([await change('http://ops.example.com'), await change('https://ops.example.com')]).toEqual([403, 200]);
  // Only a proxy that is trusted may say that it was TLS.
  const direct = await warden();
  const plain = await login(direct.app, { token: direct.admin }, { 'x-forwarded-proto': 'https' });
  expect(plain.setCookie).not.toContain('Secure');
});

test('wrong tokens are throttled by the address of the socket, whatever X-Forwarded-For says', async () => {
  const { app, admin } = await warden();
  const attempt = (i: number) => statusOf(app, { ...bearer('rw_admin_no'), 'x-forwarded-for': `203.0.113.${i}` });
  for (let i = 0; i < 10; i += 1) expect(await attempt(i)).toBe(401);
  expect(await attempt(11)).toBe(429);
  expect(await statusOf(app, bearer(admin))).toBe(200);
  const behind = await warden({ trustedProxies: ['127.0.0.1'] });
  for (let i = 0; i < 12; i += 1)
    expect(await statusOf(behind.app, { ...bearer('rw_admin_no'), 'x-forwarded-for': `203.0.113.${i}` })).toBe(401);
});

test('a listener without sessions asks for a token of its class', async () => {
  const { access } = await warden();
  const listener = await listenPlain({
    host: '127.0.0.1',
    port: 0,
    setting: 'LIGHTRAG_METRICS_PORT',
    name: 'metrics',
    log: silentLogger,
    async handler(request, response) {
      const principal = await access.authenticateHeaders(request.headers, request.socket.remoteAddress ?? '');
      if (decideAccess('scrape', principal) !== 'allowed')
        throw new AppError('access/unauthenticated', 'Send a scrape token.');
      response.end('up 1\n');
    },
  });
  ends.push(() => listener.close());
  const { secret } = await tokenFor(access, 'scrape');
  expect((await fetch(listener.url, { headers: bearer(secret) })).status).toBe(200);
  const refused = await fetch(listener.url);
  expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="ragwarden"']);
  expect((await fetch(listener.url, { headers: bearer('rw_scrape_no') })).status).toBe(401);
});

test('what ended long ago is removed, what lives stays', async () => {
  const { app, access, admin } = await warden();
  await tokenFor(access, 'user', clock.now() + 1_000);
  const living = await tokenFor(access, 'user');
  await access.createLoginLink('local:admin', { subject: 'local:admin', role: 'admin', workspaces: 'all' });
  await login(app, { token: admin });
  const job = createAccessExpiry({ access, clock, log: silentLogger });
  await job.runOnce();
  expect(await access.removeEnded(100)).toBe(0);
  await clock.advance(2 * 24 * 3_600_000);
  expect(await access.removeEnded(1)).toBe(2);
  await clock.advance(90 * 24 * 3_600_000);
  await job.runOnce();
  expect(job.state().lastError).toBeNull();
  expect((await access.listTokens({ limit: 10 })).map((token) => token.id)).toEqual([living.id]);
  await job.stop?.();
});
