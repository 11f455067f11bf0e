import { z } from 'zod';
import { type Database, olderThan, type Tx } from '../../platform/database/index.ts';
import type { PagePlace } from '../../platform/paging.ts';
import {
  type Checkpoint,
  type CheckpointCause,
  type CheckpointGraph,
  checkpointCauses,
  checkpointGraph,
  checkpointValidation,
} from './checkpoint.ts';

type CheckpointTable = {
  id: string;
  cause: string;
  description: string;
  graphs: string;
  metadata: string;
  validated: number;
  validated_ms: number | null;
  validation: string | null;
  created_by: string;
  created_ms: number;
};
type Tables = {
  recovery_checkpoint: CheckpointTable;
  recovery_setting: { key: string; value: string };
};

export type CheckpointStore = {
  insert(tx: Tx, checkpoint: Checkpoint): Promise<void>;
  /** Nothing but what a validation found: of what it was begun with the pins may be others by now. */
  writeValidation(tx: Tx, checkpoint: Checkpoint): Promise<void>;
  /** Somebody pinned the point himself: its pin outlasts the checkpoints that name it now. */
  keepPin(tx: Tx, pointId: string): Promise<void>;
  /** Its points are pinned. */
  endPinning(tx: Tx, id: string): Promise<void>;
  remove(tx: Tx, id: string): Promise<void>;
  find(id: string): Promise<Checkpoint | undefined>;
  /** Newest first. */
  list(filter: {
    cause?: CheckpointCause | undefined;
    before?: PagePlace | undefined;
    limit: number;
  }): Promise<Checkpoint[]>;
  count(): Promise<{ total: number; validated: number; byCause: Readonly<Record<CheckpointCause, number>> }>;
  /** When one of the target was last made by itself, whether or not it is still there. */
  lastMadeMs(targetId: string): Promise<number | undefined>;
  /** What was noticed of the clock before is over. */
  writeLastMade(tx: Tx, targetId: string, atMs: number): Promise<void>;
  /** When it was noticed that the clock had been set back since. */
  noticedMs(targetId: string): Promise<number | undefined>;
  writeNoticed(tx: Tx, targetId: string, atMs: number): Promise<void>;
};

const lastMadeKey = (targetId: string): string => `checkpoint-made:${targetId}`;
const noticedKey = (targetId: string): string => `checkpoint-clock:${targetId}`;

export function createCheckpointStore(db: Database): CheckpointStore {
  const read = () => db.reader<Tables>();
  const instantOf = async (key: string): Promise<number | undefined> => {
    const row = await read().selectFrom('recovery_setting').select('value').where('key', '=', key).executeTakeFirst();
    return row && Number(row.value);
  };
  const writeInstant = async (tx: Tx, key: string, atMs: number): Promise<void> => {
    const value = String(atMs);
    await tx
      .as<Tables>()
      .insertInto('recovery_setting')
      .values({ key, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
  };
  return {
    async insert(tx, checkpoint) {
      await tx.as<Tables>().insertInto('recovery_checkpoint').values(toRow(checkpoint)).execute();
    },
    async writeValidation(tx, checkpoint) {
      const { id, validated, validated_ms, validation } = toRow(checkpoint);
      const found = { validated, validated_ms, validation };
      await tx.as<Tables>().updateTable('recovery_checkpoint').set(found).where('id', '=', id).execute();
    },
    async keepPin(tx, pointId) {
      const rows = await tx
        .as<Tables>()
        .selectFrom('recovery_checkpoint')
        .select(['id', 'graphs'])
        .where('graphs', 'like', `%${pointId}%`)
        .execute();
      for (const row of rows)
        await changeGraphs(tx, row, (one) => (one.pointId === pointId ? { ...one, pinnedHere: false } : one));
    },
    async endPinning(tx, id) {
      const row = await tx
        .as<Tables>()
        .selectFrom('recovery_checkpoint')
        .select(['id', 'graphs'])
        .where('id', '=', id)
        .executeTakeFirst();
      if (row) await changeGraphs(tx, row, ({ pinning: _, ...one }) => one);
    },
    async remove(tx, id) {
      await tx.as<Tables>().deleteFrom('recovery_checkpoint').where('id', '=', id).execute();
    },
    async find(id) {
      const row = await read().selectFrom('recovery_checkpoint').selectAll().where('id', '=', id).executeTakeFirst();
      return row && fromRow(row);
    },
    async list({ cause, before, limit }) {
      let query = read().selectFrom('recovery_checkpoint').selectAll();
      if (cause) query = query.where('cause', '=', cause);
      if (before) query = query.where(olderThan('created_ms', before));
      const rows = await query.orderBy('created_ms', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(fromRow);
    },
    async count() {
      const rows = await read()
        .selectFrom('recovery_checkpoint')
        .select((eb) => ['cause', eb.fn.countAll<number>().as('total'), eb.fn.sum<number>('validated').as('validated')])
        .groupBy('cause')
        .execute();
      const byCause = { manual: 0, scheduled: 0 };
      for (const row of rows) byCause[causeOf(row.cause)] += Number(row.total);
      return {
        total: byCause.manual + byCause.scheduled,
        validated: rows.reduce((sum, row) => sum + Number(row.validated ?? 0), 0),
        byCause,
      };
    },
    lastMadeMs: (targetId) => instantOf(lastMadeKey(targetId)),
    async writeLastMade(tx, targetId, atMs) {
      await writeInstant(tx, lastMadeKey(targetId), atMs);
      await tx.as<Tables>().deleteFrom('recovery_setting').where('key', '=', noticedKey(targetId)).execute();
    },
    noticedMs: (targetId) => instantOf(noticedKey(targetId)),
    writeNoticed: (tx, targetId, atMs) => writeInstant(tx, noticedKey(targetId), atMs),
  };
}

/** Another word, of a newer version, reads as the one that is never given up by itself. */
const causeOf = (word: string): CheckpointCause => checkpointCauses.find((cause) => cause === word) ?? 'manual';

const toRow = (checkpoint: Checkpoint): CheckpointTable => ({
  id: checkpoint.id,
  cause: checkpoint.cause,
  description: checkpoint.description,
  graphs: JSON.stringify(checkpoint.graphs),
  metadata: JSON.stringify(checkpoint.metadata),
  validated: checkpoint.validated ? 1 : 0,
  validated_ms: checkpoint.validatedMs,
  validation: checkpoint.validation && JSON.stringify(checkpoint.validation),
  created_by: checkpoint.createdBy,
  created_ms: checkpoint.createdMs,
});

async function changeGraphs(
  tx: Tx,
  { id, graphs }: Pick<CheckpointTable, 'id' | 'graphs'>,
  change: (one: CheckpointGraph) => CheckpointGraph,
): Promise<void> {
  const changed = JSON.stringify(readGraphs(graphs).map(change));
  await tx.as<Tables>().updateTable('recovery_checkpoint').set({ graphs: changed }).where('id', '=', id).execute();
}

const readGraphs = (text: string): CheckpointGraph[] => z.array(checkpointGraph).parse(JSON.parse(text));

const fromRow = (row: CheckpointTable): Checkpoint => ({
  id: row.id,
  cause: causeOf(row.cause),
  description: row.description,
  graphs: readGraphs(row.graphs),
  metadata: z.record(z.string(), z.json()).parse(JSON.parse(row.metadata)),
  validated: Number(row.validated) === 1,
  validatedMs: row.validated_ms === null ? null : Number(row.validated_ms),
  validation: row.validation === null ? null : checkpointValidation.parse(JSON.parse(row.validation)),
  createdBy: row.created_by,
  createdMs: Number(row.created_ms),
});
