import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { metricsMigrations, stateMigrations } from '../migrations/index.ts';
import { openTestState } from '../migrations/test-state.ts';
import { type MigrationList, migrate, openSqlite, type WholeSchema } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { makeWholeSchemas } from './whole-schemas.ts';

function contents(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const made = database.prepare('select type, name, tbl_name, sql from sqlite_master order by type, name').all();
  const steps = database.prepare('select name from kysely_migration').all();
  const lock = database.prepare('select * from kysely_migration_lock').all();
  database.close();
  return { made, steps, lock };
}

test('what the build keeps makes of an empty file at once what all steps make of it, and later steps go on from there', async () => {
  const whole = await makeWholeSchemas();
  for (const [schema, list] of [
    [whole.state, stateMigrations],
    [whole.metrics, metricsMigrations],
  ] as const) {
    const state = await openTestState();
    const openAt = (path: string) => openSqlite({ name: 'list', path, synchronous: 'NORMAL', log: silentLogger });
    const [byStep, atOnce, older] = ['by-step', 'at-once', 'older'].map((name) => `${state.path}.${name}`) as [
      string,
      string,
      string,
    ];
    const run = async (path: string, steps: MigrationList, given?: WholeSchema): Promise<readonly string[]> => {
      const db = openAt(path);
      const applied = await migrate(db, steps, given && (() => given));
      await db.close();
      return applied;
    };
    await run(byStep, list);
    expect(await run(atOnce, list, schema)).toEqual(Object.keys(list));
    expect(contents(atOnce)).toEqual(contents(byStep));
    expect(await run(atOnce, list, schema)).toEqual([]);
    const next: MigrationList = {
      ...list,
      '9999_next': { up: (db) => db.schema.createTable('next').addColumn('id', 'integer').execute() },
    };
    expect(await run(atOnce, next, schema)).toEqual(['9999_next']);
    // Of other steps, or where something is already, it is not taken.
    const fewer = Object.fromEntries(Object.entries(list).slice(0, 1));
    expect(await run(older, fewer, schema)).toEqual(Object.keys(fewer));
    expect(await run(older, list, schema)).toEqual(Object.keys(list).slice(1));
    await state.remove();
  }
});
