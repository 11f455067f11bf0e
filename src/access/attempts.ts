import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import type { Recognised } from './recogniser.ts';
import { createThrottle, throttleAddress, throttleLimits } from './throttle.ts';

export type Attempts = {
  /**
   * @param from address of the caller
   * @throws AppError `access/unauthenticated`, `access/throttled` when `look` finds nobody; what `look` throws
   */
  token(from: string, look: () => Promise<Recognised | undefined>): Promise<Recognised>;
  /** @throws AppError `access/throttled`; what `open` throws */
  login<T>(from: string, how: string, open: () => Promise<T>): Promise<T>;
};

/** Refused logins and throttled addresses that are recorded per window. */
export const mostTold = 200;

/** Slows down who guesses, and tells of it once per window instead of once per attempt. */
export function createAttempts(options: { db: Database; clock: Clock; log: Logger; events: EventRecorder }): Attempts {
  const { db, clock, log, events } = options;
  const throttle = createThrottle();
  let told = { sinceMs: 0, count: 0 };
  /** However many addresses take part: one crowd of guessers must not fill the trail. */
  const mayTell = (): 'yes' | 'last' | 'no' => {
    const nowMs = clock.now();
    if (told.sinceMs + throttleLimits.windowMs <= nowMs) told = { sinceMs: nowMs, count: 0 };
    told.count += 1;
    return told.count < mostTold ? 'yes' : told.count === mostTold ? 'last' : 'no';
  };

  const throttled = (seconds: number): AppError =>
    new AppError('access/throttled', `Too many failed attempts from this address. Try again in ${seconds} s.`, {
      retryAfterSeconds: seconds,
    });
  const tellNoMore = (tx: Tx): Promise<unknown> =>
    events.record(tx, {
      type: 'access.throttled',
      severity: 'warning',
      message: `${mostTold} failed attempts from many addresses were recorded within ${throttleLimits.windowMs / 60_000} minutes; more of them are refused without being recorded one by one.`,
      data: { address: null, what: 'many' },
    });
  /** Failures are told to the log and the trail, never in the way of the answer. */
  const tell = async (write: (tx: Tx) => Promise<unknown>): Promise<void> => {
    const may = mayTell();
    if (may === 'no') return;
    try {
      await db.unit(may === 'yes' ? write : tellNoMore);
    } catch (err) {
      log.warn({ err }, 'a failed attempt could not be recorded');
    }
  };
  const tellThrottled = (address: string, what: string): Promise<void> =>
    tell(async (tx) => {
      await events.audit(tx, { actor: address, action: 'access.throttle', object: what, outcome: 'refused' });
      await events.record(tx, {
        type: 'access.throttled',
        severity: 'warning',
        message: `${throttleLimits.failures} failed attempts (${what}) came from ${address} within ${throttleLimits.windowMs / 60_000} minutes.`,
        data: { address, what },
      });
    });

  return {
    async token(from, look) {
      const recognised = await look();
      // A right token is never held up: what it carries cannot be guessed, and others may share the address.
      if (recognised) return recognised;
      const address = throttleAddress(from);
      const nowMs = clock.now();
      const blocked = throttle.blockedForSeconds(`token ${address}`, nowMs);
      if (blocked !== undefined) throw throttled(blocked);
      if (throttle.fail(`token ${address}`, nowMs).tripped) await tellThrottled(address, 'token');
      throw new AppError('access/unauthenticated', 'The token is not known.');
    },
    async login(from, how, open) {
      const address = throttleAddress(from);
      const key = `login ${address}`;
      const blocked = throttle.blockedForSeconds(key, clock.now());
      if (blocked !== undefined) throw throttled(blocked);
      // Counted before it is known, so that many at once are no way around the limit.
      const counted = throttle.fail(key, clock.now());
      try {
        const opened = await open();
        throttle.forgive(key);
        return opened;
      } catch (err) {
        const refused = isAppError(err) && err.code.startsWith('access/') && err.code !== 'access/issuer-unreachable';
        if (!refused) {
          throttle.forgive(key);
          throw err;
        }
        await tell((tx) =>
          events.audit(tx, { actor: address, action: 'access.login', object: how, outcome: 'refused' }),
        );
        if (counted.tripped) await tellThrottled(address, 'login');
        throw err;
      }
    },
  };
}
