import type { OpenQuarantine, QuarantineEntry } from '../quarantine.ts';
import { tableName, takeRows } from '../rows-store.ts';
import type { CleanupDatabase, SqlSession } from './database-sessions-store.ts';

/** Rows of one table that no row of another answers, as a question to the database. */
export type LostRows = {
  readonly kind: string;
  readonly schema: string;
  readonly table: string;
  readonly removable: boolean;
  readonly reason: string;
  /** Asks for their `id`, a column of the table, and `bytes`. */
  readonly sql: string;
  /** Column that says when a row was written. */
  readonly writtenAt: string | null;
};

export type OrphanDatabase = CleanupDatabase & {
  /** What can be asked of the served workspace, within a transaction; `column` is its name there. */
  lostRows(session: SqlSession): Promise<{ readonly column: string; readonly questions: readonly LostRows[] }>;
};

export type Lost = {
  readonly count: number;
  readonly bytes: number;
  /** Of the workspace in this table, those that are lost and those that are not. */
  readonly all: number;
  /** Over their ids, in order: two searches that say the same found the same. */
  readonly digest: string;
  readonly newestMs: number | null;
};

/** One question over millions of rows may take its time; one that takes longer is in the way. */
const statementLimitMs = 120_000;
const idsAtOnce = 500;

/** As of one moment. What `run` changed stays when it returns, and nothing of it when it throws. */
export async function inOneTransaction<Answer>(
  session: SqlSession,
  mode: 'read only' | 'read write',
  run: () => Promise<Answer>,
): Promise<Answer> {
  await session.rows(`begin transaction isolation level repeatable read ${mode}`);
  try {
    await session.rows(`set local statement_timeout = ${statementLimitMs}`);
    await session.rows(`set local lock_timeout = 5000`);
    const answer = await run();
    await session.rows('commit');
    return answer;
  } catch (err) {
    // A connection that broke rolls back by itself; the first error is the one to tell.
    await session.rows('rollback').catch(() => undefined);
    throw err;
  }
}

export async function countLost(session: SqlSession, column: string, lost: LostRows): Promise<Lost> {
  const table = tableName(lost.schema, lost.table);
  const written = lost.writtenAt === null ? 'null' : `t."${lost.writtenAt}"`;
  const [row] = await session.rows<{
    n: string;
    bytes: string;
    digest: string;
    newest_ms: number | null;
    whole: string;
  }>(
    `with lost as materialized (${lost.sql})
     select count(*) as n, coalesce(sum(bytes), 0) as bytes,
       coalesce(md5(string_agg(id::text, chr(10) order by id::text collate "C")), '') as digest,
       (select (extract(epoch from max(${written})) * 1000)::float8 from ${table} t where t.workspace = $1
          and t.id in (select id from lost)) as newest_ms,
       (select count(*) from ${table} t where t.workspace = $1) as whole
     from lost`,
    [column],
  );
  return {
    ...{ count: Number(row?.n ?? 0), bytes: Number(row?.bytes ?? 0), all: Number(row?.whole ?? 0) },
    ...{ digest: row?.digest ?? '', newestMs: row?.newest_ms ?? null },
  };
}

/** Ids of rows that are lost now, bounded by what one plan holds of them. */
export const lostIds = async (session: SqlSession, lost: LostRows): Promise<string[]> =>
  (await session.rows<{ id: string }>(`select id::text as id from (${lost.sql}) lost order by 1`)).map(({ id }) => id);

/** Which of these rows are there. */
export async function countRows(
  session: SqlSession,
  of: Pick<LostRows, 'schema' | 'table'>,
  column: string,
  ids: readonly string[],
): Promise<number> {
  const [row] = await session.rows<{ n: string }>(
    `select count(*) as n from ${tableName(of.schema, of.table)} t where t.workspace = $1 and t.id::text = any($2::text[])`,
    [column, ids],
  );
  return Number(row?.n ?? 0);
}

/** Sessions of others under the name of the backend: a process that is connected may write. */
export async function countSessions(session: SqlSession): Promise<number> {
  const [row] = await session.rows<{ n: string }>(
    `select count(*) as n from pg_stat_activity where datname = current_database() and usename = current_user
       and pid <> pg_backend_pid() and backend_type = 'client backend' and coalesce(application_name, '') not like 'ragwarden%'`,
  );
  return Number(row?.n ?? 0);
}

/** Copies them and deletes them, within the transaction that is open. @returns what is to be settled once it is committed */
export async function takeLost(options: {
  session: SqlSession;
  lost: LostRows;
  column: string;
  ids: readonly string[];
  targetId: string;
  quarantine: OpenQuarantine;
  signal: AbortSignal;
  nextFile(): number;
}): Promise<{ rows: number; bytes: number; entries: readonly QuarantineEntry[] }> {
  const { lost, ids, column, quarantine, signal } = options;
  const entries: QuarantineEntry[] = [];
  let rows = 0;
  let bytes = 0;
  for (let at = 0; at < ids.length; at += idsAtOnce) {
    signal.throwIfAborted();
    const taken = await takeRows({
      ...options,
      ...{ schema: lost.schema, table: lost.table, idColumn: 'id', what: `${lost.table} (${lost.kind})` },
      where: 'workspace = $1 and id::text = any($2::text[])',
      parameters: [column, ids.slice(at, at + idsAtOnce)],
      quarantine: {
        ...quarantine,
        async settle(gone) {
          entries.push(...gone);
        },
      },
    });
    rows += taken.rows;
    bytes += taken.bytes;
  }
  return { rows, bytes, entries };
}
