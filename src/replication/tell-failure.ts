import type { OperationContext } from '../operations/index.ts';
import { describeError, isAppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { statusOfFailure } from './place-status.ts';
import type { Replica, ReplicaState } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';

/** Writes down that a copy failed, how the place is now, and tells it where it was not told before. */
export async function tellFailure(
  deps: ReplicationDeps,
  replica: Replica,
  /** As it was told when the copy began. */
  before: ReplicaState,
  err: unknown,
  context: OperationContext,
  /** Of single points: how the place itself is, and whether it was told of them before. */
  place?: Pick<ReplicaState, 'status' | 'error'> & { readonly isNew: boolean },
): Promise<void> {
  const { db, store, clock } = deps;
  const error = isAppError(err) ? err.detail : describeError(err);
  const told = (await store.log({ replicaId: replica.id, limit: 5 })).some((one) => one.operationId === context.id);
  await db.unit(async (tx) => {
    // That the repository here is damaged says nothing of the place.
    if (!isAppError(err) || err.code !== 'replication/source-unsound')
      await store.changeState(tx, replica.id, {
        ...{
          // What failed with single points says nothing of how long a place that fails is left alone.
          failuresInRow: (place === undefined && before.pointsOnly ? 0 : before.failuresInRow) + 1,
          pointsOnly: place !== undefined,
          checkedMs: clock.now(),
        },
        error: place?.error ?? error,
        status: place?.status ?? statusOfFailure(err),
      });
    // The first of a row, and another reason: an outage of a night is not told every five minutes.
    if (before.failuresInRow > 0 && (place ? !place.isNew : before.error === error)) return;
    // One that failed in the middle of a point has said so there.
    if (!told)
      await store.writeLog(tx, {
        ...{ id: newId('repl', clock.now(), deps.random), operationId: context.id, replicaId: replica.id },
        ...{ targetId: null, pointId: null, type: 'sync', status: 'failed', bytes: null, dataHash: null, error },
        ...{ startedMs: clock.now(), completedMs: clock.now() },
      });
    await deps.events.record(tx, {
      type: isConflict(err) ? 'replication.conflict' : 'replication.failed',
      severity: replica.offline ? 'info' : 'error',
      operationId: context.id,
      message: `Copying to ${replica.id} failed: ${error}`,
      data: { replica: replica.id, code: isAppError(err) ? err.code : null },
    });
  });
}

/** One id with two contents. */
export const isConflict = (err: unknown): boolean => isAppError(err) && err.code === 'replication/conflict';
