import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test, vi } from 'vitest';
import type { Alerts } from '../alerts/index.ts';
import { createEventLog } from '../events/index.ts';
import { stateMigrations } from '../migrations/index.ts';
import { createTestNotify, firing, type TestNotify, webhook } from '../notify/test-notify.ts';
import { createOperations } from '../operations/index.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import type { Ground } from './ground.ts';
import { createOwnParts } from './own-parts.ts';

let made: TestNotify | undefined;
afterEach(async () => {
  await made?.remove();
  made = undefined;
});

async function open() {
  // Nobody listens there.
  made = await createTestNotify({ receivers: [webhook('ops', 'http://127.0.0.1:9/')], giveUpMs: 1_800_000 });
  const { state, clock, events } = made;
  const operations = createOperations({ db: state.db, clock, log: silentLogger, events, instance: 'main' });
  const ground = {
    config: {
      state: { place: { kind: 'sqlite', path: state.path }, instance: 'main' },
      alerts: { enabled: true },
      metrics: { enabled: true },
    },
    ...{ clock, db: state.db, eventLog: events, operations, logOf: () => silentLogger },
    // Only these settings are read.
  } as unknown as Ground;
  const evaluation = {
    evaluator: async () => 'main',
    lastFacts: () => ({ rules: 2, failed: 0, missed: 0, durationMs: 1, atMs: clock.now() }),
    job: { state: () => ({ intervalMs: 30_000 }) },
  };
  const { job, checks } = createOwnParts(ground, {
    ...{ outbox: made.outbox, startedMs: clock.now() },
    alerts: { evaluation } as unknown as Alerts,
  });
  const read = (name: string) => checks.find((check) => check.name === name)?.read();
  return { notify: made, state, clock, operations, job, checks, read };
}

test('are well after the start, and looked at again and again', async () => {
  const { clock, job, checks, read } = await open();
  expect(checks.map(({ name }) => name)).toEqual(['scheduler', 'outbox', 'alert evaluation', 'state database']);
  expect(checks.map((check) => check.read().status)).toEqual(Array(4).fill('healthy'));
  await job.runOnce();
  expect(read('state database')).toMatchObject({ status: 'healthy', observedUnit: 'ms' });
  expect(Number(read('state database')?.metrics?.storage?.database_size_mb)).toBeGreaterThan(0);
  expect(Number(read('state database')?.metrics?.storage?.free_space_mb)).toBeGreaterThan(0);
  expect(read('state database')?.checks).toEqual({
    connection: { status: 'healthy', response_time: expect.any(Number) },
    query_performance: { status: 'healthy', response_time: expect.any(Number) },
  });
  // Old words are no words.
  await clock.advance(300_001);
  expect(checks.map((check) => check.read().status)).toEqual(Array(4).fill('unknown'));
});

test('are looked at once when everything is looked at now, each by itself', async () => {
  const { operations, checks, job } = await open();
  const lastEnds = vi.spyOn(operations, 'lastEnds');
  await Promise.all([...checks, ...checks].map((check) => check.refresh?.(new AbortController().signal)));
  expect(lastEnds).toHaveBeenCalledTimes(1);
  expect(checks.every((check) => check.read().message !== 'It was begun; the first look follows.')).toBe(true);
  await job.runOnce();
  expect(lastEnds).toHaveBeenCalledTimes(2);
});

test('know what of the operations succeeded and failed last', async () => {
  const { clock, operations, job, read } = await open();
  const run = async (fails: boolean): Promise<void> => {
    const { id } = await operations.start({
      ...{ kind: 'backup.create', targetId: 'default', input: {}, requestedBy: 'schedule' },
      run: async () => {
        if (fails) throw new Error('the disk is gone');
      },
    });
    await operations.wait(id);
  };
  await run(true);
  await job.runOnce();
  expect(read('scheduler')).toMatchObject({ status: 'degraded' });
  await clock.advance(1_000);
  await run(false);
  await job.runOnce();
  expect(read('scheduler')).toMatchObject({
    status: 'healthy',
    details: { 'backup.create succeeded': new Date(clock.now()).toISOString() },
  });
  await operations.stop();
});

test('know that nobody takes what is to be told, and that it was given up', async () => {
  const { notify, job, read } = await open();
  await notify.tell(firing('disk'));
  await notify.pass(1_200_000, 60_000);
  await job.runOnce();
  expect(read('outbox')).toMatchObject({ status: 'degraded', details: { pending: 1, dead_letters_day: 0 } });
  await notify.pass(1_800_000, 60_000);
  await job.runOnce();
  expect(read('outbox')).toMatchObject({ status: 'degraded', details: { pending: 0, dead_letters_day: 1 } });
  // Whoever tries a way is told at once.
  await notify.outbox.test('alice', 'ops');
  await job.runOnce();
  expect(read('outbox')?.details).toMatchObject({ dead_letters_day: 1 });
});

test('know that the state cannot be written', async () => {
  const { state, job, read } = await open();
  await state.db.close();
  await job.runOnce();
  expect(read('state database')).toMatchObject({
    ...{ status: 'degraded', checks: { query_performance: { status: 'unhealthy', response_time: null } } },
  });
  await state.reopen();
});

test('know that the disk under the state is full, and that it is not any more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-full-state-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'ragwarden-test', folder], { stdio: 'ignore' });
  } catch {
    process.stderr.write('SKIPPED: mounting a small tmpfs needs root; the state on a full disk was not tested\n');
    rmSync(folder, { recursive: true });
    return;
  }
  const path = join(folder, 'state.sqlite');
  const db = openSqlite({ name: 'state', path, synchronous: 'FULL', log: silentLogger });
  try {
    await migrate(db, stateMigrations);
    const clock = createFakeClock();
    const ground = {
      config: { state: { place: { kind: 'sqlite', path }, instance: 'main' }, alerts: {}, metrics: {} },
      ...{ clock, db, eventLog: createEventLog({ db, clock, instance: 'main' }), logOf: () => silentLogger },
      // Only these parts of it are used.
    } as unknown as Ground;
    const unused = { outbox: undefined, alerts: undefined, startedMs: clock.now() };
    const { checks } = createOwnParts(ground, unused as never);
    const state = checks.find(({ name }) => name === 'state database');
    const look = async () => {
      // The same once more is nothing to write.
      await clock.advance(60_000);
      await state?.refresh?.(new AbortController().signal);
      return state?.read();
    };
    expect(await look()).toMatchObject({ status: 'healthy', message: 'It answers and takes writes.' });
    // What waits beside the file has room in it for a while: it is put away first.
    const beside = new DatabaseSync(path);
    beside.exec('pragma wal_checkpoint(truncate)');
    beside.close();
    const ballast = join(folder, 'ballast');
    expect(() => writeFileSync(ballast, Buffer.alloc(2 ** 23))).toThrow('ENOSPC');
    expect(await look()).toMatchObject({ status: 'degraded', message: expect.stringMatching(/space|full/i) });
    rmSync(ballast);
    expect(await look()).toMatchObject({ status: 'healthy' });
  } finally {
    await db.close();
    execFileSync('umount', ['-l', folder]);
    rmSync(folder, { recursive: true });
  }
});
