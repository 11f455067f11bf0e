import { DatabaseSync } from 'node:sqlite';
import type { Logger } from '../logging.ts';
import { bindable } from './bindable.ts';
import { type MigrationList, migrate } from './migrate.ts';
import { identifier, type Session } from './postgres-session.ts';
import { openSqlite } from './sqlite.ts';

const rowsAtOnce = 1_000;

/**
 * Writes every table of our schema into a new SQLite file with the same layout, all as of one moment. What such a file holds is
 * what ragwarden would have written there itself, so it can be opened as the state of an installation without a server.
 */
export async function copyToSqlite(options: {
  session: Session;
  path: string;
  name: string;
  schema: string;
  steps: MigrationList;
  log: Logger;
}): Promise<void> {
  const { session, path, name, schema, steps, log } = options;
  const laidOut = openSqlite({ name, path, synchronous: 'FULL', log });
  try {
    await migrate(laidOut, steps);
  } finally {
    await laidOut.close();
  }
  const target = new DatabaseSync(path);
  try {
    const tables = target
      .prepare(`select name from sqlite_master where type = 'table' and name not like 'sqlite%' order by name`)
      .all()
      .map((row) => String(row.name))
      .filter((table) => !table.startsWith('kysely_'));
    await session.query('begin transaction isolation level repeatable read read only');
    target.exec('begin immediate');
    for (const table of tables) await copyTable(session, target, schema, table);
    target.exec('commit');
    await session.query('commit');
    // One file, as a copy of an SQLite database is.
    target.exec('pragma journal_mode = delete');
  } finally {
    target.close();
  }
}

async function copyTable(session: Session, target: DatabaseSync, schema: string, table: string): Promise<void> {
  const columns = target
    .prepare('select name from pragma_table_info(?)')
    .all(table)
    .map((row) => String(row.name));
  const named = columns.map(identifier).join(', ');
  const insert = target.prepare(
    `insert into ${identifier(table)} (${named}) values (${columns.map(() => '?').join(', ')})`,
  );
  await session.query(
    `declare copied no scroll cursor for select ${named} from ${identifier(schema)}.${identifier(table)}`,
  );
  for (;;) {
    const { rows } = await session.query(`fetch ${rowsAtOnce} from copied`);
    for (const row of rows) insert.run(...columns.map((column) => bindable(row[column])));
    if (rows.length < rowsAtOnce) break;
  }
  await session.query('close copied');
}
