import { parentPort, workerData } from 'node:worker_threads';
import { systemCode } from '../platform/errors.ts';
import { createAskedQuota } from './asked-quota.ts';
import type { FromWorker, ToWorker, WorkerData, WorkerStatus } from './messages.ts';
import { createOutbox } from './outbox.ts';
import { createProxy } from './proxy.ts';

const port = parentPort;
if (!port) throw new Error('This file is the entry of a worker thread.');
// Given by gateway.ts alone.
const { settings, state, guards } = workerData as WorkerData;
const lookMs = 1_000;

const send = (message: FromWorker): void => port.postMessage(message);
const outbox = createOutbox({ send: (batch, items) => send({ kind: 'observations', batch, items }) });
const quota = settings.asksQuota ? createAskedQuota({ send, waitMs: settings.quotaWaitMs, guards }) : undefined;
const proxy = createProxy({ settings, state, quota, observe: outbox.put });

const status = (): WorkerStatus => ({
  ...proxy.status(),
  ...outbox.status(),
  unansweredAsks: quota?.unanswered() ?? 0,
  refusedUnansweredAsks: quota?.refusedUnanswered() ?? 0,
});

let told = '';
/** Nothing is under way here that could change what was told: only somebody who comes, or a message. */
let restsSince: number | undefined;
const looking = setInterval(() => {
  if (restsSince === proxy.arrivals()) return;
  const now = status();
  restsSince = isAtRest(now) ? proxy.arrivals() : undefined;
  const text = JSON.stringify(now);
  if (text === told) return;
  told = text;
  send({ kind: 'status', id: null, status: now });
}, lookMs);
function isAtRest({ connections, exchanges, buffered, barrier }: WorkerStatus): boolean {
  // A question outlives the request of a client that left.
  const asks = quota?.waiting() ?? 0;
  return asks + connections + exchanges + buffered + barrier.waiting + barrier.holding.length === 0;
}

async function stop(): Promise<void> {
  clearInterval(looking);
  await proxy.stop();
  outbox.flush();
  outbox.stop();
  send({ kind: 'stopped' });
  port?.close();
}

async function hold(message: Extract<ToWorker, { kind: 'hold' }>): Promise<void> {
  const left = await proxy.gate.hold(message.id, message.targetId, message);
  send({ kind: 'held', id: message.id, left });
}

port.on('message', (message: ToWorker) => {
  restsSince = undefined;
  switch (message.kind) {
    case 'state':
      proxy.update(message.state);
      break;
    case 'answer':
      quota?.answer(message.id, message.answer);
      break;
    case 'waits':
      quota?.hold(message.id, message.maxMs);
      break;
    case 'guards':
      quota?.setGuards(message.guards);
      break;
    case 'hold':
      void hold(message);
      break;
    case 'release':
      send({ kind: 'released', id: message.id, inTime: proxy.gate.release(message.id) });
      break;
    case 'taken':
      outbox.taken(message.batch);
      break;
    case 'look':
      send({ kind: 'status', id: message.id, status: status() });
      break;
    case 'stop':
      void stop();
      break;
  }
});

proxy.start().then(
  (listening) => send({ kind: 'listening', port: listening.port }),
  (err: unknown) => {
    send({ kind: 'failed', code: systemCode(err), message: err instanceof Error ? err.message : String(err) });
    clearInterval(looking);
    port.close();
  },
);
