import type { Kysely } from 'kysely';
import type { Database, Tx } from '../../platform/database/index.ts';

/** A point that another ragwarden sent: kept as it came, under its sender. */
export type Received = {
  readonly sender: string;
  readonly graphId: string;
  readonly pointId: string;
  /** SHA-256 of its bytes, compared before this was written. */
  readonly dataHash: string;
  readonly treeId: string | null;
  readonly takenMs: number | null;
  readonly bytes: number;
  /** Name in the folder of what was received. */
  readonly file: string;
  readonly receivedMs: number;
  /** In whose folder it lies; null: not written down then. */
  readonly instance: string | null;
};

type Row = {
  sender: string;
  graph_id: string;
  point_id: string;
  data_hash: string;
  tree_id: string | null;
  taken_ms: number | null;
  bytes: number;
  file: string;
  received_ms: number;
  instance: string | null;
};
type Tables = { replication_received: Row };
export type ReceivedStore = ReturnType<typeof createReceivedStore>;

export function createReceivedStore(db: Database) {
  const read = (): Kysely<Tables> => db.reader<Tables>();
  return {
    async find(sender: string, graphId: string, pointId: string): Promise<Received | undefined> {
      const row = await read()
        .selectFrom('replication_received')
        .selectAll()
        .where('sender', '=', sender)
        .where('graph_id', '=', graphId)
        .where('point_id', '=', pointId)
        .executeTakeFirst();
      return row && fromRow(row);
    },
    /** Newest first; undefined: of all senders. */
    async list(sender: string | undefined, graphId?: string): Promise<Received[]> {
      let query = read().selectFrom('replication_received').selectAll();
      if (sender !== undefined) query = query.where('sender', '=', sender);
      if (graphId !== undefined) query = query.where('graph_id', '=', graphId);
      const rows = await query.orderBy('received_ms', 'desc').orderBy('point_id', 'desc').execute();
      return rows.map(fromRow);
    },
    /** @returns false: another instance was first, and nothing was written */
    async insert(tx: Tx, one: Received): Promise<boolean> {
      const { numInsertedOrUpdatedRows } = await tx
        .as<Tables>()
        .insertInto('replication_received')
        .values({
          ...{ sender: one.sender, graph_id: one.graphId, point_id: one.pointId, data_hash: one.dataHash },
          ...{ tree_id: one.treeId, taken_ms: one.takenMs, bytes: one.bytes, file: one.file },
          ...{ received_ms: one.receivedMs, instance: one.instance },
        })
        .onConflict((conflict) => conflict.columns(['sender', 'graph_id', 'point_id']).doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },
    /** Only what nobody else has. */
    async claim(tx: Tx, { sender, graphId, pointId }: Received, instance: string): Promise<void> {
      await tx
        .as<Tables>()
        .updateTable('replication_received')
        .set({ instance })
        .where('sender', '=', sender)
        .where('graph_id', '=', graphId)
        .where('point_id', '=', pointId)
        .where('instance', 'is', null)
        .execute();
    },
    async delete(tx: Tx, one: Pick<Received, 'sender' | 'graphId' | 'pointId'>): Promise<void> {
      await tx
        .as<Tables>()
        .deleteFrom('replication_received')
        .where('sender', '=', one.sender)
        .where('graph_id', '=', one.graphId)
        .where('point_id', '=', one.pointId)
        .execute();
    },
  };
}

const fromRow = (row: Row): Received => ({
  ...{ sender: row.sender, graphId: row.graph_id, pointId: row.point_id, dataHash: row.data_hash },
  treeId: row.tree_id,
  takenMs: row.taken_ms === null ? null : Number(row.taken_ms),
  bytes: Number(row.bytes),
  file: row.file,
  receivedMs: Number(row.received_ms),
  instance: row.instance,
});
