import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../../test/setup/free-port.ts';
import { hasPart } from '../../../test/setup/parts.ts';
import { startRedis, type TestRedis } from '../../../test/setup/redis-server.ts';
import { openRedis, readRedisUrl } from '../../backup/index.ts';
import { systemClock } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import { createRedisLook } from './redis-look.ts';

const patientMs = 20_000;
const key = 'ragwarden:health:test';

const lookOf = (url: string, ms = patientMs) => {
  const look = createRedisLook({
    clock: systemClock,
    key: () => key,
    async open(signal) {
      const asCause = (cause: string, err: unknown) => new AppError('outgoing/failed', cause, { cause: err });
      const opened = await openRedis(readRedisUrl(url), signal, asCause, { ms });
      return { call: (command, ...args) => opened.redis.call(command, ...args), close: opened.close };
    },
  });
  return () => look(new AbortController().signal);
};

/** A server that says one thing to whatever it is asked; nothing when there is nothing to say. */
async function answering(line: string | undefined): Promise<{ url: string; close(): void }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (asked: Buffer) => {
      const commands = asked.toString().match(/^\*\d+\r$/gm) ?? [];
      if (line !== undefined) socket.write(`${line}\r\n`.repeat(commands.length));
    });
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/0`,
    close: () => server.close(),
  };
}

describe.skipIf(!hasPart('redis'))('a Redis that is looked at', () => {
  let server: TestRedis;
  let admin: Redis;
  beforeAll(async () => {
    server = await startRedis();
    admin = new Redis(server.url());
    admin.on('error', () => undefined);
  });
  afterAll(async () => {
    admin?.disconnect();
    await server?.remove();
  });

  test('is healthy with the figures of the documents, and keeps nothing of ours', async () => {
    const look = lookOf(server.url());
    await look();
    await admin.set('acme_full_docs:1', '{}');
    for (const name of ['acme_full_docs:1', 'acme_full_docs:1', 'gone']) await admin.get(name);
    const found = await look();
    expect(found).toMatchObject({
      status: 'healthy',
      checks: { connection: { status: 'healthy' }, performance: { status: 'healthy' } },
      // No limit: nothing that it could be a share of.
      metrics: { memory: { max_memory_mb: 0, memory_utilization: null } },
      details: { role: 'master', maxmemory_policy: 'noeviction' },
    });
    // Since the look before, without our own key.
    expect(found.metrics?.performance?.hit_rate).toBeCloseTo(2 / 3, 4);
    expect(found.metrics?.performance?.miss_rate).toBeCloseTo(1 / 3, 4);
    const info = (await admin.info()).split('\r\n');
    const told = (name: string): number => Number(info.find((line) => line.startsWith(`${name}:`))?.split(':')[1]);
    expect(found.metrics?.memory?.used_memory_mb).toBeCloseTo(told('used_memory') / 2 ** 20, 0);
    expect(found.metrics?.performance?.total_operations).toBeGreaterThan(5);
    expect(found.metrics?.performance?.total_operations).toBeLessThan(told('total_commands_processed'));
    expect(found.checks?.connection?.ping_time).toBeGreaterThan(0);
    expect(found.checks?.performance?.operation_time).toBeGreaterThan(0);
    expect(await admin.exists(key)).toBe(0);
    expect(await admin.exists('acme_full_docs:1')).toBe(1);
  });

  test('may delete any key when memory is short: critical, whatever else is well', async () => {
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const found = await lookOf(server.url())();
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    expect(found).toMatchObject({ status: 'critical', message: expect.stringContaining('allkeys-lru') });
    expect((await lookOf(server.url())()).status).toBe('healthy');
  });

  test('deleted keys since the last look', async () => {
    const look = lookOf(server.url());
    await look();
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
    await admin.config('SET', 'maxmemory', String(used + 2 ** 20));
    for (let i = 0; i < 400; i += 1) await admin.set(`short:${i}`, 'x'.repeat(8_192), 'EX', 600);
    const found = await look();
    await admin.config('SET', 'maxmemory', '0');
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    expect(found).toMatchObject({ status: 'critical', message: expect.stringMatching(/deleted \d+ keys/) });
  });

  test('is out of memory: what is there is read, nothing is written', async () => {
    await admin.config('SET', 'maxmemory', '1');
    const found = await lookOf(server.url())();
    await admin.config('SET', 'maxmemory', '0');
    expect(found).toMatchObject({
      status: 'unhealthy',
      message: expect.stringContaining('out of memory'),
      blocks: ['ingest'],
      checks: { performance: { status: 'unhealthy', operation_time: null } },
    });
  });

  test('cannot write to its disk, which is full: it takes no writes until it can again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ragwarden-full-redis-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'ragwarden-test', folder], { stdio: 'ignore' });
    } catch {
      process.stderr.write('SKIPPED: mounting a small tmpfs needs root; a Redis on a full disk was not tested\n');
      rmSync(folder, { recursive: true });
      return;
    }
    const full = await startRedis('--dir', folder);
    const its = new Redis(full.url());
    its.on('error', () => undefined);
    const saved = async (word: string): Promise<void> => {
      await its.bgsave();
      await expect
        .poll(() => its.info('persistence'))
        .toMatch(new RegExp(`rdb_bgsave_in_progress:0[\\s\\S]*rdb_last_bgsave_status:${word}`));
    };
    try {
      const ballast = join(folder, 'ballast');
      expect(() => writeFileSync(ballast, Buffer.alloc(2 ** 17))).toThrow('ENOSPC');
      await its.config('SET', 'save', '3600 1');
      await saved('err');
      expect(await lookOf(full.url())()).toMatchObject({
        status: 'unhealthy',
        message: expect.stringMatching(/cannot write to its disk.*Its last write to disk failed/),
        blocks: ['ingest'],
      });
      rmSync(ballast);
      await saved('ok');
      expect((await lookOf(full.url())()).status).toBe('healthy');
    } finally {
      its.disconnect();
      await full.remove();
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true });
    }
  });

  test('became a replica in a failover, which takes no writes', async () => {
    await admin.replicaof('127.0.0.1', await freePort());
    const found = await lookOf(server.url())();
    await admin.replicaof('NO', 'ONE');
    expect(found).toMatchObject({
      status: 'unhealthy',
      message: expect.stringMatching(/takes no writes.*lost its primary/),
      blocks: ['ingest'],
    });
  });

  test('refuses the password, and is out of connections', async () => {
    await admin.config('SET', 'requirepass', 'secret');
    const without = await lookOf(server.url())();
    const wrong = await lookOf(server.url({ password: 'other' }))();
    expect(without).toMatchObject({ status: 'unhealthy', message: expect.stringContaining('wants a password') });
    expect(wrong).toMatchObject({ status: 'unhealthy', message: expect.stringContaining('refuses the password') });
    expect(await lookOf(server.url({ password: 'secret' }))()).toMatchObject({ status: 'healthy' });
    await admin.config('SET', 'requirepass', '');
    await admin.config('SET', 'maxclients', '1');
    const full = await lookOf(server.url())();
    await admin.config('SET', 'maxclients', '100');
    // The server hangs up with the reason, which the end of the connection may overtake.
    expect(full).toMatchObject({
      status: 'unhealthy',
      message: expect.stringMatching(/out of connections|was closed|was reset/),
    });
  });

  test('is paused, then gone, then back', async () => {
    process.kill(server.pid(), 'SIGSTOP');
    const paused = await lookOf(server.url(), 300)();
    process.kill(server.pid(), 'SIGCONT');
    expect(paused).toMatchObject({ status: 'unhealthy', message: expect.stringMatching(/says nothing|not answer/) });
    await server.kill();
    expect(await lookOf(server.url())()).toMatchObject({
      status: 'unhealthy',
      message: 'It cannot be reached: nobody listens there.',
    });
    await server.again();
    expect((await lookOf(server.url())()).status).toBe('healthy');
  });

  test.each([
    [
      'loads its data',
      '-LOADING Redis is loading the dataset in memory',
      'It is loading its data and answers nothing yet.',
    ],
    ['has lost its primary', '-MASTERDOWN Link with MASTER is down', 'It is a replica that has lost its primary.'],
    ['never says a word', undefined, 'It takes the connection, if at all, and says nothing.'],
  ])('that %s', async (_, line, message) => {
    const fake = await answering(line);
    const found = await lookOf(fake.url, line === undefined ? 300 : patientMs)();
    fake.close();
    expect(found).toMatchObject({ status: 'unhealthy', message });
  });

  test('whose name cannot be resolved', async () => {
    expect(await lookOf('redis://no-such-host.invalid:6379/0')()).toMatchObject({
      status: 'unhealthy',
      message: expect.stringMatching(/name (is not known|cannot be resolved)/),
    });
  });
});
