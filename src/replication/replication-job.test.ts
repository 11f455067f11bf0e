import { expect, test, vi } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openTestState } from '../migrations/test-state.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { measureLag } from './lag.ts';
import type { Overview, ReplicaOverview } from './overview.ts';
import { freshState } from './replica.ts';
import { createReplicationJob, decideReplicaWork } from './replication-job.ts';

test('a place that is slow holds up no other: those are looked at, and the lag is read, while it copies', async () => {
  const clock = createFakeClock();
  const looked: string[] = [];
  let syncs = 0;
  const place = (id: string, points: number) => ({
    replica: { id, enabled: true, offline: false },
    state: { ...freshState, status: 'healthy', reachedMs: 1 },
    targets: [{ targetId: 'a', copies: 0, points, lagMs: 0, bytes: 0 }],
  });
  let atMs = 0;
  const replication = {
    async overview() {
      atMs += 1;
      return {
        ...{ atMs, enabled: true, paused: null, placement: [] },
        replicas: [place('slow', 1), place('near', 0), place('far', 0)],
      };
    },
    async sync() {
      syncs += 1;
      return { id: 'op' };
    },
    look: async (id: string) => looked.push(id),
  };
  const given = {
    ...{ replication, clock, log: silentLogger, onOverview: (_overview: Overview) => undefined },
    operations: {
      wait: (_id: string, { signal }: { signal: AbortSignal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    },
    settings: () => ({
      checkIntervalMs: 1_000,
      intervalMs: 0,
      verifyIntervalMs: 0,
      pruneIntervalMs: 0,
      maxConcurrent: 2,
    }),
    // Of replication, what the job uses.
  } as unknown as Parameters<typeof createReplicationJob>[0];
  const job = createReplicationJob(given);
  for (const rounds of [1, 2]) {
    await job.runOnce();
    await expect.poll(() => looked.length).toBe(2 * rounds);
  }
  expect(looked).toEqual(['near', 'far', 'near', 'far']);
  expect(syncs).toBe(1);
  expect(job.latest()?.atMs).toBeGreaterThan(2);
  await job.stop?.();
});

/** A job over places that copy until they are ended; of each, how many places may be worked on when it begins. */
function jobOver(places: Readonly<Record<string, number | null>>) {
  const ids = Object.keys(places);
  const done = new Set<string>();
  const active = new Set<string>();
  const seen: string[] = [];
  const looked: string[] = [];
  const ends = new Map<string, () => void>();
  const given = {
    ...{ clock: createFakeClock(), log: silentLogger, onOverview: () => undefined },
    replication: {
      overview: async () => ({
        ...{ atMs: 0, enabled: true, paused: null, placement: [] },
        replicas: ids.map((id) => ({
          replica: { id, enabled: true, offline: false, maxConcurrent: places[id] },
          state: { ...freshState, reachedMs: 1 },
          targets: [{ targetId: 't', copies: 0, points: done.has(id) ? 0 : 1, lagMs: 0, bytes: 0 }],
        })),
      }),
      sync: async ({ replicaId }: { replicaId: string }) => ({ id: replicaId }),
      async look(id: string) {
        looked.push(id);
        return freshState;
      },
    },
    operations: {
      async wait(id: string) {
        active.add(id);
        seen.push([...active].sort().join(''));
        await new Promise<void>((resolve) => ends.set(id, resolve));
        active.delete(id);
        done.add(id);
      },
    },
    settings: () => ({
      checkIntervalMs: 1_000,
      intervalMs: 0,
      verifyIntervalMs: 0,
      pruneIntervalMs: 0,
      maxConcurrent: 3,
    }),
    // Of replication, what the job uses.
  } as unknown as Parameters<typeof createReplicationJob>[0];
  return { job: createReplicationJob(given), active, done, seen, looked, end: (id: string) => ends.get(id)?.() };
}

test('no more places are copied to at once than may be, and the rest follows as soon as one is done', async () => {
  const { job, active, done, seen, end } = jobOver({ a: null, b: null, c: null, d: null, e: null });
  await job.runOnce();
  await expect.poll(() => active.size).toBe(3);
  // Another run meanwhile begins nothing more.
  await job.runOnce();
  for (let ended = 1; ended <= 5; ended += 1) {
    end([...active][0] ?? '');
    await expect.poll(() => done.size).toBe(ended);
    await expect.poll(() => active.size).toBe(Math.min(3, 5 - ended));
  }
  expect(Math.max(...seen.map(({ length }) => length))).toBe(3);
  await job.stop?.();
});

test('a place that shall be alone waits for it, and one of more than the others does not wait for those', async () => {
  const { job, active, seen, end } = jobOver({ a: null, b: 1, c: null, d: null, e: null, f: 4 });
  await job.runOnce();
  await expect.poll(() => active.size).toBe(4);
  for (const id of ['a', 'c', 'd', 'f', 'e']) {
    await expect.poll(() => active.has(id)).toBe(true);
    end(id);
    await expect.poll(() => active.has(id)).toBe(false);
  }
  await expect.poll(() => active.has('b')).toBe(true);
  expect(seen).toEqual(['a', 'ac', 'acd', 'acdf', 'def', 'b']);
  end('b');
  await expect.poll(() => active.size).toBe(0);
  await job.stop?.();
});

test('a place that shall be alone and was passed over for a whole run is next; meanwhile others are looked at and not copied to', async () => {
  const { job, active, done, seen, looked, end } = jobOver({ a: null, b: 1, c: null, d: null });
  const isActive = (ids: string) => expect.poll(() => [...active].sort().join('')).toBe(ids);
  const looks = (): number => looked.filter((id) => id === 'd').length;
  done.add('d');
  await job.runOnce();
  await isActive('ac');
  await expect.poll(looks).toBe(1);
  end('a');
  await isActive('c');
  // There is more to be copied to it by now.
  done.delete('a');
  const runsUntil = (value: () => unknown, is: unknown) => expect.poll(() => job.runOnce().then(value)).toBe(is);
  await runsUntil(() => looks() > 2, true);
  end('c');
  await runsUntil(() => seen.at(-1), 'ab');
  expect(seen).toEqual(['a', 'ac', 'b', 'ab']);
  for (const id of ['a', 'b']) end(id);
  await isActive('');
  await job.stop?.();
});

test('a placement rule that is broken is told once, and once that it is met again', async () => {
  const state = await openTestState();
  try {
    const clock = createFakeClock();
    const events = createEventLog({ db: state.db, clock, instance: 'test' });
    let met = false;
    const verdict = () => ({ targetId: 'rag', met, copies: met ? 2 : 1, zones: 1, offline: false });
    const given = {
      ...{ db: state.db, events, clock, log: silentLogger, onOverview: () => undefined, operations: {} },
      replication: {
        overview: async () => ({
          ...{ atMs: 0, enabled: true, paused: null, replicas: [] },
          placement: [{ ...verdict(), missing: met ? [] : ['1 of 2 copies hold the newest point that is due.'] }],
        }),
      },
      settings: () => ({ checkIntervalMs: 1_000, maxConcurrent: 1 }),
      // Of replication, what the job uses.
    } as unknown as Parameters<typeof createReplicationJob>[0];
    const job = createReplicationJob(given);
    for (const now of [false, false, true, true, false]) {
      met = now;
      await job.runOnce();
    }
    const types = ['replication.placement-broken', 'replication.placement-met'];
    const told = await events.list({ types, limit: 9 });
    expect(told.map(({ type, severity }) => [type.split('-').at(-1), severity])).toEqual([
      ['broken', 'error'],
      ['met', 'info'],
      ['broken', 'error'],
    ]);
    expect(told[0]).toMatchObject({ targetId: 'rag', message: expect.stringContaining('1 of 2 copies') });
    await job.stop?.();
  } finally {
    await state.remove();
  }
});

test('a placement rule is told once also when a run and a worker come by it together, and again when it could not be told', async () => {
  const told: string[] = [];
  let disk = async (): Promise<void> => {
    throw new Error('full');
  };
  let overviews = 0;
  const given = {
    ...{ clock: createFakeClock(), log: silentLogger, operations: {}, onOverview: () => undefined },
    db: { unit: (work: (tx: object) => Promise<void>) => disk().then(() => work({})) },
    events: { record: async (_: object, { type }: { type: string }) => told.push(type) },
    replication: {
      async overview() {
        overviews += 1;
        return {
          ...{ atMs: 0, enabled: true, paused: null },
          placement: [
            { targetId: 'rag', met: false, copies: 1, zones: 1, offline: false, missing: ['1 of 2 copies.'] },
          ],
          replicas: [{ replica: { id: 'r', enabled: true }, state: { ...freshState, reachedMs: 1 }, targets: [] }],
        };
      },
      look: async () => freshState,
    },
    settings: () => ({
      checkIntervalMs: 1_000,
      intervalMs: 0,
      verifyIntervalMs: 0,
      pruneIntervalMs: 0,
      maxConcurrent: 1,
    }),
    // Of replication, what the job uses.
  } as unknown as Parameters<typeof createReplicationJob>[0];
  const job = createReplicationJob(given);
  await job.runOnce();
  await vi.waitFor(() => expect(overviews).toBe(2), { timeout: 60_000 });
  expect(told).toEqual([]);
  let free = (): void => undefined;
  const room = new Promise<void>((resolve) => {
    free = resolve;
  });
  disk = () => room;
  const run = job.runOnce();
  // Of the run, and of the worker that has looked.
  await vi.waitFor(() => expect(overviews).toBe(4), { timeout: 60_000 });
  await new Promise(setImmediate);
  free();
  await run;
  await job.stop?.();
  expect(told).toEqual(['replication.placement-broken']);
});

test('with a point each hour and an interval of an hour nothing waits longer than an hour and a look; damage here holds it up until it is healed', () => {
  const [hour, look] = [3_600_000, 300_000];
  const timing = { checkIntervalMs: look, intervalMs: hour, verifyIntervalMs: 0, pruneIntervalMs: 0 };
  const points: { id: string; takenMs: number; storedBytes: number; logicalBytes: number }[] = [];
  const copies: { pointId: string; takenMs: number }[] = [];
  const state = { ...freshState, status: 'healthy' as const, reachedMs: 0 };
  const lags: number[] = [];
  const lagAt: Record<number, number | null> = {};
  const damagedFrom = 12 * hour;
  const healedAt = 15 * hour;
  for (let nowMs = 0; nowMs <= 24 * hour; nowMs += look) {
    if (nowMs % hour === 0) points.push({ id: `p${nowMs / hour}`, takenMs: nowMs, storedBytes: 1, logicalBytes: 1 });
    const lag = measureLag(points, copies, nowMs);
    lagAt[nowMs] = lag.lagMs;
    if (nowMs < damagedFrom || nowMs > healedAt) lags.push(lag.lagMs ?? 0);
    const one = { replica: { id: 'r', enabled: true }, state, targets: [{ targetId: 't', copies: 0, ...lag }] };
    const paused = nowMs >= damagedFrom && nowMs < healedAt ? 'The repository is damaged.' : null;
    // Of a replica, what is decided by.
    if (decideReplicaWork(one as unknown as ReplicaOverview, { paused }, timing, nowMs) !== 'sync') continue;
    for (const { id, takenMs } of points)
      if (!copies.some(({ pointId }) => pointId === id)) copies.push({ pointId: id, takenMs });
    state.syncedMs = nowMs + 60_000;
  }
  expect(Math.max(...lags)).toBeLessThanOrEqual(hour + look);
  expect(lags.filter((lag) => lag === 0).length).toBeGreaterThan(lags.length / 2);
  expect(lagAt[healedAt]).toBe(3 * hour);
  expect(lagAt[healedAt + look]).toBe(0);
});
