import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecoveryPoint, Repository } from '../backup/index.ts';
import type { Operation, SettledOutcome } from '../operations/index.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { heal } from './heal.ts';
import {
  type Hold,
  holdOf,
  leaseOf,
  ownRepository,
  releaseOfDead,
  type Started,
  startHeld,
  whileHeld,
} from './held-work.ts';
import { type Overview, readOverview } from './overview.ts';
import { statusByFindings, statusOfFailure } from './place-status.ts';
import { pruneReplica } from './prune-replica.ts';
import { freshState, type Replica, type ReplicaState } from './replica.ts';
import type { Replicas } from './replicas.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import type { ReplicationStore } from './replication-store.ts';
import { syncReplica } from './sync-replica.ts';
import { verifyReplica } from './verify-replica.ts';

export const replicationKinds = {
  sync: 'replication.sync',
  verify: 'replication.verify',
  heal: 'replication.heal',
  prune: 'replication.prune',
} as const;

/** A place from which a point can be brought, the repository itself aside. */
export type PlacedPoint = { readonly replica: Replica; readonly treeId: string; readonly copiedMs: number };

export type Replication = {
  readonly replicas: Replicas;
  readonly store: ReplicationStore;
  readonly enabled: () => boolean;
  /** @throws AppError `feature/disabled`, `operation/busy`, `replication/unknown-target`, `conflict/state` when it is switched off */
  sync(request: Started & { readonly replicaId: string; readonly targetId?: string | undefined }): Promise<Operation>;
  verify(request: Started & { readonly replicaId: string; readonly percent?: number | undefined }): Promise<Operation>;
  prune(request: Started & { readonly replicaId: string }): Promise<Operation>;
  heal(request: Started & { readonly replicaId: string; readonly damaged: 'target' | 'source' }): Promise<Operation>;
  /** Looks now, unless somebody works there: then what was seen last. Never throws for what the place is like. */
  look(replicaId: string, signal: AbortSignal): Promise<ReplicaState>;
  overview(targetId?: string): Promise<Overview>;
  /** The newest verified point of a target, and where its copies are. For who brings a target up elsewhere. */
  newestPoint(
    targetId: string,
  ): Promise<{ readonly point: RecoveryPoint; readonly places: readonly PlacedPoint[] } | undefined>;
  /**
   * The repository of a replica, to restore from it.
   * @throws AppError `replication/unknown-target`, `conflict/state` when it is no repository
   */
  openRepository(replicaId: string): Promise<Repository>;
  /**
   * A replica that gives its points back whole, to bring some of them into a repository below a folder.
   * @throws AppError `replication/unknown-target`, `conflict/state` when it is a repository itself
   */
  openPacked(replicaId: string): Promise<{
    list(signal: AbortSignal): Promise<ReadonlySet<string>>;
    bring(pointIds: readonly string[], folder: string, signal: AbortSignal): Promise<Repository>;
  }>;
  readonly settlers: Readonly<Record<string, (operation: Operation) => Promise<SettledOutcome>>>;
};

/** A place that says nothing for so long is out of reach; the tool itself tries for a quarter of an hour. */
const lookLimitMs = 60_000;

/** Copies of points as operations, one at a time per replica, over all instances. */
export function createReplication(deps: ReplicationDeps): Replication {
  const { replicas, store, db, clock } = deps;

  const audit = (actor: string, action: string, object: string): Promise<number> =>
    db.unit((tx) => deps.events.audit(tx, { actor, action, object, outcome: 'done' }));

  const requireEnabled = (): void => {
    if (!deps.settings().enabled)
      throw new AppError(
        'feature/disabled',
        'Replication is switched off by LIGHTRAG_REPLICATION_ENABLED (replication.enabled).',
      );
  };

  const begin = async (
    kind: keyof typeof replicationKinds,
    request: Started & { replicaId: string },
    input: object,
    run: (replica: Replica, context: Parameters<Parameters<typeof startHeld>[1]['run']>[0]) => Promise<unknown>,
    holds: readonly Hold[] = [],
  ): Promise<Operation> => {
    requireEnabled();
    const replica = await replicas.require(request.replicaId);
    if (!replica.enabled)
      throw new AppError('conflict/state', `The replication target ${replica.id} is switched off. Switch it on first.`);
    const { replicaId, ...started } = request;
    const operation = await startHeld(deps, {
      ...started,
      kind: replicationKinds[kind],
      holds: [holdOf(replicaId), ...holds],
      input: { replicaId, ...input },
      async run(context) {
        await settlePlace(replica);
        return run(replica, context);
      },
    });
    await audit(request.requestedBy, replicationKinds[kind], replica.id);
    return operation;
  };

  /** What is known of an id holds for the place where it was seen; the file may name another one by now. */
  const settlePlace = async ({ id, place }: Replica): Promise<void> => {
    const known = (await store.states()).get(id);
    if (known?.place === place) return;
    await db.unit(async (tx) => {
      if (known && known.place !== null) await store.forgetSeen(tx, id);
      await store.changeState(tx, id, { place });
    });
  };

  const noteLook = async (replica: Replica, before: ReplicaState, change: Partial<ReplicaState>): Promise<void> => {
    const nowMs = clock.now();
    const after = { ...before, ...change, checkedMs: nowMs };
    await db.unit(async (tx) => {
      await store.changeState(tx, replica.id, { ...change, checkedMs: nowMs });
      // Only what changed is worth a line.
      if (after.status === before.status) return;
      await store.writeLog(tx, {
        ...{ id: newId('repl', nowMs, deps.random), operationId: null, replicaId: replica.id, targetId: null },
        ...{ pointId: null, type: 'health_check', status: after.status === 'healthy' ? 'completed' : 'failed' },
        ...{ startedMs: nowMs, completedMs: nowMs, bytes: null, dataHash: null, error: after.error },
      });
      if (before.status === 'unknown' && after.status === 'healthy') return;
      await deps.events.record(tx, {
        type: after.status === 'healthy' ? 'replication.target-back' : 'replication.target-lost',
        severity: after.status === 'healthy' || replica.offline ? 'info' : 'error',
        message:
          after.status === 'healthy'
            ? `The replication target ${replica.id} is well again.`
            : `The replication target ${replica.id} is ${after.status}: ${after.error ?? 'no reason was told'}`,
        data: { replica: replica.id, status: after.status },
      });
    });
  };

  const lookNow = async (replica: Replica, signal: AbortSignal): Promise<void> => {
    await settlePlace(replica);
    const before = (await store.states()).get(replica.id) ?? freshState;
    const late = new AbortController();
    const waited = new AbortController();
    clock.sleep(lookLimitMs, waited.signal).then(
      () => late.abort(new AppError('outgoing/timeout', `It did not answer within ${lookLimitMs / 1_000} s.`)),
      () => undefined,
    );
    try {
      const place = await deps.openPlace(replica);
      const seen = await place.look(before.repositoryId, { signal: AbortSignal.any([signal, late.signal]) });
      // What a verification or a copy found stays until one of them finds it gone.
      const refused = before.failuresInRow > 0 && before.status === 'degraded';
      await noteLook(replica, before, {
        ...seen,
        reachedMs: clock.now(),
        ...(refused ? { status: 'degraded' as const } : statusByFindings(before)),
      });
    } catch (err) {
      signal.throwIfAborted();
      const told = late.signal.aborted ? late.signal.reason : err;
      const error = isAppError(told) ? told.detail : describeError(told);
      await noteLook(replica, before, { error, status: statusOfFailure(told) });
    } finally {
      waited.abort();
    }
  };

  const settler = async (operation: Operation): Promise<SettledOutcome> => {
    const replicaId = replicaOf(operation.input);
    const held = [
      ...(replicaId === undefined ? [] : [leaseOf(replicaId)]),
      ...(operation.kind === replicationKinds.heal ? [ownRepository.lease] : []),
    ];
    await releaseOfDead(deps.leases, held, operation.instance);
    await db.unit(async (tx) => {
      await store.closeLog(tx, operation.id, 'ragwarden ended while it ran', clock.now());
      if (replicaId !== undefined && operation.kind === replicationKinds.sync)
        await store.changeState(tx, replicaId, { litteredMs: clock.now() });
    });
    // Whole points, which may be large.
    if (replicaId !== undefined && operation.kind === replicationKinds.heal)
      await rm(join(deps.broughtDir, replicaId), { recursive: true, force: true });
    return {
      message:
        operation.kind === replicationKinds.heal
          ? `Healing ended with the process. Heal ${replicaId ?? 'it'} again: it goes on where it was.`
          : 'It ended with the process. Points that were there stay; the next run brings the rest.',
      severity: operation.kind === replicationKinds.heal ? 'warning' : 'info',
    };
  };

  return {
    replicas,
    store,
    enabled: () => deps.settings().enabled,
    sync: ({ targetId, ...request }) =>
      begin('sync', request, { targetId: targetId ?? null }, (replica, context) =>
        syncReplica(deps, replica, { targetId, patient: request.requestedBy === 'ragwarden' }, context),
      ),
    verify: ({ percent, ...request }) =>
      begin('verify', request, { percent: percent ?? null }, (replica, context) =>
        verifyReplica(deps, replica, { percent: percent ?? deps.settings().verifyPercent }, context),
      ),
    prune: (request) => begin('prune', request, {}, (replica, context) => pruneReplica(deps, replica, context)),
    heal: ({ damaged, ...request }) =>
      begin(
        'heal',
        request,
        { damaged },
        (replica, context) => heal(deps, replica, { damaged }, context),
        // From two places at once it would be taken apart twice.
        damaged === 'source' ? [ownRepository] : [],
      ),

    async look(replicaId, signal) {
      const replica = await replicas.require(replicaId);
      const lease = await deps.leases.acquire(leaseOf(replicaId));
      // Making the repository of a new place must not happen twice; whoever works there tells how it is.
      if (lease) await whileHeld(deps, lease, signal, (held) => lookNow(replica, held));
      return (await store.states()).get(replicaId) ?? freshState;
    },
    overview: (targetId) => readOverview(deps, targetId),

    async newestPoint(targetId) {
      const point = await deps.points.newest(targetId, 'good');
      if (!point) return undefined;
      const all = await replicas.list();
      const places = (await store.copies({ pointId: point.id })).flatMap(({ replicaId, treeId, copiedMs }) => {
        const replica = all.find((one) => one.id === replicaId);
        return replica ? [{ replica, treeId, copiedMs }] : [];
      });
      return { point, places };
    },
    async openRepository(replicaId) {
      const { repository } = await deps.openPlace(await replicas.require(replicaId));
      if (!repository)
        throw new AppError(
          'conflict/state',
          `${replicaId} is no repository: its points have to be brought back first.`,
        );
      return repository;
    },
    async openPacked(replicaId) {
      const place = await deps.openPlace(await replicas.require(replicaId));
      if (!place.bringBack) throw new AppError('conflict/state', `${replicaId} is a repository itself.`);
      const { bringBack } = place;
      return {
        list: async (signal) => (await place.plan([], { signal })).listed ?? new Set(),
        bring: (pointIds, folder, signal) => bringBack(pointIds, folder, { signal }),
      };
    },
    settlers: Object.fromEntries(Object.values(replicationKinds).map((kind) => [kind, settler])),
  };
}

const replicaOf = (input: unknown): string | undefined =>
  typeof input === 'object' && input !== null && 'replicaId' in input && typeof input.replicaId === 'string'
    ? input.replicaId
    : undefined;
