import type { EventRecorder } from '../events/index.ts';
import type { Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError, isAppError } from '../platform/errors.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Availability, Backup } from './backup.ts';
import type { Graph } from './graphs/graph.ts';
import { createGraphSchedules } from './graphs/graph-schedules.ts';
import { createMisdated, describeAhead } from './misdated.ts';
import { countsForSchedule, decideJitter, decideLastRun, decideNextRun, findUpgrade } from './next-run.ts';
import { isMisdated, newestFirstAt, type RecoveryPoint } from './point.ts';
import type { PointStore } from './point-store.ts';
import { wholeTarget } from './selection.ts';
import { upkeepWarnings } from './upkeep/index.ts';

/** RPO by default: one interval, and an hour for the run itself and for what delays it. */
export const rpoSlackMs = 3_600_000;
const tickMs = 5_000;
const availabilityMs = 300_000;

export type BackupStatus = {
  readonly targetId: string;
  readonly state: 'idle' | 'scheduled' | 'running' | 'error';
  /** Whether points are taken by themselves; a run that fails or goes on says nothing about it. */
  readonly on: boolean;
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

export type GraphScheduleStatus = {
  readonly graph: Graph;
  /** `target`: it has no schedule of its own and goes with its target. */
  readonly source: 'graph' | 'target';
  readonly frequencyMs: number;
  readonly nextMs: number | null;
  /** Newest point that holds it. */
  readonly newest: RecoveryPoint | undefined;
  readonly error: string | null;
};

/** What is taken on one rhythm: a whole target, or one workspace of it beside that. */
type Series = {
  /** The target, or target and workspace. */
  readonly key: string;
  readonly targetId: string;
  readonly workspace: string | null;
  readonly frequencyMs: number;
  readonly sinceMs: number;
  readonly atStart: boolean;
};

export type BackupSchedule = Reconciler & {
  graphStatus(graph: Graph): Promise<GraphScheduleStatus>;
  /** @param frequencyMs null: the graph goes with its target again */
  scheduleGraph(graph: Graph, frequencyMs: number | null, actor: string): Promise<GraphScheduleStatus>;
  status(targetId: string): Promise<BackupStatus>;
  /** The last status that was put together in the background; for checks and metrics, which never wait. */
  lastStatus(targetId: string): BackupStatus | undefined;
  switchTo(on: boolean, actor: string): Promise<{ before: boolean; now: boolean; underWay: boolean }>;
  confirmKit(actor: string): Promise<number>;
};

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
  random: RandomSource;
  /** May change while it runs. */
  jitterMs(): number;
  /** Of the backend as it was last seen; undefined when it does not say. */
  version(targetId: string): string | undefined;
  /** Nothing is taken before this says so: the first look at the target is over. */
  observed(targetId: string): boolean;
  onStatus(status: BackupStatus): void;
}): BackupSchedule {
  const { backup, points, operations, clock, log, db } = options;
  let startedMs = clock.now();
  const failed = new Map<string, { failures: number; lastMs: number; detail: string }>();
  const last = new Map<string, BackupStatus>();
  const seed = options.random(8).toString('hex');
  const graphs = createGraphSchedules(options);
  const misdated = createMisdated(options);
  /** Points that lie in the future, and when that was first seen: the clock was set back. */
  const ahead = new Map<string, { pointId: string; noticedMs: number }>();
  let lookedMs = 0;

  const isOn = async (): Promise<boolean> => (await points.readSetting('schedule')) !== 'off';

  const wholeSeries = (targetId: string): Series => ({
    key: targetId,
    targetId,
    workspace: null,
    frequencyMs: backup.policy.frequencyMs,
    sinceMs: startedMs,
    atStart: options.atStart,
  });

  /** Newest first, without those that were asked for in part. A point of the whole target is one of each workspace too. */
  const recentOf = async ({ targetId, workspace }: Series, nowMs?: number): Promise<RecoveryPoint[]> => {
    const rows = await points.list({
      targetId,
      ...(workspace === null ? { series: null } : { workspace }),
      statuses: ['success', 'partial'],
      ...(nowMs === undefined ? {} : { before: { atMs: nowMs + 1, id: '' } }),
      limit: 20,
    });
    return rows.filter(countsForSchedule);
  };

  const nextOf = async (
    series: Series,
    facts: { on: boolean; nowMs: number; recent: readonly RecoveryPoint[] },
  ): Promise<{ nextMs: number | null; upgrade: ReturnType<typeof findUpgrade> }> => {
    const { on, nowMs, recent } = facts;
    const [newest] = recent;
    const failure = failed.get(series.key);
    // What lies in the future happened before the clock was set back, and counts from now.
    startedMs = Math.min(startedMs, nowMs);
    if (failure) failure.lastMs = Math.min(failure.lastMs, nowMs);
    const dated = (rows: readonly RecoveryPoint[]) => rows.filter((one) => !one.misdated);
    let past = dated(recent).filter(({ takenMs }) => takenMs <= nowMs);
    let noticedMs: number | null = null;
    if (newest && newest.takenMs > nowMs) {
      const seen = ahead.get(series.key);
      noticedMs = seen?.pointId === newest.id && seen.noticedMs <= nowMs ? seen.noticedMs : nowMs;
      ahead.set(series.key, { pointId: newest.id, noticedMs });
      past = dated(await recentOf(series, nowMs));
    } else ahead.delete(series.key);
    const newestPastMs = past[0]?.takenMs ?? null;
    // Of one that is known to be misdated, neither its date nor a date that comes says when a point was taken last.
    const newestMs =
      newest?.misdated && (newest.takenMs <= nowMs || newestPastMs !== null)
        ? newestPastMs
        : decideLastRun({ nowMs, newestMs: newest?.takenMs ?? null, newestPastMs, noticedMs });
    const upgrade =
      series.workspace === null
        ? findUpgrade([...dated(recent), ...past, ...recent], options.version(series.targetId), nowMs)
        : undefined;
    const nextMs = decideNextRun({
      on,
      nowMs,
      startedMs: Math.max(startedMs, Math.min(series.sinceMs, nowMs)),
      newestMs,
      frequencyMs: series.frequencyMs,
      atStart: series.atStart,
      dueNow: upgrade !== undefined,
      jitterMs: decideJitter({
        seed,
        pointId: newest?.id ?? series.key,
        mostMs: options.jitterMs(),
        frequencyMs: series.frequencyMs,
      }),
      failures: failure?.failures ?? 0,
      lastFailureMs: failure?.lastMs ?? null,
    });
    return { nextMs, upgrade };
  };

  const status = async (targetId: string): Promise<BackupStatus> => {
    const nowMs = clock.now();
    const series = wholeSeries(targetId);
    const [recent, latest, newest, newestVerified, count, on, running, kit] = await Promise.all([
      recentOf(series),
      // In part and of one workspace too.
      points.list({ targetId, statuses: ['success', 'partial'], limit: 20 }),
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
    const measuredMs =
      newestVerified && !isMisdated(newestVerified, nowMs) ? Math.max(0, nowMs - newestVerified.takenMs) : null;
    const warnings: string[] = [];
    if (kit === undefined)
      warnings.push(
        'Nobody has confirmed that the recovery kit is kept elsewhere; without it the backups cannot be read. See `ragwarden backup kit`.',
      );
    warnings.push(...backup.catalogue.warnings());
    const upkeep = upkeepWarnings(await backup.upkeep.states());
    warnings.push(...upkeep);
    const ahead = latest.find((one) => isMisdated(one, nowMs));
    if (ahead) warnings.push(describeAhead(ahead, nowMs));
    if (!on) warnings.push('The schedule is switched off: no point is taken by itself.');
    if (backup.policy.frequencyMs > 3_600_000)
      warnings.push('Points are taken less often than hourly; up to one interval of work can be lost.');
    const made: BackupStatus = {
      targetId,
      state: running.length > 0 ? 'running' : !availability.available || failure ? 'error' : on ? 'scheduled' : 'idle',
      on,
      availability,
      newest,
      newestVerified,
      nextMs: availability.available ? (await nextOf(series, { on, nowMs, recent })).nextMs : null,
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
    const series = wholeSeries(targetId);
    const nowMs = clock.now();
    const { upgrade } = await nextOf(series, { on: true, nowMs, recent: await recentOf(series) });
    const pointId = await take(series, upgrade === undefined ? 'scheduled' : 'upgrade', signal);
    if (pointId !== undefined && upgrade !== undefined) await tellUpgrade(targetId, upgrade, pointId);
    if (!signal.aborted) await status(targetId);
  };

  /** One workspace alone, on a rhythm of its own; what its whole target takes counts as well. */
  const takeGraphsIfDue = async (targetId: string, signal: AbortSignal): Promise<void> => {
    for (const schedule of await graphs.list()) {
      if (signal.aborted || schedule.targetId !== targetId || !options.observed(targetId)) continue;
      const series = graphSeries(schedule);
      const nowMs = clock.now();
      const { nextMs } = await nextOf(series, { on: await isOn(), nowMs, recent: await recentOf(series) });
      if (nextMs !== null && nextMs <= nowMs) await take(series, 'scheduled', signal);
    }
  };

  const graphSeries = (schedule: {
    targetId: string;
    workspace: string;
    frequencyMs: number;
    sinceMs: number;
  }): Series => ({ ...schedule, key: `${schedule.targetId}:${schedule.workspace}`, atStart: true });

  /** @returns the point, when one came of it */
  const take = async (
    series: Series,
    cause: 'scheduled' | 'upgrade',
    signal: AbortSignal,
  ): Promise<string | undefined> => {
    const { key, targetId, workspace } = series;
    try {
      const selection = workspace === null ? wholeTarget : { ...wholeTarget, workspace };
      const started = await backup.take({ targetId, cause, selection, requestedBy: 'ragwarden' });
      const ended = await operations.wait(started.id, { signal });
      if (signal.aborted) return undefined;
      if (ended.state === 'succeeded' || ended.state === 'partial') {
        failed.delete(key);
        return started.pointId;
      }
      noteFailure(key, ended.error?.detail ?? `the run ended as ${ended.state}`);
    } catch (err) {
      // Somebody else works on the target: not a failure, the next tick looks again.
      if (isAppError(err) && (err.code === 'operation/busy' || err.code === 'internal/stopping')) return undefined;
      noteFailure(key, describeError(err));
    }
    return undefined;
  };

  const tellUpgrade = (
    targetId: string,
    { from, before }: NonNullable<ReturnType<typeof findUpgrade>>,
    pointId: string,
  ): Promise<unknown> =>
    db.unit((tx) =>
      options.events.record(tx, {
        type: 'backup.upgrade-noticed',
        severity: 'info',
        targetId,
        message:
          `${targetId} runs another version than ${from}. ${pointId} holds what was found then, which the new version may have ` +
          `changed already; ${before.id} holds the state before.`,
        data: { id: pointId, before: before.id, from, to: options.version(targetId) ?? null },
      }),
    );

  /** Starting the tool costs a process, so a good answer stands for a while; a bad one is asked again each time. */
  const lookAtAvailability = async (): Promise<boolean> => {
    const before = await backup.availability();
    if (before.available && Math.abs(clock.now() - lookedMs) < availabilityMs) return true;
    const { available } = await backup.checkAvailability();
    lookedMs = clock.now();
    if (available !== before.available) log.info({ available }, 'availability of backups changed');
    return available;
  };

  const noteFailure = (key: string, detail: string): void => {
    failed.set(key, { failures: (failed.get(key)?.failures ?? 0) + 1, lastMs: clock.now(), detail });
    log.warn({ target: key }, 'a scheduled recovery point failed');
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
      await misdated.look(options.targetIds);
      for (const targetId of options.targetIds) {
        if (signal.aborted) return;
        await takeIfDue(targetId, signal);
        if (available && !signal.aborted) await takeGraphsIfDue(targetId, signal);
      }
      if (available && !signal.aborted && (await isOn())) await backup.upkeep.runDue(options.targetIds, signal);
    },
  });

  const graphStatus = async (graph: Graph): Promise<GraphScheduleStatus> => {
    const nowMs = clock.now();
    const [own, on, availability] = await Promise.all([graphs.find(graph), isOn(), backup.availability()]);
    const series = own ? graphSeries(own) : wholeSeries(graph.targetId);
    const recent = await recentOf(series);
    const itsOwn = own ? recent : await recentOf({ ...series, workspace: graph.workspace });
    const [newest] = itsOwn.toSorted(newestFirstAt(nowMs));
    const { nextMs } = await nextOf(series, { on, nowMs, recent });
    return {
      graph,
      source: own ? 'graph' : 'target',
      frequencyMs: series.frequencyMs,
      nextMs: availability.available ? nextMs : null,
      newest,
      error: failed.get(series.key)?.detail ?? null,
    };
  };

  return {
    ...reconciler,
    status,
    graphStatus,
    async scheduleGraph(graph, frequencyMs, actor) {
      await graphs.write(graph, frequencyMs, { actor, nowMs: clock.now() });
      failed.delete(`${graph.targetId}:${graph.workspace}`);
      reconciler.wake();
      return graphStatus(graph);
    },
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
      const running = await operations.list({ state: 'running', kind: 'backup.create', limit: 1 });
      return { before, now: on, underWay: running.length > 0 };
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
