import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { NotifyConfig, ReceiverConfig, RouteConfig } from '../config/index.ts';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { Clock } from '../platform/clock.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpClient, type HttpClientOptions } from '../platform/http-client.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { createSeal } from '../platform/seal.ts';
import type { Notification } from './notification.ts';
import { createNotify, type Notify } from './notify.ts';

export const route = (more: Partial<RouteConfig> = {}): RouteConfig => ({
  matchers: [],
  receivers: undefined,
  goOn: false,
  groupBy: ['alertname'],
  groupWaitMs: 30_000,
  groupIntervalMs: 300_000,
  repeatIntervalMs: 14_400_000,
  escalate: [],
  ...more,
});

const sealKey = Buffer.alloc(32, 7).toString('base64');
export const signingKey = `whsec_${Buffer.from('a signing key of thirty-two byte').toString('base64')}`;

export const webhook = (id: string, url: string): ReceiverConfig => ({
  id,
  sendResolved: true,
  timeoutMs: 5_000,
  kind: 'webhook',
  url: { value: url },
  signingKey: { value: signingKey },
});

export const firing = (key: string, more: Partial<Notification> = {}): Notification => ({
  key,
  status: 'firing',
  severity: 'warning',
  title: `${key} is too high`,
  summary: 'Seen 93, allowed 90.',
  labels: { alertname: key, severity: 'warning' },
  annotations: {},
  startsAtMs: Date.UTC(2026, 0, 1),
  endsAtMs: null,
  runbookUrl: 'https://docs.example.org/runbook',
  receivers: null,
  ...more,
});
export const resolved = (key: string, more: Partial<Notification> = {}): Notification =>
  firing(key, { status: 'resolved', ...more });

export type TestNotify = Notify & {
  readonly state: TestState;
  readonly clock: FakeClock;
  readonly events: EventLog;
  config: NotifyConfig;
  tell(...told: Notification[]): Promise<void>;
  /** Plans and sends what is due at this moment. */
  turn(): Promise<void>;
  /** Moves the clock in steps of `stepMs` and takes a turn after each. */
  pass(ms: number, stepMs?: number): Promise<void>;
  /** A further process on the same state. Who made it stops it. */
  another(instance: string): Notify;
  /** The same state, as the next start of the process finds it. */
  restart(): Promise<void>;
  remove(): Promise<void>;
};

/** Test support: everything of the slice on a database of its own, with a clock that stands still. */
export async function createTestNotify(
  config: Partial<NotifyConfig>,
  options: { http?: HttpClientOptions; clock?: FakeClock } = {},
): Promise<TestNotify> {
  const state = await openTestState();
  const clock = options.clock ?? createFakeClock();
  const http = createHttpClient(options.http);
  const events = createEventLog({ db: state.db, clock, instance: 'main' });
  const make = (instance = 'main'): Notify =>
    createNotify({
      ...{ db: state.db, http, events, instance, clock: clock as Clock, random: systemRandom },
      config: () => made.config,
      seal: createSeal({ given: sealKey, file: 'there is none', random: systemRandom }),
      log: silentLogger,
    });
  const made: TestNotify = {
    state,
    clock,
    events,
    config: { receivers: [], routes: [], fallback: route(), giveUpMs: 86_400_000, allowPrivate: false, ...config },
    // Replaced just below: what is made reads the settings from here.
    ...({} as Notify),
    async tell(...told) {
      await state.db.unit(async (tx) => {
        for (const one of told) await made.notifier.tell(tx, one);
      });
    },
    async turn() {
      await made.planner.runOnce();
      await made.courier.runOnce();
    },
    async pass(ms, stepMs = ms) {
      for (let passed = 0; passed < ms; passed += stepMs) {
        await clock.advance(Math.min(stepMs, ms - passed));
        await made.turn();
      }
    },
    another: make,
    async restart() {
      await Promise.all([made.planner.stop?.(), made.courier.stop?.()]);
      Object.assign(made, make());
    },
    async remove() {
      await Promise.all([made.planner.stop?.(), made.courier.stop?.()]);
      await http.close();
      await state.remove();
    },
  };
  return Object.assign(made, make());
}

export type Received = { readonly headers: Record<string, string>; readonly body: string };

export type TestReceiver = {
  readonly url: string;
  readonly port: number;
  readonly received: Received[];
  /** What it answers from now on. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  close(): Promise<void>;
};

/** Test support: an HTTP server that keeps what it gets. */
export async function createTestReceiver(): Promise<TestReceiver> {
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      // Each name comes once.
      receiver.received.push({ headers: request.headers as Record<string, string>, body });
      receiver.answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: TestReceiver = {
    url: `http://127.0.0.1:${port}`,
    port,
    received: [],
    answer: (_request, response) => response.end('ok'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return receiver;
}
