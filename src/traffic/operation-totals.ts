import { type Distribution, describeValues } from './distribution.ts';
import { type Exchange, isTimed, resultOf } from './exchange.ts';

export const monitoredOperations = ['query', 'search', 'insert'] as const;
export type MonitoredOperation = (typeof monitoredOperations)[number];

export const isMonitored = (operation: string): operation is MonitoredOperation =>
  (monitoredOperations as readonly string[]).includes(operation);

export type OperationTotal = {
  /** Those that did not fail. */
  readonly count: number;
  readonly errors: number;
  /** Without context, or nothing found. */
  readonly empty: number;
  /** Over all of them. */
  readonly avgMs: number | null;
  readonly minMs: number | null;
  readonly maxMs: number | null;
  /** Percentiles of the last ones. */
  readonly latest: Distribution;
};

/** What was done since the start, or since somebody reset it. */
export type OperationTotals = {
  count(exchange: Exchange): void;
  of(operation: MonitoredOperation): OperationTotal;
  /** Failures of all three, and those of which nobody said what failed. */
  errors(): number;
  sinceMs(): number;
  reset(nowMs: number): void;
};

/** So many durations of each operation are behind the percentiles: 80 KiB each. */
const keptDurations = 10_000;

type Counted = {
  count: number;
  errors: number;
  empty: number;
  sumMs: number;
  minMs: number;
  maxMs: number;
  readonly durations: number[];
  next: number;
};

const nothing = (): Counted => ({
  ...{ count: 0, errors: 0, empty: 0, sumMs: 0, minMs: Infinity, maxMs: 0 },
  durations: [],
  next: 0,
});

/** Each operation is counted once, as done or as failed; what the caller did wrong, broke off or was refused is neither. */
export function createOperationTotals(startMs: number): OperationTotals {
  let sinceMs = startMs;
  const begin = () => ({ query: nothing(), search: nothing(), insert: nothing() });
  let counted = begin();
  let otherErrors = 0;
  return {
    count({ operation, outcome, totalMs }) {
      if (operation === 'unknown') otherErrors += 1;
      if (!isMonitored(operation) || !isTimed(outcome)) return;
      const known = counted[operation];
      if (resultOf(outcome) === 'failed') {
        known.errors += 1;
        return;
      }
      known.count += 1;
      if (outcome === 'empty') known.empty += 1;
      known.sumMs += totalMs;
      known.minMs = Math.min(known.minMs, totalMs);
      known.maxMs = Math.max(known.maxMs, totalMs);
      if (known.durations.length < keptDurations) known.durations.push(totalMs);
      else {
        known.durations[known.next] = totalMs;
        known.next = (known.next + 1) % keptDurations;
      }
    },
    of(operation) {
      const { count, errors, empty, sumMs, minMs, maxMs, durations } = counted[operation];
      const some = count > 0;
      return {
        ...{ count, errors, empty },
        avgMs: some ? sumMs / count : null,
        minMs: some ? minMs : null,
        maxMs: some ? maxMs : null,
        latest: describeValues([...durations]),
      };
    },
    errors: () => monitoredOperations.reduce((sum, name) => sum + counted[name].errors, otherErrors),
    sinceMs: () => sinceMs,
    reset(nowMs) {
      otherErrors = 0;
      sinceMs = nowMs;
      counted = begin();
    },
  };
}
