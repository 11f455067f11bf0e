import { createHmac, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportSPKI, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer } from '../platform/http/index.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { silentLogger } from '../platform/logging.ts';
import { accessRoutes, createAccess } from './index.ts';
import { issuerKeyTimes } from './issuer-keys.ts';
import type { JwtSettings } from './jwt.ts';
import { startTestIssuer, type TestIssuer } from './test-issuer.ts';

const secret = 'a-shared-secret-that-is-long-enough-for-every-algorithm-that-is-not-taken';
const startMs = Date.UTC(2026, 4, 1);
let clock: FakeClock = createFakeClock(startMs);
let issuer: TestIssuer;
let state: TestState;
let events: EventLog;
let dataDir: string;
const http = createHttpClient();
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  issuer = await startTestIssuer({ nowMs: () => clock.now() });
  await issuer.addKey('second', 'ES256');
});
afterAll(async () => {
  await issuer.stop();
  await http.close();
});
beforeEach(async () => {
  clock = createFakeClock(startMs);
  state = await openTestState();
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  dataDir = await mkdtemp(join(tmpdir(), 'ragwarden-jwt-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  issuer.answerWith(undefined);
  await issuer.start();
  await state.remove();
  await rm(dataDir, { recursive: true });
});

const byKeySet = (): JwtSettings => ({
  key: { kind: 'jwks', url: issuer.url() },
  issuer: issuer.issuer,
  audience: issuer.audience,
  workspacesClaim: 'https://ragwarden.example/workspaces',
});
const bySecret: JwtSettings = {
  key: { kind: 'secret', secret },
  issuer: undefined,
  audience: undefined,
  workspacesClaim: undefined,
};

async function serve(jwt: JwtSettings, adminUserIds: readonly string[] = ['auth0|root']): Promise<HttpServer> {
  const adminToken = 'configured-admin-token';
  const access = createAccess({
    db: state.db,
    clock,
    log: silentLogger,
    events,
    dataDir,
    adminToken,
    jwt,
    adminUserIds,
    http,
  });
  await access.open();
  const app = createHttpServer({
    log: silentLogger,
    clock,
    authenticate: (request) => access.authenticate(request),
    allowedHosts: () => [],
  });
  ends.push(async () => {
    await app.close();
    await access.close();
  });
  app.register(accessRoutes({ access, now: () => clock.now() }));
  for (const entry of ['public', 'user', 'admin'] as const)
    app.route({
      method: ['GET', 'POST'],
      url: `/only/${entry}`,
      config: { access: entry },
      handler: async (request) => ({ who: request.principal ?? null }),
    });
  await app.ready();
  return app;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
async function ask(app: HttpServer, token: string, url = '/only/user', more: Record<string, string> = {}) {
  const answer = await app.inject({ url, headers: { ...bearer(token), ...more } });
  return {
    status: answer.statusCode,
    code: answer.json().code,
    who: answer.json().who,
    headers: answer.headers,
    detail: answer.json().detail,
  };
}
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const nowSeconds = (): number => Math.floor(clock.now() / 1_000);
const goodClaims = (): Record<string, unknown> => ({
  iss: issuer.issuer,
  aud: issuer.audience,
  sub: 'auth0|root',
  exp: nowSeconds() + 600,
});
const bySharedSecret = (claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT({ sub: 'alice', exp: nowSeconds() + 600, ...claims })
    .setProtectedHeader({ alg: 'HS256', ...header })
    .sign(new TextEncoder().encode(secret));

test('a JWT of the issuer is a user, one of ADMIN_USER_IDS an admin, in a namespace of its own', async () => {
  const app = await serve(byKeySet());
  const claim = 'https://ragwarden.example/workspaces';
  const user = await issuer.token({ [claim]: ['w1', 'w2', 7, 'a\0b'], aud: ['other', issuer.audience] });
  expect(await ask(app, user)).toMatchObject({
    status: 200,
    who: { subject: 'jwt:auth0|alice', role: 'user', workspaces: ['w1', 'w2'], via: 'jwt' },
  });
  expect((await ask(app, user, '/only/admin')).status).toBe(403);
  const admin = await issuer.token({ sub: 'auth0|root' }, { kid: 'second' });
  expect(await ask(app, admin, '/only/admin')).toMatchObject({
    status: 200,
    who: { subject: 'jwt:auth0|root', role: 'admin', workspaces: 'all', via: 'jwt' },
  });
  const asKey = await app.inject({ url: '/only/admin', headers: { 'x-api-key': admin } });
  expect(asKey.statusCode).toBe(200);
  expect(issuer.asked()).toBe(1);
});

test('a `sub` that looks like a local name is not that local name', async () => {
  const app = await serve(byKeySet(), ['local:root']);
  const named = await ask(app, await issuer.token({ sub: 'local:admin', workspaces: 'all' }), '/only/user');
  expect(named.who).toMatchObject({ subject: 'jwt:local:admin', role: 'user', workspaces: [] });
  for (const sub of ['local:admin', 'jwt:local:root', 'root', 'local:root '])
    expect((await ask(app, await issuer.token({ sub }), '/only/admin')).status).toBe(403);
  const made = await app.inject({
    method: 'POST',
    url: '/api/v1/access/tokens',
    headers: bearer('configured-admin-token'),
    payload: { name: 'root', role: 'user' },
  });
  // A local subject is in nobody's list, whatever the list says.
  expect((await ask(app, made.json().token, '/only/admin')).status).toBe(403);
});

test('with an empty ADMIN_USER_IDS nobody is an admin by JWT, whatever its `sub`', async () => {
  const app = await serve(byKeySet(), []);
  expect((await ask(app, await issuer.token({ sub: '' }), '/only/admin')).status).toBe(401);
  expect((await ask(app, await issuer.token({ sub: 'jwt:' }), '/only/admin')).status).toBe(403);
});

test('a shared secret takes HS256, with issuer and audience checked where they are set', async () => {
  const app = await serve(bySecret, ['alice']);
  expect(await ask(app, await bySharedSecret(), '/only/admin')).toMatchObject({
    status: 200,
    who: { subject: 'jwt:alice' },
  });
  const strict = await serve({ ...bySecret, issuer: 'https://me.example', audience: 'here' });
  expect((await ask(strict, await bySharedSecret())).status).toBe(401);
  expect((await ask(strict, await bySharedSecret({ iss: 'https://me.example', aud: 'there' }))).status).toBe(401);
  expect((await ask(strict, await bySharedSecret({ iss: 'https://me.example', aud: 'here' }))).status).toBe(200);
});

test.each<[string, (claims: Record<string, unknown>) => Promise<string>, string]>([
  ['expired', (claims) => issuer.token({ ...claims, exp: nowSeconds() - 31 }), 'has expired'],
  ['not valid yet', (claims) => issuer.token({ ...claims, nbf: nowSeconds() + 31 }), 'nbf'],
  ['without an end', (claims) => issuer.token({ ...claims, exp: undefined }), 'exp'],
  ['with an end that is no number', (claims) => issuer.token({ ...claims, exp: 'never' as never }), 'exp'],
  ['of another issuer', (claims) => issuer.token({ ...claims, iss: 'https://issuer.example.evil/' }), 'iss'],
  ['of an issuer without its slash', (claims) => issuer.token({ ...claims, iss: 'https://issuer.example' }), 'iss'],
  ['without an issuer', (claims) => issuer.token({ ...claims, iss: undefined }), 'iss'],
  ['for another audience', (claims) => issuer.token({ ...claims, aud: 'https://other.example' }), 'aud'],
  ['for no audience', (claims) => issuer.token({ ...claims, aud: [] }), 'aud'],
  ['without a subject', (claims) => issuer.token({ ...claims, sub: undefined }), 'sub'],
  ['with a subject that is no text', (claims) => issuer.token({ ...claims, sub: 7 as never }), 'sub'],
  ['with a subject of control characters', (claims) => issuer.token({ ...claims, sub: 'auth0|root\n' }), 'sub'],
])('a genuine JWT %s is refused and says why', async (_name, make, why) => {
  const app = await serve(byKeySet());
  const answer = await ask(app, await make({ sub: 'auth0|root' }));
  expect([answer.status, answer.code]).toEqual([401, 'access/unauthenticated']);
  expect(answer.detail).toContain(why);
  expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
});

test('a JWT whose end or beginning is half a minute off is taken for one of another clock', async () => {
  const app = await serve(byKeySet());
  expect((await ask(app, await issuer.token({ exp: nowSeconds() - 29 }))).status).toBe(200);
  expect((await ask(app, await issuer.token({ nbf: nowSeconds() + 29 }))).status).toBe(200);
});

test('forged JWTs open nothing: no signature, confused algorithms, keys that the token brings along', async () => {
  const app = await serve(byKeySet());
  const genuine = await issuer.token({ sub: 'auth0|root' });
  const [header = '', payload = '', signature = ''] = genuine.split('.');
  const publicKey = await exportSPKI(issuer.keyPair('first').publicKey);
  const other = await startTestIssuer({ nowMs: () => clock.now() });
  ends.push(() => other.stop());
  const jwk = { ...(await crypto.subtle.exportKey('jwk', other.keyPair('first').publicKey)), kid: 'first' };
  const hmac = (head: object, key: string | Buffer): string => {
    const text = `${part(head)}.${part(goodClaims())}`;
    return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
  };
  const unsigned = (head: object): string => `${part(head)}.${part(goodClaims())}.`;
  const theirs = (head: Record<string, unknown>): Promise<string> => other.token(goodClaims(), head);
  const forged: Record<string, string> = {
    'alg none': unsigned({ alg: 'none' }),
    'alg NoNe': unsigned({ alg: 'NoNe' }),
    'alg none with a kid': unsigned({ alg: 'none', kid: 'first' }),
    'no alg': unsigned({ kid: 'first' }),
    'alg as list': unsigned({ alg: ['RS256', 'none'], kid: 'first' }),
    'signature taken away': `${header}.${payload}.`,
    'another payload under the signature': `${header}.${part({ ...goodClaims(), sub: 'auth0|root' })}.${signature}`,
    'another header over the signature': `${part({ alg: 'PS256', kid: 'first' })}.${payload}.${signature}`,
    'HMAC with the public key as PEM': hmac({ alg: 'HS256', kid: 'first' }, publicKey),
    'HMAC with the public key as PEM and a line end': hmac({ alg: 'HS256', kid: 'first' }, publicKey.trim()),
    'HMAC with the public key as JWK': hmac({ alg: 'HS256', kid: 'first' }, JSON.stringify(jwk)),
    'HMAC with an empty key': hmac({ alg: 'HS256', kid: 'first' }, ''),
    'key in the header': await theirs({ jwk }),
    'key set in the header': await theirs({ jku: other.url() }),
    'certificate in the header': await theirs({ x5u: other.url(), x5c: ['MIIB'], x5t: 'x' }),
    'another key under a known name': await theirs({}),
    'kid as path': await (await withKey(other, '../../../../dev/null')).token(goodClaims(), {
      kid: '../../../../dev/null',
    }),
    'kid as URL': await (await withKey(other, other.url())).token(goodClaims(), { kid: other.url() }),
    'kid as SQL': await (await withKey(other, "' or 1=1 --")).token(goodClaims(), { kid: "' or 1=1 --" }),
    'kid as prototype': unsigned({ alg: 'RS256', kid: '__proto__' }),
    'kid as number': unsigned({ alg: 'RS256', kid: 7 }),
    'critical extension': `${part({ alg: 'RS256', kid: 'first', crit: ['exp'], exp: 1 })}.${payload}.${signature}`,
    'payload not encoded': `${part({ alg: 'RS256', kid: 'first', b64: false, crit: ['b64'] })}.${payload}.${signature}`,
    'encrypted form': `${header}.a.b.c.d`,
    'no JSON': `${Buffer.from('{').toString('base64url')}.${payload}.${signature}`,
    'deeply nested': `${Buffer.from('['.repeat(5_000)).toString('base64url')}.${payload}.${signature}`,
    'dots only': '..',
    'as long as may be': `${header}.${'A'.repeat(6_000)}.${signature}`,
    'longer than may be': `${header}.${'A'.repeat(9_000)}.${signature}`,
  };
  const answers: Record<string, string> = {};
  for (const [name, token] of Object.entries(forged)) {
    const { status } = await ask(app, token, '/only/admin');
    // Many of them are held up in the end; that too keeps the door shut.
    answers[name] = status === 401 || status === 429 ? 'shut' : String(status);
  }
  expect(answers).toEqual(Object.fromEntries(Object.keys(forged).map((name) => [name, 'shut'])));
  expect(other.asked()).toBe(0);
  expect((await ask(app, genuine, '/only/admin')).status).toBe(200);
});

async function withKey(at: TestIssuer, kid: string): Promise<TestIssuer> {
  await at.addKey(kid);
  return at;
}

test('a shared secret lets nobody in who signs in another way', async () => {
  const app = await serve(bySecret, ['alice']);
  const claims = { sub: 'alice', exp: nowSeconds() + 600 };
  const key = new TextEncoder().encode(secret);
  const forged = [
    await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(randomBytes(32)),
    await new SignJWT(claims).setProtectedHeader({ alg: 'HS512' }).sign(key),
    await new SignJWT(claims).setProtectedHeader({ alg: 'HS384' }).sign(key),
    await issuer.token(claims),
    `${part({ alg: 'none' })}.${part(claims)}.`,
  ];
  for (const token of forged) expect((await ask(app, token)).status).toBe(401);
  expect((await ask(app, await bySharedSecret(), '/only/admin')).status).toBe(200);
});

test('a JWT that says something twice is refused, and what it says of its role counts for nothing', async () => {
  const app = await serve(bySecret, ['root']);
  const signed = (payload: string, header = '{"alg":"HS256"}'): string => {
    const text = [header, payload].map((json) => Buffer.from(json).toString('base64url')).join('.');
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const exp = nowSeconds() + 600;
  const good = `{"sub":"root","exp":${exp}}`;
  for (const twice of [
    signed(`{"sub":"alice","exp":${exp},"sub":"root"}`),
    signed(`{"sub":"root","exp":${exp},"exp":${exp}}`),
    signed(`{"sub":"root","exp":${exp},"\\u0073ub":"root"}`),
    signed(good, '{"alg":"none","alg":"HS256"}'),
  ])
    expect((await ask(app, twice)).status).toBe(401);
  expect((await ask(app, signed(good), '/only/admin')).status).toBe(200);
  const polluted = await ask(app, signed(`{"sub":"alice","exp":${exp},"__proto__":{"role":"admin"},"role":"admin"}`));
  expect(polluted.who).toMatchObject({ subject: 'jwt:alice', role: 'user', workspaces: [] });
});

test('expired JWTs are no guesses and hold up nobody; forged ones are held up', async () => {
  const app = await serve(byKeySet());
  const expired = await issuer.token({ exp: nowSeconds() - 600 });
  for (let i = 0; i < 20; i += 1) expect((await ask(app, expired)).status).toBe(401);
  const forged = `${expired.slice(0, -8)}AAAAAAAA`;
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1) statuses.push((await ask(app, forged)).status);
  expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
  expect((await ask(app, await issuer.token())).status).toBe(200);
  expect((await events.list({ limit: 10 })).map((event) => event.type)).toEqual(['access.throttled']);
});

test('an issuer that cannot be reached is 503 with Retry-After, and everything else goes on', async () => {
  await issuer.stop();
  const app = await serve(byKeySet());
  const before = issuer.asked();
  const token = await issuer.token({ sub: 'auth0|root' });
  const lost = await ask(app, token);
  expect([lost.status, lost.code, lost.headers['retry-after']]).toEqual([503, 'access/issuer-unreachable', '5']);
  expect((await ask(app, token, '/only/public')).who).toBeNull();
  expect((await ask(app, 'configured-admin-token', '/only/admin')).status).toBe(200);
  const login = await app.inject({ method: 'POST', url: '/api/v1/access/login', payload: { token } });
  expect(login.statusCode).toBe(503);
  await issuer.start();
  // Not asked again at once: the wait that was told is kept here too.
  expect((await ask(app, token)).status).toBe(503);
  expect(issuer.asked()).toBe(before);
  await clock.advance(issuerKeyTimes.cooldownAfterFailure);
  expect((await ask(app, token, '/only/admin')).status).toBe(200);
  const told = await events.list({ limit: 10, order: 'oldest-first' });
  expect(told.map((event) => event.type)).toEqual(['access.issuer-unreachable', 'access.issuer-reachable']);
});

test.each([
  ['an error', { status: 500, body: '{}' }],
  ['a redirect', { status: 302, body: '{}' }],
  ['a page', { status: 200, body: '<html>' }],
  ['something else', { status: 200, body: '{"keys":"none"}' }],
  ['an empty set', { status: 200, body: '{"keys":[]}' }],
  ['a set of shared secrets', { status: 200, body: '{"keys":[{"kty":"oct","k":"AAAA","kid":"first"}]}' }],
  ['far too much', { status: 200, body: `{"keys":[${'1,'.repeat(200_000)}1]}` }],
])('an issuer that answers with %s is not asked for a verdict: 503, and nobody comes in', async (_name, answer) => {
  const app = await serve(byKeySet());
  issuer.answerWith(answer);
  const { status, code } = await ask(app, await issuer.token());
  expect([status, code]).toEqual([503, 'access/issuer-unreachable']);
});

test('known keys stay in use while the issuer is away, for an hour and no longer', async () => {
  const app = await serve(byKeySet());
  const token = async () => issuer.token({ exp: nowSeconds() + 600 });
  expect((await ask(app, await token())).status).toBe(200);
  await issuer.stop();
  await clock.advance(issuerKeyTimes.fresh + 1);
  expect((await ask(app, await token())).status).toBe(200);
  await clock.advance(issuerKeyTimes.maxAge - issuerKeyTimes.fresh - 2);
  expect((await ask(app, await token())).status).toBe(200);
  await clock.advance(1);
  expect((await ask(app, await token())).status).toBe(503);
  await issuer.start();
  await clock.advance(issuerKeyTimes.cooldownAfterFailure);
  expect((await ask(app, await token())).status).toBe(200);
});

test('a key that is not known yet is asked for once, and made-up ones cost the issuer nothing', async () => {
  const app = await serve(byKeySet());
  expect((await ask(app, await issuer.token())).status).toBe(200);
  const before = issuer.asked();
  await issuer.addKey('third');
  ends.push(async () => issuer.removeKey('third'));
  const rotated = await issuer.token({}, { kid: 'third' });
  expect((await ask(app, rotated)).status).toBe(401);
  await clock.advance(issuerKeyTimes.cooldown);
  const answers = await Promise.all([ask(app, rotated), ask(app, rotated), ask(app, rotated)]);
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
  for (let i = 0; i < 30; i += 1) await ask(app, `${part({ alg: 'RS256', kid: `made-up-${i}` })}.e30.AAAA`);
  expect(issuer.asked()).toBe(before + 1);
  issuer.removeKey('third');
  await clock.advance(issuerKeyTimes.maxAge);
  expect((await ask(app, await issuer.token({}, { kid: 'second' }))).status).toBe(200);
  expect((await ask(app, rotated)).status).toBe(401);
});

test('a JWT logs in: the session ends with it, follows ADMIN_USER_IDS and does not outlive the issuer', async () => {
  const app = await serve(byKeySet());
  const claim = 'https://ragwarden.example/workspaces';
  const logIn = async (at: HttpServer, sub: string) => {
    const token = await issuer.token({ sub, [claim]: ['w1'], exp: nowSeconds() + 600 });
    const answer = await at.inject({ method: 'POST', url: '/api/v1/access/login', payload: { token } });
    return {
      ...answer.json(),
      status: answer.statusCode,
      cookie: String(answer.headers['set-cookie']).split(';')[0] ?? '',
    };
  };
  const who = async (at: HttpServer, cookie: string) => {
    const answer = await at.inject({ url: '/only/user', headers: { cookie } });
    return answer.statusCode === 200 ? answer.json().who : answer.statusCode;
  };
  const user = await logIn(app, 'auth0|alice');
  const root = await logIn(app, 'auth0|root');
  expect(user).toMatchObject({ status: 200, role: 'user', workspaces: ['w1'], expires_at: '2026-05-01T00:10:00.000Z' });
  expect(await who(app, user.cookie)).toEqual({
    subject: 'jwt:auth0|alice',
    role: 'user',
    workspaces: ['w1'],
    via: 'session',
  });
  expect(await who(app, root.cookie)).toMatchObject({ role: 'admin', workspaces: 'all' });
  // A JWT beside the cookie of an admin speaks for itself.
  const beside = await ask(app, await issuer.token(), '/only/admin', { cookie: root.cookie });
  expect(beside.status).toBe(403);
  const changed = await serve(byKeySet(), ['auth0|alice']);
  expect(await who(changed, root.cookie)).toMatchObject({ role: 'user', workspaces: [] });
  expect(await who(changed, user.cookie)).toMatchObject({ role: 'admin', workspaces: 'all' });
  const moved = await serve({ ...byKeySet(), audience: 'https://elsewhere.example' }, ['auth0|root']);
  expect(await who(moved, root.cookie)).toBe(401);
  await clock.advance(600_000);
  expect(await who(app, root.cookie)).toBe(401);
});
