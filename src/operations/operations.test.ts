import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { AppError } from '../platform/errors.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import {
  createOperationRetention,
  createOperations,
  type Operation,
  type OperationContext,
  type Operations,
  type StartOptions,
} from './index.ts';
import type { OperationTables } from './operation-store.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;
let operations: Operations;

const create = (instance = 'warden'): Operations =>
  createOperations({ db: state.db, clock, log: silentLogger, events, instance, heartbeatMs: 5_000 });

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'warden' });
  operations = create();
});
afterEach(async () => {
  await operations.stop();
  await state.remove();
});

type Work = StartOptions<unknown, unknown>['run'];
const begin = (run: Work, more: Partial<StartOptions<unknown, unknown>> = {}): Promise<Operation> =>
  operations.start({ kind: 'backup.create', targetId: 'default', input: {}, requestedBy: 'admin', run, ...more });

/** Work that goes on until it is told to end, and says when it began. */
const untilAborted: Work = (context) =>
  new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)));

/** Work whose end the test decides. */
function held(): { run: Work; context: Promise<OperationContext>; end(result?: unknown): void } {
  const context = Promise.withResolvers<OperationContext>();
  const over = Promise.withResolvers<unknown>();
  return {
    run: (given) => {
      context.resolve(given);
      return over.promise;
    },
    context: context.promise,
    end: (result) => over.resolve(result),
  };
}

const stored = (id: string) =>
  state.db.reader<OperationTables>().selectFrom('operation').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
const eventTypes = async (): Promise<string[]> =>
  (await events.list({ limit: 50, order: 'oldest-first' })).map((event) => event.type);

test('an operation is on disk before its work begins and holds its result at the end', async () => {
  let seen: string | undefined;
  const started = await begin(async (context) => {
    seen = (await stored(context.id)).state;
    return { point: 'rp_1' };
  });
  expect(started).toMatchObject({ state: 'running', kind: 'backup.create', targetId: 'default', requestedBy: 'admin' });
  const ended = await operations.wait(started.id);
  expect(seen).toBe('running');
  expect(ended).toMatchObject({ state: 'succeeded', result: { point: 'rp_1' }, error: null, finishedMs: clock.now() });
  expect(await operations.find(started.id)).toEqual(ended);
  expect(await eventTypes()).toEqual([]);
});

test('work that marks itself partial ends so and says it', async () => {
  const { id } = await begin(async (context) => {
    context.markPartial();
    return { missing: ['redis'] };
  });
  expect(await operations.wait(id)).toMatchObject({ state: 'partial', result: { missing: ['redis'] } });
  expect(await eventTypes()).toEqual(['operation.partial']);
});

test('a known error is told, an unknown one keeps its text for the log', async () => {
  const known = await begin(async () => {
    throw new AppError('repository/locked', 'Another backup holds it.', { context: { path: '/secret' } });
  });
  expect(await operations.wait(known.id)).toMatchObject({
    state: 'failed',
    error: { code: 'repository/locked', status: 409, detail: 'Another backup holds it.', retryable: true },
  });
  const unknown = await begin(async () => {
    throw new Error('password hunter2');
  });
  const ended = await operations.wait(unknown.id);
  expect(ended.error?.code).toBe('internal/unexpected');
  expect(JSON.stringify([ended, await events.list({ limit: 9 })])).not.toMatch(/hunter2|secret/);
  expect(await events.list({ limit: 9, order: 'oldest-first' })).toMatchObject([
    { type: 'operation.failed', severity: 'error', message: 'backup.create failed: Another backup holds it.' },
    { type: 'operation.failed', severity: 'error' },
  ]);
});

test('a full disk is told as one, wherever the work met it', async () => {
  const { id } = await begin(async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  });
  expect(await operations.wait(id)).toMatchObject({ state: 'failed', error: { code: 'storage/full', status: 507 } });
});

test('a result that is no JSON makes the operation fail and frees the target', async () => {
  const { id } = await begin(async () => ({ size: 1n }));
  expect(await operations.wait(id)).toMatchObject({ state: 'failed', error: { code: 'internal/unexpected' } });
  expect((await begin(async () => 1)).state).toBe('running');
});

test('of many exclusive starts on one target one gets it, and the others are told which', async () => {
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => begin(untilAborted)));
  const won = results.filter((result) => result.status === 'fulfilled');
  expect(won).toHaveLength(1);
  const holder = won[0]!.value.id;
  for (const result of results)
    if (result.status === 'rejected')
      expect(result.reason).toMatchObject({ code: 'operation/busy', detail: expect.stringContaining(holder) });
  expect((await operations.list({ limit: 50 })).map((operation) => operation.id)).toEqual([holder]);
});

test('other targets, other work and the time after are not held up', async () => {
  const work = held();
  const first = await begin(work.run);
  await begin(async () => 1, { targetId: 'other' });
  await begin(async () => 1, { kind: 'backup.verify', exclusive: false });
  await begin(async () => 1, { kind: 'config.check', targetId: undefined });
  work.end();
  await operations.wait(first.id);
  expect((await begin(async () => 1)).state).toBe('running');
});

test('what the kind records at the end stands exactly when the end does', async () => {
  const record = (severity: 'info', fail: boolean): Partial<StartOptions<unknown, unknown>> => ({
    async concluded(tx, operation) {
      await events.record(tx, { type: 'backup.point-taken', severity, message: operation.state });
      if (fail) throw new Error('undone');
    },
  });
  const good = await begin(async () => 1, record('info', false));
  await operations.wait(good.id);
  expect(await eventTypes()).toEqual(['backup.point-taken']);
  const bad = await begin(async () => 1, record('info', true));
  expect(await operations.wait(bad.id)).toMatchObject({ state: 'failed' });
  expect(await eventTypes()).toEqual(['backup.point-taken', 'operation.failed']);
});

test('cancelling aborts the work, which ends as cancelled; twice is once; afterwards is refused', async () => {
  const started = await begin(untilAborted);
  expect(await operations.cancel(started.id)).toMatchObject({ cancelRequestedMs: clock.now() });
  await operations.cancel(started.id).catch((err: unknown) => expect(err).toMatchObject({ code: 'conflict/state' }));
  expect(await operations.wait(started.id)).toMatchObject({
    state: 'cancelled',
    error: { code: 'operation/cancelled' },
  });
  await expect(operations.cancel(started.id)).rejects.toMatchObject({ code: 'conflict/state' });
  await expect(operations.cancel('op_none')).rejects.toMatchObject({ code: 'operation/unknown' });
  expect(await eventTypes()).toEqual(['operation.cancelled']);
});

test('work that finishes although it was cancelled has succeeded', async () => {
  const work = held();
  const { id } = await begin(work.run);
  await operations.cancel(id);
  work.end('done');
  expect(await operations.wait(id)).toMatchObject({ state: 'succeeded', result: 'done' });
});

test('a failure of its own under cancellation is told', async () => {
  const { id } = await begin((context) =>
    untilAborted(context).catch(() => {
      throw new AppError('storage/full', 'The rollback found no space.');
    }),
  );
  await operations.cancel(id);
  expect(await operations.wait(id)).toMatchObject({ state: 'cancelled', error: { code: 'storage/full' } });
});

test('progress is written once a second and seen live at once', async () => {
  const work = held();
  const { id } = await begin(work.run);
  const context = await work.context;
  await context.phase('upload');
  expect((await stored(id)).phase).toBe('upload');

  const writes = vi.spyOn(state.db, 'unit');
  for (let i = 1; i <= 500; i += 1) context.progress({ bytesDone: i, bytesTotal: 1_000, filesTotal: 3 });
  expect(writes).not.toHaveBeenCalled();
  expect((await operations.require(id)).progress).toMatchObject({ bytesDone: 500, percent: 50 });

  await clock.advance(1_000);
  await vi.waitFor(async () =>
    expect(JSON.parse((await stored(id)).progress)).toMatchObject({ bytesDone: 500, filesTotal: 3 }),
  );
  expect(writes).toHaveBeenCalledTimes(1);
  work.end();
  await operations.wait(id);
});

test('a silent operation still gives a sign of life', async () => {
  const work = held();
  const { id } = await begin(work.run);
  await work.context;
  const before = (await stored(id)).heartbeat_ms;
  for (let second = 0; second < 5; second += 1) await clock.advance(1_000);
  await vi.waitFor(async () => expect((await stored(id)).heartbeat_ms).toBe(before + 5_000));
  work.end();
  await operations.wait(id);
});

test('watching shows phases and the end, and skips what was overtaken', async () => {
  const work = held();
  const { id } = await begin(work.run);
  const context = await work.context;
  const phases: string[] = [];
  const watching = (async () => {
    for await (const operation of operations.watch(id, new AbortController().signal)) {
      phases.push(`${operation.phase} ${operation.state}`);
      if (operation.phase === 'starting') void context.phase('capture');
      if (operation.phase === 'capture' && operation.state === 'running') work.end();
    }
  })();
  await watching;
  expect([...new Set(phases)]).toEqual(['starting running', 'capture running', 'capture succeeded']);
});

test('waiting ends at its timeout with what is known then', async () => {
  const work = held();
  const { id } = await begin(work.run);
  const waiting = operations.wait(id, { timeoutMs: 3_000 });
  await vi.waitFor(() => expect(clock.sleeping()).toBe(2));
  await clock.advance(3_000);
  expect(await waiting).toMatchObject({ id, state: 'running' });
  const gone = new AbortController();
  const aborted = operations.wait(id, { signal: gone.signal });
  gone.abort();
  expect(await aborted).toMatchObject({ state: 'running' });
  work.end();
});

test('stopping ends the work as interrupted, and nothing starts afterwards', async () => {
  const { id } = await begin(untilAborted);
  await operations.stop();
  expect(await stored(id)).toMatchObject({ state: 'interrupted', error: expect.stringContaining('internal/stopping') });
  await expect(begin(untilAborted)).rejects.toMatchObject({ code: 'internal/stopping' });
  await operations.stop();
});

test('stopping does not wait for ever, and leaves what still runs to the next start', async () => {
  const { id } = await begin(() => new Promise(() => undefined));
  const stopping = operations.stop();
  await vi.waitFor(() => expect(clock.sleeping()).toBe(2));
  await clock.advance(7_000);
  await stopping;
  expect(await stored(id)).toMatchObject({ state: 'running' });
});

test('the same key from the same caller gets the same operation, another request under it is refused', async () => {
  let runs = 0;
  const run: Work = async () => {
    runs += 1;
  };
  const idempotency = { key: 'k1', route: 'POST /x', requestHash: 'h1' };
  const answers = await Promise.all(Array.from({ length: 5 }, () => begin(run, { idempotency })));
  expect(new Set(answers.map((operation) => operation.id)).size).toBe(1);
  await operations.wait(answers[0]!.id);
  expect(runs).toBe(1);
  expect(await begin(run, { idempotency })).toMatchObject({ id: answers[0]!.id, state: 'succeeded' });
  await expect(begin(run, { idempotency: { ...idempotency, requestHash: 'h2' } })).rejects.toMatchObject({
    code: 'request/idempotency-conflict',
  });
  const others = [
    await begin(run, { idempotency: { ...idempotency, route: 'POST /y' }, exclusive: false }),
    await begin(run, { idempotency, requestedBy: 'somebody', exclusive: false }),
  ];
  await clock.advance(24 * 3_600_000);
  others.push(await begin(run, { idempotency, exclusive: false }));
  expect(new Set([answers[0], ...others].map((operation) => operation?.id)).size).toBe(4);
});

test('each life of an instance has a later epoch', async () => {
  const first = await operations.epoch();
  expect(await operations.epoch()).toBe(first);
  expect(await create().epoch()).toBe(first + 1);
  expect(await create('other').epoch()).toBe(1);
});

/** Leaves an operation half-done, as a kill would: its process never writes again. */
async function abandon(more: Partial<StartOptions<unknown, unknown>> = {}): Promise<Operation> {
  const work = held();
  const left = await begin(work.run, { kind: 'restore.run', input: { point: 'rp_7' }, ...more });
  await (await work.context).phase('moving');
  return left;
}

test('what an earlier life left half-done is settled by its kind, told, and frees the target', async () => {
  const left = await abandon();
  const other = await abandon({ kind: 'backup.create', targetId: 'second' });
  operations = create();
  await expect(begin(async () => 1)).rejects.toMatchObject({ code: 'operation/busy' });
  const given: unknown[] = [];
  const settled = await operations.settle({
    settlers: {
      'restore.run': async (operation) => {
        given.push([operation.input, operation.phase]);
        return { message: 'The old state stands.', severity: 'info', data: { state: 'old' } };
      },
    },
  });
  expect(given).toEqual([[{ point: 'rp_7' }, 'moving']]);
  expect(new Set(settled.map((operation) => operation.id))).toEqual(new Set([left.id, other.id]));
  expect(await operations.find(left.id)).toMatchObject({
    state: 'interrupted',
    result: { state: 'old' },
    error: { code: 'operation/interrupted', detail: 'The old state stands.' },
  });
  expect(await events.list({ limit: 9, operationId: left.id })).toMatchObject([
    { type: 'operation.settled', severity: 'info', message: 'The old state stands.' },
  ]);
  expect(await events.list({ limit: 9, operationId: other.id })).toMatchObject([
    { type: 'operation.settled', severity: 'warning' },
  ]);
  expect(await operations.settle({ settlers: {} })).toEqual([]);
  expect((await begin(async () => 1)).state).toBe('running');
});

test('the former life can no longer write: its work is told so, and its end does not stand', async () => {
  const former = operations;
  const work = held();
  const left = await begin(work.run);
  const context = await work.context;
  operations = create();
  await operations.settle({ settlers: {} });
  await expect(context.checkHeld()).rejects.toMatchObject({ code: 'operation/lease-lost' });
  await context.phase('next');
  expect(context.signal.reason).toMatchObject({ code: 'operation/lease-lost' });
  work.end('too late');
  expect(await former.wait(left.id)).toMatchObject({ state: 'interrupted', result: null });
});

test('settling that fails leaves the target closed, is told, and is tried again', async () => {
  const left = await abandon();
  operations = create();
  const failing = { 'restore.run': () => Promise.reject(new AppError('storage/full', 'No space to move back.')) };
  expect(await operations.settle({ settlers: failing })).toEqual([]);
  expect(await events.list({ limit: 1 })).toMatchObject([{ type: 'operation.settle-failed', severity: 'critical' }]);
  await clock.advance(600_000);
  await expect(begin(async () => 1)).rejects.toMatchObject({ code: 'operation/busy' });
  const settled = await operations.settle({ settlers: {} });
  expect(settled.map((operation) => operation.id)).toEqual([left.id]);
});

test('the work of another instance is left alone while it gives signs of life', async () => {
  const left = await abandon();
  const second = create('second');
  expect(await second.settle({ settlers: {} })).toEqual([]);
  operations = second;
  await state.db.unit((tx) =>
    tx
      .as<OperationTables>()
      .updateTable('operation')
      .set({ heartbeat_ms: clock.now() - 30_001 })
      .execute(),
  );
  expect((await second.settle({ settlers: {} })).map((operation) => operation.id)).toEqual([left.id]);
});

test('own work under way is never settled', async () => {
  const work = held();
  await begin(work.run);
  expect(await operations.settle({ settlers: {} })).toEqual([]);
  work.end();
});

test('retention deletes what ended long ago and never what runs', async () => {
  const oneMinute = 1 / 1_440;
  const retention = createOperationRetention({
    db: state.db,
    clock,
    log: silentLogger,
    retentionDays: oneMinute,
    batch: 2,
  });
  const work = held();
  const long = await begin(work.run, { targetId: 'other' });
  for (let i = 0; i < 5; i += 1) await operations.wait((await begin(async () => i)).id);
  await clock.advance(30_000);
  const young = await operations.wait((await begin(async () => 1)).id);
  await clock.advance(30_000);
  await retention.runOnce();
  expect(await operations.list({ limit: 50 })).toHaveLength(7);
  await clock.advance(1);
  await retention.runOnce();
  expect((await operations.list({ limit: 50 })).map((operation) => operation.id)).toEqual([young.id, long.id]);
  work.end();
  await operations.wait(long.id);
});

test('retention forgets keys after a day', async () => {
  const retention = createOperationRetention({ db: state.db, clock, log: silentLogger, retentionDays: 30 });
  const keys = () => state.db.reader<OperationTables>().selectFrom('idempotency_key').selectAll().execute();
  const idempotency = { key: 'k', route: 'POST /x', requestHash: 'h' };
  await operations.wait((await begin(async () => 1, { idempotency })).id);
  await clock.advance(86_400_000);
  await retention.runOnce();
  expect(await keys()).toHaveLength(1);
  await clock.advance(1);
  await retention.runOnce();
  expect(await keys()).toEqual([]);
});
