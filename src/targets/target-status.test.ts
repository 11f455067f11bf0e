import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIdle, type Observation, unreachableObservation } from './observation.ts';
import { decideTargetStatus } from './target-status.ts';

const nowMs = Date.UTC(2026, 0, 1);
const well: Observation = {
  ...unreachableObservation(nowMs - 1_000, { kind: 'unreachable', message: '' }, 5),
  reachable: true,
  kind: 'lightrag',
  coreVersion: '1.5.7',
  pipelineBusy: false,
  pipelineActive: false,
  documents: { processed: 3, failed: 2 },
  faults: [],
};
const base = {
  observation: well,
  files: undefined,
  kind: 'lightrag' as const,
  folders: [],
  stuck: undefined,
  findings: [],
  nowMs,
  staleAfterMs: 30_000,
};
const decide = (change: Partial<Parameters<typeof decideTargetStatus>[0]>) => {
  const status = decideTargetStatus({ ...base, ...change });
  return [status.word, ...status.reasons.map((reason) => reason.code)];
};
const seen = (change: Partial<Observation>): { observation: Observation } => ({ observation: { ...well, ...change } });

test.each([
  ['a backend that was seen and has no fault', {}, ['HEALTHY']],
  ['one that was never probed', { observation: undefined }, ['UNKNOWN', 'not-probed']],
  ['an old probe', seen({ atMs: nowMs - 30_001 }), ['UNKNOWN', 'stale']],
  ['a probe just not too old', seen({ atMs: nowMs - 30_000 }), ['HEALTHY']],
  ['a probe from the future, after the clock was set back', seen({ atMs: nowMs + 30_001 }), ['UNKNOWN', 'stale']],
  [
    'nobody listening',
    { observation: unreachableObservation(nowMs, { kind: 'unreachable', message: 'x' }) },
    ['OFFLINE', 'unreachable'],
  ],
  [
    'no answer in time',
    { observation: unreachableObservation(nowMs, { kind: 'timeout', message: 'x' }) },
    ['OFFLINE', 'timeout'],
  ],
  ['a slow answer', seen({ latencyMs: 2_001 }), ['DEGRADED', 'slow']],
  [
    'a health call that answers 500',
    seen({ kind: undefined, faults: [{ kind: 'server-error', message: 'x' }] }),
    ['DEGRADED', 'server-error'],
  ],
  [
    'something else that answers',
    seen({ kind: 'unknown', faults: [{ kind: 'not-understood', message: 'x' }] }),
    ['DEGRADED', 'not-understood'],
  ],
  ['something unknown without a fault', seen({ kind: 'unknown' }), ['DEGRADED', 'not-understood']],
  [
    'smiling health and documents that fail',
    seen({ faults: [{ kind: 'partial', message: 'x' }] }),
    ['DEGRADED', 'partial'],
  ],
  [
    'a backend that fences writes',
    seen({ pipeline: { busy: false, jobName: '', latestMessage: '', unflushed: false, recoveryRequired: true } }),
    ['DEGRADED', 'recovery-required'],
  ],
  [
    'documents that nothing works on',
    { stuck: { cause: 'pipeline-idle', sinceMs: nowMs, documents: 1 } },
    ['DEGRADED', 'stuck-documents'],
  ],
  [
    'work that does not move',
    { stuck: { cause: 'no-progress', sinceMs: nowMs, documents: 1 } },
    ['DEGRADED', 'no-progress'],
  ],
  ['what somebody else found', { findings: [{ code: 'canary-failed', message: 'x' }] }, ['DEGRADED', 'canary-failed']],
  [
    'other folders than those watched',
    { folders: [{ code: 'folder-mismatch', message: 'x' }] },
    ['DEGRADED', 'folder-mismatch'],
  ],
  [
    'damaged files',
    { files: { atMs: nowMs, faults: [{ code: 'file-damaged', message: 'x' }] } },
    ['DEGRADED', 'file-damaged'],
  ],
] as const)('%s', (_name, change, expected) => {
  expect(decide(change as Parameters<typeof decide>[0])).toEqual(expected); // readonly tables, same values
});

test('a stuck document is counted in words that say what to know', () => {
  const { reasons } = decideTargetStatus({
    ...base,
    stuck: { cause: 'pipeline-idle', sinceMs: nowMs - 90_000, documents: 3 },
  });
  expect(reasons.map((reason) => reason.message)).toEqual([
    '3 documents unfinished while the pipeline is idle for 90 s; the backend will not resume by itself.',
  ]);
});

const observations = fc.record({
  atMs: fc.integer({ min: nowMs - 100_000, max: nowMs + 100_000 }),
  reachable: fc.boolean(),
  latencyMs: fc.option(fc.integer({ min: 0, max: 10_000 }), { nil: undefined }),
  kind: fc.constantFrom('lightrag' as const, 'unknown' as const, undefined),
  pipelineBusy: fc.option(fc.boolean(), { nil: undefined }),
  pipelineActive: fc.option(fc.boolean(), { nil: undefined }),
  faults: fc.array(fc.constant({ kind: 'partial' as const, message: 'x' }), { maxLength: 2 }),
});

test('healthy is only what was seen lately, is the backend, and has no reason against it', () => {
  fc.assert(
    fc.property(fc.option(observations, { nil: undefined }), (given) => {
      const observation = given && { ...well, ...given };
      const status = decideTargetStatus({ ...base, observation });
      expect(status.word === 'HEALTHY').toBe(
        observation !== undefined &&
          Math.abs(nowMs - observation.atMs) <= base.staleAfterMs &&
          observation.reachable &&
          observation.kind === 'lightrag' &&
          observation.faults.length === 0 &&
          (observation.latencyMs ?? 0) <= 2_000,
      );
      if (status.word === 'UNKNOWN' || status.word === 'DEGRADED') expect(status.reasons).not.toHaveLength(0);
      if (status.word === 'HEALTHY') expect(status.reasons).toHaveLength(0);
    }),
  );
});

test.each([
  [{}, true],
  [{ reachable: false }, undefined],
  [{ pipelineActive: undefined, pipelineBusy: undefined }, undefined],
  [{ pipelineActive: undefined, pipelineBusy: true }, false],
  [{ pipelineActive: true, pipelineBusy: false }, false],
  [{ pipelineActive: false, pipelineBusy: true }, false],
  [{ pipeline: { busy: true, jobName: '', latestMessage: '', unflushed: false, recoveryRequired: false } }, false],
  [{ pipeline: { busy: false, jobName: '', latestMessage: '', unflushed: true, recoveryRequired: false } }, true],
] as const)('whether a backend is idle is only said when it tells: %j', (change, idle) => {
  expect(isIdle({ ...well, ...change })).toBe(idle);
});
