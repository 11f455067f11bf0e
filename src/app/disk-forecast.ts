import { fitLine, linePointsMs } from '../alerts/index.ts';
import { reachesAt } from '../analytics/index.ts';
import type { MetricHistory } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';

const hourMs = 3_600_000;
const intervalMs = 5 * 60_000;
/** As the alert rule `disk_fills` has it: the line of six hours, a day ahead, and that for half an hour. */
const windowMs = 6 * hourMs;
const aheadMs = 24 * hourMs;
const heldMs = 30 * 60_000;

export type DiskForecast = {
  /** When the line reaches 100 %; undefined: it does not rise, or nobody knows. */
  readonly fullAtMs: number | undefined;
  /** It has been within a day for half an hour. */
  readonly fillsSoon: boolean;
};

/** Where a line leads: when the disk is full. Undefined when it does not rise. */
export function forecastFull(
  points: readonly { readonly atMs: number; readonly value: number | null }[],
): number | undefined {
  const line = fitLine(points);
  return line && reachesAt(line, 100);
}

/** Asks the history every five minutes how the file system with the data fills. */
export function createDiskForecast(options: {
  history: Pick<MetricHistory, 'query'>;
  instance: string;
  clock: Clock;
  log: Logger;
}): { readonly job: Reconciler; read(): DiskForecast | undefined } {
  const { history, instance, clock, log } = options;
  let fullAtMs: number | undefined;
  let soonSinceMs: number | undefined;
  let lookedMs: number | undefined;
  const job = createReconciler({
    name: 'disk forecast',
    intervalMs,
    // There is no line at the start.
    runAtStart: false,
    clock,
    log,
    async run() {
      const nowMs = clock.now();
      const stepMs = linePointsMs(windowMs);
      const { series, times } = await history.query({
        ...{ name: 'system_disk_usage_percent', match: { instance }, groupBy: [], aggregation: 'average' },
        ...{ fromMs: nowMs - windowMs + 1, toMs: nowMs, stepMs },
      });
      const values = series[0]?.values ?? [];
      fullAtMs = forecastFull(times.map((atMs, i) => ({ atMs: atMs + stepMs / 2, value: values[i] ?? null })));
      lookedMs = nowMs;
      const soon = fullAtMs !== undefined && fullAtMs - nowMs <= aheadMs;
      soonSinceMs = soon ? (soonSinceMs ?? nowMs) : undefined;
    },
  });
  return {
    job,
    read() {
      const nowMs = clock.now();
      if (lookedMs === undefined || nowMs - lookedMs > 3 * intervalMs) return undefined;
      return { fullAtMs, fillsSoon: soonSinceMs !== undefined && lookedMs - soonSinceMs >= heldMs };
    },
  };
}
