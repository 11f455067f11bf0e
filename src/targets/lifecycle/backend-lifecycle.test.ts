import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createChildProcesses, systemSearchPath } from '../../platform/child-processes/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import type { Target } from '../target.ts';
import { createBackendLifecycle, type LifecycleDriver } from './backend-lifecycle.ts';

const never = new AbortController().signal;
let folder: string;
let clock: ReturnType<typeof createFakeClock>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-lifecycle-'));
  writeFileSync(join(folder, 'kv_store_doc_status.json'), '{}');
  clock = createFakeClock();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const target = (): Target => ({
  id: 'default',
  kind: 'lightrag',
  kindFrom: 'default',
  sample: false,
  endpoints: [
    { url: 'http://127.0.0.1:9621', workspace: '', apiKey: undefined, username: undefined, password: undefined },
  ],
  stores: [{ name: 'workspace', kind: 'workspace-folder', path: folder, separation: 'folder' }],
  workspaces: [''],
  userDataDir: undefined,
  paths: {},
  probeIntervalMs: 1_000,
  probeTimeoutMs: 1_000,
  stopTimeoutMs: 5_000,
  startTimeoutMs: 30_000,
});

function lifecycle(more: {
  driver?: LifecycleDriver;
  answers?: () => Promise<boolean>;
  healthy?: () => Promise<boolean>;
}) {
  const said: string[] = [];
  const backend = createBackendLifecycle({
    target: target(),
    driver: more.driver,
    answers: more.answers ?? (async () => false),
    healthy: more.healthy ?? (async () => true),
    clock,
    log: silentLogger,
    ownPids: () => new Set(),
  });
  return { backend, said, progress: (message: string) => said.push(message) };
}
const driver = (more: Partial<LifecycleDriver> = {}): LifecycleDriver => ({
  automatic: true,
  describe: { stop: 'stop it', start: 'start it' },
  stop: async () => undefined,
  start: async () => undefined,
  ...more,
});

/** Moves the fake clock whenever somebody sleeps by it, until the work is over. */
async function play<T>(work: Promise<T>, each: () => void = () => undefined): Promise<T> {
  let over = false;
  const ended = work.then(
    () => undefined,
    () => undefined,
  );
  void ended.then(() => {
    over = true;
  });
  while (!over) {
    if (clock.sleeping() > 0) {
      each();
      await clock.advance(1_000);
    } else await new Promise((resolve) => setImmediate(resolve));
  }
  return work;
}

test('stopped means: no answer, nobody in the folders, and nothing moves for two seconds', async () => {
  const { backend, said, progress } = lifecycle({ driver: driver() });
  const before = clock.now();
  await play(backend.stop(never, progress));
  expect(clock.now() - before).toBeGreaterThanOrEqual(2_000);
  expect(said).toEqual(['stop it']);
});

test('a backend that answers on is not released, and the error names where', async () => {
  const { backend, said, progress } = lifecycle({ driver: driver(), answers: async () => true });
  await expect(play(backend.stop(never, progress))).rejects.toMatchObject({
    code: 'target/in-use',
    detail:
      'The backend of default did not let go of its files: it still answers at http://127.0.0.1:9621. Stop it and try again.',
  });
  expect(said).toEqual(['stop it', 'waiting: it still answers at http://127.0.0.1:9621']);
});

test('a folder that keeps changing is not released, and the error names it', async () => {
  const { backend } = lifecycle({ driver: driver() });
  const writing = () => appendFileSync(join(folder, 'kv_store_doc_status.json'), ' ');
  await expect(play(backend.stop(never), writing)).rejects.toMatchObject({
    code: 'target/in-use',
    detail: expect.stringContaining(`somebody still writes in ${folder}`),
  });
});

test('a backend that comes back in the two quiet seconds is not stopped', async () => {
  let asked = 0;
  const { backend } = lifecycle({
    driver: driver(),
    answers: async () => {
      asked += 1;
      return asked % 2 === 0;
    },
  });
  await expect(play(backend.stop(never))).rejects.toMatchObject({ code: 'target/in-use' });
});

test.skipIf(process.platform !== 'linux')('the proof waits until the process that holds a file is gone', async () => {
  const children = createChildProcesses({
    log: silentLogger,
    clock: systemClock,
    recordDir: join(folder, '.ragwarden'),
  });
  try {
    let ready: () => void = () => undefined;
    const holds = new Promise<void>((resolve) => {
      ready = resolve;
    });
    const child = await children.start({
      program: 'sh',
      args: ['-c', 'exec 9<"$1"; echo ready; exec sleep 600', 'sh', join(folder, 'kv_store_doc_status.json')],
      env: { PATH: systemSearchPath },
      purpose: 'holding a file',
      onStdoutLine: () => ready(),
    });
    await holds;
    const { backend, said, progress } = lifecycle({ driver: driver() });
    let stopped = false;
    const stopping = backend.stop(never, (message) => {
      progress(message);
      if (message.startsWith('waiting')) void child.stop(0);
    });
    void stopping.then(() => {
      stopped = true;
    });
    // The clock stands while the holder ends, so that its end and not the deadline decides.
    await expect.poll(() => said.length).toBe(2);
    expect(stopped).toBe(false);
    await child.exited;
    await play(stopping);
    expect(said[1]).toBe(`waiting: process ${child.pid} (sleep) holds ${join(folder, 'kv_store_doc_status.json')}`);
  } finally {
    await children.stop();
  }
});

test('a cancelled stop ends, and is no proof', async () => {
  const stop = new AbortController();
  const reason = new Error('cancelled');
  const { backend } = lifecycle({
    driver: driver(),
    answers: async () => {
      stop.abort(reason);
      return false;
    },
  });
  await expect(play(backend.stop(stop.signal))).rejects.toBe(reason);
});

test('a stop or start that fails says which, and why', async () => {
  const broken = async (): Promise<never> => {
    throw new Error('no such unit');
  };
  const { backend } = lifecycle({ driver: driver({ stop: broken, start: broken }) });
  await expect(backend.stop(never)).rejects.toMatchObject({
    code: 'target/lifecycle-failed',
    detail: 'The backend of default could not be stopped: no such unit',
  });
  await expect(backend.start(never)).rejects.toMatchObject({
    code: 'target/lifecycle-failed',
    detail: 'The backend of default could not be started: no such unit',
  });
});

test('started means healthy; what never becomes healthy is an error after the timeout', async () => {
  let asked = 0;
  const soon = lifecycle({
    driver: driver(),
    healthy: async () => {
      asked += 1;
      return asked === 5;
    },
  });
  await play(soon.backend.start(never));
  expect(asked).toBe(5);
  const sick = lifecycle({ driver: driver(), healthy: async () => false });
  await expect(play(sick.backend.start(never))).rejects.toMatchObject({
    code: 'target/lifecycle-failed',
    detail: expect.stringContaining('not healthy 30 s after its start'),
  });
});

test('without a configured lifecycle the operator is told what to do and waited for', async () => {
  let answering = true;
  const { backend, said, progress } = lifecycle({ answers: async () => answering });
  expect(backend.automatic).toBe(false);
  expect(backend.describe.stop).toContain('wait until you have stopped the backend of default (at most 5 s');
  let seconds = 0;
  await play(backend.stop(never, progress), () => {
    seconds += 1;
    if (seconds === 3) answering = false;
  });
  expect(said).toEqual([backend.describe.stop, 'waiting: it still answers at http://127.0.0.1:9621']);
});

test('a sign of life names where the backend answers again', async () => {
  expect(await lifecycle({}).backend.findSignOfLife()).toBeUndefined();
  expect(await lifecycle({ answers: async () => true }).backend.findSignOfLife()).toBe(
    'it answers at http://127.0.0.1:9621',
  );
});

test('being gone is expected from the stop to the start, or until the work is over', async () => {
  const { backend } = lifecycle({ driver: driver() });
  expect(backend.isExpectedDown()).toBe(false);
  await play(backend.stop(never));
  expect(backend.isExpectedDown()).toBe(true);
  await play(backend.start(never));
  expect(backend.isExpectedDown()).toBe(false);
  await play(backend.stop(never));
  backend.expectUp();
  expect(backend.isExpectedDown()).toBe(false);
});
