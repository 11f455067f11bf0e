import { rmSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEventLog } from '../../src/events/index.ts';
import { stateMigrations } from '../../src/migrations/index.ts';
import { createOperations } from '../../src/operations/index.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { migrate, openPostgres } from '../../src/platform/database/index.ts';
import { silentLogger } from '../../src/platform/logging.ts';
import { hasPart } from '../setup/parts.ts';
import { type PostgresCluster, startPostgresCluster } from '../setup/postgres-cluster.ts';
import { type Answer, field, type RunningWarden, startWarden, temporaryFolder, until } from '../warden-harness.ts';

type Check = { name: string; status: string; message: string };

describe.skipIf(!hasPart('postgresql'))('state on a PostgreSQL server that goes away', () => {
  let cluster: PostgresCluster;
  const folders: string[] = [];
  beforeAll(async () => {
    cluster = await startPostgresCluster({ durable: true });
  });
  afterAll(async () => {
    await cluster?.remove();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });

  const query = async (sql: string, database = 'postgres'): Promise<Record<string, unknown>[]> => {
    const client = new pg.Client({ connectionString: cluster.url(database) });
    await client.connect();
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const start = (): Promise<RunningWarden> => {
    const dataDir = temporaryFolder('state-on-postgres');
    folders.push(dataDir);
    return startWarden({
      dataDir,
      settings: { LIGHTRAG_RECOVERY_DB_URL: cluster.url('postgres'), BACKUP_ENABLED: 'false' },
    });
  };

  test('reads answer from memory, changes are refused and leave nothing, and everything goes on when it is back', async () => {
    const warden = await start();
    const stateCheck = async (): Promise<Check | undefined> => {
      const answer = await warden.call('GET', '/health', undefined, { accept: 'application/json' });
      return (field(answer.body, 'checks') as Check[]).find((check) => check.name === 'state database');
    };
    const makeToken = (name: string, token?: string): Promise<Answer> =>
      warden.call(
        'POST',
        '/api/v1/access/tokens',
        { name, role: 'admin' },
        token === undefined ? undefined : { authorization: `Bearer ${token}` },
      );
    const readWith = (token: string, path: string): Promise<Answer> =>
      warden.callStranger('GET', path, { authorization: `Bearer ${token}` });
    const tokenOf = async (name: string): Promise<string> => {
      const made = await makeToken(name);
      expect(made.status).toBe(201);
      return String(field(made.body, 'secret') ?? field(made.body, 'token'));
    };
    try {
      const seenBefore = await tokenOf('seen');
      const neverSeen = await tokenOf('unseen');
      expect((await readWith(seenBefore, '/api/v1/targets')).status).toBe(200);
      await until('a sample of the host', async () =>
        (await warden.call('GET', '/api/v1/monitoring/system')).status === 200 ? true : undefined,
      );
      await until('a healthy check', async () => ((await stateCheck())?.status === 'healthy' ? true : undefined));

      await cluster.takeAway();

      for (const path of ['/livez', '/readyz', '/health', '/api/v1/monitoring/health'])
        expect([path, (await warden.callStranger('GET', path, { accept: 'application/json' })).status]).toEqual([
          path,
          200,
        ]);
      expect((await fetch(`${warden.metrics}/metrics`)).status).toBe(200);
      for (const path of ['/api/v1/monitoring/system', '/api/v1/targets', '/api/v1/system/jobs', '/metrics'])
        expect([path, (await warden.call('GET', path)).status]).toEqual([path, 200]);
      // Let in a moment ago: may go on looking, and no more. Nobody else gets in on a token that cannot be looked up.
      expect((await readWith(seenBefore, '/api/v1/targets')).status).toBe(200);
      expect(await makeToken('by-seen', seenBefore)).toMatchObject({ status: 503 });
      expect(await readWith(neverSeen, '/api/v1/targets')).toMatchObject({ status: 503 });
      expect(await readWith(neverSeen, '/api/v1/monitoring/health')).toMatchObject({ status: 200 });

      for (const path of ['/api/v1/events', '/api/v1/audit', '/api/v1/access/tokens', '/api/v1/operations']) {
        const answer = await warden.call('GET', path);
        expect([path, answer.status, field(answer.body, 'code')]).toEqual([path, 503, 'storage/unavailable']);
        expect(answer.headers.get('retry-after')).not.toBeNull();
        expect(answer.text).not.toMatch(/p%40ss|p@ss|127\.0\.0\.1:\d+\/postgres/);
      }
      for (const [path, body] of [
        ['/api/v1/access/tokens', { name: 'never', role: 'user' }],
        ['/api/v1/access/login-links', {}],
        ['/api/v1/targets/sample/inspect', undefined],
      ] as const) {
        const answer = await warden.call('POST', path, body);
        expect([path, answer.status, field(answer.body, 'code')]).toEqual([path, 503, 'storage/unavailable']);
      }
      await until('the health that says so', async () =>
        (await stateCheck())?.status === 'unhealthy' ? true : undefined,
      );
      expect((await stateCheck())?.message).toContain('does not answer');

      await cluster.giveBack();

      await until('the health that is well again', async () =>
        (await stateCheck())?.status === 'healthy' ? true : undefined,
      );
      await tokenOf('after');
      expect((await readWith(neverSeen, '/api/v1/targets')).status).toBe(200);
      const names = await query(`select label, subject from ragwarden.access_token order by created_ms`);
      expect(JSON.stringify(names)).toMatch(/seen.*unseen.*after/);
      expect(JSON.stringify(names)).not.toMatch(/never|by-seen/);
      expect(await query(`select max(seq) - count(*) as gap from ragwarden.event`)).toEqual([{ gap: '0' }]);
      const events = await until('the event of the outage', async () => {
        const answer = await warden.call('GET', '/api/v1/events?type=state.database-returned');
        return answer.text.includes('state.database-returned') ? answer : undefined;
      });
      expect(events.status).toBe(200);
      expect(field((await warden.call('GET', '/api/v1/audit/verify')).body, 'intact')).toBe(true);
      // What runs in the background goes on by itself.
      const written = async (): Promise<number> =>
        Number(
          (await query('select coalesce(sum(octet_length(payload)), 0)::int as n from ragwarden.metric_block'))[0]?.n,
        );
      const before = await written();
      await until('samples that are stored again', async () => ((await written()) > before ? true : undefined));
      expect(warden.log()).not.toMatch(/p%40ss|p@ss/);

      // A second one under the same name would take the first one's running work for its own.
      const second = openPostgres({
        name: 'state',
        url: cluster.url('postgres'),
        steps: stateMigrations,
        instance: 'main',
        alone: true,
        log: silentLogger,
        timeouts: { lockMs: 200 },
      });
      await expect(second).rejects.toMatchObject({ code: 'storage/instance-in-use' });
    } finally {
      await warden.stop();
    }
  });

  test('work under way ends truthfully once the database is back, and the numbers of events have no gap', async () => {
    await query('create database operations');
    const db = await openPostgres({
      name: 'state',
      url: cluster.url('operations'),
      steps: stateMigrations,
      instance: 'main',
      alone: true,
      log: silentLogger,
    });
    await migrate(db, stateMigrations);
    const events = createEventLog({ db, clock: systemClock, instance: 'main' });
    const operations = createOperations({ db, clock: systemClock, log: silentLogger, events, instance: 'main' });
    try {
      const ends = [Promise.withResolvers<string>(), Promise.withResolvers<string>()] as const;
      const [good, bad] = await Promise.all(
        ends.map((end, index) =>
          operations.start({
            kind: 'backup.create',
            targetId: `t${index}`,
            input: {},
            requestedBy: 'admin',
            run: () => end.promise,
          }),
        ),
      );
      const happened = (message: string): Promise<number> =>
        db.unit((tx) => events.record(tx, { type: 'host.threshold', severity: 'info', message }));
      await happened('before');
      // Many writes are on their way when it goes.
      const attempts = Array.from({ length: 200 }, (_, i) => happened(`${i}`).then(() => i));
      const settled = Promise.allSettled(attempts);
      await cluster.takeAway();
      const outcomes = await settled;
      await expect(happened('while away')).rejects.toMatchObject({ code: 'storage/unavailable' });
      await expect(
        operations.start({
          kind: 'backup.create',
          targetId: 't9',
          input: {},
          requestedBy: 'admin',
          run: async () => 0,
        }),
      ).rejects.toMatchObject({ code: 'storage/unavailable' });
      expect(await operations.find(good?.id ?? '')).toMatchObject({ state: 'running' });
      ends[0].resolve('done');
      ends[1].reject(new Error('went wrong'));

      await cluster.giveBack();

      expect(await operations.wait(good?.id ?? '')).toMatchObject({ state: 'succeeded', result: 'done' });
      expect(await operations.wait(bad?.id ?? '')).toMatchObject({ state: 'failed' });
      await happened('after');
      const kept = (await events.list({ limit: 1_000, order: 'oldest-first' })).map((event) => event.message);
      const acknowledged = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [String(one.value)] : []));
      const refused = outcomes.flatMap((one, i) => (one.status === 'rejected' ? [String(i)] : []));
      expect(acknowledged.filter((message) => !kept.includes(message))).toEqual([]);
      expect(refused.filter((message) => kept.includes(message))).toEqual([]);
      expect(await query(`select max(seq) - count(*) as gap from ragwarden.event`, 'operations')).toEqual([
        { gap: '0' },
      ]);
      // The targets are free again.
      const again = await operations.start({
        kind: 'backup.create',
        targetId: 't0',
        input: {},
        requestedBy: 'admin',
        run: async () => 'again',
      });
      expect(await operations.wait(again.id)).toMatchObject({ state: 'succeeded' });
    } finally {
      await operations.stop();
      await db.close();
    }
  });
});
