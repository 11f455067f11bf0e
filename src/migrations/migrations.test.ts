import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import * as lists from './index.ts';
import { openTestState } from './test-state.ts';

const folderOf: Readonly<Record<string, string>> = { stateMigrations: 'state', metricsMigrations: 'metrics' };

test.each(Object.entries(lists))(
  '%s is ordered, numbered without gaps and holds every file of its folder',
  (name, list) => {
    const steps = Object.keys(list);
    expect(steps).toEqual([...steps].sort());
    steps.forEach((step, index) => {
      expect(step).toMatch(/^\d{4}_[a-z][a-z_]*$/);
      expect(Number(step.slice(0, 4))).toBe(index + 1);
    });
    const files = readdirSync(join(import.meta.dirname, folderOf[name] ?? name));
    expect(files.map((file) => file.replace(/\.ts$/, '')).sort()).toEqual(steps);
  },
);

test('every list runs twice, and the second time changes nothing', async () => {
  for (const list of Object.values(lists)) {
    const state = await openTestState();
    const path = `${state.path}.again`;
    const schema = (): unknown[] => {
      const database = new DatabaseSync(path, { readOnly: true });
      const rows = database.prepare('select name, sql from sqlite_master order by name').all();
      database.close();
      return rows;
    };
    const run = async (): Promise<readonly string[]> => {
      const db = openSqlite({ name: 'list', path, synchronous: 'NORMAL', log: silentLogger });
      const applied = await migrate(db, list);
      await db.close();
      return applied;
    };
    expect(await run()).toEqual(Object.keys(list));
    const after = schema();
    expect(await run()).toEqual([]);
    expect(schema()).toEqual(after);
    await state.remove();
  }
});

test('the columns of the state database are these', async () => {
  const state = await openTestState();
  const database = new DatabaseSync(state.path, { readOnly: true });
  const tables = database
    .prepare(
      `select name from sqlite_master where type = 'table' and name not like 'kysely%' and name not like 'sqlite%' order by name`,
    )
    .all();
  const shape = tables.map(({ name }) => {
    const columns = database
      .prepare('select name, type, "notnull" as required from pragma_table_info(?)')
      .all(name ?? null);
    return `${name}: ${columns.map((col) => `${col.name} ${col.type}${col.required ? '' : '?'}`).join(', ')}`;
  });
  expect(shape).toMatchSnapshot();
  database.close();
  await state.remove();
});
