import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { Operation, Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import type { Backup } from './backup.ts';
import { type BackupSchedule, createBackupSchedule } from './backup-schedule.ts';
import type { Manifest } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import type { PointCause } from './point-cause.ts';
import { createPointStore, type PointStore } from './point-store.ts';

const hour = 3_600_000;
const noon = Date.UTC(2026, 0, 5, 12);
let state: TestState;
let points: PointStore;
let nowMs: number;
let version: string | undefined;
let breaks: boolean;
let taken: { cause: PointCause; workspace: string | null; atMs: number }[];
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, sleep: () => new Promise(() => {}) };

/** A run of one moment: the point is there when it is asked for, unless it breaks. */
async function take(request: Parameters<Backup['take']>[0]): Promise<Operation & { pointId: string }> {
  const pointId = `backup_${taken.length}`;
  if (breaks) return { id: 'broken', pointId } as Operation & { pointId: string }; // what the schedule reads of it
  const workspace = request.selection?.workspace ?? null;
  taken.push({ cause: request.cause, workspace, atMs: nowMs });
  await state.db.unit((tx) => points.insert(tx, point(pointId, { takenMs: nowMs, workspace, cause: request.cause })));
  return { id: 'done', pointId } as Operation & { pointId: string }; // as above
}

const point = (id: string, more: Partial<RecoveryPoint>): RecoveryPoint => ({
  id,
  targetId: 'rag',
  scope: typeof more.workspace === 'string' ? 'workspace' : 'target',
  workspace: null,
  cause: 'scheduled',
  status: 'success',
  grade: 'consistent',
  takenMs: nowMs,
  startedMs: nowMs,
  finishedMs: nowMs,
  verifiedMs: nowMs,
  forgottenMs: null,
  repositoryId: 'r',
  treeId: 't',
  logicalBytes: 1,
  storedBytes: 1,
  manifest: manifestOf(version ?? null),
  error: null,
  pinned: false,
  operationId: null,
  ...more,
});

const manifestOf = (coreVersion: string | null, missing: Manifest['missing'] = []): Manifest => ({
  format: 'ragwarden-recovery-point',
  version: 2,
  id: 'p',
  target: {
    ...{ id: 'rag', kind: 'lightrag', core_version: coreVersion, api_version: null, workspaces: [''] },
    ...{ storage_classes: {}, embedding_model: null, embedding_dimension: null },
  },
  ...{ scope: 'target', cause: 'manual', taken_at: '2026-01-05T12:00:00.000Z', grade: 'consistent', reasons: [] },
  ...{ partial: missing.length > 0, total_size_mb: 1, components: [], missing, documents: null, counts: null },
  ...{ audit: { seq: 1, hash: 'h' }, warden_version: '0' },
});

function begin(frequencyMs = hour): BackupSchedule {
  const events = createEventLog({ db: state.db, clock, instance: 'main' });
  return createBackupSchedule({
    // What the schedule asks of the two, and nothing else.
    backup: {
      policy: { frequencyMs, retentionDays: 7, dailyRetentionDays: 30, rpoMs: 2 * hour },
      availability: async () => ({ available: true }),
      checkAvailability: async () => ({ available: true }),
      catalogue: { look: async () => {}, warnings: () => [] },
      upkeep: { states: async () => [], runDue: async () => {} },
      take,
    } as unknown as Backup,
    operations: {
      list: async () => [],
      wait: async (id: string) => ({ id, state: id === 'done' ? 'succeeded' : 'failed', error: null }),
    } as unknown as Operations,
    ...{ points, db: state.db, events, clock, log: silentLogger, targetIds: ['rag'], atStart: true },
    ...{ random: systemRandom, jitterMs: () => 0, version: () => version, observed: () => true, onStatus: () => {} },
  });
}

beforeEach(async () => {
  state = await openTestState();
  points = createPointStore(state.db);
  [nowMs, version, breaks, taken] = [noon, '1.4.9', false, []];
});
afterEach(() => state.remove());

/** Lets it look every `everyMs` for so long. */
async function pass(schedule: BackupSchedule, ms: number, everyMs = 60_000): Promise<void> {
  for (const untilMs = nowMs + ms; nowMs < untilMs; nowMs += everyMs) await schedule.runOnce();
}
const graph = { id: 'rag:tenant', targetId: 'rag', workspace: 'tenant' };

test('one point each interval; missed ones are made up for by one, also over a restart', async () => {
  await pass(begin(), 3 * hour);
  expect(taken.map((one) => one.atMs - noon)).toEqual([0, hour, 2 * hour]);
  nowMs += 50 * hour;
  await pass(begin(), hour);
  expect(taken).toHaveLength(4);
});

test('with a point each half hour less than an hour can be lost, though each takes two minutes and one in four fails at first', async () => {
  const schedule = begin(hour / 2);
  const minute = 60_000;
  let worstMs = 0;
  for (const endMs = noon + 12 * hour; nowMs < endMs; nowMs += 2 * minute) {
    // For ten minutes of each second hour nothing can be taken.
    breaks = (nowMs - noon) % (2 * hour) >= hour && (nowMs - noon) % (2 * hour) < hour + 10 * minute;
    await schedule.runOnce();
    // What was taken counts once it was read back, two minutes later: as long as a whole point may take.
    const good = taken.findLast(({ atMs }) => atMs + 2 * minute <= nowMs);
    if (good) worstMs = Math.max(worstMs, nowMs - good.atMs);
  }
  expect(taken.length).toBeGreaterThan(18);
  expect(worstMs).toBeGreaterThan(hour / 2);
  expect(worstMs).toBeLessThan(hour);
});

test('a clock that is set back: no point is missed for it, and none is doubled', async () => {
  const schedule = begin();
  await pass(schedule, hour);
  nowMs -= 10 * hour;
  const backMs = nowMs;
  await pass(schedule, 4 * hour);
  expect(taken.slice(1).map((one) => one.atMs - backMs)).toEqual([hour, 2 * hour, 3 * hour]);
});

test('another version of the backend is worth a point at once, one, and the event names the point before', async () => {
  const schedule = begin();
  await pass(schedule, 10 * 60_000);
  version = '1.5.0';
  await pass(schedule, 10 * 60_000);
  expect(taken.map((one) => one.cause)).toEqual(['scheduled', 'upgrade']);
  expect(taken[1]?.atMs).toBe(noon + 10 * 60_000);
  // What the backend does not tell is no change.
  version = undefined;
  await pass(schedule, 10 * 60_000);
  expect(taken).toHaveLength(2);
  const everything = await state.everything();
  expect(everything).toContain('backup.upgrade-noticed');
  expect(everything).toContain('backup_0 holds the state before');
});

test('a version that changed while nobody looked, and a point that fails: tried again until there is one', async () => {
  await pass(begin(), 60_000);
  version = '1.5.0';
  breaks = true;
  const schedule = begin();
  await pass(schedule, 5 * 60_000);
  expect((await schedule.status('rag')).state).toBe('error');
  breaks = false;
  await pass(schedule, 10 * 60_000);
  expect(taken.map((one) => one.cause)).toEqual(['scheduled', 'upgrade']);
  expect((await schedule.status('rag')).state).toBe('scheduled');
});

test('a point that somebody asked for in part does not put off the next whole one', async () => {
  const schedule = begin();
  await pass(schedule, 60_000);
  nowMs = noon + 59 * 60_000;
  const missing = [{ name: 'workspace', reason: 'left out as asked (include_workspaces was false)' }];
  await state.db.unit((tx) =>
    points.insert(tx, point('in_part', { status: 'partial', manifest: manifestOf('1.4.9', missing) })),
  );
  await pass(schedule, 5 * 60_000);
  expect(taken.map((one) => one.atMs - noon)).toEqual([0, hour]);
});

test('a graph on a rhythm of its own is taken beside its target, whose points count for it', async () => {
  const schedule = begin();
  await pass(schedule, 60_000);
  await schedule.scheduleGraph(graph, hour / 4, 'me');
  await pass(schedule, hour - 60_000);
  expect(taken.map((one) => [one.workspace, one.atMs - noon])).toEqual([
    [null, 0],
    ['tenant', hour / 4],
    ['tenant', hour / 2],
    ['tenant', (hour / 4) * 3],
  ]);
  const again = begin();
  expect(await again.graphStatus(graph)).toMatchObject({ source: 'graph', frequencyMs: hour / 4 });
  await again.switchTo(false, 'me');
  await pass(again, 2 * hour);
  expect(taken).toHaveLength(4);
  await again.switchTo(true, 'me');
  await again.scheduleGraph(graph, null, 'me');
  expect(await again.graphStatus(graph)).toMatchObject({ source: 'target', frequencyMs: hour });
});

test('a point that was dated by a clock ahead is neither the newest nor the last run when its date comes', async () => {
  points = createPointStore(state.db, () => nowMs);
  const schedule = begin(4 * hour);
  nowMs = noon + 10 * hour;
  await schedule.runOnce();
  nowMs = noon;
  await pass(schedule, 11 * hour, 600_000);
  expect((await points.find('backup_0'))?.misdated).toBe(true);
  const { newest, newestVerified, rpo, warnings } = await schedule.status('rag');
  expect([newest?.id, newestVerified?.id, rpo.measuredMs]).toEqual(['backup_2', 'backup_2', 3 * hour]);
  expect(warnings.join()).toContain('backup_0 bears a date that lay in the future');
  await pass(schedule, 2 * hour, 600_000);
  expect(taken.slice(1).map((one) => one.atMs - noon)).toEqual([4 * hour, 8 * hour, 12 * hour]);
});

test('points are not taken for misdated because the clock was behind for a while after a start', async () => {
  await begin().runOnce();
  nowMs = 0;
  await pass(begin(), hour / 2);
  nowMs = noon + hour;
  await pass(begin(), 2 * hour);
  expect((await points.list({ limit: 10 })).filter(({ misdated }) => misdated)).toEqual([]);
});

test('good points that were noted because the clock was behind keep their places, and the next point takes the notes away', async () => {
  points = createPointStore(state.db, () => nowMs);
  const known = { ...manifestOf('1.4.9'), taken_after: [] };
  for (const [id, atMs] of [
    ['older', noon - 30 * hour],
    ['good', noon],
  ] as const)
    await state.db.unit((tx) => points.insert(tx, point(id, { takenMs: atMs, verifiedMs: atMs, manifest: known })));
  nowMs = noon - 20 * hour;
  breaks = true;
  await pass(begin(), 2 * hour, 600_000);
  expect((await points.find('good'))?.misdated).toBe(true);
  nowMs = noon + hour / 4;
  const schedule = begin();
  await schedule.runOnce();
  const { newestVerified, rpo, warnings } = await schedule.status('rag');
  expect([newestVerified?.id, rpo.measuredMs]).toEqual(['good', null]);
  expect(warnings.join()).toContain('good lay in the future for more than an hour');
  await state.db.unit((tx) => points.insert(tx, point('next', { manifest: known })));
  nowMs += hour / 4;
  await schedule.runOnce();
  expect((await points.find('good'))?.misdated).toBeUndefined();
  expect((await schedule.status('rag')).newestVerified?.id).toBe('next');
});

test('a point in part and one of a workspace are named as well when they are dated in the future', async () => {
  const aheadMs = nowMs + 24 * hour;
  await state.db.unit((tx) => points.insert(tx, point('tenant', { takenMs: aheadMs, workspace: 'tenant' })));
  expect((await begin().status('rag')).warnings.join()).toContain('tenant bears a date that lay in the future');
});
