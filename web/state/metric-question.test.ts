import { describe, expect, test } from 'vitest';
import type { MetricDefinition } from '../api/metric-wire.ts';
import {
  commandOf,
  coursePath,
  labelsPath,
  noQuestion,
  rangeOf,
  rankingPath,
  readQuestion,
  stepOf,
  topOf,
  writeQuestion,
} from './metric-question.ts';

const nowMs = Date.UTC(2026, 0, 5, 12);
const metric: MetricDefinition = {
  name: 'request_duration',
  category: 'performance',
  type: 'timer',
  unit: 'ms',
  description: '',
  aggregations: ['average', 'p95'],
  enabled: true,
  defined_by: 'use',
};

test('a question makes a round trip through the address', () => {
  const question = {
    ...noQuestion,
    metric: 'request_duration',
    aggregation: 'p95',
    match: ['endpoint=/search?a=b', 'method='],
    // All series as one, which is not the same as each.
    by: '',
    last: '6h',
    step: '300',
    top: '5',
  };
  const query = new URLSearchParams('theme=x');
  writeQuestion(query, question);
  expect(readQuestion(new URLSearchParams(query.toString()))).toEqual(question);
  writeQuestion(query, noQuestion);
  expect(query.toString()).toBe('theme=x');
});

describe('the range', () => {
  test.each([
    [{}, 3_600, true],
    [{ last: '7d' }, 7 * 86_400, true],
    [{ last: 'forever' }, 3_600, true],
    [{ from: '2026-01-05T10:00:00Z' }, 7_200, true],
    [{ from: '2026-01-05T10:00:00Z', to: '2026-01-05T10:30:00Z' }, 1_800, false],
    // It would end before it begins.
    [{ from: '2026-01-05T11:00:00Z', to: '2026-01-05T10:30:00Z' }, 3_600, true],
  ])('of %j is %d s long', (said, seconds, moving) => {
    const range = rangeOf({ ...noQuestion, ...said }, nowMs);
    expect([(range.toMs - range.fromMs) / 1_000, range.moving]).toEqual([seconds, moving]);
  });

  test.each([
    ['15m', undefined, 10],
    ['1h', undefined, 30],
    ['24h', undefined, 600],
    ['365d', undefined, 86_400],
    ['1h', '5', 5],
    ['1h', 'often', 30],
  ])('of %s with the step %s has windows of %d s', (last, step, seconds) => {
    const question = { ...noQuestion, last, step };
    expect(stepOf(question, rangeOf(question, nowMs))).toBe(seconds);
  });
});

test('the call, its ranking and the command ask the same', () => {
  const question = {
    ...noQuestion,
    metric: metric.name,
    match: ["user=o'hara", 'method=POST'],
    by: 'endpoint',
    last: '6h',
  };
  const range = rangeOf(question, nowMs);
  const shared =
    'name=request_duration&aggregation=average&from=2026-01-05T06%3A00%3A00.000Z&to=2026-01-05T12%3A00%3A00.000Z&match=user%3Do%27hara&match=method%3DPOST&group_by=endpoint';
  expect(coursePath(question, metric, range)).toBe(`api/v1/metrics/query?${shared}&step_seconds=300&limit=1000`);
  expect(rankingPath(question, metric, range)).toBe(`api/v1/metrics/top?${shared}&limit=10`);
  expect(commandOf(question, metric, range)).toBe(
    `ragwarden metrics query request_duration --aggregation average --last 6h --step 300s --match 'user=o'\\''hara' method=POST --group-by endpoint`,
  );
  const fixed = { ...question, match: [], by: '', from: '2026-01-05T10:00:00Z', to: '2026-01-05T11:00:00Z' };
  expect(commandOf(fixed, metric, rangeOf(fixed, nowMs))).toBe(
    'ragwarden metrics query request_duration --aggregation average --from 2026-01-05T10:00:00.000Z --to 2026-01-05T11:00:00.000Z --step 30s --group-by all',
  );
  // Labels are those of the whole range, whatever was chosen of them.
  expect(labelsPath(metric.name, range)).toContain('step_seconds=21600');
  expect(topOf({ ...noQuestion, top: '5000' })).toBe(10);
});
