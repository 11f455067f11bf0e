import { type Distribution, describeValues } from './distribution.ts';
import { type Exchange, isTimed, resultOf } from './exchange.ts';

export const summaryKeys = ['operation', 'mode', 'workspace', 'user', 'model', 'provider', 'role', 'source'] as const;
export type SummaryKey = (typeof summaryKeys)[number];

/** What passed the one door or the other in a stretch of time. */
export type TrafficRow = {
  /** Of the backend. */
  readonly requests: number;
  /** Those that neither failed nor went wrong. */
  readonly done: number;
  readonly errors: number;
  /** Of what was done or failed; null without either. */
  readonly errorRate: number | null;
  readonly clientErrors: number;
  readonly refused: number;
  readonly cancelled: number;
  readonly empty: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly durationMs: Distribution;
  readonly firstByteMs: Distribution;
  readonly firstContentMs: Distribution;
  readonly llm: LlmRow;
};

/** Calls of providers. */
export type LlmRow = {
  readonly calls: number;
  readonly errors: number;
  readonly errorRate: number | null;
  readonly rateLimited: number;
  readonly retries: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
  /** Calls that were answered and said nothing about tokens. */
  readonly callsWithoutTokens: number;
  readonly costUsd: number;
  /** Calls with tokens of a model without a price. */
  readonly callsWithoutPrice: number;
  readonly durationMs: Distribution;
  readonly firstTokenMs: Distribution;
};

/** The name under which an exchange is counted; null where it has none. */
export function keyOf(exchange: Exchange, by: SummaryKey): string | null {
  const { llm } = exchange;
  switch (by) {
    case 'operation':
      return exchange.operation;
    case 'mode':
      return exchange.mode;
    case 'workspace':
      return exchange.workspace;
    case 'user':
      return exchange.subject;
    case 'model':
      return llm?.model ?? null;
    case 'provider':
      return llm?.provider ?? null;
    case 'role':
      return llm?.role ?? null;
    case 'source':
      return exchange.source;
  }
}

/** Of what could be done or could fail; whoever broke off, was refused or asked for nonsense says nothing about the backend. */
const rateOf = (errors: number, done: number): number | null => (errors + done === 0 ? null : errors / (errors + done));

export function summarize(exchanges: Iterable<Exchange>): TrafficRow {
  const counts = { requests: 0, done: 0, errors: 0, clientErrors: 0, refused: 0, cancelled: 0, empty: 0 };
  let requestBytes = 0;
  let responseBytes = 0;
  const durations: number[] = [];
  const firstBytes: number[] = [];
  const firstContents: number[] = [];
  const calls: Exchange[] = [];
  for (const exchange of exchanges) {
    if (exchange.door === 'llm') {
      calls.push(exchange);
      continue;
    }
    counts.requests += 1;
    counts[counterOf[resultOf(exchange.outcome)]] += 1;
    if (exchange.outcome === 'empty') counts.empty += 1;
    requestBytes += exchange.requestBytes;
    responseBytes += exchange.responseBytes;
    if (!isTimed(exchange.outcome)) continue;
    durations.push(exchange.totalMs);
    if (exchange.firstByteMs !== null) firstBytes.push(exchange.firstByteMs);
    if (exchange.firstContentMs !== null) firstContents.push(exchange.firstContentMs);
  }
  return {
    ...counts,
    errorRate: rateOf(counts.errors, counts.done),
    ...{ requestBytes, responseBytes },
    durationMs: describeValues(durations),
    firstByteMs: describeValues(firstBytes),
    firstContentMs: describeValues(firstContents),
    llm: summarizeCalls(calls),
  };
}

const counterOf = {
  done: 'done',
  failed: 'errors',
  wrong: 'clientErrors',
  refused: 'refused',
  gone: 'cancelled',
} as const;

function summarizeCalls(calls: readonly Exchange[]): LlmRow {
  const sums = {
    ...{ calls: 0, errors: 0, rateLimited: 0, retries: 0, promptTokens: 0, completionTokens: 0, cachedTokens: 0 },
    ...{ callsWithoutTokens: 0, costUsd: 0, callsWithoutPrice: 0 },
  };
  let done = 0;
  const durations: number[] = [];
  const firstTokens: number[] = [];
  for (const { outcome, llm, retry, costUsd, totalMs } of calls) {
    sums.calls += 1;
    const result = resultOf(outcome);
    // To a provider the backend is the client: what it asked wrongly failed for whoever asked the backend.
    if (result === 'failed' || result === 'wrong') sums.errors += 1;
    if (result === 'done') done += 1;
    if (outcome === 'rate_limited') sums.rateLimited += 1;
    if (retry) sums.retries += 1;
    sums.promptTokens += llm?.promptTokens ?? 0;
    sums.completionTokens += llm?.completionTokens ?? 0;
    sums.cachedTokens += llm?.cachedTokens ?? 0;
    sums.costUsd += costUsd ?? 0;
    const told = (llm?.promptTokens ?? null) !== null || (llm?.completionTokens ?? null) !== null;
    if (!told && result === 'done') sums.callsWithoutTokens += 1;
    if (told && costUsd === null) sums.callsWithoutPrice += 1;
    if (isTimed(outcome)) durations.push(totalMs);
    if (typeof llm?.firstTokenMs === 'number') firstTokens.push(llm.firstTokenMs);
  }
  return {
    ...sums,
    errorRate: rateOf(sums.errors, done),
    durationMs: describeValues(durations),
    firstTokenMs: describeValues(firstTokens),
  };
}

/** Rows by name, those with the most requests and calls first. What has no such name is left out. */
export function summarizeBy(
  exchanges: Iterable<Exchange>,
  by: SummaryKey,
): readonly { readonly key: string; readonly row: TrafficRow }[] {
  const groups = new Map<string, Exchange[]>();
  for (const exchange of exchanges) {
    const key = keyOf(exchange, by);
    if (key === null) continue;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [exchange]);
    else group.push(exchange);
  }
  return [...groups]
    .sort((a, b) => b[1].length - a[1].length || (a[0] < b[0] ? -1 : 1))
    .map(([key, group]) => ({ key, row: summarize(group) }));
}
