import type { MetricHistory } from '../metrics/index.ts';
import { AppError } from '../platform/errors.ts';
import { type AlertRule, type Anomaly, wants } from './alert-rule.ts';
import { type Labels, labelText } from './reading.ts';
import { findUsual, pastOf, type Usual, valuesOf } from './usual.ts';

/** Windows of one question; the store answers few more. */
const mostWindows = 10_900;
/** Pasts that are looked at for all series together: a tenth of a millisecond each. */
const mostPasts = 100_000;

/** What was usual of each series at any moment of a range, as it would have been known then. */
export async function readUsualOver(
  rule: AlertRule & { readonly anomaly: Anomaly },
  view: Pick<MetricHistory, 'query'>,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  notes: string[],
): Promise<(labels: Labels, atMs: number) => Usual | undefined> {
  const first = pastOf(rule, rule.anomaly, fromMs);
  const last = pastOf(rule, rule.anomaly, toMs);
  const { stepMs } = first;
  const ends = (last.endMs - first.endMs) / stepMs + 1;
  if ((last.endMs - first.fromMs) / stepMs > mostWindows)
    throw new AppError('request/invalid', 'The range holds too many windows of this rule.', {
      violations: [{ at: 'from', message: 'begins too early: try a shorter range, or a longer `window_seconds`' }],
    });
  const limit = Math.max(1, Math.floor(mostPasts / ends));
  const { times, series, total } = await view.query({
    ...{ name: rule.metricName, where: wants(rule), groupBy: rule.groupBy, aggregation: rule.aggregation },
    ...{ fromMs: first.fromMs, toMs: last.endMs - 1, stepMs, limit },
  });
  if (total > limit) notes.push(`Only the first ${limit} of ${total} series are judged.`);
  const valuesByLabels = new Map(series.map(({ labels, values }) => [labelText(labels), values]));
  const known = new Map<string, { endMs: number; usual: Usual | undefined }>();
  return (labels, atMs) => {
    const key = labelText(labels);
    const past = pastOf(rule, rule.anomaly, atMs);
    const before = known.get(key);
    if (before?.endMs === past.endMs) return before.usual;
    const from = Math.max(0, (past.fromMs - (times[0] ?? 0)) / stepMs);
    const to = Math.max(0, (past.endMs - (times[0] ?? 0)) / stepMs);
    const values = valuesByLabels.get(key)?.slice(from, to) ?? [];
    const usual = findUsual(valuesOf(rule.anomaly, past, times.slice(from, to), values));
    known.set(key, { endMs: past.endMs, usual });
    return usual;
  };
}
