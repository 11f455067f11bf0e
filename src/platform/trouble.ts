import type { Clock } from './clock.ts';
import { describeError } from './errors.ts';
import type { Logger } from './logging.ts';

/** The same again is told after so long. */
const againMs = 3_600_000;
/** What fails each time in other words is told no more often than this. */
const changedMs = 60_000;

export type Trouble = { failed(err: unknown): void; ended(): void };

/** What fails again and again is told when it begins, when the reason changes, once an hour, and when it is over. */
export function createTrouble(options: {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Begins the sentence. */
  readonly what: string;
}): Trouble {
  const { clock, log, fields, what } = options;
  let told: { reason: string; atMs: number } | undefined;
  let failures = 0;
  return {
    failed(err) {
      failures += 1;
      const nowMs = clock.monotonic();
      const reason = describeError(err);
      if (told && nowMs - told.atMs < (reason === told.reason ? againMs : changedMs)) return;
      const again = told === undefined ? {} : { failures };
      told = { reason, atMs: nowMs };
      log.warn({ ...fields, ...again, err }, `${what} ${failures > 1 ? 'still fails' : 'failed'}: ${reason}`);
    },
    ended() {
      if (told === undefined) return;
      log.info({ ...fields, failures }, `${what} succeeds again`);
      told = undefined;
      failures = 0;
    },
  };
}
