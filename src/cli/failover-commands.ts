import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import {
  type FailoverAnswer,
  type FailoverPlanAnswer,
  failoverAnswer,
  failoverPlanAnswer,
  failoverStatusAnswer,
} from './failover-answers.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable } from './format.ts';
import type { Colours } from './terminal.ts';
import { coloured } from './words.ts';

/** Places far away are opened for a plan. */
const planTimeoutMs = 600_000;

type TargetFlags = RemoteFlags & { readonly target?: string };
type FailoverFlags = TargetFlags & {
  readonly point?: string;
  readonly plan?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
};

/** Where it begins: with any point, or with that of a checkpoint. */
export type FailoverOrder = { readonly path: string; readonly wish: object; readonly planned: object };

/** Plan, question, operation, report. What is confirmed is the plan that was shown: another one is refused by the server. */
export function failOver(context: CommandContext, flags: FailoverFlags): Promise<number> {
  const wish = { target: flags.target, backup_id: flags.point };
  return carryOut(context, flags, async () => ({ path: '/api/v1/recovery/failover', wish, planned: wish }));
}

export async function carryOut(
  context: CommandContext,
  flags: FailoverFlags,
  orderOf: (api: ApiClient) => Promise<FailoverOrder>,
): Promise<number> {
  const { terminal, signal } = context;
  if (!flags.plan && !flags.yes && !terminal.interactive)
    throw new AppError(
      'config/invalid',
      'A failover moves the target to its other place, and nobody can be asked here. Repeat it with --yes, or look with --plan.',
    );
  return withApi(context, flags, async (api) => {
    const { path, wish, planned } = await orderOf(api);
    const document = await api.call('/api/v1/recovery/failover/plan', {
      method: 'POST',
      body: planned,
      timeoutMs: planTimeoutMs,
    });
    const plan = read(failoverPlanAnswer, document);
    if (flags.plan) {
      if (flags.json) printJson(terminal, document);
      else terminal.out(describePlan(plan, terminal.colours));
      return plan.blockers.length === 0 ? exitCodes.ok : exitCodes.failure;
    }
    if (!flags.quiet || !flags.yes) terminal.note(describePlan(plan, terminal.noteColours));
    if (plan.blockers.length > 0)
      throw new AppError('restore/blocked', `This cannot be failed over as things stand: ${plan.blockers.join('; ')}.`);
    if (!flags.yes) {
      const answer = await terminal.ask(`\nFail over? Type ${plan.target_id} or y to go on: `, signal);
      if (![plan.target_id, 'y', 'yes'].includes(answer.trim())) {
        terminal.note('Nothing was changed.');
        return exitCodes.failure;
      }
    }
    const first = await api.call(path, {
      method: 'POST',
      body: { ...wish, plan_id: plan.plan_id, confirm: true, ...(flags.force ? { force: true } : {}) },
      timeoutMs: planTimeoutMs,
    });
    return followAndReport(context, api, first, flags);
  });
}

/** Fills the place that was left from a new point of where the target lives. */
export async function reseed(
  context: CommandContext,
  flags: TargetFlags & { place?: string; yes?: boolean },
): Promise<number> {
  const { terminal } = context;
  if (!flags.yes && !terminal.interactive)
    throw new AppError(
      'config/invalid',
      'A reseed replaces what lies at the place that was left, and nobody can be asked here. Repeat it with --yes.',
    );
  return withApi(context, flags, async (api) => {
    let { place } = flags;
    if (!flags.yes) {
      const query = { target: flags.target };
      const { active } = read(failoverStatusAnswer, await api.call('/api/v1/recovery/failover', { query }));
      // What is confirmed is done at that place or not at all, whatever happens while somebody reads this.
      place ??= active === 'home' ? 'standby' : 'home';
      const answer = await terminal.ask(
        `What lies at ${place} is put aside there, and a new point is brought from ${active}. Type y to go on: `,
        context.signal,
      );
      if (!['y', 'yes'].includes(answer.trim())) {
        terminal.note('Nothing was changed.');
        return exitCodes.failure;
      }
    }
    const body = { target: flags.target, place, confirm: true };
    const first = await api.call('/api/v1/recovery/reseed', { method: 'POST', body });
    return followAndReport(context, api, first, flags);
  });
}

async function followAndReport(
  context: CommandContext,
  api: ApiClient,
  first: unknown,
  flags: TargetFlags,
): Promise<number> {
  const { terminal } = context;
  const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
  if (flags.json) printJson(terminal, document);
  reportFailure(context, operation);
  if (!flags.json && !flags.quiet) {
    const query = { target: flags.target, limit: 1 };
    const { items } = read(pageOf(failoverAnswer), await api.call('/api/v1/recovery/failovers', { query }));
    if (items[0]) terminal.out(describeFailover(items[0], terminal.colours));
  }
  return exitCodeOfOperation(operation);
}

/** @returns 4 while the last one did not end well */
export function showFailover(context: CommandContext, flags: TargetFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/recovery/failover', { query: { target: flags.target } });
    const status = read(failoverStatusAnswer, document);
    const worst = status.running ?? status.last;
    if (flags.json) printJson(terminal, document);
    else {
      const seeded = status.seeded;
      terminal.out(
        [
          formatTable(
            [{ title: 'place' }, { title: 'lives here' }, { title: 'url' }, { title: 'zone' }, { title: 'holds' }],
            status.places.map((one) => [
              one.place,
              one.active ? 'yes' : 'no',
              one.url ?? '-',
              one.zone ?? '-',
              seeded?.place === one.place ? `${seeded.backup_id} since ${formatInstant(seeded.at)}` : '-',
            ]),
          ),
          ...(status.possible
            ? []
            : [status.reason ?? `${status.target_id} has no second place: describe it in target.standby.`]),
          ...(worst ? ['', describeFailover(worst, terminal.colours)] : []),
        ].join('\n'),
      );
    }
    return worst?.state === 'failed' || worst?.state === 'partial' ? exitCodes.checkFailed : exitCodes.ok;
  });
}

export function listFailovers(context: CommandContext, flags: TargetFlags & { limit?: number }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = { target: flags.target, limit: flags.limit ?? 50 };
    const document = await api.call('/api/v1/recovery/failovers', { query });
    if (flags.json) printJson(terminal, document);
    else {
      const { items, next_cursor: more } = read(pageOf(failoverAnswer), document);
      if (items.length === 0) terminal.note('Nothing was ever failed over.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'id' },
              { title: 'begun' },
              { title: 'kind' },
              { title: 'way' },
              { title: 'state' },
              { title: 'answered after', align: 'right' },
            ],
            items.map((one) => [
              one.failover_id,
              formatInstant(one.created_at),
              one.kind,
              `${one.from} to ${one.to}`,
              coloured(terminal.colours, one.state),
              one.answered_after_seconds === null ? '-' : formatDuration(one.answered_after_seconds * 1_000),
            ]),
          ),
        );
      if (more !== null && !flags.quiet) terminal.note('There are more; --limit shows up to 500.');
    }
    return exitCodes.ok;
  });
}

export function showOneFailover(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/recovery/failovers/${pathPart(id)}`);
    if (flags.json) printJson(terminal, document);
    else terminal.out(describeFailover(read(failoverAnswer, document), terminal.colours));
    return exitCodes.ok;
  });
}

function describePlan(plan: FailoverPlanAnswer, colours: Colours): string {
  return [
    formatFacts([
      ['target', plan.target_id],
      [
        'from',
        `${plan.from.place} (${plan.from.url ?? '-'}), ${plan.from.answers === null ? 'which does not answer' : `alive: ${plan.from.answers}`}`,
      ],
      ['to', `${plan.to.place} (${plan.to.url ?? '-'})${plan.to.zone === null ? '' : `, zone ${plan.to.zone}`}`],
      [
        'point',
        plan.backup_id === null
          ? 'none'
          : `${plan.backup_id}, taken ${formatInstant(plan.taken_at ?? '')}, ${formatBytes(plan.size_bytes ?? 0)}`,
      ],
      ['documents', `${plan.documents.in_point ?? '?'} in the point, ${plan.documents.now ?? '?'} now`],
      ['from there', plan.sources.map(({ title }) => title).join('; ') || '-'],
    ]),
    '',
    ...plan.steps.map((step, index) => `${index + 1}. ${step}`),
    ...plan.left_alone.map(({ component, reason }) => `left alone: ${component} (${reason})`),
    ...plan.warnings.map((warning) => `${colours.yellow('warning:')} ${warning}`),
    ...plan.blockers.map((blocker) => `${colours.red('in the way:')} ${blocker}`),
  ].join('\n');
}

function describeFailover(one: FailoverAnswer, colours: Colours): string {
  const facts: [string, string][] = [
    [one.kind, one.failover_id],
    ['way', `${one.from} to ${one.to}, begun ${formatInstant(one.created_at)} by ${one.requested_by}`],
    ['state', `${coloured(colours, one.state)}${one.state === 'succeeded' ? '' : ` (${one.phase})`}`],
    ['point', `${one.backup_id ?? '-'}${one.source === null || one.source === 'own' ? '' : `, from ${one.source}`}`],
  ];
  if (one.answered_after_seconds !== null)
    facts.push(['answered', `after ${formatDuration(one.answered_after_seconds * 1_000)}`]);
  if (one.lost_seconds !== null)
    facts.push(['lost', `what was written in ${formatDuration(one.lost_seconds * 1_000)}`]);
  if (one.canary !== null)
    facts.push(['canary', `${one.canary.verdict}${one.canary.message ? `: ${one.canary.message}` : ''}`]);
  if (one.documents !== null && one.documents.found !== null)
    facts.push(['documents', `${one.documents.found} of ${one.documents.expected ?? '?'}`]);
  if (one.lives > 1) facts.push(['lives', `ragwarden ended ${one.lives - 1} times while it ran`]);
  return [
    formatFacts(facts),
    ...(one.phases.length === 0
      ? []
      : [
          '',
          formatTable(
            [{ title: 'phase' }, { title: 'took', align: 'right' }],
            one.phases.map(({ name, seconds }) => [name, seconds === null ? '-' : formatDuration(seconds * 1_000)]),
          ),
        ]),
    ...one.notes.map((note) => `note: ${note}`),
    ...(one.outcome === null ? [] : ['', one.outcome]),
  ].join('\n');
}
