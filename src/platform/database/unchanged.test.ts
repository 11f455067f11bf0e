import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../logging.ts';
import { createUnchanged, type OpenDatabase, openSqlite } from './index.ts';

type Tables = { item: { id: number } };

let folder: string;
let db: OpenDatabase;
const open = (): OpenDatabase =>
  openSqlite({ name: 'state', path: join(folder, 'state.sqlite'), synchronous: 'NORMAL', log: silentLogger });
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-unchanged-'));
  db = open();
  await db.writer.schema.createTable('item').addColumn('id', 'integer').execute();
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true, force: true });
});

const add = (to: OpenDatabase, id: number): Promise<void> =>
  to.unit(async (tx) => void (await tx.as<Tables>().insertInto('item').values({ id }).execute()));

/** Asks how many items there are, and tells how often the database was asked for it. */
function counting(version: OpenDatabase['version']) {
  const unchanged = createUnchanged({ ...(version && { version }) });
  let reads = 0;
  const count = (): Promise<number> =>
    unchanged('count', async () => {
      reads += 1;
      return (await db.reader<Tables>().selectFrom('item').selectAll().execute()).length;
    });
  return { count, reads: () => reads };
}

test('what was read is not read again until something is committed, by whomever', async () => {
  const { count, reads } = counting(db.version);
  expect([await count(), await count(), await count(), reads()]).toEqual([0, 0, 0, 1]);
  await add(db, 1);
  expect([await count(), await count(), reads()]).toEqual([1, 1, 2]);
  const other = open();
  await add(other, 2);
  await other.close();
  expect([await count(), await count(), reads()]).toEqual([2, 2, 3]);
  await expect(
    db.unit(async (tx) => {
      await tx.as<Tables>().insertInto('item').values({ id: 3 }).execute();
      throw new Error('not after all');
    }),
  ).rejects.toThrow('not after all');
  expect(await count()).toBe(2);
});

test('where the database cannot tell, everything is read each time', async () => {
  const { count, reads } = counting(undefined);
  expect([await count(), await count(), reads()]).toEqual([0, 0, 2]);
});

test('what could not be read is tried again', async () => {
  const unchanged = createUnchanged(db);
  await expect(unchanged('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await unchanged('a', async () => 'there')).toBe('there');
});
