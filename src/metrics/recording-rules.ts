import type { FirstUse, MetricDefinition } from './metric-definition.ts';

/** Many values are kept per sampling of five seconds, so a moment sooner or later is the same to them. */
export const withinSamplingMs = 10_000;
const oldestAcceptedMs = 3_600_000;
const furthestAheadMs = 300_000;

/** What is wrong with the time of a value; undefined when nothing is. */
export function findTimeProblem(atMs: number, nowMs: number): string | undefined {
  if (!(atMs >= nowMs - oldestAcceptedMs)) return `a value is at most ${oldestAcceptedMs / 60_000} min old`;
  if (!(atMs <= nowMs + furthestAheadMs))
    return `a value is at most ${furthestAheadMs / 60_000} min ahead of the clock here`;
  return undefined;
}

/** As many values as can be counted, each of this size, still have a finite sum. */
export const greatestMagnitude = 1e290;

/** What is wrong with a value; undefined when nothing is. */
export function findValueProblem(value: unknown): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return 'a value is a finite number';
  return Math.abs(value) <= greatestMagnitude ? undefined : `a value is at most ${greatestMagnitude}`;
}

/** Whether what is used so can be recorded as a metric of that type. */
export function isTakenAs(type: MetricDefinition['type'], use: FirstUse): boolean {
  if (use === 'value' || use === type) return true;
  if (use === 'timer' || use === 'histogram') return type === 'timer' || type === 'histogram';
  return use === 'gauge' && type === 'rate';
}

/** Where the unit is not known, the buckets on `/metrics` cover nine decades. */
export const plainBuckets: readonly number[] = [
  0.001, 0.01, 0.1, 0.5, 1, 5, 10, 50, 100, 500, 1_000, 10_000, 100_000, 1_000_000,
];
export const byteBuckets: readonly number[] = [
  1_024, 16_384, 262_144, 1_048_576, 16_777_216, 268_435_456, 1_073_741_824,
];
