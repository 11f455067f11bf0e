import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ReceiverConfig } from '../../config/index.ts';
import {
  createTestNotify,
  createTestReceiver,
  firing,
  resolved,
  route,
  type TestNotify,
  type TestReceiver,
  webhook,
} from '../test-notify.ts';

/** Answers as Slack documents it of its incoming webhooks: a word in plain text, with a status that says whose fault it is. */
type Slack = {
  readonly server: TestReceiver;
  /** What was posted, as channels show it. */
  readonly posted: { text: string; attachments: { color?: string; title?: string; text?: string }[] }[];
  /** Instead of `ok`. */
  refuses: { status: number; word: string; headers?: Record<string, string> } | undefined;
};

async function createSlack(): Promise<Slack> {
  const server = await createTestReceiver();
  const slack: Slack = { server, posted: [], refuses: undefined };
  server.answer = (request, response) => {
    const say = (status: number, word: string, headers = {}) =>
      response.writeHead(status, { 'content-type': 'text/html', ...headers }).end(word);
    if (request.method !== 'POST') return say(405, 'method_not_allowed');
    if (request.url !== '/services/T0/B0/secret') return say(404, 'no_service');
    if (slack.refuses !== undefined) return say(slack.refuses.status, slack.refuses.word, slack.refuses.headers);
    let body: (typeof slack.posted)[number];
    try {
      body = JSON.parse(server.received.at(-1)?.body ?? '');
    } catch {
      return say(400, 'invalid_payload');
    }
    if (request.headers['content-type'] !== 'application/json') return say(400, 'invalid_payload');
    if (typeof body.text !== 'string' || body.text === '') return say(400, 'no_text');
    if (body.attachments.length > 100) return say(400, 'too_many_attachments');
    slack.posted.push(body);
    return say(200, 'ok');
  };
  return slack;
}

let slack: Slack;
let other: TestReceiver;
let notify: TestNotify;
const to = (path: string): ReceiverConfig => ({
  ...{ id: 'chat', sendResolved: true, timeoutMs: 5_000, channel: undefined },
  kind: 'slack',
  url: { value: `${slack.server.url}${path}` },
});
beforeEach(async () => {
  [slack, other] = [await createSlack(), await createTestReceiver()];
  notify = await createTestNotify({
    receivers: [to('/services/T0/B0/secret'), webhook('other', other.url)],
    fallback: route({ receivers: ['chat'], groupWaitMs: 0, groupIntervalMs: 0 }),
  });
});
afterEach(async () => {
  await notify.remove();
  await Promise.all([slack.server.close(), other.close()]);
});
const attempts = async () =>
  (await notify.outbox.list({ receiverId: 'chat' }, 5)).flatMap((one) =>
    one.attempts.map(({ status, error }) => [one.state, status, error]),
  );

test('the beginning and the end are posted in their colours, and nothing in them calls a channel', async () => {
  await notify.tell(firing('cpu', { title: 'CPU <!channel> & more', severity: 'critical' }));
  await notify.turn();
  await notify.tell(resolved('cpu'));
  await notify.turn();
  expect(slack.posted.map(({ text }) => text)).toEqual([
    '[FIRING critical] CPU &lt;!channel&gt; &amp; more',
    '[RESOLVED] cpu is too high',
  ]);
  const [[begun], [ended]] = slack.posted.map(({ attachments }) => attachments) as [[object], [object]];
  expect(begun).toMatchObject({ color: '#b00020', text: expect.stringContaining('https://docs.example.org/runbook') });
  expect(ended).toMatchObject({ color: '#2e7d32', title: 'resolved: cpu is too high' });
});

test('more alerts than a chat can hold are counted', async () => {
  await notify.tell(...Array.from({ length: 150 }, (_, i) => firing(`k${i}`, { labels: { alertname: 'many' } })));
  await notify.turn();
  expect(slack.posted.map(({ attachments }) => [attachments.length, attachments.at(-1)?.text])).toEqual([
    [21, expect.stringMatching(/^and \d+ more$/)],
  ]);
  expect(await attempts()).toEqual([['sent', 200, null]]);
});

test('too many at once: 429 is waited for as long as it says, and then posted', async () => {
  slack.refuses = { status: 429, word: 'rate_limited', headers: { 'retry-after': '30' } };
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(await attempts()).toEqual([['pending', 429, 'it answered 429: rate_limited']]);
  slack.refuses = undefined;
  await notify.pass(29_000);
  expect(slack.posted).toEqual([]);
  await notify.pass(1_000);
  expect(slack.posted).toHaveLength(1);
});

test.each([
  [400, 'invalid_payload'],
  [404, 'channel_not_found'],
  [500, 'rollup_error'],
])('%d %s is told with its word, and tried again', async (status, word) => {
  slack.refuses = { status, word };
  await notify.tell(firing('cpu'));
  await notify.turn();
  expect(await attempts()).toEqual([['pending', status, `it answered ${status}: ${word}`]]);
});

test('a webhook that was taken away, or whose channel is archived, is switched off, and others hear instead', async () => {
  for (const [status, word, path] of [
    [404, 'no_service', '/services/T0/B0/another'],
    [410, 'channel_is_archived', '/services/T0/B0/secret'],
    [403, 'invalid_token', '/services/T0/B0/secret'],
  ] as const) {
    slack.refuses = path.endsWith('secret') ? { status, word } : undefined;
    notify.config = { ...notify.config, receivers: [to(path), webhook('other', other.url)] };
    other.received.length = 0;
    await notify.tell(firing(word));
    await notify.turn();
    await notify.turn();
    expect((await notify.receivers.find('chat'))?.state.disabledReason).toBe(`it answered ${status}: ${word}`);
    expect(other.received.at(-1)?.body).toContain(word);
    slack.refuses = undefined;
    notify.config = { ...notify.config, receivers: [to('/services/T0/B0/secret'), webhook('other', other.url)] };
    expect(await notify.outbox.test('local:ann', 'chat')).toMatchObject({ state: 'sent' });
  }
});
