import { createHash, randomUUID } from 'node:crypto';
import { Kysely } from 'kysely';
import { describeDatabaseUrl } from '../database-url.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import type { OpenDatabase } from './database.ts';
import type { MigrationList } from './migrate.ts';
import { copyToSqlite } from './postgres-copy.ts';
import { SchemaPostgresDialect } from './postgres-dialect.ts';
import {
  type Answer,
  asOpeningError,
  createSessions,
  defaultTimeouts,
  identifier,
  type Session,
  type Timeouts,
} from './postgres-session.ts';
import { asStorageError, isConflict, LostConnection, sqlState } from './storage-error.ts';
import { createUnits, type Group, type Unit } from './units.ts';

const oldestVersion = 130_000;
const conflictAttempts = 3;

export type PostgresOptions = {
  /** `state` or `metrics`: both may live in one schema; each has its own steps and its own queue of writers. */
  readonly name: string;
  /** As `readDatabaseUrl` gives it. */
  readonly url: string;
  /** Every step; also what a copy is laid out by. */
  readonly steps: MigrationList;
  readonly log: Logger;
  readonly schema?: string;
  /** Of this process among those that share the database. */
  readonly instance: string;
  /** Refuses a second process under the same instance name, and goes on only while nobody took it. */
  readonly alone?: boolean;
  readonly timeouts?: Partial<Timeouts>;
  /** How long opening waits for a server that is not there yet. */
  readonly patienceMs?: number;
  /** How long the answer to a broken commit is looked for once the server is asked again. */
  readonly outcomeMs?: number;
};

/**
 * One schema on a PostgreSQL server. Units of all processes run one after the other, under one lock that each commit takes; a
 * commit gathers what waits. Reads go over connections of their own that cannot write. What is lost is opened again at the next
 * use.
 * @throws AppError `storage/unavailable`, `storage/instance-in-use`
 * @see docs/decisions/0020-postgresql-for-state.md
 */
export async function openPostgres(options: PostgresOptions): Promise<OpenDatabase> {
  const { name, url, log, instance, schema = 'ragwarden', outcomeMs = 10_000 } = options;
  const timeouts: Timeouts = { ...defaultTimeouts, ...options.timeouts };
  const where = describeDatabaseUrl(url);
  const applicationName = `ragwarden ${instance} ${name}`;
  const sessions = (readOnly: boolean, max: number) =>
    createSessions({ url, schema, max, readOnly, timeouts, applicationName });
  const writers = await sessions(false, 1);
  const readers = await sessions(true, 4);
  const unitLock = lockKey(schema, `units of ${name}`);

  let current: Session | undefined;
  /** Of the commit under way: its statements go there and nowhere else, also once that connection is lost. */
  let working: Session | undefined;
  let ours: { readonly pid: number; readonly startedAt: unknown } | undefined;
  let away = false;

  const connected = async (): Promise<Session> => {
    if (current && !current.lost) return current;
    current?.release();
    current = undefined;
    let opened: Session | undefined;
    try {
      opened = await writers.open();
      if (options.alone) ours = await holdInstance(opened, { schema, instance, before: ours });
    } catch (err) {
      opened?.release();
      if (!away) log.warn({ err, database: name, server: where }, 'the database does not answer');
      away = true;
      throw err;
    }
    if (away) log.info({ database: name, server: where }, 'the database answers again');
    away = false;
    current = opened;
    return opened;
  };

  /** Opens the transaction of one commit. A connection that broke while nobody used it is replaced without a word. */
  const begin = async (): Promise<Session> => {
    for (;;) {
      const kept = current !== undefined && !current.lost;
      const session = await connected();
      try {
        await session.query(`begin; select pg_advisory_xact_lock(${unitLock}); savepoint unit`);
        return session;
      } catch (err) {
        await undo(session);
        if (!session.lost || !kept) throw err;
      }
    }
  };

  const undo = async (session: Session): Promise<void> => {
    // Where this fails the connection is lost, and the server undoes by itself.
    if (!session.lost) await session.query('rollback').catch(() => undefined);
  };

  const writer = new Kysely<unknown>({
    dialect: new SchemaPostgresDialect(
      async () => {
        const session = working ?? (await connected());
        return { query: (text, parameters) => session.query(text, parameters), release: () => undefined };
      },
      {
        key: lockKey(schema, 'migration'),
        statementMs: timeouts.statementMs,
        lockMs: timeouts.lockMs,
      },
    ),
  });

  const read = async (text: string, parameters: readonly unknown[]): Promise<Answer> => {
    for (;;) {
      let fresh = true;
      let lost = false;
      try {
        const session = await readers.open();
        fresh = session.fresh;
        try {
          return await session.query(text, parameters);
        } finally {
          lost = session.lost;
          session.release();
        }
      } catch (err) {
        // A read may be asked twice: the connection had broken while nobody used it.
        if (!lost || fresh) throw asStorageError(err, name);
      }
    }
  };
  const reader = new Kysely<unknown>({
    dialect: new SchemaPostgresDialect(async () => ({ query: read, release: () => undefined }), {
      key: 0n,
      statementMs: timeouts.statementMs,
      lockMs: timeouts.lockMs,
    }),
  });

  const runUnit = async (session: Session, unit: Unit): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await unit.run(writer);
        if (session.lost) throw new LostConnection('the connection broke during a unit of work');
        if (session.failed) throw new Error('a statement of a unit of work failed, and the unit went on');
        unit.accept();
        return;
      } catch (err) {
        if (!session.lost) await session.query('rollback to savepoint unit').catch(() => undefined);
        if (!session.lost && isConflict(err) && attempt < conflictAttempts) continue;
        unit.reject(asStorageError(err, name));
        return;
      }
    }
  };

  const runUnits = async (session: Session, group: Group): Promise<void> => {
    let unit = group.next();
    while (unit) {
      await runUnit(session, unit);
      if (session.lost) throw new LostConnection('the connection broke before a commit');
      unit = group.next();
      if (!unit) return;
      try {
        await session.query('release savepoint unit; savepoint unit');
      } catch (err) {
        unit.reject(asStorageError(err, name));
        throw err;
      }
    }
  };

  const runGroup = async (group: Group): Promise<void> => {
    let session: Session;
    try {
      session = await begin();
    } catch (err) {
      group.refuseAll(asStorageError(err, name));
      return;
    }
    working = session;
    try {
      await runUnits(session, group);
    } catch (err) {
      await undo(session);
      group.failed(asStorageError(err, name));
      return;
    } finally {
      working = undefined;
    }
    if (!group.pending) {
      await undo(session);
      return;
    }
    const mark = randomUUID();
    try {
      await session.query(
        `insert into commit_mark (writer, mark) values (${writerKey}, '${mark}')
         on conflict (writer) do update set mark = excluded.mark; commit`,
      );
    } catch (err) {
      if (!session.lost) {
        await undo(session);
        group.failed(asStorageError(err, name));
        return;
      }
      const outcome = await findOutcome(mark);
      log.warn({ err, database: name, outcome }, 'the connection broke during a commit');
      if (outcome !== 'kept') {
        group.failed(outcome === 'undone' ? asStorageError(new LostConnection('undone'), name) : unknownOutcome(name));
        return;
      }
    }
    group.committed();
  };
  const writerKey = `'${applicationName.replaceAll("'", "''")}'`;

  /**
   * The connection broke while the server was committing, so only the database knows whether it did: each commit leaves a mark.
   * The lock is taken first, so that a commit that still goes on over there is over.
   */
  const findOutcome = async (mark: string): Promise<'kept' | 'undone' | 'unknown'> => {
    const deadline = performance.now() + outcomeMs;
    for (;;) {
      try {
        const session = await begin();
        const { rows } = await session.query('select mark from commit_mark where writer = $1', [applicationName]);
        await undo(session);
        return rows[0]?.mark === mark ? 'kept' : 'undone';
      } catch {
        if (performance.now() > deadline) return 'unknown';
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  };

  const units = createUnits({ name, log, runGroup });
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await units.close();
    current?.release();
    current = undefined;
    await Promise.all([writers.end(), readers.end()]);
  };

  try {
    await waitForServer(connected, options.patienceMs ?? 15_000, where);
    const session = await connected();
    await checkServer(session, where);
    await makeSchema(session, schema);
  } catch (err) {
    await close();
    throw asStorageError(asOpeningError(err, where), name);
  }

  return {
    name,
    writer,
    stepTables: { schema, steps: `${name}_migration`, lock: `${name}_migration_lock` },
    reader: <Tables>() => reader as unknown as Kysely<Tables>,
    unit: units.unit,
    copyTo: async (path) => {
      const session = await readers.open().catch((err: unknown) => {
        throw asStorageError(err, name);
      });
      try {
        await copyToSqlite({ session, path, name, schema, steps: options.steps, log });
      } catch (err) {
        throw asStorageError(err, name);
      } finally {
        await undo(session);
        session.release();
      }
    },
    close,
  };
}

const unknownOutcome = (name: string): AppError =>
  new AppError(
    'storage/unavailable',
    `The ${name} database went away while this was being written; whether it was kept is not known. Look before you repeat it.`,
    { retryAfterSeconds: 5 },
  );

/** A lock of our own among all the locks that others take on the same server: 64 bits of a digest. */
const lockKey = (schema: string, what: string): bigint =>
  createHash('sha256').update(`ragwarden\0${schema}\0${what}`).digest().readBigInt64BE();

/** A server that starts at the same time as we do is waited for; one that says no is not. */
async function waitForServer(connect: () => Promise<unknown>, patienceMs: number, where: string): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      await connect();
      return;
    } catch (err) {
      const comes = err instanceof LostConnection || sqlState(err) === '57P03';
      if (!comes || performance.now() > deadline) throw asOpeningError(err, where);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function checkServer(session: Session, where: string): Promise<void> {
  const { rows } = await session.query(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as shown,
            pg_encoding_to_char(encoding) as encoding, pg_is_in_recovery() as standby
     from pg_database where datname = current_database()`,
  );
  const [facts] = rows;
  const refused = (what: string): AppError => new AppError('storage/unavailable', `PostgreSQL (${where}) ${what}`);
  if (Number(facts?.version) < oldestVersion) throw refused(`is version ${facts?.shown}; ragwarden needs 13 or newer.`);
  if (facts?.encoding !== 'UTF8')
    throw refused(`keeps text as ${facts?.encoding}. Make the database with \`createdb --encoding=UTF8\`.`);
  if (facts?.standby === 1) throw refused('is a standby and takes no writes. Point ragwarden at the primary.');
}

async function makeSchema(session: Session, schema: string): Promise<void> {
  const lock = lockKey(schema, 'schema');
  await session.query(`begin; select pg_advisory_xact_lock(${lock})`);
  try {
    // Asked first: `if not exists` needs the right to make one also where it exists.
    const { rows } = await session.query('select 1 from pg_namespace where nspname = $1', [schema]);
    if (rows.length === 0) await session.query(`create schema ${identifier(schema)}`);
    const marks = await session.query(`select to_regclass($1) as found`, [`${identifier(schema)}.commit_mark`]);
    if (marks.rows[0]?.found === null)
      await session.query('create table commit_mark (writer text primary key, mark text not null)');
    await session.query('commit');
  } catch (err) {
    if (!session.lost) await session.query('rollback').catch(() => undefined);
    throw err;
  }
}

/**
 * The name of an instance belongs to one connection, and falls with it. Our own earlier connection may linger on the server after
 * the network broke: then it is ended there. Anybody else's is waited for as long as a lock is, since a process that was killed a
 * moment ago is about to lose it.
 */
async function holdInstance(
  session: Session,
  options: { schema: string; instance: string; before: { pid: number; startedAt: unknown } | undefined },
): Promise<{ pid: number; startedAt: unknown }> {
  const key = lockKey(options.schema, `instance ${options.instance}`);
  const { rows } = await session.query(
    `select pg_try_advisory_lock(${key}) as held,
            (select backend_start::text from pg_stat_activity where pid = pg_backend_pid()) as started_at`,
  );
  const self = { pid: session.pid, startedAt: rows[0]?.started_at };
  if (rows[0]?.held === 1) return self;
  if (options.before)
    await session.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid = $1 and backend_start::text = $2',
      [options.before.pid, options.before.startedAt],
    );
  try {
    await session.query(`select pg_advisory_lock(${key})`);
  } catch (err) {
    if (sqlState(err) !== '55P03') throw err;
    throw new AppError(
      'storage/instance-in-use',
      `Another ragwarden runs on this database as instance "${options.instance}". Stop it, or give this one a name of its own (RAGWARDEN_INSTANCE). If its machine has just died, try again in a minute.`,
      { cause: err },
    );
  }
  return self;
}
