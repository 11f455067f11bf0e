import { afterAll, beforeAll, expect, test } from 'vitest';
import { AppError } from '../platform/errors.ts';
import { createHttpServer, type HttpServer } from '../platform/http/index.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { notifyRoutes } from './notify-routes.ts';
import {
  createTestNotify,
  createTestReceiver,
  firing,
  route,
  type TestNotify,
  type TestReceiver,
} from './test-notify.ts';

let hook: TestReceiver;
let notify: TestNotify;
let server: HttpServer;

beforeAll(async () => {
  hook = await createTestReceiver();
  notify = await createTestNotify({ allowPrivate: true, fallback: route({ groupWaitMs: 0 }) });
  server = createHttpServer({
    log: silentLogger,
    clock: notify.clock,
    authenticate: async () => ({ subject: 'local:ann', role: 'admin', workspaces: 'all', via: 'token' }) as never,
    allowedHosts: () => [],
  });
  await server.register(
    notifyRoutes({
      ...{ notify, random: systemRandom, now: () => notify.clock.now() },
      async admit(host) {
        if (host === '169.254.169.254') throw new AppError('outgoing/refused-address', 'not there');
        if (host === 'unknown.example.org') throw new AppError('outgoing/failed', 'not known now');
        return host;
      },
    }),
  );
});
afterAll(async () => {
  await server.close();
  await notify.remove();
  await hook.close();
});

const base = '/api/v1/metrics/alerts';
async function ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, payload?: object) {
  const answer = await server.inject({ method, url: `${base}${path}`, ...(payload === undefined ? {} : { payload }) });
  return { status: answer.statusCode, body: answer.body === '' ? undefined : answer.json() };
}
const audited = async () =>
  (await notify.events.listAudit({ limit: 1 })).map(({ actor, action }) => `${actor} ${action}`);
const inAnHour = () => new Date(notify.clock.now() + 3_600_000).toISOString();

test('a silence is made, changed, listed and ended, and each of it is audited', async () => {
  const wanted = { matchers: ['alertname=cpu', 'team!=web'], until: inAnHour(), comment: 'an upgrade' };
  const made = await ask('POST', '/silences', wanted);
  expect([made.status, made.body]).toMatchObject([
    201,
    { state: 'active', created_by: 'local:ann', matchers: wanted.matchers },
  ]);
  expect(await audited()).toEqual(['local:ann notify.create-silence']);
  const { id } = made.body;
  expect(await ask('PUT', `/silences/${id}`, { ...wanted, comment: 'a longer one' })).toMatchObject({
    status: 200,
    body: { comment: 'a longer one' },
  });
  expect(await audited()).toEqual(['local:ann notify.change-silence']);
  expect((await ask('GET', '/silences')).body.items).toHaveLength(1);
  expect((await ask('DELETE', `/silences/${id}`)).body.state).toBe('expired');
  expect(await audited()).toEqual(['local:ann notify.expire-silence']);
  expect((await ask('GET', '/silences')).body.items).toEqual([]);
  expect((await ask('GET', '/silences?state=all')).body.items).toHaveLength(1);
  expect((await ask('PUT', `/silences/${id}`, wanted)).body.code).toBe('conflict/state');
  expect((await ask('GET', '/silences/sil_0')).status).toBe(404);
});

test.each([
  ['of everything', { matchers: ['team=*'] }, 'matchers'],
  ['of what is not something', { matchers: ['team!=web'] }, 'matchers'],
  ['whose matcher is none', { matchers: ['severity'] }, 'matchers.0'],
  ['that has passed', { until: '2020-01-01T00:00:00Z' }, 'until'],
  ['for ever', { until: '2999-01-01T00:00:00Z' }, 'until'],
  ['without a reason', { comment: ' ' }, 'comment'],
])('a silence %s is refused', async (_what, wrong, at) => {
  const answer = await ask('POST', '/silences', {
    matchers: ['alertname=cpu'],
    until: inAnHour(),
    comment: 'c',
    ...wrong,
  });
  expect([answer.status, JSON.stringify(answer.body)]).toEqual([422, expect.stringContaining(at)]);
});

test('a receiver is added, tried, changed, and removed; its secrets never come out', async () => {
  const url = `${hook.url}/a-secret`;
  const made = await ask('POST', '/receivers', { id: 'pager', receiver: { kind: 'webhook', url } });
  expect([made.status, made.body]).toMatchObject([
    201,
    {
      id: 'pager',
      origin: 'api',
      place: hook.url,
      state: 'unknown',
      has_secret: true,
      signing_key: expect.stringMatching(/^whsec_/),
    },
  ]);
  expect(await audited()).toEqual(['local:ann notify.create-receiver']);
  expect((await ask('POST', '/receivers/pager/test')).body).toMatchObject({
    delivered: true,
    attempt: { status: 200 },
  });
  expect(await audited()).toEqual(['local:ann notify.test-receiver']);
  expect(hook.received[0]?.headers['webhook-signature']).toMatch(/^v1,/);
  expect(
    (await ask('PUT', '/receivers/pager', { receiver: { kind: 'webhook', send_resolved: false } })).body,
  ).toMatchObject({ send_resolved: false, place: hook.url });
  expect(await audited()).toEqual(['local:ann notify.change-receiver']);
  hook.answer = (_request, response) => response.writeHead(410).end();
  expect((await ask('POST', '/receivers/pager/test')).body).toMatchObject({
    delivered: false,
    attempt: { status: 410 },
  });
  const shown = await ask('GET', '/receivers/pager');
  expect(shown.body).toMatchObject({ state: 'gone', reason: expect.stringContaining('410') });
  expect(JSON.stringify((await ask('GET', '/receivers')).body)).not.toMatch(/a-secret|whsec_/);
  expect((await ask('POST', '/receivers/pager/enable')).body.state).not.toBe('gone');
  expect(await audited()).toEqual(['local:ann notify.enable-receiver']);
  hook.answer = (_request, response) => response.end();
  expect((await ask('POST', '/receivers', { id: 'pager', receiver: { kind: 'webhook', url } })).body.code).toBe(
    'conflict/state',
  );
  expect((await ask('DELETE', '/receivers/pager')).status).toBe(204);
  expect(await audited()).toEqual(['local:ann notify.remove-receiver']);
  expect((await ask('GET', '/receivers/pager')).status).toBe(404);
});

test.each([
  ['without a URL', { kind: 'webhook' }, 'request/invalid'],
  ['that is no URL', { kind: 'slack', url: 'file:///etc/passwd' }, 'request/invalid'],
  ['with credentials in it', { kind: 'slack', url: 'https://a:b@example.org/' }, 'request/invalid'],
  [
    'with a key that signs nothing',
    { kind: 'webhook', url: 'https://example.org/', signing_key: 'short' },
    'request/invalid',
  ],
  ['at a metadata service', { kind: 'webhook', url: 'http://169.254.169.254/' }, 'outgoing/refused-address'],
  [
    'with a password that is a variable',
    { kind: 'email', host: 'mail.example.org', from: 'a@b.org', to: ['c@d.org'], password_env: 'HOME' },
    'request/invalid',
  ],
  [
    'with mail in the open',
    { kind: 'email', host: '127.0.0.1', from: 'a@b.org', to: ['c@d.org'], tls: 'none' },
    'request/invalid',
  ],
  [
    'with a name without its password',
    { kind: 'alertmanager', url: 'https://am.example.org', username: 'u' },
    'request/invalid',
  ],
])('a receiver %s is refused', async (_what, receiver, code) => {
  const answer = await ask('POST', '/receivers', { id: 'wrong', receiver });
  expect([answer.status, answer.body.code]).toEqual([422, code]);
});

test('a name that cannot be resolved at the moment may be kept: it is told when it is tried', async () => {
  expect(
    (await ask('POST', '/receivers', { id: 'later', receiver: { kind: 'slack', url: 'https://unknown.example.org/' } }))
      .status,
  ).toBe(201);
  expect((await ask('DELETE', '/receivers/later')).status).toBe(204);
});

test('deliveries are listed with their attempts, page by page, and a dead one is tried again', async () => {
  await ask('POST', '/receivers', { id: 'pager', receiver: { kind: 'webhook', url: hook.url } });
  hook.answer = (_request, response) => response.writeHead(500).end('broken');
  await notify.tell(firing('cpu'));
  await notify.turn();
  const listed = await ask('GET', '/deliveries?state=pending&receiver=pager');
  expect(listed.body).toMatchObject({
    pending: 1,
    items: [
      {
        state: 'pending',
        title: '[FIRING warning] cpu is too high',
        attempts: [{ outcome: 'failed', status: 500, error: 'it answered 500: broken' }],
      },
    ],
  });
  await notify.clock.advance(90_000_000);
  await notify.turn();
  const [dead] = (await ask('GET', '/deliveries?state=dead&receiver=pager&limit=1')).body.items;
  hook.answer = (_request, response) => response.end();
  expect(await ask('POST', `/deliveries/${dead.id}/retry`)).toMatchObject({ status: 202, body: { state: 'pending' } });
  expect(await audited()).toEqual(['local:ann notify.retry-delivery']);
  await notify.turn();
  expect((await ask('GET', `/deliveries/${dead.id}`)).body.state).toBe('sent');
  expect((await ask('POST', `/deliveries/${dead.id}/retry`)).body.code).toBe('conflict/state');
  const first = await ask('GET', '/deliveries?limit=1');
  expect((await ask('GET', `/deliveries?limit=1&cursor=${first.body.next_cursor}`)).body.items[0].id).not.toBe(
    first.body.items[0].id,
  );
});
