import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { memoryFolder } from '../../test/setup/memory-folder.ts';
import {
  type Database,
  type MigrationList,
  migrate,
  type OpenDatabase,
  openPostgres,
  openSqlite,
} from '../platform/database/index.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import { metricsMigrations, stateMigrations } from './index.ts';
import { type Engine, type TestDatabase, takeTestDatabase } from './test-databases.ts';

export type TestState = {
  readonly db: Database;
  /** Of the file, where the state is one. */
  readonly path: string;
  /** Closes the database and opens it again, as the next start of the process would. */
  reopen(): Promise<Database>;
  /** All that is stored, as one text to search in. */
  everything(): Promise<string>;
  /** Runs a statement behind ragwarden's back. */
  tamper(sql: string): Promise<void>;
  remove(): Promise<void>;
};

let engine: Engine = 'sqlite';

/** From here on, what is opened without `on` is opened on this one: so the same tests run on either. */
export function openTestStatesOn(chosen: Engine): void {
  engine = chosen;
}

/** Test support: a real state database with every migration, of its own. On SQLite it syncs nothing, which is quicker. */
export async function openTestState(
  options: { on?: Engine; log?: Logger; durable?: boolean } = {},
): Promise<TestState> {
  return (options.on ?? engine) === 'postgres' ? openOnPostgres(options) : openInFile(options);
}

/** Empty databases with every table, made once in this process: to carry out all steps takes twenty times as long as a copy. */
const withTables = new Map<string, Promise<Buffer>>();

function emptyFile(name: string, steps: MigrationList): Promise<Buffer> {
  const made = withTables.get(name) ?? makeEmptyFile(name, steps);
  withTables.set(name, made);
  return made;
}

async function makeEmptyFile(name: string, steps: MigrationList): Promise<Buffer> {
  const folder = memoryFolder('empty');
  try {
    const path = join(folder, 'empty.sqlite');
    const db = openSqlite({ name, path, synchronous: 'NORMAL', log: silentLogger });
    await migrate(db, steps);
    await db.close();
    return readFileSync(path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openInFile(options: { log?: Logger; durable?: boolean }): Promise<TestState> {
  const folder = memoryFolder('state');
  const path = join(folder, 'state.sqlite');
  writeFileSync(path, await emptyFile('state', stateMigrations));
  const open = async (): Promise<Database> => {
    const synchronous = options.durable ? 'FULL' : 'NORMAL';
    return openSqlite({ name: 'state', path, synchronous, log: options.log ?? silentLogger });
  };
  const state = {
    db: await open(),
    path,
    async reopen() {
      await state.db.close();
      state.db = await open();
      return state.db;
    },
    async everything() {
      return [path, `${path}-wal`].map((file) => readFileSync(file, 'latin1')).join();
    },
    async tamper(sql: string) {
      const database = new DatabaseSync(path);
      database.exec(sql);
      database.close();
    },
    async remove() {
      await state.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return state;
}

async function openOnPostgres(options: { log?: Logger }): Promise<TestState> {
  const database = await takeTestDatabase();
  const open = async (): Promise<Database> => {
    const opened = await openPostgres({
      name: 'state',
      url: database.url,
      steps: stateMigrations,
      instance: 'test',
      log: options.log ?? silentLogger,
    });
    await layOut(database, opened, stateMigrations);
    return opened;
  };
  const state = {
    db: await open(),
    get path(): string {
      throw new Error('this state is no file');
    },
    async reopen() {
      await state.db.close();
      state.db = await open();
      return state.db;
    },
    async everything() {
      const tables = await database.run(
        `select table_to_xml(c.oid, true, false, '')::text as content from pg_class c
         where relnamespace = 'ragwarden'::regnamespace and relkind = 'r'`,
      );
      return tables.map((table) => String(table.content)).join('\n');
    },
    async tamper(sql: string) {
      await database.run(`set search_path = ragwarden; ${sql}`);
    },
    async remove() {
      await state.db.close();
      await database.empty();
    },
  };
  return state;
}

async function layOut(database: TestDatabase, opened: OpenDatabase, steps: MigrationList): Promise<void> {
  if (database.laidOut.has(opened.name)) return;
  await migrate(opened, steps);
  database.laidOut.add(opened.name);
}

/** Test support: the same for samples. */
export async function openTestMetrics(): Promise<{ db: Database; remove(): Promise<void> }> {
  if (engine === 'postgres') {
    const database = await takeTestDatabase();
    const options = {
      name: 'metrics',
      url: database.url,
      steps: metricsMigrations,
      instance: 'test',
      log: silentLogger,
    };
    const db = await openPostgres(options);
    await layOut(database, db, metricsMigrations);
    return {
      db,
      async remove() {
        await db.close();
        await database.empty();
      },
    };
  }
  const folder = memoryFolder('metrics');
  const path = join(folder, 'metrics.sqlite');
  writeFileSync(path, await emptyFile('metrics', metricsMigrations));
  const db = openSqlite({ name: 'metrics', path, synchronous: 'NORMAL', log: silentLogger });
  return {
    db,
    async remove() {
      await db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
