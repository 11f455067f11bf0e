import type { ClientConfig, Pool, PoolClient } from 'pg';
import { AppError } from '../errors.ts';
import { toPostgres, valueTypes } from './postgres-values.ts';
import { endsConnection, LostConnection, sqlState } from './storage-error.ts';

export type Answer = {
  readonly rows: readonly Record<string, unknown>[];
  readonly rowCount: number | null;
  readonly command: string;
};

/** One connection to the server, ready to be used. */
export type Session = {
  /** @throws LostConnection when the connection is gone; what the server answered otherwise */
  query(sql: string, parameters?: readonly unknown[]): Promise<Answer>;
  /** Once true, it stays so; the next one has to be opened. */
  readonly lost: boolean;
  /** A statement of the open transaction failed, so nothing but a rollback is taken. */
  readonly failed: boolean;
  /** Process id on the server. */
  readonly pid: number;
  /** Gives the connection back, or closes it when it is lost. */
  release(): void;
};

export type Timeouts = {
  readonly connectMs: number;
  /** Of the server, for another process's lock and for one statement. */
  readonly lockMs: number;
  readonly statementMs: number;
  /** Of ours, for a server or a network that has fallen silent. */
  readonly answerMs: number;
  /** After which the server ends a transaction whose process has fallen silent. */
  readonly idleMs: number;
};

export const defaultTimeouts: Timeouts = {
  connectMs: 3_000,
  lockMs: 5_000,
  statementMs: 8_000,
  answerMs: 10_000,
  idleMs: 15_000,
};

/**
 * A pool whose connections see our schema alone, read whole numbers as numbers and give up in time. pg is loaded here, so that
 * who keeps state in a file never loads it.
 */
export async function createSessions(options: {
  url: string;
  schema: string;
  max: number;
  readOnly: boolean;
  timeouts: Timeouts;
  applicationName: string;
}): Promise<{ open(): Promise<Session & { readonly fresh: boolean }>; end(): Promise<void> }> {
  const { default: pg } = await import('pg');
  const { timeouts } = options;
  const config: ClientConfig = {
    connectionString: withLibpqMeaning(options.url),
    connectionTimeoutMillis: timeouts.connectMs,
    query_timeout: timeouts.answerMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: options.applicationName,
    // pg passes any parser through; what its own type allows is narrower.
    types: valueTypes as NonNullable<ClientConfig['types']>,
  };
  const pool: Pool = new pg.Pool({ ...config, max: options.max, idleTimeoutMillis: 60_000 });
  // A connection that breaks while nobody uses it is dropped by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const known = new WeakSet<PoolClient>();
  const setUp = sessionSettings(options);

  return {
    async open() {
      let client: PoolClient;
      try {
        client = await pool.connect();
      } catch (err) {
        throw asLost(err);
      }
      const fresh = !known.has(client);
      const session = sessionOf(client);
      try {
        if (fresh) await session.query(setUp);
      } catch (err) {
        client.release(true);
        throw err;
      }
      known.add(client);
      return Object.assign(session, { fresh });
    },
    end: () => pool.end(),
  };
}

function sessionOf(client: PoolClient): Session {
  let lost = false;
  // The answer that tells the state of the transaction comes after the one that tells the error, so the error itself is taken:
  // until a rollback the server refuses every further statement.
  let failed = false;
  let released = false;
  const onEnd = (): void => {
    lost = true;
  };
  client.once('end', onEnd);
  client.once('error', onEnd);
  return {
    get lost() {
      return lost;
    },
    get failed() {
      return failed;
    },
    // Told by the server when it took the connection; pg's types do not name it.
    pid: Number((client as unknown as { processID: number }).processID),
    async query(sql, parameters) {
      if (lost) throw new LostConnection('the connection is gone');
      const values = parameters?.map(toPostgres);
      try {
        // Without parameters several statements may stand in one text, which costs one way there and back.
        const result = await (values && values.length > 0 ? client.query(sql, values) : client.query(sql));
        failed = false;
        // Of several statements pg gives a list; nobody here reads more than the last.
        const last: unknown = Array.isArray(result) ? result.at(-1) : result;
        return last as Answer;
      } catch (err) {
        // Said by us about a value that was read; the connection is well.
        if (err instanceof RangeError) throw err;
        const state = sqlState(err);
        // What the server did not say itself is the network: reset, closed, or silent for too long.
        if (state === undefined || endsConnection(state)) lost = true;
        failed = true;
        throw state === undefined ? asLost(err) : err;
      }
    },
    release() {
      if (released) return;
      released = true;
      client.removeListener('end', onEnd);
      client.removeListener('error', onEnd);
      client.release(lost);
    },
  };
}

/** What the server said about the login is for the operator; everything else is a server that is not there. */
const asLost = (err: unknown): unknown => {
  const state = sqlState(err);
  if (state === undefined) return new LostConnection('the server does not answer', { cause: err });
  return err;
};

/** Told in words when the very first connection is refused, and why. */
export function asOpeningError(err: unknown, where: string): unknown {
  const state = sqlState(err);
  const refused = (what: string): AppError =>
    new AppError('storage/unavailable', `PostgreSQL (${where}) ${what}`, { cause: err });
  if (err instanceof LostConnection)
    return refused('does not answer. Check RAGWARDEN_DATABASE_URL, and that the server runs and can be reached.');
  if (state === '28P01' || state === '28000')
    return refused('refuses the user or the password. Check RAGWARDEN_DATABASE_URL.');
  if (state === '3D000') return refused('has no such database. Make it with `createdb`, owned by the user of the URL.');
  if (state === '42501')
    return refused('does not allow this user to make what ragwarden needs. Grant it CREATE on the database.');
  if (state === '57P03') return refused('is still starting, or recovering.');
  return err;
}

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function sessionSettings(options: { schema: string; readOnly: boolean; timeouts: Timeouts }): string {
  const { timeouts } = options;
  const settings: [string, string][] = [
    ['search_path', identifier(options.schema)],
    ['statement_timeout', `${timeouts.statementMs}`],
    ['lock_timeout', `${timeouts.lockMs}`],
    ['idle_in_transaction_session_timeout', `${timeouts.idleMs}`],
    // The server notices within a minute that a machine of ours is gone, and lets go of what it held.
    ['tcp_keepalives_idle', '20'],
    ['tcp_keepalives_interval', '10'],
    ['tcp_keepalives_count', '3'],
    ['bytea_output', 'hex'],
    ['default_transaction_read_only', options.readOnly ? 'on' : 'off'],
    ['default_transaction_isolation', 'read committed'],
    // Answered with success means on disk, whatever the server's own default is.
    ...(options.readOnly ? [] : [['synchronous_commit', 'on'] as [string, string]]),
  ];
  return settings.map(([name, value]) => `set ${name} = ${name === 'search_path' ? value : literal(value)}`).join('; ');
}

/** `sslmode` means what it means to every other client of PostgreSQL; pg would check certificates under each of them. */
function withLibpqMeaning(url: string): string {
  if (!/[?&]sslmode=(?!no-verify)/.test(url) || url.includes('uselibpqcompat=')) return url;
  return `${url}&uselibpqcompat=true`;
}
