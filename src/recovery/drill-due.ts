const hourMs = 3_600_000;
const firstRetryMs = 900_000;
/** After so many intervals without a drill that passed, its absence is an alarm. */
const overdueIntervals = 2;

export type DrillHistory = {
  /** When the schedule could have begun: the target's first point that can be rehearsed; null while there is none. */
  readonly possibleSinceMs: number | null;
  readonly lastPassedMs: number | null;
  readonly lastFinishedMs: number | null;
  /** Ended otherwise than passed, one after the other, up to the last one. */
  readonly failuresInRow: number;
};

/**
 * When the next drill is due, null while there is nothing to rehearse or drills are off. One that was missed is due at once, and
 * jitter moves it by up to a twentieth of the interval, so that several ragwardens do not load one repository together.
 * @param frequencyMs 0 is off
 * @param jitter      in [0, 1), the same for the same target
 */
export function decideNextDrill(
  history: DrillHistory,
  options: { readonly frequencyMs: number; readonly jitter: number; readonly nowMs: number },
): number | null {
  const { frequencyMs, jitter, nowMs } = options;
  if (frequencyMs <= 0 || history.possibleSinceMs === null) return null;
  const spreadMs = Math.min(frequencyMs / 20, hourMs) * jitter;
  if (history.lastFinishedMs === null)
    return Math.min(history.possibleSinceMs, nowMs) + Math.min(frequencyMs, hourMs) + spreadMs;
  // A last drill in the future (the clock was set back) must not stop the schedule.
  const last = Math.min(history.lastFinishedMs, nowMs);
  if (history.failuresInRow === 0) return last + frequencyMs + spreadMs;
  return last + Math.min(firstRetryMs * 2 ** Math.min(history.failuresInRow - 1, 12), frequencyMs) + spreadMs;
}

/** Since when drills are missing; null while they are not. */
export function decideOverdueSince(
  history: DrillHistory,
  options: { readonly frequencyMs: number; readonly nowMs: number },
): number | null {
  const { frequencyMs, nowMs } = options;
  const from = history.lastPassedMs ?? history.possibleSinceMs;
  if (frequencyMs <= 0 || from === null) return null;
  const sinceMs = from + frequencyMs * overdueIntervals;
  return nowMs > sinceMs ? sinceMs : null;
}
