import { expect, test } from 'vitest';
import type { Observation, StuckWork } from '../targets/index.ts';
import { followQueues, judgeIndexing } from './judge-work.ts';

const atMs = Date.UTC(2026, 0, 5, 12);
type Queue = NonNullable<Observation['queues']>[number];
const queue: Queue = {
  ...{ name: 'extract', queued: 0, running: 4, mostRunning: 4, mostQueued: 1_000, failed: 0, rejected: 0 },
};
const seen = (more: Partial<Observation> = {}): Observation => ({
  ...{ atMs, reachable: true, latencyMs: 1, kind: 'lightrag', coreVersion: '1.5.7', apiVersion: undefined },
  ...{ authMode: undefined, pipelineBusy: false, pipelineActive: false, documents: { processed: 3 } },
  pipeline: { busy: false, jobName: '', latestMessage: '', unflushed: false, recoveryRequired: false },
  ...{ workingDirectory: undefined, inputDirectory: undefined, embeddingModel: undefined, storageClasses: undefined },
  ...{ faults: [], queues: [queue], ...more },
});
const pipeline = (more: Partial<NonNullable<Observation['pipeline']>>): Partial<Observation> => ({
  pipeline: {
    ...{ busy: false, jobName: 'a.txt', latestMessage: '', unflushed: false, recoveryRequired: false },
    ...more,
  },
});
const stuck: StuckWork = { cause: 'pipeline-idle', sinceMs: 0, documents: 2 };

test.each<[string, Partial<Observation>, StuckWork | undefined, string, string]>([
  ['rests', {}, undefined, 'healthy', 'Nothing is worked on.'],
  ['works', pipeline({ busy: true }), undefined, 'healthy', 'Documents are worked on.'],
  ['left documents lying', {}, stuck, 'degraded', '2 document(s) are unfinished, and nothing works on them.'],
  ['stands still', {}, { ...stuck, cause: 'no-progress' }, 'degraded', 'The pipeline says that it works, and nothing'],
  ['tells nothing', { documents: undefined, pipeline: undefined }, undefined, 'unknown', 'does not say'],
])('a pipeline that %s', (_, more, work, status, message) => {
  const found = judgeIndexing(seen(more), work);
  expect(found.status).toBe(status);
  expect(found.message).toContain(message);
  expect(found.blocks).toBeUndefined();
});

test('a pipeline that wants its recovery takes no documents, and is the only one that blocks them', () => {
  const found = judgeIndexing(seen(pipeline({ recoveryRequired: true, pendingEnqueues: 2 })), stuck);
  expect(found).toMatchObject({ status: 'degraded', blocks: ['ingest'] });
  expect(found.metrics).toEqual({
    documents: { processed: 3 },
    pipeline: { busy: false, job: 'a.txt', pending_enqueues: 2, recovery_required: true, stuck_documents: 2 },
  });
});

test.each([
  ['is empty', { queued: 0 }, 'healthy'],
  ['is below four fifths', { queued: 799 }, 'healthy'],
  ['is four fifths full', { queued: 800 }, 'degraded'],
  ['has no end', { queued: 5_000, mostQueued: 0 }, 'healthy'],
])('a queue of calls that %s', (_, more, status) => {
  const found = followQueues()(seen({ queues: [{ ...queue, ...more }] }));
  expect(found.status).toBe(status);
  expect(found.metrics?.extract).toMatchObject({ running: 4, max_async: 4, failed_total: 0 });
});

test('calls that were turned away since the last probe are told until the next, and a restart is none', () => {
  const follow = followQueues();
  const probe = (rejected: number) => seen({ queues: [{ ...queue, rejected }] });
  expect(follow(probe(7)).status).toBe('healthy');
  const full = probe(9);
  expect(follow(full)).toMatchObject({ status: 'degraded', message: 'The queue extract turned 2 call(s) away.' });
  expect(follow(full).status).toBe('degraded');
  expect(follow(probe(9)).status).toBe('healthy');
  expect(follow(probe(0)).status).toBe('healthy');
});

test('a backend that tells nothing of queues is none the worse', () => {
  expect(followQueues()(seen({ queues: undefined })).status).toBe('healthy');
});
