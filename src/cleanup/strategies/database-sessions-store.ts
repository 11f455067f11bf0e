import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import { type KeptItem, mostItems, notData, type PlanItem } from '../plan.ts';
import { type CleanupStrategy, notItsTurn, type Outcome } from '../strategy.ts';

/** One connection to the backend's PostgreSQL. */
export type SqlSession = {
  rows<Row extends Record<string, unknown>>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
};

/** The backend's PostgreSQL, as the settings name it. */
export type CleanupDatabase = {
  readonly targetId: string;
  /** Connects as the backend's own user. @throws AppError when it is not let in */
  open(signal: AbortSignal): Promise<SqlSession>;
};

const params = z.strictObject({
  /** How long nothing was asked in the open transaction. */
  idle_seconds: z.number().min(30).max(604_800).default(600),
  /** Names of applications, separated by commas. Without any: sessions that give none, as those of LightRAG. */
  applications: z.string().max(500).default(''),
});

type Row = {
  pid: number;
  application: string;
  superuser: boolean;
  own_user: boolean;
  idle_s: number;
  begun: string;
  changed: string;
};

const goneWithinMs = 5_000;
const pollMs = 25;

/**
 * Ends sessions of the backend that stand idle in a transaction: they hold locks, and keep VACUUM from every row that was deleted
 * since. Only sessions of the backend's own user in its own database, never a superuser's, never ours, never those of an
 * application that was not named.
 */
export function createDatabaseSessions(deps: {
  database(): CleanupDatabase | undefined;
  clock: Clock;
}): CleanupStrategy<z.infer<typeof params>> {
  const require = (): CleanupDatabase => {
    const found = deps.database();
    if (found) return found;
    throw new AppError('feature/disabled', noDatabase);
  };
  return {
    name: 'database-sessions',
    about: "Sessions of the backend's PostgreSQL that stand idle in a transaction.",
    undo: 'none',
    noUndo: 'A transaction that was ended cannot be brought back; the backend opens another session.',
    params,
    missing: () => (deps.database() ? undefined : noDatabase),
    async find({ idle_seconds, applications }, { signal }) {
      const database = deps.database();
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      if (!database) return { items, kept, complete: true };
      const session = await database.open(signal);
      try {
        const named = new Set(applications.split(',').map((one) => one.trim()));
        const rows = await session.rows<Row>(
          `select a.pid, coalesce(a.application_name, '') as application, r.rolsuper as superuser,
             a.usesysid = (select oid from pg_roles where rolname = current_user) as own_user,
             extract(epoch from now() - a.state_change)::float8 as idle_s,
             a.backend_start::text as begun, a.state_change::text as changed
           from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
           where a.datname = current_database() and a.pid <> pg_backend_pid()
             and a.state in ('idle in transaction', 'idle in transaction (aborted)')
           order by a.state_change limit ${mostItems}`,
        );
        for (const row of rows) {
          const what = `session ${row.pid}${row.application === '' ? '' : ` of ${row.application.slice(0, 64)}`}`;
          const stays = whyKept(row, named, idle_seconds);
          if (stays !== undefined) kept.push({ what, why: stays });
          else
            items.push({
              ...{ key: `${row.pid} ${row.begun}`, what, bytes: null, risk: 'medium', contained: notData },
              why: `idle in a transaction for ${Math.floor(row.idle_s)} s`,
              seen: { pid: row.pid, begun: row.begun, changed: row.changed },
            });
        }
      } finally {
        await session.close();
      }
      return { items, kept, complete: true };
    },
    async begin(_, { signal }) {
      const session = await require().open(signal);
      return {
        carryOut: async (items) => {
          const outcomes: Outcome[] = [];
          for (const { seen } of items) {
            if (signal.aborted) outcomes.push(notItsTurn);
            else outcomes.push(await endSession(session, seen, deps.clock));
          }
          return outcomes;
        },
        end: () => session.close(),
      };
    },
  };
}

const noDatabase =
  'No PostgreSQL of the backend is named. Set POSTGRES_HOST, or `target.postgres` in the settings file.';

function whyKept(row: Row, named: ReadonlySet<string>, idleSeconds: number): string | undefined {
  if (row.superuser) return 'it belongs to a superuser';
  if (row.application.startsWith('ragwarden')) return 'it is one of our own';
  if (!row.own_user) return 'it belongs to another user than that of the backend';
  if (!named.has(row.application)) return 'its application was not named';
  if (row.idle_s < idleSeconds) return `it is idle for ${Math.floor(row.idle_s)} s only`;
  return undefined;
}

/** The very session, in the very state, in which it was planned: one statement looks and ends. */
async function endSession(session: SqlSession, seen: PlanItem['seen'], clock: Clock): Promise<Outcome> {
  try {
    const ended = await session.rows<{ ended: boolean }>(
      `select pg_terminate_backend(a.pid) as ended from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
       where a.pid = $1 and a.backend_start = $2::timestamptz and a.state_change = $3::timestamptz
         and a.state like 'idle in transaction%' and not r.rolsuper and a.pid <> pg_backend_pid()`,
      [seen.pid, seen.begun, seen.changed],
    );
    if (ended.length === 0) return { done: false, why: 'it went on, or ended, since it was planned' };
    // The server ends it in its own time.
    for (const until = clock.monotonic() + goneWithinMs; clock.monotonic() < until; await clock.sleep(pollMs)) {
      const left = await session.rows(
        `select 1 from pg_stat_activity where pid = $1 and backend_start = $2::timestamptz`,
        [seen.pid, seen.begun],
      );
      if (left.length === 0) return { done: true, bytes: 0 };
    }
    return { failed: 'the server was told to end it and has not yet' };
  } catch (err) {
    return { failed: describeError(err) };
  }
}
