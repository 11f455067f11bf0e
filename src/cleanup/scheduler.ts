import type { Event, EventRecorder } from '../events/index.ts';
import type { Operation } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, isAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Cleanup } from './cleanup.ts';
import { findCronFault } from './cron.ts';
import type { RunCause } from './run.ts';
import {
  type CleanupTask,
  decideDue,
  decideHealth,
  decideThreshold,
  defaultTasks,
  matchesEvent,
  type Threshold,
  urgencyOf,
} from './task.ts';
import type { StoredTask, TaskStore } from './task-store.ts';

export type CleanupScheduler = Reconciler & {
  list(): Promise<readonly StoredTask[]>;
  /** @throws AppError `cleanup/unknown-task` */
  require(id: string): Promise<StoredTask>;
  /** @throws AppError `conflict/state` when there is one of that id; `request/invalid` for a schedule nobody can follow */
  add(task: CleanupTask, actor: string): Promise<StoredTask>;
  replace(task: CleanupTask, actor: string): Promise<StoredTask>;
  setEnabled(id: string, enabled: boolean, actor: string): Promise<StoredTask>;
  remove(id: string, actor: string): Promise<void>;
  /** Now, whatever its trigger. @throws AppError `operation/busy` while it runs */
  runTask(
    id: string,
    by: { startedBy: string; cause?: RunCause; idempotency?: Parameters<Cleanup['run']>[1]['idempotency'] },
  ): Promise<Operation>;
  isRunning(id: string): boolean;
  /** Brings the defaults and those of the settings file in. Called once, before the start. */
  open(fromFile: readonly CleanupTask[], limits: { readonly metricDays: number }): Promise<void>;
};

const longestSleepMs = 3_600_000;
const followSettleMs = 1_000;

/** Decides which task is due, by its schedule, a threshold, an event or a change of health, and has it run. */
export function createCleanupScheduler(options: {
  cleanup: Cleanup;
  tasks: TaskStore;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  /** How often thresholds and health are looked at. */
  checkIntervalMs: number;
  /** The value of a metric over the window of a threshold; null where nothing was recorded. */
  readMetric(threshold: Threshold): Promise<number | null>;
  /** The word of one check, or of all together; undefined: there is no such check. */
  readHealth(check: string | null): string | undefined;
  /** New events, from the call on, until the signal aborts. */
  followEvents?(signal: AbortSignal): AsyncGenerator<Event, void>;
}): CleanupScheduler {
  const { cleanup, tasks, db, events, clock, log } = options;
  let checkMs = options.checkIntervalMs;
  const running = new Set<string>();
  /** Fired by something and not begun yet, since the same was under way. */
  const waiting = new Map<string, RunCause>();
  const follow = new AbortController();
  let following: Promise<void> | undefined;

  const requireTask = async (id: string): Promise<StoredTask> => {
    const found = await tasks.find(id);
    if (found) return found;
    throw new AppError('cleanup/unknown-task', `There is no cleanup task "${id.slice(0, 100)}".`);
  };

  const runTask: CleanupScheduler['runTask'] = async (id, { startedBy, cause = 'manual', idempotency }) => {
    const { task } = await requireTask(id);
    if (running.has(id)) throw new AppError('operation/busy', `The task ${id} is under way already.`);
    running.add(id);
    return cleanup.run(
      { strategy: task.strategy, params: task.params },
      {
        ...{ requestedBy: startedBy, cause, taskId: id, urgency: urgencyOf(task.priority), budget: task.budget },
        ...{ onlyContained: task.onlyContained, timeoutMs: task.timeoutMs, retries: task.retries },
        ...{ retryDelayMs: task.retryDelayMs, idempotency },
        onSettled: () => void running.delete(id),
        async onEnd(run) {
          await db.unit((tx) =>
            tasks.addRun(tx, id, {
              endedMs: run.finishedMs ?? clock.now(),
              tookMs: (run.finishedMs ?? run.startedMs) - run.startedMs,
              success: run.outcome === 'success',
            }),
          );
        },
      },
    );
  };

  const fire = async (task: CleanupTask, cause: RunCause): Promise<void> => {
    try {
      await runTask(task.id, { startedBy: 'ragwarden', cause });
    } catch (err) {
      if (isAppError(err) && err.code === 'operation/busy') {
        // Of the same task that is no loss: it just runs. Of another that does the same, it is begun afterwards.
        if (!running.has(task.id)) waiting.set(task.id, cause);
        return;
      }
      log.warn({ err, task: task.id }, 'a cleanup task could not be begun');
    }
  };

  const fireDue = async (stored: StoredTask, nowMs: number): Promise<void> => {
    const { task, state } = stored;
    const { trigger } = task;
    if (trigger.type === 'scheduled') {
      const { run, nextMs } = decideDue(trigger, state.dueMs, nowMs);
      if (nextMs !== state.dueMs && !(await db.unit((tx) => tasks.claimDue(tx, task.id, state.dueMs, nextMs)))) return;
      if (run) await fire(task, 'scheduled');
      return;
    }
    if (trigger.type !== 'threshold_based' && trigger.type !== 'health_check') return;
    const decided =
      trigger.type === 'threshold_based'
        ? decideThreshold(trigger.threshold, await options.readMetric(trigger.threshold), state.armed)
        : decideHealth(trigger, options.readHealth(trigger.check), state.armed);
    if (decided.armed !== state.armed && !(await db.unit((tx) => tasks.setArmed(tx, task.id, decided.armed)))) return;
    if (decided.fire) await fire(task, trigger.type);
  };

  const followEvents = async (signal: AbortSignal): Promise<void> => {
    if (!options.followEvents) return;
    for await (const event of options.followEvents(signal)) {
      // A cleanup that is told of would fire itself for ever.
      if (event.type.startsWith('cleanup.') || event.type.startsWith('operation.')) continue;
      for (const { task } of await tasks.list())
        if (task.enabled && task.trigger.type === 'event_driven' && matchesEvent(task.trigger.eventTypes, event.type))
          await fire(task, 'event_driven');
    }
  };

  const job = createReconciler({
    name: 'cleanup tasks',
    intervalMs: checkMs,
    clock,
    log,
    async run(signal) {
      const nowMs = clock.now();
      const all = (await tasks.list()).filter(({ task }) => task.enabled);
      const urgentFirst = [...all].sort((one, other) => urgencyOf(other.task.priority) - urgencyOf(one.task.priority));
      for (const { task } of urgentFirst) {
        const cause = waiting.get(task.id);
        if (cause === undefined || cleanup.isUnderWay(task.strategy, task.params)) continue;
        waiting.delete(task.id);
        await fire(task, cause);
      }
      for (const stored of urgentFirst) {
        if (signal.aborted) return;
        try {
          await fireDue(stored, nowMs);
        } catch (err) {
          // One that cannot be decided skips none of the others.
          log.warn({ err, task: stored.task.id }, 'it could not be decided whether a cleanup task is due');
        }
      }
      if (following === undefined && all.some(({ task }) => task.trigger.type === 'event_driven'))
        following = followEvents(follow.signal).catch((err: unknown) => {
          following = undefined;
          log.warn({ err }, 'events are not followed for cleanup tasks; the next look begins anew');
        });
      await rest(nowMs);
    },
  });

  /** Until the next due time; as often as thresholds and health are looked at only while a task asks for that. */
  const rest = async (nowMs: number): Promise<void> => {
    const all = (await tasks.list()).filter(({ task }) => task.enabled);
    const looks =
      waiting.size > 0 || all.some(({ task }) => ['threshold_based', 'health_check'].includes(task.trigger.type));
    const dueMs = Math.min(...all.flatMap(({ state }) => state.dueMs ?? []), nowMs + longestSleepMs);
    const untilDue = Math.max(dueMs - nowMs, followSettleMs);
    job.setIntervalMs(looks ? Math.min(checkMs, untilDue) : untilDue);
  };

  const requirePossible = (task: CleanupTask): void => {
    if (task.trigger.type === 'scheduled') {
      const fault = findCronFault(task.trigger.cron, task.trigger.timeZone);
      if (fault !== undefined)
        throw new AppError('request/invalid', `The schedule "${task.trigger.cron}" cannot be followed: ${fault}.`);
    }
    cleanup.strategies.checkParams(task.strategy, task.params);
  };
  const tell = async (tx: Parameters<EventRecorder['audit']>[0], actor: string, action: string, id: string) => {
    await events.audit(tx, { actor, action, object: id, outcome: 'done' });
  };
  const requireChangeable = ({ task }: StoredTask): void => {
    if (task.origin === 'file')
      throw new AppError('conflict/state', `${task.id} stands in the settings file. Change it there and restart.`);
  };

  return {
    ...job,
    async stop() {
      follow.abort();
      await job.stop?.();
      await following;
    },
    setIntervalMs(ms) {
      checkMs = ms;
      job.wake();
    },
    list: () => tasks.list(),
    require: requireTask,
    async add(task, actor) {
      requirePossible(task);
      const made = await db.unit(async (tx) => {
        if (!(await tasks.insert(tx, task, clock.now()))) return false;
        await tell(tx, actor, 'cleanup.task-add', task.id);
        return true;
      });
      if (!made) throw new AppError('conflict/state', `There is a cleanup task "${task.id}" already.`);
      job.wake();
      return requireTask(task.id);
    },
    async replace(task, actor) {
      requirePossible(task);
      requireChangeable(await requireTask(task.id));
      await db.unit(async (tx) => {
        await tasks.replace(tx, task, clock.now());
        await tell(tx, actor, 'cleanup.task-change', task.id);
      });
      job.wake();
      return requireTask(task.id);
    },
    async setEnabled(id, enabled, actor) {
      const { task } = await requireTask(id);
      await db.unit(async (tx) => {
        await tasks.replace(tx, { ...task, enabled }, clock.now());
        await tell(tx, actor, enabled ? 'cleanup.task-enable' : 'cleanup.task-disable', id);
      });
      job.wake();
      return requireTask(id);
    },
    async remove(id, actor) {
      const stored = await requireTask(id);
      requireChangeable(stored);
      if (stored.task.origin === 'default')
        throw new AppError('conflict/state', `${id} comes with the product. Disable it instead.`);
      await db.unit(async (tx) => {
        await tasks.delete(tx, id);
        await tell(tx, actor, 'cleanup.task-remove', id);
      });
      waiting.delete(id);
    },
    runTask,
    isRunning: (id) => running.has(id),
    async open(fromFile, { metricDays }) {
      const nowMs = clock.now();
      const known = new Map((await tasks.list()).map(({ task }) => [task.id, task]));
      const wanted = new Map([...defaultTasks(metricDays), ...fromFile].map((task) => [task.id, task]));
      const fresh = [...wanted.values()].filter(({ id }) => !known.has(id));
      // The file wins over the API, and a default follows the product until somebody changes it; what was switched stays.
      const changed = [...wanted.values()].filter((task) => {
        const before = known.get(task.id);
        if (before?.origin === 'api' && task.origin === 'default') return false;
        return before && JSON.stringify(before) !== JSON.stringify({ ...task, enabled: before.enabled });
      });
      const gone = [...known.values()].filter(({ id, origin }) => origin === 'file' && !wanted.has(id));
      if (fresh.length + changed.length + gone.length === 0) return;
      await db.unit(async (tx) => {
        for (const task of fresh) await tasks.insert(tx, task, nowMs);
        for (const task of changed)
          await tasks.replace(tx, { ...task, enabled: known.get(task.id)?.enabled ?? task.enabled }, nowMs);
        for (const { id } of gone) await tasks.delete(tx, id);
      });
    },
  };
}
