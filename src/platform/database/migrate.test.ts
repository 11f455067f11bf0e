import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFakeClock } from '../fake-clock.ts';
import { silentLogger } from '../logging.ts';
import { copyBeforeMigration, type MigrationList, migrate, openSqlite, readWholeSchema } from './index.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-migrate-'));
  path = join(folder, 'state.sqlite');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const creates = (table: string): MigrationList[string] => ({
  up: (db) => db.schema.createTable(table).addColumn('id', 'integer').execute(),
});
const one: MigrationList = { '0001_one': creates('one') };
const two: MigrationList = { ...one, '0002_two': creates('two') };

const open = () => openSqlite({ name: 'state', path, synchronous: 'NORMAL', log: silentLogger });
async function migrated(steps: MigrationList): Promise<readonly string[]> {
  const db = open();
  try {
    return await migrate(db, steps);
  } finally {
    await db.close();
  }
}
function tables(): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database
    .prepare(
      `select name from sqlite_master where type = 'table' and name not like 'kysely%' and name not like 'sqlite%' order by name`,
    )
    .all();
  database.close();
  return rows.map((row) => row.name);
}

test('steps run in order, once', async () => {
  expect(await migrated(one)).toEqual(['0001_one']);
  expect(await migrated(two)).toEqual(['0002_two']);
  expect(await migrated(two)).toEqual([]);
  expect(tables()).toEqual(['one', 'two']);
});

test('what all steps come to is asked for where nothing is there yet, and nowhere else', async () => {
  let asked = 0;
  const run = async (steps: MigrationList): Promise<void> => {
    const db = open();
    await migrate(db, steps, () => {
      asked += 1;
      return undefined;
    });
    await db.close();
  };
  for (const [steps, times] of [[one, 1] as const, [one, 1] as const, [two, 1] as const]) {
    await run(steps);
    expect(asked).toBe(times);
  }
});

test('a step that fails leaves nothing of itself or of the steps before it, and its retry works', async () => {
  await migrated(one);
  const broken: MigrationList = {
    ...two,
    '0003_broken': {
      async up(db) {
        await creates('three').up(db);
        throw new Error('the third step fails');
      },
    },
  };
  await expect(migrated(broken)).rejects.toThrow('the third step fails');
  expect(tables()).toEqual(['one']);
  expect(await migrated({ ...two, '0003_broken': creates('three') })).toEqual(['0002_two', '0003_broken']);
});

test('a schema newer than the code is refused and left as it is', async () => {
  await migrated(two);
  await expect(migrated(one)).rejects.toMatchObject({
    code: 'storage/schema-newer',
    detail: expect.stringContaining('0002_two'),
  });
  expect(tables()).toEqual(['one', 'two']);
  expect(await migrated(two)).toEqual([]);
});

test('the file is copied before steps that are pending, whole, and the newest three copies stay', async () => {
  const clock = createFakeClock();
  const copy = (steps: MigrationList) => copyBeforeMigration(path, steps, clock, silentLogger);
  const copies = (): string[] =>
    readdirSync(folder)
      .filter((name) => name.includes('.before-'))
      .sort();
  expect(copy(one)).toBeUndefined();
  await migrated(one);
  expect(copy(one)).toBeUndefined();

  // Written but not yet moved from the log into the file: a plain copy of the file alone would lack it.
  const db = open();
  await db.unit(async (tx) => {
    await tx.as<{ one: { id: number } }>().insertInto('one').values({ id: 7 }).execute();
  });
  const first = copy(two);
  await db.close();
  const copied = new DatabaseSync(first!, { readOnly: true });
  expect(copied.prepare('select id from one').all()).toEqual([{ id: 7 }]);
  copied.close();
  expect(statSync(first!).mode).toBe(statSync(path).mode);

  const made = [first];
  for (let i = 0; i < 4; i += 1) {
    await clock.advance(1_000);
    made.push(copy(two));
  }
  expect(copies().map((name) => join(folder, name))).toEqual(made.slice(-3));
  expect(readdirSync(folder).filter((name) => name.includes('.copying-'))).toEqual([]);
});

test('a whole schema is refused of steps that write rows, and one that fails leaves nothing', async () => {
  await migrated({
    '0001_rows': {
      async up(db) {
        await creates('one').up(db);
        await db.insertInto('one').values({ id: 1 }).execute();
      },
    },
  });
  expect(() => readWholeSchema(path)).toThrow('A step wrote rows into one');
  rmSync(path);
  const db = open();
  try {
    const script = 'create table one (id integer); create table one (id integer)';
    const broken = { steps: ['0001_one'], script };
    await expect(migrate(db, one, () => broken)).rejects.toThrow();
    expect(tables()).toEqual([]);
    expect(await migrate(db, one)).toEqual(['0001_one']);
  } finally {
    await db.close();
  }
});
