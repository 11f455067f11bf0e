import { expect, test } from 'vitest';
import { readConfig } from '../config/index.ts';
import type { HostSample } from '../host/index.ts';
import { decideHostHealth } from '../host/index.ts';
import { hostCheck } from './health-checks.ts';

const nowMs = Date.UTC(2026, 0, 5, 12);
/** A host that has been so for two minutes, judged by the thresholds of the settings. */
function judge(cpu: number, memory: number, disk: number, env: Record<string, string> = {}) {
  const { config } = readConfig({ env, cwd: '/' });
  const of = { path: '/', percent: disk, totalBytes: 100, usedBytes: disk, freeBytes: 100 - disk, readAtMs: nowMs };
  const sample = {
    takenAtMs: nowMs,
    cpu: { percent: cpu, logicalCount: 1, loadAverage: [0, 0, 0] },
    memory: { totalBytes: 100, availableBytes: 100 - memory, usedBytes: memory, percent: memory },
    ...{ rootDisk: of, disks: [] },
    // Only these parts of it are judged.
  } as unknown as HostSample;
  const window = Array.from({ length: 120 }, (_, i) => ({
    ...{ takenAtMs: nowMs - (119 - i) * 1_000, cpuPercent: cpu, memoryPercent: memory, memoryPressurePercent: 0 },
  }));
  const { thresholds } = config.monitoring;
  const health = decideHostHealth(sample, thresholds, window, { nowMs, staleAfterMs: 60_000 });
  const { status, checks = {} } = hostCheck(
    () => health,
    () => sample,
    () => undefined,
  ).read();
  const severities = ['cpu', 'memory', 'disk'].map((name) => checks[name]?.severity);
  return [status, ...severities];
}

test('the figures of document 002 are those of the sample, in its units; without a sample there are none', () => {
  const { config } = readConfig({ env: {}, cwd: '/' });
  const gib = 2 ** 30;
  const sample = {
    takenAtMs: nowMs,
    cpu: { percent: 12.5, logicalCount: 8, loadAverage: [1.5, 2, 3] },
    memory: { totalBytes: 8 * gib, availableBytes: 6 * gib, usedBytes: 2 * gib, percent: 25 },
    rootDisk: {
      path: '/',
      percent: 40,
      totalBytes: 100 * gib,
      usedBytes: 40 * gib,
      freeBytes: 60 * gib,
      readAtMs: nowMs,
    },
    dataDisk: { path: '/d', percent: 75, totalBytes: 4 * gib, usedBytes: 3 * gib, freeBytes: gib, readAtMs: nowMs },
    network: { total: { bytesSent: 11, bytesReceived: 12, packetsSent: 13, packetsReceived: 14 } },
    disks: [],
    // Only these parts of it are told.
  } as unknown as HostSample;
  const health = decideHostHealth(sample, config.monitoring.thresholds, [], { nowMs, staleAfterMs: 60_000 });
  const told = (latest: HostSample | undefined) =>
    hostCheck(
      () => health,
      () => latest,
      () => undefined,
    ).read();
  expect(told(sample).metrics).toEqual({
    cpu: { usage_percent: 12.5, core_count: 8, load_average: 1.5 },
    memory: { total_mb: 8_192, available_mb: 6_144, used_mb: 2_048, usage_percent: 25 },
    // Of the file system with the data, where it is another.
    disk: { total_gb: 4, free_gb: 1, used_gb: 3, usage_percent: 75 },
    network: { bytes_sent: 11, bytes_recv: 12, packets_sent: 13, packets_recv: 14 },
  });
  expect(told(undefined).metrics).toBeUndefined();
});

test('CPU above 80 % is a warning and degrades, at 80 % it is none', () => {
  expect(judge(80, 10, 10)).toEqual(['healthy', 'none', 'none', 'none']);
  expect(judge(80.1, 10, 10)).toEqual(['degraded', 'warning', 'none', 'none']);
});

test('memory above 85 % is a warning and degrades, at 85 % it is none', () => {
  expect(judge(10, 85, 10)).toEqual(['healthy', 'none', 'none', 'none']);
  expect(judge(10, 85.1, 10)).toEqual(['degraded', 'none', 'warning', 'none']);
});

test('a disk above 90 % is critical, and so is the host', () => {
  expect(judge(10, 10, 90)).toEqual(['degraded', 'none', 'none', 'warning']);
  expect(judge(10, 10, 90.1)).toEqual(['critical', 'none', 'none', 'critical']);
});

test('the thresholds are those of the settings', () => {
  const env = { RAGWARDEN_CPU_WARNING_PERCENT: '50' };
  expect(judge(60, 10, 10)[0]).toBe('healthy');
  expect(judge(60, 10, 10, env)).toEqual(['degraded', 'warning', 'none', 'none']);
});
