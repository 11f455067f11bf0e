import type { EventRecorder } from '../events/index.ts';
import type { Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError, isAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Availability, Backup } from './backup.ts';
import type { RecoveryPoint } from './point.ts';
import type { PointStore } from './point-store.ts';
import { upkeepWarnings } from './upkeep/index.ts';

/** RPO by default: one interval, and an hour for the run itself and for what delays it. */
export const rpoSlackMs = 3_600_000;
const firstRetryMs = 60_000;
const tickMs = 5_000;
const availabilityMs = 300_000;

export type BackupStatus = {
  readonly targetId: string;
  readonly state: 'idle' | 'scheduled' | 'running' | 'error';
  readonly availability: Availability;
  readonly newest: RecoveryPoint | undefined;
  readonly newestVerified: RecoveryPoint | undefined;
  readonly nextMs: number | null;
  readonly count: number;
  readonly rpo: { readonly objectiveMs: number; readonly measuredMs: number | null; readonly met: boolean };
  readonly kitConfirmedMs: number | null;
  readonly warnings: readonly string[];
  /** Of them, those about the order of the repository. */
  readonly upkeep: readonly string[];
  readonly error: string | null;
};

export type BackupSchedule = Reconciler & {
  status(targetId: string): Promise<BackupStatus>;
  /** The last status that was put together in the background; for checks and metrics, which never wait. */
  lastStatus(targetId: string): BackupStatus | undefined;
  switchTo(on: boolean, actor: string): Promise<{ before: boolean; now: boolean }>;
  confirmKit(actor: string): Promise<number>;
};

/** When the next point is due: pure, so that a clock can be turned in a test. Null: the schedule is off. */
export function decideNextRun(facts: {
  on: boolean;
  nowMs: number;
  startedMs: number;
  newestMs: number | null;
  frequencyMs: number;
  atStart: boolean;
  /** Consecutive failures since the newest point, and the last of them. */
  failures: number;
  lastFailureMs: number | null;
}): number | null {
  if (!facts.on) return null;
  const due =
    facts.newestMs === null
      ? facts.atStart
        ? facts.startedMs
        : facts.startedMs + facts.frequencyMs
      : // A newest point in the future (the clock was set back) must not stop the schedule.
        Math.min(facts.newestMs, facts.nowMs) + facts.frequencyMs;
  if (facts.failures === 0 || facts.lastFailureMs === null) return due;
  const backoff = Math.min(firstRetryMs * 2 ** Math.min(facts.failures - 1, 10), facts.frequencyMs);
  return Math.max(due, facts.lastFailureMs + backoff);
}

export function createBackupSchedule(options: {
  backup: Backup;
  points: PointStore;
  operations: Operations;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  targetIds: readonly string[];
  atStart: boolean;
  /** Nothing is taken before this says so: the first look at the target is over. */
  observed(targetId: string): boolean;
  onStatus(status: BackupStatus): void;
}): BackupSchedule {
  const { backup, points, operations, clock, log, db } = options;
  const startedMs = clock.now();
  const failed = new Map<string, { failures: number; lastMs: number; detail: string }>();
  const last = new Map<string, BackupStatus>();
  let lookedMs = 0;

  const isOn = async (): Promise<boolean> => (await points.readSetting('schedule')) !== 'off';

  const status = async (targetId: string): Promise<BackupStatus> => {
    const nowMs = clock.now();
    const [newest, newestVerified, count, on, running, kit] = await Promise.all([
      points.newest(targetId),
      points.newest(targetId, 'good'),
      points.count(targetId),
      isOn(),
      operations.list({ state: 'running', kind: 'backup.create', targetId, limit: 1 }),
      points.readSetting('kit-confirmed-ms'),
    ]);
    const failure = failed.get(targetId);
    const availability = await backup.availability();
    const objectiveMs = backup.policy.rpoMs;
    const measuredMs = newestVerified ? Math.max(0, nowMs - newestVerified.takenMs) : null;
    const warnings: string[] = [];
    if (kit === undefined)
      warnings.push(
        'Nobody has confirmed that the recovery kit is kept elsewhere; without it the backups cannot be read. See `ragwarden backup kit`.',
      );
    warnings.push(...backup.catalogue.warnings());
    const upkeep = upkeepWarnings(await backup.upkeep.states());
    warnings.push(...upkeep);
    if (!on) warnings.push('The schedule is switched off: no point is taken by itself.');
    if (backup.policy.frequencyMs > 3_600_000)
      warnings.push('Points are taken less often than hourly; up to one interval of work can be lost.');
    const made: BackupStatus = {
      targetId,
      state: running.length > 0 ? 'running' : !availability.available || failure ? 'error' : on ? 'scheduled' : 'idle',
      availability,
      newest,
      newestVerified,
      nextMs: availability.available
        ? decideNextRun({
            on,
            nowMs,
            startedMs,
            newestMs: newest?.takenMs ?? null,
            frequencyMs: backup.policy.frequencyMs,
            atStart: options.atStart,
            failures: failure?.failures ?? 0,
            lastFailureMs: failure?.lastMs ?? null,
          })
        : null,
      count,
      rpo: { objectiveMs, measuredMs, met: measuredMs !== null && measuredMs <= objectiveMs },
      kitConfirmedMs: kit === undefined ? null : Number(kit),
      warnings,
      upkeep,
      error: failure?.detail ?? (availability.available ? null : availability.reason),
    };
    last.set(targetId, made);
    options.onStatus(made);
    return made;
  };

  const takeIfDue = async (targetId: string, signal: AbortSignal): Promise<void> => {
    const now = await status(targetId);
    if (now.nextMs === null || now.nextMs > clock.now() || now.state === 'running' || !options.observed(targetId))
      return;
    try {
      const started = await backup.take({ targetId, cause: 'scheduled', requestedBy: 'ragwarden' });
      const ended = await operations.wait(started.id, { signal });
      if (signal.aborted) return;
      if (ended.state === 'succeeded' || ended.state === 'partial') failed.delete(targetId);
      else noteFailure(targetId, ended.error?.detail ?? `the run ended as ${ended.state}`);
    } catch (err) {
      // Somebody else works on the target: not a failure, the next tick looks again.
      if (isAppError(err) && (err.code === 'operation/busy' || err.code === 'internal/stopping')) return;
      noteFailure(targetId, describeError(err));
    }
    if (!signal.aborted) await status(targetId);
  };

  /** Starting the tool costs a process, so a good answer stands for a while; a bad one is asked again each time. */
  const lookAtAvailability = async (): Promise<boolean> => {
    const before = await backup.availability();
    if (before.available && clock.now() - lookedMs < availabilityMs) return true;
    const { available } = await backup.checkAvailability();
    lookedMs = clock.now();
    if (available !== before.available) log.info({ available }, 'availability of backups changed');
    return available;
  };

  const noteFailure = (targetId: string, detail: string): void => {
    failed.set(targetId, { failures: (failed.get(targetId)?.failures ?? 0) + 1, lastMs: clock.now(), detail });
    log.warn({ target: targetId }, 'a scheduled recovery point failed');
  };

  const reconciler = createReconciler({
    name: 'backup schedule',
    // It waits for the point that it takes, and a first one of much data takes hours.
    runLimitMs: 86_400_000,
    intervalMs: tickMs,
    clock,
    log,
    async run(signal) {
      const available = await lookAtAvailability();
      // Before a point is taken: the first one would hide that the catalogue was empty.
      if (available) await backup.catalogue.look(signal);
      for (const targetId of options.targetIds) {
        if (signal.aborted) return;
        await takeIfDue(targetId, signal);
      }
      if (available && !signal.aborted && (await isOn())) await backup.upkeep.runDue(options.targetIds, signal);
    },
  });

  return {
    ...reconciler,
    status,
    lastStatus: (targetId) => last.get(targetId),
    async switchTo(on, actor) {
      const before = await isOn();
      await db.unit(async (tx) => {
        await points.writeSetting(tx, 'schedule', on ? 'on' : 'off');
        if (before !== on)
          await options.events.record(tx, {
            type: 'backup.schedule-switched',
            severity: on ? 'info' : 'warning',
            message: `The schedule of recovery points was switched ${on ? 'on' : 'off'}.`,
            data: { on },
          });
        await options.events.audit(tx, {
          actor,
          action: on ? 'backup.start' : 'backup.stop',
          object: 'schedule',
          outcome: 'done',
        });
      });
      reconciler.wake();
      return { before, now: on };
    },
    async confirmKit(actor) {
      const nowMs = clock.now();
      await db.unit(async (tx) => {
        await points.writeSetting(tx, 'kit-confirmed-ms', String(nowMs));
        await options.events.audit(tx, { actor, action: 'backup.confirm-kit', object: '', outcome: 'done' });
      });
      return nowMs;
    },
  };
}
