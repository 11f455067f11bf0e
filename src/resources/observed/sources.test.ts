import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, expect, test } from 'vitest';
import { hasPart } from '../../../test/setup/parts.ts';
import { startRedis } from '../../../test/setup/redis-server.ts';
import { createPostgresSessionsSource } from './postgres-sessions-store.ts';
import { createProcessFinder, type NamedProcess } from './process-finder.ts';
import { createProcessReader } from './process-reader.ts';
import { createProcessSource } from './process-source.ts';
import { createRedisClientsSource } from './redis-clients-source.ts';

let ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  ends = [];
});
const { signal } = new AbortController();

test.skipIf(!hasPart('redis'))(
  'clients of a real Redis are counted, without the one that asks, which stays no longer than its question',
  async () => {
    const server = await startRedis();
    ends.push(() => server.remove());
    const connect = (): Redis => {
      const client = new Redis(server.url(), { maxRetriesPerRequest: 0, retryStrategy: () => null });
      client.on('error', () => undefined);
      return client;
    };
    const asking = createRedisClientsSource({
      name: 'redis of default',
      async connect() {
        const client = connect();
        return { info: () => client.info(), close: () => client.disconnect() };
      },
    });
    const count = async () => (await asking.look(signal)).map(({ measure, value }) => [measure, value]);
    await expect.poll(count).toEqual([['redis_clients', 0]]);
    const held = [connect(), connect(), connect()];
    ends.push(() => held.forEach((client) => void client.disconnect()));
    await Promise.all(held.map((client) => client.ping()));
    await expect.poll(count).toEqual([['redis_clients', 3]]);
    await server.kill();
    await expect(asking.look(signal)).rejects.toThrow();
  },
);

test('who looks for idle sessions of a database leaves none behind, whether it was answered or not', async () => {
  let open = 0;
  let fails = false;
  const source = createPostgresSessionsSource({
    name: 'database of default',
    async connect() {
      open += 1;
      return {
        async rows() {
          if (fails) throw new Error('the server is starting up');
          return [{ application: 'indexer', sessions: '7', idle: '2', up: '3600.5' }];
        },
        async close() {
          open -= 1;
        },
      };
    },
  });
  expect(await source.look(signal)).toEqual([
    { subject: 'database of default: indexer', measure: 'database_sessions', value: 7, upSeconds: 3600.5 },
    { subject: 'database of default: indexer', measure: 'idle_in_transaction', value: 2, upSeconds: 3600.5 },
  ]);
  expect(open).toBe(0);
  fails = true;
  await expect(source.look(signal)).rejects.toThrow('starting up');
  expect(open).toBe(0);
});

/** `/proc` as far as the finder reads it. */
function madeUpProcesses() {
  const root = mkdtempSync(join(tmpdir(), 'rw-proc-'));
  ends.push(() => rmSync(root, { recursive: true, force: true }));
  let nowMs = 0;
  const run = (pid: number, began: number, command: string): void => {
    mkdirSync(join(root, String(pid)), { recursive: true });
    // The name in brackets may hold anything; what is looked for is the twentieth word behind it.
    writeFileSync(join(root, String(pid), 'stat'), `${pid} (a) b) S ${Array(18).fill('0').join(' ')} ${began} 0`);
    writeFileSync(join(root, String(pid), 'cmdline'), command.replaceAll(' ', '\0'));
  };
  return {
    ...{ root, run },
    end: (pid: number) => rmSync(join(root, String(pid)), { recursive: true }),
    pass: (ms: number) => {
      nowMs += ms;
    },
    finder: (of: Omit<NamedProcess, 'name'>, holder?: () => number | undefined) =>
      createProcessFinder({
        of: { name: 'it', ...of },
        async portHolder() {
          const pid = holder?.();
          return pid === undefined ? undefined : { pid };
        },
        monotonic: () => nowMs,
        root,
      }),
  };
}

test('sockets of processes in one network are looked up once for all of them', () => {
  const root = mkdtempSync(join(tmpdir(), 'rw-proc-'));
  ends.push(() => rmSync(root, { recursive: true, force: true }));
  const network = (pid: number, name: string): void => {
    mkdirSync(join(root, String(pid), 'fd'), { recursive: true });
    mkdirSync(join(root, String(pid), 'ns'));
    mkdirSync(join(root, String(pid), 'net'));
    writeFileSync(join(root, String(pid), 'stat'), `${pid} (server) S ${Array(40).fill('1').join(' ')}`);
    symlinkSync('socket:[77]', join(root, String(pid), 'fd', '3'));
    symlinkSync(name, join(root, String(pid), 'ns', 'net'));
  };
  writeFileSync(join(root, 'uptime'), '100.00 50.00\n');
  network(40, 'net:[1]');
  network(41, 'net:[1]');
  network(42, 'net:[2]');
  // Told of the first alone: whoever shares its network is known by it, and nobody else.
  writeFileSync(join(root, '40', 'net', 'tcp'), 'sl …\n 0: a b 08 q t r 0 0 77 1\n');
  const reader = createProcessReader({ root, monotonic: () => 0 });
  expect([40, 41, 42].map((pid) => reader.read(pid)?.socketStates)).toEqual([{ close_wait: 1 }, { close_wait: 1 }, {}]);

  // Not read, which is not the same as none; looked up anew the next time.
  expect(reader.read(42)?.values).not.toHaveProperty('sockets_close_wait');
  writeFileSync(join(root, '42', 'net', 'tcp6'), 'sl …\n 0: a b 01 q t r 0 0 77 1\n');
  expect(reader.read(42)?.values).toMatchObject({ sockets: 1, sockets_close_wait: 0 });
  network(43, 'net:[3]');
  writeFileSync(join(root, '43', 'net', 'tcp'), ' '.repeat(2_097_153));
  expect(reader.read(43)?.values.sockets).toBe(1);
  expect(reader.read(43)?.values).not.toHaveProperty('sockets_close_wait');
});

test('a process is found by its command line, the oldest of several, and anew after a restart', async () => {
  const { run, end, pass, finder } = madeUpProcesses();
  run(40, 900, 'python worker.py --queue slow');
  run(41, 200, 'python worker.py --queue fast');
  run(42, 100, 'python other.py');
  const find = finder({ command: 'python worker.py --queue *' });
  expect(await find()).toBe(41);
  end(41);
  // Looked for anew at once, since it was there a moment ago.
  expect(await find()).toBe(40);
  // The same id, another process.
  run(40, 5_000, 'bash');
  expect(await find()).toBeUndefined();
  run(43, 6_000, 'python worker.py --queue fast');
  // Searched through a moment ago, without it: the next search is a minute away.
  expect(await find()).toBeUndefined();
  pass(60_000);
  expect(await find()).toBe(43);
});

test('a process is found by its pid file or by who listens on its port, and never by an id that nobody has', async () => {
  const { root, run, pass, finder } = madeUpProcesses();
  const file = join(root, 'indexer.pid');
  const byFile = finder({ pidFile: file });
  let listens: number | undefined;
  const byPort = finder({ port: 9_621 }, () => listens);
  expect([await byFile(), await byPort()]).toEqual([undefined, undefined]);
  writeFileSync(file, '40\n');
  listens = 41;
  pass(60_000);
  expect([await byFile(), await byPort()]).toEqual([undefined, undefined]);
  run(40, 1, 'indexer');
  run(41, 1, 'server');
  pass(60_000);
  expect([await byFile(), await byPort()]).toEqual([40, 41]);
  writeFileSync(file, 'not a number');
  expect(await byFile()).toBe(40);
});

test.skipIf(process.platform !== 'linux')(
  'a real process is seen from outside while it lives, and is no fault when it has ended',
  async () => {
    const child: ChildProcess = spawn('sleep', ['600'], { stdio: 'ignore' });
    const over = new Promise((resolve) => child.once('exit', resolve));
    ends.push(() => child.kill());
    const source = createProcessSource({ subject: 'sleeper', find: () => child.pid, reader: createProcessReader() });
    const seen = Object.fromEntries((await source.look(signal)).map(({ measure, value }) => [measure, value]));
    expect(seen).toMatchObject({ sockets: 0, threads: 1, children: 0 });
    expect(seen.memory).toBeGreaterThan(0);
    child.kill();
    await over;
    expect(await source.look(signal)).toEqual([]);
  },
);
