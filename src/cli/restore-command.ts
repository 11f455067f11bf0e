import { AppError } from '../platform/errors.ts';
import { pathPart, type RestorePlanAnswer, read, restorePlanAnswer, restoreResultAnswer } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatInstant, formatTable, plural } from './format.ts';
import type { Colours } from './terminal.ts';

/** A plan reads the point's list of entries from the repository, which may be far away. */
const planTimeoutMs = 600_000;

type RestoreFlags = {
  readonly yes?: boolean;
  readonly plan?: boolean;
  readonly safetyPoint?: boolean;
  readonly component?: readonly string[];
  readonly workspace?: string;
  readonly asWorkspace?: string;
  readonly toFolder?: string;
  readonly toName?: string;
};

/** Plan, question, operation. What is confirmed is the plan that was shown: another one is refused by the server. */
export async function restorePoint(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & RestoreFlags,
): Promise<number> {
  const { terminal, signal } = context;
  if (!flags.plan && !flags.yes && !terminal.interactive)
    throw new AppError(
      'config/invalid',
      'A restore replaces the data of the target, and nobody can be asked here. Repeat it with --yes, or look with --plan.',
    );
  return withApi(context, flags, async (api) => {
    const path = `/api/v1/backup/restore/${pathPart(id)}`;
    const wish = {
      components: flags.component,
      workspace: flags.workspace,
      as_workspace: flags.asWorkspace,
      ...(flags.toFolder === undefined && flags.toName === undefined
        ? {}
        : { to: { folder: flags.toFolder, name: flags.toName } }),
    };
    const body = { plan_only: true, ...wish };
    const planned = await api.call(path, { method: 'POST', body, timeoutMs: planTimeoutMs });
    const plan = read(restorePlanAnswer, planned);
    if (flags.plan) {
      if (flags.json) printJson(terminal, planned);
      else terminal.out(describePlan(plan, terminal.colours));
      return plan.blockers.length === 0 ? exitCodes.ok : exitCodes.failure;
    }
    if (!flags.quiet || !flags.yes) terminal.note(describePlan(plan, terminal.noteColours));
    if (plan.blockers.length > 0)
      throw new AppError('restore/blocked', `This cannot be restored as things stand: ${plan.blockers.join('; ')}.`);
    if (!flags.yes) {
      const answer = await terminal.ask(`\nRestore? Type ${plan.target_id} or y to go on: `, signal);
      if (![plan.target_id, 'y', 'yes'].includes(answer.trim())) {
        terminal.note('Nothing was changed.');
        return exitCodes.failure;
      }
    }
    const first = await api.call(path, {
      method: 'POST',
      body: {
        ...wish,
        plan_id: plan.plan_id,
        confirm: true,
        ...(flags.safetyPoint === false ? { safety_point: false } : {}),
      },
      timeoutMs: planTimeoutMs,
    });
    const { document, operation } = await followOperation(
      context,
      api,
      first,
      flags.quiet === true,
      plan.backend.automatic ? undefined : requestsByHand(plan.target_id),
    );
    if (flags.json) printJson(terminal, document);
    else if (operation.result !== null && !flags.quiet) {
      const result = read(restoreResultAnswer, operation.result);
      terminal.out(
        `${terminal.colours.green('restored')}  ${id}: ${plural(result.user_data.file_count, 'file')}, ` +
          `${formatBytes(result.user_data.total_size_bytes)} in ${formatDuration(result.duration * 1_000)}`,
      );
      if (result.safety_backup_id !== null)
        terminal.out(`The state before is recovery point ${result.safety_backup_id}.`);
      for (const undo of result.undo)
        terminal.out(`What was replaced lies in ${undo.folder} (${formatBytes(undo.bytes)}) until the next restore.`);
      for (const note of result.notes) terminal.note(note);
    }
    reportFailure(context, operation);
    return exitCodeOfOperation(operation);
  });
}

/** What is asked of a person when no lifecycle is configured. */
const requestsByHand = (target: string) => [
  { phase: 'stopping', text: `Stop the backend of ${target} now; the restore waits for it.` },
  { phase: 'starting', text: `Start the backend of ${target} again now; the restore waits for it.` },
];

const sizeOrRows = (bytes: number | null, rows: number | null | undefined): string =>
  typeof rows === 'number' ? plural(rows, 'row') : formatBytes(bytes);

/** What would happen, where, how much, and what would be lost. */
export function describePlan(plan: RestorePlanAnswer, colours: Colours): string {
  const { bold, red, yellow } = colours;
  const lines = [
    `${bold(`Restore of ${plan.target_id}`)} to ${plan.backup_id}, taken ${formatInstant(plan.taken_at)}${plan.grade === null ? '' : ` (${plan.grade})`}`,
  ];
  if (plan.versions.point !== plan.versions.now && plan.versions.point !== null)
    lines.push(`  version ${plan.versions.point} then, ${plan.versions.now ?? 'unknown'} now`);
  for (const component of plan.components) {
    lines.push('', `  ${bold(component.name)}  ${component.folder}`);
    const table = formatTable(
      [{ title: 'name' }, { title: 'now', align: 'right' }, { title: 'after', align: 'right' }, { title: 'action' }],
      component.items.map((item) => [
        item.name,
        item.action === 'add' ? '-' : sizeOrRows(item.old_bytes, item.old_rows),
        item.action === 'remove' ? '-' : sizeOrRows(item.new_bytes, item.new_rows),
        item.action === 'remove' ? yellow(item.action) : item.action === 'keep' ? `keep: ${item.reason}` : item.action,
      ]),
    );
    if (component.items.length > 0) lines.push(...table.split('\n').map((line) => `    ${line}`));
    lines.push(
      `    ${formatBytes(component.bytes_in)} come in, ${formatBytes(component.bytes_out)} are set aside; ` +
        `${formatBytes(component.free_needed_bytes)} needed, ${formatBytes(component.free_available_bytes)} free`,
    );
    const { lost } = component;
    if ((lost.rows ?? 0) > 0) {
      lines.push(`    ${yellow('lost')}: ${plural(lost.rows ?? 0, 'row')} written since, such as`);
      for (const example of (lost.row_examples ?? []).slice(0, 5)) lines.push(`      ${example}`);
    }
    if (lost.files > 0) {
      lines.push(
        `    ${yellow('lost')}: ${plural(lost.files, 'file')} written since (${formatBytes(lost.bytes)}), such as`,
      );
      for (const example of lost.examples.slice(0, 5))
        lines.push(`      ${example.path}  ${formatBytes(example.bytes)}  ${formatInstant(example.modified_at)}`);
    }
  }
  lines.push('', '  Steps', ...plan.steps.map((step, index) => `    ${index + 1}. ${step}`));
  if (plan.backend.stopped && !plan.backend.automatic)
    lines.push(`  ${yellow('The backend is not stopped and started by itself')}: follow what is asked meanwhile.`);
  for (const warning of plan.warnings) lines.push(`  ${yellow('warning')}  ${warning}`);
  for (const blocker of plan.blockers) lines.push(`  ${red('blocked')}  ${blocker}`);
  return lines.join('\n');
}
