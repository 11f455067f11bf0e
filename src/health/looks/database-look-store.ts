import type { DatabaseSession } from './database-session.ts';

/** What a PostgreSQL says of itself; null where the role may not see it. Sizes in bytes, times in seconds. */
export type ServerFacts = {
  readonly version: string;
  readonly replica: boolean;
  readonly readOnly: boolean;
  readonly bytes: number;
  readonly connections: {
    readonly total: number;
    /** Undefined where the states of others are hidden. */
    readonly active: number | null;
    readonly idle: number | null;
    readonly idleInTransaction: number | null;
    /** What a role without privileges gets at most, by the server, the database and the role. */
    readonly limit: number;
  };
  readonly longestTransactionSeconds: number | null;
  readonly waitingForLocks: number | null;
  /** Transactions since the oldest row was frozen; at two thousand million the server refuses writes. */
  readonly transactionAge: number;
  readonly dataDirectory: string | null;
  readonly standbys: number | null;
  readonly standbyLagBytes: number | null;
  readonly replayDelaySeconds: number | null;
  readonly idleSlots: number;
  readonly retainedBytes: number | null;
  readonly extensions: Readonly<Record<string, string>>;
};

export type TableFacts = {
  readonly schema: string;
  readonly name: string;
  readonly bytes: number;
  readonly liveRows: number;
  readonly deadRows: number;
  readonly brokenIndexes: number;
  /** Of the vectors in it, where the column says so. */
  readonly dimension: number | null;
};

export async function answerOne(session: DatabaseSession): Promise<void> {
  await session.rows('select 1');
}

/** One query for all of it: a look costs few round trips. */
export async function readServerFacts(session: DatabaseSession): Promise<ServerFacts> {
  const [row] = await session.rows<Record<string, unknown>>(`
    with others as (
      select * from pg_stat_activity where backend_type = 'client backend'
    ), slots as (
      select count(*) filter (where not active)::int as idle,
             max(case when pg_is_in_recovery() or active then null
                      else pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) end)::float8 as retained
        from pg_replication_slots
    ), standbys as (
      select count(*)::int as number,
             max(case when pg_is_in_recovery() then null
                      else pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) end)::float8 as lag
        from pg_stat_replication
    ), mine as (
      select d.oid, d.datconnlimit, d.datfrozenxid from pg_database d where d.datname = current_database()
    )
    select current_setting('server_version') as version, pg_is_in_recovery() as replica,
           current_setting('transaction_read_only') = 'on' as "readOnly",
           pg_database_size(mine.oid)::float8 as bytes,
           (select count(*)::int from others) as total,
           (select count(*)::int from others where state = 'active') as active,
           (select count(*)::int from others where state = 'idle') as idle,
           (select count(*)::int from others where state like 'idle in transaction%') as "idleInTransaction",
           (select count(*)::int from others where state is null) as hidden,
           (select count(*)::int from others where wait_event_type = 'Lock' and datname = current_database()) as waiting,
           (select max(extract(epoch from clock_timestamp() - xact_start))::float8 from others
             where datname = current_database() and pid <> pg_backend_pid()) as longest,
           current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as "serverLimit",
           mine.datconnlimit as "databaseLimit",
           (select rolconnlimit from pg_roles where rolname = current_user) as "roleLimit",
           age(mine.datfrozenxid)::float8 as "transactionAge",
           (select setting from pg_settings where name = 'data_directory') as "dataDirectory",
           standbys.number as standbys, standbys.lag as "standbyLag",
           case when not pg_is_in_recovery() then null
                when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
                else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::float8 as "replayDelay",
           slots.idle as "idleSlots", slots.retained as retained,
           (select coalesce(json_object_agg(extname, extversion), '{}') from pg_extension
             where extname in ('vector', 'age')) as extensions
      from mine, slots, standbys`);
  const of = row ?? {};
  const number = (name: string): number | null => (typeof of[name] === 'number' ? of[name] : null);
  // Privileges hide the states of other roles, and a count of what is seen would pass for all.
  const seen = (name: string): number | null => (number('hidden') === 0 ? number(name) : null);
  const limits = [number('serverLimit'), number('databaseLimit'), number('roleLimit')];
  return {
    version: String(of.version).split(' ')[0] ?? 'unknown',
    replica: of.replica === true,
    readOnly: of.readOnly === true,
    bytes: number('bytes') ?? 0,
    connections: {
      total: number('total') ?? 0,
      ...{ active: seen('active'), idle: seen('idle'), idleInTransaction: seen('idleInTransaction') },
      // -1 is no limit of its own.
      limit: Math.min(...limits.filter((limit) => limit !== null && limit >= 0).map(Number)),
    },
    ...{ longestTransactionSeconds: number('longest'), waitingForLocks: seen('waiting') },
    transactionAge: number('transactionAge') ?? 0,
    dataDirectory: typeof of.dataDirectory === 'string' ? of.dataDirectory : null,
    ...{ standbys: number('standbys'), standbyLagBytes: number('standbyLag') },
    replayDelaySeconds: number('replayDelay'),
    ...{ idleSlots: number('idleSlots') ?? 0, retainedBytes: number('retained') },
    // The server made it of its own catalogue: names and versions.
    extensions: (of.extensions ?? {}) as Readonly<Record<string, string>>,
  };
}

/** LightRAG's tables, as far as they are there. */
export async function readTables(session: DatabaseSession): Promise<readonly TableFacts[]> {
  return session.rows<TableFacts>(`
    select n.nspname as schema, c.relname as name, pg_total_relation_size(c.oid)::float8 as bytes,
           coalesce(s.n_live_tup, 0)::float8 as "liveRows", coalesce(s.n_dead_tup, 0)::float8 as "deadRows",
           (select count(*)::int from pg_index i where i.indrelid = c.oid and not (i.indisvalid and i.indisready)) as "brokenIndexes",
           (select nullif(a.atttypmod, -1) from pg_attribute a join pg_type t on t.oid = a.atttypid
             where a.attrelid = c.oid and a.attname = 'content_vector' and t.typname in ('vector', 'halfvec')) as dimension
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      left join pg_stat_user_tables s on s.relid = c.oid
     where c.relkind in ('r', 'p') and c.relname like 'lightrag\\_%' and n.nspname !~ '^(pg_|ragwarden_)'
     order by 1, 2`);
}

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** What the backend itself asks all the time: a row of a workspace by the key. */
export async function queryTable(session: DatabaseSession, table: TableFacts, workspace: string): Promise<void> {
  await session.rows(
    `select id from ${identifier(table.schema)}.${identifier(table.name)} where workspace = $1 order by id limit 1`,
    [workspace],
  );
}
