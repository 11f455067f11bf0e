import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { isAheadOfClock, type PointId, type RecoveryPoint } from './point.ts';
import type { PointStore } from './point-store.ts';

export const misdatedKey = 'misdated-points';
const ids = z.array(z.string());

/** What is kept under `misdatedKey`: their ids. */
export const readMisdated = (setting: string | undefined): ReadonlySet<PointId> =>
  new Set(setting === undefined ? [] : ids.parse(JSON.parse(setting)));

/**
 * So long a point has to be seen ahead of the clock before that is noted for good: a machine that starts without the time has it
 * sooner, and its points are dated well.
 */
const seenForMs = 3_600_000;
/** Whoever dated more than this ahead gets the rest noted by a later look. */
const mostAtOnce = 1_000;
const few = 20;
const lookMs = 60_000;

/**
 * Notes which points a clock dated that was ahead: once their date has come, nothing else would tell them from what is new. What is
 * not there any more goes off the list when the next one is noted.
 */
export function createMisdated(deps: {
  readonly points: PointStore;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
}) {
  const { points, db, clock, log } = deps;
  const seen = new Map<PointId, number>();
  let lookedMs = Number.NEGATIVE_INFINITY;

  const listAhead = async (targetId: string, nowMs: number): Promise<RecoveryPoint[]> => {
    const filter = { targetId, statuses: ['success', 'partial', 'lost'] as const };
    const isAhead = (point: RecoveryPoint): boolean => isAheadOfClock(point, nowMs);
    // What is asked for often, of a list that is short: a quiet process pays nothing for it.
    const newest = await points.list({ ...filter, limit: few });
    const more = newest.length === few && newest.every(isAhead) && !newest.every(({ misdated }) => misdated);
    return (more ? await points.list({ ...filter, limit: mostAtOnce }) : newest).filter(isAhead);
  };

  const note = async (due: readonly PointId[]): Promise<void> => {
    const kept: PointId[] = [];
    for (const id of readMisdated(await points.readSetting(misdatedKey)))
      if ((await points.find(id))?.forgottenMs === null) kept.push(id);
    await db.unit((tx) => points.writeSetting(tx, misdatedKey, JSON.stringify([...new Set([...kept, ...due])])));
    log.warn({ points: due }, 'recovery points are dated in the future, by a clock that was wrong then');
  };

  return {
    /** To be called again and again. */
    async look(targetIds: readonly string[]): Promise<void> {
      const nowMs = clock.now();
      if (Math.abs(nowMs - lookedMs) < lookMs) return;
      lookedMs = nowMs;
      const ahead: PointId[] = [];
      for (const targetId of targetIds)
        for (const { id, misdated } of await listAhead(targetId, nowMs)) if (!misdated) ahead.push(id);
      for (const id of seen.keys()) if (!ahead.includes(id)) seen.delete(id);
      // The clock may be set back once more.
      for (const id of ahead) seen.set(id, Math.min(seen.get(id) ?? nowMs, nowMs));
      const due = ahead.filter((id) => nowMs - (seen.get(id) ?? nowMs) >= seenForMs);
      if (due.length > 0) await note(due);
    },
  };
}
