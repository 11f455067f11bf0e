import type { MetricHistory } from '../../metrics/index.ts';
import type { Figures } from './decide-watch.ts';

/** How requests end when it is the fault of the backend. */
const failures = new Set(['hidden_error', 'rate_limited', 'upstream_error', 'upstream_unreachable', 'upstream_broken']);
const done = new Set(['ok', 'empty', 'busy']);
const answering = ['query', 'search'];

/** What the store of metrics has of the traffic of a target, both ends included. */
export async function readFigures(
  history: Pick<MetricHistory, 'query'>,
  targetId: string,
  fromMs: number,
  toMs: number,
): Promise<Figures> {
  const match = { target: targetId };
  const range = { fromMs, toMs: Math.max(fromMs, toMs) };
  const [exchanges, counts, times, canary] = await Promise.all([
    history.query({ ...range, name: 'traffic_exchanges', match, groupBy: ['outcome'], aggregation: 'sum' }),
    history.query({ ...range, name: 'traffic_duration_ms', match, groupBy: ['operation'], aggregation: 'count' }),
    history.query({ ...range, name: 'traffic_duration_ms', match, groupBy: ['operation'], aggregation: 'p95' }),
    history.query({ ...range, name: 'ragwarden_canary_passed', match, groupBy: ['workspace'], aggregation: 'last' }),
  ]);
  const sumOf = (outcomes: ReadonlySet<string>): number =>
    exchanges.series.reduce(
      (sum, { labels, values }) => sum + (outcomes.has(labels.outcome ?? '') ? (values[0] ?? 0) : 0),
      0,
    );
  const failed = sumOf(failures);
  const figureOf = ({ series }: typeof counts, operation: string): number | null =>
    series.find(({ labels }) => labels.operation === operation)?.values[0] ?? null;
  const passed = canary.series.flatMap(({ values }) => values[0] ?? []);
  return {
    requests: sumOf(done) + failed,
    failed,
    answers: Object.fromEntries(
      answering.flatMap((operation) => {
        const [requests, p95Ms] = [figureOf(counts, operation), figureOf(times, operation)];
        return requests === null || p95Ms === null ? [] : [[operation, { requests, p95Ms }]];
      }),
    ),
    canary: passed.length === 0 ? null : passed.every((value) => value === 1),
  };
}
