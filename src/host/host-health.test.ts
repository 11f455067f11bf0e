import { expect, test } from 'vitest';
import type { HostSample } from './host.ts';
import { decideHostHealth, defaultHostThresholds, type HostLoad } from './host-health.ts';

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
    memoryPercent: 0,
    residentBytes: 0,
    virtualBytes: 0,
    threads: 1,
    startedAtMs: 0,
    openFiles: 0,
    connections: 0,
    openDescriptors: 0,
  },
  targetProcess: undefined,
});
/** One load per second, the last one now. */
const loads = (cpu: readonly number[], memory = 10): readonly HostLoad[] =>
  cpu.map((cpuPercent, i) => ({
    takenAtMs: nowMs - (cpu.length - 1 - i) * 1_000,
    cpuPercent,
    memoryPercent: memory,
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
