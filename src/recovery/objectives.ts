import { isMisdated, type RecoveryPoint } from '../backup/index.ts';
import type { Drill } from './drill.ts';
import { forecastRtoMs } from './drill.ts';

/** How much of the loss budget is used now: 0 right after a point, 1 when the objective is missed. */
export type RpoState = {
  readonly objectiveMs: number;
  /** Age of the newest good point; null when there is none, or only such as are misdated. */
  readonly measuredMs: number | null;
  readonly pointId: string | null;
  /** Measured by objective; null when there is nothing to measure. */
  readonly used: number | null;
  /** When it is missed unless another good point is taken; in the past when it already is. */
  readonly missedAtMs: number | null;
  readonly met: boolean;
};

/** @param newestGood complete and verified; of a workspace also the points of its whole target */
export function decideRpo(
  newestGood: Pick<RecoveryPoint, 'id' | 'takenMs' | 'misdated'> | undefined,
  objectiveMs: number,
  nowMs: number,
): RpoState {
  const unknown = { objectiveMs, measuredMs: null, used: null, missedAtMs: null, met: false };
  if (!newestGood) return { ...unknown, pointId: null };
  if (isMisdated(newestGood, nowMs)) return { ...unknown, pointId: newestGood.id };
  const measuredMs = Math.max(0, nowMs - newestGood.takenMs);
  return {
    objectiveMs,
    measuredMs,
    pointId: newestGood.id,
    used: measuredMs / objectiveMs,
    missedAtMs: newestGood.takenMs + objectiveMs,
    met: measuredMs <= objectiveMs,
  };
}

export type RtoState = {
  readonly objectiveMs: number;
  /** Of the newest drill that passed; null: never measured. */
  readonly measuredMs: number | null;
  readonly measuredAtMs: number | null;
  readonly drillId: string | null;
  /** For the newest point as large as it is now. */
  readonly forecastMs: number | null;
  /** Undefined is never guessed: without a measurement nobody knows. */
  readonly met: boolean | null;
  /** Oldest first. */
  readonly trend: readonly {
    readonly drillId: string;
    readonly atMs: number;
    readonly rtoMs: number;
    readonly bytes: number | null;
  }[];
};

/** @param drills restore drills of the target, newest first */
export function decideRto(drills: readonly Drill[], objectiveMs: number, bytesNow: number | null): RtoState {
  const passed = drills.filter((drill) => drill.verdict === 'passed' && drill.rtoMs !== null);
  const [newest] = passed;
  const forecastMs = newest && bytesNow !== null ? forecastRtoMs(newest, bytesNow) : null;
  const expectedMs = forecastMs ?? newest?.rtoMs ?? null;
  return {
    objectiveMs,
    measuredMs: newest?.rtoMs ?? null,
    measuredAtMs: newest?.finishedMs ?? null,
    drillId: newest?.id ?? null,
    forecastMs,
    met: expectedMs === null ? null : expectedMs <= objectiveMs,
    trend: passed
      .map((drill) => ({
        drillId: drill.id,
        atMs: drill.finishedMs ?? drill.startedMs,
        rtoMs: drill.rtoMs ?? 0,
        bytes: drill.bytes,
      }))
      .reverse(),
  };
}
