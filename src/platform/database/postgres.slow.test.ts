import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { createTestDatabase, type TestDatabase } from '../../migrations/test-databases.ts';
import { readDatabaseUrl } from '../database-url.ts';
import { silentLogger } from '../logging.ts';
import { isDuplicateKey, type MigrationList, migrate, type OpenDatabase, openPostgres, type Tx } from './index.ts';
import type { PostgresOptions } from './postgres.ts';

type Tables = { item: { id: number; name: string | null; body: Uint8Array | null } };

const steps: MigrationList = {
  '0001_item': {
    up: async (db) => {
      await db.schema
        .createTable('item')
        .addColumn('id', 'bigint', (col) => col.primaryKey())
        .addColumn('name', 'text')
        .addColumn('body', 'blob')
        .execute();
    },
  },
};

describe.skipIf(!hasPart('postgresql'))('state on PostgreSQL', () => {
  let database: TestDatabase;
  let db: OpenDatabase;
  const ends: (() => unknown)[] = [];
  const open = async (more: Partial<PostgresOptions> = {}): Promise<OpenDatabase> => {
    const opened = await openPostgres({
      name: 'state',
      url: database.url,
      steps,
      instance: 'main',
      log: silentLogger,
      patienceMs: 0,
      timeouts: { lockMs: 500 },
      ...more,
    });
    ends.push(() => opened.close());
    return opened;
  };
  beforeEach(async () => {
    database = await createTestDatabase();
    db = await open();
    await migrate(db, steps);
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    await database.remove();
  });

  const put = (tx: Tx, id: number, name: string | null = null) =>
    tx.as<Tables>().insertInto('item').values({ id, name, body: null }).execute();
  const ids = async (from = db): Promise<number[]> =>
    (await from.reader<Tables>().selectFrom('item').select('id').orderBy('id').execute()).map((row) => row.id);
  const commits = async (): Promise<number> => {
    const [row] = await database.run(`select count(distinct xmin::text)::int as n from ragwarden.item`);
    return Number(row?.n);
  };

  test('units that wait together share a commit, run one at a time and are undone one by one', async () => {
    let running = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 90 }, (_, id) =>
        db.unit(async (tx) => {
          running += 1;
          expect(running).toBe(1);
          await put(tx, id);
          running -= 1;
          if (id % 3 === 1) throw new Error(`no ${id}`);
          return id;
        }),
      ),
    );
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message))).toEqual(
      Array.from({ length: 90 }, (_, id) => (id % 3 === 1 ? `no ${id}` : id)),
    );
    expect(await ids()).toEqual(Array.from({ length: 90 }, (_, id) => id).filter((id) => id % 3 !== 1));
    // Each unit has a transaction number of its own; those of one commit follow each other without another in between.
    expect(await commits()).toBe(60);
  });

  test('a statement that is refused undoes its unit alone, also when the unit goes on after it', async () => {
    const [first, second, swallowing, last] = await Promise.allSettled([
      db.unit((tx) => put(tx, 1)),
      db.unit(async (tx) => {
        await put(tx, 2);
        await put(tx, 1);
      }),
      db.unit(async (tx) => {
        await put(tx, 3);
        await put(tx, 1).catch(() => undefined);
      }),
      db.unit((tx) => put(tx, 4)),
    ]);
    expect([first?.status, last?.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(second?.status === 'rejected' && isDuplicateKey(second.reason)).toBe(true);
    expect(swallowing).toMatchObject({ status: 'rejected' });
    // As the last of its commit as well.
    const lastOne = db.unit(async (tx) => {
      await put(tx, 5);
      await put(tx, 1).catch(() => undefined);
    });
    await expect(lastOne).rejects.toThrow('went on');
    expect(await ids()).toEqual([1, 4]);
  });

  test('what follows a commit runs after it, in order; a unit inside a unit and one used after its end are refused', async () => {
    const seen: string[] = [];
    let kept: Tx | undefined;
    await Promise.allSettled([
      db.unit(async (tx) => {
        kept = tx;
        await put(tx, 1);
        tx.afterCommit(() => seen.push('a'));
        tx.afterCommit(() => seen.push('b'));
      }),
      db.unit(async (tx) => {
        tx.afterCommit(() => seen.push('undone'));
        throw new Error('undone');
      }),
      db.unit(async (tx) => {
        tx.afterCommit(() => seen.push('c'));
      }),
    ]);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(() => kept?.as<Tables>()).toThrow('after its end');
    await expect(db.unit(() => db.unit((tx) => put(tx, 2)))).rejects.toThrow('inside another');
  });

  test('readers see what is committed and cannot write', async () => {
    await db.unit(async (tx) => {
      await put(tx, 1);
      expect(await ids()).toEqual([]);
    });
    expect(await ids()).toEqual([1]);
    const write = db.reader<Tables>().insertInto('item').values({ id: 2, name: null, body: null }).execute();
    await expect(write).rejects.toMatchObject({ code: 'storage/unavailable' });
  });

  test('values come back as on SQLite: whole numbers, any text, bytes; anything else is refused', async () => {
    const names = ['', "'; drop table item; --", 'ünï 🗂 \u202e', 'zero \0 inside', '\x1a', '\x1a0', '\n\r\t'];
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    await db.unit(async (tx) => {
      for (const [id, name] of names.entries())
        await tx
          .as<Tables>()
          .insertInto('item')
          .values({ id: Number.MAX_SAFE_INTEGER - id, name, body })
          .execute();
    });
    const rows = await db.reader<Tables>().selectFrom('item').selectAll().orderBy('id', 'desc').execute();
    expect(rows).toEqual(names.map((name, id) => ({ id: Number.MAX_SAFE_INTEGER - id, name, body })));
    const { total, most, any } = await db
      .reader<Tables>()
      .selectFrom('item')
      .select((eb) => [
        eb.fn.countAll<number>().as('total'),
        eb.fn.max('id').as('most'),
        eb.fn.sum<number>(eb.lit(2)).as('any'),
      ])
      .executeTakeFirstOrThrow();
    expect([total, most, any]).toEqual([names.length, Number.MAX_SAFE_INTEGER, 2 * names.length]);
    for (const wrong of [new Date(0), { a: 1 }, [1], true])
      await expect(db.unit((tx) => put(tx, 1, wrong as unknown as string))).rejects.toThrow('cannot be stored');
    await database.run('insert into ragwarden.item (id) values (9007199254740993)');
    await expect(ids()).rejects.toThrow('too large');
  });

  test('two processes that number what they write leave no gap and no number twice', async () => {
    const other = await open({ instance: 'other' });
    const next = (from: OpenDatabase, undone: boolean) =>
      from.unit(async (tx) => {
        const { last } = await tx
          .as<Tables>()
          .selectFrom('item')
          .select((eb) => eb.fn.max('id').as('last'))
          .executeTakeFirstOrThrow();
        await put(tx, Number(last ?? 0) + 1);
        if (undone) throw new Error('undone');
      });
    // An undone unit leaves its number to the next one, whichever process that is in.
    const kept: number[] = [];
    for (let round = 0; round < 10; round += 1) {
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => next(i % 2 === 0 ? db : other, i % 5 === 4)),
      );
      kept.push(results.filter(({ status }) => status === 'fulfilled').length);
    }
    expect(kept).toEqual(Array.from({ length: 10 }, () => 16));
    expect(await ids()).toEqual(Array.from({ length: 160 }, (_, i) => i + 1));
  });

  test('a lock that somebody holds is told in time, and writes go on afterwards', async () => {
    const other = await open({ instance: 'other' });
    const inside = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const holding = other.unit(async (tx) => {
      await put(tx, 1);
      inside.resolve();
      await release.promise;
    });
    await inside.promise;
    await expect(db.unit((tx) => put(tx, 2))).rejects.toMatchObject({ code: 'storage/unavailable' });
    release.resolve();
    await holding;
    await db.unit((tx) => put(tx, 3));
    expect(await ids()).toEqual([1, 3]);
  });

  test('a broken connection is replaced: idle ones without a word, one in a unit with a clear refusal and nothing kept', async () => {
    const cut = () =>
      database.run(
        `select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name like 'ragwarden %' and datname = current_database()`,
      );
    await db.unit((tx) => put(tx, 1));
    expect(await ids()).toEqual([1]);
    await cut();
    expect(await ids()).toEqual([1]);
    await db.unit((tx) => put(tx, 2));
    const broken = db.unit(async (tx) => {
      await put(tx, 3);
      await cut();
      await put(tx, 4);
    });
    await expect(broken).rejects.toMatchObject({ code: 'storage/unavailable' });
    await db.unit((tx) => put(tx, 5));
    expect(await ids()).toEqual([1, 2, 5]);
  });

  test('a commit whose answer never arrives is looked up, and told as it ended', async () => {
    const gate = await cuttingGate(database.url);
    ends.push(() => gate.close());
    const through = await open({ url: gate.url, instance: 'through' });
    await through.unit((tx) => put(tx, 1));
    // The server gets the commit and carries it out; its answer is lost with the connection.
    gate.cutOn('answer-to-commit');
    const hooks: number[] = [];
    await through.unit(async (tx) => {
      await put(tx, 2);
      tx.afterCommit(() => hooks.push(2));
    });
    expect(hooks).toEqual([2]);
    expect(await ids()).toEqual([1, 2]);
    // The server never gets it.
    gate.cutOn('commit');
    await expect(through.unit((tx) => put(tx, 3))).rejects.toMatchObject({ code: 'storage/unavailable' });
    await through.unit((tx) => put(tx, 4));
    expect(await ids()).toEqual([1, 2, 4]);
  });

  test('a server that falls silent is given up in time', async () => {
    const gate = await cuttingGate(database.url);
    ends.push(() => gate.close());
    const through = await open({ url: gate.url, instance: 'through', timeouts: { answerMs: 300, connectMs: 300 } });
    gate.cutOn('silence');
    await expect(ids(through)).rejects.toMatchObject({ code: 'storage/unavailable' });
    await expect(through.unit((tx) => put(tx, 1))).rejects.toMatchObject({ code: 'storage/unavailable' });
    gate.cutOn('nothing');
    await through.unit((tx) => put(tx, 2));
    expect(await ids(through)).toEqual([2]);
  });

  test('a second process of the same instance is refused, and gets the name when the first has ended', async () => {
    const first = await open({ alone: true });
    await expect(open({ alone: true })).rejects.toMatchObject({
      code: 'storage/instance-in-use',
      detail: expect.stringContaining('RAGWARDEN_INSTANCE'),
    });
    await (await open({ alone: true, instance: 'two' })).close();
    await first.close();
    await (await open({ alone: true })).close();
  });

  test('after its connection broke an instance goes on, unless another took its name meanwhile', async () => {
    const first = await open({ alone: true });
    const cut = () =>
      database.run(
        `select count(pg_terminate_backend(l.pid)) from pg_locks l join pg_stat_activity a using (pid)
         where l.locktype = 'advisory' and a.datname = current_database()`,
      );
    await cut();
    await first.unit((tx) => put(tx, 1));
    await cut();
    const second = await open({ alone: true });
    await expect(first.unit((tx) => put(tx, 2))).rejects.toMatchObject({ code: 'storage/instance-in-use' });
    await second.unit((tx) => put(tx, 3));
    expect(await ids()).toEqual([1, 3]);
  });

  test('everything lies in one schema, and a schema newer than the code is refused and left as it is', async () => {
    const places = await database.run(
      `select distinct schemaname from pg_tables where schemaname !~ '^pg_' and schemaname <> 'information_schema'`,
    );
    expect(places).toEqual([{ schemaname: 'ragwarden' }]);
    const two = { ...steps, '0002_more': { up: async () => undefined } };
    expect(await migrate(db, two)).toEqual(['0002_more']);
    await expect(migrate(db, steps)).rejects.toMatchObject({
      code: 'storage/schema-newer',
      detail: expect.stringContaining('0002_more'),
    });
    expect(await migrate(db, two)).toEqual([]);
  });

  test('a step that fails leaves nothing of itself or of the steps before it, and its retry works', async () => {
    const creates = (table: string): MigrationList[string] => ({
      up: (to) => to.schema.createTable(table).addColumn('id', 'integer').execute(),
    });
    const broken: MigrationList = {
      ...steps,
      '0002_two': creates('two'),
      '0003_broken': {
        async up(to) {
          await creates('three').up(to);
          throw new Error('the third step fails');
        },
      },
    };
    await expect(migrate(db, broken)).rejects.toThrow('the third step fails');
    expect(await migrate(db, { ...broken, '0003_broken': creates('three') })).toEqual(['0002_two', '0003_broken']);
    await db.unit((tx) => put(tx, 1));
  });

  test('a copy is one consistent SQLite file while writes go on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ragwarden-copy-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const body = Uint8Array.from([0, 1, 255]);
    await db.unit((tx) => tx.as<Tables>().insertInto('item').values({ id: 1, name: 'zero \0', body }).execute());
    const writes = Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        db.unit(async (tx) => {
          await put(tx, 100 + 2 * i);
          await put(tx, 101 + 2 * i);
        }),
      ),
    );
    await db.copyTo(join(folder, 'copy.sqlite'));
    await writes;
    const copied = new DatabaseSync(join(folder, 'copy.sqlite'), { readOnly: true });
    expect(copied.prepare('select name, body from item where id = 1').get()).toEqual({ name: 'zero \0', body });
    expect(Number(copied.prepare('select count(*) as n from item').get()?.n) % 2).toBe(1);
    copied.close();
  });

  test.each([
    ['a wrong password', (url: string) => url.replace(/:[^:@]+@/, ':wrong@'), 'password'],
    ['no such database', (url: string) => url.replace(/\/[^/]+$/, '/nowhere'), 'no such database'],
    ['no server', (url: string) => url.replace(/:\d+\//, ':1/'), 'does not answer'],
  ])('%s is told without the password', async (_what, change, told) => {
    const failed = await open({ url: change(database.url) }).catch((err: unknown) => err);
    expect(failed).toMatchObject({ code: 'storage/unavailable', detail: expect.stringContaining(told) });
    expect(JSON.stringify([failed, String(failed), (failed as Error).stack])).not.toMatch(/p%40ss|p@ss|wrong/);
  });

  test('a password with every special character opens the server, encoded or as it is', async () => {
    const raw = database.url.replace(/:[^:@]+@/, ':p@ss/w:rd%2540?#@');
    for (const url of [database.url, raw, database.url.replace('postgresql:', 'postgresql+psycopg2:')]) {
      const place = readDatabaseUrl(`${url}?sslmode=disable`);
      expect(place).toMatchObject({ kind: 'postgres' });
      if ('url' in place) await (await open({ url: place.url, instance: 'x' })).close();
    }
  });
});

/** Something between us and the server that can fail where a network fails. */
async function cuttingGate(url: string): Promise<{
  url: string;
  cutOn(what: 'nothing' | 'commit' | 'answer-to-commit' | 'silence'): void;
  close(): Promise<void>;
}> {
  const target = new URL(url);
  let cut: 'nothing' | 'commit' | 'answer-to-commit' | 'silence' = 'nothing';
  const sockets = new Set<Socket>();
  const { connect } = await import('node:net');
  const server: Server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    sockets.add(client).add(upstream);
    let dropped = false;
    client.on('data', (chunk) => {
      const commit = chunk.includes('; commit');
      if (cut === 'silence') return;
      if (commit && cut === 'commit') {
        cut = 'nothing';
        client.destroy();
        upstream.destroy();
        return;
      }
      if (commit && cut === 'answer-to-commit') {
        cut = 'nothing';
        dropped = true;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (dropped) {
        client.destroy();
        upstream.destroy();
      } else if (cut !== 'silence') client.write(chunk);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: url.replace(`:${target.port}/`, `:${port}/`),
    cutOn(what) {
      cut = what;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
