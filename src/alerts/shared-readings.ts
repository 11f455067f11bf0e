import type { MetricHistory } from '../metrics/index.ts';
import { type AlertRule, type SeriesChoice, wants } from './alert-rule.ts';
import type { Reading } from './reading.ts';

type View = Pick<MetricHistory, 'query'>;
/** What every series of a metric measures over one window, found by the value of a label. */
type Shared = { readonly whole: boolean; find(choice: SeriesChoice): readonly Reading[] };

/** By the view, which is made anew for each evaluation: all rules of one see the same samples. */
const asked = new WeakMap<View, Map<string, Promise<Shared> | undefined>>();

/**
 * Many rules that ask the same of single series of one metric share one question: asked one by one, each would look at every series.
 * Undefined: nobody has asked it before, and one rule alone asks for its own series only.
 */
export function findShared(
  rule: AlertRule,
  { metricName }: SeriesChoice,
  view: View,
  { fromMs, toMs, limit }: { readonly fromMs: number; readonly toMs: number; readonly limit: number },
): Promise<Shared> | undefined {
  if (rule.groupBy !== undefined) return undefined;
  const key = JSON.stringify([metricName, rule.aggregation, fromMs, toMs]);
  const known = asked.get(view) ?? new Map<string, Promise<Shared> | undefined>();
  asked.set(view, known);
  if (!known.has(key)) {
    known.set(key, undefined);
    return undefined;
  }
  const shared =
    known.get(key) ??
    view
      .query({ name: metricName, aggregation: rule.aggregation, fromMs, toMs, limit })
      .then(({ series, total }) => shareOf(series, total <= limit));
  known.set(key, shared);
  return shared;
}

type Series = Awaited<ReturnType<View['query']>>['series'];

function shareOf(series: Series, whole: boolean): Shared {
  const readings = series.flatMap(({ labels, values: [value] }): Reading[] =>
    value === null || value === undefined ? [] : [{ labels, value }],
  );
  const byLabel = new Map<string, Map<string, Reading[]>>();
  const indexOf = (label: string): Map<string, Reading[]> => {
    const known = byLabel.get(label) ?? Map.groupBy(readings, ({ labels }) => labels[label] ?? '');
    byLabel.set(label, known);
    return known;
  };
  return {
    whole,
    find(choice) {
      const [label, matcher] = Object.entries(choice.labels).find(([, { anyOf }]) => anyOf !== undefined) ?? [];
      const where = wants(choice);
      const near =
        label === undefined || matcher?.anyOf === undefined
          ? readings
          : [...new Set(matcher.anyOf)].flatMap((value) => indexOf(label).get(value) ?? []);
      return near.filter(({ labels }) => where(labels));
    },
  };
}
