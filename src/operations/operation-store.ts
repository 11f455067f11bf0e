import type { Kysely } from 'kysely';
import type { Database, Tx } from '../platform/database/index.ts';
import type { FinalState, Operation, OperationError, OperationState } from './operation.ts';
import { emptyProgress, type Progress } from './progress.ts';

type OperationRow = {
  id: string;
  kind: string;
  target_id: string | null;
  state: string;
  phase: string;
  progress: string;
  input: string;
  result: string | null;
  error: string | null;
  requested_by: string;
  instance: string;
  epoch: number;
  heartbeat_ms: number;
  cancel_requested_ms: number | null;
  created_ms: number;
  finished_ms: number | null;
  exclusive: number;
};
type IdempotencyRow = {
  subject: string;
  route: string;
  key: string;
  request_hash: string;
  operation_id: string;
  created_ms: number;
};
export type OperationTables = { operation: OperationRow; idempotency_key: IdempotencyRow };

export type OperationFilter = {
  readonly state?: OperationState | undefined;
  readonly kind?: string | undefined;
  readonly targetId?: string | undefined;
  /** Only those older than this one. */
  readonly beforeId?: string | undefined;
};

export async function insertOperation(tx: Tx, operation: Operation): Promise<void> {
  await tx
    .as<OperationTables>()
    .insertInto('operation')
    .values({
      id: operation.id,
      kind: operation.kind,
      target_id: operation.targetId,
      state: operation.state,
      phase: operation.phase,
      progress: JSON.stringify(operation.progress),
      input: JSON.stringify(operation.input ?? null),
      result: null,
      error: null,
      requested_by: operation.requestedBy,
      instance: operation.instance,
      epoch: operation.epoch,
      heartbeat_ms: operation.heartbeatMs,
      cancel_requested_ms: null,
      created_ms: operation.createdMs,
      finished_ms: null,
      exclusive: operation.exclusive ? 1 : 0,
    })
    .execute();
}

export async function findOperation(db: Kysely<OperationTables>, id: string): Promise<Operation | undefined> {
  const row = await db.selectFrom('operation').selectAll().where('id', '=', id).executeTakeFirst();
  return row && toOperation(row);
}

/** Newest first; ids sort by the time at which they were made. */
export async function selectOperations(db: Database, filter: OperationFilter, limit: number): Promise<Operation[]> {
  let query = db.reader<OperationTables>().selectFrom('operation').selectAll();
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId);
  if (filter.beforeId !== undefined) query = query.where('id', '<', filter.beforeId);
  return (await query.orderBy('id', 'desc').limit(limit).execute()).map(toOperation);
}

/** The exclusive operation that runs on a target, or was left half-done there and is not yet settled. */
export async function findExclusive(tx: Tx, targetId: string): Promise<Operation | undefined> {
  const row = await tx
    .as<OperationTables>()
    .selectFrom('operation')
    .selectAll()
    .where('target_id', '=', targetId)
    .where('state', '=', 'running')
    .where('exclusive', '=', 1)
    .limit(1)
    .executeTakeFirst();
  return row && toOperation(row);
}

/** Whose work it is. Every write names it, so that an operation somebody else took over is left alone. */
export type Owner = { readonly id: string; readonly instance: string; readonly epoch: number };

/**
 * Writes the sign of life with what is known of phase and progress.
 * @returns undefined when the operation is no longer ours
 */
export async function writeHeartbeat(
  tx: Tx,
  owner: Owner,
  facts: { phase: string; progress: Progress; nowMs: number },
): Promise<{ cancelRequestedMs: number | null } | undefined> {
  const row = await owned(tx, owner)
    .set({ phase: facts.phase, progress: JSON.stringify(facts.progress), heartbeat_ms: facts.nowMs })
    .returning('cancel_requested_ms')
    .executeTakeFirst();
  return row && { cancelRequestedMs: nullableNumber(row.cancel_requested_ms) };
}

/** @returns false when the operation is no longer ours */
export async function writeEnd(
  tx: Tx,
  owner: Owner,
  end: { state: FinalState; result: unknown; error: OperationError | null; progress?: Progress; nowMs: number },
): Promise<boolean> {
  const { numUpdatedRows } = await owned(tx, owner)
    .set({
      state: end.state,
      result: end.result === undefined ? null : JSON.stringify(end.result),
      error: end.error && JSON.stringify(end.error),
      heartbeat_ms: end.nowMs,
      finished_ms: end.nowMs,
      ...(end.progress ? { progress: JSON.stringify(end.progress) } : {}),
    })
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

const owned = (tx: Tx, owner: Owner) =>
  tx
    .as<OperationTables>()
    .updateTable('operation')
    .where('id', '=', owner.id)
    .where('state', '=', 'running')
    .where('instance', '=', owner.instance)
    .where('epoch', '=', owner.epoch);

/** @returns false when it does not run or was asked to end before */
export async function writeCancelRequest(tx: Tx, id: string, nowMs: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .as<OperationTables>()
    .updateTable('operation')
    .set({ cancel_requested_ms: nowMs })
    .where('id', '=', id)
    .where('state', '=', 'running')
    .where('cancel_requested_ms', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

/** Running operations whose process is gone: of earlier lives of this instance, or of others that gave no sign of life. */
export async function selectHalfDone(
  db: Database,
  own: { instance: string; epoch: number },
  silentSinceMs: number,
): Promise<Operation[]> {
  const rows = await db
    .reader<OperationTables>()
    .selectFrom('operation')
    .selectAll()
    .where('state', '=', 'running')
    .where((eb) =>
      eb.or([
        eb.and([eb('instance', '=', own.instance), eb('epoch', '<=', own.epoch)]),
        eb.and([eb('instance', '!=', own.instance), eb('heartbeat_ms', '<', silentSinceMs)]),
      ]),
    )
    .orderBy('id')
    .execute();
  return rows.map(toOperation);
}

/** Makes a half-done operation ours. One conditional statement: of two that try, one succeeds. */
export async function claimHalfDone(
  tx: Tx,
  from: Operation,
  own: { instance: string; epoch: number },
  nowMs: number,
): Promise<boolean> {
  const { numUpdatedRows } = await owned(tx, from)
    .where('heartbeat_ms', '=', from.heartbeatMs)
    .set({ instance: own.instance, epoch: own.epoch, heartbeat_ms: nowMs })
    .executeTakeFirst();
  return numUpdatedRows === 1n;
}

export async function findByIdempotencyKey(
  tx: Tx,
  key: Pick<IdempotencyRow, 'subject' | 'route' | 'key'>,
  notBeforeMs: number,
): Promise<{ requestHash: string; operation: Operation } | undefined> {
  const db = tx.as<OperationTables>();
  const known = await db
    .selectFrom('idempotency_key')
    .selectAll()
    .where('subject', '=', key.subject)
    .where('route', '=', key.route)
    .where('key', '=', key.key)
    .where('created_ms', '>', notBeforeMs)
    .executeTakeFirst();
  const operation = known && (await findOperation(db, known.operation_id));
  return operation && { requestHash: known.request_hash, operation };
}

export async function insertIdempotencyKey(tx: Tx, row: IdempotencyRow): Promise<void> {
  await tx
    .as<OperationTables>()
    .insertInto('idempotency_key')
    .values(row)
    .onConflict((conflict) => conflict.columns(['subject', 'route', 'key']).doUpdateSet(row))
    .execute();
}

/** @returns how many operations were deleted, `limit` at most */
export async function deleteFinishedBefore(tx: Tx, finishedBeforeMs: number, limit: number): Promise<number> {
  const { numDeletedRows } = await tx
    .as<OperationTables>()
    .deleteFrom('operation')
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('operation')
        .select('id')
        .where('state', '!=', 'running')
        .where('finished_ms', '<', finishedBeforeMs)
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export async function countOperations(db: Database): Promise<{ ended: number; keys: number }> {
  const ended = await db
    .reader<OperationTables>()
    .selectFrom('operation')
    .select((eb) => eb.fn.countAll<number>().as('rows'))
    .where('state', '!=', 'running')
    .executeTakeFirstOrThrow();
  const keys = await db
    .reader<OperationTables>()
    .selectFrom('idempotency_key')
    .select((eb) => eb.fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  return { ended: Number(ended.rows), keys: Number(keys.rows) };
}

/** When one of each kind last ended in each way. */
export async function selectLastEnds(db: Database): Promise<{ kind: string; state: OperationState; atMs: number }[]> {
  const rows = await db
    .reader<OperationTables>()
    .selectFrom('operation')
    .select((eb) => ['kind', 'state', eb.fn.max('finished_ms').as('at')])
    .where('state', '!=', 'running')
    .groupBy(['kind', 'state'])
    .execute();
  // State is written by this file alone.
  return rows.map(({ kind, state, at }) => ({ kind, state: state as OperationState, atMs: Number(at ?? 0) }));
}

/** Those that ended first. @returns how many were deleted */
export async function deleteOldestFinished(tx: Tx, limit: number): Promise<number> {
  const { numDeletedRows } = await tx
    .as<OperationTables>()
    .deleteFrom('operation')
    .where('id', 'in', (eb) =>
      eb
        .selectFrom('operation')
        .select('id')
        .where('state', '!=', 'running')
        .orderBy('finished_ms')
        .orderBy('id')
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** Keys have no number of their own, so all of one instant go together: the oldest that make up `limit` or a few more. */
export async function deleteOldestKeys(tx: Tx, limit: number): Promise<number> {
  const db = tx.as<OperationTables>();
  const last = await db
    .selectFrom('idempotency_key')
    .select('created_ms')
    .orderBy('created_ms')
    .offset(Math.max(0, limit - 1))
    .limit(1)
    .executeTakeFirst();
  if (!last) return 0;
  const { numDeletedRows } = await db
    .deleteFrom('idempotency_key')
    .where('created_ms', '<=', last.created_ms)
    .executeTakeFirst();
  return Number(numDeletedRows);
}

export async function deleteIdempotencyKeysBefore(tx: Tx, createdBeforeMs: number): Promise<void> {
  await tx.as<OperationTables>().deleteFrom('idempotency_key').where('created_ms', '<', createdBeforeMs).execute();
}

const nullableNumber = (value: number | null): number | null => (value === null ? null : Number(value));
const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

const toOperation = (row: OperationRow): Operation => ({
  id: row.id,
  kind: row.kind,
  targetId: row.target_id,
  // State, progress and error are written by this file alone.
  state: row.state as OperationState,
  phase: row.phase,
  progress: { ...emptyProgress, ...(parsed(row.progress) as Partial<Progress>) },
  input: parsed(row.input),
  result: parsed(row.result),
  error: parsed(row.error) as OperationError | null,
  requestedBy: row.requested_by,
  instance: row.instance,
  epoch: Number(row.epoch),
  heartbeatMs: Number(row.heartbeat_ms),
  cancelRequestedMs: nullableNumber(row.cancel_requested_ms),
  createdMs: Number(row.created_ms),
  finishedMs: nullableNumber(row.finished_ms),
  exclusive: row.exclusive === 1,
});
