import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeCertificate } from '../../test/setup/certificate.ts';
import { hasPart } from '../../test/setup/parts.ts';
import { systemRandom } from '../platform/ids.ts';
import { backoffMs, type Delivery, decideAfterAttempt } from './delivery.ts';
import { composeMessage } from './message.ts';
import {
  createTestNotify,
  createTestReceiver,
  firing,
  resolved,
  route,
  type TestNotify,
  type TestReceiver,
  webhook,
} from './test-notify.ts';

let hook: TestReceiver;
let other: TestReceiver;
let notify: TestNotify;

beforeEach(async () => {
  [hook, other] = await Promise.all([createTestReceiver(), createTestReceiver()]);
  notify = await createTestNotify({
    receivers: [webhook('hook', `${hook.url}/?token=secret`), webhook('other', other.url)],
    fallback: route({ receivers: ['hook'], groupWaitMs: 0, groupIntervalMs: 0 }),
  });
});
afterEach(async () => {
  await notify.remove();
  await Promise.all([hook.close(), other.close()]);
});

const newest = async () => (await notify.outbox.list({}, 1))[0];
const errors = async () => (await newest())?.attempts.map(({ status, error }) => [status, error]);
const eventTypes = async (): Promise<string[]> =>
  (await notify.events.list({ limit: 50, order: 'oldest-first' }))
    .map(({ type }) => type)
    .filter((type) => type.startsWith('notify.'));
const keys = ({ received }: TestReceiver) =>
  received.map(({ body }) =>
    JSON.parse(body).data.alerts.map((one: { key: string; status: string }) => `${one.key} ${one.status}`),
  );

test('what fails is tried again under the same id with the same words, and says each time what happened', async () => {
  hook.answer = (_request, response) => response.writeHead(500).end('out of order');
  await notify.tell(firing('cpu'));
  await notify.turn();
  await notify.pass(60_000, 5_000);
  hook.answer = (_request, response) => response.end();
  // Whatever chance made of the waits: none is longer than a quarter of an hour.
  await notify.pass(900_000, 60_000);
  expect(hook.received.length).toBeGreaterThan(2);
  expect(new Set(hook.received.map(({ headers, body }) => `${headers['webhook-id']} ${body}`)).size).toBe(1);
  expect(new Set(hook.received.map(({ headers }) => headers['webhook-signature'])).size).toBe(hook.received.length);
  const delivery = await newest();
  expect(delivery?.state).toBe('sent');
  expect(delivery?.attempts[0]).toMatchObject({
    outcome: 'failed',
    status: 500,
    error: 'it answered 500: out of order',
  });
  expect(await eventTypes()).toEqual(['notify.receiver-failing', 'notify.receiver-recovered']);
});

test('500 for a day is a dead letter that can be seen and tried again; the next notification is tried all the same', async () => {
  hook.answer = (_request, response) => response.writeHead(500).end();
  await notify.tell(firing('cpu'));
  await notify.turn();
  await notify.pass(90_000_000, 3_600_000);
  const dead = (await notify.outbox.list({ state: 'dead' }, 5))[0];
  expect(dead).toMatchObject({ state: 'dead', nextMs: null });
  expect((dead?.finishedMs ?? 0) - (dead?.sinceMs ?? 0)).toBeGreaterThanOrEqual(86_400_000);
  expect(dead?.attempts.length).toBeGreaterThan(20);
  expect(await eventTypes()).toContain('notify.delivery-dead');
  const asked = hook.received.length;
  await notify.tell(firing('disk'));
  await notify.turn();
  expect(hook.received.length).toBeGreaterThan(asked);
  hook.answer = (_request, response) => response.end();
  await notify.outbox.retry('local:ann', dead?.id ?? '');
  await notify.turn();
  expect((await notify.outbox.require(dead?.id ?? '')).state).toBe('sent');
  await expect(notify.outbox.retry('local:ann', dead?.id ?? '')).rejects.toMatchObject({ code: 'conflict/state' });
});

test('410 switches a receiver off and says so; others hear of it instead, until a test arrives again', async () => {
  hook.answer = (_request, response) => response.writeHead(410).end();
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(await newest()).toMatchObject({ state: 'dead' });
  await notify.turn();
  expect([keys(hook), keys(other)]).toEqual([[['cpu firing']], [['cpu firing']]]);
  expect(await eventTypes()).toEqual(['notify.receiver-gone', 'notify.delivery-dead']);
  expect((await notify.receivers.find('hook'))?.state).toMatchObject({
    disabledReason: expect.stringContaining('410'),
  });
  hook.answer = (_request, response) => response.end();
  expect(await notify.outbox.test('local:ann', 'hook')).toMatchObject({ state: 'sent' });
  await notify.tell(firing('disk'));
  await notify.turn();
  expect(keys(hook).slice(-2).flat().toSorted()).toEqual(['cpu firing', 'disk firing']);
});

test('a redirect is not followed, and told without what may be secret in it', async () => {
  hook.answer = (_request, response) => response.writeHead(302, { location: `${other.url}/?key=secret` }).end();
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(other.received).toEqual([]);
  expect(await errors()).toEqual([[302, `it answered 302, a redirect to ${other.url}, which is not followed`]]);
});

test('one that hangs costs its time limit, holds up nobody else, and is told', async () => {
  hook.answer = () => undefined;
  notify.config = {
    ...notify.config,
    receivers: notify.config.receivers.map((one) => ({ ...one, timeoutMs: one.id === 'hook' ? 80 : 5_000 })),
    fallback: route({ receivers: ['hook', 'other'], groupWaitMs: 0 }),
  };
  await notify.tell(firing('cpu'), firing('disk'));
  await notify.turn();
  // The second one is not tried in vain: nobody answered the first.
  expect(hook.received.length).toBe(1);
  expect(keys(other)).toHaveLength(2);
  const [tried] = (await notify.outbox.list({ state: 'pending', receiverId: 'hook' }, 5)).flatMap(
    (one) => one.attempts,
  );
  expect(tried?.error).toBe(`${hook.url} did not answer within 80 ms`);
});

test('a wait that was asked for is kept, within reason', async () => {
  hook.answer = (_request, response) => response.writeHead(429, { 'retry-after': '600' }).end();
  await notify.tell(firing('cpu'));
  await notify.turn();
  const waits = (await newest())?.nextMs ?? 0;
  expect(waits - notify.clock.now()).toBe(600_000);
  await notify.pass(599_000);
  expect(hook.received.length).toBe(1);
});

test.skipIf(!hasPart('openssl'))('a certificate that nobody vouches for is refused and told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-certificate-'));
  let asked = 0;
  const server = createTlsServer(makeCertificate(folder), (_request, response) => {
    asked += 1;
    response.end();
  });
  rmSync(folder, { recursive: true, force: true });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const { port } = server.address() as AddressInfo;
  notify.config = { ...notify.config, receivers: [webhook('hook', `https://localhost:${port}/`)] };
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(await newest()).toMatchObject({
    state: 'pending',
    attempts: [{ outcome: 'failed', status: null, error: expect.stringContaining('its certificate is self-signed') }],
  });
  expect(asked).toBe(0);
  await new Promise((resolve) => server.close(resolve));
});

test('what could not be sent and what came after is told once, as it stands; nothing of it is missing', async () => {
  hook.answer = (_request, response) => response.writeHead(503).end();
  const all = (key: string) => firing(key, { labels: { alertname: 'disk', disk: key, severity: 'warning' } });
  await notify.tell(all('a'), all('b'));
  await notify.turn();
  await notify.pass(1_000);
  await notify.tell(resolved('a'));
  await notify.turn();
  await notify.tell(all('c'));
  await notify.turn();
  hook.answer = (_request, response) => response.end();
  hook.received.length = 0;
  await notify.pass(3_600_000, 60_000);
  expect(keys(hook)).toEqual([['b firing', 'c firing', 'a resolved']]);
  const states = (await notify.outbox.list({}, 10)).map(({ state, supersededBy }) => [state, supersededBy !== null]);
  expect(states.toSorted()).toEqual([
    ['sent', false],
    ['superseded', true],
    ['superseded', true],
  ]);
});

test('a clock that is set back holds nothing up', async () => {
  hook.answer = (_request, response) => response.writeHead(503).end();
  await notify.tell(firing('cpu'));
  await notify.turn();
  const back = await createTestNotifyAt(notify, -86_400_000);
  hook.answer = (_request, response) => response.end();
  await back();
  expect((await newest())?.state).toBe('sent');
});

/** The same state with a clock that stands elsewhere. */
async function createTestNotifyAt(of: TestNotify, byMs: number): Promise<() => Promise<void>> {
  const now = of.clock.now.bind(of.clock);
  Object.assign(of.clock, { now: () => now() + byMs });
  return () => of.turn();
}

test('one attempt decides one way, whatever the times: never lost, never tried for longer than stated', () => {
  const message = composeMessage('change', {}, []);
  const time = fc.integer({ min: 0, max: 10_000_000 });
  fc.assert(
    fc.property(
      time,
      time,
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom('sent', 'failed', 'gone'),
      time,
      (since, now, failures, outcome, asked) => {
        const before: Delivery = {
          ...{
            id: 'msg_1',
            receiverId: 'r',
            groupId: 'g',
            state: 'pending',
            message,
            createdMs: since,
            sinceMs: since,
          },
          ...{ nextMs: since, failures, attempts: [], finishedMs: null, supersededBy: null },
        };
        const result = { outcome, status: null, error: null, retryAfterMs: asked } as const;
        const after = decideAfterAttempt(
          before,
          result,
          { startedMs: now, nowMs: now, latencyMs: 1 },
          { giveUpMs: 3_600_000, random: systemRandom },
        );
        expect(after.attempts).toHaveLength(1);
        expect(after.state === 'pending').toBe(after.nextMs !== null);
        if (outcome === 'sent') expect(after.state).toBe('sent');
        else if (outcome === 'gone' || now - since >= 3_600_000) expect(after.state).toBe('dead');
        else {
          expect(after.nextMs).toBeGreaterThan(now);
          expect(after.nextMs).toBeLessThanOrEqual(Math.max(now + 1_000, since + 3_600_000));
        }
      },
    ),
  );
  for (const failures of [1, 2, 8, 1_000]) {
    const whole = Math.min(900_000, 5_000 * 2 ** (failures - 1));
    expect(backoffMs(failures, () => Buffer.alloc(4))).toBe(whole / 2);
    expect(backoffMs(failures, () => Buffer.alloc(4, 0xff))).toBeLessThanOrEqual(whole);
  }
});
