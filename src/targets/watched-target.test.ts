import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { type Observation, unreachableObservation } from './observation.ts';
import { createWatchedTarget } from './watched-target.ts';

const intervalMs = 10_000;

/** A watched target whose adapter sees what the test says, at the clock's time. */
function watch() {
  const clock = createFakeClock();
  let next: Partial<Observation> = {};
  const words: string[] = [];
  const telling = { fails: false };
  const watched = createWatchedTarget({
    target: {
      id: 'default',
      kind: 'lightrag',
      kindFrom: 'default',
      sample: false,
      endpoints: [],
      stores: [{ name: 'workspace', kind: 'workspace-folder', path: '/srv/rag', separation: 'folder' }],
      workspaces: [''],
      userDataDir: undefined,
      paths: {},
      probeIntervalMs: intervalMs,
      probeTimeoutMs: 5_000,
      stopTimeoutMs: 1_000,
      startTimeoutMs: 1_000,
    },
    adapter: {
      answers: async () => true,
      probe: async () => ({
        ...unreachableObservation(clock.now(), { kind: 'unreachable', message: 'x' }, 5),
        reachable: true,
        kind: 'lightrag',
        pipelineBusy: false,
        documents: { processed: 1 },
        faults: [],
        ...next,
      }),
    },
    clock,
    log: silentLogger,
    onChange: async ({ before, status }) => {
      if (telling.fails) throw new Error('the disk is full');
      words.push(`${before} ${status.word}`);
    },
  });
  return {
    watched,
    clock,
    words,
    telling,
    async see(what: Partial<Observation>, afterMs = intervalMs) {
      next = what;
      await clock.advance(afterMs);
      await watched.probe();
      const { word, reasons } = watched.status();
      return [word, ...reasons.map((reason) => reason.code)];
    },
  };
}

const unfinished = { documents: { processed: 1, processing: 2, pending: 1 } };

test('documents that stand still for a minute while nothing works degrade the target, with their number', async () => {
  const { see, watched } = watch();
  for (let second = 0; second < 60; second += 10) expect(await see(unfinished)).toEqual(['HEALTHY']);
  expect(await see(unfinished)).toEqual(['DEGRADED', 'stuck-documents']);
  expect(watched.status().reasons[0]?.message).toContain('3 documents unfinished');
});

const at = (latestMessage: string) => ({
  ...unfinished,
  pipelineBusy: true,
  pipeline: { busy: true, jobName: 'a.txt', latestMessage, unflushed: true, recoveryRequired: false },
});

test('while the pipeline is busy and moves nothing is stuck, however long it takes', async () => {
  const { see } = watch();
  for (let minute = 0; minute < 60; minute += 1) expect(await see(at(`Chunk ${minute}`), 60_000)).toEqual(['HEALTHY']);
  // One that does not tell what it does cannot be told from one that stands still.
  for (let minute = 0; minute < 60; minute += 1)
    expect(await see({ ...unfinished, pipelineBusy: true }, 60_000)).toEqual(['HEALTHY']);
});

test('a pipeline that says it works and moves nothing for a quarter of an hour degrades the target, until it moves', async () => {
  const { see, watched } = watch();
  for (let minute = 0; minute < 15; minute += 1) expect(await see(at('Chunk 1'), 60_000)).toEqual(['HEALTHY']);
  expect(await see(at('Chunk 1'), 60_000)).toEqual(['DEGRADED', 'no-progress']);
  expect(watched.stuck()).toMatchObject({ cause: 'no-progress', documents: 3 });
  expect(await see(at('Chunk 2'), 60_000)).toEqual(['HEALTHY']);
});

test('what somebody else found stays until they take it back', async () => {
  const { see, watched } = watch();
  await see({});
  watched.noteFinding('canary', { code: 'canary-failed', message: 'x' });
  expect(await see({})).toEqual(['DEGRADED', 'canary-failed']);
  watched.noteFinding('canary', undefined);
  expect(await see({})).toEqual(['HEALTHY']);
});

test('a moment of work begins the minute anew', async () => {
  const { see } = watch();
  await see(unfinished);
  expect(await see(unfinished, 50_000)).toEqual(['HEALTHY']);
  await see({ ...unfinished, pipelineBusy: true });
  expect(await see(unfinished)).toEqual(['HEALTHY']);
  expect(await see(unfinished, 59_000)).toEqual(['HEALTHY']);
  expect(await see(unfinished, 1_000)).toEqual(['DEGRADED', 'stuck-documents']);
});

test('a probe that could not look does not', async () => {
  const { see } = watch();
  await see(unfinished);
  expect(await see({ reachable: false, faults: [{ kind: 'timeout', message: 'x' }] }, 30_000)).toEqual([
    'OFFLINE',
    'timeout',
  ]);
  expect(await see({ documents: undefined, faults: [{ kind: 'partial', message: 'x' }] }, 20_000)).toEqual([
    'DEGRADED',
    'partial',
  ]);
  expect(await see(unfinished, 10_000)).toEqual(['DEGRADED', 'stuck-documents']);
});

test('a flag that the backend leaves standing after a failure, and failed duplicates, are nothing to repair', async () => {
  const { see } = watch();
  const pipeline = { busy: false, jobName: '', latestMessage: '', unflushed: true, recoveryRequired: false };
  for (let minute = 0; minute < 5; minute += 1)
    expect(await see({ pipeline, documents: { processed: 1, failed: 7 } }, 60_000)).toEqual(['HEALTHY']);
});

test('each change of the word is told once', async () => {
  const { see, words } = watch();
  await see({});
  await see({});
  await see({ reachable: false, faults: [{ kind: 'unreachable', message: 'x' }] });
  await see({ reachable: false, faults: [{ kind: 'timeout', message: 'x' }] });
  await see({});
  expect(words).toEqual(['UNKNOWN HEALTHY', 'HEALTHY OFFLINE', 'OFFLINE HEALTHY']);
});

test('a change that could not be told is told by the next look', async () => {
  const { see, words, telling } = watch();
  await see({});
  telling.fails = true;
  await see({ reachable: false, faults: [{ kind: 'unreachable', message: 'x' }] });
  telling.fails = false;
  await see({ reachable: false, faults: [{ kind: 'unreachable', message: 'x' }] });
  await see({ reachable: false, faults: [{ kind: 'unreachable', message: 'x' }] });
  expect(words).toEqual(['UNKNOWN HEALTHY', 'HEALTHY OFFLINE']);
});

test('without a probe, and when probes stop coming, nothing is known', async () => {
  const { see, watched, clock } = watch();
  expect(watched.status()).toMatchObject({ word: 'UNKNOWN', reasons: [{ code: 'not-probed' }] });
  await see({});
  await clock.advance(3 * intervalMs + 5_001);
  expect(watched.status()).toMatchObject({ word: 'UNKNOWN', reasons: [{ code: 'stale' }] });
});

test('other folders than those watched, and damaged files, degrade a smiling backend', async () => {
  const { see, watched } = watch();
  expect(await see({ workingDirectory: '/elsewhere' })).toEqual(['DEGRADED', 'folder-mismatch']);
  expect(await see({ workingDirectory: '/srv/rag' })).toEqual(['HEALTHY']);
  watched.noteFiles({ atMs: 0, faults: [{ code: 'file-damaged', message: 'x' }] });
  expect(watched.status()).toMatchObject({ word: 'DEGRADED', reasons: [{ code: 'file-damaged' }] });
});
