import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, hostname, tmpdir, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import systeminformation from 'systeminformation';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import type { HostSample } from './host.ts';
import type { HostReader, HostReaderOptions } from './host-reader.ts';
import { createLibraryHostReader, type SystemLibrary } from './library-host-reader.ts';
import { createProcfsHostReader } from './procfs-host-reader.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const library: SystemLibrary = systeminformation;
const readers: readonly [string, (options: HostReaderOptions) => HostReader][] = [
  ['/proc', createProcfsHostReader],
  ['the library', (options) => createLibraryHostReader({ ...options, library })],
];
const open = (create: (options: HostReaderOptions) => HostReader, options: Partial<HostReaderOptions> = {}) => {
  const reader = create({ clock: systemClock, ...options });
  cleanUps.push(() => reader.close());
  return reader;
};
const nextSample = async (reader: HostReader): Promise<HostSample> => {
  for (;;) {
    const sample = await reader.read();
    if (sample !== undefined) return sample;
    await systemClock.sleep(20);
  }
};

// The library works on Linux too, so that both are held to the same here.
describe.skipIf(process.platform !== 'linux').each(readers)('%s', (_, create) => {
  test('tells nothing from one reading, and a whole sample from two', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'ragwarden-reader-'));
    cleanUps.push(() => rmSync(dataDir, { recursive: true, force: true }));
    const reader = open(create, { dataDir, diskPaths: [tmpdir()] });
    expect(await reader.read()).toBeUndefined();
    const { cpu, memory, network, disks, rootDisk, dataDisk, ...sample } = await nextSample(reader);
    expect(sample.overMs).toBeGreaterThan(0);
    expect(Math.abs(sample.uptimeSeconds - uptime())).toBeLessThan(5);
    expect(Math.abs(sample.bootTimeMs - (Date.now() - 1_000 * uptime()))).toBeLessThan(5_000);
    expect(cpu.percent).toBeGreaterThanOrEqual(0);
    expect(cpu.percent).toBeLessThanOrEqual(100);
    expect(cpu.perCore.map((one) => one.core)).toEqual(Array.from({ length: cpu.logicalCount }, (_, i) => i));
    expect(cpu.logicalCount).toBeGreaterThanOrEqual(availableParallelism());
    expect(cpu.loadAverage.every((load) => load >= 0)).toBe(true);
    expect(cpu.seconds.idle).toBeGreaterThan(0);
    expect(memory.totalBytes).toBe(totalmem());
    expect(memory.usedBytes + memory.availableBytes).toBe(memory.totalBytes);
    expect(memory.percent).toBeCloseTo((100 * memory.usedBytes) / memory.totalBytes, 6);
    expect(rootDisk?.totalBytes).toBeGreaterThan(0);
    expect(dataDisk?.path).toBe(dataDir);
    expect(disks.map((disk) => disk.path)).toContain(tmpdir());
    expect(new Set(disks.map((disk) => disk.path)).size).toBe(disks.length);
    expect(network?.interfaces.has('lo')).toBe(true);
    const wire = [...(network?.interfaces ?? [])].filter(([name]) => name !== 'lo');
    expect(network?.total.bytesReceived).toBe(wire.reduce((sum, [, counters]) => sum + counters.bytesReceived, 0));
  });

  test('sees its own process, and what it does', async () => {
    const reader = open(create);
    await reader.read();
    // Counted in CPU time, since a crowded machine gives it out late.
    const usedMs = () => process.cpuUsage().user / 1_000;
    const until = usedMs() + 200;
    while (usedMs() < until) hostname();
    const { process: own, overMs } = await nextSample(reader);
    expect(own.pid).toBe(process.pid);
    expect(((own.cpuPercent ?? Number.NaN) * overMs) / 100).toBeGreaterThanOrEqual(190);
    expect(own.residentBytes / process.memoryUsage.rss()).toBeCloseTo(1, 0);
    expect(Math.abs(own.startedAtMs - (Date.now() - 1_000 * process.uptime()))).toBeLessThan(2_000);
  });

  test('follows the process of a backend until it is gone', async () => {
    const backend = spawn(process.execPath, ['-e', "console.log('up'); setInterval(() => {}, 1e6)"], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    cleanUps.push(() => backend.kill('SIGKILL'));
    await once(backend.stdout, 'data');
    const reader = open(create, { targetPid: () => backend.pid });
    const { targetProcess } = await nextSample(reader);
    expect(targetProcess?.pid).toBe(backend.pid);
    expect(targetProcess?.residentBytes).toBeGreaterThan(10 * 1_048_576);
    expect(Math.abs((targetProcess?.startedAtMs ?? 0) - Date.now())).toBeLessThan(60_000);
    backend.kill('SIGKILL');
    await once(backend, 'exit');
    expect((await nextSample(reader)).targetProcess).toBeUndefined();
  });
});

test.skipIf(process.platform !== 'linux')('both tell the same of one machine', async () => {
  const [kernel, other] = await Promise.all(readers.map(([, create]) => nextSample(open(create))));
  expect(other?.memory.totalBytes).toBe(kernel?.memory.totalBytes);
  expect(other?.memory.swapTotalBytes).toBe(kernel?.memory.swapTotalBytes);
  const total = kernel?.memory.totalBytes ?? Number.NaN;
  expect(Math.abs((other?.memory.availableBytes ?? 0) - (kernel?.memory.availableBytes ?? 0))).toBeLessThan(total / 10);
  expect(other?.cpu.logicalCount).toBe(kernel?.cpu.logicalCount);
  expect(other?.rootDisk?.totalBytes).toBe(kernel?.rootDisk?.totalBytes);
  expect(other?.disks.map((disk) => disk.path)).toContain('/');
  const bytes = (sample: HostSample | undefined) => sample?.network?.interfaces.get('lo')?.bytesReceived ?? Number.NaN;
  expect(Math.abs(bytes(other) / bytes(kernel) - 1)).toBeLessThan(0.1);
  expect(other?.cpu.seconds.idle).toBeCloseTo(kernel?.cpu.seconds.idle ?? 0, -2);
});

test('what the library does not answer in time is unknown, and it is not asked again meanwhile', async () => {
  let asked = 0;
  const clock = createFakeClock();
  // At hand: on a busy machine it would not be told in time either.
  const memory = await library.mem();
  const reader = createLibraryHostReader({
    clock,
    timeoutMs: 20,
    library: {
      ...library,
      mem: async () => memory,
      networkStats() {
        asked += 1;
        return new Promise(() => undefined);
      },
      fsSize: () => Promise.reject(new Error('no such program')),
    },
  });
  let sample: HostSample | undefined;
  while (sample === undefined) {
    await clock.advance(1_500);
    sample = await reader.read();
  }
  expect(sample.network).toBeUndefined();
  expect(sample.disks).toEqual([]);
  expect(sample.rootDisk?.path).toBe('/');
  expect(sample.memory.totalBytes).toBe(totalmem());
  expect(asked).toBe(1);
});

test('the library is asked every two seconds at most', async () => {
  let asked = 0;
  const clock = createFakeClock();
  const reader = createLibraryHostReader({
    clock,
    library: {
      ...library,
      async mem() {
        asked += 1;
        return await library.mem();
      },
      networkStats: async () => [],
      fsSize: async () => [],
    },
  });
  for (let i = 0; i < 10; i += 1) {
    await reader.read();
    await clock.advance(500);
  }
  expect(asked).toBe(3);
});
