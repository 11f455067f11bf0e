/** Run by a test as a process of its own, twice: migrates each file whose path comes in as a line, and answers each. */
import { createInterface } from 'node:readline';
import { setImmediate as turn } from 'node:timers/promises';
import { silentLogger } from '../logging.ts';
import { type MigrationList, migrate } from './migrate.ts';
import { openSqlite } from './sqlite.ts';

const step = (table: string) => ({
  up: async (db: Parameters<MigrationList[string]['up']>[0]) => {
    await turn();
    await db.schema.createTable(table).addColumn('id', 'integer').execute();
  },
});
export const racedSteps: MigrationList = { '0001_a': step('a'), '0002_b': step('b'), '0003_c': step('c') };

if (process.argv[1]?.endsWith('migrate.fixture.ts')) {
  process.stdout.write('ready\n');
  for await (const path of createInterface({ input: process.stdin })) {
    try {
      const db = openSqlite({ name: 'raced', path, synchronous: 'FULL', log: silentLogger });
      const applied = await migrate(db.writer, racedSteps, 'raced');
      await db.close();
      process.stdout.write(`${applied.length}\n`);
    } catch (err) {
      process.stdout.write(`failed: ${String(err)}\n`);
    }
  }
}
