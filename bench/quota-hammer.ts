import pg from 'pg';
import { stateMigrations } from '../src/migrations/index.ts';
import { openTestState } from '../src/migrations/test-state.ts';
import { migrate, openPostgres } from '../src/platform/database/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { type Hammered, hammer } from '../src/quotas/test-hammer.ts';
import { hasPart } from '../test/setup/parts.ts';
import { startPostgresCluster } from '../test/setup/postgres-cluster.ts';
import type { Bench } from './report.ts';

/** Not more is granted than this, and it is more than they come to: the limit is reached only by the smaller run. */
const limits = { plenty: 10_000_000, short: 20_000 };

/** Many processes on one hard quota, some of them killed by chance: a proof with numbers, not a race. */
export const quotaHammer: Bench = {
  name: 'quota-hammer',
  async run(size) {
    const [processes, forMs, everyMs] = size === 'full' ? [16, 10_000, 400] : [2, 500, 250];
    const run = (place: string, db: Parameters<typeof hammer>[0]['db'], limit: number): Promise<Hammered> => {
      let killedMs = 0;
      let firstMs: number | undefined;
      return hammer({
        ...{ place, db, processes, limit },
        // Starting so many takes a while by itself: the time begins with the first grant.
        until({ granted, ms }) {
          if (granted === 0) return false;
          firstMs ??= ms;
          return ms - firstMs >= forMs;
        },
        mayKill({ granted, ms }) {
          if (granted === 0 || ms - killedMs < everyMs * (0.5 + Math.random())) return false;
          killedMs = ms;
          return true;
        },
        victim: (of) => Math.floor(Math.random() * of),
      });
    };
    const found: [string, number, Hammered][] = [];
    for (const limit of size === 'full' ? [limits.plenty, limits.short] : [limits.short]) {
      const state = await openTestState({ on: 'sqlite', durable: true });
      found.push(['SQLite', limit, await run(state.path, state.db, limit)]);
      await state.remove();
    }
    if (size === 'full' && hasPart('postgresql')) {
      const cluster = await startPostgresCluster({ durable: true });
      for (const [name, limit] of Object.entries(limits)) {
        const client = new pg.Client({ connectionString: cluster.url('postgres') });
        await client.connect();
        await client.query(`create database ${name}`);
        await client.end();
        const url = cluster.url(name);
        const db = await openPostgres({
          ...{ name: 'state', url, steps: stateMigrations, instance: 'judge', log: silentLogger },
        });
        await migrate(db, stateMigrations);
        found.push(['PostgreSQL', limit, await run(url, db, limit)]);
        await db.close();
      }
      await cluster.remove();
    }
    // Why somebody ended is no number.
    for (const [, , one] of found) for (const words of one.endedByThemselves) console.error(words);
    const most = (of: (one: Hammered, limit: number) => number): number =>
      Math.max(...found.map(([, limit, one]) => of(one, limit)));
    return {
      row: 'Many processes on one hard quota, killed by chance',
      target:
        'Not more than the limit is granted, no use that was granted is missing in the ledger, what is held is covered, nothing is held for ever, nobody ends without being told to.',
      method: `${processes} processes of four lanes each, for ${forMs / 1_000} s from the first grant on; somebody is killed every ${everyMs} ms or so and begun anew. Uses are of one unit, each written to a pipe once it was granted.`,
      columns: ['ledger', 'limit', 'granted', 'in the ledger', 'of it with the dead', 'killed', 'grants a second'],
      lines: found.map(([name, limit, one]) => [
        ...[name, limit, one.granted, one.total, one.forfeited, one.killed],
        (one.granted / one.ms) * 1_000,
      ]),
      figures: [
        {
          what: 'beyond the limit',
          value: most((one, limit) => Math.max(0, one.total - limit)),
          limit: 0,
          unit: 'units',
        },
        {
          what: 'granted and not in the ledger',
          value: most((one) => Math.max(0, one.granted - one.total)),
          limit: 0,
          unit: 'units',
        },
        { what: 'faults of the ledger', value: most((one) => one.faults.length), limit: 0, unit: 'rows' },
        {
          what: 'ended by themselves',
          value: most((one) => one.endedByThemselves.length),
          limit: 0,
          unit: 'processes',
        },
      ],
    };
  },
};
