import { z } from 'zod';
import type { PointStore } from '../../backup/index.ts';
import type { Operations } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/database/index.ts';
import { AppError, isAppError } from '../../platform/errors.ts';
import type { Lease, Leases } from '../../platform/leases.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type Reconciler } from '../../platform/reconciler.ts';
import type { DrillStore } from '../drill-store.ts';
import type { FailoverStore } from '../failover/failover-store.ts';
import { type AutomaticPlan, decideAutomatic, type OfferedGraph, planGivingUp, sinceOf } from './automatic.ts';
import type { Checkpoint, CheckpointCause } from './checkpoint.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { Checkpoints } from './checkpoints.ts';
import { bindGraph, findVerified, type GraphName } from './stands-for.ts';

const tickMs = 60_000;
const leaseName = 'checkpoints';
/** Longer than a pin takes, which is a few starts of restic unless the repository is locked; renewed before each write and pin. */
export const checkpointLeaseMs = 120_000;
/** Whoever makes one himself has pinned its points by then, or is dead. */
const pinningMs = 900_000;
/** After a refusal. */
const retryMs = 900_000;
const everyCheckpoint = 1_000;

export type AutomaticStatus = {
  readonly targetId: string;
  readonly keep: number;
  readonly intervalMs: number;
  readonly lastMs: number | null;
  readonly nextMs: number | null;
  /** Why none is waited for; null while one is. */
  readonly reason: string | null;
};

export type CheckpointSchedule = Reconciler & { status(): Promise<AutomaticStatus[]> };

type Look = {
  readonly plan: AutomaticPlan;
  readonly lastMs: number | null;
  readonly offered: readonly OfferedGraph[];
  readonly doomed: readonly Checkpoint[];
};

/** What a running operation says that it works with. */
const workInput = z.object({ checkpointId: z.string().optional(), pointId: z.string().optional() });

/** Makes a checkpoint of each target every so often, and gives the oldest of its own up. One instance at a time. */
export function createCheckpointSchedule(deps: {
  readonly checkpoints: Pick<Checkpoints, 'create' | 'remove' | 'endPinning'>;
  readonly store: CheckpointStore;
  readonly points: Pick<PointStore, 'newest' | 'oldestTakenMs'>;
  readonly operations: Pick<Operations, 'list'>;
  readonly drillStore: Pick<DrillStore, 'list'>;
  readonly failovers: Pick<FailoverStore, 'running'>;
  readonly db: Database;
  readonly leases: Leases;
  readonly clock: Clock;
  readonly log: Logger;
  readonly targetIds: readonly string[];
  /** Why none is made while a part is switched off; undefined: it is on. */
  off(): string | undefined;
  /** Every graph that there is. */
  graphs(): Promise<readonly GraphName[]>;
  /** May change while it runs. */
  settings(): { readonly intervalMs: number; readonly keep: number };
  onLook(facts: { byCause: Readonly<Record<CheckpointCause, number>>; lastMs: ReadonlyMap<string, number> }): void;
}): CheckpointSchedule {
  const { checkpoints, store, points, db, leases, clock, log } = deps;
  /** By target: why the last one could not be made. */
  const refusals = new Map<string, { readonly detail: string; readonly atMs: number }>();
  /** By target: what was last said about there being none. */
  const said = new Map<string, string | null>();

  /** Of the whole target where there is such a point: only a checkpoint of one point can be failed over to. */
  const offer = async (targetId: string, present: readonly Checkpoint[]): Promise<readonly OfferedGraph[]> => {
    const named = present.flatMap(({ graphs }) => graphs);
    const whole = await points.newest(targetId, 'wanted');
    const offered: OfferedGraph[] = [];
    for (const graph of await deps.graphs()) {
      if (graph.targetId !== targetId) continue;
      const point = await findVerified(points, graph);
      if (point && (whole === undefined || point.id === whole.id))
        offered.push({ graph: bindGraph(graph, point, named), pinned: point.pinned });
    }
    return offered;
  };

  const findInUse = async (targetId: string): Promise<ReadonlySet<string>> => {
    const [failover, drills, running] = await Promise.all([
      deps.failovers.running(targetId),
      deps.drillStore.list({ targetId, limit: 20 }),
      deps.operations.list({ state: 'running', targetId, limit: 100 }),
    ]);
    const inputs = running.flatMap(({ input }) => workInput.safeParse(input).data ?? []);
    return new Set(
      [
        ...[failover?.checkpointId, failover?.pointId],
        ...drills.filter(({ verdict }) => verdict === null).map(({ pointId }) => pointId),
        ...inputs.flatMap(({ checkpointId, pointId }) => [checkpointId, pointId]),
      ].filter((id) => id != null),
    );
  };

  const look = async (targetId: string): Promise<Look> => {
    const { keep, intervalMs } = deps.settings();
    const nowMs = clock.now();
    const all = await store.list({ limit: everyCheckpoint });
    const present = all.filter(({ graphs }) => graphs[0]?.targetId === targetId);
    const lastMs = (await store.lastMadeMs(targetId)) ?? null;
    const oldestMs = (await points.oldestTakenMs(targetId)) ?? null;
    const noticedMs = (await store.noticedMs(targetId)) ?? null;
    const sinceMs = sinceOf({ lastMs, oldestMs, noticedMs, nowMs });
    const due = keep > 0 && sinceMs !== null && sinceMs + intervalMs <= nowMs;
    const offered = due ? await offer(targetId, all) : [];
    // Asked only when something would go.
    const above = planGivingUp(present, keep, new Set());
    const doomed = above.length === 0 ? above : planGivingUp(present, keep, await findInUse(targetId));
    const plan = decideAutomatic({
      ...{ targetId, keep, intervalMs, lastMs, oldestMs, noticedMs, offered, present, nowMs },
    });
    return { plan, lastMs, offered, doomed };
  };

  /** An instant in the future would keep the next one waiting until the clock has come there again. */
  const followClock = async (targetId: string): Promise<void> => {
    const nowMs = clock.now();
    const sinceMs = (await store.lastMadeMs(targetId)) ?? (await points.oldestTakenMs(targetId));
    if (sinceMs === undefined || sinceMs <= nowMs) return;
    // Set back once more, it is noticed once more.
    if (((await store.noticedMs(targetId)) ?? Number.POSITIVE_INFINITY) > nowMs)
      await db.unit((tx) => store.writeNoticed(tx, targetId, nowMs));
  };

  const make = async (targetId: string, { offered }: Look, lease: Lease): Promise<void> => {
    const hold = async (tx: Tx): Promise<void> => {
      if (!(await leases.renew(lease, tx)))
        throw new AppError('operation/lease-lost', 'Another instance makes the checkpoints now.');
    };
    await checkpoints.create({
      graphIds: offered.map(({ graph }) => graph.graphId),
      description: '',
      metadata: {},
      requestedBy: 'ragwarden',
      scheduled: {
        check: hold,
        async made(tx) {
          await hold(tx);
          await store.writeLastMade(tx, targetId, clock.now());
        },
      },
    });
    log.info({ target: targetId }, 'a checkpoint was made by the schedule');
  };

  const tend = async (targetId: string, signal: AbortSignal): Promise<void> => {
    const refused = refusals.get(targetId);
    // The clock may have been set back meanwhile.
    const rests = refused !== undefined && Math.abs(clock.now() - refused.atMs) < retryMs;
    const isDue = ({ plan }: Look): boolean => plan.make && !rests;
    const before = await look(targetId);
    say(targetId, before.plan.reason);
    if (!isDue(before) && before.doomed.length === 0) return;
    const lease = await leases.acquire(leaseName);
    if (!lease) return;
    try {
      // Whoever held it before may have done it meanwhile.
      const now = await look(targetId);
      if (isDue(now)) await make(targetId, now, lease);
      // While it rests nothing was tried.
      if (!rests) refusals.delete(targetId);
      for (const { id } of (await look(targetId)).doomed) {
        if (signal.aborted || !(await leases.renew(lease))) return;
        await checkpoints.remove(id, 'ragwarden');
      }
    } catch (err) {
      if (!isAppError(err)) throw err;
      if (refused?.detail !== err.detail) log.warn({ target: targetId, err }, 'no checkpoint was made');
      refusals.set(targetId, { detail: err.detail, atMs: clock.now() });
    } finally {
      await leases.release(lease);
    }
  };

  /** Automatic ones are made once more instead. */
  const endPinning = async (signal: AbortSignal): Promise<void> => {
    for (const one of await store.list({ cause: 'manual', limit: everyCheckpoint })) {
      if (signal.aborted) return;
      const isLeft = one.graphs.some(({ pinning }) => pinning) && Math.abs(clock.now() - one.createdMs) >= pinningMs;
      if (isLeft) await checkpoints.endPinning(one);
    }
  };

  /** Once, not at each look. */
  const say = (targetId: string, reason: string | null): void => {
    if (reason !== null && said.get(targetId) !== reason)
      log.info({ target: targetId, reason }, 'no checkpoint is made now');
    said.set(targetId, reason);
  };

  const show = async (): Promise<void> => {
    const lastMs = new Map<string, number>();
    for (const targetId of deps.targetIds) {
      const atMs = await store.lastMadeMs(targetId);
      if (atMs !== undefined) lastMs.set(targetId, atMs);
    }
    deps.onLook({ byCause: (await store.count()).byCause, lastMs });
  };

  const reconciler = createReconciler({
    name: 'checkpoints',
    intervalMs: tickMs,
    clock,
    log,
    async run(signal) {
      await endPinning(signal);
      for (const targetId of deps.targetIds) {
        if (signal.aborted) return;
        await followClock(targetId);
        await tend(targetId, signal);
      }
      await show();
    },
  });

  return {
    ...reconciler,
    status: () =>
      Promise.all(
        deps.targetIds.map(async (targetId) => {
          const { plan, lastMs } = await look(targetId);
          const reason = deps.off() ?? plan.reason ?? (plan.make ? refusals.get(targetId)?.detail : null) ?? null;
          return {
            targetId,
            ...deps.settings(),
            lastMs,
            nextMs: deps.off() === undefined ? plan.nextMs : null,
            reason,
          };
        }),
      ),
  };
}
