import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import {
  createTestNotify,
  createTestReceiver,
  resolved,
  route,
  signingKey,
  type TestNotify,
  type TestReceiver,
  webhook,
} from './test-notify.ts';

let hook: TestReceiver;
let notify: TestNotify;

beforeEach(async () => {
  hook = await createTestReceiver();
  notify = await createTestNotify(
    { receivers: [webhook('hook', hook.url)], fallback: route({ groupWaitMs: 0, groupIntervalMs: 0 }) },
    // The lease that the killed process holds has not ended by itself by then.
    { clock: createFakeClock(Date.now()) },
  );
});
afterEach(async () => {
  await notify.remove();
  await hook.close();
});

function begin(then: 'wait' | 'send'): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const script = join(import.meta.dirname, 'killed-courier.fixture.ts');
  return spawn(process.execPath, [script, notify.state.path, hook.url, then], { stdio: ['ignore', 'pipe', 'inherit'] });
}
/** The killed one had the time of the machine. */
const untilNow = (): Promise<void> => notify.clock.advance(Math.max(0, Date.now() - notify.clock.now()));

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  expect((await exited)[1]).toBe('SIGKILL');
}
const told = () =>
  hook.received.map(({ body, headers }) => {
    new Webhook(signingKey).verify(body, headers);
    return JSON.parse(body).type;
  });

test('killed after the decision and before the delivery: the next life delivers it, and the end of it too', async () => {
  const child = begin('wait');
  await once(child.stdout, 'data');
  await kill(child);
  expect(hook.received).toEqual([]);
  await untilNow();
  await notify.turn();
  await notify.tell(resolved('cpu'));
  await notify.turn();
  expect(told()).toEqual(['alert.firing', 'alert.resolved']);
});

test('killed while the receiver had it and before that was written down: it comes twice, known as one by its id', async () => {
  const arrived = new Promise<void>((resolve) => {
    hook.answer = () => resolve();
  });
  const child = begin('send');
  await arrived;
  await kill(child);
  hook.answer = (_request, response) => response.end();
  await untilNow();
  await notify.turn();
  await notify.tell(resolved('cpu'));
  await notify.turn();
  expect(told()).toEqual(['alert.firing', 'alert.firing', 'alert.resolved']);
  const ids = hook.received.map(({ headers }) => headers['webhook-id']);
  expect(ids[0]).toBe(ids[1]);
  expect(ids[2]).not.toBe(ids[0]);
});
