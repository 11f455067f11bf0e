import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { createMetricRegistry, createMetricsHandler } from '../metrics/index.ts';
import { systemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createDiskReader } from './disk-reader.ts';
import { measureFolders } from './folder-sizes.ts';
import type { HostSample } from './host.ts';
import { registerHostMetrics } from './host-metrics.ts';
import { createHostSampler, type HostSampler, type HostSamplerOptions } from './host-sampler.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const temporaryFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-host-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
};

const newSampler = (options: Partial<HostSamplerOptions> = {}): HostSampler => {
  const sampler = createHostSampler({ clock: systemClock, log: silentLogger, ...options });
  cleanUps.push(() => sampler.stop?.());
  return sampler;
};

/** Asks until enough ticks passed for a sample. */
const nextSample = async (sampler: HostSampler): Promise<HostSample> => {
  for (;;) {
    const sample = await sampler.sampleOnce();
    if (sample !== undefined) return sample;
    await systemClock.sleep(5);
  }
};

const linux = process.platform === 'linux';
const onLinux = test.skipIf(!linux);

onLinux('sizes of file systems are those of df, to the byte', async () => {
  const df = (path: string) => {
    const { stdout } = spawnSync('df', ['-B1', '--output=size,used,avail', path], { encoding: 'utf8' });
    return stdout.trim().split('\n')[1]?.trim().split(/ +/).map(Number);
  };
  const disks = createDiskReader({ clock: systemClock });
  for (const path of ['/', '/dev/shm'].filter((p) => existsSync(p))) {
    // Others write to the same disk: one reading that agrees with df before and after it will do.
    for (let tries = 0; ; tries += 1) {
      const before = df(path);
      const disk = (await disks.read([path])).get(path);
      const read = [disk?.totalBytes, disk?.usedBytes, disk?.freeBytes];
      if (JSON.stringify(read) === JSON.stringify(before) && JSON.stringify(before) === JSON.stringify(df(path))) break;
      if (tries > 100) expect(read).toEqual(before);
    }
  }
});

onLinux('memory, uptime, cores and start time agree with the kernel read another way', async () => {
  const sampler = newSampler();
  const sample = await nextSample(sampler);
  const meminfo = readFileSync('/proc/meminfo', 'utf8');
  const kib = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(meminfo)?.[1]);
  expect(sample.memory.totalBytes).toBe(kib('MemTotal') * 1_024);
  expect(sample.memory.swapTotalBytes).toBe(kib('SwapTotal') * 1_024);
  expect(Math.abs(sample.memory.availableBytes - kib('MemAvailable') * 1_024)).toBeLessThan(
    0.1 * sample.memory.totalBytes,
  );
  expect(sample.memory.usedBytes).toBe(sample.memory.totalBytes - sample.memory.availableBytes);
  const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  expect(sample.uptimeSeconds).toBeLessThanOrEqual(uptime);
  const cores = readFileSync('/proc/stat', 'utf8').match(/^cpu\d+ /gm)?.length;
  expect(sample.cpu.logicalCount).toBe(cores);
  expect(sample.cpu.perCore).toHaveLength(cores ?? 0);
  expect(sample.cpu.percent).toBeGreaterThanOrEqual(0);
  expect(sample.cpu.percent).toBeLessThanOrEqual(100);
  expect(sample.takenAtMs - sample.bootTimeMs).toBeGreaterThan(0);
});

onLinux('the own process is the one that ps sees', async () => {
  const { process: own } = await nextSample(newSampler());
  const { stdout } = spawnSync('ps', ['-o', 'pid=,nlwp=,vsz=,lstart=', '-p', String(process.pid)], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  const [pid, threads, virtualKib, ...started] = stdout.trim().split(/ +/);
  expect(own.pid).toBe(Number(pid));
  expect(Math.abs((own.threads ?? Number.NaN) - Number(threads))).toBeLessThanOrEqual(2);
  expect((own.virtualBytes ?? Number.NaN) / 1_024 / Number(virtualKib)).toBeCloseTo(1, 1);
  expect(Math.abs(own.startedAtMs - Date.parse(started.join(' ')))).toBeLessThan(2_000);
  expect(own.residentBytes / process.memoryUsage.rss()).toBeCloseTo(1, 0);
  expect(own.openFiles).toBeGreaterThanOrEqual(0);
});

onLinux('a busy thread shows in the process and in the cores', async () => {
  const sampler = newSampler();
  await sampler.sampleOnce();
  const worker = new Worker(
    "const { parentPort } = require('node:worker_threads'); const until = performance.now() + 1000; while (performance.now() < until); parentPort.postMessage(process.cpuUsage());",
    { eval: true },
  );
  cleanUps.push(() => worker.terminate());
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  await once(worker, 'message');
  const sample = await nextSample(sampler);
  const used = process.cpuUsage(cpuBefore);
  // On a crowded machine the thread does not get a whole core; what it got is what must show.
  const gotPercent = (used.user + used.system) / 10 / (performance.now() - beganMs);
  expect(sample.process.cpuPercent).toBeGreaterThanOrEqual(Math.min(60, 0.9 * gotPercent));
  const allCores = sample.cpu.perCore.reduce((sum, core) => sum + (core.percent ?? 0), 0);
  expect(allCores).toBeGreaterThanOrEqual(0.8 * Math.min(60, gotPercent));
  expect(sample.cpu.percent).toBeCloseTo(allCores / sample.cpu.logicalCount, -1);
});

onLinux('memory that is taken shows in the process', async () => {
  const sampler = newSampler();
  const taken: Buffer[] = [];
  const grown: number[] = [];
  // More than once: what files before this one left may be collected just then.
  while (!grown.some((bytes) => bytes > 0.8 * 64 * 1_048_576) && taken.length < 10) {
    if (taken.length > 0) await systemClock.sleep(200);
    const before = await nextSample(sampler);
    taken.push(Buffer.alloc(64 * 1_048_576, 1));
    grown.push((await nextSample(sampler)).process.residentBytes - before.process.residentBytes);
  }
  expect(Math.max(...grown)).toBeGreaterThan(0.8 * 64 * 1_048_576);
});

onLinux('bytes over the loopback are counted there and nowhere else, sockets are counted', async () => {
  const sampler = newSampler();
  const before = await nextSample(sampler);
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  cleanUps.push(() => server.close());
  await once(server, 'listening');
  // An open server in TypeScript's eyes may also be a pipe; this one listens on a port.
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  cleanUps.push(() => client.destroy());
  const bytes = 8 * 1_048_576;
  client.write(Buffer.alloc(bytes));
  client.end();
  await once(client, 'close');
  const after = await nextSample(sampler);
  const lo = (sample: HostSample) => sample.network?.interfaces.get('lo')?.bytesReceived ?? Number.NaN;
  expect(lo(after) - lo(before)).toBeGreaterThanOrEqual(bytes);
  const others = (sample: HostSample): number => {
    let sum = 0;
    for (const [name, counters] of sample.network?.interfaces ?? []) if (name !== 'lo') sum += counters.bytesReceived;
    return sum;
  };
  expect(after.network?.total.bytesReceived).toBe(others(after));
  expect(after.network?.total.bytesReceived).toBeGreaterThanOrEqual(before.network?.total.bytesReceived ?? Number.NaN);
});

onLinux("the backend's process is followed and absent when it is gone", async () => {
  const { spawn } = await import('node:child_process');
  const backend = spawn(
    process.execPath,
    ['-e', "require('node:net').createServer().listen(0, '127.0.0.1', () => console.log('up'))"],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  cleanUps.push(() => backend.kill('SIGKILL'));
  await once(backend.stdout, 'data');
  const sampler = newSampler({ targetPid: () => backend.pid });
  const { targetProcess } = await nextSample(sampler);
  expect(targetProcess?.pid).toBe(backend.pid);
  expect(targetProcess?.connections).toBeGreaterThanOrEqual(1);
  expect(targetProcess?.residentBytes).toBeGreaterThan(10 * 1_048_576);
  backend.kill('SIGKILL');
  await once(backend, 'exit');
  expect((await nextSample(sampler)).targetProcess).toBeUndefined();
});

onLinux(
  'started, it takes its first sample by itself, tells who listens, and stops twice without complaint',
  async () => {
    const sampler = newSampler({ intervalMs: 20 });
    expect(sampler.latest()).toBeUndefined();
    const seen = new Promise<HostSample>((resolve) => sampler.onSample(resolve));
    sampler.onSample(() => {
      throw new Error('a listener that fails');
    });
    await sampler.start?.(new AbortController().signal);
    const sample = await seen;
    expect(sampler.latest()?.takenAtMs).toBeGreaterThanOrEqual(sample.takenAtMs);
    expect(sampler.recent().length).toBeGreaterThanOrEqual(1);
    await sampler.stop?.();
    await sampler.stop?.();
  },
);

test('off Linux it says why there is nothing, and goes on when the reason is gone', async () => {
  let missing = true;
  const sampler = newSampler({
    platform: 'darwin',
    async loadLibrary() {
      if (missing) throw new Error('not installed');
      return (await import('systeminformation')).default;
    },
  });
  expect(await sampler.sampleOnce()).toBeUndefined();
  expect(sampler.unavailable()).toBe(
    'Host figures of darwin are read through the package systeminformation, which cannot be loaded.',
  );
  missing = false;
  expect((await nextSample(sampler)).memory.totalBytes).toBe(totalmem());
  expect(sampler.unavailable()).toBeUndefined();
});

test('user directories are sized by the files in them, every file once, links and our own folder aside', async () => {
  const data = temporaryFolder();
  mkdirSync(join(data, 'alice', 'deep', 'er'), { recursive: true });
  mkdirSync(join(data, 'büro 東京'));
  mkdirSync(join(data, '__proto__'));
  mkdirSync(join(data, '.ragwarden'));
  writeFileSync(join(data, 'alice', 'a'), Buffer.alloc(1_000));
  writeFileSync(join(data, 'alice', 'deep', 'er', 'b'), Buffer.alloc(234));
  linkSync(join(data, 'alice', 'a'), join(data, 'alice', 'deep', 'same file'));
  symlinkSync(join(data, 'alice'), join(data, 'büro 東京', 'to alice'));
  writeFileSync(join(data, 'büro 東京', 'c'), Buffer.alloc(7));
  writeFileSync(join(data, '.ragwarden', 'staged'), Buffer.alloc(99));
  writeFileSync(join(data, 'a file beside them'), Buffer.alloc(5));
  const sampler = newSampler({ dataDir: data });
  expect(sampler.userDirectories()).toBeUndefined();
  await sampler.measureDirectoriesOnce();
  const sizes = sampler.userDirectories();
  expect([...(sizes?.bytesByName ?? [])].sort()).toEqual([
    ['__proto__', 0],
    ['alice', 1_234],
    ['büro 東京', 7],
  ]);
  expect(sizes?.unreadable).toBe(0);
});

test('a large folder is walked to its end, and the walk can be stopped', async () => {
  const data = temporaryFolder();
  for (let d = 0; d < 4; d += 1) {
    mkdirSync(join(data, 'u', String(d)), { recursive: true });
    for (let f = 0; f < 150; f += 1) writeFileSync(join(data, 'u', String(d), String(f)), 'x');
  }
  expect((await measureFolders(data, systemClock))?.bytesByName.get('u')).toBe(600);
  const abort = new AbortController();
  const walk = measureFolders(data, systemClock, abort.signal);
  abort.abort(new Error('stopping'));
  await expect(walk).rejects.toThrow('stopping');
  expect(await measureFolders(join(data, 'missing'), systemClock)).toBeUndefined();
});

test('a path that is not there has no size', async () => {
  expect([...(await createDiskReader({ clock: systemClock }).read([join(temporaryFolder(), 'missing')]))]).toEqual([]);
});

onLinux('the host is on /metrics in base units, once sampled, and promtool has nothing to say', async () => {
  const data = temporaryFolder();
  const registry = createMetricRegistry({ clock: systemClock });
  const sampler = newSampler({ dataDir: data, targetPid: () => process.pid });
  registerHostMetrics(registry, sampler, systemClock);
  const handle = createMetricsHandler(registry);
  expect((await handle(undefined)).body).not.toMatch(/^ragwarden_host/m);
  const sample = await nextSample(sampler);
  const { body } = await handle(undefined);
  const value = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(body)?.[1]);
  expect(value('ragwarden_host_cpu_usage_ratio')).toBeCloseTo(sample.cpu.percent / 100, 9);
  expect(value('ragwarden_host_memory_size_bytes')).toBe(sample.memory.totalBytes);
  expect(value('ragwarden_target_process_threads')).toBe(sample.targetProcess?.threads);
  expect(body).toContain(`ragwarden_host_filesystem_size_bytes{path="${data}"} ${sample.dataDisk?.totalBytes}\n`);
  expect(body).toContain('ragwarden_host_network_receive_bytes_total{interface="lo"}');
  const promtool = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  if (promtool.error === undefined || process.env.CI === 'true') expect(promtool.stdout + promtool.stderr).toBe('');
});
