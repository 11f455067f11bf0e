import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseMatcher } from './matcher.ts';
import {
  createTestNotify,
  createTestReceiver,
  firing,
  type Received,
  resolved,
  route,
  signingKey,
  type TestNotify,
  type TestReceiver,
  webhook,
} from './test-notify.ts';

let pager: TestReceiver;
let chat: TestReceiver;
let notify: TestNotify;

beforeEach(async () => {
  [pager, chat] = await Promise.all([createTestReceiver(), createTestReceiver()]);
  notify = await createTestNotify({
    receivers: [webhook('pager', `${pager.url}/hook`), webhook('chat', chat.url)],
    routes: [
      route({
        matchers: ['severity=critical'],
        receivers: ['pager'],
        escalate: [{ afterMs: 900_000, receivers: ['chat'] }],
      }),
    ],
    fallback: route({ receivers: ['chat'] }),
  });
});
afterEach(async () => {
  await notify.remove();
  await Promise.all([pager.close(), chat.close()]);
});

type Body = {
  type: string;
  timestamp: string;
  data: { status: string; reason: string; alerts: { key: string; status: string; ends_at: string | null }[] };
};
// The time in a signature is compared with the real one, so the clock of these tests stands near it.
const read = (one: Received): Body => JSON.parse(one.body);
const told = ({ received }: TestReceiver) =>
  received.map((one) => {
    const { data } = read(one);
    return `${data.reason}: ${data.alerts.map(({ key, status }) => `${key} ${status}`).join(', ')}`;
  });
const critical = (key: string) =>
  firing(key, { severity: 'critical', labels: { alertname: key, severity: 'critical' } });

test('the beginning and the end arrive, signed as Standard Webhooks has it', async () => {
  await notify.clock.advance(Date.now() - 200_000 - notify.clock.now());
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(told(chat)).toEqual([]);
  await notify.pass(30_000);
  await notify.tell(resolved('cpu'));
  await notify.turn();
  await notify.pass(300_000);
  expect(told(chat)).toEqual(['change: cpu firing', 'change: cpu resolved']);
  expect(chat.received.map((one) => read(one).type)).toEqual(['alert.firing', 'alert.resolved']);
  for (const { body, headers } of chat.received)
    expect(new Webhook(signingKey).verify(body, headers)).toEqual(JSON.parse(body));
  const [first] = chat.received;
  expect(() => new Webhook(signingKey).verify(`${first?.body} `, first?.headers ?? {})).toThrow();
  const [, last] = await notify.outbox.list({}, 10);
  expect(last).toMatchObject({ state: 'sent', attempts: [{ outcome: 'sent', status: 200, error: null }] });
});

test('what begins together is told together; what comes later waits for the interval of its group', async () => {
  const alike = (key: string) => firing(key, { labels: { alertname: 'disk', disk: key, severity: 'warning' } });
  await notify.tell(alike('a'));
  await notify.pass(20_000);
  await notify.tell(alike('b'));
  await notify.pass(10_000);
  await notify.tell(alike('c'));
  await notify.pass(299_000);
  expect(told(chat)).toEqual(['change: a firing, b firing']);
  await notify.pass(1_000);
  expect(told(chat)).toEqual(['change: a firing, b firing', 'change: a firing, b firing, c firing']);
});

test('what goes on is repeated until somebody acknowledges it; its end is told all the same', async () => {
  await notify.tell(firing('cpu'));
  await notify.pass(30_000);
  await notify.pass(14_400_000);
  expect(told(chat)).toEqual(['change: cpu firing', 'repeat: cpu firing']);
  expect(await notify.state.db.unit((tx) => notify.notifier.acknowledge(tx, 'cpu', 'local:ann', null))).toBe(true);
  await notify.pass(50_000_000, 10_000_000);
  expect(chat.received.length).toBe(2);
  await notify.tell(resolved('cpu'));
  await notify.turn();
  await notify.pass(30_000);
  expect(told(chat).at(-1)).toBe('change: cpu resolved');
});

test('what nobody acknowledges in time is passed on, and those hear of its end too', async () => {
  await notify.tell(critical('down'));
  await notify.pass(30_000);
  await notify.pass(869_000);
  expect([told(pager), told(chat)]).toEqual([['change: down firing'], []]);
  await notify.pass(1_000);
  expect(told(chat)).toEqual(['escalation: down firing']);
  await notify.tell(resolved('down'));
  await notify.turn();
  await notify.pass(300_000);
  expect([told(pager).at(-1), told(chat).at(-1)]).toEqual(['change: down resolved', 'change: down resolved']);
});

test('an acknowledgement in time keeps it from being passed on', async () => {
  await notify.tell(critical('down'));
  await notify.pass(30_000);
  await notify.state.db.unit((tx) => notify.notifier.acknowledge(tx, 'down', 'local:ann', 'on it'));
  await notify.pass(3_600_000, 300_000);
  expect([told(pager), told(chat)]).toEqual([['change: down firing'], []]);
});

test('a silence holds back what it matches, and ends with its time or by hand', async () => {
  const matchers = ['alertname=cpu'].flatMap((text) => parseMatcher(text) ?? []);
  const fromMs = notify.clock.now();
  const silence = await notify.silences.create('local:ann', {
    matchers,
    fromMs,
    untilMs: fromMs + 600_000,
    comment: 'upgrade',
  });
  expect(await notify.notifier.silencedBy({ alertname: 'cpu' }, fromMs)).toEqual([silence.id]);
  await notify.tell(firing('cpu'), firing('disk'));
  await notify.pass(599_000, 30_000);
  expect(told(chat)).toEqual(['change: disk firing']);
  await notify.pass(31_000, 1_000);
  expect(told(chat)).toEqual(['change: disk firing', 'change: cpu firing']);
  expect(await notify.notifier.silencedBy({ alertname: 'cpu' }, notify.clock.now())).toEqual([]);
});

test('without a receiver nothing is lost: who comes later hears of what fires then', async () => {
  const { receivers } = notify.config;
  notify.config = { ...notify.config, receivers: [] };
  await notify.tell(firing('cpu'), firing('disk'));
  await notify.pass(600_000);
  await notify.tell(resolved('disk'));
  await notify.turn();
  notify.config = { ...notify.config, receivers };
  await notify.turn();
  await notify.pass(30_000);
  expect(told(chat)).toEqual(['change: cpu firing']);
});

test('two instances at once on one state: each notification is decided and sent by one of them, once', async () => {
  const other = notify.another('other');
  const both = async (ms: number) => {
    await notify.clock.advance(ms);
    await Promise.all([notify, other].map(({ planner }) => planner.runOnce()));
    await Promise.all([notify, other].map(({ courier }) => courier.runOnce()));
  };
  const names = Array.from({ length: 12 }, (_, i) => `a${String(i).padStart(2, '0')}`);
  await notify.tell(...names.map((name) => firing(name)));
  for (const ms of [0, 30_000, 1_000, 1_000]) await both(ms);
  await notify.tell(...names.map((name) => resolved(name)));
  for (const ms of [0, 300_000, 1_000, 1_000]) await both(ms);
  expect(told(chat).toSorted()).toEqual(
    names.flatMap((name) => [`change: ${name} firing`, `change: ${name} resolved`]).toSorted(),
  );
  expect(new Set(chat.received.map(({ headers }) => headers['webhook-id'])).size).toBe(24);
  expect((await notify.outbox.list({}, 50)).filter(({ state }) => state !== 'sent')).toEqual([]);
  await Promise.all([other.planner.stop?.(), other.courier.stop?.()]);
});

test('a night of coming and going is told once in each interval, and nothing is told of what was over before', async () => {
  await notify.tell(firing('cpu'));
  await notify.pass(10_000);
  await notify.tell(resolved('cpu'));
  await notify.pass(600_000, 30_000);
  expect(told(chat)).toEqual([]);
  for (let turn = 0; turn < 20; turn += 1) {
    await notify.tell(firing('cpu'));
    await notify.pass(40_000, 10_000);
    await notify.tell(resolved('cpu'));
    await notify.pass(20_000, 10_000);
  }
  expect(chat.received.length).toBeLessThanOrEqual(5);
});
