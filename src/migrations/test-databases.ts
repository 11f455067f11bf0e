import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { sharedPostgresUrl } from '../../test/setup/shared-postgres.ts';

/** Test support: an empty database of its own on the server that the test run shares. */
export type TestDatabase = {
  readonly url: string;
  /** Runs statements beside ragwarden, as somebody with a database client would. */
  run(sql: string, parameters?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Keeps the tables and gives the database to the next who asks in this file; making one anew takes ten times as long. */
  empty(): Promise<void>;
  remove(): Promise<void>;
};

const emptied: TestDatabase[] = [];

/** One that is empty and may hold the tables of ragwarden already. */
export const takeTestDatabase = async (): Promise<TestDatabase> => emptied.pop() ?? createTestDatabase();

export async function createTestDatabase(): Promise<TestDatabase> {
  const server = await sharedPostgresUrl();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await once(server, `create database ${name}`);
  const url = server.replace(/\/postgres$/, `/${name}`);
  const database: TestDatabase = {
    url,
    run: (sql, parameters) => once(url, sql, parameters),
    async empty() {
      const tables = await database.run(
        `select quote_ident(tablename) as name from pg_tables where schemaname = 'ragwarden' and tablename not like '%migration%'`,
      );
      await database.run(tables.map(({ name }) => `delete from ragwarden.${String(name)};`).join(' '));
      emptied.push(database);
    },
    async remove() {
      await once(server, `drop database if exists ${name} with (force)`);
    },
  };
  return database;
}

async function once(url: string, sql: string, parameters?: readonly unknown[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(sql, parameters && [...parameters]);
    return rows;
  } finally {
    await client.end();
  }
}

export type Engine = 'sqlite' | 'postgres';
