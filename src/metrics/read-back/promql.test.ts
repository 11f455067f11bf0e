import { expect, test } from 'vitest';
import { type Aggregation, aggregations } from '../metric-definition.ts';
import { expressPromql } from './promql.ts';
import type { StoreName } from './store-names.ts';

const names = {
  gauge: { name: 'level', exposed: 'ragwarden_app_level', kind: 'gauge', scale: 1 },
  counter: { name: 'jobs', exposed: 'ragwarden_app_jobs_total', kind: 'counter', scale: 1 },
  distribution: { name: 'took_ms', exposed: 'ragwarden_app_took_seconds', kind: 'distribution', scale: 1e-3 },
} satisfies Record<string, StoreName>;
const express = (kind: keyof typeof names, aggregation: Aggregation, groupBy?: readonly string[], stepMs = 300_000) => {
  const options = { aggregation, groupBy, stepMs, resolutionMs: 15_000, match: { job: 'ragwarden', path: 'a"\\\n' } };
  const told = expressPromql(names[kind], options);
  const selected = '{job="ragwarden",path="a\\"\\\\\\n"}';
  return 'promql' in told ? told.promql.replaceAll(selected, '{}') : told.unsupported;
};

test.each([
  ['gauge', 'average', undefined, 'avg_over_time(ragwarden_app_level{}[300000ms])'],
  [
    'gauge',
    'average',
    ['a', 'b'],
    'sum by (a,b) (sum_over_time(ragwarden_app_level{}[300000ms])) / sum by (a,b) (count_over_time(ragwarden_app_level{}[300000ms]))',
  ],
  ['gauge', 'max', [], 'max by () (max_over_time(ragwarden_app_level{}[300000ms]))'],
  ['gauge', 'last', undefined, 'last_over_time(ragwarden_app_level{}[300000ms])'],
  ['gauge', 'p90', undefined, 'quantile_over_time(0.9, ragwarden_app_level{}[300000ms])'],
  ['gauge', 'p90', ['a'], 'a store tells the p90 of each series by itself; leave group_by out'],
  ['gauge', 'sum', undefined, 'a store has samples of its own, whose sum is not that of what was recorded'],
  ['counter', 'increase', ['a'], 'sum by (a) (rate(ragwarden_app_jobs_total{}[300000ms])) * 300'],
  ['counter', 'rate', undefined, 'rate(ragwarden_app_jobs_total{}[300000ms])'],
  [
    'distribution',
    'p99',
    ['a'],
    'histogram_quantile(0.99, sum by (a,le) (rate(ragwarden_app_took_seconds_bucket{}[300000ms])))',
  ],
  ['distribution', 'p50', undefined, 'histogram_quantile(0.5, rate(ragwarden_app_took_seconds_bucket{}[300000ms]))'],
  [
    'distribution',
    'average',
    ['a'],
    'sum by (a) (rate(ragwarden_app_took_seconds_sum{}[300000ms])) / sum by (a) (rate(ragwarden_app_took_seconds_count{}[300000ms]))',
  ],
  ['distribution', 'count', [], 'sum by () (rate(ragwarden_app_took_seconds_count{}[300000ms])) * 300'],
  ['distribution', 'max', undefined, 'a store keeps a distribution in buckets, which have no max'],
] as const)('%s, %s by %s', (kind, aggregation, groupBy, expected) => {
  expect(express(kind, aggregation, groupBy)).toBe(expected);
});

test('growth is looked for over four samples, also where a window is shorter', () => {
  expect(express('counter', 'increase', undefined, 10_000)).toBe('rate(ragwarden_app_jobs_total{}[60000ms]) * 10');
  expect(express('gauge', 'max', undefined, 10_000)).toBe('max_over_time(ragwarden_app_level{}[10000ms])');
});

test('every aggregation has an expression or a reason', () => {
  for (const kind of ['gauge', 'counter', 'distribution'] as const)
    for (const aggregation of aggregations) expect(express(kind, aggregation).length).toBeGreaterThan(10);
});
