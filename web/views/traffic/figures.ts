import type { Distribution, TrafficRow } from '../../api/traffic-wire.ts';
import { formatCount, formatPercent } from '../../format.ts';
import { formatMetric } from '../../format-metric.ts';

/** Milliseconds with three digits at most: nobody reads a fourth in a table. A dash where nothing was measured. */
export const timeOf = (ms: number | null): string =>
  ms === null ? '–' : formatMetric(ms < 60_000 ? Number(ms.toPrecision(3)) : ms, 'ms');

export const timesOf = ({ count, p50, p95, p99 }: Distribution): string =>
  count === 0 ? '–' : [p50, p95, p99].map(timeOf).join(' · ');

export const rateOf = (rate: number | null): string => (rate === null ? '–' : formatPercent(rate * 100));

export const tokensOf = ({ calls, tokens }: TrafficRow['llm']): string =>
  calls === 0 ? '–' : formatCount(tokens.prompt + tokens.completion);

/** What has no price is not free. */
export function costOf({ calls, calls_without_price, cost_usd }: TrafficRow['llm']): string {
  if (calls === 0) return '–';
  if (calls_without_price === 0) return formatMetric(cost_usd, 'usd');
  return cost_usd === 0 ? 'unknown' : `${formatMetric(cost_usd, 'usd')} and more`;
}

export const workspaceName = (workspace: string | null): string =>
  workspace === '' ? '(unnamed)' : (workspace ?? '–');

/** The level word of an outcome, and what it says to people. */
export function wordOfOutcome(outcome: string): { word: string; text: string } {
  const text = outcome.replaceAll('_', ' ');
  if (outcome === 'ok') return { word: 'success', text };
  if (outcome === 'empty' || outcome === 'busy') return { word: 'info', text };
  if (outcome === 'client_gone') return { word: 'cancelled', text };
  if (outcome === 'client_error' || outcome === 'rate_limited' || outcome.startsWith('refused'))
    return { word: 'warning', text };
  return { word: 'failed', text };
}
