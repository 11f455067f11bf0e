import { expect, test } from 'vitest';
import type { HostSample } from './host.ts';
import { decideHostHealth, defaultHostThresholds, type HostLoad, loadOf } from './host-health.ts';

const nowMs = 1_000_000;
const disk = (percent: number, path = '/') => ({
  path,
  percent,
  totalBytes: 100,
  usedBytes: percent,
  freeBytes: 100 - percent,
  readAtMs: nowMs,
});
const counters = {
  bytesSent: 0,
  bytesReceived: 0,
  packetsSent: 0,
  packetsReceived: 0,
  errorsIn: 0,
  errorsOut: 0,
  dropsIn: 0,
  dropsOut: 0,
};
const sampleOf = (cpu: number, memory: number, disks: readonly number[]): HostSample => ({
  takenAtMs: nowMs,
  overMs: 1_000,
  uptimeSeconds: 1,
  bootTimeMs: 1,
  cpu: {
    percent: cpu,
    perCore: [],
    logicalCount: 1,
    physicalCount: 1,
    loadAverage: [0, 0, 0],
    seconds: { user: 0, nice: 0, system: 0, idle: 0, iowait: 0, irq: 0, softirq: 0, steal: 0 },
  },
  memory: {
    totalBytes: 100,
    availableBytes: 100 - memory,
    usedBytes: memory,
    percent: memory,
    swapTotalBytes: 0,
    swapUsedBytes: 0,
    swapPercent: 0,
  },
  rootDisk: disks[0] === undefined ? undefined : disk(disks[0]),
  dataDisk: undefined,
  disks: disks.map((percent, i) => disk(percent, `/d${i}`)),
  network: { total: counters, interfaces: new Map() },
  process: {
    pid: 1,
    cpuPercent: 0,
    cpuSeconds: 0,
    memoryPercent: 0,
    residentBytes: 0,
    virtualBytes: 0,
    threads: 1,
    startedAtMs: 0,
    openFiles: 0,
    connections: 0,
    openDescriptors: 0,
    readBytes: 0,
    writtenBytes: 0,
  },
  targetProcess: undefined,
  pressure: undefined,
  container: undefined,
  targetContainer: undefined,
});
/** One load per second, the last one now. */
const loads = (cpu: readonly number[], memory = 10): readonly HostLoad[] =>
  cpu.map((cpuPercent, i) => ({
    takenAtMs: nowMs - (cpu.length - 1 - i) * 1_000,
    cpuPercent,
    memoryPercent: memory,
    memoryPressurePercent: 0,
  }));
const steady = (cpu: number, memory: number) => loads(Array<number>(120).fill(cpu), memory);
const decide = (sample: HostSample | undefined, window: readonly HostLoad[], at = nowMs) =>
  decideHostHealth(sample, defaultHostThresholds, window, { nowMs: at, staleAfterMs: 120_000 });

test('nothing is healthy before it was looked at, nor long after', () => {
  expect(decide(undefined, []).overall).toBe('unknown');
  expect(decide(undefined, []).checks.cpu).toEqual({ status: 'unknown', severity: 'none', percent: undefined });
  expect(decide(sampleOf(1, 1, [1]), steady(1, 1), nowMs + 120_001).overall).toBe('unknown');
  expect(decide(sampleOf(1, 1, [1]), steady(1, 1), nowMs + 120_000).overall).toBe('healthy');
});

test.each([
  ['all low', 10, 10, 10, 'healthy', 'none', 'none', 'none'],
  ['exactly at the warnings', 80, 85, 80, 'healthy', 'none', 'none', 'none'],
  ['CPU over the warning', 80.1, 10, 10, 'degraded', 'warning', 'none', 'none'],
  ['memory over the warning', 10, 85.1, 10, 'degraded', 'none', 'warning', 'none'],
  ['disk over the warning', 10, 10, 80.1, 'degraded', 'none', 'none', 'warning'],
  ['exactly at the critical limits', 90, 90, 90, 'degraded', 'warning', 'warning', 'warning'],
  ['CPU critical', 90.1, 10, 10, 'critical', 'critical', 'none', 'none'],
  ['memory critical', 10, 90.1, 10, 'critical', 'none', 'critical', 'none'],
  ['disk critical', 10, 10, 90.1, 'critical', 'none', 'none', 'critical'],
])('%s', (_, cpu, memory, full, overall, cpuSeverity, memorySeverity, diskSeverity) => {
  const health = decide(sampleOf(cpu, memory, [full]), steady(cpu, memory));
  expect(health.overall).toBe(overall);
  expect([health.checks.cpu.severity, health.checks.memory.severity, health.checks.disk.severity]).toEqual([
    cpuSeverity,
    memorySeverity,
    diskSeverity,
  ]);
  expect(health.reasons.length).toBe(overall === 'healthy' ? 0 : overall === 'degraded' && cpu === 90 ? 3 : 1);
});

test('a peak is no warning, load that lasts for the window is', () => {
  const busy = sampleOf(99, 10, [10]);
  const calm = Array<number>(60).fill(5);
  expect(decide(busy, loads([...calm, ...Array<number>(60).fill(99)])).overall).toBe('healthy');
  expect(decide(busy, loads([...calm, ...Array<number>(61).fill(99)])).overall).toBe('critical');
  expect(decide(busy, loads([...Array<number>(100).fill(99), 50, 99])).overall).toBe('healthy');
});

test('load that is over the warning throughout and critical for a moment is a warning', () => {
  expect(decide(sampleOf(99, 10, [10]), loads([...Array<number>(80).fill(85), 99])).overall).toBe('degraded');
});

test('the fullest file system decides and is named', () => {
  const health = decide(sampleOf(1, 1, [10, 95, 20]), steady(1, 1));
  expect(health.checks.disk.percent).toBe(95);
  expect(health.reasons).toEqual(['The file system at /d1 is 95 % full.']);
});

test('without any measured disk the host is not called healthy', () => {
  expect(decide(sampleOf(1, 1, []), steady(1, 1)).overall).toBe('unknown');
});

const stall = (avg10: number) => ({ avg10, avg60: avg10, avg300: avg10, totalUs: 1 });
const pressureOf = (full: number) => ({
  cpu: undefined,
  memory: { some: stall(full), full: stall(full) },
  io: undefined,
});
const container = (cpu: number, memory: number, full = 0): NonNullable<HostSample['container']> => ({
  path: '/',
  version: 2,
  memory: {
    limitBytes: 512 * 1_048_576,
    usedBytes: memory,
    percent: memory,
    swapLimitBytes: undefined,
    swapUsedBytes: undefined,
    ooms: 0,
    oomKills: 0,
    newOomKills: 0,
  },
  cpu: {
    limitCores: 1.5,
    usedCores: 1,
    percent: cpu,
    usageSeconds: 1,
    periods: 1,
    throttledPeriods: 0,
    throttledSeconds: 0,
  },
  processes: undefined,
  pressure: pressureOf(full),
});
const judge = (sample: HostSample) =>
  decide(
    sample,
    Array.from({ length: 120 }, (_, i) => ({ ...loadOf(sample), takenAtMs: nowMs - (119 - i) * 1_000 })),
  );

test('in a container its limits count, and the machine around it too', () => {
  const calm = sampleOf(20, 20, [10]);
  expect(judge({ ...calm, container: container(95, 95) })).toMatchObject({
    overall: 'critical',
    checks: { cpu: { percent: 95, severity: 'critical' }, memory: { percent: 95, severity: 'critical' } },
    reasons: [
      "CPU at 95 % of the container's limit of 1.5 cores for at least 60 s.",
      "Memory at 95 % of the container's limit of 512 MiB for at least 60 s.",
    ],
  });
  expect(judge({ ...calm, container: container(5, 5) }).overall).toBe('healthy');
  expect(judge({ ...sampleOf(95, 20, [10]), container: container(5, 5) })).toMatchObject({
    overall: 'critical',
    reasons: ['CPU at 95 % for at least 60 s.'],
  });
});

test('a group without a limit is judged by the machine', () => {
  const seen = container(99, 99);
  const unlimited = {
    ...seen,
    memory: seen.memory && { ...seen.memory, limitBytes: undefined, percent: undefined },
    cpu: seen.cpu && { ...seen.cpu, limitCores: undefined, percent: undefined },
  };
  expect(judge({ ...sampleOf(20, 20, [10]), container: unlimited }).overall).toBe('healthy');
});

test.each([
  ['of the machine', { pressure: pressureOf(10.1) }, 'degraded'],
  ['of the container', { container: container(1, 1, 10.1) }, 'degraded'],
  ['at the threshold', { pressure: pressureOf(10) }, 'healthy'],
])('work that waits for memory warns while there seems to be enough of it: %s', (_, part, overall) => {
  const health = judge({ ...sampleOf(20, 20, [10]), ...part });
  expect(health.overall).toBe(overall);
  expect(health.checks.memory.status).toBe(overall === 'healthy' ? 'healthy' : 'warning');
  expect(health.reasons).toEqual(
    overall === 'healthy' ? [] : ['All work waited for memory during 10.1 % of the time for at least 60 s.'],
  );
});
