import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog } from '../../events/index.ts';
import { openTestState } from '../../migrations/test-state.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { systemRandom } from '../../platform/ids.ts';
import { createReplicationStore } from '../replication-store.ts';
import { createReceivedStore, type ReceivedStore } from './received-store.ts';
import { createReceiver, type Receiver, type UploadPart } from './receiver.ts';

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

const receiverOn = (used: ReceivedStore): Receiver =>
  createReceiver({
    ...{ db: state.db, store: used, log: createReplicationStore(state.db), clock, random: systemRandom, folder },
    events: createEventLog({ db: state.db, clock, instance: 'other' }),
    limits: () => limits,
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
