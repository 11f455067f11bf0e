import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { stateMigrations } from '../src/migrations/index.ts';
import { createTestDatabase } from '../src/migrations/test-databases.ts';
import { openTestState, type TestState } from '../src/migrations/test-state.ts';
import { type Database, migrate, openPostgres } from '../src/platform/database/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { writeDefinition } from '../src/quotas/definition-store.ts';
import { auditHeld, type LedgerTables, reapLeases } from '../src/quotas/ledger-store.ts';
import { quota } from '../src/quotas/test-quotas.ts';
import { hasPart } from './setup/parts.ts';

/** How many processes, and for how long; the measurement in bench/ takes sixteen and ten seconds. */
const processes = 4;
const kills = 4;
const limit = 1_500;
const fixture = join(import.meta.dirname, '../src/quotas/hammer.fixture.ts');
const day = quota({ id: 'hammered', counts: 'tokens', limit, period: 'month' });

const children: ChildProcess[] = [];
afterEach(() => {
  // Whoever is left of a test that failed would go on for ever.
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Many processes use one hard quota, and some of them are killed in the midst of it and begin anew. */
async function hammer(place: string, db: Database): Promise<void> {
  await db.unit((tx) => writeDefinition(tx, day));
  let granted = 0;
  let started = 0;
  const begin = (): ChildProcess => {
    started += 1;
    const child = spawn(process.execPath, [fixture, place, `hammer${started}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    child.stdout?.on('data', (dots: Buffer) => {
      granted += dots.length;
    });
    return child;
  };
  const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;
  const over = async (child: ChildProcess): Promise<void> => {
    if (!ended(child)) await once(child, 'close');
  };
  const running = Array.from({ length: processes }, begin);
  const standing = async (): Promise<number> => {
    const rows = await db.reader<LedgerTables>().selectFrom('quota_usage').selectAll().execute();
    return rows.reduce((sum, row) => sum + Number(row.used) + Number(row.held) + Number(row.forfeited), 0);
  };
  for (let kill = 0; kill < kills; kill += 1) {
    // In the midst of it: something was granted since the last one.
    const before = granted;
    // Or there is nothing left: what those that were killed held is nobody's until their leases end.
    await expect.poll(async () => granted > before || (await standing()) >= limit, { timeout: 60_000 }).toBe(true);
    const victim = running.shift();
    if (victim) {
      expect(ended(victim)).toBe(false);
      const gone = over(victim);
      victim.kill('SIGKILL');
      await gone;
    }
    running.push(begin());
  }
  await expect.poll(standing, { timeout: 60_000 }).toBe(limit);
  // Whoever ended by itself met an error, which it has printed.
  expect(running.filter(ended).map((child) => child.exitCode ?? child.signalCode)).toEqual([]);
  const gone = running.map(over);
  for (const child of running) child.kill('SIGTERM');
  await Promise.all(gone);
  await db.unit((tx) => reapLeases(tx, { expiredMs: Number.MAX_SAFE_INTEGER }));
  const rows = await db.reader<LedgerTables>().selectFrom('quota_usage').selectAll().execute();
  const total = rows.reduce((sum, row) => sum + Number(row.used) + Number(row.held) + Number(row.forfeited), 0);
  expect(total).toBeLessThanOrEqual(limit);
  // Never too little: each use that was granted stands in the ledger, as used or among what died with a process.
  expect(granted).toBeLessThanOrEqual(total);
  expect(granted).toBeGreaterThan(0);
  expect(rows.map((row) => Number(row.held))).toEqual([0]);
  expect(await auditHeld(db.reader<LedgerTables>(), new Map())).toEqual([]);
}

describe('processes that hammer one hard quota and are killed at random', () => {
  test('never get more than the limit together, and leave a ledger that adds up: SQLite', async () => {
    const state: TestState = await openTestState({ on: 'sqlite', durable: true });
    await hammer(state.path, state.db);
    await state.remove();
  }, 120_000);

  test.skipIf(!hasPart('postgresql'))(
    'the same on PostgreSQL',
    async () => {
      const database = await createTestDatabase();
      const db = await openPostgres({
        ...{ name: 'state', url: database.url, steps: stateMigrations, instance: 'judge', log: silentLogger },
      });
      await migrate(db, stateMigrations);
      await hammer(database.url, db);
      await db.close();
      await database.remove();
    },
    120_000,
  );
});
