import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { heldClock, openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { silentLogger } from '../platform/logging.ts';
import { createIngestMetrics } from '../targets/index.ts';
import { createTraffic, type Traffic, trafficDefinitions } from '../traffic/index.ts';
import { called, seen } from '../traffic/test-exchanges.ts';
import { foresee } from './consequence.ts';
import { describeEstimate, estimateWork, type PastWork, readPastWork } from './past-work.ts';
import { readFigures } from './watch/read-figures.ts';

const start = Date.UTC(2026, 0, 5, 12);
const place = { targetId: 'default', workspace: 'library' };

describe('from what was recorded', () => {
  const clock = heldClock(start);
  let made: TestMetrics;
  let traffic: Traffic;

  beforeAll(async () => {
    made = await openMetrics({ clock, own: trafficDefinitions });
    const prices = [
      { model: 'gpt-4o-mini', inputUsd: 1, outputUsd: 5 },
      { model: 'embedder', inputUsd: 2, outputUsd: 0 },
    ];
    traffic = createTraffic({ recorder: made.metrics.recorder, clock, log: silentLogger, prices });
    const ingest = createIngestMetrics(made.registry);
    const up = made.registry.gauge({ name: 'ragwarden_canary_passed', help: 'x', labels: ['target', 'workspace'] });
    ingest.setTotals(place, [{ outcome: 'processed', cause: null, documents: 5 }]);
    up.labels('default', 'library').set(1);
    await made.metrics.history.sampleOnce();
    clock.at = start + 60_000;
    ingest.setTotals(place, [{ outcome: 'processed', cause: null, documents: 9 }]);
    traffic.observe([
      called({ call: 'chat', promptTokens: 1_000_000, completionTokens: 200_000 }, { atMs: clock.at, totalMs: 8_000 }),
      called(
        { call: 'embeddings', model: 'embedder', promptTokens: 500_000, completionTokens: null },
        { atMs: clock.at, totalMs: 4_000 },
      ),
      ...Array.from({ length: 18 }, () => seen({ atMs: clock.at, totalMs: 900 })),
      seen({ atMs: clock.at, outcome: 'upstream_error', status: 502, totalMs: 2_500 }),
      seen({ atMs: clock.at, outcome: 'client_error', status: 400 }),
    ]);
    up.labels('default', 'library').set(0);
    await made.metrics.history.sampleOnce();
    clock.at = start + 120_000;
  });
  afterAll(() => made.remove());

  test('what documents took is what calls of models took meanwhile', async () => {
    expect(await readPastWork(made.metrics.history, 'default', clock.at)).toMatchObject({
      documents: 4,
      chat: { calls: 1, seconds: 8, usd: expect.closeTo(2) },
      embeddings: { calls: 1, seconds: 4, usd: expect.closeTo(1) },
      documentSeconds: null,
    });
    expect(await readPastWork(made.metrics.history, 'default', start - 1)).toMatchObject({ documents: 0, chat: null });
  });

  test('the figures of a stretch of time are those of who could be answered, and of the question whose answer is known', async () => {
    expect(await readFigures(made.metrics.history, 'default', start + 1, clock.at)).toEqual({
      requests: 19,
      failed: 1,
      answers: { query: { requests: 19, p95Ms: expect.closeTo(2_500, -2) } },
      canary: false,
    });
    expect(await readFigures(made.metrics.history, 'default', start - 60_000, start)).toEqual({
      ...{ requests: 0, failed: 0, answers: {}, canary: true },
    });
    expect(await readFigures(made.metrics.history, 'another', start, clock.at)).toMatchObject({
      requests: 0,
      canary: null,
    });
  });
});

const past: PastWork = {
  ...{ days: 30, documents: 10, documentSeconds: 60 },
  chat: { calls: 100, seconds: 1_000, usd: 5 },
  embeddings: { calls: 20, seconds: 40, usd: 0.5 },
};
const parallel = { chat: 4, embeddings: 2 };

test('the work is as many times that of the past as there are documents, shared by the calls that are made at once', () => {
  expect(estimateWork(past, { documents: 100, reads: false }, parallel)).toMatchObject({ usd: 5, seconds: 200 });
  expect(estimateWork(past, { documents: 100, reads: true }, parallel)).toMatchObject({ usd: 55, seconds: 2_700 });
});

test.each([
  ['nobody looked', undefined, 5, 'was not looked at'],
  ['nothing was read', { ...past, documents: 0 }, 5, 'no document was read in the last 30 days'],
  ['the documents are not counted', past, undefined, 'could not be counted'],
  ['nothing passed the gateway', { ...past, embeddings: null }, 5, 'no calls of models passed the gateway'],
])('where %s it is said to be unknown, and no number is made up', (_, of, documents, why) => {
  const found = estimateWork(of, { documents, reads: false }, parallel);
  expect(found).toMatchObject({ usd: null, seconds: null });
  expect(describeEstimate(found)).toContain(why);
});

test('without calls of models, reading takes at most what the documents took one after the other, and no money is named', () => {
  const found = estimateWork({ ...past, chat: null, embeddings: null }, { documents: 30, reads: true }, parallel);
  expect(found).toMatchObject({ usd: null, seconds: 1_800 });
  expect(describeEstimate(found)).toContain('It takes 30 min. At most, by the 10 documents');
  const unpriced = { ...past, chat: { calls: 1, seconds: 1, usd: null } };
  expect(estimateWork(unpriced, { documents: 30, reads: true }, parallel)).toMatchObject({
    usd: null,
    basis: expect.stringContaining('of a model no price is known'),
  });
});

test('the guard says it with the numbers of the index', () => {
  const facts = { graphId: 'main', documents: 100, chunks: 10, entities: 20, relations: 30, dimension: 1_024 };
  const change = [{ parameter: 'vector_dimension', before: 1_024, after: 768 }];
  const [found] = foresee(change, { ...facts, embeddingModel: undefined, past, parallel });
  expect(found).toMatchObject({ destructive: true, embeddings: 60, estimate: { usd: 5, seconds: 200 } });
  expect(found?.message).toContain('It takes 3 min and 5.00 USD. At most, by 10 documents and 20 calls of models');
  const [unknown] = foresee(change, { ...facts, embeddingModel: undefined });
  expect(unknown?.message).toContain('What it takes is not known');
});
