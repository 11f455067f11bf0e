import type { PostgresSession } from '../../postgres/connection.ts';

export type FixedMoment = {
  /** The name under which other connections see the same. Valid as long as the session's transaction is open. */
  readonly snapshot: string;
  /** ISO 8601 UTC, by the clock of the server. */
  readonly at: string;
  /** Null on a standby that has none to tell, or where reading it is not allowed. */
  readonly lsn: string | null;
  /** xmin:xmax:running, as `pg_current_snapshot()` writes it. */
  readonly transactions: string;
};

/** Opens the transaction that holds the moment. What the session reads from now on is of it. */
export async function fixMoment(session: PostgresSession): Promise<FixedMoment> {
  await session.run('begin transaction isolation level repeatable read read only');
  const [row] = await session.rows<{ snapshot: string; at: Date; lsn: string | null; transactions: string }>(
    `select pg_export_snapshot() as snapshot, clock_timestamp() as at, pg_current_snapshot()::text as transactions,
            (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as lsn`,
  );
  if (!row) throw new Error('the server exported no snapshot');
  return { snapshot: row.snapshot, at: row.at.toISOString(), lsn: row.lsn, transactions: row.transactions };
}

/** Whether the moment is still held: a session that broke meanwhile has let go of it. */
export async function stillHeld(session: PostgresSession, moment: FixedMoment): Promise<boolean> {
  const [row] = await session
    .rows<{ transactions: string }>('select pg_current_snapshot()::text as transactions')
    .catch(() => []);
  return row?.transactions === moment.transactions;
}

/** Roles that own something here or have a right in it. */
export async function readRoles(session: PostgresSession): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `select distinct r.rolname as name from pg_shdepend d join pg_roles r on r.oid = d.refobjid
      where d.refclassid = 'pg_authid'::regclass
        and (d.dbid = (select oid from pg_database where datname = current_database())
             or (d.classid = 'pg_database'::regclass and d.objid = (select oid from pg_database where datname = current_database())))
     union select pg_get_userbyid(datdba) from pg_database where datname = current_database()
     order by 1`,
  );
  return rows.map(({ name }) => name);
}
