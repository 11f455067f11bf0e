import type { MetricHistory } from '../metrics/index.ts';
import { type AlertRule, type Anomaly, wants } from './alert-rule.ts';
import { labelText, type Reading } from './reading.ts';
import { findUsual, type Past, pastOf, readingOf, type Usual, valuesOf } from './usual.ts';

type View = Pick<MetricHistory, 'query'>;

/** Reads how unusual each series is against its own past. One without enough of a past has no reading. */
export function createAnomalyReader(
  rule: AlertRule & { readonly anomaly: Anomaly },
  readValues: (view: View, nowMs: number) => readonly Reading[] | Promise<readonly Reading[]>,
  mostSeries: number,
): { read(view: View, nowMs: number): Promise<readonly Reading[]> } {
  /** Of the past that ended then: it moves once per window. */
  let known: { readonly endMs: number; readonly usual: ReadonlyMap<string, Usual> } | undefined;
  return {
    async read(view, nowMs) {
      const past = pastOf(rule, rule.anomaly, nowMs);
      if (known?.endMs !== past.endMs)
        known = { endMs: past.endMs, usual: await readUsual(rule, past, view, mostSeries) };
      const { usual } = known;
      return (await readValues(view, nowMs)).flatMap((one) => {
        const of = usual.get(labelText(one.labels));
        return of === undefined ? [] : [readingOf(rule, one, of)];
      });
    },
  };
}

async function readUsual(
  rule: AlertRule & { readonly anomaly: Anomaly },
  past: Past,
  view: View,
  mostSeries: number,
): Promise<ReadonlyMap<string, Usual>> {
  const { times, series } = await view.query({
    ...{ name: rule.metricName, where: wants(rule), groupBy: rule.groupBy, aggregation: rule.aggregation },
    ...{ fromMs: past.fromMs, toMs: past.endMs - 1, stepMs: past.stepMs, limit: mostSeries },
  });
  return new Map(
    series.flatMap(({ labels, values }) => {
      const usual = findUsual(valuesOf(rule.anomaly, past, times, values));
      return usual === undefined ? [] : [[labelText(labels), usual]];
    }),
  );
}
