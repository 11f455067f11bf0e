import type { Reading } from './measure.ts';
import type { ObservedSource } from './observer.ts';

/** A connection to the server that is looked at. */
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
}): ObservedSource {
  const { name, connect, silent = silentSeconds } = options;
  return {
    name,
    async look() {
      // Opened for each look: who looks for idle sessions leaves none.
      const server = await connect();
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
      } finally {
        await server.close();
      }
    },
  };
}
