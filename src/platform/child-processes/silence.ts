import type { Clock } from '../clock.ts';

/** How often is looked within the limit. */
const looks = 10;
/** So much is nothing: what was written and not read by us yet comes and goes in the number. */
const slackBytes = 4_096;

/**
 * Waits until nothing has moved for `limitMs`. A server that takes a connection and never answers keeps its client for ever: no
 * system call of it fails, and the other side's kernel goes on to answer.
 * @param moved bytes so far; undefined where that cannot be seen
 * @returns false at once when it cannot be seen
 * @throws the reason of the signal
 */
export async function untilSilent(options: {
  readonly limitMs: number;
  readonly moved: () => number | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<boolean> {
  const { limitMs, moved, clock, signal } = options;
  let last = moved();
  let sinceMs = clock.monotonic();
  while (last !== undefined) {
    await clock.sleep(limitMs / looks, signal);
    const now = moved();
    if (now === undefined) return false;
    if (now - last > slackBytes) {
      last = now;
      sinceMs = clock.monotonic();
    } else if (clock.monotonic() - sinceMs >= limitMs) return true;
  }
  return false;
}
