import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { createTestDatabase } from '../../migrations/test-databases.ts';
import { silentLogger } from '../logging.ts';
import { openSqlite } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-faults-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fixture = (name: string): string => join(import.meta.dirname, name);

test('a killed process leaves every acknowledged unit, and none half', async () => {
  const path = join(folder, 'state.sqlite');
  const acknowledged: number[] = [];
  for (let round = 0; round < 6; round += 1) {
    const child = spawn(process.execPath, [fixture('unit-writer.fixture.ts'), path, String(round * 100_000)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    // At another point of the stream of commits each time.
    const killAfter = [1, 17, 60, 133, 250, 400][round] ?? 1;
    let seen = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(Number(line));
      seen += 1;
      if (seen === killAfter) child.kill('SIGKILL');
    }
    const [, signal] = await exited;
    expect(signal).toBe('SIGKILL');

    const database = new DatabaseSync(path);
    const rows = database.prepare('select unit, count(*) as parts from part group by unit').all();
    expect(database.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
    database.close();
    expect(rows.filter((row) => row.parts !== 3)).toEqual([]);
    const present = new Set(rows.map((row) => row.unit));
    expect(acknowledged.filter((unit) => !present.has(unit))).toEqual([]);
  }
});

/** Two processes that migrate what they are told, each time at once. */
async function migrateTwice(places: readonly string[]): Promise<void> {
  const children = [1, 2].map(() => {
    const child = spawn(process.execPath, [fixture('migrate.fixture.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return { child, lines, exited };
  });
  const answers = (): Promise<(string | undefined)[]> =>
    Promise.all(children.map(async ({ lines }) => (await lines.next()).value));
  expect(await answers()).toEqual(['ready', 'ready']);
  for (const place of places) {
    for (const { child } of children) child.stdin.write(`${place}\n`);
    expect((await answers()).map(String).sort()).toEqual(['0', '3']);
  }
  for (const { child } of children) child.stdin.end();
  await Promise.all(children.map(({ exited }) => exited));
}

test('two processes that migrate one new file at once both succeed, and each step runs once', async () => {
  const paths = Array.from({ length: 12 }, (_, round) => join(folder, `${round}.sqlite`));
  await migrateTwice(paths);
  for (const path of paths) {
    const database = new DatabaseSync(path, { readOnly: true });
    const names = database.prepare('select name from kysely_migration order by name').all();
    expect(names.map((row) => row.name)).toEqual(['0001_a', '0002_b', '0003_c']);
    database.close();
  }
});

test.skipIf(!hasPart('postgresql'))(
  'two processes that migrate one new database of a server at once both succeed, and each step runs once',
  async () => {
    const databases = await Promise.all(Array.from({ length: 6 }, createTestDatabase));
    await migrateTwice(databases.map(({ url }) => url));
    for (const database of databases) {
      const names = await database.run('select name from ragwarden.raced_migration order by name');
      expect(names.map((row) => row.name)).toEqual(['0001_a', '0002_b', '0003_c']);
      await database.remove();
    }
  },
);

/** A file system of a few megabytes, so that full is reached quickly. Undefined where mounting is not allowed. */
function mountSmall(): string | undefined {
  const mounted = join(folder, 'small');
  mkdirSync(mounted);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mounted], { stdio: 'ignore' });
    return mounted;
  } catch {
    return undefined;
  }
}

type Tables = { item: { id: number; body: Uint8Array } };

test.each([
  ['whose error is passed on', false],
  ['that goes on after the error', true],
])(
  'on a full disk a unit %s leaves nothing, what was acknowledged stays, and later writes work',
  async (_what, swallows) => {
    const mounted = mountSmall();
    if (mounted === undefined) {
      process.stderr.write('SKIPPED: mounting a small tmpfs needs root; a full disk was not tested\n');
      return;
    }
    try {
      const ballast = join(mounted, 'ballast');
      writeFileSync(ballast, Buffer.alloc(1_000_000));
      const path = join(mounted, 'state.sqlite');
      const db = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger });
      await db.writer.schema
        .createTable('item')
        .addColumn('id', 'integer', (col) => col.primaryKey())
        .addColumn('body', 'blob')
        .execute();
      const put = (id: number, rows = 1, bytes = 1_000): Promise<number> =>
        db.unit(async (tx) => {
          for (let row = 0; row < rows; row += 1)
            try {
              await tx
                .as<Tables>()
                .insertInto('item')
                .values({ id: id + row, body: new Uint8Array(bytes) })
                .execute();
            } catch (err) {
              if (!swallows) throw err;
            }
          return id;
        });
      const present = async (): Promise<number[]> =>
        (await db.reader<Tables>().selectFrom('item').select('id').orderBy('id').execute()).map((row) => row.id);

      expect(await put(1)).toBe(1);
      // Larger than the page cache, so that the disk refuses in the middle of the unit and not only at its commit.
      const results = await Promise.allSettled([put(2), put(100, 80, 64_000), put(3), put(1_000, 80, 64_000), put(4)]);
      for (const [index, result] of results.entries())
        if (result.status === 'rejected') expect([index, result.reason.code]).toEqual([index, 'storage/full']);
      expect(results[1]?.status).toBe('rejected');
      const acknowledged = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(await present()).toEqual([1, ...acknowledged].sort((a, b) => a - b));

      // Small units until even those find no room: the refusal then comes at the commit.
      let refused = false;
      let id = 10_000;
      for (; !refused && id < 14_000; id += 1)
        refused = await put(id, 1, 8_000).then(
          () => false,
          () => true,
        );
      expect(refused).toBe(true);
      const beforeSpace = await present();
      expect(beforeSpace).not.toContain(id - 1);

      rmSync(ballast);
      await put(20_000);
      expect(await present()).toEqual([...beforeSpace, 20_000]);
      await db.close();
      const again = new DatabaseSync(path);
      expect(again.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
      again.close();
    } finally {
      execFileSync('umount', ['-l', mounted], { stdio: 'ignore' });
    }
  },
);
