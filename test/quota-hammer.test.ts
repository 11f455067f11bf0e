import { describe, expect, test } from 'vitest';
import { stateMigrations } from '../src/migrations/index.ts';
import { createTestDatabase } from '../src/migrations/test-databases.ts';
import { openTestState } from '../src/migrations/test-state.ts';
import { type Database, migrate, openPostgres } from '../src/platform/database/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { hammer } from '../src/quotas/test-hammer.ts';
import { hasPart } from './setup/parts.ts';

/** `npm run bench -- quota-hammer` takes sixteen processes, ten seconds, and victims by chance. */
const kills = 2;
const limit = 300;

async function judge(place: string, db: Database): Promise<void> {
  let before = 0;
  const seen = await hammer({
    ...{ place, db, processes: 3, limit },
    until: ({ standing, killed }) => killed >= kills && standing >= limit,
    mayKill({ granted, standing, killed }) {
      // In the midst of it: something was granted since the last one. Or there is nothing left for anybody.
      if (killed >= kills || (granted <= before && standing < limit)) return false;
      before = granted;
      return true;
    },
    // The oldest of them: the young ones may not have begun.
    victim: () => 0,
  });
  expect(seen.endedByThemselves).toEqual([]);
  expect(seen.faults).toEqual([]);
  expect(seen.total).toBeLessThanOrEqual(limit);
  // Never too little: each use that was granted stands in the ledger, as used or among what died with a process.
  expect(seen.granted).toBeLessThanOrEqual(seen.total);
  expect(seen.granted).toBeGreaterThan(0);
}

describe('processes that hammer one hard quota and are killed in the midst of it', () => {
  test('never get more than the limit together, and leave a ledger that adds up: SQLite', async () => {
    const state = await openTestState({ on: 'sqlite', durable: true });
    await judge(state.path, state.db);
    await state.remove();
  }, 180_000);

  test.skipIf(!hasPart('postgresql'))(
    'the same on PostgreSQL',
    async () => {
      const database = await createTestDatabase();
      const db = await openPostgres({
        ...{ name: 'state', url: database.url, steps: stateMigrations, instance: 'judge', log: silentLogger },
      });
      await migrate(db, stateMigrations);
      await judge(database.url, db);
      await db.close();
      await database.remove();
    },
    180_000,
  );
});
