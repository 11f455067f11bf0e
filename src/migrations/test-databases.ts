import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { sharedPostgresUrl } from '../../test/setup/shared-postgres.ts';

/** Test support: an empty database of its own on the server that the test run shares. */
export type TestDatabase = {
  readonly url: string;
  /** Names of those whose steps were carried out here: to ask the server for all tables, which finds none missing, takes longer than most tests. */
  readonly laidOut: Set<string>;
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
    laidOut: new Set(),
    run: (sql, parameters) => once(url, sql, parameters),
    async empty() {
      await withClient(url, async (client) => {
        // Most tables never held a row: to prepare a statement for each of them is most of what this would take.
        const { rows } = await client.query<{ name: string }>(
          `select quote_ident(relname) as name from pg_class where relnamespace = to_regnamespace('ragwarden')
           and relkind = 'r' and relname not like '%migration%' and pg_relation_size(oid) > 0`,
        );
        await client.query(rows.map(({ name }) => `delete from ragwarden.${name};`).join(' '));
      });
      emptied.push(database);
    },
    async remove() {
      await once(server, `drop database if exists ${name} with (force)`);
    },
  };
  return database;
}

const once = (url: string, sql: string, parameters?: readonly unknown[]): Promise<Record<string, unknown>[]> =>
  withClient(url, async (client) => (await client.query(sql, parameters && [...parameters])).rows);

async function withClient<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

export type Engine = 'sqlite' | 'postgres';
