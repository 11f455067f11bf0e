import type { OperationContext } from '../operations/index.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { freshState, type LogEntry, type Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';

export type PruneReplicaResult = { readonly target_id: string; readonly freed_bytes: number | null };

/**
 * Frees what nothing refers to at a replica: what was forgotten there, and what a copy that was cut off left.
 * @throws AppError `conflict/state` where points are kept as whole files, which go with their bytes
 */
export async function pruneReplica(
  deps: ReplicationDeps,
  replica: Replica,
  context: OperationContext,
): Promise<PruneReplicaResult> {
  const { db, store, clock } = deps;
  const call = { signal: context.signal, operationId: context.id };
  const startedMs = clock.now();
  const entry: LogEntry = {
    id: newId('repl', startedMs, deps.random),
    operationId: context.id,
    ...{ replicaId: replica.id, targetId: null, pointId: null, type: 'prune', status: 'in_progress' },
    ...{ startedMs, completedMs: null, bytes: null, dataHash: null, error: null },
  };
  await db.unit(async (tx) => {
    await store.changeState(tx, replica.id, { pruneTriedMs: startedMs });
    await store.writeLog(tx, entry);
  });
  try {
    await context.phase('looking');
    const place = await deps.openPlace(replica);
    if (!place.prune)
      throw new AppError('conflict/state', `${replica.id} keeps each point as one file: nothing is left of what goes.`);
    const state = (await store.states()).get(replica.id) ?? freshState;
    const seen = await place.look(state.repositoryId, call);
    await context.phase('pruning');
    await deps.step('prune-replica:begun');
    const { freedBytes } = await place.prune(call);
    const after = await place.look(seen.repositoryId, call);
    const nowMs = clock.now();
    await db.unit(async (tx) => {
      await store.changeState(tx, replica.id, {
        ...after,
        ...{ prunedMs: startedMs, pruneFailures: 0, checkedMs: nowMs, reachedMs: nowMs },
      });
      await store.writeLog(tx, { ...entry, status: 'completed', completedMs: nowMs, bytes: freedBytes });
      await deps.events.record(tx, {
        type: 'replication.pruned',
        severity: 'info',
        operationId: context.id,
        message:
          freedBytes === null ? `${replica.id} was pruned.` : `Pruning freed ${freedBytes} bytes at ${replica.id}.`,
        data: { replica: replica.id, freed_bytes: freedBytes },
      });
    });
    deps.onPruned({ replicaId: replica.id, freedBytes });
    return { target_id: replica.id, freed_bytes: freedBytes };
  } catch (err) {
    const error = isAppError(err) ? err.detail : describeError(err);
    // Who cancelled it, or a place that keeps whole files, did not fail.
    const counts = !context.signal.aborted && !(isAppError(err) && err.code === 'conflict/state');
    const before = (await store.states()).get(replica.id) ?? freshState;
    await db.unit(async (tx) => {
      await store.writeLog(tx, { ...entry, status: 'failed', completedMs: clock.now(), error });
      if (counts) await store.changeState(tx, replica.id, { pruneFailures: before.pruneFailures + 1 });
    });
    throw err;
  }
}
