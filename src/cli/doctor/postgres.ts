import type { ClientConfig } from 'pg';
import { findProgram, systemSearchPath } from '../../platform/child-processes/index.ts';
import { describeError } from '../../platform/errors.ts';
import { fail, type Outcome, ok, warn } from './check.ts';
import { tellVersion } from './programs.ts';

const connectLimitMs = 4_000;

export type PostgresSeen = {
  /** Such as `15.14`. */
  readonly version: string;
  readonly major: number;
  readonly extensions: ReadonlyMap<string, string>;
};

/**
 * Asks a PostgreSQL who it is, reading only.
 * @param connection URL or parts; never shown, since it holds a password
 * @returns what was seen, or the failure as an outcome
 */
export async function seePostgres(
  connection: ClientConfig,
  what: string,
  setting: string,
  signal: AbortSignal,
): Promise<PostgresSeen | Outcome> {
  // Only commands that look at a PostgreSQL pay for loading the client.
  const { default: pg } = await import('pg');
  const client = new pg.Client({
    ...connection,
    connectionTimeoutMillis: connectLimitMs,
    query_timeout: connectLimitMs,
    application_name: 'ragwarden-doctor',
  });
  // A server that goes away between two queries must not end this process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    signal.throwIfAborted();
    const { rows } = await client.query<{ version: string; number: string }>(
      "select current_setting('server_version') as version, current_setting('server_version_num') as number",
    );
    const listed = await client.query<{ extname: string; extversion: string }>(
      'select extname, extversion from pg_catalog.pg_extension',
    );
    return {
      version: rows[0]?.version.split(' ')[0] ?? 'unknown',
      major: Math.floor(Number(rows[0]?.number ?? 0) / 10_000),
      extensions: new Map(listed.rows.map((row) => [row.extname, row.extversion])),
    };
  } catch (err) {
    signal.throwIfAborted();
    return fail(`it does not let us in: ${describeError(err)}`, `Start it, or check ${setting}.`, what);
  } finally {
    // A connection that is still being made would be waited for.
    void client.end().catch(() => undefined);
  }
}

/** What LightRAG's PostgreSQL storages need inside the database. */
const neededExtensions = [
  { storage: /^PGVectorStorage$/, name: 'vector', purpose: 'stores the embeddings' },
  { storage: /^PGGraphStorage$/, name: 'age', purpose: 'stores the graph' },
] as const;

/** @param storages class names of the backend's storages, as far as they are known */
export function judgeExtensions(seen: PostgresSeen, storages: readonly string[]): Outcome {
  const what = 'PostgreSQL';
  const missing = neededExtensions.filter(
    ({ storage, name }) => storages.some((one) => storage.test(one)) && !seen.extensions.has(name),
  );
  if (missing.length > 0)
    return fail(
      missing.map(({ name, purpose }) => `the extension ${name}, which ${purpose}, is not in the database`).join('; '),
      missing.map(({ name }) => `psql -c 'CREATE EXTENSION ${name}'`).join(' && '),
      what,
    );
  const present = neededExtensions.flatMap(({ name }) => {
    const version = seen.extensions.get(name);
    return version === undefined ? [] : [`${name} ${version}`];
  });
  return ok(`PostgreSQL ${seen.version}${present.length > 0 ? ` with ${present.join(', ')}` : ''}`, what);
}

/** A dump of a newer server is refused by an older `pg_dump`. */
export async function lookAtClients(seen: PostgresSeen, signal: AbortSignal): Promise<Outcome> {
  const what = 'PostgreSQL clients';
  const install = `apt-get install postgresql-client-${seen.major}`;
  const told: string[] = [];
  for (const name of ['pg_dump', 'pg_restore', 'psql']) {
    const program = findProgram(name, systemSearchPath);
    if (program === undefined) return warn(`${name} is missing, so the database cannot be dumped`, install, what);
    const text = await tellVersion(program, ['--version'], signal);
    if (typeof text !== 'string') return { ...text, what };
    const version = /(\d+)(\.\d+)*/.exec(text);
    if (Number(version?.[1]) < seen.major)
      return fail(
        `${name} ${version?.[0]} is older than the server (${seen.version}) and refuses to dump it`,
        install,
        what,
      );
    told.push(`${name} ${version?.[0]}`);
  }
  return ok(`${told.join(', ')} for a server ${seen.version}`, what);
}
