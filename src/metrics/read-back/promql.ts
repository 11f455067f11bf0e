import type { Aggregation, Labels } from '../metric-definition.ts';
import type { StoreName } from './store-names.ts';

/** What is asked of a store. `unsupported`: what was sampled in turns cannot tell it. */
export type StoreExpression = { readonly promql: string } | { readonly unsupported: string };

const quantiles: Readonly<Partial<Record<Aggregation, number>>> = { p50: 0.5, p90: 0.9, p95: 0.95, p99: 0.99 };

/**
 * An aggregation of ours as PromQL, over the window of `stepMs` that ends where it is evaluated, in the unit of the store.
 * @param options.groupBy undefined keeps every series apart
 * @param options.resolutionMs between two samples in the store: growth is seen between two of them only
 */
export function expressPromql(
  of: StoreName,
  options: {
    readonly aggregation: Aggregation;
    readonly match: Labels;
    /** Further matchers, as PromQL writes them. */
    readonly selectors?: readonly string[];
    readonly groupBy: readonly string[] | undefined;
    readonly stepMs: number;
    readonly resolutionMs: number;
  },
): StoreExpression {
  const { aggregation, groupBy, stepMs, resolutionMs } = options;
  const matchers = [
    ...Object.entries(options.match).map(([label, value]) => `${label}=${JSON.stringify(value)}`),
    ...(options.selectors ?? []),
  ];
  const growthMs = Math.max(stepMs, 4 * resolutionMs);
  const selector = (suffix: string, rangeMs: number): string =>
    `${of.exposed}${suffix}{${matchers.join(',')}}[${Math.round(rangeMs)}ms]`;
  const grouped = (operator: string, expression: string, ...also: string[]): string =>
    groupBy === undefined
      ? expression
      : `${operator} by (${[...new Set([...groupBy, ...also])].join(',')}) (${expression})`;
  /** Of the window itself, also where it is shorter than what is needed to see growth. */
  const growth = (suffix = ''): string =>
    `${grouped('sum', `rate(${selector(suffix, growthMs)})`)} * ${stepMs / 1_000}`;
  const perSecond = (suffix = ''): string => grouped('sum', `rate(${selector(suffix, growthMs)})`);
  const overTime = (name: string): string => `${name}_over_time(${selector('', stepMs)})`;
  const quantile = quantiles[aggregation];

  if (of.kind === 'distribution') {
    const buckets = `rate(${selector('_bucket', growthMs)})`;
    if (quantile !== undefined) return { promql: `histogram_quantile(${quantile}, ${grouped('sum', buckets, 'le')})` };
    if (aggregation === 'average') return { promql: `${perSecond('_sum')} / ${perSecond('_count')}` };
    if (aggregation === 'sum') return { promql: growth('_sum') };
    if (aggregation === 'count' || aggregation === 'increase') return { promql: growth('_count') };
    if (aggregation === 'rate') return { promql: perSecond('_count') };
    return { unsupported: `a store keeps a distribution in buckets, which have no ${aggregation}` };
  }
  if (of.kind === 'counter') {
    if (aggregation === 'sum' || aggregation === 'increase') return { promql: growth() };
    if (aggregation === 'rate') return { promql: perSecond() };
  }
  if (aggregation === 'average')
    return {
      promql:
        groupBy === undefined
          ? overTime('avg')
          : `${grouped('sum', overTime('sum'))} / ${grouped('sum', overTime('count'))}`,
    };
  if (aggregation === 'min' || aggregation === 'max') return { promql: grouped(aggregation, overTime(aggregation)) };
  if (groupBy !== undefined && (aggregation === 'last' || quantile !== undefined))
    return { unsupported: `a store tells the ${aggregation} of each series by itself; leave group_by out` };
  if (aggregation === 'last') return { promql: overTime('last') };
  if (quantile !== undefined && of.kind === 'gauge')
    return { promql: `quantile_over_time(${quantile}, ${selector('', stepMs)})` };
  return { unsupported: `a store has samples of its own, whose ${aggregation} is not that of what was recorded` };
}
