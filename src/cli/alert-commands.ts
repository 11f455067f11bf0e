import { z } from 'zod';
import { systemClock } from '../platform/clock.ts';
import { pageOf, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatDuration, formatInstant, formatTable, plural } from './format.ts';
import type { Colours } from './terminal.ts';
import { rangeOf } from './time-range.ts';
import { watch } from './watch.ts';
import { coloured } from './words.ts';

const textOrNull = z.string().nullable();
const labels = z.record(z.string(), z.string());
export const alertsBase = '/api/v1/metrics/alerts';

const alertAnswer = z.object({
  alert_id: z.string(),
  rule_name: z.string(),
  state: z.string(),
  severity: z.string(),
  current_value: z.number().nullable(),
  message: z.string(),
  labels,
  pending_at: z.string(),
  triggered_at: textOrNull,
  resolved_at: textOrNull,
  acknowledged_by: textOrNull,
  action: z.object({ state: z.string(), detail: z.string() }).nullable(),
});
type Alert = z.infer<typeof alertAnswer>;
const activeAnswer = z.object({
  items: z.array(alertAnswer),
  firing: z.number(),
  pending: z.number(),
  evaluated_at: textOrNull,
});

export type AlertListFlags = RemoteFlags & {
  readonly severity?: string;
  readonly rule?: string;
  readonly state?: string;
  readonly watch?: boolean;
};

/** What fires and what is pending; 4 while something fires. */
export async function listAlerts(context: CommandContext, flags: AlertListFlags): Promise<number> {
  const { severity, rule, state } = flags;
  const look = (api: ApiClient): Promise<unknown> =>
    api.call(`${alertsBase}/active`, { query: { severity, rule, state } });
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await look(api);
      const { evaluated_at, ...essence } = read(activeAnswer, document);
      return { document, essence, render: (colours) => describeActive({ ...essence, evaluated_at }, colours) };
    });
  return withApi(context, flags, async (api) => {
    const document = await look(api);
    const active = read(activeAnswer, document);
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet || active.firing > 0) context.terminal.out(describeActive(active, context.terminal.colours));
    return active.firing > 0 ? exitCodes.checkFailed : exitCodes.ok;
  });
}

const describeActive = (active: z.infer<typeof activeAnswer>, colours: Colours): string =>
  active.items.length === 0
    ? `Nothing fires, nothing is pending${active.evaluated_at === null ? '; the rules were not evaluated yet' : ''}.`
    : describeAlerts(active.items, colours);

function describeAlerts(items: readonly Alert[], colours: Colours): string {
  return formatTable(
    [
      { title: 'severity' },
      { title: 'state' },
      { title: 'rule' },
      { title: 'since' },
      { title: 'what' },
      { title: 'id' },
    ],
    items.map((one) => [
      coloured(colours, one.severity),
      one.acknowledged_by === null ? one.state : `${one.state} by ${one.acknowledged_by}`,
      labelled(one.rule_name, one.labels),
      formatInstant(one.triggered_at ?? one.pending_at),
      one.action === null ? one.message : `${one.message} [${one.action.detail}]`,
      one.alert_id,
    ]),
  );
}

export function labelled(name: string, of: Readonly<Record<string, string>>): string {
  const shown = Object.entries(of).filter(([label]) => label !== 'instance');
  return shown.length === 0 ? name : `${name} {${shown.map(([label, value]) => `${label}="${value}"`).join(', ')}}`;
}

export type AlertHistoryFlags = RemoteFlags & {
  readonly severity?: string;
  readonly rule?: string;
  readonly last?: number;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
};

/** What fired, the newest first. */
export async function showAlertHistory(context: CommandContext, flags: AlertHistoryFlags): Promise<number> {
  const ranged = flags.last !== undefined || flags.from !== undefined || flags.to !== undefined;
  const { fromMs, toMs } = rangeOf(flags, systemClock.now());
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${alertsBase}/history`, {
      query: {
        ...{ severity: flags.severity, rule: flags.rule, limit: flags.limit ?? 50 },
        ...(ranged ? { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() } : {}),
      },
    });
    const { items } = read(pageOf(alertAnswer), document);
    const { colours } = context.terminal;
    if (flags.json) printJson(context.terminal, document);
    else if (items.length === 0) context.terminal.note('Nothing fired.');
    else
      context.terminal.out(
        formatTable(
          [
            ...[
              { title: 'fired' },
              { title: 'for', align: 'right' as const },
              { title: 'severity' },
              { title: 'rule' },
            ],
            ...[{ title: 'why' }, { title: 'id' }],
          ],
          items.map((one) => [
            formatInstant(one.triggered_at ?? one.pending_at),
            one.resolved_at === null
              ? 'still'
              : formatDuration(Date.parse(one.resolved_at) - Date.parse(one.triggered_at ?? one.pending_at)),
            coloured(colours, one.severity),
            labelled(one.rule_name, one.labels),
            one.action === null ? one.message : `${one.message} [${one.action.detail}]`,
            one.alert_id,
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

export async function acknowledgeAlert(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & { readonly note?: string },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${alertsBase}/${pathPart(id)}/acknowledge`, {
      method: 'POST',
      body: { note: flags.note },
    });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) {
      const alert = read(alertAnswer, document);
      context.terminal.out(
        `${labelled(alert.rule_name, alert.labels)} is looked after by ${alert.acknowledged_by}; it is not told again until it is resolved.`,
      );
    }
    return exitCodes.ok;
  });
}

const backtestAnswer = z.object({
  rule_name: z.string(),
  says: z.string(),
  from: z.string(),
  to: z.string(),
  evaluations: z.number(),
  label_sets: z.number(),
  fired: z.number(),
  fired_seconds: z.number(),
  pending_only: z.number(),
  firings: z.array(
    z.object({
      labels,
      triggered_at: z.string(),
      resolved_at: textOrNull,
      seconds: z.number(),
      worst_value: z.number().nullable(),
    }),
  ),
  firings_left_out: z.number(),
  now: z.object({ label_sets: z.number(), matching: z.number() }),
  value: z.object({ value: z.number(), matches: z.boolean() }).nullable(),
  notes: z.array(z.string()),
});

export type TestRuleFlags = RemoteFlags & {
  readonly file?: string;
  readonly value?: number;
  readonly last?: number;
  readonly from?: string;
  readonly to?: string;
};

const longestTestMs = 120_000;

/** When a rule would have fired. @param rule that of a file, when it is none that is stored */
export async function testRule(
  context: CommandContext,
  name: string | undefined,
  rule: unknown,
  flags: TestRuleFlags,
): Promise<number> {
  const { terminal } = context;
  const { fromMs, toMs } = rangeOf({ ...flags, last: flags.last ?? 86_400 }, systemClock.now());
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${alertsBase}/rules/test`, {
      method: 'POST',
      timeoutMs: longestTestMs,
      body: {
        ...(rule === undefined ? { rule_name: name } : { rule }),
        ...{ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString(), value: flags.value },
      },
    });
    if (flags.json) printJson(terminal, document);
    else terminal.out(describeTest(read(backtestAnswer, document)));
    return exitCodes.ok;
  });
}

function describeTest(test: z.infer<typeof backtestAnswer>): string {
  const parts = [
    `${test.rule_name}: ${test.says}`,
    test.fired === 0
      ? `It would not have fired from ${formatInstant(test.from)} to ${formatInstant(test.to)} (${plural(test.evaluations, 'evaluation')} of ${plural(test.label_sets, 'label set')}; ${test.pending_only} times only pending).`
      : `It would have fired ${plural(test.fired, 'time')} from ${formatInstant(test.from)} to ${formatInstant(test.to)}, for ${formatDuration(test.fired_seconds * 1_000)} altogether; ${test.pending_only} times it would only have been pending.`,
  ];
  if (test.firings.length > 0)
    parts.push(
      formatTable(
        [{ title: 'fired' }, { title: 'for', align: 'right' }, { title: 'labels' }, { title: 'worst', align: 'right' }],
        test.firings.map((one) => [
          formatInstant(one.triggered_at),
          one.resolved_at === null ? 'still' : formatDuration(one.seconds * 1_000),
          labelled('', one.labels).trim(),
          one.worst_value === null ? '-' : String(Number(one.worst_value.toPrecision(6))),
        ]),
      ),
    );
  parts.push(`Now ${test.now.matching} of ${plural(test.now.label_sets, 'label set')} match.`);
  if (test.value) parts.push(`${test.value.value} ${test.value.matches ? 'meets' : 'does not meet'} the condition.`);
  return [...parts, ...test.notes].join('\n');
}
