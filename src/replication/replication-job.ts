import type { Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { isAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Overview, ReplicaOverview } from './overview.ts';
import { isHeldBack, patienceMs, type Replica, type ReplicaState } from './replica.ts';
import type { Replication } from './replication.ts';
import type { ReplicationDeps } from './replication-deps.ts';

type Timing = {
  readonly checkIntervalMs: number;
  readonly intervalMs: number;
  readonly verifyIntervalMs: number;
  readonly pruneIntervalMs: number;
};

/** What is to be done with a replica now, if anything. A copy looks as well, so one of them is enough. */
export function decideReplicaWork(
  { replica, state, targets }: ReplicaOverview,
  { paused }: Pick<Overview, 'paused'>,
  timing: Timing,
  nowMs: number,
  /** When all of it was read last, or tried to; undefined: not in this life. */
  readMs?: number,
): 'sync' | 'verify' | 'verify all' | 'prune' | 'look' | 'nothing' {
  if (!replica.enabled) return 'nothing';
  const since = (thenMs: number): number => passedMs(thenMs, nowMs);
  // A place that came back is seen by a look. What is wrong with single points keeps no other waiting.
  const patience = patienceMs(state.failuresInRow, timing.checkIntervalMs);
  const retried =
    state.failuresInRow === 0 || state.pointsOnly || state.attemptedMs === null || since(state.attemptedMs) >= patience;
  const copiedMs = state.pointsOnly ? state.attemptedMs : state.syncedMs;
  const due = copiedMs === null || since(copiedMs) >= timing.intervalMs;
  const heldBack = state.stuck.filter((one) => isHeldBack(one, timing.checkIntervalMs, nowMs)).length;
  const missing = targets.reduce((sum, { points }) => sum + points, 0) > heldBack;
  if (missing && paused === null && due && retried) return 'sync';
  // A share found damage: how far it goes is known when all of it was read, which healing does as well.
  // Where that fails, a look comes next, which sees a place that went away.
  const readLately = readMs !== undefined && since(readMs) < 12 * timing.checkIntervalMs;
  const spread = state.findings.length > 0 && state.damageReadMs === null && !replica.offline;
  if (timing.verifyIntervalMs > 0 && spread && !readLately) return 'verify all';
  const copies = targets.some((one) => one.copies > 0);
  const verifiedMs = state.verifiedMs ?? state.syncedMs ?? nowMs;
  if (
    timing.verifyIntervalMs > 0 &&
    copies &&
    state.status === 'healthy' &&
    !replica.offline &&
    since(verifiedMs) >= timing.verifyIntervalMs
  )
    return 'verify';
  if (state.status === 'healthy' && isPruneDue(replica, state, timing, nowMs)) return 'prune';
  // Before the first point there is nothing to make a repository like.
  if (state.reachedMs === null && targets.every(({ lagMs }) => lagMs === null)) return 'nothing';
  if (state.checkedMs === null || since(state.checkedMs) >= timing.checkIntervalMs) return 'look';
  return 'nothing';
}

/** What happened in the future happened before the clock was set back: nobody waits for that time to come. */
const passedMs = (thenMs: number, nowMs: number): number =>
  thenMs > nowMs ? Number.POSITIVE_INFINITY : nowMs - thenMs;

/** Only where something became useless since: looking for it costs reading the whole index, and writing what is repacked. */
function isPruneDue(
  { kind, offline }: Replica,
  { litteredMs, prunedMs, pruneTriedMs }: ReplicaState,
  timing: Pick<Timing, 'pruneIntervalMs' | 'checkIntervalMs'>,
  nowMs: number,
): boolean {
  if (timing.pruneIntervalMs <= 0 || offline || kind === 'ragwarden' || litteredMs === null) return false;
  if (prunedMs !== null && prunedMs <= nowMs && litteredMs < prunedMs) return false;
  const failedLast = pruneTriedMs !== null && pruneTriedMs !== prunedMs;
  if (failedLast && Math.abs(nowMs - pruneTriedMs) < 12 * timing.checkIntervalMs) return false;
  return passedMs(prunedMs ?? litteredMs, nowMs) >= timing.pruneIntervalMs;
}

export type ReplicationJob = Reconciler & {
  /** As last put together; for metrics and checks, which never wait. */
  latest(): Overview | undefined;
};

/** Copies what is missing, looks at the places, verifies them in turn, and tells when the placement rule is broken. */
export function createReplicationJob(
  deps: Pick<ReplicationDeps, 'settings' | 'db' | 'events'> & {
    readonly replication: Replication;
    readonly operations: Operations;
    readonly clock: Clock;
    readonly log: Logger;
    onOverview(overview: Overview): void;
  },
): ReplicationJob {
  const { replication, operations, clock, log } = deps;
  let latest: Overview | undefined;
  /** Places that are worked on: a run begins work and does not wait for it, so that a slow place holds up no other. */
  const busy = new Set<string>();
  const workers = new Set<Promise<void>>();
  /** Of the latest run, what no worker has taken yet. */
  let waiting: ReplicaOverview[] = [];
  /** Those that the run before did not come to, who waits longest first. */
  let passedOver: ReadonlySet<string> = new Set();
  /** By replica: when all of it was last begun to be read for damage. */
  const readMs = new Map<string, number>();
  /** By target: whether the rule was met when it was last told. */
  const told = new Map<string, boolean>();

  const refresh = async (): Promise<Overview> => {
    latest = await replication.overview();
    deps.onOverview(latest);
    return latest;
  };

  const tellPlacement = async ({ placement }: Overview): Promise<void> => {
    for (const verdict of placement) {
      const before = told.get(verdict.targetId);
      // At once: a run and each worker that ends come by here together.
      told.set(verdict.targetId, verdict.met);
      if (before === verdict.met || (before === undefined && verdict.met)) continue;
      const telling = deps.db.unit((tx) =>
        deps.events.record(tx, {
          type: verdict.met ? 'replication.placement-met' : 'replication.placement-broken',
          severity: verdict.met ? 'info' : 'error',
          targetId: verdict.targetId,
          message: verdict.met
            ? `The copies of ${verdict.targetId} lie where they shall again.`
            : `The copies of ${verdict.targetId} do not lie where they shall: ${verdict.missing.join(' ')}`,
          data: { copies: verdict.copies, zones: verdict.zones, offline: verdict.offline, missing: verdict.missing },
        }),
      );
      await telling.catch((err: unknown) => {
        // Not told: the next run does.
        if (before === undefined) told.delete(verdict.targetId);
        else told.set(verdict.targetId, before);
        throw err;
      });
    }
  };

  const decide = (one: ReplicaOverview, overview: Overview) =>
    decideReplicaWork(one, overview, deps.settings(), clock.now(), readMs.get(one.replica.id));

  const work = async (one: ReplicaOverview, overview: Overview, signal: AbortSignal): Promise<void> => {
    const replicaId = one.replica.id;
    const request = { replicaId, requestedBy: 'ragwarden' };
    try {
      switch (decide(one, overview)) {
        case 'sync':
          await operations.wait((await replication.sync(request)).id, { signal });
          break;
        case 'verify':
          await operations.wait((await replication.verify(request)).id, { signal });
          break;
        case 'verify all':
          readMs.set(replicaId, clock.now());
          await operations.wait((await replication.verify({ ...request, percent: 100 })).id, { signal });
          break;
        case 'prune':
          await operations.wait((await replication.prune(request)).id, { signal });
          break;
        case 'look':
          await replication.look(replicaId, signal);
          break;
        case 'nothing':
      }
    } catch (err) {
      if (signal.aborted) return;
      // Somebody else works there, it went away, or we go down: the next look comes soon.
      if (!isAppError(err) || !expected.has(err.code))
        log.warn({ replica: replicaId, err }, 'a replica was not looked after');
    }
  };

  const mayBegin = ({ replica }: ReplicaOverview): boolean =>
    busy.size < (replica.maxConcurrent ?? deps.settings().maxConcurrent);
  /** Who looks is done soon, and takes nobody's turn. */
  const isShort = (one: ReplicaOverview, overview: Overview): boolean => {
    const what = decide(one, overview);
    return what === 'look' || what === 'nothing';
  };

  /**
   * The next that may be begun while as many are worked on as are now: the last one that ends leaves none that may not. One that was
   * passed over for a whole run comes before all that is long, or those that overlap would keep it waiting for ever.
   */
  const take = (overview: Overview): ReplicaOverview | undefined => {
    const first = waiting.find((one) => passedOver.has(one.replica.id) && !isShort(one, overview));
    const index = waiting.findIndex(
      (one) => mayBegin(one) && (first === undefined || one === first || isShort(one, overview)),
    );
    return index < 0 ? undefined : waiting.splice(index, 1)[0];
  };

  const begin = (overview: Overview, signal: AbortSignal): void => {
    for (let one = take(overview); one && !signal.aborted; one = take(overview)) {
      const { id } = one.replica;
      busy.add(id);
      const worker: Promise<void> = work(one, overview, signal)
        .finally(() => busy.delete(id))
        .then(async () => {
          if (signal.aborted) return;
          begin(overview, signal);
          await tellPlacement(await refresh());
        })
        .catch((err: unknown) => {
          if (!signal.aborted) log.warn({ err }, 'the replicas could not be read');
        })
        .finally(() => workers.delete(worker));
      workers.add(worker);
    }
  };

  const reconciler = createReconciler({
    name: 'replication',
    intervalMs: deps.settings().checkIntervalMs,
    clock,
    log,
    async run(signal) {
      const overview = await refresh();
      // Each is worked on at most once per run, so that what ends at once is not begun again at once.
      passedOver = new Set(waiting.map(({ replica }) => replica.id));
      const order = [...passedOver];
      const turn = (one: ReplicaOverview): number => order.indexOf(one.replica.id) + 1 || order.length + 1;
      waiting = overview.enabled
        ? overview.replicas.filter(({ replica }) => !busy.has(replica.id)).sort((one, other) => turn(one) - turn(other))
        : [];
      begin(overview, signal);
      await tellPlacement(overview);
    },
  });
  return {
    ...reconciler,
    latest: () => latest,
    async stop() {
      // Its signal ends the waiting of the workers as well.
      await reconciler.stop?.();
      await Promise.all(workers);
    },
  };
}

const expected: ReadonlySet<string> = new Set([
  'operation/busy',
  'internal/stopping',
  'feature/disabled',
  'conflict/state',
  'replication/unknown-target',
]);
