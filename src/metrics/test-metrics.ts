import { openTestMetrics } from '../migrations/test-state.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { type Logger, silentLogger } from '../platform/logging.ts';
import type { HistorySettings } from './history.ts';
import type { OwnDefinition } from './metric-definition.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { PriceOf } from './otlp/gen-ai.ts';
import { createMetricRegistry, type MetricRegistry } from './registry.ts';

/** Test support: a clock that stands still until it is moved. */
export const heldClock = (nowMs: number): Clock & { at: number } => {
  const clock = { ...systemClock, at: nowMs, now: () => clock.at };
  return clock;
};

export type TestMetrics = {
  readonly db: Database;
  readonly registry: MetricRegistry;
  readonly metrics: Metrics;
  /** The next life of the process, on the same store. */
  restart(): Promise<TestMetrics>;
  remove(): Promise<void>;
};

/** Test support: recorder, store and all between them, on a real database; nothing runs by itself. */
export async function openMetrics(
  options: {
    clock: Clock;
    log?: Logger;
    settings?: Partial<HistorySettings>;
    instance?: string;
    own?: readonly OwnDefinition[];
    priceOf?: PriceOf;
  },
  db?: { readonly db: Database; remove(): Promise<void> },
): Promise<TestMetrics> {
  const { clock, log = silentLogger, settings, instance = 'i1', own, priceOf } = options;
  const opened = db ?? (await openTestMetrics());
  const registry = createMetricRegistry({ clock });
  const metrics = await createMetrics({ registry, db: opened.db, clock, log, instance, settings, own, priceOf });
  return {
    db: opened.db,
    registry,
    metrics,
    restart: () => openMetrics(options, opened),
    remove: () => opened.remove(),
  };
}
