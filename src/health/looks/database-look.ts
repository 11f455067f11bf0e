import { statfs } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import type { CheckResult } from '../health-check.ts';
import { answerOne, queryTable, readServerFacts, readTables, type TableFacts } from './database-look-store.ts';
import type { DatabaseSession, OpenDatabase } from './database-session.ts';
import { networkReason, rootOf } from './failure.ts';
import { type DatabaseRules, type DatabaseSeen, judgeDatabase } from './judge-database.ts';

/**
 * Looks into a PostgreSQL over one connection that lives no longer than the look: a server that is out of connections gets the one of
 * ours back at once.
 */
export async function lookAtDatabase(options: {
  readonly open: OpenDatabase;
  /** Whose rows the backend asks for. */
  readonly workspace: string;
  /** The server runs on this machine, so that its disk can be seen. */
  readonly isHere: boolean;
  readonly rules: DatabaseRules;
  readonly clock: Clock;
}): Promise<Omit<CheckResult, 'atMs'>> {
  const { clock } = options;
  let session: DatabaseSession | undefined;
  try {
    const openedMs = clock.monotonic();
    session = await options.open();
    await answerOne(session);
    const connectSeconds = (clock.monotonic() - openedMs) / 1_000;
    const server = await readServerFacts(session);
    const tables = await readTables(session);
    const queriedMs = clock.monotonic();
    const table = askedTable(tables);
    if (table === undefined) await answerOne(session);
    else await queryTable(session, table, options.workspace);
    const querySeconds = (clock.monotonic() - queriedMs) / 1_000;
    const disk = options.isHere && server.dataDirectory !== null ? await diskOf(server.dataDirectory) : undefined;
    return judgeDatabase({ server, tables, connectSeconds, querySeconds, disk }, options.rules);
  } catch (err) {
    return {
      status: 'unhealthy',
      message: whyNot(err, session === undefined),
      checks: { connection: { status: session === undefined ? 'unhealthy' : 'healthy', response_time: null } },
    };
  } finally {
    session?.drop();
  }
}

const asked = ['lightrag_doc_status', 'lightrag_doc_full', 'lightrag_doc_chunks'];
const askedTable = (tables: readonly TableFacts[]): TableFacts | undefined =>
  asked.map((name) => tables.find((table) => table.name === name)).find((table) => table !== undefined);

async function diskOf(folder: string): Promise<DatabaseSeen['disk']> {
  try {
    const { bavail, bfree, blocks, bsize } = await statfs(folder);
    const used = blocks - bfree;
    return { freeBytes: bavail * bsize, usedPercent: used + bavail === 0 ? 100 : (100 * used) / (used + bavail) };
  } catch {
    // Another user's folder, or one of another machine behind a forwarded port.
    return undefined;
  }
}

/** By SQLSTATE. */
const refusals: Readonly<Record<string, string>> = {
  '53300': 'It is out of connections: all that it takes are in use.',
  '57P03': 'It is starting up or recovering, and lets nobody in yet.',
  '57P01': 'It was shut down while it was asked.',
  '28P01': 'It refuses the password: check POSTGRES_USER and POSTGRES_PASSWORD.',
  '28000': 'It refuses the role: check POSTGRES_USER and pg_hba.conf.',
  '3D000': 'The database is not there: check POSTGRES_DATABASE.',
  '42501': 'The role may not read what the backend keeps there.',
  '53100': 'Its disk is full.',
  '53200': 'It is out of memory.',
  '57014': 'It accepts connections, and a query for one row is not answered in time.',
};

/** Never with the user or the password in it. */
function whyNot(err: unknown, connecting: boolean): string {
  const root = rootOf(err);
  const code = typeof root === 'object' && root !== null && 'code' in root ? String(root.code) : '';
  const known = refusals[code];
  if (known !== undefined) return known;
  const reason = networkReason(err);
  if (reason === 'it does not answer')
    return connecting
      ? 'It takes the connection, if at all, and says nothing.'
      : 'It accepted the connection and does not answer any more.';
  if (reason !== undefined) return `It cannot be reached: ${reason}.`;
  return connecting ? `It does not let us in: ${describeError(root)}` : `A query failed: ${describeError(root)}`;
}
