import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatDuration, formatInstant, formatTable, plural } from './format.ts';
import {
  definitionAnswer,
  metricQueryAnswer,
  metricTopAnswer,
  recordedAnswer,
  type SourceAnswer,
} from './metric-answers.ts';
import { formatMetricValue, sparkline, unitOf } from './metric-values.ts';
import { type RangeFlags, rangeOf, stepFor } from './time-range.ts';

export type ListMetricsFlags = RemoteFlags & { readonly category?: string; readonly type?: string };

/** What is recorded, all of it: the pages are put together. */
export async function listMetrics(context: CommandContext, flags: ListMetricsFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const { category, type } = flags;
    const raw: unknown[] = [];
    let cursor: string | null | undefined;
    do {
      const query = { category, type, limit: 1_000, cursor: cursor ?? undefined };
      const document = await api.call('/api/v1/metrics/definitions', { query });
      const page = read(pageOf(definitionAnswer), document);
      raw.push(...(document as { items: unknown[] }).items); // what was just read
      cursor = page.next_cursor;
    } while (cursor !== null);
    if (flags.json) printJson(terminal, { items: raw, next_cursor: null });
    else if (raw.length === 0) terminal.note('Nothing of this kind is recorded.');
    else
      terminal.out(
        formatTable(
          [
            { title: 'metric' },
            { title: 'type' },
            { title: 'unit' },
            { title: 'category' },
            { title: 'aggregations' },
            { title: 'what it is' },
          ],
          raw
            .map((one) => read(definitionAnswer, one))
            .map((one) => [
              one.name,
              one.type,
              one.unit,
              one.category,
              one.aggregations.join(' '),
              `${one.description}${one.enabled ? '' : ' (switched off)'}`,
            ]),
        ),
      );
    return exitCodes.ok;
  });
}

/** Which series are asked for, and how they are put together. */
type AskFlags = RemoteFlags &
  RangeFlags & {
    readonly aggregation?: string;
    readonly match?: readonly string[];
    readonly groupBy?: string;
    readonly limit?: number;
  };

/** The definition says what to begin with, and is where a name that does not exist is told. */
async function askedMetric(api: ApiClient, name: string) {
  return read(definitionAnswer, await api.call(`/api/v1/metrics/definitions/${pathPart(name)}`));
}

/** `all` puts every series together, which the API says with an empty list. */
const groupOf = (by: string | undefined): string | undefined => (by === 'all' ? '' : by);

export type QueryMetricFlags = AskFlags & { readonly step?: number; readonly source?: string };

/** A line per series: its course, least, greatest and latest value. */
export async function queryMetric(context: CommandContext, name: string, flags: QueryMetricFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const metric = await askedMetric(api, name);
    const { fromMs, toMs } = rangeOf(flags, Date.now());
    const aggregation = flags.aggregation ?? metric.aggregations[0] ?? 'average';
    const document = await api.call('/api/v1/metrics/query', {
      query: {
        name,
        aggregation,
        from: new Date(fromMs).toISOString(),
        to: new Date(toMs).toISOString(),
        step_seconds: flags.step ?? stepFor(toMs - fromMs, 60),
        match: flags.match,
        group_by: groupOf(flags.groupBy),
        limit: flags.limit ?? 20,
        source: flags.source,
      },
    });
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const answer = read(metricQueryAnswer, document);
    if (answer.store_error !== null)
      terminal.note(`What the other store has of this range is missing: ${answer.store_error}`);
    const unit = unitOf(metric, aggregation);
    if (!flags.quiet)
      terminal.note(
        `${name}: ${aggregation} per ${inWords(answer.step_seconds)}, ${formatInstant(fromMs)} to ${formatInstant(toMs)}, ${sourcesInWords(answer.sources)}${answer.approximate ? '; percentiles within 0.8 %' : ''}.`,
      );
    if (answer.series.length === 0) terminal.note(nothing(name));
    else
      terminal.out(
        formatTable(
          [
            { title: 'series' },
            { title: 'course' },
            { title: 'least', align: 'right' },
            { title: 'greatest', align: 'right' },
            { title: 'latest', align: 'right' },
          ],
          namedSeries(answer.series).map(([series, { values }]) => {
            const known = values.filter((value) => value !== null);
            const shown = [
              known.length === 0 ? null : Math.min(...known),
              known.length === 0 ? null : Math.max(...known),
              known.at(-1) ?? null,
            ];
            return [series, sparkline(values), ...shown.map((value) => formatMetricValue(value, unit))];
          }),
        ),
      );
    if (answer.total_series > answer.series.length)
      terminal.note(
        `${answer.series.length} of ${plural(answer.total_series, 'series', 'series')}; --limit shows more, \`metrics top\` the greatest.`,
      );
    return exitCodes.ok;
  });
}

export type TopMetricFlags = AskFlags & { readonly least?: boolean };

/** The series with the greatest values over the whole range. */
export async function showTop(context: CommandContext, name: string, flags: TopMetricFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const metric = await askedMetric(api, name);
    const { fromMs, toMs } = rangeOf(flags, Date.now());
    const aggregation = flags.aggregation ?? metric.aggregations[0] ?? 'average';
    const document = await api.call('/api/v1/metrics/top', {
      query: {
        name,
        aggregation,
        from: new Date(fromMs).toISOString(),
        to: new Date(toMs).toISOString(),
        match: flags.match,
        group_by: groupOf(flags.groupBy),
        order: flags.least ? 'least' : 'greatest',
        limit: flags.limit ?? 10,
      },
    });
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const answer = read(metricTopAnswer, document);
    if (!flags.quiet)
      terminal.note(
        `${name}: ${aggregation}, ${formatInstant(fromMs)} to ${formatInstant(toMs)}, ${sourcesInWords(answer.sources)}.`,
      );
    const unit = unitOf(metric, aggregation);
    if (answer.items.length === 0) terminal.note(nothing(name));
    else
      terminal.out(
        formatTable(
          [{ title: aggregation, align: 'right' }, { title: 'series' }],
          namedSeries(answer.items).map(([series, { value }]) => [formatMetricValue(value, unit), series]),
        ),
      );
    return exitCodes.ok;
  });
}

export type RecordMetricFlags = RemoteFlags & {
  readonly type?: string;
  readonly label?: readonly string[];
  readonly unit?: string;
  readonly at?: string;
};

/** @throws AppError `request/invalid` with the server's reason when the value was refused */
export async function recordMetric(
  context: CommandContext,
  name: string,
  value: number,
  flags: RecordMetricFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const labels = Object.fromEntries(
      (flags.label ?? []).map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    const item = { name, value, type: flags.type, labels, unit: flags.unit, timestamp: flags.at };
    const document = await api.call('/api/v1/metrics/record', { method: 'POST', body: { items: [item] } });
    const answer = read(recordedAnswer, document);
    const [refused] = answer.errors;
    if (refused) throw new AppError('request/invalid', `The value was not recorded: ${refused.detail}`);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      const metric = await askedMetric(api, name);
      terminal.out(
        `Recorded ${formatMetricValue(value, unitOf(metric, 'last'))} for ${name} (${metric.type}${metric.defined_by === 'use' ? ', defined by its use' : ''}).`,
      );
    }
    return exitCodes.ok;
  });
}

const nothing = (name: string): string =>
  `Nothing was recorded for ${name} in this range that fits. \`ragwarden metrics query ${name} --last 7d\` looks further back.`;

/** Whole seconds as they were asked for. */
const inWords = (seconds: number): string => (seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1_000));

const sourcesInWords = (sources: readonly SourceAnswer[]): string =>
  sources.length === 0
    ? 'from no tier'
    : `from ${[...new Set(sources.map((one) => `${one.tier} (${inWords(one.resolution_seconds)})`))].join(', then ')}`;

/** Each with its labels as a name; what all of them share tells them not apart and is left out. */
function namedSeries<T extends { readonly labels: Readonly<Record<string, string>> }>(
  series: readonly T[],
): [name: string, series: T][] {
  const [first] = series;
  const shared = (label: string): boolean =>
    label === 'instance' && series.every((one) => one.labels[label] === first?.labels[label]);
  return series.map((one) => [
    Object.entries(one.labels)
      .filter(([label]) => !shared(label))
      .map(([label, value]) => `${label}=${value}`)
      .join(' ') || 'all',
    one,
  ]);
}
