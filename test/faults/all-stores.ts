import { chmodSync, existsSync, lstatSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { createLightragDatabase, type LightragDatabase } from '../../src/backup/postgres/lightrag-database.fixture.ts';
import type { TestRedis } from '../setup/redis-server.ts';
import { contentOf, removeFolder, temporaryFolder } from '../warden-harness.ts';
import { calm, prepareDataFolder, processesOf, sampleOf } from './ground.ts';

/** A backend that is stopped and keeps its data in files, one PostgreSQL database and one database of a Redis. */
export type AllStores = {
  readonly dataDir: string;
  readonly workspace: string;
  /** For the temporary files of its processes alone. */
  readonly temporary: string;
  readonly database: LightragDatabase;
  readonly redis: Redis;
  /** By their environment names. */
  readonly settings: Record<string, string>;
  /** Everything of everything, as one comparable value: equal exactly where every store is in the same state. */
  state(): Promise<Record<string, string>>;
  /** Something in every store becomes another; each number another state. */
  change(number: number): Promise<void>;
  /**
   * Of everything that outlives a process and that the next one can tell, and the processes beside it: files, rows, keys,
   * databases, sessions. Two boundaries with the same one are the same place for a kill: what lies between is in memory, in a
   * cache or a log, or within what is taken away as one.
   */
  fingerprint(): Promise<string>;
  /** What work that is over must not leave for good: scratch folders, journals, databases, schemas, connections, keys. */
  leftovers(): Promise<string[]>;
  remove(): Promise<void>;
};

const tables = [
  'lightrag_doc_full',
  'lightrag_doc_status',
  'lightrag_doc_chunks',
  'lightrag_vdb_chunks_test_4d',
  'lightrag_llm_cache',
];

const isOfBackend = (key: string): boolean => /^(full_docs|doc_status):/.test(key);

/** @param server of PostgreSQL; the shared one of the run unless told */
export async function prepareAllStores(
  name: string,
  options: { redis: TestRedis; redisDatabase: number; server?: string },
): Promise<AllStores> {
  const dataDir = await prepareDataFolder(name);
  const { workspace, inputs } = sampleOf(dataDir);
  const temporary = temporaryFolder('kill');
  // A server that a drill starts runs as another user.
  chmodSync(temporary, 0o711);
  // Large enough to be unfolded, which none of the tiny sample is.
  const cache = join(workspace, 'kv_store_llm_response_cache.json');
  const rows = (tone: string): string =>
    JSON.stringify(
      Object.fromEntries(
        Array.from({ length: 300 }, (_, i) => [
          `default:extract:${i}`,
          { return: `${tone} ${i} `.repeat(20), cache_type: 'extract', chunk_id: null, original_prompt: `p${i}` },
        ]),
      ),
    );
  writeFileSync(cache, rows('first'));
  const database = await createLightragDatabase(options.server === undefined ? {} : { server: options.server });
  await database.fill('default', 3);
  const { connection } = database;
  const redis = new Redis(options.redis.url({ database: options.redisDatabase }), { lazyConnect: false });
  redis.on('error', () => undefined);
  const fill = async (): Promise<void> => {
    await redis.flushdb();
    for (let i = 0; i < 5; i += 1) {
      await redis.set(`full_docs:doc-${i}`, JSON.stringify({ content: `document ${i}` }));
      await redis.set(
        `doc_status:doc-${i}`,
        JSON.stringify({ status: 'processed', updated_at: '2026-11-29T09:00:00Z' }),
      );
    }
  };
  await fill();

  const ours = async (sql: string): Promise<string[]> =>
    (await database.run(sql, [`${connection.database}%`])).map((row) => String(Object.values(row)[0]));
  const digestOf = (table: string): string =>
    `select '${table}' as name, coalesce(md5(string_agg(t::text, '|' order by t::text)), 'empty') as digest from ${table} t`;
  // Together: every query of a test is a connection of its own, since nobody may hold the database.
  const digests = tables.map(digestOf).join(' union all ');

  const lookForLeftovers = async (): Promise<string[]> => {
    const found: string[] = [];
    const look = (folder: string, begins = ''): string[] =>
      existsSync(folder)
        ? readdirSync(folder)
            .filter((one) => one.startsWith(begins))
            .map((one) => join(folder, one))
        : [];
    found.push(...look(join(dataDir, 'staging'), 'restore-'), ...look(join(dataDir, 'drills')), ...look(temporary));
    for (const root of [workspace, inputs]) found.push(...look(join(root, '.ragwarden')));
    found.push(
      ...(await ours(
        `select datname from pg_database where datname like $1 and datname <> current_database()
         union all select nspname from pg_namespace where nspname !~ '^(pg_|information_schema|public$)'
         union all select 'session ' || application_name || pid from pg_stat_activity
           where datname like $1 and pid <> pg_backend_pid()`,
      )),
    );
    found.push(...(await redis.keys('*')).filter((key) => !isOfBackend(key)));
    // The former state of the last restore that ended stays until the next one has ended; of one operation, then, and ids go by time.
    const kept = found.flatMap((one) => /(?:undo-op_|_before_|:before:op_)([0-9a-z]{26})/.exec(one)?.[1] ?? []);
    const newest = kept.sort().at(-1);
    return found.filter((one) => newest === undefined || !one.includes(newest));
  };

  return {
    dataDir,
    workspace,
    temporary,
    database,
    redis,
    settings: {
      ...calm,
      // What watches and inspects has no part in this, and each start would do it.
      MONITORING_ENABLED: 'false',
      // Nobody answers there: a backend that is stopped already.
      RAGWARDEN_TARGET_URL: 'http://127.0.0.1:1',
      RAGWARDEN_TARGET_START_TIMEOUT: '60',
      WORKING_DIR: workspace,
      INPUT_DIR: inputs,
      POSTGRES_HOST: connection.host,
      POSTGRES_PORT: `${connection.port}`,
      POSTGRES_USER: connection.user,
      POSTGRES_PASSWORD: connection.password ?? '',
      POSTGRES_DATABASE: connection.database,
      REDIS_URI: options.redis.url({ database: options.redisDatabase }),
    },
    async state() {
      const state: Record<string, string> = { ...contentOf(workspace), ...contentOf(inputs) };
      for (const { name, digest } of await database.run(digests)) state[String(name)] = String(digest);
      // Former keys are kept until the next restore, as is the former database.
      for (const key of (await redis.keys('*')).filter(isOfBackend).sort())
        state[`key ${key}`] = String(await redis.get(key));
      return state;
    },
    async change(number) {
      rmSync(join(workspace, 'vdb_chunks.json'), { force: true });
      writeFileSync(join(workspace, 'extra.txt'), `not in the point ${number}`);
      writeFileSync(cache, rows(`state ${number}`));
      await database.run(
        `with gone as (delete from lightrag_doc_full where id = 'doc-1') update lightrag_doc_chunks set content = 'state ' || $1::int`,
        [number],
      );
      await redis.del('full_docs:doc-1');
      await redis.set('full_docs:doc-2', `state ${number}`);
    },
    async fingerprint() {
      const files = [dataDir, temporary]
        .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((one) => join(folder, one)))
        .filter((path) => !isPassing.test(path))
        .flatMap((path) => {
          const stat = lstatSync(path, { throwIfNoEntry: false });
          return stat === undefined ? [] : [stat.isDirectory() ? path : `${path} ${stat.size} ${stat.mtimeMs}`];
        });
      const server = await ours(
        `select datname || ' ' || coalesce(shobj_description(oid, 'pg_database'), '') from pg_database where datname like $1
         union all select nspname || ' ' || coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace
         union all select 'session ' || application_name || (xact_start is null) from pg_stat_activity
           where datname like $1 and pid <> pg_backend_pid()`,
      );
      const rows = await database.run(digests);
      const keys = await Promise.all(
        (await redis.keys('*')).map(async (key) => `${key} ${(await redis.dumpBuffer(key))?.toString('base64')}`),
      );
      const processes = processesOf(dataDir).map(({ args }) => args);
      return JSON.stringify([files, server.sort(), rows, keys.sort(), processes, rowsOfState(dataDir)]);
    },
    async leftovers() {
      const beganMs = performance.now();
      for (;;) {
        const left = await lookForLeftovers();
        // An operation may be told to be over a moment before all of it has gone, as a connection that the server still knows of.
        if (left.length === 0 || performance.now() - beganMs > 60_000) return left;
        await new Promise((passed) => setTimeout(passed, 100));
      }
    },
    async remove() {
      redis.disconnect();
      for (const one of await ours('select datname from pg_database where datname like $1').catch(() => []))
        if (one !== connection.database) await database.run(`drop database if exists "${one}" with (force)`);
      await database.remove().catch(() => undefined);
      removeFolder(dataDir);
      removeFolder(temporary);
    },
  };
}

/**
 * Caches, records of ended processes, databases (of which the rows count), and whatever is within a folder that is taken away as
 * one: that such a folder is there is all that its removal asks for.
 */
const isPassing =
  /\/(?:cache|children\/past)(?:\/|$)|\.sqlite(?:-wal|-shm)?$|\/(?:staging\/[^/]+|drills\/[^/]+|\.ragwarden\/(?:restore|incoming)-[^/]+)\//;

/** Rows of ragwarden's own state that it may go by when it starts again; of work that goes on, how far a restore said that it is. */
function rowsOfState(dataDir: string): unknown[] {
  const db = new DatabaseSync(join(dataDir, 'state.sqlite'), { readOnly: true });
  try {
    const names = db.prepare("select name from sqlite_master where type = 'table' order by 1").all();
    return names
      .map(({ name }) => String(name))
      .filter((name) => !/^(?:event|audit_|lease$|idempotency_key|sqlite_|operation$)/.test(name))
      .flatMap((name) => db.prepare(`select '${name}' as "table", * from "${name}"`).all())
      .concat(
        db
          .prepare(
            "select id, state, case kind when 'backup.restore' then phase end as phase from operation order by id",
          )
          .all(),
      );
  } finally {
    db.close();
  }
}

/** Names of the locks of a repository that are whole. */
export const locksOf = (dataDir: string): string[] =>
  readdirSync(join(dataDir, 'repository', 'locks')).filter((name) => /^[0-9a-f]{64}$/.test(name));

/** Names of what is not the same: the contents are nothing to read. */
export const differing = (a: Record<string, string>, b: Record<string, string>): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]);
