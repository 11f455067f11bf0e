import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { findParameter } from './catalogue/index.ts';
import type { IndexFacts } from './consequence.ts';
import type { Scope } from './revision.ts';
import type { Values } from './rules.ts';
import { createTuning, type Tuning } from './tuning.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let first: Values;
let indexes: IndexFacts[];
let tuning: Tuning;

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  first = {};
  indexes = [];
  tuning = createTuning({ db: state.db, events, clock, firstValues: () => first, indexes: () => indexes });
});
afterEach(() => state.remove());

const asking = { actor: 'local:admin', reason: null };
const everybody: Scope = { kind: 'default' };
const alice: Scope = { kind: 'user', subject: 'local:alice' };
const legal: Scope = { kind: 'workspace', graphId: 'main:legal' };
const effective = async (name: string, of: { subject?: string; graphId?: string } = {}) => {
  const found = (await tuning.effective(of)).find(({ parameter }) => parameter.name === name);
  return found && [found.value, found.origin];
};

test('what is more special counts more, and each value says where it comes from', async () => {
  const both = { subject: 'local:alice', graphId: 'main:legal' };
  expect(await effective('top_k', both)).toEqual([40, 'built-in']);
  expect(await effective('chunk_size', both)).toEqual([1_000, 'built-in']);
  first = { chunk_size: 900 };
  expect(await effective('chunk_size', both)).toEqual([900, 'setting']);
  await tuning.set(everybody, { chunk_size: 1_100 }, asking);
  expect(await effective('chunk_size', both)).toEqual([1_100, 'default']);
  await tuning.set(legal, { chunk_size: 1_200 }, asking);
  expect(await effective('chunk_size', both)).toEqual([1_200, 'workspace']);
  await tuning.set(alice, { chunk_size: 1_300 }, asking);
  expect(await effective('chunk_size', both)).toEqual([1_300, 'user']);
  expect(await effective('chunk_size', { subject: 'local:bob', graphId: 'main:legal' })).toEqual([1_200, 'workspace']);
  expect(await effective('chunk_size')).toEqual([1_100, 'default']);
});

test('a partial change leaves the rest, a null takes one away, a reset takes all of a user', async () => {
  await tuning.set(alice, { chunk_size: 700, cache_size: 20 }, asking);
  await tuning.set(alice, { cache_size: 30 }, asking);
  await tuning.set(alice, { chunk_size: null, cache_enabled: false }, asking);
  const of = { subject: 'local:alice' };
  expect(await effective('chunk_size', of)).toEqual([1_000, 'built-in']);
  expect(await effective('cache_size', of)).toEqual([30, 'user']);
  await tuning.set({ kind: 'user', subject: 'local:bob' }, { cache_size: 40 }, asking);
  await tuning.reset(alice, asking);
  expect(await effective('cache_size', of)).toEqual([1_000, 'built-in']);
  expect(await effective('cache_size', { subject: 'local:bob' })).toEqual([40, 'user']);
});

test('a reset of the default restores it and takes what every user and workspace set, in one revision', async () => {
  await tuning.set(everybody, { chunk_size: 800 }, asking);
  await tuning.set(alice, { chunk_size: 700 }, asking);
  await tuning.set(legal, { top_k: 10 }, asking);
  const { revision } = await tuning.reset(everybody, asking);
  expect(revision).toMatchObject({ number: 4, what: 'reset-all' });
  expect(await tuning.setValues()).toEqual(new Map());
  expect(await effective('chunk_size', { subject: 'local:alice' })).toEqual([1_000, 'built-in']);
  expect((await tuning.reset(everybody, asking)).revision).toBeNull();
});

test('what is wrong is told at once and nothing of it is kept', async () => {
  const wrong = { chunk_size: 99, graph_traversal_depth: 2.5, cache_enabled: 'yes', chunksize: 5, TOP_K: 5, top_k: 5 };
  const refused = await tuning.set(everybody, wrong, asking).catch((err: unknown) => err);
  expect(refused).toMatchObject({
    code: 'request/invalid',
    violations: [
      { at: '/chunk_size', message: 'must be a whole number from 100 to 5000' },
      { at: '/graph_traversal_depth', message: 'must be a whole number from 1 to 5' },
      { at: '/cache_enabled', message: 'must be true or false' },
      { at: '/chunksize', message: 'is no parameter; did you mean chunk_size?' },
      { at: '/TOP_K', message: 'is no parameter; did you mean top_k?' },
    ],
  });
  expect(await tuning.setValues()).toEqual(new Map());
  expect(await tuning.revisions({ limit: 5 })).toEqual([]);
  await expect(tuning.set(alice, { max_parallel_insert: 4 }, asking)).rejects.toMatchObject({
    violations: [{ at: '/max_parallel_insert', message: 'is the same for everybody: it cannot be set for a user' }],
  });
});

test('what does not go together is refused for the whole of a scope, what is only unwise is told', async () => {
  await tuning.set(everybody, { chunk_overlap_size: 400 }, asking);
  await expect(tuning.set(alice, { chunk_size: 300 }, asking)).rejects.toMatchObject({
    violations: [{ at: '/chunk_overlap_size', message: 'chunk_overlap_size must be below chunk_size' }],
  });
  const { warnings } = await tuning.set(everybody, { max_parallel_insert: 5 }, asking);
  expect(warnings).toEqual([
    {
      severity: 'warning',
      of: ['max_parallel_insert', 'max_async_llm'],
      message: 'max_parallel_insert is above max_async_llm: documents wait for each other',
    },
  ]);
  // What is wrong already stops no change of something else.
  expect((await tuning.set(everybody, { max_async_llm: 8 }, asking)).warnings).toEqual([]);
  const checked = await tuning.check(everybody, { max_total_tokens: 14_000 });
  expect(checked.contradictions.map(({ severity }) => severity)).toContain('error');
  expect(await effective('max_total_tokens')).toEqual([30_000, 'built-in']);
});

test('each change is a revision with its event and audit entry; what changes nothing is none', async () => {
  await tuning.set(everybody, { top_k: 50, chunk_top_k: 10 }, { actor: 'local:ops', reason: 'slow answers' });
  expect((await tuning.set(everybody, { top_k: 50 }, asking)).revision).toBeNull();
  const [only, ...others] = await tuning.revisions({ limit: 5 });
  expect(others).toEqual([]);
  expect(only).toEqual({
    number: 1,
    atMs: clock.now(),
    actor: 'local:ops',
    what: 'set',
    reason: 'slow answers',
    changes: [
      { scope: 'default', parameter: 'top_k', before: null, after: 50 },
      { scope: 'default', parameter: 'chunk_top_k', before: null, after: 10 },
    ],
    rolledBackTo: null,
  });
  expect(await events.list({ limit: 5 })).toMatchObject([{ type: 'tuning.changed', data: { revision: 1 } }]);
  expect(await events.listAudit({ limit: 5 })).toMatchObject([
    { actor: 'local:ops', action: 'tuning.set', object: '1' },
  ]);
});

test('a rollback brings back a state as a new revision and can itself be rolled back; unknown numbers are refused', async () => {
  await tuning.set(everybody, { top_k: 50 }, asking);
  await tuning.set(alice, { top_k: 60 }, asking);
  await tuning.reset(everybody, asking);
  const back = await tuning.rollback(2, asking);
  expect(back.revision).toMatchObject({ number: 4, what: 'rollback', rolledBackTo: 2 });
  expect(await effective('top_k', { subject: 'local:alice' })).toEqual([60, 'user']);
  await tuning.rollback(0, asking);
  expect(await tuning.setValues()).toEqual(new Map());
  await tuning.rollback(4, asking);
  expect(await effective('top_k')).toEqual([50, 'default']);
  await expect(tuning.rollback(7, asking)).rejects.toMatchObject({ code: 'tuning/unknown-revision' });
  await expect(tuning.diff(0, 99)).rejects.toMatchObject({ code: 'tuning/unknown-revision' });
  await expect(tuning.revision(99)).rejects.toMatchObject({ code: 'tuning/unknown-revision' });
});

test('a rollback leaves parameters that do not exist any more, and says so', async () => {
  await tuning.set(everybody, { top_k: 50 }, asking);
  await state.db.unit((tx) =>
    tx
      .as<{ tuning_revision: { number: number; changes: string } }>()
      .updateTable('tuning_revision')
      .set({
        changes: JSON.stringify([
          { scope: 'default', parameter: 'gone', before: 3, after: null },
          { scope: 'default', parameter: 'top_k', before: null, after: 50 },
        ]),
      })
      .execute(),
  );
  expect(await tuning.rollback(0, asking)).toMatchObject({
    leftOut: ['gone'],
    revision: { changes: [{ parameter: 'top_k', before: 50, after: null }] },
  });
});

test('of many changes at once none is lost, and one that saw an older state is refused when it says so', async () => {
  const names = ['top_k', 'chunk_top_k', 'max_graph_nodes', 'workers'];
  await Promise.all(
    Array.from({ length: 1_000 }, (_, index) =>
      tuning.set(everybody, { [names[index % names.length] ?? '']: 1 + Math.floor(index / names.length) }, asking),
    ),
  );
  // The first set 1, and each of the others one more: 250 values of each, all of them different from the one before.
  const revisions = await tuning.revisions({ limit: 2_000 });
  expect(revisions).toHaveLength(1_000);
  expect(new Set(revisions.map(({ number }) => number)).size).toBe(1_000);
  const seen = await tuning.etagSource(everybody);
  const refuse = (now: string): void => {
    if (now !== seen) throw new Error('it has changed');
  };
  const both = [2, 3].map((value) => tuning.set(everybody, { rerank_timeout: value }, { ...asking, admit: refuse }));
  const outcomes = await Promise.allSettled(both);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('after any sequence of changes, the state is what a plain model says, and every earlier one can be brought back', async () => {
  const scopes = [everybody, alice, legal];
  const step = fc.oneof(
    fc.record({
      scope: fc.integer({ min: 0, max: 2 }),
      values: fc.dictionary(fc.constantFrom('top_k', 'chunk_top_k'), fc.option(fc.integer({ min: 1, max: 4 })), {
        minKeys: 1,
      }),
    }),
    fc.record({ reset: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ back: fc.nat() }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const fresh = await openTestState();
      try {
        const log = createEventLog({ db: fresh.db, clock, instance: 'warden-1' });
        const tried = createTuning({ db: fresh.db, events: log, clock, firstValues: () => ({}), indexes: () => [] });
        const asPlain = async () =>
          JSON.stringify(
            [...(await tried.setValues())].map(([key, values]) => [key, Object.entries(values).sort()]).sort(),
          );
        let model: Record<string, Record<string, number>> = {};
        const plain = () =>
          JSON.stringify(
            Object.entries(model)
              .filter(([, values]) => Object.keys(values).length > 0)
              .map(([key, values]) => [key, Object.entries(values).sort()])
              .sort(),
          );
        const history = [structuredClone(model)];
        const keys = ['default', 'user:local:alice', 'workspace:main:legal'];
        for (const one of steps) {
          let revision: { number: number } | null;
          if ('values' in one) {
            const scope = scopes[one.scope] ?? everybody;
            ({ revision } = await tried.set(scope, one.values, asking));
            const of = { ...model[keys[one.scope] ?? ''] };
            for (const [name, value] of Object.entries(one.values)) {
              if (value === null) delete of[name];
              else of[name] = value;
            }
            model = { ...model, [keys[one.scope] ?? '']: of };
          } else if ('reset' in one) {
            ({ revision } = await tried.reset(scopes[one.reset] ?? everybody, asking));
            if (one.reset === 0) model = {};
            else model = { ...model, [keys[one.reset] ?? '']: {} };
          } else {
            const to = one.back % history.length;
            ({ revision } = await tried.rollback(to, asking));
            model = structuredClone(history[to] ?? {});
          }
          expect(await asPlain()).toBe(plain());
          if (revision) expect(history.push(structuredClone(model)) - 1).toBe(revision.number);
        }
      } finally {
        await fresh.remove();
      }
    }),
    { numRuns: 25 },
  );
});

test('the six have the ranges and defaults that were promised, and the names that LightRAG knows', () => {
  const six = [
    'chunk_size',
    'graph_traversal_depth',
    'cache_enabled',
    'cache_size',
    'vector_dimension',
    'max_token_size',
  ];
  expect(six.map((name) => findParameter(name)).map((one) => one && [one.fallback, one.kind, one.backendName])).toEqual(
    [
      [1_000, { type: 'integer', least: 100, most: 5_000 }, 'CHUNK_SIZE'],
      [3, { type: 'integer', least: 1, most: 5 }, null],
      [true, { type: 'boolean' }, 'ENABLE_LLM_CACHE'],
      [1_000, { type: 'integer', least: 10, most: 10_000 }, null],
      [1_536, { type: 'integer', least: 768, most: 4_096 }, 'EMBEDDING_DIM'],
      [8_192, { type: 'integer', least: 1_024, most: 32_768 }, 'EMBEDDING_TOKEN_LIMIT'],
    ],
  );
});

const filled: IndexFacts = {
  graphId: 'main:legal',
  documents: 12,
  chunks: 340,
  entities: 900,
  relations: 1_100,
  dimension: 1_024,
  embeddingModel: 'bge-m3',
};

test('what would ruin an index is refused with the numbers, and done when it is confirmed', async () => {
  indexes = [filled];
  const wish = { vector_dimension: 3_072 };
  const checked = await tuning.check(everybody, wish);
  expect(checked.consequences).toMatchObject([
    {
      parameter: 'vector_dimension',
      destructive: true,
      embeddings: 2_340,
      extractions: 0,
      before: 1_536,
      after: 3_072,
    },
  ]);
  const refused = await tuning.set(everybody, wish, asking).catch((err: unknown) => err);
  expect(refused).toMatchObject({
    code: 'conflict/confirmation-required',
    detail: expect.stringMatching(/2340 vectors of main:legal .* 12 documents.* has 1024 dimensions/s),
  });
  expect(await tuning.revisions({ limit: 5 })).toEqual([]);
  const done = await tuning.set(everybody, wish, { ...asking, confirm: true });
  expect(done).toMatchObject({ revision: { number: 1 }, consequences: [{ destructive: true }] });
});

test('what the index has already, what nobody wants any more and what a user wants for itself needs no confirmation', async () => {
  indexes = [filled];
  expect((await tuning.set(everybody, { vector_dimension: 1_024 }, asking)).consequences).toMatchObject([
    { destructive: false, message: 'The vectors of the index have 1024 dimensions already.' },
  ]);
  expect((await tuning.set(everybody, { embedding_model: 'bge-m3' }, asking)).consequences[0]?.destructive).toBe(false);
  expect((await tuning.set(alice, { vector_dimension: 2_048 }, asking)).consequences).toEqual([]);
  expect((await tuning.reset(everybody, asking)).consequences).toEqual([]);
  expect((await tuning.set(everybody, { chunk_size: 900, top_k: 9 }, asking)).consequences).toMatchObject([
    {
      parameter: 'chunk_size',
      destructive: false,
      message: expect.stringContaining('12 documents of main:legal keep'),
    },
    { parameter: 'top_k', destructive: false, embeddings: 0 },
  ]);
});

test('a workspace changes its own index only, an empty index makes everything safe, an unseen one nothing', async () => {
  indexes = [filled, { ...filled, graphId: 'main:empty', documents: 0 }];
  await tuning.set({ kind: 'workspace', graphId: 'main:empty' }, { vector_dimension: 768, workspace: 'x' }, asking);
  await expect(tuning.set(legal, { workspace: 'y' }, asking)).rejects.toMatchObject({
    detail: expect.stringContaining('12 documents of main:legal would not be seen any more'),
  });
  const { graphId } = filled;
  const unseen = { documents: undefined, chunks: undefined, entities: undefined, relations: undefined };
  indexes = [{ graphId, ...unseen, dimension: undefined, embeddingModel: undefined }];
  await expect(tuning.set(legal, { embedding_model: 'other' }, asking)).rejects.toMatchObject({
    detail: expect.stringContaining('an unknown number of vectors of main:legal'),
  });
});

test('a rollback and a reset that bring a ruinous value back have to be confirmed as well', async () => {
  await tuning.set(everybody, { vector_dimension: 3_072 }, asking);
  await tuning.set(everybody, { vector_dimension: 1_024 }, asking);
  await tuning.set(legal, { vector_dimension: 1_024 }, asking);
  indexes = [filled];
  await expect(tuning.rollback(1, asking)).rejects.toMatchObject({ code: 'conflict/confirmation-required' });
  expect((await tuning.rollback(1, { ...asking, confirm: true })).revision?.number).toBe(4);
  await tuning.rollback(3, asking);
  first = { vector_dimension: 4_096 };
  await expect(tuning.reset(everybody, asking)).rejects.toMatchObject({ code: 'conflict/confirmation-required' });
});
