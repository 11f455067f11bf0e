import { createHash } from 'node:crypto';
import type { EventRecorder } from '../events/index.ts';
import type { Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { isoInstant } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { isAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { DrillChoice } from './drill.ts';
import type { DrillStore } from './drill-store.ts';
import type { Drills } from './drills.ts';
import type { TargetRecovery } from './recovery-status.ts';

const tickMs = 30_000;

export type DrillSchedule = Reconciler & {
  /** The last status that was put together in the background; for checks, which never wait. */
  lastStatus(targetId: string): TargetRecovery | undefined;
  /** Why the last scheduled drill could not be begun; null when it could. */
  lastRefusal(targetId: string): string | null;
};

/** The same for the same target at every start, so that a restart does not move the next drill. */
export const jitterOf = (targetId: string): number =>
  createHash('sha256').update(`drill ${targetId}`).digest().readUInt32BE() / 2 ** 32;

/** Begins drills when they are due, and tells when none has passed for too long. One drill at a time, over all targets. */
export function createDrillSchedule(options: {
  drills: Drills;
  store: DrillStore;
  operations: Operations;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  targetIds: readonly string[];
  choice(): DrillChoice;
  status(targetId: string): Promise<TargetRecovery>;
  onStatus(status: TargetRecovery): void;
}): DrillSchedule {
  const { drills, store, operations, db, events, clock, log } = options;
  const last = new Map<string, TargetRecovery>();
  const refusals = new Map<string, string>();

  const look = async (targetId: string): Promise<TargetRecovery> => {
    const status = await options.status(targetId);
    last.set(targetId, status);
    options.onStatus(status);
    return status;
  };

  /** Told once when it begins and once when it is over, also over restarts. */
  const tellOverdue = async ({ targetId, drill }: TargetRecovery): Promise<void> => {
    const key = `overdue:${targetId}`;
    const told = await store.readSetting(key);
    const since = drill.overdueSinceMs;
    if ((told !== undefined) === (since !== null)) return;
    await db.unit(async (tx) => {
      await store.writeSetting(tx, key, since === null ? null : String(since));
      await events.record(
        tx,
        since === null
          ? {
              type: 'recovery.drill-resumed',
              severity: 'info',
              targetId,
              message: `A drill of ${targetId} has passed again.`,
            }
          : {
              type: 'recovery.drill-overdue',
              severity: 'error',
              targetId,
              message:
                `No drill of ${targetId} has passed ` +
                `${drill.lastPassedMs === null ? 'ever' : `since ${isoInstant(drill.lastPassedMs)}`}, ` +
                `though one is due every ${Math.round(drill.frequencyMs / 1000)} seconds.`,
              data: { overdue_since: isoInstant(since), failures_in_row: drill.failuresInRow },
            },
      );
    });
  };

  const beginIfDue = async (status: TargetRecovery, signal: AbortSignal): Promise<void> => {
    const { targetId } = status;
    const { nextMs } = status.drill;
    if (nextMs === null || nextMs > clock.now()) return;
    try {
      const started = await drills.start({
        targetId,
        kind: 'restore',
        choice: options.choice(),
        requestedBy: 'ragwarden',
      });
      refusals.delete(targetId);
      await operations.wait(started.id, { signal });
    } catch (err) {
      if (!isAppError(err)) throw err;
      // Somebody else's drill runs, or we go down: the next tick looks again.
      if (err.code === 'operation/busy' || err.code === 'internal/stopping') return;
      // Nothing was begun, so there is no row that a retry could be counted from; the absence rings when it lasts.
      if (refusals.get(targetId) !== err.detail) log.warn({ target: targetId, err }, 'a scheduled drill was not begun');
      refusals.set(targetId, err.detail);
    }
  };

  const reconciler = createReconciler({
    name: 'drill schedule',
    // It waits for the drill that it begins.
    runLimitMs: 86_400_000,
    intervalMs: tickMs,
    clock,
    log,
    async run(signal) {
      for (const targetId of options.targetIds) {
        if (signal.aborted) return;
        await beginIfDue(await look(targetId), signal);
        if (!signal.aborted) await tellOverdue(await look(targetId));
      }
    },
  });

  return {
    ...reconciler,
    lastStatus: (targetId) => last.get(targetId),
    lastRefusal: (targetId) => refusals.get(targetId) ?? null,
  };
}
