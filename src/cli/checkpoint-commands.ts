import { z } from 'zod';
import { pageOf, pathPart, read } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { type CheckpointAnswer, checkpointAnswer, recoveryStatusAnswer } from './failover-answers.ts';
import { carryOut } from './failover-commands.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatDuration, formatFacts, formatInstant, formatTable } from './format.ts';

const recovery = '/api/v1/backup-replication/recovery';
const below = `${recovery}/checkpoints`;

export function createCheckpoint(
  context: CommandContext,
  graphs: readonly string[],
  flags: RemoteFlags & { description?: string },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(below, {
      method: 'POST',
      body: { graph_ids: graphs, description: flags.description ?? '' },
    });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(describe(read(checkpointAnswer, document)));
    return exitCodes.ok;
  });
}

export function listCheckpoints(context: CommandContext, flags: RemoteFlags & { limit?: number }): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(below, { query: { limit: flags.limit ?? 50 } });
    if (flags.json) printJson(terminal, document);
    else {
      const { items, next_cursor: more } = read(pageOf(checkpointAnswer), document);
      if (items.length === 0) terminal.note('There is no checkpoint. `ragwarden checkpoint create GRAPH` makes one.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'checkpoint' },
              { title: 'created' },
              { title: 'cause' },
              { title: 'graphs' },
              { title: 'validated' },
              { title: 'about' },
            ],
            items.map((one) => [
              one.checkpoint_id,
              formatInstant(one.created_at),
              one.cause,
              one.graphs.join(', '),
              one.validation_timestamp === null ? 'never' : one.validated ? 'yes' : 'failed',
              one.description,
            ]),
          ),
        );
      if (more !== null && !flags.quiet) terminal.note('There are more; --limit shows up to 500.');
      if (!flags.quiet) for (const line of automaticLines(await api.call(`${recovery}/status`))) terminal.note(line);
    }
    return exitCodes.ok;
  });
}

export function showCheckpoint(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/${pathPart(id)}`);
    if (flags.json) printJson(context.terminal, document);
    else context.terminal.out(describe(read(checkpointAnswer, document)));
    return exitCodes.ok;
  });
}

/** @returns 4 when a drill did not pass */
export function validateCheckpoint(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const first = await api.call(`${below}/${pathPart(id)}/validate`, { method: 'POST' });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(terminal, document);
    reportFailure(context, operation);
    if (operation.result === null) return exitCodeOfOperation(operation);
    const { valid } = read(z.object({ valid: z.boolean() }), operation.result);
    if (!flags.json && !flags.quiet)
      terminal.out(describe(read(checkpointAnswer, await api.call(`${below}/${pathPart(id)}`))));
    return valid ? exitCodes.ok : exitCodes.checkFailed;
  });
}

export function failOverToCheckpoint(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & { plan?: boolean; yes?: boolean; force?: boolean },
): Promise<number> {
  return carryOut(context, flags, async (api) => {
    const { points } = read(checkpointAnswer, await api.call(`${below}/${pathPart(id)}`));
    const planned = { backup_id: points[0]?.backup_id };
    return { path: `${below}/${pathPart(id)}/failover`, wish: {}, planned };
  });
}

export function removeCheckpoint(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/${pathPart(id)}`, { method: 'DELETE' });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(read(z.object({ message: z.string() }), document).message);
    return exitCodes.ok;
  });
}

/** When the next ones are made by themselves, or why not. */
const automaticLines = (document: unknown): string[] =>
  read(recoveryStatusAnswer, document).automatic.map(({ target_id, interval_seconds, keep, next_at, reason }) =>
    next_at === null
      ? `${target_id}: ${reason ?? 'none is made by itself.'}`
      : `${target_id}: the next is made by itself at ${formatInstant(next_at)}, one every ${formatDuration(interval_seconds * 1_000)}; the newest ${keep} of these are kept.${reason === null ? '' : ` The last try: ${reason}`}`,
  );

const describe = (one: CheckpointAnswer): string =>
  [
    formatFacts([
      ['checkpoint', one.checkpoint_id],
      ...(one.description === '' ? [] : [['about', one.description] as [string, string]]),
      ['created', `${formatInstant(one.created_at)} by ${one.cause === 'scheduled' ? 'the schedule' : one.created_by}`],
      [
        'validated',
        one.validation_timestamp === null
          ? 'never'
          : `${one.validated ? 'yes' : 'it did not pass'}, ${formatInstant(one.validation_timestamp)}`,
      ],
    ]),
    ...one.points.map(
      ({ graph_id, backup_id, taken_at }) => `${graph_id}: ${backup_id}, taken ${formatInstant(taken_at)}`,
    ),
    ...one.drills.map(
      ({ backup_id, verdict, reasons }) => `drill of ${backup_id}: ${verdict}${reasons[0] ? ` (${reasons[0]})` : ''}`,
    ),
  ].join('\n');
