import { type OperationAnswer, operationAnswer, pageOf, pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatFacts, formatInstant, formatTable } from './format.ts';
import type { Colours } from './terminal.ts';
import { watch } from './watch.ts';
import { coloured } from './words.ts';

export async function listOperations(
  context: CommandContext,
  flags: RemoteFlags & { state?: string; limit?: number; watch?: boolean },
): Promise<number> {
  const { terminal } = context;
  const look = (api: ApiClient): Promise<unknown> =>
    api.call('/api/v1/operations', { query: { state: flags.state, limit: flags.limit ?? 50 } });
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const document = await look(api);
      const { items } = read(pageOf(operationAnswer), document);
      return {
        document,
        // How far it is changes all the time; on a terminal it is seen.
        essence: items.map(({ id, state, phase }) => [id, state, phase]),
        render: (colours) => (items.length === 0 ? noOperation : operationTable(items, colours)),
      };
    });
  return withApi(context, flags, async (api) => {
    const document = await look(api);
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(operationAnswer), document);
      if (items.length === 0) terminal.note(noOperation);
      else terminal.out(operationTable(items, terminal.colours));
    }
    return exitCodes.ok;
  });
}

const noOperation = 'No operation is on record.';

const operationTable = (operations: readonly OperationAnswer[], colours: Colours): string =>
  formatTable(
    [
      { title: 'operation' },
      { title: 'kind' },
      { title: 'target' },
      { title: 'state' },
      { title: 'phase' },
      { title: 'started' },
      { title: 'by' },
    ],
    operations.map((one) => [
      one.id,
      one.kind,
      one.target_id ?? '-',
      coloured(colours, one.state),
      one.phase === '' ? '-' : one.state === 'running' ? `${one.phase}${percentOf(one)}` : one.phase,
      formatInstant(one.created_at),
      one.requested_by,
    ]),
  );

const percentOf = ({ progress }: OperationAnswer): string =>
  progress.percent === null ? '' : ` ${progress.percent.toFixed(0)} %`;

/** One operation; with `--follow` to its end, and then the exit code is its outcome. */
export async function showOperation(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & { follow?: boolean },
): Promise<number> {
  return withApi(context, flags, async (api) => {
    const first = await api.call(`/api/v1/operations/${pathPart(id)}`);
    const { document, operation } = flags.follow
      ? await followOperation(context, api, first, flags.quiet === true)
      : { document: first, operation: read(operationAnswer, first) };
    if (flags.json) printJson(context.terminal, document);
    else context.terminal.out(describeOperation(context, operation));
    return flags.follow ? exitCodeOfOperation(operation) : exitCodes.ok;
  });
}

export async function cancelOperation(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const first = await api.call(`/api/v1/operations/${pathPart(id)}/cancel`, { method: 'POST' });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(context.terminal, document);
    else if (operation.state === 'cancelled') {
      if (!flags.quiet) context.terminal.out(`The operation ${id} is cancelled.`);
    } else {
      context.terminal.note(`The operation ${id} had ended before: ${operation.state}.`);
      reportFailure(context, operation);
    }
    // Cancelling is what was asked for, so having cancelled is success.
    return operation.state === 'cancelled' ? exitCodes.ok : exitCodes.failure;
  });
}

function describeOperation({ terminal }: CommandContext, operation: OperationAnswer): string {
  const { progress } = operation;
  const facts: [string, string][] = [
    ['operation', operation.id],
    ['kind', operation.kind],
    ['target', operation.target_id ?? '-'],
    ['state', coloured(terminal.colours, operation.state)],
    ['phase', operation.phase],
    ['started', `${formatInstant(operation.created_at)} by ${operation.requested_by}`],
  ];
  if (operation.finished_at !== null) facts.push(['ended', formatInstant(operation.finished_at)]);
  if (progress.bytes_done > 0 || progress.files_done > 0)
    facts.push([
      'progress',
      `${progress.percent === null ? '' : `${progress.percent.toFixed(0)} %, `}${formatBytes(progress.bytes_done)}, ${progress.files_done} files`,
    ]);
  if (operation.error) facts.push(['error', `${operation.error.code}: ${operation.error.detail}`]);
  return formatFacts(facts);
}
