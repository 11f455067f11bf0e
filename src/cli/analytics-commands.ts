import { z } from 'zod';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatInstant, formatTable } from './format.ts';

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
    const { profiles, unprofiled, left_out: leftOut, time_window_hours: hours } = read(profilesAnswer, document);
    const lines = Object.entries(profiles);
    if (lines.length === 0) terminal.note(`Nothing of the last ${hours} h says enough yet.`);
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
    if (!flags.quiet) for (const { resource, reason } of unprofiled) terminal.note(`${resource}: ${reason}`);
    if (leftOut > 0) terminal.note(`${leftOut} series more than \`analytics.max_series\` were not looked at.`);
    return exitCodes.ok;
  });
}

const patternAnswer = z.looseObject({
  pattern_type: z.string(),
  description: z.string(),
  confidence: z.number(),
  first_seen: z.string(),
});

export async function listPatterns(
  context: CommandContext,
  flags: RemoteFlags & { type?: string; pattern?: string; ended?: boolean; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/patterns`, {
      query: {
        ...(flags.type === undefined ? {} : { resource_type: flags.type }),
        ...(flags.pattern === undefined ? {} : { pattern_type: flags.pattern }),
        ...(flags.ended === undefined ? {} : { ended: String(flags.ended) }),
        limit: flags.limit ?? 50,
      },
    });
    const { items } = read(pageOf(patternAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('No patterns.');
    else
      for (const one of items)
        terminal.out(
          `${one.pattern_type} (${Math.round(100 * one.confidence)} %, since ${formatInstant(one.first_seen)}): ${one.description}`,
        );
    return exitCodes.ok;
  });
}

const recommendationAnswer = z.looseObject({
  recommendation_id: z.string(),
  title: z.string(),
  description: z.string(),
  optimization_type: z.string(),
  priority: z.string(),
  implementation_effort: z.string(),
  estimated_savings: z.looseObject({ amount: z.number().nullable(), unit: z.string(), basis: z.string() }),
  steps: z.array(z.string()),
  state: z.string(),
  dismissed: z.looseObject({ by: z.string(), reason: z.string() }).nullable(),
});

export async function listRecommendations(
  context: CommandContext,
  flags: RemoteFlags & { type?: string; priority?: string; optimization?: string; state?: string; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/recommendations`, {
      query: {
        ...(flags.type === undefined ? {} : { resource_type: flags.type }),
        ...(flags.priority === undefined ? {} : { priority: flags.priority }),
        ...(flags.optimization === undefined ? {} : { optimization_type: flags.optimization }),
        ...(flags.state === undefined ? {} : { state: flags.state }),
        limit: flags.limit ?? 50,
      },
    });
    const { items } = read(pageOf(recommendationAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('Nothing is recommended.');
    else for (const one of items) terminal.out(describe(one));
    return exitCodes.ok;
  });
}

function describe(one: z.infer<typeof recommendationAnswer>): string {
  const { amount: saved, unit, basis } = one.estimated_savings;
  return [
    `${one.priority} ${one.optimization_type}: ${one.title}   [${one.recommendation_id}]`,
    `  ${one.description}`,
    `  saves: ${saved === null ? basis : `${amount(saved, unit)}. ${basis}`}`,
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
    return exitCodes.ok;
  });
}
