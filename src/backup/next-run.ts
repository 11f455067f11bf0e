import { createHash } from 'node:crypto';
import type { RecoveryPoint } from './point.ts';
import { leftOutPrefix } from './selection.ts';

const firstRetryMs = 60_000;

/**
 * When the next point is due: pure, so that a clock can be turned in a test. Null: the schedule is off.
 * However many runs were missed, they are made up for once, as soon as it runs again.
 */
export function decideNextRun(facts: {
  on: boolean;
  nowMs: number;
  startedMs: number;
  /** When the last one was taken, by the clock as it goes now; see `decideLastRun`. */
  newestMs: number | null;
  frequencyMs: number;
  atStart: boolean;
  /** Something happened that a point is wanted of at once. */
  dueNow?: boolean;
  /** How much later than due, so that many instances do not begin together; also of one that is made up for. */
  jitterMs: number;
  /** Consecutive failures since the newest point, and the last of them. */
  failures: number;
  lastFailureMs: number | null;
}): number | null {
  if (!facts.on) return null;
  const due = decideDue(facts);
  if (facts.failures === 0 || facts.lastFailureMs === null) return due;
  const backoff = Math.min(firstRetryMs * 2 ** Math.min(facts.failures - 1, 10), facts.frequencyMs);
  return Math.max(due, facts.lastFailureMs + backoff);
}

function decideDue(facts: Parameters<typeof decideNextRun>[0]): number {
  const { nowMs, startedMs, newestMs, frequencyMs, jitterMs } = facts;
  if (facts.dueNow) return nowMs;
  // Somebody waits for the very first one.
  if (newestMs === null) return facts.atStart ? startedMs : startedMs + frequencyMs + jitterMs;
  return Math.max(Math.min(newestMs, nowMs) + frequencyMs, startedMs) + jitterMs;
}

/**
 * When the last point was taken, by the clock as it goes now. A point that lies in the future was taken before the clock was
 * set back: it must neither stop the schedule until its time comes again, nor hide what was taken since.
 * @param newestPastMs newest point that does not lie in the future
 * @param noticedMs    when it was first seen that the newest one does
 */
export function decideLastRun(facts: {
  nowMs: number;
  newestMs: number | null;
  newestPastMs: number | null;
  noticedMs: number | null;
}): number | null {
  const { nowMs, newestMs, newestPastMs, noticedMs } = facts;
  if (newestMs === null || newestMs <= nowMs) return newestMs;
  return Math.max(newestPastMs ?? Number.NEGATIVE_INFINITY, Math.min(noticedMs ?? nowMs, nowMs));
}

/** The same for the same point, so that it does not move while one waits for it; never more than a tenth of the interval. */
export function decideJitter(facts: { seed: string; pointId: string; mostMs: number; frequencyMs: number }): number {
  const share = createHash('sha256').update(`${facts.seed}\0${facts.pointId}`).digest().readUInt32BE(0) / 2 ** 32;
  return Math.floor(share * Math.min(facts.mostMs, facts.frequencyMs / 10));
}

/** A point that somebody asked for without one of the parts says nothing about when the next whole one is due. */
export const countsForSchedule = (point: RecoveryPoint): boolean =>
  !point.manifest?.missing.some((one) => one.reason.startsWith(leftOutPrefix));

/**
 * Whether the backend runs another version than in the newest point. That point holds the state before; the one that is
 * wanted now holds what is found first, which the new version may have changed already.
 * @param points newest first, those of the whole target
 */
export function findUpgrade(
  points: readonly RecoveryPoint[],
  version: string | undefined,
  nowMs: number,
): { from: string; before: RecoveryPoint } | undefined {
  const told = points.filter((point) => (point.manifest?.target.core_version ?? null) !== null);
  const [newest] = told;
  const from = newest?.manifest?.target.core_version;
  if (!newest || version === undefined || !from || from === version) return undefined;
  // The clock was set back: what was taken since stands below what was taken before.
  const past = told.find((point) => point.takenMs <= nowMs);
  return past?.manifest?.target.core_version === version ? undefined : { from, before: past ?? newest };
}
