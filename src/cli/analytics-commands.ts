import { z } from 'zod';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatInstant, formatTable } from './format.ts';
import type { Terminal } from './terminal.ts';

const base = '/api/v1/metrics/analytics';

const profileAnswer = z.looseObject({
  unit: z.string(),
  kind: z.string(),
  average_usage: z.number(),
  peak_usage: z.number(),
  growth_rate: z.number(),
  efficiency_score: z.number().nullable(),
  waste_percentage: z.number().nullable(),
  patterns: z.array(z.looseObject({ pattern_type: z.string() })),
});
const profilesAnswer = z.looseObject({
  time_window_hours: z.number(),
  looked_at: z.string(),
  profiles: z.record(z.string(), profileAnswer),
  unprofiled: z.array(z.looseObject({ resource: z.string(), reason: z.string() })),
  left_out: z.number(),
});

/** With its unit, of a flow per hour. */
function amount(value: number | null, unit: string, kind = ''): string {
  if (value === null) return '-';
  const each = kind === 'flow' ? '/h' : '';
  if (unit === 'bytes') return `${value < 0 ? '-' : ''}${formatBytes(Math.abs(Math.round(value)))}${each}`;
  const short = Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
  return `${short}${unit === 'percent' ? ' %' : unit === 'unknown' ? '' : ` ${unit}`}${each}`;
}

/** Named one by one; a young installation has dozens. */
const mostUnprofiled = 5;

/** What a page of findings says beside them. */
const seenPage = <Item extends z.ZodType>(item: Item) =>
  pageOf(item).and(z.looseObject({ total: z.number(), looked_at: z.string().nullable() }));

/** How many more there are, and as of when it is; what there is not may be because nobody looked. */
function sayRest(
  terminal: Terminal,
  { items, total, looked_at: at }: { items: readonly unknown[]; total: number; looked_at: string | null },
): void {
  if (items.length < total) terminal.note(`${items.length} of ${total}; \`--limit\` shows up to 100 of them.`);
  terminal.note(
    at === null ? 'Nobody looked yet, or the look failed: `ragwarden jobs`.' : `As of ${formatInstant(at)}.`,
  );
}
/** Whose it is, where there are several. */
const ofWhom = (
  one: { readonly instance: string | null },
  all: readonly { readonly instance: string | null }[],
): string =>
  one.instance !== null && new Set(all.map(({ instance }) => instance ?? one.instance)).size > 1
    ? ` (at ${one.instance})`
    : '';

type WindowFlags = RemoteFlags & { type?: string; window?: number };
const windowOf = ({ type, window }: WindowFlags) => ({
  ...(type === undefined ? {} : { resource_type: type }),
  ...(window === undefined ? {} : { window_hours: window }),
});

export async function showProfiles(context: CommandContext, flags: WindowFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/profiles`, { query: windowOf(flags) });
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const { profiles, unprofiled, left_out: leftOut, ...whole } = read(profilesAnswer, document);
    const lines = Object.entries(profiles);
    if (lines.length === 0) terminal.note(`Nothing of the last ${whole.time_window_hours} h says enough yet.`);
    else
      terminal.out(
        formatTable(
          [
            { title: 'resource' },
            ...['average', 'peak', 'growth a day', 'efficiency', 'waste'].map((title) => ({
              title,
              align: 'right' as const,
            })),
            { title: 'patterns' },
          ],
          lines.map(([key, one]) => [
            key,
            amount(one.average_usage, one.unit, one.kind),
            amount(one.peak_usage, one.unit, one.kind),
            amount(one.growth_rate * 24, one.unit, one.kind),
            one.efficiency_score === null ? '-' : one.efficiency_score.toFixed(2),
            one.waste_percentage === null ? '-' : `${Math.round(one.waste_percentage)} %`,
            one.patterns.map(({ pattern_type: type }) => type).join(', '),
          ]),
        ),
      );
    if (!flags.quiet) {
      for (const { resource, reason } of unprofiled.slice(0, mostUnprofiled)) terminal.note(`${resource}: ${reason}`);
      const more = unprofiled.length - mostUnprofiled;
      if (more > 0) terminal.note(`${more} more are known for too short a time; \`--json\` names them.`);
      terminal.note(`As of ${formatInstant(whole.looked_at)}. \`ragwarden analytics run\` looks now.`);
    }
    if (leftOut > 0) terminal.note(`${leftOut} series more than \`analytics.max_series\` were not looked at.`);
    return exitCodes.ok;
  });
}

const patternAnswer = z.looseObject({
  pattern_type: z.string(),
  instance: z.string().nullable(),
  description: z.string(),
  confidence: z.number(),
  first_seen: z.string(),
  ended_at: z.string().nullable(),
});

export async function listPatterns(
  context: CommandContext,
  flags: RemoteFlags & { type?: string; instance?: string; pattern?: string; ended?: boolean; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/patterns`, {
      query: {
        ...(flags.type === undefined ? {} : { resource_type: flags.type }),
        ...(flags.instance === undefined ? {} : { instance: flags.instance }),
        ...(flags.pattern === undefined ? {} : { pattern_type: flags.pattern }),
        ...(flags.ended === undefined ? {} : { ended: String(flags.ended) }),
        limit: flags.limit ?? 50,
      },
    });
    const page = read(seenPage(patternAnswer), document);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    if (page.items.length === 0)
      terminal.note(
        flags.ended
          ? 'No pattern has ended.'
          : 'No patterns. Most take a day of values: `ragwarden analytics profiles` shows what is known.',
      );
    for (const one of page.items) {
      const until = one.ended_at === null ? '' : ` to ${formatInstant(one.ended_at)}`;
      const sure = `${Math.round(100 * one.confidence)} % sure, since ${formatInstant(one.first_seen)}${until}`;
      terminal.out(`${one.pattern_type}${ofWhom(one, page.items)}: ${one.description} [${sure}]`);
    }
    if (!flags.quiet) sayRest(terminal, page);
    return exitCodes.ok;
  });
}

const figureAnswer = z.union([z.string(), z.number(), z.null()]);
const recommendationAnswer = z.looseObject({
  recommendation_id: z.string(),
  instance: z.string().nullable(),
  title: z.string(),
  description: z.string(),
  optimization_type: z.string(),
  priority: z.string(),
  implementation_effort: z.string(),
  estimated_savings: z.looseObject({ amount: z.number().nullable(), unit: z.string(), basis: z.string() }),
  current_state: z.record(z.string(), figureAnswer),
  recommended_state: z.record(z.string(), figureAnswer),
  steps: z.array(z.string()),
  state: z.string(),
  dismissed: z.looseObject({ by: z.string(), reason: z.string() }).nullable(),
});

export async function listRecommendations(
  context: CommandContext,
  flags: RemoteFlags & {
    type?: string;
    instance?: string;
    priority?: string;
    optimization?: string;
    state?: string;
    limit?: number;
  },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/recommendations`, {
      query: {
        ...(flags.type === undefined ? {} : { resource_type: flags.type }),
        ...(flags.instance === undefined ? {} : { instance: flags.instance }),
        ...(flags.priority === undefined ? {} : { priority: flags.priority }),
        ...(flags.optimization === undefined ? {} : { optimization_type: flags.optimization }),
        ...(flags.state === undefined ? {} : { state: flags.state }),
        limit: flags.limit ?? 50,
      },
    });
    const page = read(seenPage(recommendationAnswer), document);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    if (page.items.length === 0)
      terminal.note(
        flags.state === undefined || flags.state === 'open'
          ? 'Nothing is recommended.'
          : `Nothing is ${flags.state === 'all' ? 'known' : flags.state}.`,
      );
    for (const one of page.items) terminal.out(describe(one, ofWhom(one, page.items)));
    if (!flags.quiet) sayRest(terminal, page);
    return exitCodes.ok;
  });
}

/** With its unit, where the figures have one. */
const figuresOf = ({ unit, ...figures }: Readonly<Record<string, string | number | null>>): string =>
  Object.entries(figures)
    .map(([name, value]) => {
      const own = name.endsWith('_percent') ? 'percent' : name.endsWith('_seconds') ? 'seconds' : String(unit ?? '');
      const isBare = /correlation|^level$/.test(name);
      const said = typeof value === 'number' ? amount(value, isBare ? 'unknown' : own).trim() : (value ?? '-');
      return `${name.replace(/_(percent|seconds)$/, '').replaceAll('_', ' ')} ${said}`;
    })
    .join(', ');

function describe(one: z.infer<typeof recommendationAnswer>, whom: string): string {
  const { amount: saved, unit, basis } = one.estimated_savings;
  return [
    `${one.priority} ${one.optimization_type}: ${one.title}${whom}   [${one.recommendation_id}]`,
    `  ${one.description}`,
    `  now: ${figuresOf(one.current_state)}`,
    `  then: ${figuresOf(one.recommended_state)}`,
    `  worth: ${saved === null ? basis : `${amount(saved, unit)}. ${basis}`}`,
    `  effort: ${one.implementation_effort}`,
    ...one.steps.map((step, at) => `  ${at + 1}. ${step}`),
    ...(one.dismissed === null ? [] : [`  dismissed by ${one.dismissed.by}: ${one.dismissed.reason}`]),
    ...(one.state === 'resolved' ? ['  resolved: its cause is gone'] : []),
    '',
  ].join('\n');
}

/** With a reason it is dismissed, without one it is opened again. */
export async function decideRecommendation(
  context: CommandContext,
  id: string,
  reason: string | undefined,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const path = `${base}/recommendations/${pathPart(id)}`;
    const document = await (reason === undefined
      ? api.call(`${path}/reopen`, { method: 'POST' })
      : api.call(`${path}/dismiss`, { method: 'POST', body: { reason } }));
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      const { title, state } = read(recommendationAnswer, document);
      terminal.out(`${title}: ${state}`);
    }
    return exitCodes.ok;
  });
}

const forecastAnswer = z.looseObject({
  resource: z.string(),
  unit: z.string(),
  state: z.string(),
  now: z.number().nullable(),
  limit: z.number().nullable(),
  reached_at: z.string().nullable(),
  earliest: z.string().nullable(),
  latest: z.string().nullable(),
  message: z.string(),
});

export async function showForecasts(context: CommandContext, flags: WindowFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/forecasts`, { query: windowOf(flags) });
    const { items } = read(pageOf(forecastAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('Nothing has a limit that is known, or grows.');
    else
      terminal.out(
        formatTable(
          ['resource', 'now', 'limit', 'full at', 'earliest', 'latest', 'why'].map((title) => ({ title })),
          items.map((one) => [
            one.resource,
            amount(one.now, one.unit),
            amount(one.limit, one.unit),
            ...[one.reached_at, one.earliest, one.latest].map((at) => (at === null ? '-' : formatInstant(at))),
            one.message,
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

const lookAnswer = z.looseObject({
  series: z.number(),
  left_out: z.number(),
  pairs: z.number(),
  patterns: z.number(),
  recommendations: z.number(),
});

export async function lookNow(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/run`, { method: 'POST', timeoutMs: 120_000 });
    const look = read(lookAnswer, document);
    if (flags.json) printJson(terminal, document);
    else
      terminal.out(
        `${look.series} series and ${look.pairs} pairs: ${look.patterns} patterns, ${look.recommendations} recommendations`,
      );
    if (!flags.json && look.left_out > 0)
      terminal.note(`${look.left_out} series more than \`analytics.max_series\` were not looked at.`);
    return exitCodes.ok;
  });
}
