import type { Kysely } from 'kysely';
import { z } from 'zod';
import { type Database, olderThan, type Tx } from '../platform/database/index.ts';
import type { PagePlace } from '../platform/paging.ts';
import {
  type Copy,
  freshState,
  type LogEntry,
  type LogStatus,
  type LogType,
  logStatuses,
  logTypes,
  type Replica,
  type ReplicaState,
  replicaKinds,
  replicaState,
} from './replica.ts';

type Tables = {
  replication_target: { id: string; body: string; sealed: string | null; created_by: string; created_ms: number };
  replication_state: { replica_id: string; body: string };
  replication_copy: {
    replica_id: string;
    point_id: string;
    target_id: string;
    tree_id: string;
    taken_ms: number;
    copied_ms: number;
  };
  replication_log: {
    id: string;
    operation_id: string | null;
    replica_id: string;
    target_id: string | null;
    point_id: string | null;
    operation_type: string;
    status: string;
    started_ms: number;
    completed_ms: number | null;
    bytes: number | null;
    data_hash: string | null;
    error: string | null;
    metadata: string | null;
  };
};

/** One that was registered over the API; `sealed` holds its secrets as JSON. */
export type StoredReplica = { readonly replica: Replica; readonly sealed: string | null };

export type LogFilter = {
  readonly replicaId?: string | undefined;
  readonly targetId?: string | undefined;
  readonly pointId?: string | undefined;
  readonly type?: LogType | undefined;
  readonly status?: LogStatus | undefined;
  readonly before?: PagePlace | undefined;
  readonly limit: number;
};

export type ReplicationStore = ReturnType<typeof createReplicationStore>;

const storedBody = z.object({
  name: z.string(),
  kind: z.enum(replicaKinds),
  place: z.string(),
  zone: z.string().nullable(),
  offline: z.boolean(),
  enabled: z.boolean(),
  limitKiB: z.number().nullable(),
  maxConcurrent: z.number().nullable().default(null),
  metadata: z.record(z.string(), z.json()).default({}),
});

export function createReplicationStore(db: Database) {
  const read = (): Kysely<Tables> => db.reader<Tables>();
  return {
    async replicas(): Promise<StoredReplica[]> {
      const rows = await read().selectFrom('replication_target').selectAll().orderBy('id').execute();
      return rows.map((row) => ({
        replica: {
          ...storedBody.parse(JSON.parse(row.body)),
          ...{ id: row.id, passwordFile: null, caFile: null, origin: 'api', createdMs: Number(row.created_ms) },
        },
        sealed: row.sealed,
      }));
    },
    async writeReplica(tx: Tx, { replica, sealed }: StoredReplica, createdBy: string): Promise<void> {
      const { id, createdMs, origin: _, passwordFile: __, caFile: ___, ...body } = replica;
      const changing = { body: JSON.stringify(body), sealed };
      await tx
        .as<Tables>()
        .insertInto('replication_target')
        .values({ id, created_by: createdBy, created_ms: createdMs ?? 0, ...changing })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(changing))
        .execute();
    },
    /** What is known of it goes as well; the log stays. */
    async deleteReplica(tx: Tx, id: string): Promise<void> {
      const tables = tx.as<Tables>();
      await tables.deleteFrom('replication_target').where('id', '=', id).execute();
      await this.forgetSeen(tx, id);
    },
    async forgetSeen(tx: Tx, id: string): Promise<void> {
      const tables = tx.as<Tables>();
      await tables.deleteFrom('replication_state').where('replica_id', '=', id).execute();
      await tables.deleteFrom('replication_copy').where('replica_id', '=', id).execute();
    },
    async states(): Promise<ReadonlyMap<string, ReplicaState>> {
      const rows = await read().selectFrom('replication_state').selectAll().execute();
      return new Map(rows.map((row) => [row.replica_id, replicaState.parse(JSON.parse(row.body))]));
    },
    async changeState(tx: Tx, replicaId: string, change: Partial<ReplicaState>): Promise<void> {
      const tables = tx.as<Tables>();
      const row = await tables
        .selectFrom('replication_state')
        .select('body')
        .where('replica_id', '=', replicaId)
        .executeTakeFirst();
      const body = JSON.stringify({ ...(row ? replicaState.parse(JSON.parse(row.body)) : freshState), ...change });
      await tables
        .insertInto('replication_state')
        .values({ replica_id: replicaId, body })
        .onConflict((conflict) => conflict.column('replica_id').doUpdateSet({ body }))
        .execute();
    },
    async copies(filter: { replicaId?: string; targetId?: string; pointId?: string } = {}): Promise<Copy[]> {
      let query = read().selectFrom('replication_copy').selectAll();
      if (filter.replicaId !== undefined) query = query.where('replica_id', '=', filter.replicaId);
      if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId);
      if (filter.pointId !== undefined) query = query.where('point_id', '=', filter.pointId);
      const rows = await query.orderBy('taken_ms', 'desc').orderBy('replica_id').execute();
      return rows.map((row) => ({
        replicaId: row.replica_id,
        pointId: row.point_id,
        targetId: row.target_id,
        treeId: row.tree_id,
        takenMs: Number(row.taken_ms),
        copiedMs: Number(row.copied_ms),
      }));
    },
    async writeCopy(tx: Tx, copy: Copy): Promise<void> {
      const changing = { tree_id: copy.treeId, copied_ms: copy.copiedMs };
      await tx
        .as<Tables>()
        .insertInto('replication_copy')
        .values({
          ...{ replica_id: copy.replicaId, point_id: copy.pointId, target_id: copy.targetId, taken_ms: copy.takenMs },
          ...changing,
        })
        .onConflict((conflict) => conflict.columns(['replica_id', 'point_id']).doUpdateSet(changing))
        .execute();
    },
    async deleteCopies(tx: Tx, replicaId: string, pointIds: readonly string[]): Promise<void> {
      for (let from = 0; from < pointIds.length; from += 200)
        await tx
          .as<Tables>()
          .deleteFrom('replication_copy')
          .where('replica_id', '=', replicaId)
          .where('point_id', 'in', pointIds.slice(from, from + 200))
          .execute();
    },
    async writeLog(tx: Tx, entry: LogEntry): Promise<void> {
      const row = {
        operation_id: entry.operationId,
        replica_id: entry.replicaId,
        target_id: entry.targetId,
        point_id: entry.pointId,
        operation_type: entry.type,
        status: entry.status,
        started_ms: entry.startedMs,
        completed_ms: entry.completedMs,
        bytes: entry.bytes,
        data_hash: entry.dataHash,
        error: entry.error,
        metadata: entry.metadata === undefined ? null : JSON.stringify(entry.metadata),
      };
      await tx
        .as<Tables>()
        .insertInto('replication_log')
        .values({ id: entry.id, ...row })
        .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
        .execute();
    },
    /** What an operation that is over left open. */
    async closeLog(tx: Tx, operationId: string, error: string, nowMs: number): Promise<void> {
      await tx
        .as<Tables>()
        .updateTable('replication_log')
        .set({ status: 'failed', completed_ms: nowMs, error })
        .where('operation_id', '=', operationId)
        .where('status', 'in', ['pending', 'in_progress'])
        .execute();
    },
    async log(filter: LogFilter): Promise<LogEntry[]> {
      let query = read().selectFrom('replication_log').selectAll();
      if (filter.replicaId !== undefined) query = query.where('replica_id', '=', filter.replicaId);
      if (filter.targetId !== undefined) query = query.where('target_id', '=', filter.targetId);
      if (filter.pointId !== undefined) query = query.where('point_id', '=', filter.pointId);
      if (filter.type !== undefined) query = query.where('operation_type', '=', filter.type);
      if (filter.status !== undefined) query = query.where('status', '=', filter.status);
      const { before } = filter;
      if (before) query = query.where(olderThan('started_ms', before));
      const rows = await query.orderBy('started_ms', 'desc').orderBy('id', 'desc').limit(filter.limit).execute();
      return rows.map((row) => ({
        id: row.id,
        operationId: row.operation_id,
        replicaId: row.replica_id,
        targetId: row.target_id,
        pointId: row.point_id,
        type: logTypes.find((one) => one === row.operation_type) ?? 'sync',
        status: logStatuses.find((one) => one === row.status) ?? 'failed',
        startedMs: Number(row.started_ms),
        completedMs: row.completed_ms === null ? null : Number(row.completed_ms),
        bytes: row.bytes === null ? null : Number(row.bytes),
        dataHash: row.data_hash,
        error: row.error,
        // JSON that only this file writes.
        ...(row.metadata === null ? {} : { metadata: JSON.parse(row.metadata) }),
      }));
    },
    async countLog(): Promise<number> {
      const row = await read()
        .selectFrom('replication_log')
        .select((eb) => eb.fn.countAll<number>().as('entries'))
        .where('status', 'not in', ['pending', 'in_progress'])
        .executeTakeFirstOrThrow();
      return Number(row.entries);
    },
    async deleteOldestLog(tx: Tx, limit: number): Promise<number> {
      const { numDeletedRows } = await tx
        .as<Tables>()
        .deleteFrom('replication_log')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('replication_log')
            .select('id')
            .where('status', 'not in', ['pending', 'in_progress'])
            .orderBy('started_ms')
            .orderBy('id')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
