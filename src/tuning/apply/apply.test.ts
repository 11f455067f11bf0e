import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { openTestState, type TestState } from '../../migrations/test-state.ts';
import { createOperations, type Operation, type Operations } from '../../operations/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import { silentLogger } from '../../platform/logging.ts';
import { parseEnvFile } from '../../targets/index.ts';
import type { IndexFacts } from '../consequence.ts';
import { findDrift } from '../drift.ts';
import { parseSettingsYaml } from '../graphrag/settings-yaml.ts';
import { createTuning, type Tuning } from '../tuning.ts';
import { type Apply, type ApplyTarget, createApply } from './apply.ts';

let folder: string;
let file: string;
let state: TestState;
let events: EventLog;
let operations: Operations;
let tuning: Tuning;
let apply: Apply;
/** What the backend read at its last start; undefined while it is stopped. */
let running: ReadonlyMap<string, string> | undefined;
let did: string[];
let index: IndexFacts;
let onStop: () => void;

const asking = { actor: 'local:admin', reason: null, confirm: true };
const nothing = { requests: 0, failed: 0, answers: {}, canary: null };
const everybody = { kind: 'default' } as const;
const content = (): string => readFileSync(file, 'utf8');

const target = (): ApplyTarget => ({
  id: 'main',
  environmentFile: file,
  lifecycle: {
    automatic: true,
    describe: { stop: 'stop it', start: 'start it' },
    async stop() {
      did.push('stop');
      running = undefined;
      onStop();
    },
    async start() {
      const read = parseEnvFile(content()).values();
      did.push(`start with ${read.get('TOP_K') ?? 'no TOP_K'}`);
      // As the files of a real backend do: the dimension of the index is not the one it is told.
      if (read.get('EMBEDDING_DIM') === '3072') throw new AppError('target/lifecycle-failed', 'It is not healthy.');
      running = read;
    },
    findSignOfLife: async () => undefined,
    isExpectedDown: () => false,
    expectUp: () => undefined,
  },
  index: () => index,
  probe: async () => ({ configuration: { max_parallel_insert: 3 } }) as never, // all that is asked of it
  async takePoint() {
    did.push('point');
  },
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-apply-'));
  file = join(folder, '.env');
  writeFileSync(file, '# of the operator\r\nTOP_K=40 # why\r\nMAX_ASYNC=4\r\n', { mode: 0o640 });
  state = await openTestState();
  events = createEventLog({ db: state.db, clock: systemClock, instance: 'warden-1' });
  operations = createOperations({ db: state.db, clock: systemClock, log: silentLogger, events, instance: 'warden-1' });
  tuning = createTuning({ db: state.db, events, clock: systemClock, firstValues: () => ({}), indexes: () => [index] });
  apply = createApply({
    ...{ tuning, operations, db: state.db, events },
    // How it goes afterwards is shown in change-watch.test.ts.
    watch: { look: async () => ({ before: nothing, previousRevision: 0 }), begin: async () => undefined },
  });
  running = new Map();
  did = [];
  onStop = () => undefined;
  const { documents, chunks, entities, relations } = { documents: 5, chunks: 10, entities: 20, relations: 30 };
  index = { graphId: 'main', documents, chunks, entities, relations, dimension: 1_024, embeddingModel: undefined };
});
afterEach(async () => {
  await operations.stop();
  await state.remove();
  rmSync(folder, { recursive: true, force: true });
});

const carryOut = async (confirm = false): Promise<Operation> => {
  const begun = await apply.begin(target(), { requestedBy: 'local:admin', confirm });
  return operations.wait(begun.id);
};

test('the plan names each variable with what stands there; what says the same already and what nobody set is not in it', async () => {
  await tuning.set(everybody, { top_k: 60, max_async_llm: 4, chunk_top_k: 10 }, asking);
  await tuning.set({ kind: 'user', subject: 'a' }, { max_entity_tokens: 5 }, asking);
  expect(await apply.plan(target())).toMatchObject({
    changes: [
      { variable: 'TOP_K', before: '40', after: '60' },
      { variable: 'CHUNK_TOP_K', before: null, after: '10' },
    ],
    blockers: [],
    restart: { automatic: true },
  });
  expect(await apply.plan({ ...target(), environmentFile: undefined })).toMatchObject({
    blockers: [expect.stringContaining('RAGWARDEN_TARGET_ENV_FILE')],
  });
});

test('what was set is written with everything else as it was, the backend restarted, and what it did not take is told', async () => {
  await tuning.set(everybody, { top_k: 60, max_parallel_insert: 2, workers: 4 }, asking);
  const ended = await carryOut();
  expect(ended).toMatchObject({
    state: 'succeeded',
    result: {
      outcome: 'applied',
      changes: ['TOP_K', 'MAX_PARALLEL_INSERT', 'WORKERS'],
      not_taken: ['max_parallel_insert shall be 2, and the backend runs with 3.'],
      revision: 1,
    },
  });
  expect(content()).toBe(
    '# of the operator\r\nTOP_K=60 # why\r\nMAX_ASYNC=4\r\nMAX_PARALLEL_INSERT=2\r\nWORKERS=4\r\n',
  );
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(folder)).toEqual(['.env']);
  expect(did).toEqual(['stop', 'start with 60']);
  expect(await events.list({ limit: 1 })).toMatchObject([{ type: 'tuning.applied', targetId: 'main' }]);
  expect((await carryOut()).result).toMatchObject({ outcome: 'nothing' });
  expect(did).toHaveLength(2);
});

test('of what reads its file at its next run nobody is told that it was restarted', async () => {
  writeFileSync(file, 'chunking:\n  size: 1200\n');
  await tuning.set(everybody, { graphrag_chunk_size: 600 }, asking);
  const next = {
    ...target(),
    format: { backend: 'graphrag', name: 'settings.yaml', missing: '', parse: parseSettingsYaml },
  } as const;
  const lifecycle = { ...next.lifecycle, start: async () => undefined };
  const begun = await apply.begin({ ...next, lifecycle }, { requestedBy: 'a', confirm: true });
  await operations.wait(begun.id);
  expect(content()).toContain('size: 600');
  expect((await events.list({ limit: 9 })).find(({ type }) => type === 'tuning.applied')?.message).toBe(
    'The next run of main begins with chunking.size of revision 1.',
  );
});

test('when the backend does not become healthy the file is put back, and it is started with what it had', async () => {
  const before = content();
  await tuning.set(everybody, { vector_dimension: 3_072, top_k: 60 }, asking);
  await expect(carryOut()).rejects.toMatchObject({
    code: 'conflict/confirmation-required',
    detail: expect.stringContaining('60 vectors of main have to be embedded anew'),
  });
  const ended = await carryOut(true);
  expect(ended).toMatchObject({
    kind: 'tuning.guarded-apply',
    state: 'failed',
    error: {
      code: 'tuning/rolled-back',
      detail: expect.stringContaining('put back; the backend runs with what it had'),
    },
  });
  expect(did).toEqual(['point', 'stop', 'start with 60', 'stop', 'start with 40']);
  expect(content()).toBe(before);
  expect(running?.get('TOP_K')).toBe('40');
  expect(readdirSync(folder)).toEqual(['.env']);
  expect(await events.list({ limit: 10 })).toContainEqual(
    expect.objectContaining({ type: 'tuning.rolled-back', severity: 'error' }),
  );
});

test('another dimension on a filled index: confirmed, a point, a revision, the file, a restart, and no drift once the vectors are made anew', async () => {
  const drift = async () =>
    findDrift(await tuning.effective({ graphId: 'main' }), { configuration: undefined, environment: running, index })
      .drift;
  await expect(tuning.set(everybody, { vector_dimension: 2_048 }, { ...asking, confirm: false })).rejects.toMatchObject(
    { code: 'conflict/confirmation-required' },
  );
  const { revision } = await tuning.set(everybody, { vector_dimension: 2_048 }, asking);
  await expect(carryOut()).rejects.toMatchObject({ code: 'conflict/confirmation-required' });
  expect(await carryOut(true)).toMatchObject({ state: 'succeeded', result: { revision: revision?.number } });
  expect(did).toEqual(['point', 'stop', 'start with 40']);
  expect(running?.get('EMBEDDING_DIM')).toBe('2048');
  expect((await drift()).map(({ where, found }) => [where, found])).toEqual([
    ['index', 1_024],
    ['environment-file', 2_048],
  ]);
  index = { ...index, dimension: 2_048 };
  expect(await drift()).toEqual([]);
});

test('without a recovery point nothing that would ruin the index is written', async () => {
  await tuning.set(everybody, { vector_dimension: 2_048 }, asking);
  const refusing = { ...target(), takePoint: () => Promise.reject(new AppError('backup/unavailable', 'no restic')) };
  const begun = await apply.begin(refusing, { requestedBy: 'local:admin', confirm: true });
  expect(await operations.wait(begun.id)).toMatchObject({ state: 'failed', error: { code: 'backup/unavailable' } });
  expect(did).toEqual([]);
  expect(content()).not.toContain('2048');
});

test('a file that changes under the hand or cannot be read is left alone', async () => {
  await tuning.set(everybody, { vector_dimension: 2_048 }, asking);
  const meddling = {
    ...target(),
    takePoint: async () => writeFileSync(file, 'TOP_K=1\n'),
  };
  const begun = await apply.begin(meddling, { requestedBy: 'local:admin', confirm: true });
  expect(await operations.wait(begun.id)).toMatchObject({ state: 'failed' });
  expect(content()).toBe('TOP_K=1\n');
  expect(readdirSync(folder)).toEqual(['.env']);
  expect(did).toEqual([]);
  writeFileSync(file, 'TOP_K=1\nBROKEN="x\n');
  await expect(carryOut(true)).rejects.toMatchObject({ detail: expect.stringContaining('Line 2') });
  rmSync(file);
  await expect(carryOut(true)).rejects.toMatchObject({ code: 'conflict/state' });
});

test('a stop that fails puts the file back and leaves the backend running with what it had', async () => {
  const before = content();
  await tuning.set(everybody, { top_k: 60 }, asking);
  let stops = 0;
  onStop = () => {
    stops += 1;
    if (stops === 1) throw new AppError('target/lifecycle-failed', 'The command ended with 1.');
  };
  const ended = await carryOut();
  expect(ended).toMatchObject({
    state: 'failed',
    error: { code: 'tuning/rolled-back', detail: expect.stringContaining('The command ended with 1.') },
  });
  expect(content()).toBe(before);
  expect(did.at(-1)).toBe('start with 40');
});

test('a file that somebody else wrote meanwhile is not put back, the backend is started all the same, and both are told', async () => {
  const before = content();
  await tuning.set(everybody, { top_k: 60 }, asking);
  let stops = 0;
  onStop = () => {
    stops += 1;
    if (stops > 1) return;
    writeFileSync(file, 'TOP_K=1\n');
    throw new AppError('target/lifecycle-failed', 'The command ended with 1.');
  };
  const ended = await carryOut();
  expect(ended).toMatchObject({ state: 'failed', error: { code: 'tuning/rolled-back' } });
  const copy = `${file}.before-${ended.id}`;
  for (const said of [
    'The command ended with 1.',
    `was not put back, and what it was stands in ${copy}`,
    'somebody else',
  ])
    expect(ended.error?.detail).toContain(said);
  expect([content(), did.at(-1), readFileSync(copy, 'utf8')]).toEqual(['TOP_K=1\n', 'start with 1', before]);
});

test('a restart that hangs can be called off: the file is put back and the backend started with it all the same', async () => {
  const before = content();
  await tuning.set(everybody, { top_k: 60 }, asking);
  const hanging = target();
  let hangs = true;
  const begun = await apply.begin(
    {
      ...hanging,
      lifecycle: {
        ...hanging.lifecycle,
        start: (signal) =>
          hangs
            ? new Promise((_, reject) => {
                did.push('hangs');
                signal.addEventListener('abort', () => reject(signal.reason));
              })
            : hanging.lifecycle.start(signal),
      },
    },
    { requestedBy: 'local:admin', confirm: false },
  );
  await expect.poll(() => did).toContain('hangs');
  hangs = false;
  await operations.cancel(begun.id);
  const ended = await operations.wait(begun.id);
  expect(ended.state).not.toBe('succeeded');
  expect([content(), did.at(-1), readdirSync(folder)]).toEqual([before, 'start with 40', ['.env']]);
});

test('a variable that stands twice is changed where it counts, and a file without an end of line gets one', async () => {
  writeFileSync(file, "TOP_K=1\nTOP_K='2'\nMAX_ASYNC=4");
  await tuning.set(everybody, { top_k: 60, workers: 3 }, asking);
  expect((await apply.plan(target())).changes).toMatchObject([{ before: '2' }, { variable: 'WORKERS' }]);
  await carryOut();
  expect(content()).toBe('TOP_K=1\nTOP_K=60\nMAX_ASYNC=4\nWORKERS=3\n');
});

test('through a link what it leads to is replaced, and the link stays', async () => {
  const link = join(folder, 'link.env');
  symlinkSync('.env', link);
  await tuning.set(everybody, { top_k: 61 }, asking);
  const begun = await apply.begin({ ...target(), environmentFile: link }, { requestedBy: 'a', confirm: false });
  expect((await operations.wait(begun.id)).state).toBe('succeeded');
  expect(content()).toContain('TOP_K=61');
  expect(readdirSync(folder).sort()).toEqual(['.env', 'link.env']);
});

test.skipIf(process.getuid?.() === 0)('a folder that may not be written is told, and nothing is stopped', async () => {
  await tuning.set(everybody, { top_k: 60 }, asking);
  chmodSync(folder, 0o500);
  const ended = await carryOut();
  chmodSync(folder, 0o700);
  expect(ended).toMatchObject({ state: 'failed', error: { code: 'conflict/state' } });
  expect(did).toEqual([]);
});

test('what a killed one left is put back, unless somebody else has it in hand', async () => {
  await tuning.set(everybody, { top_k: 60 }, asking);
  const before = content();
  let seen: { file: string; copy: string } | undefined;
  onStop = () => {
    const [copy = ''] = readdirSync(folder).filter((name) => name.includes('.before-'));
    seen ??= { file: content(), copy: readFileSync(join(folder, copy), 'utf8') };
  };
  const begun = await apply.begin(target(), { requestedBy: 'a', confirm: false });
  const left = await operations.wait(begun.id);
  const copy = `${file}.before-${left.id}`;
  expect(seen?.copy).toBe(before);

  writeFileSync(copy, before);
  writeFileSync(`${file}.new-${left.id}`, 'half');
  expect((await apply.settle(left)).message).toContain('was put back');
  expect(content()).toBe(before);
  expect(readdirSync(folder)).toEqual(['.env']);

  writeFileSync(copy, before);
  expect((await apply.settle(left)).message).toContain('as it was before');
  expect(existsSync(copy)).toBe(false);

  writeFileSync(copy, before);
  writeFileSync(file, 'TOP_K=99\n');
  expect(await apply.settle(left)).toMatchObject({ severity: 'error', message: expect.stringContaining('left alone') });
  expect(content()).toBe('TOP_K=99\n');
  expect(existsSync(copy)).toBe(true);
  rmSync(copy);
  expect((await apply.settle(left)).message).toContain('not touched');
});
