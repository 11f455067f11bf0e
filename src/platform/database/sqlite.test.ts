import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logging.ts';
import { copyBeforeMigration, isDuplicateKey, openSqlite, type Tx } from './index.ts';

type Tables = { item: { id: number; name: string | null } };

let folder: string;
let path: string;
let db: ReturnType<typeof openSqlite>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-sqlite-'));
  path = join(folder, 'state.sqlite');
  db = openSqlite({ name: 'state', path, synchronous: 'NORMAL', log: silentLogger, lockTimeoutMs: 100 });
  await db.writer.schema
    .createTable('item')
    .addColumn('id', 'integer', (col) => col.primaryKey())
    .addColumn('name', 'text')
    .execute();
});
afterEach(async () => {
  await db.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = (tx: Tx, id: number, name: string | null = null) =>
  tx.as<Tables>().insertInto('item').values({ id, name }).execute();
const ids = async (): Promise<number[]> =>
  (await db.reader<Tables>().selectFrom('item').select('id').orderBy('id').execute()).map((row) => row.id);
/** Grows by one with each commit that changed something, as other connections see it. */
function commitCounter(): () => number {
  const watcher = new DatabaseSync(path, { readOnly: true });
  const version = (): number => Number(watcher.prepare('pragma data_version').get()?.data_version);
  const start = version();
  return () => version() - start;
}

test('units that wait together share a commit', async () => {
  const commits = commitCounter();
  let running = 0;
  await Promise.all(
    Array.from({ length: 200 }, (_, id) =>
      db.unit(async (tx) => {
        running += 1;
        expect(running).toBe(1);
        await put(tx, id);
        running -= 1;
      }),
    ),
  );
  expect(await ids()).toHaveLength(200);
  // A loaded machine may close a commit early; one each would be 200.
  expect(commits()).toBeLessThan(100);
});

test('a unit that fails is undone and leaves the others of its commit', async () => {
  const results = await Promise.allSettled(
    Array.from({ length: 9 }, (_, id) =>
      db.unit(async (tx) => {
        await put(tx, id);
        if (id % 3 === 1) throw new Error(`no ${id}`);
        return id;
      }),
    ),
  );
  expect(await ids()).toEqual([0, 2, 3, 5, 6, 8]);
  expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message))).toEqual([
    0,
    'no 1',
    2,
    3,
    'no 4',
    5,
    6,
    'no 7',
    8,
  ]);
});

test('a statement that is refused undoes its unit alone, and a duplicate key can be told', async () => {
  const [first, second, third] = await Promise.allSettled([
    db.unit((tx) => put(tx, 1, 'first')),
    db.unit(async (tx) => {
      await put(tx, 2);
      await put(tx, 1, 'second');
    }),
    db.unit((tx) => put(tx, 3)),
  ]);
  expect([first?.status, third?.status]).toEqual(['fulfilled', 'fulfilled']);
  expect(second?.status === 'rejected' && isDuplicateKey(second.reason)).toBe(true);
  expect(await ids()).toEqual([1, 3]);
});

test('a unit that throws before its first await is undone too', async () => {
  const broken = db.unit(() => {
    throw new Error('at once');
  });
  await expect(broken).rejects.toThrow('at once');
  await db.unit((tx) => put(tx, 1));
  expect(await ids()).toEqual([1]);
});

test('what follows a commit runs after it, in order, and not for an undone unit', async () => {
  const order: string[] = [];
  const reader = new DatabaseSync(path, { readOnly: true });
  const unit = (id: number, fail = false) =>
    db.unit(async (tx) => {
      await put(tx, id);
      for (const part of ['a', 'b'])
        tx.afterCommit(() => {
          const stands = reader.prepare('select 1 as stands from item where id = ?').get(id)?.stands === 1;
          order.push(`${id}${part} ${stands}`);
        });
      if (fail) throw new Error('undone');
    });
  const first = unit(1).then(() => order.push('1 done'));
  await Promise.allSettled([first, unit(2, true), unit(3)]);
  expect(order.filter((entry) => entry !== '1 done')).toEqual(['1a true', '1b true', '3a true', '3b true']);
  expect(order.indexOf('1 done')).toBeGreaterThan(order.indexOf('1b true'));
  reader.close();
});

test('a hook that throws harms neither its unit nor the others', async () => {
  const seen: number[] = [];
  await Promise.all([
    db.unit(async (tx) => {
      await put(tx, 1);
      tx.afterCommit(() => {
        throw new Error('broken hook');
      });
    }),
    db.unit(async (tx) => {
      await put(tx, 2);
      tx.afterCommit(() => seen.push(2));
    }),
  ]);
  expect(await ids()).toEqual([1, 2]);
  expect(seen).toEqual([2]);
});

test('a unit inside a unit is refused, and one started after it is not', async () => {
  await expect(db.unit(() => db.unit((tx) => put(tx, 1)))).rejects.toThrow('inside another');
  const later = Promise.withResolvers<void>();
  await db.unit(async (tx) => {
    await put(tx, 2);
    tx.afterCommit(() => db.unit((inner) => put(inner, 3)).then(() => later.resolve(), later.reject));
  });
  await later.promise;
  // What a unit set off and left running may write once the unit is over.
  const released = Promise.withResolvers<void>();
  let detached: Promise<unknown> | undefined;
  await db.unit(async () => {
    detached = released.promise.then(() => db.unit((tx) => put(tx, 4)));
  });
  released.resolve();
  await detached;
  expect(await ids()).toEqual([2, 3, 4]);
});

test('a unit cannot be used after its end', async () => {
  let kept: Tx | undefined;
  await db.unit(async (tx) => {
    kept = tx;
  });
  expect(() => kept?.as<Tables>()).toThrow('after its end');
});

test('readers see what is committed, the unit sees its own writes', async () => {
  const seen: number[][] = [];
  await db.unit(async (tx) => {
    await put(tx, 1);
    await turn();
    seen.push(await ids());
    seen.push((await tx.as<Tables>().selectFrom('item').select('id').execute()).map((row) => row.id));
  });
  seen.push(await ids());
  expect(seen).toEqual([[], [1], [1]]);
});

test('the reader cannot write', async () => {
  await expect(db.reader<Tables>().insertInto('item').values({ id: 1, name: null }).execute()).rejects.toThrow(
    /readonly/,
  );
});

test.each([
  ['a date', new Date(0)],
  ['an object', { a: 1 }],
  ['an array', [1]],
  ['a boolean', true],
])('%s is refused instead of stored as something else', async (_what, value) => {
  // The types refuse it as well; this is for values whose type is wrong.
  const bound = db.unit((tx) => put(tx, 1, value as unknown as string));
  await expect(bound).rejects.toThrow('cannot be stored');
  expect(await ids()).toEqual([]);
});

test('any text comes back as it went in', async () => {
  const names = ['', "'; drop table item; --", 'ünï 🗂 \u202e', 'zero \0 inside', '\n\r\t'];
  await db.unit(async (tx) => {
    for (const [id, name] of names.entries()) await put(tx, id, name);
  });
  const rows = await db.reader<Tables>().selectFrom('item').select('name').orderBy('id').execute();
  expect(rows.map((row) => row.name)).toEqual(names);
});

test('a lock held elsewhere is said to be one, and writes go on afterwards', async () => {
  const other = new DatabaseSync(path);
  other.exec('begin immediate');
  await expect(db.unit((tx) => put(tx, 1))).rejects.toMatchObject({ code: 'storage/unavailable' });
  other.exec('rollback');
  other.close();
  await db.unit((tx) => put(tx, 2));
  expect(await ids()).toEqual([2]);
});

test('a file that somebody else writes to is opened without waiting for them', async () => {
  const other = new DatabaseSync(path);
  other.exec('begin immediate');
  const beside = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger, lockTimeoutMs: 0 });
  expect(await beside.reader<Tables>().selectFrom('item').select('id').execute()).toEqual([]);
  other.exec('rollback');
  other.close();
  await beside.close();
});

test('a copy is one consistent state while writes go on', async () => {
  await db.unit((tx) => put(tx, 1));
  const copy = join(folder, 'copy.sqlite');
  const writes = Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      db.unit(async (tx) => {
        await put(tx, 100 + 2 * i);
        await put(tx, 101 + 2 * i);
      }),
    ),
  );
  await db.copyTo(copy);
  await writes;
  const copied = new DatabaseSync(copy, { readOnly: true });
  expect(copied.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
  expect(Number(copied.prepare('select count(*) as n from item').get()?.n) % 2).toBe(1);
  copied.close();
});

test('closing lets the waiting units finish and refuses later ones', async () => {
  const waiting = Array.from({ length: 20 }, (_, id) => db.unit((tx) => put(tx, id)));
  await db.close();
  await Promise.all(waiting);
  await expect(db.unit((tx) => put(tx, 99))).rejects.toMatchObject({ code: 'internal/stopping' });
  await db.close();
  const again = new DatabaseSync(path, { readOnly: true });
  expect(again.prepare('select count(*) as n from item').get()).toEqual({ n: 20 });
  again.close();
});

test('a file that is no database, and one that is cut off, are told as damaged when they are opened', async () => {
  const open = (file: string) => () =>
    openSqlite({ name: 'state', path: file, synchronous: 'NORMAL', log: silentLogger, lockTimeoutMs: 100 });
  const foreign = join(folder, 'foreign.sqlite');
  writeFileSync(foreign, 'x'.repeat(20_000));
  expect(open(foreign)).toThrow(expect.objectContaining({ code: 'storage/damaged' }));
  const half = join(folder, 'half.sqlite');
  await Promise.all(Array.from({ length: 50 }, (_, id) => db.unit((tx) => put(tx, id, 'x'.repeat(2_000)))));
  await db.close();
  writeFileSync(half, readFileSync(path).subarray(0, 20_000));
  expect(() => copyBeforeMigration(half, {}, systemClock, silentLogger)).toThrow(
    expect.objectContaining({ code: 'storage/damaged', message: expect.stringContaining('the half database') }),
  );
  db = openSqlite({ name: 'state', path, synchronous: 'NORMAL', log: silentLogger, lockTimeoutMs: 100 });
});

test('what made a migration fail is told, also when SQLite rolled it back by itself', async () => {
  const raised = new Error('disk full, say');
  await expect(
    db.writer.transaction().execute(async (tx) => {
      await sql`rollback`.execute(tx);
      throw raised;
    }),
  ).rejects.toBe(raised);
});
