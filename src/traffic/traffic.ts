import type { LlmReading, Observation } from '../gateway/index.ts';
import type { Recorder } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logging.ts';
import { type Exchange, isTimed, isWork } from './exchange.ts';
import { createExchangeLog } from './exchange-log.ts';
import { createOperationTotals, isMonitored, type OperationTotals } from './operation-totals.ts';
import { costOf, createPriceTable, type Price } from './prices.ts';
import { createRetries } from './retries.ts';
import { type SummaryKey, summarize, summarizeBy, type TrafficRow } from './summary.ts';
import { createTrafficMetrics } from './traffic-metrics.ts';
import { createUserTotals, type UserTotal } from './user-totals.ts';

/** Before anything is made of it. */
export type Told = Omit<Exchange, 'source' | 'costUsd' | 'retry'>;

export type TrafficFilter = {
  readonly targetId?: string | undefined;
  readonly workspace?: string | undefined;
  readonly user?: string | undefined;
};

export type TrafficSummary = {
  readonly fromMs: number;
  readonly toMs: number;
  /** Later than `fromMs` where what passed earlier is forgotten already. */
  readonly keptFromMs: number;
  /** End of the first exchange that is counted, or `keptFromMs` where that is earlier. */
  readonly countedFromMs: number;
  readonly total: TrafficRow;
  readonly groups: readonly { readonly key: string; readonly row: TrafficRow }[];
};

export type Traffic = {
  /** What the gateway saw. Never throws. */
  observe(observations: readonly Observation[]): void;
  /** What somebody told who did it himself. */
  record(exchange: Told): void;
  summary(options: { windowMs: number; by?: SummaryKey | undefined } & TrafficFilter): TrafficSummary;
  /** Queries, searches and inserts that ended in that time. */
  operationsBetween(fromMs: number, toMs: number): number;
  /** The newest first. */
  recent(
    options: { limit: number; failed?: boolean | undefined; door?: 'backend' | 'llm' | undefined } & TrafficFilter,
  ): readonly Exchange[];
  readonly totals: OperationTotals;
  user(userId: string): UserTotal | undefined;
  /** What a call with these tokens costs; null where the model has no price. */
  priceOf(
    call: Pick<LlmReading, 'provider' | 'model' | 'promptTokens' | 'completionTokens' | 'cachedTokens'>,
  ): number | null;
  /** Models whose tokens could not be priced since the start. */
  unpricedModels(): readonly string[];
  /** Begins to count anew: totals, exchanges and the time since which. */
  reset(): void;
};

/** About 16 MB when it is full. */
const mostExchanges = 32_768;
const mostUnpriced = 100;

/** Makes counts, times, tokens and cost of what passes; in memory, while the store of metrics keeps what lasts. */
export function createTraffic(options: {
  recorder: Recorder;
  clock: Clock;
  log: Logger;
  prices: readonly Price[];
  mostKept?: number;
}): Traffic {
  const { clock, log } = options;
  const metrics = createTrafficMetrics(options.recorder);
  const exchanges = createExchangeLog({ most: options.mostKept ?? mostExchanges, nowMs: clock.now() });
  const totals = createOperationTotals(clock.now());
  const users = createUserTotals();
  const retries = createRetries();
  const prices = createPriceTable(options.prices);
  const unpriced = new Set<string>();

  const priceOf: Traffic['priceOf'] = (call) => {
    if (call.model === null || (call.promptTokens === null && call.completionTokens === null)) return null;
    const price = prices.find(call.provider, call.model);
    if (price !== undefined) return costOf(price, call);
    if (!unpriced.has(call.model) && unpriced.size < mostUnpriced) {
      unpriced.add(call.model);
      log.warn(
        { model: call.model, provider: call.provider },
        'no price of this model is known, so its tokens are counted and its cost is not; name it in traffic.prices',
      );
    }
    return null;
  };

  const take = (observation: Told, source: Exchange['source']): void => {
    const { llm, outcome, atMs, totalMs } = observation;
    const exchange: Exchange = {
      ...observation,
      source,
      costUsd: llm && priceOf(llm),
      retry: llm !== null && retries.isRetry(llm, outcome, atMs, atMs + totalMs),
    };
    exchanges.add(exchange);
    if (!isWork(exchange)) return;
    totals.count(exchange);
    users.count(exchange);
    metrics.count(exchange);
  };

  const fits = (exchange: Exchange, { targetId, workspace, user }: TrafficFilter): boolean =>
    (targetId === undefined || exchange.targetId === targetId) &&
    (workspace === undefined || exchange.workspace === workspace) &&
    (user === undefined || exchange.subject === user);

  return {
    observe(observations) {
      for (const observation of observations)
        try {
          take(observation, 'gateway');
        } catch (err) {
          // A bug in counting must not end what is counted.
          log.error({ err, route: observation.route }, 'an exchange could not be counted');
        }
    },
    record: (exchange) => take(exchange, 'recorded'),
    summary({ windowMs, by, ...filter }) {
      const toMs = clock.now();
      const fromMs = toMs - windowMs;
      const kept = [...exchanges.since(fromMs)].filter((one) => isWork(one) && fits(one, filter));
      const keptFromMs = Math.min(toMs, Math.max(fromMs, exchanges.keptFromMs()));
      return {
        ...{ fromMs, toMs, keptFromMs },
        // A program may tell of what it did before: a rate over the kept part alone would be too high.
        countedFromMs: kept.reduce((earliest, one) => Math.min(earliest, one.atMs + one.totalMs), keptFromMs),
        total: summarize(kept),
        groups: by === undefined ? [] : summarizeBy(kept, by),
      };
    },
    operationsBetween(fromMs, toMs) {
      let found = 0;
      for (const { operation, atMs, totalMs, outcome } of exchanges.since(fromMs))
        if (isMonitored(operation) && isTimed(outcome) && atMs + totalMs <= toMs) found += 1;
      return found;
    },
    recent({ limit, failed, door, ...filter }) {
      const found: Exchange[] = [];
      for (const one of exchanges.newest()) {
        if (found.length >= limit) break;
        if (door !== undefined && one.door !== door) continue;
        if (failed === true && ['ok', 'empty'].includes(one.outcome)) continue;
        if (fits(one, filter)) found.push(one);
      }
      return found;
    },
    totals,
    user: (userId) => users.find(userId),
    priceOf,
    unpricedModels: () => [...unpriced],
    reset() {
      totals.reset(clock.now());
      exchanges.clear(clock.now());
    },
  };
}
