import type { RecoveryPoint } from '../backup/index.ts';
import type { OperationContext } from '../operations/index.ts';
import { describeError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import type { Place, Sent } from './places/place.ts';
import type { PointCopy, SyncPlan } from './plan-sync.ts';
import type { LogEntry, Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';

/**
 * Brings one point to a place, with its own entry in the log.
 * @returns bytes as stored there; null where that place cannot tell
 */
export async function copyPoint(
  deps: ReplicationDeps,
  replica: Replica,
  place: Place,
  item: PointCopy,
  context: OperationContext,
  onProgress: (sent: Sent) => void,
): Promise<number | null> {
  const { db, store, clock } = deps;
  const { point } = item;
  const entry: LogEntry = {
    id: newId('repl', clock.now(), deps.random),
    operationId: context.id,
    ...{ replicaId: replica.id, targetId: point.targetId, pointId: point.id },
    ...{ type: 'sync', status: 'in_progress', startedMs: clock.now(), completedMs: null },
    ...{ bytes: null, dataHash: null, error: null },
    metadata: { kind: replica.kind, tree_id: item.treeId },
  };
  await db.unit((tx) => store.writeLog(tx, entry));
  await deps.step('replicate:begun');
  try {
    const limitKiB = replica.limitKiB ?? deps.settings().limitKiB;
    const call = { signal: context.signal, operationId: context.id, onProgress };
    const { treeId, bytes, dataHash } = await place.bring(item, limitKiB, call);
    await deps.step('replicate:copied');
    const nowMs = clock.now();
    await db.unit(async (tx) => {
      await store.writeCopy(tx, copyOf(replica, point, treeId, nowMs));
      const hash = dataHash ?? treeId;
      await store.writeLog(tx, { ...entry, status: 'completed', completedMs: nowMs, bytes, dataHash: hash });
    });
    deps.onTransfer({ replicaId: replica.id, point, outcome: 'success', bytes });
    return bytes;
  } catch (err) {
    const failed = { ...entry, status: 'failed' as const, completedMs: clock.now(), error: describeError(err) };
    await db.unit(async (tx) => {
      await store.writeLog(tx, failed);
      await store.changeState(tx, replica.id, { litteredMs: clock.now() });
    });
    if (!context.signal.aborted) deps.onTransfer({ replicaId: replica.id, point, outcome: 'error', bytes: null });
    throw err;
  }
}

/** A point that was there already, by whatever way it came, is a copy; one that is not there any more is none. */
export async function noteHeld(
  { db, store, clock }: ReplicationDeps,
  replica: Replica,
  { held, copy, listed }: Pick<SyncPlan, 'held' | 'copy' | 'listed'>,
): Promise<void> {
  const known = new Map((await store.copies({ replicaId: replica.id })).map((one) => [one.pointId, one]));
  const gone = [...copy.map(({ point }) => point.id), ...(listed ? [...known.keys()] : [])].filter(
    (id) => known.has(id) && listed?.has(id) !== true,
  );
  await db.unit(async (tx) => {
    for (const { point, treeId } of held)
      if (!known.has(point.id)) await store.writeCopy(tx, copyOf(replica, point, treeId, clock.now()));
    await store.deleteCopies(tx, replica.id, gone);
  });
}

const copyOf = (replica: Replica, point: RecoveryPoint, treeId: string, nowMs: number) => ({
  ...{ replicaId: replica.id, pointId: point.id, targetId: point.targetId, treeId },
  ...{ takenMs: point.takenMs, copiedMs: nowMs },
});
