import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { createMetricRegistry } from '../../metrics/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operations } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../../platform/fake-clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { parseEnvFile } from '../../targets/index.ts';
import { type Apply, type ApplyTarget, createApply } from '../apply/apply.ts';
import type { Running } from '../drift.ts';
import { createTuning, type Tuning } from '../tuning.ts';
import { type ChangeWatch, createChangeWatch, type WatchPolicy } from './change-watch.ts';
import type { Figures } from './decide-watch.ts';
import { createDriftWatch, decideDrift } from './drift-watch.ts';

const windowMs = 900_000;
const calm: Figures = { requests: 200, failed: 1, answers: { query: { requests: 200, p95Ms: 900 } }, canary: true };
const broken: Figures = { ...calm, failed: 120 };
const asking = { actor: 'local:admin', reason: null, confirm: true };
const everybody = { kind: 'default' } as const;

let folder: string;
let file: string;
let state: TestState;
let clock: FakeClock;
let events: EventLog;
let operations: Operations;
let tuning: Tuning;
let apply: Apply;
let watch: ChangeWatch;
let policy: WatchPolicy;
/** What was seen since the change, and what the known question brings now. */
let since: Figures;
let canary: boolean | null;
/** Between the look at the figures and the verdict. */
let meanwhile: () => Promise<void>;
let failStart: (text: string) => boolean;
let starts: string[];

const target = (): ApplyTarget => ({
  id: 'main',
  environmentFile: file,
  lifecycle: {
    automatic: true,
    describe: { stop: 'stop it', start: 'start it' },
    stop: async () => undefined,
    async start() {
      const text = readFileSync(file, 'utf8');
      starts.push(parseEnvFile(text).values().get('TOP_K') ?? 'none');
      if (failStart(text)) throw new AppError('target/lifecycle-failed', 'It is not healthy.');
    },
    findSignOfLife: async () => undefined,
    isExpectedDown: () => false,
    expectUp: () => undefined,
  },
  index: () => ({
    graphId: 'main',
    ...{ documents: 5, chunks: 10, entities: 20, relations: 30, dimension: 1_024, embeddingModel: undefined },
  }),
  probe: async () => undefined,
  takePoint: async () => undefined,
});

/** Everything that a start of the process makes anew. */
function build(): void {
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
  operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'warden-1' });
  tuning = createTuning({ db: state.db, events, clock, firstValues: () => ({}), indexes: () => [] });
  watch = createChangeWatch({
    ...{ db: state.db, events, clock, tuning, operations, policy: () => policy },
    async figures(_, __, toMs) {
      const seen = toMs > appliedMs ? since : calm;
      await meanwhile();
      return seen;
    },
    askCanary: async () => canary,
    apply: (_, only) => apply.begin(target(), { requestedBy: 'ragwarden', confirm: false, watched: false, only }),
  });
  apply = createApply({ tuning, operations, db: state.db, events, watch });
}
let appliedMs: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-watch-'));
  file = join(folder, '.env');
  writeFileSync(file, 'TOP_K=40 # why\n');
  state = await openTestState();
  clock = createFakeClock();
  policy = { windowMs, rollBack: true, limits: { leastRequests: 20, errorRise: 0.05, slowdown: 0.5 } };
  since = calm;
  canary = true;
  failStart = () => false;
  meanwhile = async () => undefined;
  starts = [];
  build();
});
afterEach(async () => {
  await operations.stop();
  await state.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function change(values: Record<string, number | null>): Promise<number> {
  await tuning.set(everybody, values, asking);
  appliedMs = clock.now();
  const begun = await apply.begin(target(), { requestedBy: 'local:admin', confirm: false });
  expect(await operations.wait(begun.id)).toMatchObject({ state: 'succeeded' });
  // What is asked for from now on is what came since.
  await clock.advance(1_000);
  return (await tuning.revisions({ limit: 1 }))[0]?.number ?? 0;
}
const stateOf = async (revision: number) => (await watch.of([revision])).get(revision);
const topK = async () => (await tuning.effective({})).find(({ parameter }) => parameter.name === 'top_k');
/** Until what was begun has ended; each step is what the job would do at its interval. */
async function stepUntil(revision: number, wanted: string): Promise<void> {
  await expect
    .poll(async () => {
      await watch.step();
      return (await stateOf(revision))?.state;
    })
    .toBe(wanted);
}

test('a change is watched until its window is over, and the verdict stands beside its revision with the figures', async () => {
  const revision = await change({ top_k: 60 });
  await watch.step();
  expect(await stateOf(revision)).toMatchObject({ state: 'watching', before: calm, after: null });
  await clock.advance(windowMs - 1_001);
  await watch.step();
  expect(await stateOf(revision)).toMatchObject({ state: 'watching' });
  await clock.advance(1);
  await watch.step();
  expect(await stateOf(revision)).toMatchObject({ state: 'kept', after: calm, parameters: ['top_k'] });
  expect(await events.list({ limit: 1 })).toMatchObject([
    { type: 'tuning.judged', severity: 'info', targetId: 'main' },
  ]);
  expect(starts).toEqual(['60']);
});

test('what made it worse is taken back by policy: the wish, the file and the backend, and nobody else is touched', async () => {
  await tuning.set({ kind: 'user', subject: 'a' }, { top_k: 7 }, asking);
  const revision = await change({ top_k: 60, chunk_top_k: 9 });
  await tuning.set(everybody, { log_level: 'DEBUG' }, asking);
  since = broken;
  await watch.step();
  await stepUntil(revision, 'rolled-back');
  expect((await stateOf(revision))?.reasons[0]).toBe('60 % of 200 requests failed, 0.5 % of 200 before.');
  expect(await topK()).toMatchObject({ value: 40, origin: 'built-in' });
  // What was written and did not stand there before is a comment now, and the file is otherwise as it was.
  expect(readFileSync(file, 'utf8')).toBe('TOP_K=40 # why\n# CHUNK_TOP_K=9\n');
  expect(starts).toEqual(['60', '40']);
  expect([...(await tuning.setValues())]).toEqual([
    ['user:a', { top_k: 7 }],
    ['default', { log_level: 'DEBUG' }],
  ]);
  expect((await tuning.revisions({ limit: 1 }))[0]).toMatchObject({ what: 'rollback', actor: 'ragwarden' });
  expect((await events.list({ limit: 10 })).map(({ type }) => type)).toContain('tuning.rolled-back');
  // The way back is not watched: it would be judged against the worst.
  expect(await watch.of([revision + 2])).toEqual(
    new Map([[revision + 2, expect.objectContaining({ state: 'unwatched' })]]),
  );
});

test('without the policy it is only told', async () => {
  policy = { ...policy, rollBack: false };
  const revision = await change({ top_k: 60 });
  since = broken;
  await watch.step();
  await watch.step();
  expect(await stateOf(revision)).toMatchObject({ state: 'worse' });
  expect(starts).toEqual(['60']);
  expect(await topK()).toMatchObject({ value: 60 });
  expect(await events.list({ limit: 1 })).toMatchObject([{ type: 'tuning.judged', severity: 'warning' }]);
});

test('a restart of ragwarden loses neither a window nor a way back that was begun', async () => {
  const revision = await change({ top_k: 60 });
  await operations.stop();
  await state.reopen();
  build();
  await clock.advance(windowMs);
  canary = false;
  // The file cannot be written just now: the operation that would take it back is refused, as by other work on the target.
  const held = await operations.start({
    ...{ kind: 'backup.create', targetId: 'main', input: {}, requestedBy: 'a' },
    run: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  await watch.step();
  expect(await stateOf(revision)).toMatchObject({ state: 'rolling-back' });
  await operations.cancel(held.id);
  await operations.wait(held.id);
  await operations.stop();
  await state.reopen();
  build();
  await stepUntil(revision, 'rolled-back');
  expect(starts).toEqual(['60', '40']);
  expect((await stateOf(revision))?.reasons).toContain('The known question was answered before and is not any more.');
  // Taken back once, although it was tried twice.
  expect((await tuning.revisions({ limit: 9 })).map(({ what }) => what)).toEqual(['rollback', 'set']);
});

test('a key that was written alone is not judged, and what came with one is not taken back without it', async () => {
  const withKey = async (key: string) => {
    const secrets = { LLM_BINDING_API_KEY: key };
    const begun = await apply.begin(target(), { requestedBy: 'a', confirm: false, secrets });
    expect(await operations.wait(begun.id)).toMatchObject({ state: 'succeeded' });
  };
  const revision = await change({ top_k: 60 });
  await withKey('first');
  await clock.advance(1_000);
  since = broken;
  await watch.step();
  expect(await stateOf(revision)).toMatchObject({ state: 'unwatched', parameters: ['LLM_BINDING_API_KEY'] });

  await tuning.set(everybody, { top_k: 61 }, asking);
  appliedMs = clock.now();
  await withKey('second');
  await clock.advance(1_000);
  await watch.step();
  expect(await stateOf(revision + 1)).toMatchObject({
    state: 'worse',
    parameters: ['top_k', 'LLM_BINDING_API_KEY'],
    reasons: [expect.anything(), 'It is not taken back by itself: the key of the provider before is not kept.'],
  });
  expect(starts.at(-1)).toBe('61');
});

test('what cannot be taken back is told, and left to people', async () => {
  const revision = await change({ top_k: 60 });
  since = broken;
  failStart = (text) => text.includes('TOP_K=40');
  await stepUntil(revision, 'rollback-failed');
  expect((await stateOf(revision))?.reasons.at(-1)).toContain('could not be taken back: The backend was not healthy');
  expect(readFileSync(file, 'utf8')).toContain('TOP_K=60');
  expect((await events.list({ limit: 3 })).map(({ severity }) => severity)).toContain('error');
});

test('a newer change is not taken back along: neither when it comes while the one before is judged, nor once that goes back', async () => {
  const first = await change({ top_k: 60 });
  since = broken;
  let second = 0;
  meanwhile = async () => {
    meanwhile = async () => undefined;
    second = await change({ top_k: 61 });
  };
  await watch.step();
  expect(await stateOf(first)).toMatchObject({ state: 'superseded' });
  expect([await topK(), starts]).toMatchObject([{ value: 61 }, ['60', '61']]);

  const held = await operations.start({
    ...{ kind: 'backup.create', targetId: 'main', input: {}, requestedBy: 'a' },
    run: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  await watch.step();
  expect(await stateOf(second)).toMatchObject({ state: 'rolling-back' });
  await operations.cancel(held.id);
  await operations.wait(held.id);
  since = calm;
  const third = await change({ top_k: 62 });
  await watch.step();
  expect(await stateOf(second)).toMatchObject({ state: 'superseded' });
  expect(await stateOf(third)).toMatchObject({ state: 'watching' });
  expect([await topK(), starts.at(-1)]).toMatchObject([{ value: 62 }, '62']);
});

test('another change ends the watch of the one before, and with a window of nothing none is watched', async () => {
  const first = await change({ top_k: 60 });
  const second = await change({ top_k: 61 });
  expect(await stateOf(first)).toMatchObject({ state: 'superseded' });
  expect(await stateOf(second)).toMatchObject({ state: 'watching', previousRevision: first });
  policy = { ...policy, windowMs: 0 };
  const third = await change({ top_k: 62 });
  expect(await stateOf(third)).toMatchObject({ state: 'unwatched' });
});

test('what was written here and nobody wants any more becomes what it was; what somebody else wrote since stays', async () => {
  await change({ top_k: 60, chunk_top_k: 9, max_async_llm: 6 });
  writeFileSync(file, readFileSync(file, 'utf8').replace('MAX_ASYNC_LLM=6', 'MAX_ASYNC_LLM=5'));
  await tuning.set(everybody, { top_k: null, chunk_top_k: null, max_async_llm: null }, asking);
  expect((await apply.plan(target())).changes).toEqual([
    { parameter: 'top_k', variable: 'TOP_K', before: '60', after: '40' },
    { parameter: 'chunk_top_k', variable: 'CHUNK_TOP_K', before: '9', after: null },
  ]);
  const begun = await apply.begin(target(), { requestedBy: 'local:admin', confirm: false });
  await operations.wait(begun.id);
  expect(readFileSync(file, 'utf8')).toBe('TOP_K=40 # why\n# CHUNK_TOP_K=9\nMAX_ASYNC_LLM=5\n');
  expect((await apply.plan(target())).changes).toEqual([]);
});

test('drift is an event when it begins and when it ends, a series meanwhile, and the same after a restart', async () => {
  let running: Running = { configuration: { top_k: 40 }, environment: undefined, index: undefined };
  const registry = createMetricRegistry({ clock, log: silentLogger });
  const drift = createDriftWatch({
    ...{ db: state.db, events, clock, registry, tuning },
    running: async () => [{ graphId: 'main', running }],
  });
  const types = async () =>
    (await events.list({ limit: 20 })).map(({ type }) => type).filter((one) => /drift/.test(one));
  const shown = () =>
    registry.families().find(({ definition }) => definition.name === 'ragwarden_tuning_drift')?.values[1];
  await drift.look();
  expect(await types()).toEqual([]);
  expect(shown()).toBe(0);
  await tuning.set(everybody, { top_k: 60 }, asking);
  await drift.look();
  await drift.look();
  expect(await types()).toEqual(['tuning.drift-began']);
  expect(shown()).toBe(1);
  // Nobody can look: that is no cure.
  running = { configuration: undefined, environment: undefined, index: undefined };
  await drift.look();
  expect(await types()).toHaveLength(1);
  expect(shown()).toBe(1);
  running = { configuration: { top_k: 60 }, environment: undefined, index: undefined };
  await drift.look();
  expect(await types()).toEqual(['tuning.drift-ended', 'tuning.drift-began']);
  expect(shown()).toBe(0);
});

test('drift goes on under another name, and ends only when all of it was seen', () => {
  const before = { targetId: 'main', sinceMs: 0, parameters: ['chunk_size', 'top_k'] };
  const one = (parameter: string) => ({ parameter }) as never; // all that is read of it
  expect(decideDrift(undefined, { drift: [], compared: 1, unseen: [] }).change).toBe('none');
  expect(decideDrift(undefined, { drift: [one('top_k'), one('top_k')], compared: 1, unseen: [] })).toEqual({
    change: 'began',
    parameters: ['top_k'],
  });
  expect(decideDrift(before, { drift: [], compared: 1, unseen: ['top_k'] })).toEqual({
    change: 'goes-on',
    parameters: ['top_k'],
  });
  expect(decideDrift(before, { drift: [], compared: 2, unseen: [] }).change).toBe('ended');
});
