import { z } from 'zod';
import { read } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';

const planAnswer = z.object({
  target_id: z.string(),
  environment_file: z.string().nullable(),
  changes: z.array(z.object({ variable: z.string(), before: z.string().nullable(), after: z.string().nullable() })),
  consequences: z.array(z.object({ parameter: z.string(), destructive: z.boolean(), message: z.string() })),
  takes_point: z.boolean(),
  restart: z.object({ automatic: z.boolean(), stop: z.string(), start: z.string() }),
  blockers: z.array(z.string()),
});
type PlanAnswer = z.infer<typeof planAnswer>;
const outcomeAnswer = z.object({
  outcome: z.string(),
  changes: z.array(z.string()),
  not_taken: z.array(z.string()),
});

export type ApplyFlags = RemoteFlags & {
  readonly target?: string;
  readonly plan?: boolean;
  readonly confirm?: boolean;
  readonly yes?: boolean;
};

function describePlan(plan: PlanAnswer): string {
  const lines = plan.changes.map(({ variable, before, after }) =>
    after === null
      ? `  # ${variable}=${before ?? ''}  (nobody wants it any more)`
      : `  ${variable}=${after}${before === null ? '  (new)' : `  (was ${before})`}`,
  );
  return [
    `${plan.environment_file ?? 'The environment file is not known'}:`,
    ...(lines.length === 0 ? ['  nothing has to be written'] : lines),
    ...plan.consequences.map(
      ({ destructive, parameter, message }) => `${destructive ? 'to be confirmed: ' : ''}${parameter}: ${message}`,
    ),
    ...(plan.takes_point ? ['A recovery point is taken first.'] : []),
    ...(lines.length === 0 ? [] : [`Then: ${plan.restart.stop}; ${plan.restart.start}.`]),
    ...plan.blockers.map((one) => `blocked: ${one}`),
  ].join('\n');
}

/** Shows the plan; with `--plan` no more than that. @returns 4 when it cannot be done, or the backend did not take all of it */
export async function applyTuning(context: CommandContext, flags: ApplyFlags): Promise<number> {
  const { terminal } = context;
  if (flags.plan !== true) requireSomebodyOrYes(context, flags, 'This restarts the backend');
  return withApi(context, flags, async (api) => {
    const query = flags.target === undefined ? {} : { target_id: flags.target };
    const document = await api.call('/api/v1/tuning/plan', { query });
    const plan = read(planAnswer, document);
    if (flags.plan === true || plan.blockers.length > 0) {
      if (flags.json) printJson(terminal, document);
      else terminal.out(describePlan(plan));
      return plan.blockers.length === 0 ? exitCodes.ok : exitCodes.checkFailed;
    }
    // Whoever is asked has to see what about.
    if (!flags.yes || (!flags.quiet && !flags.json)) terminal.note(describePlan(plan));
    // Where the file says all of it nothing is restarted.
    if (
      plan.changes.length > 0 &&
      !(await isConfirmed(context, flags, 'The file is written and the backend restarted.'))
    )
      return exitCodes.failure;
    const first = await api.call('/api/v1/tuning/apply', {
      method: 'POST',
      body: { ...query, confirm: flags.confirm === true },
    });
    const { document: ended, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(terminal, ended);
    if (operation.result === null) {
      reportFailure(context, operation);
      return exitCodeOfOperation(operation);
    }
    const { outcome, changes, not_taken: notTaken } = read(outcomeAnswer, operation.result);
    if (!flags.json) {
      for (const one of notTaken) terminal.note(`not taken: ${one}`);
      if (!flags.quiet)
        terminal.out(outcome === 'nothing' ? 'The file said all of it already.' : `Applied: ${changes.join(', ')}.`);
    }
    return notTaken.length === 0 ? exitCodes.ok : exitCodes.checkFailed;
  });
}
