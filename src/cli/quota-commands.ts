import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatBytes, formatFacts, formatInstant, formatTable } from './format.ts';
import type { Colours } from './terminal.ts';

const base = '/api/v1/metrics/quotas';
const textOrNull = z.string().nullable();
const quotaAnswer = z.object({
  quota_id: z.string(),
  name: z.string(),
  description: z.string(),
  resource_type: z.string(),
  quota_type: z.string(),
  period: z.string(),
  window: z.string(),
  limit: z.number(),
  defined_limit: z.number(),
  burst_limit: z.number().nullable(),
  action: z.string(),
  per: z.array(z.string()),
  enabled: z.boolean(),
  shadow: z.boolean(),
  when_lost: z.string(),
  ends_at: textOrNull,
  origin: z.string(),
});
const bucketAnswer = z.object({
  bucket: z.string(),
  current_usage: z.number(),
  used: z.number(),
  held: z.number(),
  forfeited: z.number(),
  remaining: z.number(),
  used_percent: z.number().nullable(),
  reset_at: textOrNull,
  forecast: z.object({ usage_at_end: z.number(), exhausted_at: textOrNull }).nullable(),
});
const usageAnswer = z.object({
  quota_id: z.string(),
  current_usage: z.number(),
  remaining: z.number(),
  reset_at: textOrNull,
  violations: z.number(),
  warnings: z.number(),
  bucket_count: z.number(),
  buckets: z.array(bucketAnswer),
});
const statusAnswer = z.object({
  quotas: z.record(z.string(), quotaAnswer),
  usage: z.record(z.string(), usageAnswer),
  ledger: z.object({ state: z.string(), lost_since: textOrNull, held_reservations: z.number(), waiting: z.number() }),
});
const violationAnswer = z.object({
  quota_id: z.string(),
  resource_type: z.string(),
  violation_time: z.string(),
  times: z.number(),
  current_usage: z.number(),
  limit: z.number(),
  exceeded_by: z.number(),
  action_taken: z.string(),
  bucket: z.string(),
  resolved: z.boolean(),
});
const reservationAnswer = z.object({
  reservation_id: z.string(),
  subject: z.string(),
  state: z.string(),
  amounts: z.record(z.string(), z.number()),
  quotas: z.array(z.string()),
  expires_at: z.string(),
});
type QuotaAnswer = z.infer<typeof quotaAnswer>;

const bytes = new Set(['stored_bytes', 'backup_bytes', 'memory']);
export const formatAmount = (kind: string, amount: number): string =>
  kind === 'cost_micros' ? `$${(amount / 1e6).toFixed(2)}` : bytes.has(kind) ? formatBytes(amount) : String(amount);

const modeOf = (quota: QuotaAnswer, colours: Colours): string =>
  quota.enabled ? (quota.shadow ? colours.yellow('shadow') : colours.green('enforced')) : 'off';
const whoseOf = (bucket: string): string =>
  bucket === '' ? 'all' : bucket.split('&').map(decodeURIComponent).join(', ');

export type QuotaFlags = RemoteFlags & {
  readonly name?: string;
  readonly description?: string;
  readonly counts?: string;
  readonly type?: string;
  readonly period?: string;
  readonly window?: string;
  readonly limit?: number;
  readonly burstLimit?: number;
  readonly maxLimit?: number;
  readonly action?: string;
  readonly target?: string;
  readonly workspace?: string;
  readonly user?: string;
  readonly key?: string;
  readonly per?: string;
  readonly whenLost?: string;
  readonly shadow?: boolean;
  readonly enforce?: boolean;
  readonly enable?: boolean;
  readonly disable?: boolean;
};

/** 4 while the ledger does not answer. */
export async function listQuotas(context: CommandContext, flags: QuotaFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = { user_id: flags.user, workspace_id: flags.workspace };
    const document = await api.call(base, { query });
    const { quotas, usage, ledger } = read(statusAnswer, document);
    if (flags.json) printJson(terminal, document);
    else {
      if (ledger.lost_since !== null)
        terminal.out(terminal.colours.red(`The ledger has not answered since ${formatInstant(ledger.lost_since)}.`));
      terminal.out(
        formatTable(
          [
            ...['quota', 'counts', 'per', 'mode'].map((title) => ({ title })),
            { title: 'most used', align: 'right' },
            { title: 'limit', align: 'right' },
            ...['period', 'action', 'over today'].map((title) => ({ title })),
          ],
          Object.values(quotas).map((one) => [
            one.quota_id,
            one.resource_type,
            one.per.join(', ') || '-',
            modeOf(one, terminal.colours),
            formatAmount(one.resource_type, usage[one.quota_id]?.current_usage ?? 0),
            formatAmount(one.resource_type, one.limit),
            one.window === 'sliding' ? `any ${one.period}` : one.period,
            one.action,
            String(usage[one.quota_id]?.violations ?? 0),
          ]),
        ),
      );
      if (ledger.held_reservations + ledger.waiting > 0)
        terminal.out(`${ledger.held_reservations} reservations are held, ${ledger.waiting} uses wait for their turn.`);
    }
    return ledger.state === 'answers' ? exitCodes.ok : exitCodes.checkFailed;
  });
}

export async function showQuota(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/${pathPart(id)}`);
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const { quota, usage } = read(z.object({ quota: quotaAnswer, usage: usageAnswer }), document);
    const amount = (value: number): string => formatAmount(quota.resource_type, value);
    const adjusted = quota.limit === quota.defined_limit ? '' : ` (defined: ${amount(quota.defined_limit)})`;
    terminal.out(
      formatFacts([
        ['quota', `${quota.quota_id}: ${quota.name}`],
        ...(quota.description === '' ? [] : [['for', quota.description] as [string, string]]),
        ['counts', `${quota.resource_type}${quota.per.length > 0 ? `, for each ${quota.per.join(' and ')}` : ''}`],
        [
          'limit',
          `${amount(quota.limit)}${adjusted}${quota.burst_limit === null ? '' : `, at most ${amount(quota.burst_limit)}`} ${quota.period === 'forever' ? 'in all' : `in ${quota.window === 'sliding' ? 'any' : 'each'} ${quota.period}`}`,
        ],
        ['beyond it', `${quota.action} (${quota.quota_type}, ${modeOf(quota, terminal.colours)})`],
        ['without ledger', quota.when_lost],
        ...(quota.ends_at === null ? [] : [['ends', formatInstant(quota.ends_at)] as [string, string]]),
        ['origin', quota.origin],
        ['over today', `${usage.violations} times; ${usage.warnings} warnings since the start`],
      ]),
    );
    if (usage.buckets.length === 0) terminal.out('\nNothing was used in this window.');
    else
      terminal.out(
        `\n${formatTable(
          [
            { title: 'whose' },
            ...['used', 'held', 'left'].map((title) => ({ title, align: 'right' as const })),
            { title: 'begins anew' },
            { title: 'to be expected' },
          ],
          usage.buckets.map((one) => [
            whoseOf(one.bucket),
            amount(one.used + one.forfeited),
            amount(one.held),
            amount(one.remaining),
            one.reset_at === null ? '-' : formatInstant(one.reset_at),
            one.forecast === null
              ? '-'
              : one.forecast.exhausted_at === null
                ? amount(one.forecast.usage_at_end)
                : `used up at ${formatInstant(one.forecast.exhausted_at)}`,
          ]),
        )}`,
      );
    if (usage.bucket_count > usage.buckets.length)
      terminal.out(`${usage.bucket_count - usage.buckets.length} more, which used less.`);
    return exitCodes.ok;
  });
}

function bodyOf(flags: QuotaFlags): Record<string, unknown> {
  const mode = flags.shadow ? true : flags.enforce ? false : undefined;
  const enabled = flags.disable ? false : flags.enable ? true : undefined;
  const body = {
    ...{ name: flags.name, description: flags.description, resource_type: flags.counts, quota_type: flags.type },
    ...{ period: flags.period, window: flags.window, limit: flags.limit, burst_limit: flags.burstLimit },
    ...{ max_limit: flags.maxLimit, action: flags.action, target_id: flags.target, workspace_id: flags.workspace },
    ...{ user_id: flags.user, key_id: flags.key, when_lost: flags.whenLost, shadow: mode, enabled },
    per: flags.per?.split(',').map((one) => one.trim()),
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function newBody(id: string, flags: QuotaFlags): Record<string, unknown> {
  if (flags.counts === undefined || flags.limit === undefined)
    throw new AppError('request/invalid', 'A new quota needs --counts and --limit.');
  return { quota_id: id, name: id, ...bodyOf(flags) };
}

export async function setQuota(context: CommandContext, id: string, flags: QuotaFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const { quotas } = read(statusAnswer, await api.call(base));
    const isThere = id in quotas;
    const document = await (isThere
      ? api.call(`${base}/${pathPart(id)}`, { method: 'PATCH', body: bodyOf(flags) })
      : api.call(base, { method: 'POST', body: newBody(id, flags) }));
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.out(`The quota ${id} was ${isThere ? 'changed' : 'made'}.`);
    return exitCodes.ok;
  });
}

const replayAnswer = z.object({
  from: textOrNull,
  to: textOrNull,
  uses: z.number(),
  warned: z.number(),
  over: z.number(),
  greatest: z.number(),
  buckets: z.array(z.object({ bucket: z.string(), uses: z.number(), over: z.number(), greatest: z.number() })),
});

export async function replayQuota(context: CommandContext, id: string, flags: QuotaFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const given = bodyOf(flags);
    const body = Object.keys(given).length === 0 ? { existing: id } : newBody(id, flags);
    const document = await api.call(`${base}/replay`, { method: 'POST', body });
    if (flags.json) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const tried = read(replayAnswer, document);
    if (tried.from === null || tried.to === null) {
      terminal.note('Nothing that passed is remembered.');
      return exitCodes.ok;
    }
    terminal.out(
      `Of ${tried.uses} uses from ${formatInstant(tried.from)} to ${formatInstant(tried.to)}: ${tried.over} beyond the limit, ${tried.warned} warned of.`,
    );
    if (tried.buckets.length > 0)
      terminal.out(
        formatTable(
          [
            { title: 'whose' },
            ...['uses', 'beyond', 'most at once'].map((title) => ({ title, align: 'right' as const })),
          ],
          tried.buckets.map((one) => [
            whoseOf(one.bucket),
            ...[one.uses, one.over, one.greatest].map((value) => String(value)),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

export async function removeQuota(context: CommandContext, id: string, flags: RemoteFlags & YesFlag): Promise<number> {
  requireSomebodyOrYes(context, flags, 'A quota goes with all that was counted');
  return withApi(context, flags, async (api) => {
    const question = `The quota ${id} goes with all that was counted; what it holds back is let through.`;
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    await api.call(`${base}/${pathPart(id)}`, { method: 'DELETE' });
    if (!flags.quiet && !flags.json) context.terminal.out(`The quota ${id} is gone, with all that was counted.`);
    return exitCodes.ok;
  });
}

export async function resetQuota(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & YesFlag & { bucket?: string },
): Promise<number> {
  requireSomebodyOrYes(context, flags, 'What was counted goes');
  return withApi(context, flags, async (api) => {
    const whose = flags.bucket === undefined ? '' : ` for ${flags.bucket}`;
    if (!(await isConfirmed(context, flags, `What the quota ${id} counted${whose} goes; it begins anew.`)))
      return exitCodes.failure;
    const body = flags.bucket === undefined ? {} : { bucket: flags.bucket };
    const document = await api.call(`${base}/${pathPart(id)}/reset`, { method: 'POST', body });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(`The quota ${id} begins anew.`);
    return exitCodes.ok;
  });
}

export type UseFlags = RemoteFlags & {
  readonly counts: string;
  readonly amount?: number;
  readonly target?: string;
  readonly workspace?: string;
  readonly user?: string;
  readonly dryRun?: boolean;
};

/** 4 when a quota denies. */
export async function checkQuota(context: CommandContext, flags: UseFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const body = {
      ...{ resource_type: flags.counts, usage_amount: flags.amount ?? 1, dry_run: flags.dryRun ?? false },
      ...{ target_id: flags.target, workspace_id: flags.workspace, user_id: flags.user },
    };
    const document = await api.call(`${base}/check`, { method: 'POST', body });
    const answer = read(
      z.object({ allowed: z.boolean(), results: z.array(z.object({ message: z.string() })) }),
      document,
    );
    if (flags.json) printJson(terminal, document);
    else if (answer.results.length === 0) terminal.out('No quota applies.');
    else for (const { message } of answer.results) terminal.out(message);
    return answer.allowed ? exitCodes.ok : exitCodes.checkFailed;
  });
}

export async function listViolations(
  context: CommandContext,
  flags: RemoteFlags & { quota?: string; open?: boolean; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const resolved = flags.open ? 'false' : undefined;
    const query = { quota_id: flags.quota, resolved, limit: flags.limit ?? 50 };
    const document = await api.call(`${base}/violations`, { query });
    const { items } = read(pageOf(violationAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('No limit was passed.');
    else
      terminal.out(
        formatTable(
          [
            ...['since', 'quota', 'whose'].map((title) => ({ title })),
            ...['with it', 'limit', 'beyond', 'times'].map((title) => ({ title, align: 'right' as const })),
            ...['done', 'state'].map((title) => ({ title })),
          ],
          items.map((one) => [
            formatInstant(one.violation_time),
            one.quota_id,
            whoseOf(one.bucket),
            ...[one.current_usage, one.limit, one.exceeded_by].map((value) => formatAmount(one.resource_type, value)),
            String(one.times),
            one.action_taken,
            one.resolved ? 'over' : terminal.colours.yellow('lasts'),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

export async function listReservations(
  context: CommandContext,
  flags: RemoteFlags & { all?: boolean; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = { state: flags.all ? undefined : 'held', limit: flags.limit ?? 50 };
    const document = await api.call(`${base}/reservations`, { query });
    const { items } = read(pageOf(reservationAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0) terminal.note('Nothing is held.');
    else
      terminal.out(
        formatTable(
          ['reservation', 'by', 'amounts', 'quotas', 'state', 'until'].map((title) => ({ title })),
          items.map((one) => [
            one.reservation_id,
            one.subject,
            Object.entries(one.amounts)
              .map(([kind, amount]) => `${kind} ${formatAmount(kind, amount)}`)
              .join(', '),
            one.quotas.join(', ') || '-',
            one.state,
            formatInstant(one.expires_at),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

export async function endReservation(
  context: CommandContext,
  id: string,
  how: 'release' | 'settle',
  flags: RemoteFlags,
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/reservations/${pathPart(id)}/${how}`, { method: 'POST' });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet)
      context.terminal.out(`The reservation ${id} was ${how === 'release' ? 'released' : 'settled'}.`);
    return exitCodes.ok;
  });
}
