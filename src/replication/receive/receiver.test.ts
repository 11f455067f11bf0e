import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog } from '../../events/index.ts';
import { openTestState } from '../../migrations/test-state.ts';
import type { Database } from '../../platform/database/index.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { systemRandom } from '../../platform/ids.ts';
import { createReplicationStore } from '../replication-store.ts';
import { createReceivedStore, type ReceivedStore } from './received-store.ts';
import { createReceiver, type Receiver, type UploadPart } from './receiver.ts';
import type { Disk } from './room.ts';

const bytes = Buffer.from('what a point holds, sealed');
const limits = { enabled: true, maxBytes: 1e9, totalBytes: 1e10, keep: 100 };
const clock = createFakeClock();
let folder: string;
let state: Awaited<ReturnType<typeof openTestState>>;
let store: ReceivedStore;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-receiver-'));
  state = await openTestState();
  store = createReceivedStore(state.db);
  Object.assign(limits, { totalBytes: 1e10, keep: 100 });
});
afterEach(async () => {
  await state.remove();
  rmSync(folder, { recursive: true, force: true });
});

const receiverOn = (
  used: ReceivedStore,
  instance = 'other',
  disk: Disk | undefined = undefined,
  db: Database = state.db,
  place = folder,
): Receiver =>
  createReceiver({
    ...{
      db,
      instance,
      store: used,
      log: createReplicationStore(state.db),
      clock,
      random: systemRandom,
      folder: place,
    },
    events: createEventLog({ db: state.db, clock, instance: 'other' }),
    limits: () => limits,
    ...(disk ? { disk: async () => disk } : {}),
  });
const part = (more: Partial<UploadPart> = {}): UploadPart => ({
  ...{ sender: 'near', graphId: 'default', pointId: 'p1', treeId: null, takenMs: null, offset: 0, bytes },
  ...{ dataHash: createHash('sha256').update(bytes).digest('hex'), totalBytes: bytes.length },
  ...more,
});

test('what is just being listed does not go with what nobody lists', async () => {
  const opened = Promise.withResolvers<void>();
  const inserting = Promise.withResolvers<void>();
  let first: Promise<unknown> | undefined;
  let held = false;
  // The list is read before the point is on it, and used after.
  const receiver = receiverOn({
    ...store,
    async insert(tx, one) {
      if (one.sender === 'far') {
        inserting.resolve();
        await opened.promise;
      }
      return store.insert(tx, one);
    },
    async list(sender, graphId) {
      const rows = await store.list(sender, graphId);
      if (held && sender === undefined) {
        held = false;
        opened.resolve();
        await first;
      }
      return rows;
    },
  });
  first = receiver.take(part({ sender: 'far' }));
  await inserting.promise;
  held = true;
  await receiver.take(part({ bytes: bytes.subarray(0, 5) }));
  const [one] = await store.list('far');
  expect(existsSync(join(folder, one?.file ?? 'nothing'))).toBe(true);
});

test('two senders who begin at once are not both admitted where there is room for one', async () => {
  limits.totalBytes = bytes.length + 12;
  const receiver = receiverOn(store);
  const outcomes = await Promise.all(
    ['near', 'far'].map((sender) =>
      receiver.take(part({ sender, bytes: bytes.subarray(0, 5) })).then(
        (taken) => taken.state,
        (err: { code?: string }) => err.code,
      ),
    ),
  );
  expect(outcomes.sort()).toEqual(['receiving', 'storage/full']);
});

test('a point that a newer one lets go while it is looked at again is no damage', async () => {
  limits.keep = 1;
  let armed = false;
  const receiver: Receiver = receiverOn({
    ...store,
    async find(sender, graphId, pointId) {
      const found = await store.find(sender, graphId, pointId);
      if (armed && pointId === 'p1') {
        armed = false;
        clock.advance(1_000);
        await receiver.take(part({ pointId: 'p2' }));
      }
      return found;
    },
  });
  await receiver.take(part());
  const [one] = await store.list('near');
  writeFileSync(join(folder, one?.file ?? ''), 'damaged');
  armed = true;
  expect((await receiver.verify('near', 100)).findings).toEqual([]);
});

const begin = (receiver: Receiver, more: Partial<UploadPart> = {}) =>
  receiver.take(part({ bytes: bytes.subarray(0, 5), ...more }));
const names = (place = '.'): string[] => readdirSync(join(folder, place)).sort();

test('what was announced keeps its room over a restart, and is what it was', async () => {
  limits.totalBytes = bytes.length + 12;
  await begin(receiverOn(store));
  const restarted = receiverOn(store);
  await expect(begin(restarted, { sender: 'far' })).rejects.toMatchObject({ code: 'storage/full' });
  const rest = part({ offset: 5, bytes: bytes.subarray(5) });
  await expect(restarted.take({ ...rest, totalBytes: 1_000 })).rejects.toMatchObject({ code: 'conflict/state' });
  expect(await restarted.take(rest)).toMatchObject({ state: 'validated' });
  // Nothing is held for it any more.
  expect(names('partial')).toEqual([]);
});

test('at start goes what nobody goes on with and what an end in the middle left, and nothing else', async () => {
  const receiver = receiverOn(store);
  await receiver.take(part({ pointId: 'whole' }));
  await begin(receiver, { pointId: 'old' });
  await clock.advance(23 * 3_600_000);
  await begin(receiver, { pointId: 'young' });
  await clock.advance(2 * 3_600_000);
  writeFileSync(join(folder, 'f'.repeat(64)), 'whole, and not listed');
  writeFileSync(join(folder, 'partial', 'a-b-c.total'), '7');
  await receiverOn(store).sweep();
  expect(names().filter((name) => name.length === 64)).toEqual([(await store.list('near'))[0]?.file]);
  expect(names('partial')).toHaveLength(2);
  // It may be all there is, where the list was lost: it goes when its room is needed.
  expect(names('unlisted')).toEqual([`${clock.now()}-${'f'.repeat(64)}`]);
  limits.totalBytes = 3 * bytes.length + 12;
  await begin(receiver, { sender: 'far' });
  expect(names('unlisted')).toEqual([]);
  expect(await receiver.find(part({ pointId: 'young' }))).toMatchObject({ state: 'receiving' });
});

test('the same part twice at once is taken once', async () => {
  const receiver = receiverOn(store);
  await begin(receiver);
  const next = part({ offset: 5, bytes: bytes.subarray(5, 10) });
  const outcomes = await Promise.allSettled([receiver.take(next), receiver.take(next)]);
  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(await receiver.take(part({ offset: 10, bytes: bytes.subarray(10) }))).toMatchObject({ state: 'validated' });
});

test('what is damaged is off the list before its file is moved, and stays where it is when the list cannot be written', async () => {
  const receiver = receiverOn({
    ...store,
    async delete(tx, one) {
      await store.delete(tx, one);
      throw new Error('the list cannot be written');
    },
  });
  await receiver.take(part());
  const file = join(folder, (await store.list('near'))[0]?.file ?? '');
  writeFileSync(file, 'damaged');
  await expect(receiver.verify('near', 100)).rejects.toThrow('cannot be written');
  // Moved first it would be listed and not there.
  expect([existsSync(file), (await store.list('near')).length]).toEqual([true, 1]);
});

test('a point whose line in the list cannot be written is neither half listed nor brought again', async () => {
  let broken = true;
  const receiver = receiverOn({
    ...store,
    async insert(tx, one) {
      if (broken) throw new Error('the list cannot be written');
      return store.insert(tx, one);
    },
  });
  await begin(receiver);
  const rest = part({ offset: 5, bytes: bytes.subarray(5) });
  await expect(receiver.take(rest)).rejects.toThrow('cannot be written');
  expect(await receiver.find(part())).toEqual({ state: 'receiving', receivedBytes: bytes.length });
  broken = false;
  const end = part({ offset: bytes.length, bytes: Buffer.alloc(0) });
  expect(await receiver.take(end)).toMatchObject({ state: 'validated' });
});

test('what is gone from the disk already holds up neither the next point nor a check', async () => {
  limits.keep = 1;
  const receiver = receiverOn(store);
  await receiver.take(part());
  rmSync(join(folder, (await store.list('near'))[0]?.file ?? ''));
  await clock.advance(1_000);
  expect(await receiver.take(part({ pointId: 'p2' }))).toMatchObject({ state: 'validated' });
  expect((await store.list('near')).map(({ pointId }) => pointId)).toEqual(['p2']);
});

const large = Buffer.alloc(2_500_000, 'x');
const largePart = (more: Partial<UploadPart> = {}) =>
  part({ bytes: large, dataHash: createHash('sha256').update(large).digest('hex'), totalBytes: large.length, ...more });

test('a large point is read over as many calls as it takes, and each of them gets further', async () => {
  const receiver = receiverOn(store);
  const waits = { patienceMs: 0 };
  const read = async (): Promise<number[]> => {
    const seen: number[] = [];
    for (;;) {
      const told = await receiver.verify('near', 100, { graphId: 'default', pointId: 'p1' }, waits);
      if (told.complete) return [...seen, told.findings.length];
      seen.push(told.readBytes);
    }
  };
  const first = await receiver.take(largePart(), waits);
  expect(first).toEqual({ state: 'receiving', receivedBytes: large.length, readBytes: 1_048_576 });
  let taken = first;
  while (taken.state === 'receiving')
    taken = await receiver.take(largePart({ offset: large.length, bytes: Buffer.alloc(0) }), waits);
  expect(taken.state).toBe('validated');
  expect(await read()).toEqual([1_048_576, 2_097_152, 2_500_000, 0]);
  const file = join(folder, (await store.list('near'))[0]?.file ?? '');
  // What changes between two calls is read anew.
  await receiver.verify('near', 100, { graphId: 'default', pointId: 'p1' }, waits);
  writeFileSync(file, readFileSync(file).fill(0, 0, 1));
  expect(await read()).toEqual([1_048_576, 2_097_152, 2_500_000, 3_548_576, 4_597_152, 5_000_000, 1]);
  expect(await store.list('near')).toEqual([]);
});

test('nothing is read for who went away, also when it stood in the line', async () => {
  const receiver = receiverOn(store);
  const gone = AbortSignal.abort(new Error('went away'));
  await expect(receiver.take(part(), { signal: gone })).rejects.toThrow('went away');
  expect(await receiver.find(part())).toEqual({ state: 'absent' });
  await receiver.take(part());
  await expect(receiver.verify('near', 100, {}, { signal: gone })).rejects.toThrow('went away');
  expect(await store.list('near')).toHaveLength(1);
});

test('what was set aside, what nobody goes on with, and the same point packed anew take no room from what comes', async () => {
  limits.totalBytes = 2 * bytes.length;
  const receiver = receiverOn(store);
  const bad = part({ sender: 'hostile', dataHash: 'b'.repeat(64) });
  for (const pointId of ['b1', 'b2'])
    await expect(receiver.take({ ...bad, pointId })).rejects.toMatchObject({ code: 'replication/digest-mismatch' });
  await begin(receiver, { sender: 'hostile' });
  await clock.advance(3_600_000);
  expect(await receiver.take(part())).toMatchObject({ state: 'validated' });
  await begin(receiver, { pointId: 'p2', dataHash: 'c'.repeat(64) });
  expect(await receiver.take(part({ pointId: 'p2' }))).toMatchObject({ state: 'validated' });
});

test('a point of no bytes is none', async () => {
  const empty = part({ bytes: Buffer.alloc(0), totalBytes: 0 });
  await expect(receiverOn(store).take(empty)).rejects.toMatchObject({ code: 'conflict/state' });
});

test('what lies with another instance that shares the list is neither looked for here nor taken off it', async () => {
  await receiverOn(store).take(part());
  const file = join(folder, (await store.list('near'))[0]?.file ?? '');
  rmSync(file);
  mkdirSync(join(folder, 'partial'), { recursive: true });
  expect(await receiverOn(store, 'second').verify('near', 100)).toMatchObject({ read: 0, findings: [] });
  expect(await store.list('near')).toHaveLength(1);
});

test('an upload that is refused takes nothing with it of what was set aside, is on no list, or is idle', async () => {
  const disk = { freeBytes: 1e12, reserveBytes: 0 };
  const receiver = receiverOn(store, 'other', disk);
  await begin(receiver, { sender: 'far' });
  await expect(receiver.take(part({ sender: 'far', pointId: 'bad', dataHash: 'b'.repeat(64) }))).rejects.toThrow();
  writeFileSync(join(folder, 'f'.repeat(64)), 'all there is');
  await receiver.sweep();
  await clock.advance(2 * 3_600_000);
  const kept = () => ['partial', 'quarantine', 'unlisted'].map((place) => names(place).length);
  const refused = async (totalBytes: number, code: string): Promise<void> => {
    const empty = { totalBytes, bytes: Buffer.alloc(0) };
    await expect(begin(receiver, empty)).rejects.toMatchObject({ code });
    expect(kept()).toEqual([2, 1, 1]);
  };
  await refused(Number.MAX_SAFE_INTEGER, 'request/too-large');
  limits.totalBytes = 1_000;
  await refused(1_001, 'storage/full');
  disk.freeBytes = 500;
  await refused(999, 'storage/full');
  // What makes room enough goes, and no more.
  disk.freeBytes = 100 + bytes.length;
  await begin(receiver, { totalBytes: 101 + 5 });
  expect(kept()).toEqual([4, 0, 1]);
});

test('what was admitted keeps its room on the disk, and is held up by nothing but the reserve', async () => {
  const disk = { freeBytes: 10 + 2 * bytes.length - 1, reserveBytes: 10 };
  const receiver = receiverOn(store, 'other', disk);
  await begin(receiver);
  disk.freeBytes -= 5;
  // Its own bytes would fit, beside what the first one still brings they do not.
  await expect(begin(receiver, { sender: 'far' })).rejects.toMatchObject({ code: 'storage/full' });
  disk.freeBytes = 12;
  const next = part({ offset: 5, bytes: bytes.subarray(5, 7) });
  expect(await receiver.take(next)).toMatchObject({ receivedBytes: 7 });
  const rest = part({ offset: 7, bytes: bytes.subarray(7) });
  await expect(receiver.take(rest)).rejects.toMatchObject({ code: 'storage/full' });
  disk.freeBytes = 10 + rest.bytes.length;
  expect(await receiver.take(rest)).toMatchObject({ state: 'validated' });
});

test('what was listed before it was written down where it lies is taken off the list by nobody else, and is claimed where it is', async () => {
  await receiverOn({ ...store, insert: (tx, one) => store.insert(tx, { ...one, instance: null }) }).take(part());
  const file = join(folder, (await store.list('near'))[0]?.file ?? '');
  const elsewhere = `${file}.elsewhere`;
  renameSync(file, elsewhere);
  const second = receiverOn(store, 'second');
  await second.sweep();
  expect(await second.verify('near', 100)).toMatchObject({ read: 0, findings: [] });
  renameSync(elsewhere, file);
  await receiverOn(store).sweep();
  expect(await store.list('near')).toMatchObject([{ instance: 'other' }]);
  // From now on it is missed where it lay.
  rmSync(file);
  expect((await receiverOn(store).verify('near', 100)).findings).toHaveLength(1);
});

test('what a newer point lets go is not taken for a file that nobody lists', async () => {
  limits.keep = 1;
  let armed = false;
  const receiver: Receiver = receiverOn(store, 'other', undefined, {
    ...state.db,
    async unit(work) {
      const done = await state.db.unit(work);
      // Its file is off the list and still there: another upload begins.
      if (armed) {
        armed = false;
        await receiver.sweep();
      }
      return done;
    },
  });
  await receiver.take(part());
  await clock.advance(1_000);
  armed = true;
  await receiver.take(part({ pointId: 'p2' }));
  expect(armed).toBe(false);
  expect(names().filter((name) => name.length === 64)).toHaveLength(1);
  expect(existsSync(join(folder, 'unlisted'))).toBe(false);
});

test('what is dated in the future is the first to go, and keeps nothing newer out', async () => {
  const receiver = receiverOn(store);
  limits.keep = 2;
  const minute = 60_000;
  const send = (pointId: string, takenMs: number) => receiver.take(part({ pointId, takenMs }));
  await send('ahead', clock.now() + 1_000 * minute);
  await send('first', clock.now() - 3 * minute);
  await send('second', clock.now() - 2 * minute);
  expect((await receiver.list('near')).map(({ pointId }) => pointId).sort()).toEqual(['first', 'second']);
  await send('third', clock.now() - minute);
  expect((await receiver.list('near')).map(({ pointId }) => pointId).sort()).toEqual(['second', 'third']);
  await expect(send('ahead', clock.now() + 1_000 * minute)).rejects.toMatchObject({ code: 'replication/not-kept' });
});

test('what is new by the clock of its sender is new here as well, though the clock here is behind', async () => {
  const receiver = receiverOn(store);
  limits.keep = 2;
  const day = 86_400_000;
  const senderMs = clock.now() + day;
  const send = (pointId: string, takenMs: number, sentMs: number) => receiver.take(part({ pointId, takenMs, sentMs }));
  const kept = async () => (await receiver.list('near')).map(({ pointId }) => pointId).sort();
  // These came while it was right.
  await send('first', clock.now() - 2_000, clock.now());
  await send('second', clock.now() - 1_000, clock.now());
  await send('third', senderMs, senderMs);
  await send('fourth', senderMs + 1_000, senderMs + 1_000);
  expect(await kept()).toEqual(['fourth', 'third']);
  // What the sender itself dated ahead goes before what it dates since.
  await send('ahead', senderMs + 30 * day, senderMs + 30 * day);
  await send('fifth', senderMs + 2_000, senderMs + 2_000);
  await send('sixth', senderMs + 3_000, senderMs + 3_000);
  expect(await kept()).toEqual(['fifth', 'sixth']);
});

test('the same upload while the first is being handled is the same point: one file, one line, one answer', async () => {
  const receiver = receiverOn(store);
  const taken = await Promise.all([receiver.take(part()), receiver.take(part()), receiver.take(part())]);
  expect(taken.map(({ state: how }) => how)).toEqual(['validated', 'validated', 'validated']);
  expect(await store.list('near')).toHaveLength(1);
  expect(readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name))).toHaveLength(1);
  expect(readdirSync(join(folder, 'partial'))).toEqual([]);
});

test('the same upload at two instances of one state is one point, at whichever came first', async () => {
  const listed = Promise.withResolvers<void>();
  const slow = receiverOn(
    {
      ...store,
      async list(...asked) {
        // The last look before it is listed.
        if (asked.length === 2 && existsSync(join(folder, 'partial'))) await listed.promise;
        return store.list(...asked);
      },
    },
    'slow',
  );
  const elsewhere = mkdtempSync(join(tmpdir(), 'ragwarden-receiver-'));
  try {
    const late = slow.take(part());
    await receiverOn(store, 'quick', undefined, state.db, elsewhere).take(part());
    listed.resolve();
    expect(await late).toMatchObject({ state: 'validated', received: { instance: 'quick' } });
    expect(await store.list('near')).toHaveLength(1);
    expect(readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
    expect(readdirSync(join(folder, 'partial'))).toEqual([]);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});
