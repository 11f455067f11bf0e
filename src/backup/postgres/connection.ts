import { readFileSync } from 'node:fs';
import type { Client, ClientConfig, QueryResultRow } from 'pg';
import { systemSearchPath } from '../../platform/child-processes/index.ts';
import { AppError, systemCode } from '../../platform/errors.ts';

/** As PostgreSQL's own clients understand the words. */
export type TlsMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Where a PostgreSQL is, and how to get in. The password leaves it only into the driver and into the environment of a client. */
export type PostgresConnection = {
  /** A name, an address without brackets, or the absolute folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly tls?: {
    readonly mode?: TlsMode | undefined;
    /** Files in PEM form. */
    readonly rootCert?: string | undefined;
    readonly cert?: string | undefined;
    readonly key?: string | undefined;
    readonly crl?: string | undefined;
  };
};

/** What LightRAG itself takes where nothing is set. */
export const defaultUser = 'postgres';
export const defaultDatabase = 'postgres';

const isSocket = (connection: PostgresConnection): boolean => connection.host.startsWith('/');
const isLoopback = ({ host }: PostgresConnection): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);

/** For plans, notes and messages: never the user or the password. */
export function describePlace(connection: PostgresConnection, database = connection.database): string {
  const { host, port } = connection;
  const where = isSocket(connection) ? `the socket in ${host}` : host.includes(':') ? `[${host}]` : host;
  return `database ${database} on ${where}:${port}`;
}

/** The whole environment of `pg_dump` and its siblings. They get the name of the database here too, where no part of it means something else. */
export function clientEnvironment(
  connection: PostgresConnection,
  database = connection.database,
): Record<string, string> {
  const { tls } = connection;
  const given = (name: string, value: string | undefined): Record<string, string> =>
    value === undefined ? {} : { [name]: value };
  return {
    PATH: systemSearchPath,
    LC_ALL: 'C',
    PGHOST: connection.host,
    PGPORT: `${connection.port}`,
    PGUSER: connection.user,
    PGDATABASE: database,
    PGAPPNAME: 'ragwarden',
    PGCONNECT_TIMEOUT: '10',
    PGCLIENTENCODING: 'UTF8',
    ...given('PGPASSWORD', connection.password),
    ...(isSocket(connection) ? {} : given('PGSSLMODE', tls?.mode)),
    ...given('PGSSLROOTCERT', tls?.rootCert),
    ...given('PGSSLCERT', tls?.cert),
    ...given('PGSSLKEY', tls?.key),
    ...given('PGSSLCRL', tls?.crl),
  };
}

/** A name where a client would otherwise look for `key=value` or a URL in it. */
export const databaseArgument = (database: string): string =>
  `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
export const qualified = (of: { readonly schema: string; readonly name: string }): string =>
  `${identifier(of.schema)}.${identifier(of.name)}`;
export const literal = (text: string): string =>
  text.includes('\\')
    ? ` E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
    : `'${text.replaceAll("'", "''")}'`;

/** One connection of ours. Every query is bounded by the server's patience alone: a count of millions takes its time. */
export type PostgresSession = {
  readonly client: Client;
  rows<Row extends QueryResultRow>(sql: string, parameters?: readonly unknown[]): Promise<Row[]>;
  /** Several statements without answers. */
  run(sql: string): Promise<void>;
  /** Never throws. */
  close(): Promise<void>;
  /** Ends it at once, without a word to a server that may not listen any more. */
  drop(): void;
};

const connectLimitMs = 10_000;

/**
 * @throws AppError `failsAs` with what the server said and without a secret
 */
export async function connectPostgres(
  connection: PostgresConnection,
  options: {
    readonly failsAs: 'restore/blocked' | 'backup/capture-failed' | 'target/inspection-failed';
    readonly database?: string;
    /** For connecting, and then for each query; unless told, ten seconds and none. */
    readonly limitMs?: number;
  },
): Promise<PostgresSession> {
  const { default: pg } = await import('pg');
  const database = options.database ?? connection.database;
  const { limitMs } = options;
  let refusal: unknown;
  for (const ssl of tlsAttempts(connection)) {
    const client = new pg.Client({
      host: connection.host,
      port: connection.port,
      user: connection.user,
      ...(connection.password === undefined ? {} : { password: connection.password }),
      database,
      ssl,
      connectionTimeoutMillis: limitMs ?? connectLimitMs,
      ...(limitMs === undefined ? {} : { query_timeout: limitMs }),
      keepAlive: true,
      application_name: 'ragwarden',
    });
    // A server that goes away between two queries must not end this process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      // The roles and databases of a backend may carry limits that are meant for its own short statements.
      await client.query(
        `set statement_timeout = ${limitMs ?? 0}; set idle_in_transaction_session_timeout = 0; set lock_timeout = 0; set client_min_messages = error; set bytea_output = hex; set datestyle = iso; set intervalstyle = postgres; set extra_float_digits = 3`,
      );
      return sessionOf(client);
    } catch (err) {
      dropClient(client);
      // What it said without TLS tells more than that it has none.
      if (refusal === undefined || !isWithoutTls(err)) refusal = err;
      if (isFinal(err, limitMs !== undefined)) break;
    }
  }
  throw new AppError(
    options.failsAs,
    `The ${describePlace(connection, database)} does not let us in: ${refusal instanceof Error ? refusal.message : 'no answer'}.`,
    { cause: refusal },
  );
}

const isWithoutTls = (err: unknown): boolean => err instanceof Error && /does not support SSL/.test(err.message);

/** What the other way of connecting would not change: a server that says nothing, and a refusal that is not of the way (28000). */
const isFinal = (err: unknown, bounded: boolean): boolean =>
  err instanceof Error &&
  ((bounded && /timeout/.test(err.message)) ||
    (/^(?=.*\d)[0-9A-Z]{5}$/.test(systemCode(err) ?? '') && systemCode(err) !== '28000'));

function sessionOf(client: Client): PostgresSession {
  return {
    client,
    rows: async (sql, parameters) => (await client.query(sql, parameters && [...parameters])).rows,
    async run(sql) {
      await client.query(sql);
    },
    async close() {
      await client.end().catch(() => undefined);
    },
    drop: () => dropClient(client),
  };
}

/** A polite end waits for the other side to hang up, and a paused server never does: our end of it would stay open. */
function dropClient(client: Client): void {
  void client.end().catch(() => undefined);
  setTimeout(() => client.connection.stream.destroy(), dropAfterMs).unref();
}
const dropAfterMs = 1_000;

type Ssl = NonNullable<ClientConfig['ssl']>;

/** `prefer`, which is what clients do unasked, and `allow` try both ways; the driver knows one way at a time. */
function tlsAttempts(connection: PostgresConnection): readonly Ssl[] {
  const mode = connection.tls?.mode ?? 'prefer';
  if (isSocket(connection) || mode === 'disable') return [false];
  const { rootCert, cert, key } = connection.tls ?? {};
  const read = (file: string | undefined): string | undefined => {
    if (file === undefined) return undefined;
    try {
      return readFileSync(file, 'utf8');
    } catch (err) {
      throw new AppError('config/invalid', `The certificate file ${file} of the backend's PostgreSQL cannot be read.`, {
        cause: err,
      });
    }
  };
  const files = { ca: read(rootCert), cert: read(cert), key: read(key) };
  const present = Object.fromEntries(Object.entries(files).filter(([, value]) => value !== undefined));
  const unchecked: Ssl = { ...present, rejectUnauthorized: false };
  switch (mode) {
    case 'allow':
      return [false, unchecked];
    case 'prefer':
      // Within one machine nobody listens in between, and a server there rarely has TLS: each look would knock twice.
      return isLoopback(connection) ? [false, unchecked] : [unchecked, false];
    case 'require':
      // With a root certificate, clients check the chain even here.
      return [rootCert === undefined ? unchecked : { ...present, checkServerIdentity: () => undefined }];
    case 'verify-ca':
      return [{ ...present, checkServerIdentity: () => undefined }];
    case 'verify-full':
      return [{ ...present }];
  }
}
