/** How long documents took from their first row to their end, of the last ones. */
export type Latencies = {
  note(latencyMs: number): void;
  /** Undefined while there is none. */
  summary(): LatencySummary | undefined;
};

/** Milliseconds. */
export type LatencySummary = {
  readonly documents: number;
  readonly average: number;
  readonly least: number;
  readonly greatest: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
};

const most = 2_000;

export function createLatencies(): Latencies {
  const kept: number[] = [];
  return {
    note(latencyMs) {
      kept.push(latencyMs);
      if (kept.length > most) kept.shift();
    },
    summary() {
      const sorted = [...kept].sort((a, b) => a - b);
      const [least] = sorted;
      const greatest = sorted.at(-1);
      if (least === undefined || greatest === undefined) return undefined;
      // Nearest rank: a value that was measured.
      const quantile = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? greatest;
      return {
        documents: sorted.length,
        average: sorted.reduce((sum, one) => sum + one, 0) / sorted.length,
        least,
        greatest,
        p50: quantile(0.5),
        p95: quantile(0.95),
        p99: quantile(0.99),
      };
    },
  };
}
