import type { Labels, MetricAnswer, MetricDefinition, MetricRanking } from '../api/metric-wire.ts';
import type { Page } from '../api/wire.ts';
import { useFollowed } from './asked.ts';
import { type Chart, labelValues, layChart } from './metric-chart.ts';
import {
  type AskedRange,
  coursePath,
  labelsPath,
  type MetricQuestion,
  rangeOf,
  rankingPath,
  stepOf,
} from './metric-question.ts';
import { nowMs } from './page-state.ts';
import { api } from './session.ts';

/** Every metric by name; the pages are put together. */
export const useDefinitions = () =>
  useFollowed<readonly MetricDefinition[]>('definitions', { load: loadDefinitions, everyMs: () => 30_000 });

async function loadDefinitions(on: AbortSignal): Promise<readonly MetricDefinition[]> {
  const all: MetricDefinition[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const after: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const page: Page<MetricDefinition> = await api.get(`api/v1/metrics/definitions?limit=1000${after}`, on);
    all.push(...page.items);
    cursor = page.next_cursor;
  }
  return all;
}

export type Explored = {
  readonly chart: Chart;
  readonly answer: MetricAnswer;
  readonly range: AskedRange;
  /** What was asked, as it was asked. */
  readonly coursePath: string;
  readonly rankingPath: string;
};

/** Where nothing is yet, something may come with the next sample. Milliseconds. */
const soonMs = 5_000;

/** A range that ends now is asked for again as its windows fill. Milliseconds. */
const againMs = (question: MetricQuestion, range: AskedRange): number =>
  range.moving ? Math.min(60_000, Math.max(soonMs, stepOf(question, range) * 500)) : 3_600_000;

export const useChart = (question: MetricQuestion, metric: MetricDefinition) =>
  useFollowed<Explored>(JSON.stringify(question), {
    async load(on) {
      // By the server's clock, which the samples were taken by.
      const range = rangeOf(question, nowMs.peek());
      const paths = {
        coursePath: coursePath(question, metric, range),
        rankingPath: rankingPath(question, metric, range),
      };
      const [answer, ranking] = await Promise.all([
        api.get<MetricAnswer>(paths.coursePath, on),
        api.get<MetricRanking>(paths.rankingPath, on),
      ]);
      return { chart: layChart(answer, ranking), answer, range, ...paths };
    },
    everyMs: (explored) =>
      explored?.chart.total === 0 ? soonMs : againMs(question, explored?.range ?? rangeOf(question, nowMs.peek())),
  });

/** Which labels there are to choose from in this range. */
export function useLabels({ metric, last, from, to }: MetricQuestion): ReadonlyMap<string, readonly string[]> {
  const question = { metric, last, from, to };
  const asked = useFollowed<readonly { labels: Labels }[]>(JSON.stringify(question), {
    async load(on) {
      const range = rangeOf(question, nowMs.peek());
      return (await api.get<MetricAnswer>(labelsPath(metric ?? '', range), on)).series;
    },
    everyMs: (series) => (series?.length === 0 ? soonMs : 60_000),
  });
  return labelValues(asked.value ?? []);
}
