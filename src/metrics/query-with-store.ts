import { AppError, describeError } from '../platform/errors.ts';
import type { MetricHistory } from './history.ts';
import type { Labels } from './metric-definition.ts';
import type { QueryRequest, QuerySource } from './query.ts';
import type { ReadBack } from './read-back/read-back.ts';

/** Of the own tiers, of a store that is written to, or of both: what the own tiers have no longer comes from the store. */
export type WideAnswer = {
  readonly stepMs: number;
  readonly times: readonly number[];
  readonly sources: readonly (QuerySource | StoreSource)[];
  readonly series: readonly { readonly labels: Labels; readonly values: readonly (number | null)[] }[];
  readonly total: number;
  readonly approximate: boolean;
  /** Why what the store has is missing; null when nothing of it is. */
  readonly storeError: string | null;
};
type StoreSource = {
  readonly tier: 'store';
  readonly fromMs: number;
  readonly toMs: number;
  readonly resolutionMs: number;
};

/** A chart does not wait longer for what may be missing from it. */
const patienceMs = 5_000;

/**
 * @param source `own` or `store` alone; undefined: the own tiers, and the store for windows before they begin. What goes wrong with
 *   the store then only leaves these windows empty.
 * @throws AppError `feature/disabled` where `store` is asked for and none is named; `metrics/store-failed`
 */
export async function queryWithStore(
  deps: { readonly history: MetricHistory; readonly readBack: ReadBack | undefined },
  request: QueryRequest & { readonly stepMs: number },
  source: 'own' | 'store' | undefined,
): Promise<WideAnswer> {
  const { history, readBack } = deps;
  const { fromMs, toMs, stepMs, limit = Infinity } = request;
  if (source === 'store') {
    if (readBack === undefined)
      throw new AppError('feature/disabled', 'No store is read: metrics.read_back of ragwarden.yaml names none.');
    const { times, series } = await readBack.query(request);
    return {
      ...{ stepMs, times, total: series.length, approximate: false, storeError: null },
      sources: [{ tier: 'store', fromMs, toMs, resolutionMs: readBack.resolutionMs }],
      series: inOrder(series).slice(0, limit),
    };
  }
  const own = await history.query({ ...request, limit: undefined });
  const alone = (storeError: string | null): WideAnswer => ({
    ...own,
    series: own.series.slice(0, limit),
    storeError,
  });
  if (readBack === undefined || source === 'own') return alone(null);
  const beginMs = (await history.beginMs()) ?? toMs + 1;
  // Windows that the own tiers have in part are theirs.
  const endMs = Math.min(Math.floor(beginMs / stepMs) * stepMs, toMs + 1) - 1;
  if (endMs < fromMs) return alone(null);
  let older: Awaited<ReturnType<ReadBack['query']>>;
  try {
    older = await readBack.query({ ...request, toMs: endMs }, patienceMs);
  } catch (err) {
    return alone(describeError(err));
  }
  const joined = new Map(own.series.map((one) => [keyOf(one.labels), { ...one, values: [...one.values] }]));
  for (const { labels, values } of older.series) {
    const key = keyOf(labels);
    const known = joined.get(key) ?? { labels, values: own.times.map(() => null) };
    joined.set(key, known);
    for (const [i, value] of values.entries()) known.values[i] ??= value;
  }
  const series = inOrder([...joined.values()]);
  return {
    ...{ stepMs, times: own.times, total: series.length, approximate: own.approximate, storeError: null },
    sources: [
      { tier: 'store', fromMs, toMs: endMs, resolutionMs: readBack.resolutionMs },
      ...own.sources.flatMap((one) => after(one, endMs)),
    ],
    series: series.slice(0, limit),
  };
}

const after = (source: QuerySource, endMs: number): QuerySource[] =>
  source.toMs <= endMs ? [] : [{ ...source, fromMs: Math.max(source.fromMs, endMs + 1) }];

const keyOf = (labels: Labels): string => JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));

const inOrder = <S extends { readonly labels: Labels }>(series: readonly S[]): S[] =>
  series.toSorted((a, b) => (keyOf(a.labels) < keyOf(b.labels) ? -1 : 1));
