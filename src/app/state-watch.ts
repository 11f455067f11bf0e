import type { EventLog, EventRecorder } from '../events/index.ts';
import type { HealthCheck } from '../health/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';

const intervalMs = 5_000;
/** After so many missed looks nobody knows any more. */
const staleMs = 12 * intervalMs;

type Look = { readonly atMs: number; readonly latencyMs: number; readonly error: string | null };

/**
 * Looks whether the state database on a server answers: one read, and one unit that writes nothing, so that a server that only
 * takes reads, or an instance name that went to somebody else, is noticed too. An outage that is over becomes an event.
 */
export function createStateWatch(options: {
  db: Database;
  events: EventRecorder;
  lastSeq: EventLog['lastSeq'];
  clock: Clock;
  log: Logger;
}): Reconciler & { readonly check: HealthCheck } {
  const { db, events, clock, log } = options;
  let last: Look | undefined;
  let awaySinceMs: number | undefined;

  const look = async (): Promise<Look> => {
    const atMs = clock.now();
    const startedMs = clock.monotonic();
    const done = (error: string | null): Look => ({ atMs, latencyMs: clock.monotonic() - startedMs, error });
    try {
      await options.lastSeq();
      await db.unit(async () => undefined);
      return done(null);
    } catch (err) {
      return done(describeError(err));
    }
  };

  const reconciler = createReconciler({
    name: 'state database',
    intervalMs,
    clock,
    log,
    async run() {
      last = await look();
      if (last.error !== null) {
        awaySinceMs ??= last.atMs;
        return;
      }
      if (awaySinceMs === undefined) return;
      const awayMs = last.atMs - awaySinceMs;
      await db.unit((tx) =>
        events.record(tx, {
          type: 'state.database-returned',
          severity: 'warning',
          message: `The state database answers again; it was away for about ${Math.round(awayMs / 1_000)} s.`,
          data: { away_since: new Date(awaySinceMs ?? 0).toISOString(), away_seconds: awayMs / 1_000 },
        }),
      );
      awaySinceMs = undefined;
    },
  });

  return {
    ...reconciler,
    check: {
      name: 'state database',
      kind: 'database',
      // Not `own`: while it is away much can still be read here, and readiness would take that away.
      about: 'watched',
      read() {
        if (!last) return { status: 'unknown', message: 'Not looked at yet.', atMs: undefined };
        const { atMs, latencyMs, error } = last;
        if (clock.now() - atMs > staleMs) return { status: 'unknown', message: 'Not looked at for a while.', atMs };
        if (error !== null)
          return { status: 'unhealthy', message: `${error} Reads from memory go on; changes are refused.`, atMs };
        const latency = { observedValue: Math.round(latencyMs * 10) / 10, observedUnit: 'ms' };
        const connection = { status: 'healthy', response_time: Math.round(latencyMs * 10) / 10_000 };
        return { status: 'healthy', message: 'It answers and takes writes.', atMs, ...latency, checks: { connection } };
      },
    },
  };
}
