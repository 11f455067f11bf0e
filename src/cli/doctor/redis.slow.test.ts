import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { freePort } from '../../../test/setup/free-port.ts';
import { hasPart, programOf } from '../../../test/setup/parts.ts';
import { makeChecks } from './check.ts';
import { lookAtRedis } from './redis.ts';
import { subjectOf } from './test-subject.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-doctor-redis-'));
const running: ChildProcess[] = [];
afterAll(async () => {
  await Promise.all(
    running.map((child) => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      return ended;
    }),
  );
  rmSync(folder, { recursive: true, force: true });
});

const never = new AbortController().signal;

/** A real server of its own; resolves with its address when it takes connections. */
async function startRedis(...settings: string[]): Promise<string> {
  const port = await freePort();
  const child = spawn(
    programOf('redis'),
    ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--dbfilename', `${port}.rdb`, ...settings],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  running.push(child);
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stdout?.on('data', (text: Buffer) => {
      said += text.toString();
      if (said.includes('Ready to accept connections')) resolve();
    });
    child.once('exit', () => reject(new Error(`redis-server ended:\n${said}`)));
  });
  return `127.0.0.1:${port}`;
}

describe.skipIf(!hasPart('redis'))('a real Redis', () => {
  test('that may evict any key fails with the command that mends it', async () => {
    const place = await startRedis('--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru', '--save', '');
    const [eviction, persistence] = await lookAtRedis(`redis://${place}/0`, never);
    expect(eviction).toMatchObject({ verdict: 'fail', mend: expect.stringContaining('noeviction') });
    expect(eviction?.detail).toContain(`at ${place}: allkeys-lru`);
    expect(persistence).toMatchObject({ verdict: 'warn', detail: expect.stringContaining('loses everything') });
  });

  test('that evicts nothing and appends is well, and its password is never shown', async () => {
    const place = await startRedis(
      '--maxmemory-policy',
      'noeviction',
      '--appendonly',
      'yes',
      '--requirepass',
      's3cret',
    );
    expect(await lookAtRedis(`redis://:s3cret@${place}`, never)).toMatchObject([
      { verdict: 'ok', what: 'Redis eviction' },
      { verdict: 'ok', what: 'Redis persistence' },
    ]);
    const refused = await lookAtRedis(`redis://:wr0ngword@${place}`, never);
    expect(refused).toMatchObject([{ verdict: 'fail', detail: expect.stringMatching(/WRONGPASS|NOAUTH|invalid/) }]);
    expect(JSON.stringify(refused)).not.toContain('wr0ngword');
  });

  test('that evicts only keys with a TTL is well, and snapshots alone are told', async () => {
    const place = await startRedis('--maxmemory', '64mb', '--maxmemory-policy', 'volatile-lru', '--save', '3600 1');
    expect(await lookAtRedis(`redis://${place}`, never)).toMatchObject([
      { verdict: 'ok' },
      { verdict: 'warn', detail: expect.stringContaining('save 3600 1') },
    ]);
  });
});

test('nobody there, and an address that swallows everything, are told in time', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  try {
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    expect(await lookAtRedis(`redis://127.0.0.1:${await freePort()}`, never)).toMatchObject([{ verdict: 'fail' }]);
    const swallowed = await makeChecks(
      [{ id: 'redis', what: 'Redis', look: (_, signal) => lookAtRedis(`redis://127.0.0.1:${address.port}`, signal) }],
      subjectOf({}),
      { limitMs: 300, signal: never },
    );
    expect(swallowed).toMatchObject([{ verdict: 'warn', detail: 'no answer within 0.3 s' }]);
  } finally {
    silent.close();
  }
});
