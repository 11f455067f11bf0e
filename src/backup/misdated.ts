import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { clockLeewayMs, isAheadOfClock, isOutOfOrder, type PointId, type RecoveryPoint } from './point.ts';
import type { PointStore } from './point-store.ts';

export const misdatedKey = 'misdated-points';
const entries = z.array(z.union([z.string(), z.object({ id: z.string(), in_order: z.literal(true) })]));

/** Points whose date is not to be believed, and whether their place among the others is known all the same. */
export type Noted = ReadonlyMap<PointId, boolean>;

/** What is kept under `misdatedKey`. */
export const readMisdated = (setting: string | undefined): Noted =>
  new Map(
    (setting === undefined ? [] : entries.parse(JSON.parse(setting))).map((one) =>
      typeof one === 'string' ? [one, false] : [one.id, true],
    ),
  );

const writeNoted = ({ points, db }: Pick<MisdatedDeps, 'points' | 'db'>, noted: Noted): Promise<void> =>
  db.unit((tx) =>
    points.writeSetting(
      tx,
      misdatedKey,
      JSON.stringify([...noted].map(([id, inOrder]) => (inOrder ? { id, in_order: true } : id))),
    ),
  );

/**
 * So long a point has to be seen ahead of the clock before that is noted for good: a machine that starts without the time has it
 * sooner, and its points are dated well.
 */
const seenForMs = 3_600_000;
/** Whoever dated more than this ahead gets the rest noted by a later look. */
const mostAtOnce = 1_000;
const few = 20;
const lookMs = 60_000;
const existing = ['success', 'partial', 'lost'] as const;

/** Points of the target that are there and bear a later date than that. One that is taken now tells of them in its manifest. */
export const findDatedLater = async (
  points: Pick<PointStore, 'list'>,
  targetId: string,
  takenMs: number,
): Promise<PointId[]> =>
  (await listWhile(points, targetId, (point) => isAheadOfClock(point, takenMs))).map(({ id }) => id);

/**
 * What is asked for often, of a list that is short: a quiet process pays nothing for it.
 * @param stopAtNoted for who asks only for what is not noted yet
 */
async function listWhile(
  points: Pick<PointStore, 'list'>,
  targetId: string,
  wanted: (point: RecoveryPoint) => boolean,
  { stopAtNoted = false } = {},
): Promise<RecoveryPoint[]> {
  const filter = { targetId, statuses: existing };
  const newest = await points.list({ ...filter, limit: few });
  const enough =
    newest.length < few || !newest.every(wanted) || (stopAtNoted && newest.every(({ misdated }) => misdated));
  return (enough ? newest : await points.list({ ...filter, limit: mostAtOnce })).filter(wanted);
}

/** Of points as their manifests tell them: those after which others were taken that bear an earlier date. */
export const findOvertaken = (
  manifests: readonly { readonly id: PointId; readonly taken_after?: readonly PointId[] | undefined }[],
): ReadonlySet<PointId> => new Set(manifests.flatMap((one) => one.taken_after ?? []));

/**
 * What becomes of notes when points were taken since. A note that a later point contradicts goes: it bears a later date and tells
 * of none that is later. Where only earlier dates are there, and the newest of them was not taken after it, its place is known
 * and its age is not: its clock was ahead, or the one of when it was noted was behind.
 * @param rows of one target that exist, of the latest date first
 */
export function reviewNotes(
  noted: Noted,
  rows: readonly RecoveryPoint[],
  nowMs: number,
): Map<PointId, boolean | 'drop'> {
  const overtaken = findOvertaken(rows.flatMap(({ manifest }) => manifest ?? []));
  const newest = rows.find((row) => !noted.has(row.id) && !isAheadOfClock(row, nowMs));
  const reviewed = new Map<PointId, boolean | 'drop'>();
  for (const row of rows) {
    const inOrder = noted.get(row.id);
    if (inOrder === undefined) continue;
    if (overtaken.has(row.id)) reviewed.set(row.id, false);
    // An earlier version does not say after what it was taken.
    else if (isAheadOfClock(row, nowMs) || newest?.manifest?.taken_after === undefined) reviewed.set(row.id, inOrder);
    else reviewed.set(row.id, newest.takenMs > row.takenMs + clockLeewayMs ? 'drop' : true);
  }
  return reviewed;
}

/** Of a point whose date is not to be believed, for people. */
export const describeAhead = (point: RecoveryPoint, nowMs: number): string =>
  isOutOfOrder(point, nowMs)
    ? `${point.id} bears a date that lay in the future: the clock that dated it was ahead, or another was behind then. It counts as older than all others, and goes by no retention until its date has come.`
    : `${point.id} lay in the future for more than an hour: the clock that dated it was ahead, or this one was behind then. Nothing was taken after it, and how old it is nobody knows until the next point is taken.`;

type MisdatedDeps = {
  readonly points: PointStore;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
};

/** To the list, with those that are there still. */
export async function noteMisdated(
  deps: Pick<MisdatedDeps, 'points' | 'db' | 'log'>,
  due: readonly PointId[],
): Promise<void> {
  const kept = new Map<PointId, boolean>();
  for (const [id, inOrder] of readMisdated(await deps.points.readSetting(misdatedKey)))
    if ((await deps.points.find(id))?.forgottenMs === null) kept.set(id, inOrder);
  const fresh = due.filter((id) => !kept.has(id));
  if (fresh.length === 0) return;
  for (const id of fresh) kept.set(id, false);
  await writeNoted(deps, kept);
  deps.log.warn({ points: fresh }, 'recovery points are dated in the future, by a clock that was wrong then');
}

/**
 * Notes which points a clock dated that was ahead: once their date has come, nothing else would tell them from what is new. What is
 * not there any more goes off the list when the next one is noted.
 */
export function createMisdated(deps: MisdatedDeps) {
  const { points, clock } = deps;
  const seen = new Map<PointId, number>();
  const reviewedOf = new Map<string, string>();
  let lookedMs = Number.NEGATIVE_INFINITY;

  /** Once for each change of what is there. */
  const review = async (targetId: string, nowMs: number): Promise<void> => {
    const noted = readMisdated(await points.readSetting(misdatedKey));
    if (noted.size === 0) return;
    const filter = { targetId, statuses: existing };
    const latest = await points.list({ ...filter, limit: few });
    const state = JSON.stringify([[...noted], latest.map((row) => [row.id, isAheadOfClock(row, nowMs)])]);
    if (reviewedOf.get(targetId) === state) return;
    reviewedOf.set(targetId, state);
    const reviewed = reviewNotes(noted, await points.list({ ...filter, limit: mostAtOnce }), nowMs);
    if (![...reviewed].some(([id, now]) => now !== noted.get(id))) return;
    const after = new Map(noted);
    for (const [id, now] of reviewed) {
      if (now === 'drop') after.delete(id);
      else after.set(id, now);
    }
    await writeNoted(deps, after);
  };

  return {
    /** To be called again and again. */
    async look(targetIds: readonly string[]): Promise<void> {
      const nowMs = clock.now();
      if (Math.abs(nowMs - lookedMs) < lookMs) return;
      lookedMs = nowMs;
      const ahead: PointId[] = [];
      for (const targetId of targetIds) {
        const isAhead = (point: RecoveryPoint) => isAheadOfClock(point, nowMs);
        for (const { id, misdated } of await listWhile(points, targetId, isAhead, { stopAtNoted: true }))
          if (!misdated) ahead.push(id);
      }
      for (const id of seen.keys()) if (!ahead.includes(id)) seen.delete(id);
      // The clock may be set back once more.
      for (const id of ahead) seen.set(id, Math.min(seen.get(id) ?? nowMs, nowMs));
      const due = ahead.filter((id) => nowMs - (seen.get(id) ?? nowMs) >= seenForMs);
      if (due.length > 0) await noteMisdated(deps, due);
      for (const targetId of targetIds) await review(targetId, nowMs);
    },
  };
}
