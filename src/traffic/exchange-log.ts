import type { Exchange } from './exchange.ts';

/** The latest exchanges, in memory, bounded by number and age. */
export type ExchangeLog = {
  add(exchange: Exchange): void;
  /** Those that ended at `fromMs` or later, in the order in which they came. */
  since(fromMs: number): Iterable<Exchange>;
  /** The newest first. */
  newest(): Iterable<Exchange>;
  readonly size: number;
  /** From when on nothing is missing: of what ended earlier some or all is forgotten. */
  keptFromMs(): number;
  clear(nowMs: number): void;
};

const longestKeptText = 200;

/** @param most an exchange takes about 500 bytes; names that repeat are kept once */
export function createExchangeLog({ most, nowMs }: { most: number; nowMs: number }): ExchangeLog {
  let ring: Exchange[] = [];
  /** Place of the oldest, once the ring is full. */
  let oldest = 0;
  let keptFromMs = nowMs;
  const names = new Map<string, string>();

  /** One string for many equal ones, as they come from another thread. */
  const shared = (text: string): string => {
    const known = names.get(text);
    if (known !== undefined) return known;
    const kept = text.slice(0, longestKeptText);
    if (names.size >= 10_000) names.clear();
    names.set(text, kept);
    return kept;
  };
  const sharedOrNull = (text: string | null): string | null => (text === null ? null : shared(text));

  return {
    add(exchange) {
      const { llm } = exchange;
      const kept: Exchange = {
        ...exchange,
        targetId: sharedOrNull(exchange.targetId),
        workspace: sharedOrNull(exchange.workspace),
        subject: sharedOrNull(exchange.subject),
        keyId: sharedOrNull(exchange.keyId),
        route: shared(exchange.route),
        mode: sharedOrNull(exchange.mode),
        reason: sharedOrNull(exchange.reason),
        llm: llm && {
          ...llm,
          provider: shared(llm.provider),
          model: sharedOrNull(llm.model),
          role: sharedOrNull(llm.role),
          // It told whether this was a retry, and is of no use any more.
          digest: null,
        },
      };
      if (ring.length < most) {
        ring.push(kept);
        return;
      }
      keptFromMs = Math.max(keptFromMs, endOf(ring[oldest]!) + 1);
      ring[oldest] = kept;
      oldest = (oldest + 1) % most;
    },
    *since(fromMs) {
      for (let i = 0; i < ring.length; i += 1) {
        const one = ring[(oldest + i) % ring.length]!;
        if (endOf(one) >= fromMs) yield one;
      }
    },
    *newest() {
      for (let i = ring.length - 1; i >= 0; i -= 1) yield ring[(oldest + i) % ring.length]!;
    },
    get size() {
      return ring.length;
    },
    keptFromMs: () => keptFromMs,
    clear(clearedMs) {
      ring = [];
      oldest = 0;
      keptFromMs = clearedMs;
    },
  };
}

const endOf = ({ atMs, totalMs }: Exchange): number => atMs + totalMs;
