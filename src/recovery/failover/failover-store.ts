import type { Kysely } from 'kysely';
import { type PlaceId, placeIds } from '../../config/index.ts';
import { type Database, olderThan, type Tx } from '../../platform/database/index.ts';
import type { PagePlace } from '../../platform/paging.ts';
import {
  type Failover,
  type FailoverPhase,
  failoverFacts,
  failoverKinds,
  failoverPhases,
  failoverStates,
} from './failover.ts';

type FailoverTable = {
  id: string;
  kind: string;
  target_id: string;
  from_place: string;
  to_place: string;
  state: string;
  phase: string;
  point_id: string | null;
  checkpoint_id: string | null;
  operation_id: string | null;
  outcome: string | null;
  forced: number;
  requested_by: string;
  created_ms: number;
  finished_ms: number | null;
  facts: string;
};
type Tables = {
  recovery_failover: FailoverTable;
  recovery_setting: { key: string; value: string };
};

export type FailoverStore = {
  insert(tx: Tx, failover: Failover): Promise<void>;
  update(tx: Tx, failover: Failover): Promise<void>;
  find(id: string): Promise<Failover | undefined>;
  /** The one that is not over; there is at most one of a target. */
  running(targetId?: string): Promise<Failover | undefined>;
  list(filter: { targetId?: string | undefined; before?: PagePlace | undefined; limit: number }): Promise<Failover[]>;
  count(): Promise<number>;
  /** The oldest that are over. @returns how many went */
  deleteOldest(tx: Tx, limit: number): Promise<number>;
  writeActivePlace(tx: Tx, targetId: string, place: PlaceId): Promise<void>;
};

const activeKey = (targetId: string): string => `active-place:${targetId}`;

/** Where a target lived last; `home` for one that never went elsewhere. */
export async function readActivePlace(db: Database, targetId: string): Promise<PlaceId> {
  const row = await db
    .reader<Tables>()
    .selectFrom('recovery_setting')
    .select('value')
    .where('key', '=', activeKey(targetId))
    .executeTakeFirst();
  return placeIds.find((id) => id === row?.value) ?? 'home';
}

export function createFailoverStore(db: Database): FailoverStore {
  const read = (): Kysely<Tables> => db.reader<Tables>();
  return {
    async insert(tx, failover) {
      await tx.as<Tables>().insertInto('recovery_failover').values(toRow(failover)).execute();
    },
    async update(tx, failover) {
      const { id, ...row } = toRow(failover);
      await tx.as<Tables>().updateTable('recovery_failover').set(row).where('id', '=', id).execute();
    },
    async find(id) {
      const row = await read().selectFrom('recovery_failover').selectAll().where('id', '=', id).executeTakeFirst();
      return row && fromRow(row);
    },
    async running(targetId) {
      let query = read().selectFrom('recovery_failover').selectAll().where('state', '=', 'running');
      if (targetId !== undefined) query = query.where('target_id', '=', targetId);
      const row = await query.orderBy('created_ms').limit(1).executeTakeFirst();
      return row && fromRow(row);
    },
    async list({ targetId, before, limit }) {
      let query = read().selectFrom('recovery_failover').selectAll();
      if (targetId !== undefined) query = query.where('target_id', '=', targetId);
      if (before) query = query.where(olderThan('created_ms', before));
      const rows = await query.orderBy('created_ms', 'desc').orderBy('id', 'desc').limit(limit).execute();
      return rows.map(fromRow);
    },
    async count() {
      const row = await read()
        .selectFrom('recovery_failover')
        .select((eb) => eb.fn.countAll<number>().as('failovers'))
        .where('state', '!=', 'running')
        .executeTakeFirstOrThrow();
      return Number(row.failovers);
    },
    async deleteOldest(tx, limit) {
      const { numDeletedRows } = await tx
        .as<Tables>()
        .deleteFrom('recovery_failover')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('recovery_failover as old')
            .select('old.id')
            .where('old.state', '!=', 'running')
            .orderBy('old.created_ms')
            .orderBy('old.id')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
    async writeActivePlace(tx, targetId, place) {
      await tx
        .as<Tables>()
        .insertInto('recovery_setting')
        .values({ key: activeKey(targetId), value: place })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: place }))
        .execute();
    },
  };
}

const toRow = (failover: Failover): FailoverTable => ({
  id: failover.id,
  kind: failover.kind,
  target_id: failover.targetId,
  from_place: failover.from,
  to_place: failover.to,
  state: failover.state,
  phase: failover.phase,
  point_id: failover.pointId,
  checkpoint_id: failover.checkpointId,
  operation_id: failover.operationId,
  outcome: failover.outcome,
  forced: failover.forced ? 1 : 0,
  requested_by: failover.requestedBy,
  created_ms: failover.createdMs,
  finished_ms: failover.finishedMs,
  facts: JSON.stringify(failover.facts),
});

const allPhases: readonly FailoverPhase[] = [...failoverPhases.failover, ...failoverPhases.reseed];

/** Words come from our own writing; another one, of a newer version, reads as the cautious one. */
const fromRow = (row: FailoverTable): Failover => ({
  id: row.id,
  kind: failoverKinds.find((kind) => kind === row.kind) ?? 'failover',
  targetId: row.target_id,
  from: placeIds.find((id) => id === row.from_place) ?? 'home',
  to: placeIds.find((id) => id === row.to_place) ?? 'standby',
  state: failoverStates.find((state) => state === row.state) ?? 'failed',
  phase: allPhases.find((phase) => phase === row.phase) ?? 'choosing',
  pointId: row.point_id,
  checkpointId: row.checkpoint_id,
  operationId: row.operation_id,
  outcome: row.outcome,
  forced: Number(row.forced) === 1,
  requestedBy: row.requested_by,
  createdMs: Number(row.created_ms),
  finishedMs: row.finished_ms === null ? null : Number(row.finished_ms),
  facts: failoverFacts.parse(JSON.parse(row.facts)),
});
