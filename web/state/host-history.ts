import type { System } from '../api/wire.ts';

/** What one sample of the host leaves behind for the curves. Rates are undefined where they cannot be known. */
export type HostPoint = {
  readonly atMs: number;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly receivedBytes: number | undefined;
  readonly sentBytes: number | undefined;
  readonly receivedPerSecond: number | undefined;
  readonly sentPerSecond: number | undefined;
};

/** The curves show this much. Milliseconds. */
export const historyMs = 5 * 60_000;

/** A longer gap between two samples says nothing about the rate in between. Milliseconds. */
const greatestGapMs = 60_000;

/**
 * Adds a sample once: the page asks more often than the host is sampled. Counters that fell (a restart, an interface that
 * went) give no rate.
 */
export function appendHostPoint(points: readonly HostPoint[], system: System): readonly HostPoint[] {
  const atMs = Date.parse(system.timestamp);
  const before = points.at(-1);
  if (before !== undefined && atMs <= before.atMs) return points;
  const receivedBytes = system.network?.bytes_recv;
  const sentBytes = system.network?.bytes_sent;
  const rate = (now: number | undefined, then: number | undefined): number | undefined =>
    before === undefined || now === undefined || then === undefined || now < then || atMs - before.atMs > greatestGapMs
      ? undefined
      : ((now - then) * 1000) / (atMs - before.atMs);
  const point: HostPoint = {
    atMs,
    cpuPercent: system.cpu.percent,
    memoryPercent: system.memory.percent,
    receivedBytes,
    sentBytes,
    receivedPerSecond: rate(receivedBytes, before?.receivedBytes),
    sentPerSecond: rate(sentBytes, before?.sentBytes),
  };
  return [...points.filter((one) => atMs - one.atMs <= historyMs), point];
}
