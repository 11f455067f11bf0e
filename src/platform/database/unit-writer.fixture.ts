/**
 * Run by a test as a process of its own, to be killed: writes units of three rows each, many at a time, and prints the number
 * of each unit once it was acknowledged. `node unit-writer.fixture.ts <file> <first number>`
 */
import { setImmediate as turn } from 'node:timers/promises';
import { silentLogger } from '../logging.ts';
import { openSqlite } from './sqlite.ts';

export type UnitTables = { part: { unit: number; part: number } };

const [, script, path, first] = process.argv;
if (path !== undefined && script?.endsWith('unit-writer.fixture.ts')) {
  const db = openSqlite({ name: 'killed', path, synchronous: 'FULL', log: silentLogger });
  await db.writer.schema
    .createTable('part')
    .ifNotExists()
    .addColumn('unit', 'integer')
    .addColumn('part', 'integer')
    .execute();
  let next = Number(first);
  const lane = async (): Promise<never> => {
    for (;;) {
      const unit = next;
      next += 1;
      await db.unit(async (tx) => {
        for (let part = 0; part < 3; part += 1) {
          await tx.as<UnitTables>().insertInto('part').values({ unit, part }).execute();
          await turn();
        }
      });
      // Not `writeSync`: when nobody reads as fast as this writes, it fails instead of waiting.
      process.stdout.write(`${unit}\n`);
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}
