import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { startRedis, type TestRedis } from '../../test/setup/redis-server.ts';
import { sharedPostgresUrl } from '../../test/setup/shared-postgres.ts';
import { systemClock } from '../platform/clock.ts';
import type { OfflineTarget } from './offline.ts';
import { createRecordQuarantine } from './record-quarantine.ts';
import { createRowQuarantine } from './rows-store.ts';
import { type CleanupDatabase, createDatabaseSessions } from './strategies/database-sessions-store.ts';
import { cacheFile, createLlmCache } from './strategies/llm-cache.ts';
import { createRedisKeys, createRedisQuarantine } from './strategies/redis-keys.ts';
import { holds, openTestCleanup, type TestCleanup } from './test-cleanup.ts';

let opened: TestCleanup | undefined;
afterEach(async () => {
  await opened?.remove();
  opened = undefined;
});
const contained = async () => holds;
const hour = 3_600;
const day = 24 * hour;

describe.skipIf(!hasPart('redis'))('keys of a real Redis', () => {
  let server: TestRedis;
  let client: Redis;
  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.url());
  });
  afterAll(async () => {
    client.disconnect();
    await server.remove();
  });

  test('go by pattern and idleness, dumped before; documents and extraction never; they come back with their rest of life', async () => {
    const place = { targetId: 'default', open: async () => ({ redis: client, close: () => undefined }) };
    opened = await openTestCleanup(() => ({
      strategies: [createRedisKeys({ redis: () => place, contained })],
      kinds: [createRedisQuarantine(() => place)],
    }));
    await client.hset('session:1', { a: 1 });
    await client.set('session:2', 'text', 'PX', 600_000);
    await client.set('session:3', 'stays');
    await client.set('other:1', 'x');
    await client.set('acme_full_docs:d1', 'x');
    await client.set('acme_llm_response_cache:default:extract:1', 'x');
    await client.set('acme_llm_response_cache:mix:query:1', 'x');
    const { run, undo, cleanup } = opened;
    await expect(run('redis-keys', { pattern: '*' })).rejects.toMatchObject({ code: 'request/invalid' });
    const young = await cleanup.plan({ strategy: 'redis-keys', params: { pattern: 'session:*' }, requestedBy: 't' });
    expect(young).toMatchObject({ items: [] });
    expect(young.kept).toHaveLength(3);
    const ofBackend = await run('redis-keys', { pattern: 'acme_*', idle_seconds: 0 });
    expect(ofBackend.result).toMatchObject({ cleaned: 1 });
    expect((await client.keys('acme_*')).sort()).toEqual([
      'acme_full_docs:d1',
      'acme_llm_response_cache:default:extract:1',
    ]);
    const ended = await run('redis-keys', { pattern: 'session:*', idle_seconds: 0 });
    expect(ended.result).toMatchObject({ cleaned: 3, outcome: 'success' });
    expect(await client.exists('session:1', 'session:2', 'session:3')).toBe(0);
    await client.set('session:3', 'newer');
    expect(await undo({ runId: ended.id })).toMatchObject({ state: 'partial', result: { undone: 2 } });
    expect([await client.hgetall('session:1'), await client.get('session:3')]).toEqual([{ a: '1' }, 'newer']);
    const rest = await client.pttl('session:2');
    expect(rest > 0 && rest <= 600_000).toBe(true);
  });
});

describe.skipIf(!hasPart('postgresql'))('a real PostgreSQL', () => {
  let root: pg.Client;
  let url: string;
  const role = `cleanup_${process.pid}`;
  const connect = async (application_name = ''): Promise<pg.Client> => {
    const client = new pg.Client({ connectionString: url, application_name });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const database: CleanupDatabase & { workspaceOf(name: string): string } = {
    targetId: 'default',
    workspaceOf: (name) => name || 'default',
    async open() {
      const client = await connect('ragwarden');
      return {
        rows: async (sql, parameters) => (await client.query(sql, parameters && [...parameters])).rows,
        close: () => client.end(),
      };
    },
  };
  beforeAll(async () => {
    const shared = await sharedPostgresUrl();
    root = new pg.Client({ connectionString: shared });
    await root.connect();
    await root.query(`create role ${role} login password 'x'`);
    await root.query(`create database ${role} owner ${role}`);
    const place = new URL(shared);
    place.username = role;
    place.password = 'x';
    place.pathname = `/${role}`;
    url = place.href;
  });
  afterAll(async () => {
    await root.query(`drop database ${role} with (force)`);
    await root.query(`drop role ${role}`);
    await root.end();
  });

  test('sessions idle in a transaction are ended: the backend’s own, never a superuser’s, another application’s or a busy one', async () => {
    opened = await openTestCleanup(() => ({
      strategies: [createDatabaseSessions({ database: () => database, clock: systemClock })],
    }));
    const [idle, named, fine] = [await connect(), await connect('reporting'), await connect()];
    const place = new URL(await sharedPostgresUrl());
    place.pathname = `/${role}`;
    const superuser = new pg.Client({ connectionString: place.href, application_name: '' });
    superuser.on('error', () => undefined);
    await superuser.connect();
    for (const client of [idle, named, superuser]) await client.query('begin');
    await fine.query('select 1');
    const params = { idle_seconds: 30 };
    const { cleanup, run } = opened;
    const young = await cleanup.plan({ strategy: 'database-sessions', params, requestedBy: 't' });
    expect(young.items).toEqual([]);
    expect(young.kept.map(({ why }) => why).sort()).toEqual([
      expect.stringMatching(/^it is idle for \d+ s only$/),
      'its application was not named',
    ]);
    // The rule is asked as if half a minute had gone by: the server's own clock is not ours to turn.
    const strategy = createDatabaseSessions({ database: () => database, clock: systemClock });
    const found = await strategy.find(
      { idle_seconds: 0, applications: '' },
      {
        ...{ signal: AbortSignal.timeout(60_000), nowMs: Date.now() },
      },
    );
    expect(found.items).toHaveLength(1);
    const work = await strategy.begin(
      { idle_seconds: 0, applications: '' },
      {
        ...{ signal: AbortSignal.timeout(60_000), parallel: 1, nowMs: Date.now(), phase: () => undefined },
        log: { warn: () => undefined } as never,
      },
    );
    await named.query('commit');
    expect(await work.carryOut(found.items, undefined as never)).toEqual([{ done: true, bytes: 0 }]);
    expect(await work.carryOut(found.items, undefined as never)).toMatchObject([{ done: false }]);
    await work.end();
    await expect(idle.query('select 1')).rejects.toThrow();
    for (const client of [fine, superuser]) expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect((await run('database-sessions', params)).result).toMatchObject({ cleaned: 0 });
    await Promise.all([superuser.end(), named.end(), fine.end(), idle.end().catch(() => undefined)]);
  });

  test('old answers of the LLM cache go from its table while the backend runs, extraction stays, and the rows come back as they were', async () => {
    opened = await openTestCleanup(() => ({
      strategies: [createLlmCache({ targets: () => [], database: () => database, contained })],
      kinds: [createRowQuarantine(() => database)],
    }));
    const client = await connect();
    await client.query(`create table lightrag_llm_cache (workspace varchar(255) not null, id varchar(255) not null,
      original_prompt text, return_value text, chunk_id varchar(255), cache_type varchar(32), queryparam jsonb,
      create_time timestamp(0), update_time timestamp(0), primary key (workspace, id))`);
    await client.query(`insert into lightrag_llm_cache select 'default', kind || ':' || n, 'prompt ' || n, 'answer', null, kind,
      '{"mode": "mix"}', now() at time zone 'utc' - age, now() at time zone 'utc' - age
      from generate_series(1, 600) n, (values ('query', interval '90 days'), ('extract', interval '90 days'), ('keywords', interval '1 day')) k(kind, age)`);
    const whole = async () =>
      (
        await client.query(
          'select count(*)::int as n, md5(string_agg(t::text, chr(10) order by id)) as sum from lightrag_llm_cache t',
        )
      ).rows[0];
    const before = await whole();
    const { run, undo } = opened;
    const ended = await run('llm-cache');
    expect(ended.result).toMatchObject({ cleaned: 1, outcome: 'success' });
    expect(await whole()).toMatchObject({ n: 1200 });
    expect((await client.query(`select distinct cache_type as kind from lightrag_llm_cache order by 1`)).rows).toEqual([
      { kind: 'extract' },
      { kind: 'keywords' },
    ]);
    await undo({ runId: ended.id });
    expect(await whole()).toEqual(before);
    await client.end();
  });
});

test('old answers go from the file of a stopped backend, byte for byte the rest stays, and they come back', async () => {
  const nowS = Math.floor(Date.now() / 1_000);
  const row = (kind: string, age: number) => ({
    return: 'ä {"}',
    cache_type: kind,
    update_time: nowS - age,
    create_time: 1,
  });
  const rows = {
    'mix:query:1': row('query', 90 * day),
    'default:extract:1': row('extract', 90 * day),
    'mix:query:2': row('query', hour),
    'mix:keywords:1': row('keywords', 90 * day),
  };
  const text = JSON.stringify(rows, null, 2);
  let state: 'up' | 'down' = 'up';
  opened = await openTestCleanup(({ folder }) => {
    mkdirSync(join(folder, 'rag', 'ws'), { recursive: true });
    const target: OfflineTarget = {
      ...{ id: 'default', workspaceRoot: join(folder, 'rag'), workspaces: () => ['ws'] },
      folderOf: (workspace) => join(folder, 'rag', workspace),
      backend: async () => ({ state, startedMs: null }),
      lifecycle: {
        automatic: false,
        stop: async () => undefined,
        start: async () => undefined,
        expectUp: () => undefined,
      },
    };
    return {
      strategies: [createLlmCache({ targets: () => [target], database: () => undefined, contained })],
      kinds: [createRecordQuarantine(() => [target])],
    };
  });
  const { file, run, undo, cleanup } = opened;
  const path = file(`rag/ws/${cacheFile}`, { text });
  const held = await cleanup.plan({ strategy: 'llm-cache', params: {}, requestedBy: 't' });
  expect(held.items).toEqual([]);
  expect(held.kept.map(({ why }) => why).join()).toMatch(/extraction stays.*the backend runs/s);
  state = 'down';
  // As a restore that stopped it, and puts other files there.
  const { operations } = opened;
  const restore = await operations.start({
    ...{ kind: 'backup.restore', targetId: 'default', input: {}, requestedBy: 't' },
    run: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  await expect(run('llm-cache')).rejects.toMatchObject({ code: 'operation/busy' });
  await operations.cancel(restore.id);
  await operations.wait(restore.id);
  const ended = await run('llm-cache');
  expect(ended.result).toMatchObject({ cleaned: 1, outcome: 'success' });
  const { 'mix:query:1': _, 'mix:keywords:1': __, ...kept } = rows;
  expect(readFileSync(path, 'utf8')).toBe(JSON.stringify(kept, null, 2));
  await undo({ runId: ended.id });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(rows);
  expect((await run('llm-cache', { include_extract: true, older_than_days: 0 })).result).toMatchObject({ cleaned: 1 });
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({});
});
