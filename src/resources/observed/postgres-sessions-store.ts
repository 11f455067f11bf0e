import type { Reading } from './measure.ts';
import type { ObservedSource } from './observer.ts';

/** A connection to the server that is looked at; made anew when it broke. */
export type QueriedServer = { rows(sql: string): Promise<readonly Record<string, unknown>[]>; close(): Promise<void> };

/** Applications beyond these are taken together by nobody: the ones with the most sessions are told. */
const mostApplications = 20;

/** In a transaction and silent for longer than this, a session is not between two statements of a program that works. Seconds. */
const silentSeconds = 60;

const question = `
  select coalesce(nullif(application_name, ''), usename, 'unnamed') as application, count(*) as sessions,
         count(*) filter (where state like 'idle in transaction%'
                            and state_change < now() - interval '${silentSeconds} seconds') as idle,
         extract(epoch from now() - pg_postmaster_start_time()) as up
    from pg_stat_activity
   where backend_type = 'client backend' and pid <> pg_backend_pid()
   group by 1 order by 2 desc limit ${mostApplications}`;

/**
 * Sessions of a PostgreSQL by application. An application without sessions is not seen, and its count goes on when it comes back.
 * @param silent seconds; for tests
 */
export function createPostgresSessionsSource(options: {
  name: string;
  connect(): Promise<QueriedServer>;
  silent?: number;
}): ObservedSource & { close(): Promise<void> } {
  const { name, connect, silent = silentSeconds } = options;
  let server: QueriedServer | undefined;
  return {
    name,
    async look() {
      server ??= await connect();
      try {
        const rows = await server.rows(question.replace(`'${silentSeconds} seconds'`, `'${silent} seconds'`));
        return rows.flatMap((row): Reading[] => {
          const subject = `${name}: ${String(row.application).slice(0, 100)}`;
          const upSeconds = Number(row.up);
          return [
            { subject, measure: 'database_sessions', value: Number(row.sessions), upSeconds },
            { subject, measure: 'idle_in_transaction', value: Number(row.idle), upSeconds },
          ];
        });
      } catch (err) {
        await server.close();
        server = undefined;
        throw err;
      }
    },
    async close() {
      await server?.close();
      server = undefined;
    },
  };
}
