import { describe, expect, test } from 'vitest';
import type { MetricAnswer } from '../api/metric-wire.ts';
import { formatAxisTimes, formatMetric, unitOf } from '../format-metric.ts';
import { matchingMetrics } from '../views/metrics/choose-metric.tsx';
import { alone, labelValues, layChart, namesOf } from './metric-chart.ts';

const labels = (endpoint: string) => ({ endpoint, instance: 'main' });
const course: MetricAnswer = {
  step_seconds: 60,
  times: ['2026-01-05T12:00:00.000Z', '2026-01-05T12:01:00.000Z', '2026-01-05T12:02:00.000Z'],
  sources: [],
  approximate: false,
  series: [
    { labels: labels('/list'), values: [null, null, null] },
    { labels: labels('/search'), values: [3, null, 1] },
    { labels: labels('/track'), values: [5, 9, null] },
  ],
  total_series: 4,
  store_error: null,
};

test('the greatest come first, gaps stay, and the latest value has its own instant', () => {
  const ranking = {
    items: [
      { labels: { instance: 'main', endpoint: '/track' }, value: 7 },
      { labels: labels('/search'), value: 2 },
      // Beyond the thousand series of the course.
      { labels: labels('/zzz'), value: 1 },
    ],
    total_series: 4,
  };
  const { series, total, times } = layChart(course, ranking);
  expect(total).toBe(4);
  expect(series.map(({ name, values, least, greatest }) => [name, values, least, greatest])).toEqual([
    ['endpoint=/track', [5, 9, null], 5, 9],
    ['endpoint=/search', [3, null, 1], 1, 3],
  ]);
  expect(series[0]?.latest).toEqual({ atMs: times[1], value: 9 });
});

test('a series is named by what tells it apart', () => {
  expect(namesOf([{ instance: 'a' }])).toEqual(['all']);
  expect(namesOf([{}])).toEqual(['all']);
  expect(
    namesOf([
      { instance: 'a', x: '1' },
      { instance: 'b', x: '1' },
    ]),
  ).toEqual(['instance=a x=1', 'instance=b x=1']);
  expect(labelValues(course.series)).toEqual(
    new Map([
      ['endpoint', ['/list', '/search', '/track']],
      ['instance', ['main']],
    ]),
  );
});

test('a value between two gaps is drawn as a dot', () => {
  expect(alone([1, null, 2, 3, null, 4])).toEqual([0, 5]);
  expect(alone([null, 5, null])).toEqual([1]);
  expect(alone([])).toEqual([]);
});

describe('values', () => {
  test.each([
    [0, 'ms', '0 ms'],
    [1_500, 'ms', '1.5 s'],
    [0.123_45, 'seconds', '0.1235 s'],
    [2_097_152, 'bytes/s', '2.00 MiB/s'],
    [99.987_6, 'percent', '99.99 %'],
    [0.0021, 'usd', '$0.0021'],
    [1_234_567, '', '1,234,567'],
    [0.000_012_346, '', '0.00001235'],
    [17, 'documents', '17 documents'],
  ])('%d of unit "%s" is %s', (value, unit, text) => {
    expect(formatMetric(value, unit)).toBe(text);
  });

  test('have another unit when they are counted or told per second', () => {
    expect(unitOf({ type: 'timer', unit: 'ms' }, 'rate')).toBe('/s');
    expect(unitOf({ type: 'counter', unit: 'bytes' }, 'rate')).toBe('bytes/s');
    expect(unitOf({ type: 'gauge', unit: 'percent' }, 'count')).toBe('');
  });

  test('stand over times as fine as they are apart, each day named once', () => {
    const at = (hour: number, minute = 0) => new Date(2026, 0, 5, hour, minute).getTime();
    expect(formatAxisTimes([at(22), at(23), at(24)], 3_600_000)).toEqual(['22:00\n5 Jan', '23:00', '00:00\n6 Jan']);
    expect(formatAxisTimes([at(9)], 15_000)).toEqual(['09:00:00\n5 Jan']);
    expect(formatAxisTimes([at(0), at(24)], 86_400_000)).toEqual(['5 Jan', '6 Jan']);
  });
});

test('every word of a search is somewhere in what a metric is', () => {
  const one = (name: string, description: string) => ({
    ...{ name, description, unit: 'bytes', type: 'gauge' as const, category: 'system' },
    ...{ aggregations: [], enabled: true, defined_by: 'use' as const },
  });
  const all = [one('system_memory_bytes', 'Used memory'), one('cache_size', 'What is cached')];
  const found = (typed: string) => matchingMetrics(all, typed).map(({ name }) => name);
  expect(found('  ')).toHaveLength(2);
  expect(found('MEMORY used')).toEqual(['system_memory_bytes']);
  expect(found('gauge bytes')).toHaveLength(2);
  expect(found('memory cached')).toEqual([]);
});
