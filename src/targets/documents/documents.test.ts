import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SampleBackend, startSampleBackend } from '../../../examples/sample-backend/server.ts';
import { createEventLog } from '../../events/index.ts';
import { createMetricRegistry } from '../../metrics/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations } from '../../operations/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { createHttpClient } from '../../platform/http-client.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createCanary } from '../canary/canary.ts';
import { createLightragAdapter } from '../lightrag/lightrag-adapter.ts';
import { createLightragConnection } from '../lightrag/lightrag-connection.ts';
import { createLightragDocuments } from '../lightrag/lightrag-documents.ts';
import { createLightragRetrieval } from '../lightrag/lightrag-retrieval.ts';
import { createWatchedTarget } from '../watched-target.ts';
import { createDocumentStore } from './document-store.ts';
import { createDocumentWatch } from './document-watch.ts';
import { createIngestMetrics } from './ingest-metrics.ts';
import { createReprocessing } from './reprocess.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-documents-'));
const http = createHttpClient();
const log = silentLogger;
const clock = systemClock;
const place = { targetId: 'default', workspace: '' };
const never = new AbortController().signal;
let state: TestState;
let sample: SampleBackend;
const steps: string[] = [];

const startSample = () =>
  startSampleBackend(
    {
      port: 0,
      workingDir: join(folder, 'w'),
      inputDir: join(folder, 'i'),
      workspace: '',
      apiKey: 'k',
      accounts: [],
      version: '1.5.7',
      writerMode: 'atomic',
      documentDelayMs: 0,
      embeddingDimension: 64,
      chunkTokens: 1200,
      overlapTokens: 100,
      faults: true,
    },
    () => undefined,
  );

beforeAll(async () => {
  state = await openTestState();
  sample = await startSample();
});
afterAll(async () => {
  await sample.close();
  await http.close();
  await state.remove();
  rmSync(folder, { recursive: true });
});

/** One life of ragwarden, as far as documents are its business. Nothing runs by itself. */
function live() {
  const endpoint = { url: sample.url, workspace: '', apiKey: 'k', username: undefined, password: undefined };
  const reaching = { endpoint, http, clock, timeoutMs: 5_000 };
  const connection = createLightragConnection(reaching);
  const documents = createLightragDocuments(connection);
  const watched = createWatchedTarget({
    target: {
      ...{
        id: 'default',
        kind: 'lightrag',
        kindFrom: 'settings',
        sample: true,
        endpoints: [endpoint],
        stores: [],
        workspaces: [''],
      },
      ...{ userDataDir: undefined, paths: {}, probeIntervalMs: 10_000, probeTimeoutMs: 5_000 },
      ...{ stopTimeoutMs: 1_000, startTimeoutMs: 1_000 },
    },
    adapter: createLightragAdapter({ ...reaching, connection }),
    clock,
    log,
    onChange: async () => undefined,
    onObservation: (seen) => watch.noteObservation(seen),
    stuckLimits: () => ({ idleMs: 0, noProgressMs: 900_000 }),
  });
  const events = createEventLog({ db: state.db, clock, instance: 'test' });
  const operations = createOperations({ db: state.db, clock, log, events, instance: 'test' });
  const registry = createMetricRegistry({ clock });
  const watch = createDocumentWatch({
    ...{ place, documents, store: createDocumentStore(state.db), metrics: createIngestMetrics(registry) },
    ...{ db: state.db, events, clock, log, stuck: watched.stuck },
    limits: () => ({ most: 10, longestMs: 60_000 }),
  });
  const policy = { enabled: true, mostPerDay: 4 };
  const reprocessing = createReprocessing({
    ...{ place, documents, operations, events, db: state.db, clock, log },
    ...{ probe: () => watched.probe(), stuck: watched.stuck, policy: () => policy },
    async holdInserts() {
      steps.push('held');
      return async () => steps.push('released');
    },
  });
  const canary = createCanary({
    place,
    settings: () => ({
      question: 'Who keeps the lamp of the ragwarden canary?',
      expected: 'Ottilie Rabenau',
      document: 'The lamp of the ragwarden canary is kept by Ottilie Rabenau.',
      mode: 'naive',
      timeoutMs: 5_000,
    }),
    ...{ intervalMs: 60_000, retrieve: createLightragRetrieval(connection), documents },
    ...{ answers: () => watched.observation()?.reachable === true, indexDimension: () => 64 },
    ...{ onFinding: (finding) => watched.noteFinding('canary', finding), operations, events, registry },
    ...{ db: state.db, clock, log },
  });
  const eventTypes = async (): Promise<string[]> =>
    (await events.list({ limit: 100, order: 'oldest-first' })).map((one) => one.type);
  const audited = async (): Promise<string[]> =>
    (await events.listAudit({ limit: 100 })).map((one) => `${one.actor} ${one.action} ${one.object}`);
  return {
    audited,
    ...{ documents, watched, watch, reprocessing, canary, operations, registry, eventTypes },
    async look() {
      await watched.probe();
      await watch.look();
      return watch.report();
    },
  };
}

const sums = (ended: readonly { outcome: string; cause: string | null; documents: number }[]) =>
  Object.fromEntries(ended.map((one) => [[one.outcome, one.cause].filter(Boolean).join(' '), one.documents]));

test('documents are counted by outcome and cause, each end once, also what ended while nobody looked', async () => {
  const first = live();
  await first.documents.insert('The Skagen Lighthouse guards the Kattegat.', 'before.txt');
  await sample.backend.pipeline.idle();
  expect((await first.look()).ended).toEqual([]);
  await first.documents.insert('The Amber Route leads to the Baltic Sea.', 'a.txt');
  await first.documents.insert('The Amber Route leads to the Baltic Sea.', 'same.txt');
  await sample.backend.pipeline.idle();
  const seen = await first.look();
  expect(sums(seen.ended)).toEqual({ processed: 1, 'duplicate duplicate': 1 });
  expect(seen.latency).toMatchObject({ documents: 2 });

  sample.backend.faults.fail_extraction = true;
  await first.documents.insert('The Copper Mine lies beside the Salt Road.', 'b.txt');
  await sample.backend.pipeline.idle();
  sample.backend.faults.fail_extraction = false;
  const second = live();
  for (let look = 0; look < 2; look += 1) {
    const report = await second.look();
    expect(sums(report.ended)).toEqual({ processed: 1, 'duplicate duplicate': 1, 'failed model': 1 });
    expect(report.failed.map((one) => one.filePath)).toEqual(['b.txt']);
    expect(report.latency).toMatchObject({ documents: 2 });
  }
  await second.registry.collect();
  const family = second.registry.families().find((one) => one.definition.name === 'ragwarden_documents_ended_total');
  expect(family?.present.reduce((sum, one) => sum + one, 0)).toBe(3);
});

test('an insert is followed to its end, and found again after a restart by what is unfinished', async () => {
  const first = live();
  await first.look();
  sample.backend.faults.hold_at = 'processing';
  const trackId = await first.documents.insert('Glass Works stand at Köpenick.', 'c.txt');
  first.watch.follow({ trackId: trackId ?? '', acceptedMs: clock.now(), subject: 'alice' });
  await expect.poll(async () => (await first.look()).inFlight).toBe(1);

  const second = live();
  expect((await second.look()).insertsFollowed).toBe(1);
  sample.backend.faults.hold_at = '';
  await sample.backend.pipeline.idle();
  // Asked for when it is due, a second later.
  await expect
    .poll(
      async () => {
        await Promise.all([first.watch.followOnce(), second.watch.followOnce()]);
        return [first, second]
          .flatMap(({ watch }) => watch.report().inserts)
          .map((end) => [end.trackId, end.outcome, end.subject, end.documents]);
      },
      { timeout: 60_000, interval: 100 },
    )
    .toEqual([
      [trackId, 'processed', 'alice', 1],
      [trackId, 'processed', null, 1],
    ]);
  expect((await second.look()).insertsFollowed).toBe(0);
});

test('documents that a restart of the backend left behind are stuck, and are taken up again when asked', async () => {
  sample.backend.faults.hold_at = 'analyzing';
  await live().documents.insert('The Ice Road leads to the Amber Coast.', 'd.txt');
  await expect.poll(async () => (await live().look()).counts?.analyzing).toBe(1);
  await sample.close();
  sample = await startSample();

  const { look, reprocessing, operations, eventTypes, watched, audited } = live();
  expect((await look()).stuck).toMatchObject({
    cause: 'pipeline-idle',
    documents: 1,
    listed: [{ filePath: 'd.txt', status: 'analyzing' }],
  });
  expect(watched.status()).toMatchObject({ word: 'DEGRADED', reasons: [{ code: 'stuck-documents' }] });

  steps.length = 0;
  // A retry asked for while it works would block the real one for ever.
  sample.backend.faults.hold_busy = true;
  const refused = await operations.wait((await reprocessing.begin({ failedToo: false, requestedBy: 'me' })).id);
  expect(refused).toMatchObject({ state: 'failed', error: { code: 'conflict/state' } });
  sample.backend.faults.hold_busy = false;

  const begun = await reprocessing.begin({ failedToo: false, requestedBy: 'me' });
  expect(await operations.wait(begun.id)).toMatchObject({
    state: 'succeeded',
    result: { unfinished: 1, failed: 1, listed: 1, moved: 1 },
  });
  await sample.backend.pipeline.idle();
  expect((await look()).stuck).toBeNull();
  expect(watched.status().word).toBe('HEALTHY');
  expect(steps).toEqual(['held', 'released', 'held', 'released']);
  expect(await audited()).toEqual(['me documents.reprocess default']);
  expect(await eventTypes()).toEqual(['ingest.stuck', 'operation.failed', 'ingest.reprocessed', 'ingest.moving-again']);
});

test('the policy asks by itself, not while something holds the target, and not again within the pause', async () => {
  sample.backend.faults.hold_at = 'parsing';
  await live().documents.insert('Über die Havel führt die Glienicker Brücke.', 'e.txt');
  await expect.poll(async () => (await live().look()).counts?.parsing).toBe(1);
  await sample.close();
  sample = await startSample();
  sample.backend.faults.hold_at = 'parsing';

  const { look, reprocessing, operations } = live();
  await look();
  const attempts = async () =>
    (await operations.list({ kind: 'documents.reprocess', limit: 10 })).filter(
      (one) => one.requestedBy === 'ragwarden',
    );
  let finish: () => void = () => undefined;
  const held = await operations.start({
    ...{ kind: 'backup.create', targetId: 'default', input: {}, requestedBy: 'me' },
    run: () =>
      new Promise<void>((resolve) => {
        finish = resolve;
      }),
  });
  await reprocessing.runOnce();
  expect(await attempts()).toEqual([]);
  finish();
  await operations.wait(held.id);
  await reprocessing.runOnce();
  expect(await attempts()).toMatchObject([{ state: 'succeeded', result: { moved: 1 } }]);
  await reprocessing.runOnce();
  expect(await attempts()).toHaveLength(1);
  expect(await reprocessing.attempts()).toMatchObject({ today: 1, nextMs: expect.any(Number) });
  sample.backend.faults.hold_at = '';
  await sample.backend.pipeline.idle();
});

test('a canary finds what was planted, and its failing degrades a backend whose health smiles', async () => {
  const { canary, watched, operations, documents, eventTypes } = live();
  await watched.probe();
  const before = (await eventTypes()).length;
  expect((await canary.check()).verdict).toBe('empty');
  const planting = await canary.plant({ requestedBy: 'me' });
  expect(await operations.wait(planting.id)).toMatchObject({
    state: 'succeeded',
    result: { planted: true, verdict: 'passed' },
  });
  const again = await operations.wait((await canary.plant({ requestedBy: 'me' })).id);
  expect(again).toMatchObject({ result: { planted: false, verdict: 'passed' } });
  expect(watched.status().word).toBe('HEALTHY');

  Object.assign(sample.backend.faults, { only: '/query', status: 500 });
  for (let run = 0; run < 2; run += 1) expect((await canary.check()).verdict).toBe('error');
  await watched.probe();
  expect(watched.status()).toMatchObject({ word: 'DEGRADED', reasons: [{ code: 'canary-failed' }] });
  Object.assign(sample.backend.faults, { only: '', status: 0 });
  expect((await canary.check()).verdict).toBe('passed');
  expect(watched.status().word).toBe('HEALTHY');

  canary.noteEmbeddingDimension(63);
  expect(await canary.check()).toMatchObject({ verdict: 'dimension', dimensions: { index: 64, embedding: 63 } });
  expect((await eventTypes()).slice(before)).toEqual([
    'canary.failed',
    'canary.passed-again',
    'canary.failed',
    'canary.passed-again',
    'canary.failed',
  ]);
  expect(await documents.track('nobody-knows-it', never)).toEqual([]);
});
