import { z } from 'zod';
import { pageOf, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable, withoutControls } from './format.ts';

const base = '/api/v1/metrics/cleanup';
type Params = Readonly<Record<string, string | number | boolean>>;

const strategyAnswer = z.looseObject({
  name: z.string(),
  about: z.string(),
  undo: z.string(),
  missing: z.string().nullable(),
});
const planAnswer = z.looseObject({
  plan_id: z.string(),
  strategy: z.string(),
  item_count: z.number(),
  size_bytes: z.number(),
  undo: z.string(),
  complete: z.boolean(),
  items: z.array(
    z.looseObject({
      what: z.string(),
      why: z.string(),
      size_bytes: z.number().nullable(),
      risk: z.string(),
      contained: z.looseObject({ state: z.string() }),
    }),
  ),
  kept: z.array(z.looseObject({ what: z.string(), why: z.string() })),
});
const taskAnswer = z.looseObject({
  task_id: z.string(),
  trigger_type: z.string(),
  schedule_expression: z.string().nullable(),
  threshold_condition: z.string().nullable(),
  cleanup_type: z.string(),
  enabled: z.boolean(),
  next_run: z.string().nullable(),
  last_run: z.string().nullable(),
  success_rate: z.number().nullable(),
});
const runAnswer = z.looseObject({
  run_id: z.string(),
  task_id: z.string().nullable(),
  strategy: z.string(),
  started_at: z.string(),
  outcome: z.string(),
  resources_cleaned: z.number(),
  bytes_freed: z.number(),
  execution_time_seconds: z.number().nullable(),
});
const historyAnswer = z.looseObject({
  items: z.array(runAnswer),
  total: z.number(),
  totals: z.looseObject({ success_rate: z.number().nullable() }),
});
const entryAnswer = z.looseObject({
  entry_id: z.string(),
  run_id: z.string(),
  what: z.string(),
  size_bytes: z.number().nullable(),
  state: z.string(),
  expires_at: z.string(),
  note: z.string().nullable(),
});
const quarantineAnswer = z.looseObject({
  items: z.array(entryAnswer),
  next_cursor: z.string().nullable(),
  held_count: z.number(),
  held_bytes: z.number(),
});
const resultAnswer = z.looseObject({
  message: z.string().optional(),
  run_id: z.string().optional(),
  undone: z.number().optional(),
  notes: z.array(z.looseObject({ what: z.string(), why: z.string() })).optional(),
  failed: z.union([z.number(), z.array(z.looseObject({ what: z.string(), why: z.string() }))]).optional(),
});

const shownItems = 50;
const bytes = (size: number | null): string => (size === null ? '-' : formatBytes(size));

export async function listStrategies(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/strategies`);
    if (flags.json) printJson(terminal, document);
    else
      terminal.out(
        formatTable(
          [{ title: 'strategy' }, { title: 'undone' }, { title: 'what' }],
          read(pageOf(strategyAnswer), document).items.map((one) => [
            one.name,
            one.undo === 'quarantine' ? 'yes' : 'no',
            withoutControls(one.missing === null ? one.about : `${one.about} (not here: ${one.missing})`),
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

const makePlan = async (api: ApiClient, strategy: string, params: Params | undefined): Promise<unknown> =>
  api.call(`${base}/plans`, { method: 'POST', body: { strategy, ...(params === undefined ? {} : { params }) } });

export async function showPlan(
  context: CommandContext,
  strategy: string,
  flags: RemoteFlags & { set?: Params },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await makePlan(api, strategy, flags.set);
    if (flags.json) printJson(terminal, document);
    else {
      const plan = read(planAnswer, document);
      terminal.out(describePlan(plan));
      if (plan.item_count > 0 && !flags.quiet)
        terminal.note(`Carry it out within an hour: \`ragwarden cleanup run --plan ${plan.plan_id}\`.`);
    }
    return exitCodes.ok;
  });
}

function describePlan(plan: z.infer<typeof planAnswer>): string {
  const facts = formatFacts([
    ['plan', `${plan.plan_id} (${plan.strategy})`],
    ['would go', `${plan.item_count}, ${formatBytes(plan.size_bytes)}${plan.complete ? '' : '; there is more'}`],
    ['undone', plan.undo === 'quarantine' ? 'from the quarantine' : 'cannot be'],
  ]);
  const items =
    plan.items.length === 0
      ? []
      : [
          '',
          formatTable(
            [
              { title: 'what' },
              { title: 'size', align: 'right' },
              { title: 'risk' },
              { title: 'in a point' },
              { title: 'why' },
            ],
            plan.items
              .slice(0, shownItems)
              .map((one) => [
                withoutControls(one.what),
                bytes(one.size_bytes),
                one.risk,
                one.contained.state,
                withoutControls(one.why),
              ]),
          ),
        ];
  const kept = plan.kept
    .slice(0, shownItems)
    .map((one) => `stays: ${withoutControls(one.what)}: ${withoutControls(one.why)}`);
  return [facts, ...items, ...(kept.length > 0 ? ['', ...kept] : [])].join('\n');
}

/** @returns 3 when some of it could not go */
export async function runCleanup(
  context: CommandContext,
  strategy: string | undefined,
  flags: RemoteFlags & {
    plan?: string;
    task?: string;
    set?: Params;
    onlyContained?: boolean;
    items?: number;
    yes?: boolean;
  },
): Promise<number> {
  const { terminal } = context;
  if ([strategy, flags.plan, flags.task].filter((one) => one !== undefined).length !== 1) {
    terminal.note('Name a strategy, or --plan, or --task. `ragwarden cleanup strategies` lists what there is.');
    return exitCodes.usage;
  }
  // A plan that is named was shown.
  if (flags.plan === undefined) requireSomebodyOrYes(context, flags, 'What the plan names is taken away');
  return withApi(context, flags, async (api) => {
    let planId = flags.plan;
    if (strategy !== undefined && !flags.yes) {
      const plan = read(planAnswer, await makePlan(api, strategy, flags.set));
      if (!flags.quiet) terminal.note(describePlan(plan));
      if (plan.item_count === 0) return exitCodes.ok;
      const answer = await terminal.ask('Carry it out? Type yes: ', context.signal);
      if (answer.trim() !== 'yes') {
        terminal.note(`Nothing was touched. \`ragwarden cleanup run --plan ${plan.plan_id}\` carries it out.`);
        return exitCodes.failure;
      }
      planId = plan.plan_id;
    }
    if (flags.task !== undefined) {
      const question = `The task ${flags.task} is carried out now: what its plan names is taken away.`;
      if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    }
    const wishes = {
      ...(flags.onlyContained ? { only_contained: true } : {}),
      ...(flags.items === undefined ? {} : { budget: { items: flags.items } }),
    };
    const first =
      flags.task !== undefined
        ? await api.call(`${base}/tasks/${pathPart(flags.task)}/run`, { method: 'POST' })
        : await api.call(`${base}/runs`, {
            method: 'POST',
            body: planId === undefined ? { strategy, params: flags.set, ...wishes } : { plan_id: planId, ...wishes },
          });
    return followToEnd(context, api, first, flags);
  });
}

async function followToEnd(
  context: CommandContext,
  api: ApiClient,
  first: unknown,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
  if (flags.json) printJson(terminal, document);
  if (operation.result === null) {
    reportFailure(context, operation);
    return exitCodeOfOperation(operation);
  }
  const result = read(resultAnswer, operation.result);
  if (!flags.json && !flags.quiet) {
    terminal.out(withoutControls(result.message ?? `${result.undone ?? 0} came back.`));
    for (const { what, why } of [...(result.notes ?? []), ...(Array.isArray(result.failed) ? result.failed : [])])
      terminal.note(`${withoutControls(what)}: ${withoutControls(why)}`);
    if (result.run_id !== undefined)
      terminal.note(`What went can come back: \`ragwarden cleanup undo ${result.run_id}\`.`);
  }
  return exitCodeOfOperation(operation);
}

export async function listTasks(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/tasks`);
    if (flags.json) printJson(terminal, document);
    else
      terminal.out(
        formatTable(
          [
            { title: 'task' },
            { title: 'begins' },
            { title: 'cleans up' },
            { title: 'next' },
            { title: 'last' },
            { title: 'success', align: 'right' },
          ],
          read(pageOf(taskAnswer), document).items.map((one) => [
            one.task_id,
            one.enabled ? (one.schedule_expression ?? one.threshold_condition ?? one.trigger_type) : 'by hand only',
            one.cleanup_type,
            one.next_run === null ? '-' : formatInstant(one.next_run),
            one.last_run === null ? 'never' : formatInstant(one.last_run),
            one.success_rate === null ? 'unknown' : `${Math.round(one.success_rate * 100)} %`,
          ]),
        ),
      );
    return exitCodes.ok;
  });
}

export async function changeTask(
  context: CommandContext,
  id: string,
  verb: 'enable' | 'disable',
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/tasks/${pathPart(id)}/${verb}`, { method: 'POST' });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.note(`${id} begins ${verb === 'enable' ? 'by itself again' : 'by hand only'}.`);
    return exitCodes.ok;
  });
}

export async function listHistory(
  context: CommandContext,
  flags: RemoteFlags & { task?: string; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/history`, { query: { task_id: flags.task, limit: flags.limit ?? 20 } });
    if (flags.json) printJson(terminal, document);
    else {
      const { items, total, totals } = read(historyAnswer, document);
      if (items.length === 0) terminal.note('Nothing was cleaned up yet.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'run' },
              { title: 'begun' },
              { title: 'of' },
              { title: 'outcome' },
              { title: 'cleaned', align: 'right' },
              { title: 'freed', align: 'right' },
              { title: 'took', align: 'right' },
            ],
            items.map((one) => [
              one.run_id,
              formatInstant(one.started_at),
              one.task_id ?? one.strategy,
              one.outcome,
              String(one.resources_cleaned),
              formatBytes(one.bytes_freed),
              one.execution_time_seconds === null ? '-' : formatDuration(one.execution_time_seconds * 1_000),
            ]),
          ),
        );
      if (!flags.quiet && totals.success_rate !== null)
        terminal.note(`${total} in all; ${Math.round(totals.success_rate * 100)} % succeeded.`);
    }
    return exitCodes.ok;
  });
}

export async function listQuarantine(
  context: CommandContext,
  flags: RemoteFlags & { run?: string; all?: boolean; limit?: number },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const query = { run_id: flags.run, state: flags.all ? 'all' : 'held', limit: flags.limit ?? 50 };
    const document = await api.call(`${base}/quarantine`, { query });
    if (flags.json) printJson(terminal, document);
    else {
      const found = read(quarantineAnswer, document);
      if (found.items.length === 0) terminal.note('The quarantine is empty.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'entry' },
              { title: 'what' },
              { title: 'size', align: 'right' },
              { title: 'state' },
              { title: 'until' },
            ],
            found.items.map((one) => [
              one.entry_id,
              withoutControls(one.note === null ? one.what : `${one.what} (${one.note})`),
              bytes(one.size_bytes),
              one.state,
              formatInstant(one.expires_at),
            ]),
          ),
        );
      if (!flags.quiet) terminal.note(`${found.held_count} held, ${formatBytes(found.held_bytes)}.`);
    }
    return exitCodes.ok;
  });
}

/** @param id a run, or an entry of it, which has a number behind a point @returns 3 when some could not come back */
export async function undoCleanup(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const runs = read(quarantineAnswer, await api.call(`${base}/quarantine`, { query: { run_id: id, limit: 1 } }));
    const first = await api.call(`${base}/quarantine/undo`, {
      method: 'POST',
      body: runs.items.length > 0 || !id.includes('.') ? { run_id: id } : { entry_ids: [id] },
    });
    return followToEnd(context, api, first, flags);
  });
}
