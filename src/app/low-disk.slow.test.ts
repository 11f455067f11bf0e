import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createEventLog } from '../events/index.ts';
import { metricsMigrations, stateMigrations } from '../migrations/index.ts';
import { createOperations } from '../operations/index.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createOwnLowDisk } from './own-growth.ts';

const asRootOnLinux = process.platform === 'linux' && process.getuid?.() === 0;
const mib = 1024 ** 2;

/** A file system of its own, as full as the test makes it. */
async function onSmallDisk(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-small-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', folder]);
  try {
    await run(folder);
  } finally {
    execFileSync('umount', ['-l', folder], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
  }
}

test.skipIf(!asRootOnLinux)(
  'a disk that fills: staging goes, then the oldest samples, events go on being written, and all comes back',
  () =>
    onSmallDisk(async (folder) => {
      const clock = createFakeClock();
      const open = async (name: 'state' | 'metrics') => {
        const db = openSqlite({ name, path: join(folder, `${name}.sqlite`), synchronous: 'FULL', log: silentLogger });
        await migrate(db, name === 'state' ? stateMigrations : metricsMigrations);
        return db;
      };
      const db = await open('state');
      const metricsDb = await open('metrics');
      const events = createEventLog({ db, clock, instance: 'main' });
      const operations = createOperations({ db, clock, log: silentLogger, events, instance: 'main' });
      const paused: boolean[] = [];
      const disk = createOwnLowDisk({
        drills: { running: () => 0, stopAll: async () => 0 },
        limits: () => ({
          warnPercent: 50,
          warnBytes: 30 * mib,
          actPercent: 25,
          actBytes: 12 * mib,
          hysteresisPercent: 25,
        }),
        db,
        metricsDb,
        samplesHere: true,
        pauseSamples: (on) => paused.push(on),
        events,
        operations,
        dataDir: folder,
        clock,
        log: silentLogger,
      });
      const told = async (): Promise<string[]> =>
        (await events.list({ types: ['system.*'], limit: 20, order: 'oldest-first' })).map((event) =>
          `${event.type} ${/Given up: (\w+ ?\w*)/.exec(event.message)?.[1] ?? ''}`.trim(),
        );
      type Blocks = { metric_block: { instance: string; tier: string; start_ms: number; payload: Uint8Array } };
      const blocks = async (): Promise<number[]> =>
        (
          await metricsDb.reader<Blocks>().selectFrom('metric_block').select('start_ms').orderBy('start_ms').execute()
        ).map((row) => Number(row.start_ms));
      const ballast = join(folder, 'ballast');
      const fill = (bytes: number): void => writeFileSync(ballast, Buffer.alloc(bytes));
      try {
        for (let i = 0; i < 10; i += 1)
          await metricsDb.unit(async (tx) => {
            await tx
              .as<Blocks>()
              .insertInto('metric_block')
              .values({ instance: 'main', tier: 'raw', start_ms: i, payload: Buffer.alloc(mib, i) })
              .execute();
          });
        await metricsDb.shrink?.();
        const staging = join(folder, 'staging', 'default', 'tree');
        mkdirSync(staging, { recursive: true });
        writeFileSync(join(staging, 'a'), Buffer.alloc(8 * mib));
        await disk.runOnce();
        expect(disk.status().level).toBe('enough');
        expect(() => disk.requireSpace('a point')).not.toThrow();

        // Of 64 MiB about 19 are used. Low: told, nothing goes.
        fill(25 * mib);
        await disk.runOnce();
        expect(await told()).toEqual(['system.disk-low']);
        expect(existsSync(staging)).toBe(true);

        // Staging is enough.
        fill(35 * mib);
        await disk.runOnce();
        expect(existsSync(staging)).toBe(false);
        expect(await blocks()).toHaveLength(10);
        expect(await told()).toEqual(['system.disk-low', 'system.disk-very-low staging']);
        expect([disk.status().level, paused]).toEqual(['low', []]);

        // No staging left: the oldest samples, and no more than needed.
        fill(42 * mib);
        await disk.runOnce();
        const left = await blocks();
        expect(left.length).toBeGreaterThan(0);
        expect(left.length).toBeLessThan(10);
        expect(left.at(-1)).toBe(9);
        expect((await told()).at(-1)).toBe('system.disk-very-low no samples');
        expect((await events.list({ limit: 1 }))[0]?.message).toContain('the oldest samples (');
        expect(paused).toEqual([true, false]);

        // More than all that can be given up: points are refused, events go on.
        fill(53 * mib);
        await disk.runOnce();
        expect(await blocks()).toEqual([]);
        expect(disk.status()).toMatchObject({ level: 'very-low' });
        expect(paused.at(-1)).toBe(true);
        expect(() => disk.requireSpace('a recovery point')).toThrow(/^storage\/full: .* a recovery point is not begun/);
        await db.unit((tx) => events.record(tx, { type: 'system.thing', severity: 'info', message: 'still written' }));
        expect((await events.list({ limit: 1 }))[0]?.message).toBe('still written');
        const before = await told();
        await disk.runOnce();
        expect(await told()).toEqual(before);

        rmSync(ballast);
        await disk.runOnce();
        expect((await told()).at(-1)).toBe('system.disk-enough');
        expect(disk.status()).toMatchObject({ level: 'enough', givenUp: [] });
        expect(paused.at(-1)).toBe(false);
        expect(() => disk.requireSpace('a point')).not.toThrow();
      } finally {
        await operations.stop();
        await db.close();
        await metricsDb.close();
      }
    }),
);
