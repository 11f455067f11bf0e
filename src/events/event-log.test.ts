import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import type { Event, NewEvent } from './event.ts';
import { createEventRetention } from './event-jobs.ts';
import { createEventLog, type EventLog } from './event-log.ts';

let state: TestState;
let clock: FakeClock;
let events: EventLog;

beforeEach(async () => {
  state = await openTestState();
  clock = createFakeClock();
  events = createEventLog({ db: state.db, clock, instance: 'warden-1' });
});
afterEach(() => state.remove());

const happened = (event: Partial<NewEvent> = {}): Promise<number> =>
  state.db.unit((tx) => events.record(tx, { type: 'host.threshold', severity: 'info', message: 'm', ...event }));

test('numbers follow each other without gaps, whatever fails in between', async () => {
  const attempts = Array.from({ length: 60 }, (_, i) =>
    state.db.unit(async (tx) => {
      await events.record(tx, { type: 'host.threshold', severity: 'info', message: `${i}` });
      if (i % 3 === 0) throw new Error('undone');
    }),
  );
  await Promise.allSettled(attempts);
  const items = await events.list({ limit: 100, order: 'oldest-first' });
  expect(items.map((event) => event.seq)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  expect(await events.lastSeq()).toBe(40);
});

test('an event comes back as it was told', async () => {
  await happened({
    type: 'backup.point-taken',
    severity: 'warning',
    targetId: 'default',
    workspace: 'Ünï 🗂',
    operationId: 'op_1',
    message: 'A point was taken.',
    data: { bytes: 12 },
  });
  expect(await events.list({ limit: 10 })).toEqual([
    {
      seq: 1,
      atMs: clock.now(),
      type: 'backup.point-taken',
      severity: 'warning',
      targetId: 'default',
      workspace: 'Ünï 🗂',
      operationId: 'op_1',
      correlationId: null,
      actor: null,
      instance: 'warden-1',
      message: 'A point was taken.',
      data: { bytes: 12 },
    },
  ]);
});

test('a change of health is still known after a restart, and numbering goes on from it', async () => {
  const change = {
    type: 'target.status-changed',
    severity: 'error',
    targetId: 'default',
    message: 'default is OFFLINE.',
    data: { before: 'HEALTHY', status: 'OFFLINE' },
  } as const;
  await happened(change);
  events = createEventLog({ db: await state.reopen(), clock, instance: 'warden-1' });
  expect(await events.list({ limit: 10 })).toMatchObject([{ seq: 1, ...change }]);
  expect(await happened()).toBe(2);
});

test.each(['backup', 'Backup.taken', 'backup.', 'backup..x', 'backup.1taken', 'elsewhere.taken', "backup.x' or 1"])(
  '%j is no event type',
  async (type) => {
    // The types allow any text with a dot; the check at run time is what this shows.
    await expect(happened({ type: type as NewEvent['type'] })).rejects.toThrow('not an event type');
  },
);

test('filters narrow by type, prefix, severity, target, time and position', async () => {
  await happened({ type: 'backup.point-taken', targetId: 'a' });
  await happened({ type: 'backup.point-failed', severity: 'error', targetId: 'b' });
  await clock.advance(1_000);
  await happened({ type: 'resource.other' });
  await happened({ type: 'restore.finished', severity: 'critical', targetId: 'a', operationId: 'op_9' });
  const seqs = async (filter: Parameters<EventLog['list']>[0]): Promise<number[]> =>
    (await events.list(filter)).map((event) => event.seq);

  expect(await seqs({ limit: 9 })).toEqual([4, 3, 2, 1]);
  expect(await seqs({ limit: 9, types: ['backup.*'] })).toEqual([2, 1]);
  expect(await seqs({ limit: 9, types: ['backup.point-taken', 'restore.finished'] })).toEqual([4, 1]);
  expect(await seqs({ limit: 9, severities: ['error', 'critical'] })).toEqual([4, 2]);
  expect(await seqs({ limit: 9, targetId: 'a' })).toEqual([4, 1]);
  expect(await seqs({ limit: 9, operationId: 'op_9' })).toEqual([4]);
  expect(await seqs({ limit: 9, sinceMs: clock.now() })).toEqual([4, 3]);
  expect(await seqs({ limit: 9, untilMs: clock.now() })).toEqual([2, 1]);
  expect(await seqs({ limit: 2, beforeSeq: 4 })).toEqual([3, 2]);
  expect(await seqs({ limit: 2, afterSeq: 1, order: 'oldest-first' })).toEqual([2, 3]);
});

test('a follower gets what was missed, then what happens, in order and once each', async () => {
  for (let i = 0; i < 600; i += 1) void happened({ message: `${i}` });
  await happened();
  const abort = new AbortController();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const event of events.follow({ afterSeq: 100, signal: abort.signal })) {
      seen.push(event.seq);
      if (event.seq === 601) void happened({ message: 'live' });
      if (event.seq === 602) void Promise.all([happened(), happened()]);
      if (event.seq === 604) abort.abort();
    }
  })();
  await reading;
  expect(seen).toEqual(Array.from({ length: 504 }, (_, i) => i + 101));
});

test('following ends when it is told to, also while nothing happens', async () => {
  const abort = new AbortController();
  const follower = events.follow({ afterSeq: 0, signal: abort.signal });
  const next = follower.next();
  abort.abort();
  expect(await next).toEqual({ done: true, value: undefined });
});

test('an undone event wakes nobody', async () => {
  const abort = new AbortController();
  const follower = events.follow({ afterSeq: 0, signal: abort.signal });
  const next = follower.next();
  const undone = state.db.unit(async (tx) => {
    await events.record(tx, { type: 'host.threshold', severity: 'info', message: 'undone' });
    throw new Error('undone');
  });
  await expect(undone).rejects.toThrow('undone');
  await happened({ message: 'done' });
  expect((await next).value).toMatchObject({ seq: 1, message: 'done' } satisfies Partial<Event>);
  abort.abort();
});

test('the audit chain holds for any text, and across a restart', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary' }),
      fc.string(),
      fc.dictionary(fc.string(), fc.jsonValue()),
      async (object, actor, data) => {
        await state.db.unit((tx) => events.audit(tx, { actor, action: 'quota.set', object, outcome: 'done', data }));
      },
    ),
    { numRuns: 25 },
  );
  await state.db.unit((tx) =>
    events.audit(tx, { actor: 'a\0b\ud800', action: 'x.y', object: '\udfff', outcome: 'refused' }),
  );
  events = createEventLog({ db: await state.reopen(), clock, instance: 'warden-1' });
  const head = await events.auditHead();
  expect(await events.verifyAudit([{ ...head, where: 'a note' }])).toEqual({
    intact: true,
    entries: head.seq,
    head,
    anchors: { matched: 1, removed: 0, foreign: 0 },
  });
  expect(head.seq).toBeGreaterThan(25);
});

test('an empty audit trail is intact', async () => {
  expect(await events.verifyAudit()).toMatchObject({ intact: true, entries: 0 });
});

test.each([
  ['a changed actor', `update audit_entry set actor = 'somebody' where seq = 3`, 3],
  ['changed facts', `update audit_entry set data = '{ }' where seq = 3`, 3],
  ['a changed time', 'update audit_entry set at_ms = at_ms + 1 where seq = 3', 3],
  ['a removed entry', 'delete from audit_entry where seq = 3', 3],
  ['a removed first entry', 'delete from audit_entry where seq = 1', 1],
  ['a new chain after a change', `update audit_entry set hash = 'ff' where seq = 3`, 3],
  ['entries cut off at the end', 'delete from audit_entry where seq > 3', 4],
])('%s is found', async (_what, sql, brokenAtSeq) => {
  for (let i = 0; i < 5; i += 1)
    await state.db.unit((tx) => events.audit(tx, { actor: 'admin', action: 'a.b', object: `${i}`, outcome: 'done' }));
  const head = await events.auditHead();
  await state.tamper(sql);
  expect(await events.verifyAudit([{ ...head, where: 'a note' }])).toMatchObject({ intact: false, brokenAtSeq });
});

test('retention deletes what is older than its days, in batches, and leaves the newest and the audit trail', async () => {
  const retention = createEventRetention({ db: state.db, clock, log: silentLogger, retentionDays: 90, batch: 10 });
  for (let i = 0; i < 35; i += 1) await happened();
  await state.db.unit((tx) => events.audit(tx, { actor: 'a', action: 'a.b', object: '', outcome: 'done' }));
  await clock.advance(90 * 86_400_000);
  await retention.runOnce();
  expect(await events.list({ limit: 100 })).toHaveLength(35);

  await clock.advance(1);
  await happened({ message: 'new' });
  await retention.runOnce();
  expect((await events.list({ limit: 100 })).map((event) => event.seq)).toEqual([36]);

  await clock.advance(91 * 86_400_000);
  await retention.runOnce();
  expect((await events.list({ limit: 100 })).map((event) => event.seq)).toEqual([36]);
  expect(await happened()).toBe(37);
  expect(await events.verifyAudit()).toMatchObject({ intact: true, entries: 1 });
});
