import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Observation } from '../../targets/index.ts';
import { findParameter } from '../catalogue/index.ts';
import { type TuningValue, violation } from '../parameter.ts';
import { adviceRules, advise } from './advise.ts';
import type { AdviceFacts, CallFacts, QueueFacts } from './facts.ts';
import { guidePage } from './guide-page.ts';
import { createLookSamples } from './look-samples.ts';

const hour = 3_600_000;
const nothing: AdviceFacts = {
  graphId: 'default',
  kind: 'lightrag',
  window: { fromMs: 0, toMs: 24 * hour },
  queries: undefined,
  searches: undefined,
  chat: undefined,
  embeddings: undefined,
  rerank: undefined,
  queues: undefined,
  answers: undefined,
  replies: undefined,
  index: undefined,
  storageClasses: undefined,
  hasReranker: undefined,
  values: new Map(),
};
const usualValues: Record<string, TuningValue> = {
  ...{ max_async_llm: 4, embedding_func_max_async: 8, max_parallel_insert: 3, llm_timeout: 240, embedding_timeout: 30 },
  ...{ top_k: 40, chunk_top_k: 20, max_total_tokens: 30_000, max_entity_tokens: 6_000, max_relation_tokens: 8_000 },
  ...{ cosine_threshold: 0.2, min_rerank_score: 0, cache_enabled: true, enable_llm_cache_for_extract: true },
  ...{ enable_rerank: true, chunk_size: 1_200, graphrag_concurrent_requests: 25 },
};
const queue = (name: string, differs: Partial<QueueFacts> = {}): QueueFacts => ({
  ...{ name, samples: 100, fromMs: 0, toMs: hour, mostRunning: 4, saturated: 0, meanQueued: 0 },
  ...differs,
});
const calls = (differs: Partial<CallFacts> = {}): CallFacts => ({
  ...{ calls: 100, rateLimited: 0, p95Ms: 1_000, givenUp: 0, givenUpAfterMs: undefined },
  ...differs,
});
const asked = (differs: Partial<NonNullable<AdviceFacts['queries']>> = {}) => ({
  ...{ count: 100, p95Ms: 2_000, empty: 0, failed: 0 },
  ...differs,
});
const MiB = 1024 ** 2;
/** Everything was measured, and nothing is out of the ordinary. */
const well: AdviceFacts = {
  ...nothing,
  queries: asked(),
  searches: asked({ p95Ms: 300 }),
  chat: calls(),
  embeddings: calls(),
  rerank: calls({ p95Ms: 100 }),
  queues: ['extract', 'keyword', 'query', 'embedding', 'rerank'].map((name) => queue(name)),
  answers: { queries: 300, made: 200 },
  replies: { busy: { samples: 50, p95Ms: 30 }, idle: { samples: 50, p95Ms: 10 } },
  index: {
    ...{ atMs: 0, documents: 100, chunks: 400, cacheRows: 2_000, cachedAnswers: 500, outdatedAnswers: 10 },
    outdatedBytes: 20_000,
    files: [
      { name: 'vdb_entities.json', bytes: 20 * MiB },
      { name: 'kv_store_text_chunks.json', bytes: 3 * MiB },
    ],
  },
  storageClasses: {
    ...{ kv_storage: 'JsonKVStorage', vector_storage: 'NanoVectorDBStorage', graph_storage: 'NetworkXStorage' },
    doc_status_storage: 'JsonDocStatusStorage',
  },
  hasReranker: true,
  values: new Map(Object.entries(usualValues)),
};
const withValues = (values: Record<string, TuningValue>) => new Map(Object.entries({ ...usualValues, ...values }));
const largeFile = (name: string) => ({ ...well.index!, files: [{ name, bytes: 300 * MiB }] });

test('where nothing was measured nothing is proposed, and every rule says what is missing', () => {
  const { proposals, fine, unknown } = advise(nothing);
  expect(proposals).toEqual([]);
  expect(fine).toEqual([]);
  expect(unknown.map(({ rule }) => rule)).toEqual(
    adviceRules.filter(({ backend }) => backend === 'lightrag').map(({ id }) => id),
  );
  expect(unknown.every(({ missing }) => missing.length > 0 && missing.every((one) => one.length > 20))).toBe(true);
});

test('where all is well every rule was asked and none proposes anything', () => {
  expect(advise(well)).toMatchObject({ proposals: [], unknown: [] });
});

const cases: readonly [
  rule: string,
  facts: Partial<AdviceFacts>,
  changes: Record<string, [TuningValue, TuningValue]>,
][] = [
  [
    'llm-queue-full',
    { queues: [queue('extract', { saturated: 90, meanQueued: 12 }), queue('embedding'), queue('rerank')] },
    { max_async_llm: [4, 6] },
  ],
  [
    'embedding-queue-full',
    { queues: [queue('extract'), queue('embedding', { mostRunning: 8, saturated: 80 }), queue('rerank')] },
    { embedding_func_max_async: [8, 12] },
  ],
  [
    'rerank-queue-full',
    { queues: [queue('extract'), queue('embedding'), queue('rerank', { saturated: 100 })] },
    { max_async_rerank: [4, 6] },
  ],
  ['llm-rate-limited', { chat: calls({ rateLimited: 10 }) }, { max_async_llm: [4, 2] }],
  ['embedding-rate-limited', { embeddings: calls({ rateLimited: 2 }) }, { embedding_func_max_async: [8, 4] }],
  ['llm-given-up', { chat: calls({ givenUp: 5, givenUpAfterMs: 240_000 }) }, { llm_timeout: [240, 360] }],
  [
    'embedding-given-up',
    { embeddings: calls({ givenUp: 5, givenUpAfterMs: 29_000 }) },
    { embedding_timeout: [30, 45] },
  ],
  ['slow-retrieval', { queries: asked({ p95Ms: 12_000 }), searches: asked({ p95Ms: 8_000 }) }, { top_k: [40, 26] }],
  [
    'slow-answers',
    { queries: asked({ p95Ms: 12_000 }) },
    { max_total_tokens: [30_000, 20_000], max_entity_tokens: [6_000, 4_000], max_relation_tokens: [8_000, 5_333] },
  ],
  ['empty-answers', { queries: asked({ empty: 40 }) }, { cosine_threshold: [0.2, 0.15] }],
  [
    'empty-answers',
    { queries: asked({ empty: 40 }), values: withValues({ min_rerank_score: 0.5 }) },
    { min_rerank_score: [0.5, 0] },
  ],
  ['cache-never-hit', { answers: { queries: 300, made: 299 } }, { cache_enabled: [true, false] }],
  ['slow-rerank', { rerank: calls({ p95Ms: 900 }) }, { chunk_top_k: [20, 10] }],
  ['rerank-without-reranker', { hasReranker: false }, { enable_rerank: [true, false] }],
  [
    'files-beyond-storage',
    { index: largeFile('vdb_entities.json') },
    { vector_storage: ['NanoVectorDBStorage', 'PGVectorStorage'] },
  ],
  [
    'files-beyond-storage',
    { index: largeFile('kv_store_llm_response_cache.json') },
    { kv_storage: ['JsonKVStorage', 'PGKVStorage'] },
  ],
  [
    'files-beyond-storage',
    { index: largeFile('graph_chunk_entity_relation.graphml') },
    { graph_storage: ['NetworkXStorage', 'PGTableGraphStorage'] },
  ],
  [
    'slow-flushes',
    { replies: { busy: { samples: 20, p95Ms: 600 }, idle: { samples: 20, p95Ms: 20 } } },
    { vector_storage: ['NanoVectorDBStorage', 'PGVectorStorage'] },
  ],
  ['chunk-size-unusual', { values: withValues({ chunk_size: 3_000 }) }, { chunk_size: [3_000, 1_200] }],
  ['outdated-answers', { index: { ...well.index!, outdatedAnswers: 200 } }, { cache_enabled: [true, false] }],
  [
    'extract-cache-off',
    { values: withValues({ enable_llm_cache_for_extract: false }) },
    { enable_llm_cache_for_extract: [false, true] },
  ],
  ['inserts-against-calls', { values: withValues({ max_parallel_insert: 9 }) }, { max_parallel_insert: [9, 2] }],
];

test.each(cases)('%s alone speaks of its figures, with what shall change and why (%#)', (rule, facts, changes) => {
  const { proposals } = advise({ ...well, ...facts });
  expect(proposals.map((one) => one.rule)).toEqual([rule]);
  const [proposal] = proposals;
  expect(Object.fromEntries(proposal!.changes.map(({ parameter, from, to }) => [parameter, [from, to]]))).toEqual(
    changes,
  );
  expect(proposal!.evidence.length).toBeGreaterThan(0);
  expect(proposal!.because).toMatch(/\d|reranker|not kept/);
  expect(proposal!.effect.length * proposal!.withdrawnWhen.length).toBeGreaterThan(0);
  // What is proposed can be set as it stands.
  for (const { parameter, to } of proposal!.changes)
    expect(violation(findParameter(parameter)!.kind, to), parameter).toBeUndefined();
  // Without the figure that it rests on the rule is silent.
  const without = Object.fromEntries(Object.keys(facts).map((key) => [key, key === 'values' ? new Map() : undefined]));
  expect(advise({ ...well, ...facts, ...without }).proposals.map((one) => one.rule)).not.toContain(rule);
});

test('every rule of the backend is tried, GraphRAG has its own, and what costs nothing comes first', () => {
  const tried = new Set(cases.map(([rule]) => rule));
  expect(adviceRules.filter(({ backend, id }) => backend === 'lightrag' && !tried.has(id))).toEqual([]);
  const graphrag = advise({ ...well, kind: 'graphrag', chat: calls({ rateLimited: 50 }) });
  expect(graphrag.proposals).toMatchObject([
    { rule: 'graphrag-rate-limited', changes: [{ parameter: 'graphrag_concurrent_requests', from: 25, to: 12 }] },
  ]);
  const many = advise({
    ...well,
    index: largeFile('vdb_chunks.json'),
    values: withValues({ chunk_size: 3_000, max_parallel_insert: 9 }),
  });
  expect(many.proposals.map((one) => one.class)).toEqual(['safe', 'new-documents', 'never']);
});

test('a full queue is not widened while the provider refuses for the rate, and few figures are none', () => {
  const full = { queues: [queue('extract', { saturated: 100 }), queue('embedding'), queue('rerank')] };
  const limited = advise({ ...well, ...full, chat: calls({ rateLimited: 50 }) });
  expect(limited.proposals.map(({ rule }) => rule)).toEqual(['llm-rate-limited']);
  const few = advise({ ...well, queues: [queue('extract', { samples: 5, saturated: 5 })] });
  expect(few.unknown).toContainEqual({
    rule: 'llm-queue-full',
    missing: [expect.stringContaining('At least 20 looks')],
  });
  const past = advise({ ...well, answers: { queries: 300, made: 900 } });
  expect(past.unknown).toContainEqual({
    rule: 'cache-never-hit',
    missing: [expect.stringContaining('pass the gateway')],
  });
});

test('whatever the figures are, what is proposed can be set and differs from what there is', () => {
  const figure = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(fc.array(figure, { minLength: 12, maxLength: 12 }), fc.integer({ min: 1, max: 1_000 }), (n, value) => {
      const at = (index: number): number => n[index] ?? 0;
      const { proposals } = advise({
        ...well,
        queries: asked({ count: at(0), p95Ms: at(1), empty: Math.min(at(2), at(0)) }),
        searches: asked({ count: at(3), p95Ms: at(4) }),
        chat: calls({ calls: at(5), rateLimited: Math.min(at(6), at(5)), givenUp: at(7), givenUpAfterMs: at(8) }),
        queues: [queue('extract', { samples: 100, saturated: at(9) % 101, mostRunning: value % 256 })],
        values: withValues({
          max_async_llm: (value % 256) + 1,
          top_k: value,
          max_total_tokens: at(10),
          llm_timeout: value,
        }),
      });
      for (const { changes } of proposals)
        for (const { parameter, from, to } of changes)
          expect([from === to, violation(findParameter(parameter)!.kind, to)]).toEqual([false, undefined]);
    }),
    { numRuns: 200 },
  );
});

const seen = (atMs: number, differs: Partial<Observation>): Observation =>
  ({ atMs, reachable: true, latencyMs: 10, pipelineBusy: false, ...differs }) as Observation;
const extracting = (running: number, queued: number, submitted?: number) => ({
  queues: [
    { name: 'query', running, queued, mostRunning: 4, mostQueued: 100, submitted, failed: 0, rejected: 0 } as const,
  ],
});

test('looks are kept for six hours, one in half a minute, and tell how often a queue was full', () => {
  const looks = createLookSamples();
  for (let at = 0; at < 20 * hour; at += 10_000) looks.note(seen(at, extracting(4, at % 60_000 === 0 ? 2 : 0)));
  const [found] = looks.queues() ?? [];
  expect(found).toMatchObject({ name: 'query', samples: 720, mostRunning: 4, saturated: 360, meanQueued: 1 });
  expect(found!.fromMs).toBeGreaterThanOrEqual(14 * hour - 30_000);
  looks.note(seen(20 * hour, { reachable: false }));
  expect(looks.queues()?.[0]?.samples).toBe(720);
});

test('replies are told apart by whether it worked, and calls are counted from one look to the last', () => {
  const looks = createLookSamples();
  expect([looks.queues(), looks.replies(), looks.submitted('query', 0)]).toEqual([undefined, undefined, undefined]);
  for (let i = 0; i < 10; i += 1)
    looks.note(seen(i * 60_000, { latencyMs: i, pipelineBusy: i % 2 === 1, ...extracting(0, 0, 100 + i * 10) }));
  expect(looks.replies()).toEqual({ busy: { samples: 5, p95Ms: 9 }, idle: { samples: 5, p95Ms: 8 } });
  expect(looks.submitted('query', 150_000)).toEqual({ calls: 70, fromMs: 120_000 });
  expect(looks.submitted('query', -1)).toEqual({ calls: 90, fromMs: 0 });
  expect(looks.submitted('extract', 0)).toBeUndefined();
  // It was restarted and counts anew.
  looks.note(seen(11 * 60_000, extracting(0, 0, 5)));
  expect(looks.submitted('query', 0)).toBeUndefined();
});

test('the tuning guide of the documentation is these rules, each once', () => {
  const page = guidePage();
  expect(page.match(/^### /gm)).toHaveLength(adviceRules.length);
  const written = readFileSync(join(import.meta.dirname, '../../../docs/tuning-guide.md'), 'utf8');
  expect(written, 'Write what `guidePage` gives into docs/tuning-guide.md.').toBe(page);
});
