/** Run by a test as a process of its own, twice: migrates each file or database whose path or URL comes in as a line, and answers each. */
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLogger } from '../logging.ts';
import type { OpenDatabase } from './database.ts';
import { type MigrationList, migrate } from './migrate.ts';
import { openPostgres } from './postgres.ts';
import { openSqlite } from './sqlite.ts';

const step = (table: string) => ({
  up: async (db: Parameters<MigrationList[string]['up']>[0]) => {
    await turn();
    await db.schema.createTable(table).addColumn('id', 'integer').execute();
  },
});
export const racedSteps: MigrationList = { '0001_a': step('a'), '0002_b': step('b'), '0003_c': step('c') };

const open = async (place: string): Promise<OpenDatabase> =>
  place.startsWith('postgresql:')
    ? openPostgres({ name: 'raced', url: place, steps: racedSteps, instance: `${process.pid}`, log: silentLogger })
    : openSqlite({ name: 'raced', path: place, synchronous: 'FULL', log: silentLogger });

if (process.argv[1]?.endsWith('migrate.fixture.ts')) {
  process.stdout.write('ready\n');
  for await (const path of createInterface({ input: process.stdin })) {
    try {
      const db = await open(path);
      const applied = await migrate(db, racedSteps);
      await db.close();
      process.stdout.write(`${applied.length}\n`);
    } catch (err) {
      process.stdout.write(`failed: ${String(err)}\n`);
    }
  }
}
