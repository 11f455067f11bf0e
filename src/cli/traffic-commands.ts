import type { z } from 'zod';
import { pageOf, read } from './answers.ts';
import type { ApiCall, ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable } from './format.ts';
import { formatMetricValue } from './metric-values.ts';
import type { Colours } from './terminal.ts';
import { type distributionAnswer, exchangeAnswer, trafficAnswer, type trafficRowAnswer } from './traffic-answers.ts';
import { watch } from './watch.ts';

type Filter = RemoteFlags & {
  readonly target?: string;
  readonly workspace?: string;
  readonly user?: string;
  readonly limit?: number;
  readonly watch?: boolean;
};
type Summary = z.infer<typeof trafficAnswer>;
type Row = z.infer<typeof trafficRowAnswer>;

export type TrafficFlags = Filter & { readonly by?: string; readonly window?: number };

const filterOf = ({ target, workspace, user }: Filter) => ({ target, workspace, user });

/** Counts, times, tokens and cost over a window, in all and by one name. */
export async function showTraffic(context: CommandContext, flags: TrafficFlags): Promise<number> {
  const query: ApiCall['query'] = {
    window: String(flags.window ?? 3_600),
    by: flags.by,
    limit: flags.limit ?? 20,
    ...filterOf(flags),
  };
  const look = (api: ApiClient): Promise<unknown> => api.call('/api/v1/traffic/summary', { query });
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await look(api);
      const summary = read(trafficAnswer, document);
      const { from, to, kept_from, ...essence } = summary;
      return { document, essence, render: (colours) => describeSummary(summary, colours) };
    });
  return withApi(context, flags, async (api) => {
    const document = await look(api);
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet)
      context.terminal.out(describeSummary(read(trafficAnswer, document), context.terminal.colours));
    return exitCodes.ok;
  });
}

export type RecentFlags = Filter & { readonly failed?: boolean; readonly door?: string };

/** What passed last, one line each. */
export async function showRecent(context: CommandContext, flags: RecentFlags): Promise<number> {
  const query: ApiCall['query'] = {
    limit: flags.limit ?? 50,
    door: flags.door,
    failed: flags.failed ? 'true' : undefined,
    ...filterOf(flags),
  };
  const look = (api: ApiClient): Promise<unknown> => api.call('/api/v1/traffic/recent', { query });
  const none = flags.failed
    ? 'Nothing failed among what is kept.'
    : 'Nothing passed the gateway yet, and nothing was told.';
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await look(api);
      const { items } = read(pageOf(exchangeAnswer), document);
      return { document, essence: items, render: () => (items.length === 0 ? none : describeExchanges(items)) };
    });
  return withApi(context, flags, async (api) => {
    const document = await look(api);
    const { items } = read(pageOf(exchangeAnswer), document);
    if (flags.json) printJson(context.terminal, document);
    else if (items.length === 0) context.terminal.note(none);
    else context.terminal.out(describeExchanges(items));
    return exitCodes.ok;
  });
}

function describeSummary(summary: Summary, colours: Colours): string {
  const { total } = summary;
  const facts: [string, string][] = [
    [
      'window',
      `${formatDuration(summary.window_seconds * 1_000)}${summary.complete ? '' : `; kept since ${formatInstant(summary.kept_from)}`}`,
    ],
    ['requests', countsOf(total, colours)],
    ['throughput', `${Number(total.throughput_per_second.toPrecision(3))}/s`],
    ['duration', timesOf(total.duration_ms)],
    ['first content', timesOf(total.first_content_ms)],
    ['model calls', callsOf(total, colours)],
    ['tokens', tokensOf(total)],
    ['cost', costOf(total)],
  ];
  const { backend } = summary;
  if (backend !== null)
    facts.push([
      'backend took',
      [
        backend.cpu_seconds === null ? undefined : `${Number(backend.cpu_seconds.toPrecision(3))} s of CPU`,
        `${formatBytes(backend.peak_rss_bytes)} at most`,
        backend.cpu_seconds_per_operation === null
          ? undefined
          : `${formatMetricValue(backend.cpu_seconds_per_operation * 1_000, 'ms')} of CPU per operation`,
      ]
        .filter((part) => part !== undefined)
        .join(', '),
    ]);
  if (summary.unpriced_models.length > 0)
    facts.push(['without a price', colours.yellow(summary.unpriced_models.join(', '))]);
  const parts = [formatFacts(facts)];
  if (summary.by !== null)
    parts.push(
      '',
      summary.items.length === 0
        ? `Nothing of this window has a ${summary.by}.`
        : formatTable(
            [
              { title: summary.by },
              { title: 'requests', align: 'right' },
              { title: 'errors', align: 'right' },
              { title: 'p50', align: 'right' },
              { title: 'p95', align: 'right' },
              { title: 'p99', align: 'right' },
              { title: 'calls', align: 'right' },
              { title: 'failed', align: 'right' },
              { title: 'tokens', align: 'right' },
              { title: 'cost', align: 'right' },
            ],
            summary.items.map((one) => {
              // Of a model or a provider there are calls only, and their times are meant.
              const times = one.requests === 0 ? one.llm.duration_ms : one.duration_ms;
              return [
                one.key === '' ? '(unnamed)' : one.key,
                String(one.requests),
                one.errors > 0 ? colours.red(String(one.errors)) : '0',
                ...[times.p50, times.p95, times.p99].map((ms) => formatMetricValue(ms, 'ms')),
                String(one.llm.calls),
                one.llm.errors > 0 ? colours.red(String(one.llm.errors)) : '0',
                one.llm.calls === 0 ? '-' : String(one.llm.tokens.prompt + one.llm.tokens.completion),
                costOf(one),
              ];
            }),
          ),
    );
  if (summary.left_out > 0) parts.push(`${summary.left_out} more; --limit shows them.`);
  return parts.join('\n');
}

const countsOf = (row: Row, colours: Colours): string =>
  [
    String(row.requests),
    row.errors > 0 ? colours.red(`${row.errors} failed (${percent(row.error_rate)})`) : 'none failed',
    ...(
      [
        ['empty', row.empty],
        ['asked wrongly', row.client_errors],
        ['refused', row.refused],
        ['left', row.cancelled],
      ] as const
    ).flatMap(([word, count]) => (count > 0 ? [`${count} ${word}`] : [])),
  ].join(', ');

const percent = (rate: number | null): string => (rate === null ? '-' : `${Number((rate * 100).toPrecision(3))} %`);

const timesOf = (times: z.infer<typeof distributionAnswer>): string =>
  times.count === 0
    ? '-'
    : `p50 ${formatMetricValue(times.p50, 'ms')}, p95 ${formatMetricValue(times.p95, 'ms')}, p99 ${formatMetricValue(times.p99, 'ms')}, at most ${formatMetricValue(times.max, 'ms')}`;

const callsOf = ({ llm }: Row, colours: Colours): string =>
  llm.calls === 0
    ? 'none'
    : [
        String(llm.calls),
        llm.errors > 0 ? colours.red(`${llm.errors} failed`) : 'none failed',
        ...(llm.rate_limited > 0 ? [`${llm.rate_limited} over a rate limit`] : []),
        ...(llm.retries > 0 ? [`${llm.retries} again`] : []),
      ].join(', ');

const tokensOf = ({ llm }: Row): string =>
  llm.calls === 0
    ? '-'
    : `${llm.tokens.prompt} in (${llm.tokens.cached} cached), ${llm.tokens.completion} out${
        llm.calls_without_tokens > 0 ? `; unknown of ${llm.calls_without_tokens} calls` : ''
      }`;

/** What is not priced is not free. */
const costOf = ({ llm }: Row): string =>
  llm.calls === 0
    ? '-'
    : llm.calls_without_price === 0
      ? formatMetricValue(llm.cost_usd, 'usd')
      : llm.cost_usd === 0
        ? 'unknown'
        : `${formatMetricValue(llm.cost_usd, 'usd')} and more`;

const describeExchanges = (items: readonly z.infer<typeof exchangeAnswer>[]): string =>
  formatTable(
    [
      { title: 'when' },
      { title: 'operation' },
      { title: 'workspace' },
      { title: 'user' },
      { title: 'status', align: 'right' },
      { title: 'outcome' },
      { title: 'duration', align: 'right' },
      { title: 'tokens', align: 'right' },
      { title: 'cost', align: 'right' },
      { title: 'what' },
    ],
    items.map((one) => [
      formatInstant(one.at),
      one.mode === null ? one.operation : `${one.operation} ${one.mode}`,
      one.workspace === null ? '-' : one.workspace === '' ? '(unnamed)' : one.workspace,
      one.user ?? '-',
      one.status === 0 ? '-' : String(one.status),
      one.outcome,
      formatMetricValue(one.duration_ms, 'ms'),
      one.llm === null ? '' : String((one.llm.prompt_tokens ?? 0) + (one.llm.completion_tokens ?? 0)),
      one.llm === null ? '' : one.llm.cost_usd === null ? 'unknown' : formatMetricValue(one.llm.cost_usd, 'usd'),
      [one.llm === null ? one.route : (one.llm.model ?? one.llm.provider), one.reason].filter(Boolean).join(': '),
    ]),
  );
