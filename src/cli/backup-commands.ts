import { z } from 'zod';
import { readConfig, requireConfig } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import {
  type OperationAnswer,
  type PointAnswer,
  pageOf,
  pathPart,
  pointAnswer,
  pointBytes,
  read,
  retentionAnswer,
} from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, settingFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable, plural } from './format.ts';
import { pointTable } from './status-command.ts';
import { type Colours, noteExplanation } from './terminal.ts';
import { watch } from './watch.ts';
import { coloured } from './words.ts';

type TargetFlags = RemoteFlags & { readonly target?: string };

/** Parts of a point, as `backup create --include` has them. */
export const pointParts = ['database', 'workspaces', 'config'];

export async function createPoint(
  context: CommandContext,
  flags: TargetFlags & { readonly workspace?: string; readonly include?: readonly string[] },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const first = await api.call('/api/v1/backup/trigger', {
      method: 'POST',
      body: {
        target: flags.target,
        workspace: flags.workspace,
        ...(flags.include === undefined
          ? {}
          : Object.fromEntries(pointParts.map((part) => [`include_${part}`, flags.include?.includes(part) === true]))),
      },
    });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(terminal, document);
    else if (operation.result !== null && !flags.quiet) {
      const point = read(pointAnswer, operation.result);
      terminal.out(
        `${coloured(terminal.colours, point.status)}  ${point.backup_id} of ${point.target_id}: ` +
          `${plural(point.user_data.file_count, 'file')}, ${formatBytes(pointBytes(point))}, ` +
          `${point.stored_bytes === null ? 'an unknown amount' : formatBytes(point.stored_bytes)} stored${point.duration === null ? '' : ` in ${formatDuration(point.duration * 1_000)}`}` +
          `${point.grade === null ? '' : `, ${point.grade}`}${point.verified_at === null ? ', not verified' : ', verified'}`,
      );
      terminal.out(componentTable(point, terminal.colours));
      for (const line of losses(point)) terminal.note(line);
    }
    reportFailure(context, operation);
    return exitCodeOfOperation(operation);
  });
}

/** Says on standard error why an operation did not succeed. */
export function reportFailure({ terminal }: CommandContext, operation: OperationAnswer): void {
  if (operation.error) {
    terminal.note(`${terminal.noteColours.red(operation.error.code)}: ${operation.error.detail}`);
    noteExplanation(terminal, operation.error.code);
  } else if (!['succeeded', 'partial', 'running'].includes(operation.state))
    terminal.note(`The operation ${operation.id} is ${operation.state}.`);
}

export async function listPoints(
  context: CommandContext,
  flags: TargetFlags & { all?: boolean; limit?: number; watch?: boolean },
): Promise<number> {
  const { terminal } = context;
  const look = async (api: ApiClient): Promise<ListedPoints> => {
    const query = { target: flags.target, limit: flags.limit ?? (flags.all ? 100 : 50) };
    const document = await api.call(`/api/v1/backup/${flags.all ? 'history' : 'points'}`, { query });
    if (flags.all)
      return {
        document,
        points: read(z.array(pointAnswer), document).reverse(),
        none: 'No backup was ever run.',
        more: false,
      };
    const page = read(pageOf(pointAnswer), document);
    const none = 'There is no recovery point yet. `ragwarden backup create` takes one.';
    return { document, points: page.items, none, more: page.next_cursor !== null };
  };
  if (flags.watch)
    return watch(context, flags, async (api) => {
      const { document, points, none } = await look(api);
      return {
        document,
        essence: document,
        render: (colours) => (points.length === 0 ? none : pointTable(points, colours)),
      };
    });
  return withApi(context, flags, async (api) => {
    const { document, points, none, more } = await look(api);
    if (flags.json) printJson(terminal, document);
    else {
      if (points.length === 0) terminal.note(none);
      else terminal.out(pointTable(points, terminal.colours));
      if (more && !flags.quiet) terminal.note('There are more; --limit shows up to 500.');
    }
    return exitCodes.ok;
  });
}

type ListedPoints = {
  readonly document: unknown;
  readonly points: readonly PointAnswer[];
  /** Said when there is none. */
  readonly none: string;
  readonly more: boolean;
};

export async function showPoint(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/backup/points/${pathPart(id)}`);
    if (flags.json) printJson(terminal, document);
    else terminal.out(describePoint(context, read(pointAnswer, document)));
    return exitCodes.ok;
  });
}

function describePoint({ terminal }: CommandContext, point: PointAnswer): string {
  const { colours } = terminal;
  const documents = Object.entries(point.documents ?? {}).filter(([, count]) => count > 0);
  const facts: [string, string][] = [
    ['point', point.backup_id],
    ['target', point.target_id],
    ['taken', formatInstant(point.timestamp)],
    ['state', `${coloured(colours, point.status)}${point.error === undefined ? '' : `: ${point.error}`}`],
    ['grade', point.grade === null ? 'none' : coloured(colours, point.grade)],
    ['verified', point.verified_at === null ? 'no' : formatInstant(point.verified_at)],
    ['cause', point.cause],
    [
      'stored',
      `${point.stored_bytes === null ? 'unknown' : formatBytes(point.stored_bytes)} of ${formatBytes(pointBytes(point))}`,
    ],
  ];
  if (point.duration !== null) facts.push(['took', formatDuration(point.duration * 1_000)]);
  if (point.core_version !== null) facts.push(['version', point.core_version]);
  if (documents.length > 0)
    facts.push(['documents', documents.map(([status, count]) => `${count} ${status.toLowerCase()}`).join(', ')]);
  if (point.forgotten_at !== null) facts.push(['forgotten', formatInstant(point.forgotten_at)]);
  if (point.operation_id !== null) facts.push(['operation', point.operation_id]);
  return [
    formatFacts(facts),
    ...(point.total_size_mb === null ? [] : ['', componentTable(point, colours)]),
    ...losses(point),
    ...grounds(point),
  ].join('\n');
}

/** Everything that is in a point, the databases too. */
export const componentTable = (point: PointAnswer, colours: Colours): string => {
  const { configuration } = point.components;
  return formatTable(
    [
      { title: 'component' },
      { title: 'files', align: 'right' },
      { title: 'size', align: 'right' },
      { title: 'grade' },
      { title: 'where it was' },
    ],
    [
      ...point.user_data.components.map((one) => [
        one.name,
        String(one.file_count),
        formatBytes(one.size_bytes),
        coloured(colours, one.grade),
        one.path ?? '-',
      ]),
      ...point.database.components.map((one) => [
        one.name,
        '-',
        formatBytes(one.size_bytes),
        coloured(colours, one.grade),
        `${one.kind}, ${plural(one.streams, 'dump')}`,
      ]),
      ...(configuration
        ? [
            [
              'configuration',
              '-',
              formatBytes(Math.round(configuration.size_mb * 1024 ** 2)),
              '-',
              'ragwarden’s own state and settings files',
            ],
          ]
        : []),
    ],
  );
};

/** What is not in the point though it should be. */
const losses = (point: PointAnswer): string[] => [
  ...point.missing.map((one) => `missing: ${one.name} (${one.reason})`),
  ...point.user_data.components.flatMap((one) =>
    one.skipped.filter((skip) => skip.loss).map((skip) => `not in it: ${one.name}/${skip.path} (${skip.reason})`),
  ),
];

/** Why it has its grade: said of the whole and of each component, each only once. */
const grounds = (point: PointAnswer): string[] =>
  [
    ...new Set([
      ...point.reasons,
      ...point.user_data.components.flatMap((one) => one.reasons.map((reason) => `${one.name}: ${reason}`)),
    ]),
  ].map((reason) => `note: ${reason}`);

const verifiedAnswer = z.object({ files: z.number(), bytes: z.number() });

export async function verifyPoint(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const first = await api.call(`/api/v1/backup/points/${pathPart(id)}/verify`, { method: 'POST' });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(terminal, document);
    else if (operation.state === 'succeeded' && !flags.quiet) {
      const { files, bytes } = read(verifiedAnswer, operation.result);
      terminal.out(
        `${terminal.colours.green('verified')}  ${id}: ${plural(files, 'file')}, ${formatBytes(bytes)} read back and compared`,
      );
    }
    reportFailure(context, operation);
    return exitCodeOfOperation(operation);
  });
}

export async function adoptRepository(context: CommandContext, flags: RemoteFlags & YesFlag): Promise<number> {
  requireSomebodyOrYes(context, flags, 'The former repository is given up');
  return withApi(context, flags, async (api) => {
    const question = 'The repository that was used before is given up: it is gone, or was replaced on purpose.';
    if (!(await isConfirmed(context, flags, question))) return exitCodes.failure;
    const document = await api.call('/api/v1/backup/repository/adopt', { method: 'POST', body: { confirm: true } });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(read(z.object({ message: z.string() }), document).message);
    return exitCodes.ok;
  });
}

export async function switchSchedule(context: CommandContext, on: boolean, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/backup/${on ? 'start' : 'stop'}`, { method: 'POST' });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(read(z.object({ message: z.string() }), document).message);
    return exitCodes.ok;
  });
}

export async function showRetention(context: CommandContext, flags: TargetFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/backup/retention', { query: { target: flags.target } });
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(retentionAnswer), document);
      if (items.length === 0) terminal.note('There is no recovery point to keep or to forget.');
      else
        terminal.out(
          formatTable(
            [{ title: 'point' }, { title: 'taken' }, { title: 'action' }, { title: 'reason' }],
            items.map((item) => [
              item.backup_id,
              formatInstant(item.timestamp),
              coloured(terminal.colours, item.action),
              item.reason,
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

/** The page to keep elsewhere, read from the data folder alone: it works when nothing else does. */
export async function printKit(context: CommandContext, flags: RemoteFlags & { confirm?: boolean }): Promise<number> {
  const { terminal } = context;
  if (flags.confirm)
    return withApi(context, flags, async (api) => {
      const document = await api.call('/api/v1/backup/recovery-kit/confirm', { method: 'POST' });
      if (flags.json) printJson(terminal, document);
      else if (!flags.quiet) terminal.out('Noted: the recovery kit is kept elsewhere.');
      return exitCodes.ok;
    });
  if (flags.json)
    throw new AppError('config/invalid', 'The recovery kit is a page for people; --json goes with --confirm only.');
  const { dataDir, config } = flags;
  const reading = readConfig({ env: context.env, cwd: context.cwd, flags: settingFlags({ dataDir, config }) });
  terminal.out(await context.offline.recoveryKit(requireConfig(reading)));
  if (!flags.quiet)
    terminal.note('Keep this page away from this machine, then say so with `ragwarden backup kit --confirm`.');
  return exitCodes.ok;
}
