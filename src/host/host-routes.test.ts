import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { createHttpServer, type Principal } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import type { HostSample } from './host.ts';
import { systemBody } from './host-bodies.ts';
import { defaultHostThresholds } from './host-health.ts';
import { hostRoutes } from './host-routes.ts';
import { createHostSampler, type HostSampler, type HostSamplerOptions } from './host-sampler.ts';

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

const dataFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-host-routes-'));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  for (const user of ['alice', '__proto__', 'ü ber']) {
    mkdirSync(join(folder, user));
    writeFileSync(join(folder, user, 'file'), Buffer.alloc(1_048_576));
  }
  return folder;
};

const roles = ['admin', 'service', 'scrape', 'user'] as const;

/** Real server, real sampler; `Authorization: Bearer <role>` is that role. */
async function serve(dataDir?: string, more?: Partial<HostSamplerOptions>) {
  const sampler = createHostSampler({ clock: systemClock, log: silentLogger, dataDir, ...more });
  cleanUps.push(() => sampler.stop?.());
  const app = createHttpServer({
    log: silentLogger,
    clock: systemClock,
    allowedHosts: () => ['localhost'],
    async authenticate(request): Promise<Principal | undefined> {
      const given = request.headers.authorization?.replace('Bearer ', '');
      if (given === undefined) return undefined;
      const role = roles.find((name) => name === given);
      if (role === undefined) throw new AppError('access/unauthenticated', 'The token is not known.');
      return { subject: `local:${role}`, role, workspaces: 'all', via: 'token' };
    },
  });
  cleanUps.push(() => app.close());
  await app.register(
    hostRoutes({ enabled: true, sampler, clock: systemClock, thresholds: () => defaultHostThresholds }),
  );
  const get = (path: string, role?: string) =>
    app.inject({ method: 'GET', url: path, headers: role === undefined ? {} : { authorization: `Bearer ${role}` } });
  return { sampler, get };
}

const sampled = async (sampler: HostSampler): Promise<void> => {
  while ((await sampler.sampleOnce()) === undefined) await systemClock.sleep(5);
};

const onLinux = test.skipIf(process.platform !== 'linux');

onLinux('the system body has the documented fields, and true ones', async () => {
  const dataDir = dataFolder();
  const { sampler, get } = await serve(dataDir);
  await sampled(sampler);
  await sampler.measureDirectoriesOnce();
  const answer = await get('/api/v1/monitoring/system', 'admin');
  expect(answer.statusCode).toBe(200);
  const body = answer.json();
  const fields = (value: object): string[] => Object.keys(value).sort();
  expect(fields(body)).toEqual(
    [
      ...['timestamp', 'uptime_seconds', 'cpu', 'memory', 'disk', 'network', 'process'],
      ...['target_process', 'pressure', 'container', 'target_container'],
    ].sort(),
  );
  expect(fields(body.cpu)).toEqual(['count', 'load_avg', 'per_cpu', 'percent', 'physical_count']);
  expect(fields(body.memory)).toEqual(
    ['total', 'available', 'used', 'percent', 'swap_total', 'swap_used', 'swap_percent'].sort(),
  );
  expect(fields(body.disk)).toEqual(['data_dir', 'free', 'mounts', 'percent', 'total', 'used']);
  expect(fields(body.disk.data_dir)).toEqual(
    ['path', 'total', 'used', 'free', 'percent', 'user_directories', 'user_directories_measured_at'].sort(),
  );
  expect(fields(body.network)).toEqual(
    ['bytes_sent', 'bytes_recv', 'packets_sent', 'packets_recv', 'errin', 'errout', 'dropin', 'dropout'].sort(),
  );
  expect(fields(body.process)).toEqual(
    ['pid', 'cpu_percent', 'memory_percent', 'memory_info', 'threads', 'open_files', 'connections'].sort(),
  );
  expect(fields(body.process.memory_info)).toEqual(['rss', 'vms']);
  expect(body.process.pid).toBe(process.pid);
  expect(body.disk.data_dir.user_directories.alice).toBe(1_048_576);
  expect(body.disk.data_dir.path).toBe(dataDir);
});

onLinux('a stranger learns words only, an admin the figures behind them', async () => {
  const { sampler, get } = await serve(dataFolder());
  await sampled(sampler);
  await sampler.measureDirectoriesOnce();
  for (const role of [undefined, 'user', 'service', 'scrape', 'wrong']) {
    const answer = await get('/api/v1/monitoring/health', role);
    expect(answer.statusCode).toBe(200);
    const body = answer.json();
    expect(Object.keys(body).sort()).toEqual(['checks', 'status', 'timestamp']);
    for (const check of [body.checks.cpu, body.checks.memory, body.checks.disk])
      expect(Object.keys(check)).toEqual(['status']);
    expect(answer.body).not.toContain('alice');
  }
  const body = (await get('/api/v1/monitoring/health', 'admin')).json();
  expect(body.checks.memory.percent).toBeGreaterThan(0);
  expect(body.metrics.memory.total).toBeGreaterThan(0);
});

test('before the first sample health is unknown and figures are refused, with what to do', async () => {
  const { get } = await serve();
  const health = await get('/api/v1/monitoring/health');
  expect(health.json()).toMatchObject({
    status: 'unknown',
    checks: { cpu: { status: 'unknown' }, memory: { status: 'unknown' }, disk: { status: 'unknown' } },
  });
  for (const path of ['/api/v1/monitoring/system', '/api/v1/monitoring/user/alice']) {
    const answer = await get(path, 'admin');
    expect(answer.statusCode).toBe(503);
    expect(answer.json().code).toBe('host/not-sampled');
    expect(answer.headers['retry-after']).toBe('1');
  }
});

test('where the host cannot be sampled the answer says why', async () => {
  const { sampler, get } = await serve(undefined, {
    platform: 'win32',
    loadLibrary: () => Promise.reject(new Error('not installed')),
  });
  await sampler.sampleOnce();
  expect((await get('/api/v1/monitoring/system', 'admin')).json().detail).toContain('win32');
  expect((await get('/api/v1/monitoring/health')).json().status).toBe('unknown');
});

test('the storage of a user is told by name; nothing else is ever looked up', async () => {
  const { sampler, get } = await serve(dataFolder());
  await sampler.measureDirectoriesOnce();
  for (const user of ['alice', '__proto__', 'ü ber']) {
    const answer = await get(`/api/v1/monitoring/user/${encodeURIComponent(user)}`, 'admin');
    expect(answer.json()).toEqual({
      user_id: user,
      metrics: { storage: { size_bytes: 1_048_576, size_mb: 1 }, usage: null },
    });
  }
  for (const id of ['bob', '..', '../../etc', 'alice/../alice', 'toString', 'x'.repeat(10_000), '%00']) {
    const answer = await get(`/api/v1/monitoring/user/${encodeURIComponent(id)}`, 'admin');
    expect(answer.statusCode).toBe(404);
  }
});

test('each figure of a sample stands under its documented name', () => {
  const disk = { path: '/', totalBytes: 31, usedBytes: 32, freeBytes: 33, percent: 34, readAtMs: 0 };
  const body = systemBody({
    ...{
      takenAtMs: 0,
      uptimeSeconds: 1,
      disks: [],
      rootDisk: disk,
      dataDisk: { ...disk, path: '/data', totalBytes: 35 },
    },
    cpu: { percent: 2, logicalCount: 8, physicalCount: 4, loadAverage: [5, 6, 7], perCore: [{ percent: 9 }] },
    memory: {
      ...{ totalBytes: 11, availableBytes: 12, usedBytes: 13, percent: 14 },
      ...{ swapTotalBytes: 15, swapUsedBytes: 16, swapPercent: 17 },
    },
    network: {
      total: {
        ...{ bytesSent: 21, bytesReceived: 22, packetsSent: 23, packetsReceived: 24 },
        ...{ errorsIn: 25, errorsOut: 26, dropsIn: 27, dropsOut: 28 },
      },
    },
    process: {
      ...{ pid: 41, cpuPercent: 42, memoryPercent: 43, residentBytes: 44, virtualBytes: 45 },
      ...{ threads: 46, openFiles: 47, connections: 48 },
    },
    // What a host may not tell is left out.
  } as unknown as HostSample);
  expect(body).toMatchObject({
    ...{ timestamp: '1970-01-01T00:00:00.000Z', uptime_seconds: 1 },
    cpu: { percent: 2, count: 8, physical_count: 4, load_avg: [5, 6, 7], per_cpu: [9] },
    memory: {
      ...{ total: 11, available: 12, used: 13, percent: 14, swap_total: 15, swap_used: 16, swap_percent: 17 },
    },
    disk: { total: 31, used: 32, free: 33, percent: 34, data_dir: { path: '/data', total: 35, used: 32 } },
    network: {
      ...{ bytes_sent: 21, bytes_recv: 22, packets_sent: 23, packets_recv: 24 },
      ...{ errin: 25, errout: 26, dropin: 27, dropout: 28 },
    },
    process: {
      ...{ pid: 41, cpu_percent: 42, memory_percent: 43, memory_info: { rss: 44, vms: 45 } },
      ...{ threads: 46, open_files: 47, connections: 48 },
    },
  });
});

test.each(['/api/v1/monitoring/system', '/api/v1/monitoring/user/alice'])('%s is for admins', async (path) => {
  const { get } = await serve();
  expect((await get(path)).statusCode).toBe(401);
  for (const role of ['user', 'service', 'scrape']) expect((await get(path, role)).statusCode).toBe(403);
});
