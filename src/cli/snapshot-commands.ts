import { z } from 'zod';
import { pathPart, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable } from './format.ts';
import { coloured } from './words.ts';

const below = '/api/v1/backup-replication/backup';
const snapshots = (graph: string): string => `${below}/graphs/${pathPart(graph)}/snapshots`;

const snapshotAnswer = z.object({
  backup_id: z.string(),
  graph_id: z.string(),
  status: z.string(),
  timestamp: z.string(),
  size_bytes: z.number().nullable(),
  data_hash: z.string().nullable(),
  retention_until: z.string().nullable(),
  checkpoint_path: z.string().nullable(),
  error_message: z.string().nullable(),
  scope: z.string(),
  partial: z.boolean(),
  operation_id: z.string().nullable(),
});
const statsAnswer = z.object({
  graphs: z.array(
    z.object({
      graph_id: z.string(),
      total_snapshots: z.number(),
      total_size_bytes: z.number(),
      oldest_snapshot: z.string().nullable(),
      newest_snapshot: z.string().nullable(),
    }),
  ),
});
const scheduleAnswer = z.object({
  graph_id: z.string(),
  source: z.enum(['graph', 'target']),
  frequency_seconds: z.number(),
  next_run: z.string().nullable(),
  last_snapshot_time: z.string().nullable(),
  error: z.string().nullable(),
});
const cleanupAnswer = z.object({ message: z.string(), operation_ids: z.array(z.string()) });

/** Every graph with what there is of it. */
export const listGraphs = (context: CommandContext, flags: RemoteFlags): Promise<number> =>
  withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/stats`);
    if (flags.json) printJson(context.terminal, document);
    else {
      const { graphs } = read(statsAnswer, document);
      if (graphs.length === 0) context.terminal.note('Nothing is watched, so there is no graph.');
      else
        context.terminal.out(
          formatTable(
            [
              { title: 'graph' },
              { title: 'snapshots', align: 'right' },
              { title: 'size', align: 'right' },
              { title: 'oldest' },
              { title: 'newest' },
            ],
            graphs.map((graph) => [
              graph.graph_id,
              String(graph.total_snapshots),
              formatBytes(graph.total_size_bytes),
              graph.oldest_snapshot === null ? '-' : formatInstant(graph.oldest_snapshot),
              graph.newest_snapshot === null ? '-' : formatInstant(graph.newest_snapshot),
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });

export const listSnapshots = (context: CommandContext, graph: string, flags: RemoteFlags): Promise<number> =>
  withApi(context, flags, async (api) => {
    const { terminal } = context;
    const document = await api.call(snapshots(graph));
    if (flags.json) printJson(terminal, document);
    else {
      const found = read(z.array(snapshotAnswer), document);
      if (found.length === 0) terminal.note(`There is no snapshot of ${graph} yet.`);
      else
        terminal.out(
          formatTable(
            [
              { title: 'snapshot' },
              { title: 'taken' },
              { title: 'state' },
              { title: 'size', align: 'right' },
              { title: 'of' },
            ],
            found.map((one) => [
              one.backup_id,
              formatInstant(one.timestamp),
              one.partial
                ? `${coloured(terminal.colours, one.status)}, partial`
                : coloured(terminal.colours, one.status),
              formatBytes(one.size_bytes),
              one.scope === 'target' ? 'whole target' : 'this graph',
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });

export const showSnapshot = (context: CommandContext, graph: string, id: string, flags: RemoteFlags): Promise<number> =>
  withApi(context, flags, async (api) => {
    const document = await api.call(`${snapshots(graph)}/${pathPart(id)}`);
    if (flags.json) printJson(context.terminal, document);
    else context.terminal.out(describeSnapshot(document));
    return exitCodes.ok;
  });

function describeSnapshot(document: unknown): string {
  const one = read(snapshotAnswer, document);
  const facts: [string, string][] = [
    ['snapshot', one.backup_id],
    ['graph', one.graph_id],
    ['taken', formatInstant(one.timestamp)],
    [
      'state',
      `${one.status}${one.partial ? ', partial' : ''}${one.error_message === null ? '' : `: ${one.error_message}`}`,
    ],
    ['part of', one.scope === 'target' ? 'a point of the whole target' : 'a point of this graph alone'],
    ['size', formatBytes(one.size_bytes)],
    ['digest', one.data_hash ?? 'unknown'],
    ['kept until', one.retention_until === null ? 'for ever' : `${formatInstant(one.retention_until)} at least`],
    ['lies in', one.checkpoint_path ?? '-'],
  ];
  return formatFacts(facts);
}

/** The work behind an answer, followed to its end. @returns its exit code, after a failure was told */
async function follow(
  context: CommandContext,
  api: ApiClient,
  operationId: string,
  flags: RemoteFlags,
): Promise<number> {
  const begun = await api.call(`/api/v1/operations/${pathPart(operationId)}`);
  const { operation } = await followOperation(context, api, begun, flags.quiet === true);
  reportFailure(context, operation);
  return exitCodeOfOperation(operation);
}

export const takeSnapshot = (context: CommandContext, graph: string, flags: RemoteFlags): Promise<number> =>
  withApi(context, flags, async (api) => {
    const begun = read(snapshotAnswer, await api.call(snapshots(graph), { method: 'POST', body: {} }));
    const code = begun.operation_id === null ? exitCodes.ok : await follow(context, api, begun.operation_id, flags);
    if (code === exitCodes.ok || code === exitCodes.partial) {
      const document = await api.call(`${snapshots(graph)}/${pathPart(begun.backup_id)}`);
      if (flags.json) printJson(context.terminal, document);
      else if (!flags.quiet) context.terminal.out(describeSnapshot(document));
    }
    return code;
  });

export async function deleteSnapshot(
  context: CommandContext,
  graph: string,
  id: string,
  flags: RemoteFlags & YesFlag & { readonly force?: boolean },
): Promise<number> {
  requireSomebodyOrYes(context, flags, 'The point that the snapshot is part of is deleted');
  return withApi(context, flags, async (api) => {
    if (!(await isConfirmed(context, flags, `The recovery point ${id} is deleted, and cannot be brought back.`)))
      return exitCodes.failure;
    const document = await api.call(`${snapshots(graph)}/${pathPart(id)}`, {
      method: 'DELETE',
      query: { force: flags.force === true ? 'true' : undefined },
    });
    const code = await follow(context, api, read(z.object({ operation_id: z.string() }), document).operation_id, flags);
    if (flags.json) printJson(context.terminal, document);
    else if (code === exitCodes.ok && !flags.quiet) context.terminal.out(`${id} was deleted.`);
    return code;
  });
}

export async function cleanUp(context: CommandContext, flags: RemoteFlags & YesFlag): Promise<number> {
  requireSomebodyOrYes(context, flags, 'What retention does not keep is deleted');
  return withApi(context, flags, async (api) => {
    const question = 'What retention does not keep is deleted (`ragwarden backup retention` shows what that is).';
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    const document = await api.call(`${below}/cleanup`, { method: 'POST' });
    const begun = read(cleanupAnswer, document);
    let code: number = exitCodes.ok;
    for (const id of begun.operation_ids) code = Math.max(code, await follow(context, api, id, flags));
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet)
      context.terminal.out(
        begun.operation_ids.length === 0 ? begun.message : 'What retention does not keep was deleted.',
      );
    return code;
  });
}

/** Shows how often a graph is taken; with `every` or `off` changes it first. */
export const scheduleGraph = (
  context: CommandContext,
  graph: string,
  flags: RemoteFlags & { readonly every?: number; readonly off?: boolean },
): Promise<number> =>
  withApi(context, flags, async (api) => {
    const changed = flags.off === true || flags.every !== undefined;
    const document = changed
      ? await api.call(`${below}/schedule`, {
          method: 'POST',
          body: {
            graph_id: graph,
            ...(flags.off === true ? { enabled: false } : { frequency_seconds: flags.every }),
          },
        })
      : await api.call(`${below}/schedule/${pathPart(graph)}`);
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) {
      const found = read(scheduleAnswer, document);
      context.terminal.out(
        formatFacts([
          ['graph', found.graph_id],
          ['every', formatDuration(found.frequency_seconds * 1_000)],
          ['by', found.source === 'graph' ? 'a schedule of its own' : 'the schedule of its target'],
          [
            'next',
            found.next_run === null
              ? 'none: the schedule is off, or backups are unavailable'
              : formatInstant(found.next_run),
          ],
          ['last', found.last_snapshot_time === null ? 'none' : formatInstant(found.last_snapshot_time)],
          ...(found.error === null ? [] : [['error', found.error] as const]),
        ]),
      );
    }
    return exitCodes.ok;
  });
