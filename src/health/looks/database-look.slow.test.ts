import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { type PostgresCluster, startPostgresCluster } from '../../../test/setup/postgres-cluster.ts';
import { connectPostgres, type PostgresConnection } from '../../backup/index.ts';
import { createLightragDatabase, type LightragDatabase } from '../../backup/postgres/lightrag-database.fixture.ts';
import { systemClock } from '../../platform/clock.ts';
import { lookAtDatabase } from './database-look.ts';
import type { DatabaseSession } from './database-session.ts';
import type { DatabaseRules } from './judge-database.ts';

const rules: DatabaseRules = {
  ...{ expectsTables: true, expectsVector: false, expectsGraph: false },
  ...{ diskWarningPercent: 80, diskCriticalPercent: 90 },
};

/** Long enough for any server that answers; those that do not are given up sooner. */
const patientMs = 20_000;

const look = (
  connection: PostgresConnection,
  options: {
    limitMs?: number;
    rules?: Partial<DatabaseRules>;
    wrap?: (session: DatabaseSession) => DatabaseSession;
  } = {},
) =>
  lookAtDatabase({
    async open() {
      const session = await connectPostgres(connection, {
        failsAs: 'backup/capture-failed',
        limitMs: options.limitMs ?? patientMs,
      });
      const plain: DatabaseSession = {
        rows: (sql, parameters) => session.rows(sql, parameters),
        drop: () => session.drop(),
      };
      return options.wrap?.(plain) ?? plain;
    },
    workspace: 'acme',
    isHere: true,
    rules: { ...rules, ...options.rules },
    clock: systemClock,
  });

describe.skipIf(!hasPart('postgresql'))('a PostgreSQL that is looked at', () => {
  let cluster: PostgresCluster;
  let rag: LightragDatabase;
  beforeAll(async () => {
    cluster = await startPostgresCluster({ durable: true });
    rag = await createLightragDatabase({ server: cluster.url('postgres') });
    await rag.fill('acme', 5);
  });
  afterAll(async () => {
    await cluster?.remove();
  });

  const admin = (sql: string) => rag.run(sql);

  test('is healthy, with the figures of the documents, all of them true', async () => {
    const found = await look(rag.connection);
    expect(found).toMatchObject({
      status: 'healthy',
      checks: { connection: { status: 'healthy' }, query_performance: { status: 'healthy' } },
      metrics: {
        pool: { total_connections: expect.any(Number), max_connections: 197 },
        replication: { replica: false, standbys: 0, idle_slots: 0 },
      },
      details: { tables: 5, vector: null, age: null },
    });
    const [size] = await admin('select pg_database_size(current_database())::float8 / 1048576 as mb');
    expect(found.metrics?.storage?.database_size_mb).toBeCloseTo(Number(size?.mb), 0);
    expect(found.metrics?.storage?.free_space_mb).toBeGreaterThan(0);
    for (const name of ['connection', 'query_performance'])
      expect(found.checks?.[name]?.response_time, name).toBeGreaterThan(0);
    // Three that somebody holds, one of them in a transaction, beside ours that looks.
    const held = await Promise.all(
      ['select 1', 'select 1', 'begin'].map(async (sql) => {
        const session = await connectPostgres(rag.connection, { failsAs: 'backup/capture-failed' });
        await session.rows(sql);
        return session;
      }),
    );
    const poolNow = async (): Promise<Record<string, number>> =>
      (await look(rag.connection)).metrics?.pool as Record<string, number>; // numbers, where the pool is not empty
    const pool = await poolNow();
    for (const session of held) await session.close();
    expect(pool.total_connections).toBeGreaterThanOrEqual(4);
    expect([
      pool.idle_in_transaction,
      Number(pool.idle_connections) >= 2,
      Number(pool.active_connections) >= 1,
    ]).toEqual([1, true, true]);
    expect(pool.pool_utilization).toBeCloseTo(Number(pool.total_connections) / 197, 3);
    // The server takes its time to see that they went.
    await expect.poll(async () => (await poolNow()).idle_in_transaction, { timeout: 60_000 }).toBe(0);
  });

  test('has no connection of ours once the look is over', async () => {
    await look(rag.connection);
    await expect
      .poll(
        async () => {
          const [row] = await admin(
            "select count(*)::int as n from pg_stat_activity where application_name = 'ragwarden' and datname = current_database()",
          );
          return row?.n;
        },
        { timeout: 60_000 },
      )
      .toBe(0);
  });

  test.each<[string, Partial<PostgresConnection>, RegExp]>([
    ['refuses the password', { password: 'wrong' }, /refuses the password/],
    ['has no such database', { database: 'gone' }, /database is not there/],
    ['has a name that cannot be resolved', { host: 'no-such-host.invalid' }, /name (is not known|cannot be resolved)/],
  ])('%s', async (_, other, message) => {
    const found = await look({ ...rag.connection, ...other });
    expect(found).toMatchObject({ status: 'unhealthy', message: expect.stringMatching(message) });
    expect(JSON.stringify(found)).not.toContain(rag.connection.password);
  });

  test('is out of connections, says so, and is well again when one is given back', async () => {
    await admin("create role busy login password 'b' connection limit 1");
    await admin('grant select on all tables in schema public to busy');
    const connection = { ...rag.connection, user: 'busy', password: 'b' };
    const held = await connectPostgres(connection, { failsAs: 'backup/capture-failed' });
    expect(await look(connection)).toMatchObject({
      status: 'unhealthy',
      message: 'It is out of connections: all that it takes are in use.',
    });
    await held.close();
    // Its one connection is the whole pool, and ours takes it for the look alone.
    await expect
      .poll(async () => (await look(connection)).message)
      .toMatch(/1 of 1 connections|[2-9] of 1 connections/);
  });

  test('takes no writes: it can be asked, not fed', async () => {
    await admin(`alter database "${rag.connection.database}" set default_transaction_read_only = on`);
    expect(await look(rag.connection)).toMatchObject({ status: 'unhealthy', blocks: ['ingest'] });
    await admin(
      `begin; set transaction read write; alter database "${rag.connection.database}" reset default_transaction_read_only; commit`,
    );
    expect((await look(rag.connection)).status).toBe('healthy');
  });

  test('lacks what the backend needs in it', async () => {
    expect(await look(rag.connection, { rules: { expectsVector: true, expectsGraph: true } })).toMatchObject({
      status: 'unhealthy',
      message: expect.stringMatching(/extension vector.*extension age/),
      blocks: ['answer', 'ingest'],
    });
    const empty = await createLightragDatabase({ server: cluster.url('postgres'), empty: true });
    expect(await look(empty.connection)).toMatchObject({ status: 'unhealthy', message: /tables of the backend/ });
    expect(await look(empty.connection, { rules: { expectsTables: false } })).toMatchObject({ status: 'healthy' });
  });

  test('holds a lock on the table of the backend: the query on it is not answered in time', async () => {
    const holder = await connectPostgres(rag.connection, { failsAs: 'backup/capture-failed' });
    await holder.run('begin; lock table lightrag_doc_status in access exclusive mode');
    expect(await look(rag.connection, { limitMs: 700 })).toMatchObject({
      status: 'unhealthy',
      message: expect.stringMatching(/not answered in time|does not answer any more/),
    });
    await holder.close();
    expect((await look(rag.connection)).status).toBe('healthy');
  });

  test('lies on a disk that is full', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rw-full-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'ragwarden-test', folder], { stdio: 'ignore' });
    } catch {
      console.warn('SKIPPED: a database on a full disk: mounting one is not allowed here');
      rmSync(folder, { recursive: true });
      return;
    }
    try {
      const there = (session: DatabaseSession): DatabaseSession => ({
        ...session,
        rows: async <Row extends Record<string, unknown>>(sql: string, parameters?: readonly unknown[]) =>
          (await session.rows<Row>(sql, parameters)).map((row) =>
            'dataDirectory' in row ? { ...row, dataDirectory: folder } : row,
          ),
      });
      expect((await look(rag.connection, { wrap: there })).status).toBe('healthy');
      expect(() => writeFileSync(join(folder, 'full'), Buffer.alloc(2 ** 21))).toThrow('ENOSPC');
      expect(await look(rag.connection, { wrap: there })).toMatchObject({
        status: 'critical',
        message: expect.stringContaining('100 % full'),
        blocks: ['ingest'],
        metrics: { storage: { free_space_mb: 0 } },
      });
    } finally {
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true });
    }
  });

  test('accepts the connection and never says a word', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const found = await look({ ...rag.connection, host: '127.0.0.1', port }, { limitMs: 300 });
    silent.close();
    expect(found).toMatchObject({
      status: 'unhealthy',
      message: 'It takes the connection, if at all, and says nothing.',
    });
  });

  test('is paused, then stopped, then back', async () => {
    process.kill(cluster.pid(), 'SIGSTOP');
    const paused = await look(rag.connection, { limitMs: 300 });
    process.kill(cluster.pid(), 'SIGCONT');
    expect(paused).toMatchObject({
      status: 'unhealthy',
      message: 'It takes the connection, if at all, and says nothing.',
    });
    expect((await look(rag.connection)).status).toBe('healthy');

    await cluster.takeAway();
    expect(await look(rag.connection)).toMatchObject({
      status: 'unhealthy',
      message: 'It cannot be reached: nobody listens there.',
    });
    await cluster.giveBack();
    await expect.poll(async () => (await look(rag.connection)).status).toBe('healthy');
  });
});
