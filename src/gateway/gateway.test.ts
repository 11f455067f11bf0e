import { once } from 'node:events';
import { connect } from 'node:net';
import { BroadcastChannel, Worker } from 'node:worker_threads';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { createGateway, type Gateway, type GatewayEvent } from './gateway.ts';
import type { Observation } from './observation.ts';
import type { QuotaAnswer, QuotaAsk, QuotaGuard } from './ports.ts';
import { ask, type Stub, startStub, stateOf, testSettings, upstreamAt } from './test-gateway.ts';

/** On a busy machine a thread waits for its turn. */
const soon = <T>(look: () => T) => expect.poll(look);

let gateway: Gateway;
let stub: Stub;
let finish: (() => void) | undefined;
const seen: Observation[] = [];
const events: GatewayEvent[] = [];
const asked: QuotaAsk[] = [];
const settled: [string, Observation][] = [];
let decided: QuotaAnswer;

const make = (more: Partial<Parameters<typeof createGateway>[0]>): Gateway =>
  createGateway({
    settings: testSettings,
    state: stateOf([upstreamAt(stub.url)]),
    quota: undefined,
    observe: (items) => void seen.push(...items),
    onEvent: (event) => void events.push(event),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    ...more,
  });

/** A quota that is a matter of all and lets pass what nobody answers about. */
const everybody: QuotaGuard = {
  ...{ id: 'all', doors: ['backend', 'llm'], writesOnly: false, whenSilent: 'open' },
  ...{ targetId: null, workspace: null, subject: null, keyId: null },
};
const everybodyOpen = { guards: () => [everybody], onGuards: () => undefined, abandon: () => undefined };

beforeAll(async () => {
  stub = await startStub((request, response) => {
    if (request.url === '/slow') finish = () => response.end('slow');
    else response.end('here');
  });
  gateway = make({
    quota: {
      async decide(question) {
        asked.push(question);
        return decided;
      },
      settle: (reservation, observation) => void settled.push([reservation, observation]),
      ...everybodyOpen,
    },
    workerUrl: new URL('./dying.fixture.ts', import.meta.url),
  });
  await gateway.start();
});
afterAll(async () => {
  await gateway.stop();
  await stub.close();
});
beforeEach(() => {
  decided = { granted: true, reservation: null };
  for (const list of [seen, events, asked, settled]) list.length = 0;
});

test('what passed in its thread is told here, and a reservation is settled with it', async () => {
  decided = { granted: true, reservation: 'r1' };
  expect((await ask(gateway.url(), { path: '/query' })).body).toBe('here');
  await soon(() => seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ targetId: 'main', status: 200, outcome: 'ok' });
  expect(asked).toMatchObject([{ targetId: 'main', operation: 'read', writes: false }]);
  expect(settled).toEqual([['r1', seen[0]]]);
});

test('a new state counts from now on', async () => {
  gateway.update(stateOf([upstreamAt(stub.url, { workspace: 'other' })]));
  await expect
    .poll(async () => (await ask(gateway.url(), { headers: { 'lightrag-workspace': 'other' } })).status)
    .toBe(200);
  gateway.update(stateOf([upstreamAt(stub.url)]));
});

test('a hold keeps writes waiting until it is released', async () => {
  const request = { targetId: 'main', maxMs: 60_000, reason: 'a test', signal: new AbortController().signal };
  const hold = await gateway.hold(request);
  if (!hold.held) throw new Error(hold.reason);
  const writing = ask(gateway.url(), { method: 'POST', path: '/documents/text', body: 'x' });
  await soon(async () => (await gateway.status()).worker?.barrier).toEqual({ holding: ['main'], waiting: 1 });
  expect(await hold.release()).toMatchObject({ heldMs: expect.any(Number), endedByItself: false });
  expect((await writing).status).toBe(200);
  expect(await hold.release()).toMatchObject({ endedByItself: false });
  const short = await gateway.hold({ ...request, maxMs: 20 });
  await soon(async () => (await gateway.status()).worker?.barrier.holding).toEqual([]);
  expect(short.held && (await short.release()).endedByItself).toBe(true);
});

test('who comes is told without being asked for, also after nobody was there for a while', async () => {
  const before = (await gateway.status()).worker?.unreadableRequests ?? 0;
  for (let came = 1; came < 3; came += 1) {
    const socket = connect(Number(new URL(gateway.url()).port), '127.0.0.1').on('error', () => undefined);
    socket.end('no request\r\n\r\n');
    await soon(() => gateway.lastStatus().worker?.unreadableRequests).toBe(before + came);
    socket.destroy();
  }
});

test('a hold that cannot begin in time says what kept it, and holds nothing', async () => {
  const writing = ask(gateway.url(), { method: 'POST', path: '/slow', body: 'x' });
  await soon(() => finish).toBeDefined();
  const hold = await gateway.hold({
    targetId: 'main',
    maxMs: 100,
    reason: 'a test',
    signal: new AbortController().signal,
  });
  expect(hold).toEqual({ held: false, reason: '1 write(s) through the gateway had not ended after 50 ms' });
  finish?.();
  await writing;
});

test('its thread is brought back at the same port when it dies', async () => {
  const before = gateway.url();
  const tell = new BroadcastChannel('ragwarden.test.gateway');
  tell.postMessage('die');
  tell.close();
  await expect.poll(() => events.map(({ kind }) => kind)).toEqual(['died', 'back']);
  expect(events[0]).toMatchObject({ reason: 'told to die' });
  expect(gateway.url()).toBe(before);
  expect((await ask(before)).body).toBe('here');
  expect(gateway.lastStatus()).toMatchObject({ phase: 'running', restarts: 1 });
});

test('a main thread that stands still stops no traffic, and quota asks go unanswered', async () => {
  const answers = new Int32Array(new SharedArrayBuffer(4));
  const client = new Worker(new URL('./client.fixture.ts', import.meta.url), { workerData: answers.buffer });
  const [port] = (await once(client, 'message')) as [number];
  const busy = make({
    settings: { ...testSettings, quotaWaitMs: 5 },
    state: stateOf([upstreamAt(`http://127.0.0.1:${port}`)]),
    quota: { decide: async () => ({ granted: true, reservation: null }), settle: () => undefined, ...everybodyOpen },
  });
  await busy.start();
  client.postMessage(busy.url());
  while (Atomics.load(answers, 0) < 5) await new Promise((resolve) => setImmediate(resolve));
  // From here on nothing of this thread runs: no store, no event loop.
  const deadline = Date.now() + 60_000;
  let answered = Atomics.load(answers, 0);
  while (answered < 30 && Date.now() < deadline) {
    Atomics.wait(answers, 0, answered, 100);
    answered = Atomics.load(answers, 0);
  }
  expect(answered).toBeGreaterThanOrEqual(30);
  await client.terminate();
  const { worker } = await busy.status();
  expect(worker?.unansweredAsks).toBeGreaterThan(0);
  await soon(() => seen.length).toBeGreaterThanOrEqual(30);
  await busy.stop();
});

test('a taken port is told with the setting that chose it, and the stop that follows waits for nothing', async () => {
  const { port } = new URL(stub.url);
  const refused = make({ settings: { ...testSettings, port: Number(port) } });
  await expect(refused.start()).rejects.toMatchObject({
    code: 'listen/port-taken',
    detail: expect.stringContaining('RAGWARDEN_GATEWAY_PORT'),
  });
  await refused.stop(); // the end of its thread was before
});

test('before it starts and after it stopped nothing is held, and a second stop does nothing', async () => {
  const other = make({});
  const request = { targetId: 'main', maxMs: 100, reason: '', signal: new AbortController().signal };
  expect(await other.hold(request)).toEqual({ held: false, reason: 'the gateway does not run' });
  await other.stop();
  await other.stop();
});
