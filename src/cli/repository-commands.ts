import { z } from 'zod';
import { type OperationAnswer, read, repositoryAnswer } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable, plural } from './format.ts';
import { coloured } from './words.ts';

/** 4 when somebody should do something about it. */
export async function showRepository(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/repository');
    const repository = read(repositoryAnswer, document);
    if (flags.json) printJson(terminal, document);
    else {
      const facts: [string, string][] = [
        ['repository', repository.location],
        ['state', `${repository.state}${repository.reason === null ? '' : `: ${repository.reason}`}`],
      ];
      if (repository.id !== null) facts.push(['id', repository.id]);
      if (repository.tool !== null) facts.push(['tool', repository.tool]);
      const upkeep = formatTable(
        [{ title: 'operation' }, { title: 'last success' }, { title: 'next' }, { title: 'state' }],
        repository.upkeep.map((one) => [
          one.operation,
          one.last_success_at === null ? 'never' : formatInstant(one.last_success_at),
          one.next_at === null ? 'not by itself' : formatInstant(one.next_at),
          coloured(terminal.colours, one.late ? 'critical' : one.last_error === null ? 'ok' : 'warning'),
        ]),
      );
      const locks = repository.locks.map(
        (lock) =>
          `lock ${lock.id.slice(0, 8)}: process ${lock.pid} on ${lock.host} since ${formatInstant(lock.created_at)}, ${holders[lock.holder] ?? lock.holder}`,
      );
      terminal.out([formatFacts(facts), '', upkeep, ...(locks.length > 0 ? ['', ...locks] : [])].join('\n'));
      for (const warning of repository.warnings) terminal.note(warning);
    }
    return repository.state === 'ok' && repository.warnings.length === 0 ? exitCodes.ok : exitCodes.checkFailed;
  });
}

const holders: Readonly<Record<string, string>> = {
  'ours-dead': 'left by a process of ragwarden that was ended',
  dead: 'which is gone',
  alive: 'which is running',
  elsewhere: 'on another machine',
};

const checkResult = z.object({ read_data: z.string(), subset: z.string().nullable(), duration: z.number() });

export async function checkRepository(
  context: CommandContext,
  flags: RemoteFlags & { readData?: boolean; subset?: string; structure?: boolean },
): Promise<number> {
  const readData = flags.readData ? true : flags.structure ? false : undefined;
  return carryOut(context, flags, 'check', { read_data: readData, subset: flags.subset }, (result) => {
    const { read_data: what, subset, duration } = read(checkResult, result);
    const data =
      { none: 'the structure', all: 'the structure and all data' }[what] ?? `the structure and ${subset} of the data`;
    return `${context.terminal.colours.green('sound')}  ${data}, in ${formatDuration(duration * 1_000)}`;
  });
}

const pruneResult = z.object({ freed_bytes: z.number().nullable(), duration: z.number() });

export async function pruneRepository(context: CommandContext, flags: RemoteFlags): Promise<number> {
  return carryOut(context, flags, 'prune', undefined, (result) => {
    const { freed_bytes: freed, duration } = read(pruneResult, result);
    return `${freed === null ? 'An unknown amount' : formatBytes(freed)} freed in ${formatDuration(duration * 1_000)}`;
  });
}

const forgetResult = z.object({
  dry_run: z.boolean(),
  forgotten: z.array(z.object({ backup_id: z.string(), reason: z.string() })),
  kept: z.number(),
  leftovers: z.array(z.object({ snapshot_id: z.string(), backup_id: z.string(), reason: z.string() })),
});

export async function forgetPoints(
  context: CommandContext,
  flags: RemoteFlags & YesFlag & { target?: string; dryRun?: boolean },
): Promise<number> {
  if (flags.dryRun !== true) {
    requireSomebodyOrYes(context, flags, 'What retention gives up is forgotten');
    const question = 'What retention gives up is forgotten and cannot be brought back (`--dry-run` shows it).';
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
  }
  const body = { target: flags.target, dry_run: flags.dryRun === true };
  return carryOut(context, flags, 'forget', body, (result) => {
    const told = read(forgetResult, result);
    const lines = [
      ...told.forgotten.map((one) => `${one.backup_id}  ${one.reason}`),
      ...told.leftovers.map((one) => `snapshot ${one.snapshot_id.slice(0, 8)} of ${one.backup_id}  ${one.reason}`),
    ];
    const sum =
      `${plural(told.forgotten.length, 'point')} and ${plural(told.leftovers.length, 'leftover')} ` +
      `${told.dry_run ? 'would be forgotten. Nothing was changed.' : 'forgotten.'} ${plural(told.kept, 'point')} kept.`;
    return [...lines, sum].join('\n');
  });
}

const unlockResult = z.object({ removed: z.array(z.unknown()), remaining: z.array(z.unknown()) });

export async function unlockRepository(
  context: CommandContext,
  ids: readonly string[],
  flags: RemoteFlags,
): Promise<number> {
  return carryOut(context, flags, 'unlock', ids.length === 0 ? {} : { lock_ids: ids }, (result) => {
    const { removed, remaining } = read(unlockResult, result);
    return `${plural(removed.length, 'lock')} removed, ${remaining.length} left${remaining.length > 0 ? ': `ragwarden repo status` shows who holds them' : ''}.`;
  });
}

async function carryOut(
  context: CommandContext,
  flags: RemoteFlags,
  verb: string,
  body: object | undefined,
  describe: (result: unknown) => string,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const first = await api.call(`/api/v1/repository/${verb}`, { method: 'POST', ...(body ? { body } : {}) });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    tell(operation);
    if (flags.json) printJson(terminal, document);
    reportFailure(context, operation);
    return exitCodeOfOperation(operation);
  });

  function tell(operation: OperationAnswer): void {
    if (!flags.json && !flags.quiet && operation.state === 'succeeded') terminal.out(describe(operation.result));
  }
}
