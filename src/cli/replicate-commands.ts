import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read } from './answers.ts';
import { reportFailure } from './backup-commands.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { exitCodeOfOperation, followOperation } from './follow-operation.ts';
import { formatBytes, formatDuration, formatFacts, formatInstant, formatTable } from './format.ts';
import { coloured } from './words.ts';

const below = '/api/v1/backup-replication/replication';
const sent = '/api/v1/backup-replication/backup/snapshots';
const textOrNull = z.string().nullable();
const replicaAnswer = z.object({
  target_id: z.string(),
  name: z.string(),
  kind: z.string(),
  base_url: textOrNull,
  location: textOrNull,
  zone: textOrNull,
  offline: z.boolean(),
  enabled: z.boolean(),
  idle_reason: textOrNull,
  origin: z.string(),
  status: z.string(),
  error: textOrNull,
  last_synced: textOrNull,
  last_verified: textOrNull,
  findings: z.array(z.string()),
  stored_bytes: z.number().nullable(),
  other_bytes: z.number().nullable().default(null),
  lag: z.array(
    z.object({
      target: z.string(),
      copies: z.number(),
      lag_seconds: z.number().nullable(),
      missing_points: z.number(),
      missing_bytes: z.number(),
      newest_backup_id: textOrNull,
    }),
  ),
});
type ReplicaAnswer = z.infer<typeof replicaAnswer>;
const statusAnswer = z.object({
  status: z.string(),
  message: z.string(),
  targets: z.array(replicaAnswer),
  placement: z.array(z.object({ target: z.string(), met: z.boolean(), missing: z.array(z.string()) })),
});
const logAnswer = z.object({
  started_at: z.string(),
  target_id: z.string(),
  operation_type: z.string(),
  backup_id: textOrNull,
  status: z.string(),
  bytes_transferred: z.number().nullable(),
  error_message: textOrNull,
});

const lagWords = ({ lag }: ReplicaAnswer): string => {
  const known = lag.flatMap(({ lag_seconds }) => (lag_seconds === null ? [] : [lag_seconds]));
  if (known.length === 0) return '-';
  const most = Math.max(...known);
  return most === 0 ? 'none' : formatDuration(most * 1_000);
};
const sum = (one: ReplicaAnswer, of: 'copies' | 'missing_points' | 'missing_bytes'): number =>
  one.lag.reduce((all, part) => all + part[of], 0);

/** @returns 4 when copies do not lie where they shall, or a target is damaged or out of reach */
export async function showReplication(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/health-dashboard/replication/status');
    const found = read(statusAnswer, document);
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      terminal.out(`${coloured(terminal.colours, found.status)}: ${found.message}`);
      if (found.targets.length > 0) terminal.out(tableOf(found.targets, terminal.colours));
      for (const one of found.placement)
        terminal.out(`placement of ${one.target}: ${one.met ? 'met' : one.missing.join(' ')}`);
    }
    return ['healthy', 'not configured', 'unknown'].includes(found.status) ? exitCodes.ok : exitCodes.checkFailed;
  });
}

const tableOf = (items: readonly ReplicaAnswer[], colours: Parameters<typeof coloured>[0]): string =>
  formatTable(
    [
      { title: 'target' },
      { title: 'kind' },
      { title: 'zone' },
      { title: 'status' },
      { title: 'lag', align: 'right' },
      { title: 'points', align: 'right' },
      { title: 'missing', align: 'right' },
      { title: 'bytes missing', align: 'right' },
    ],
    items.map((one) => [
      one.target_id,
      one.kind,
      one.zone ?? '-',
      one.enabled ? coloured(colours, one.status) : 'off',
      lagWords(one),
      String(sum(one, 'copies')),
      String(sum(one, 'missing_points')),
      formatBytes(sum(one, 'missing_bytes')),
    ]),
  );

export async function listReplicas(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/targets`);
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(replicaAnswer), document);
      if (items.length === 0) terminal.note('No replication target is registered. `ragwarden replicate add` does.');
      else terminal.out(tableOf(items, terminal.colours));
    }
    return exitCodes.ok;
  });
}

export async function showReplica(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/targets/${pathPart(id)}`);
    const one = read(replicaAnswer, document);
    const instant = (text: string | null): string => (text === null ? 'never' : formatInstant(text));
    if (flags.json) printJson(terminal, document);
    else
      terminal.out(
        formatFacts([
          ['target', `${one.target_id} (${one.kind}, from the ${one.origin === 'file' ? 'settings file' : 'API'})`],
          ['place', one.base_url ?? one.location ?? '-'],
          ['zone', `${one.zone ?? '-'}${one.offline ? ', offline' : ''}`],
          ['status', `${coloured(terminal.colours, one.status)}${one.error === null ? '' : `: ${one.error}`}`],
          ...(one.idle_reason === null ? [] : [['copies', one.idle_reason] as [string, string]]),
          ['lag', lagWords(one)],
          ['points', `${sum(one, 'copies')} there, ${sum(one, 'missing_points')} missing`],
          ['stored', one.stored_bytes === null ? '-' : formatBytes(one.stored_bytes)],
          ...(one.other_bytes === null || one.other_bytes === 0
            ? []
            : [['of others there', formatBytes(one.other_bytes)] as const]),
          ['copied', instant(one.last_synced)],
          ['verified', instant(one.last_verified)],
          ...one.findings.slice(0, 5).map((line): [string, string] => ['damage', line]),
        ]),
      );
    return exitCodes.ok;
  });
}

export type AddFlags = RemoteFlags & {
  readonly location?: string;
  readonly url?: string;
  readonly title?: string;
  readonly zone?: string;
  readonly offline?: boolean;
  readonly limit?: number;
  readonly maxConcurrent?: number;
  readonly credentialsFile?: string;
};

/** Secrets come from a file or the standard environment, never from an argument, which every process of the machine sees. */
export async function addReplica(context: CommandContext, id: string, flags: AddFlags): Promise<number> {
  const { terminal } = context;
  const secrets =
    flags.credentialsFile === undefined
      ? {}
      : readPairs(await readFile(resolve(context.cwd, flags.credentialsFile), 'utf8'));
  const { API_KEY: apiKey, ...credentials } = secrets;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/targets`, {
      method: 'POST',
      body: {
        target_id: id,
        name: flags.title ?? id,
        ...(flags.location === undefined ? {} : { location: flags.location }),
        ...(flags.url === undefined ? {} : { base_url: flags.url }),
        ...(apiKey === undefined ? {} : { api_key: apiKey }),
        ...(Object.keys(credentials).length === 0 ? {} : { credentials }),
        ...(flags.zone === undefined ? {} : { zone: flags.zone }),
        ...(flags.offline ? { offline: true } : {}),
        ...(flags.limit === undefined ? {} : { limit_kib_per_second: flags.limit }),
        ...(flags.maxConcurrent === undefined ? {} : { max_concurrent: flags.maxConcurrent }),
      },
    });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      const { target_id, idle_reason } = read(replicaAnswer, document);
      terminal.out(`${target_id} is registered.`);
      if (idle_reason !== null) terminal.note(`Nothing is copied there: ${idle_reason}`);
    }
    return exitCodes.ok;
  });
}

/** Lines of NAME=VALUE. */
function readPairs(text: string): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const line of text.split(/\r?\n/).filter((one) => one.trim() !== '' && !one.startsWith('#'))) {
    const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(line.trim()) ?? [];
    if (name === undefined || value === undefined)
      throw new AppError('request/invalid', 'The file of credentials has lines of NAME=VALUE.');
    pairs[name] = value;
  }
  return pairs;
}

export async function removeReplica(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/targets/${pathPart(id)}`, { method: 'DELETE' });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.out(read(z.object({ message: z.string() }), document).message);
    return exitCodes.ok;
  });
}

export async function setReplicaEnabled(
  context: CommandContext,
  id: string,
  enabled: boolean,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/targets/${pathPart(id)}`, { method: 'PATCH', body: { enabled } });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) terminal.out(`${id} is ${enabled ? 'on' : 'off'}.`);
    return exitCodes.ok;
  });
}

/** @returns 4 when damage was found, 1 when it failed otherwise */
export async function workOnReplica(
  context: CommandContext,
  id: string,
  verb: 'replicate' | 'verify' | 'heal' | 'prune',
  flags: RemoteFlags & { readonly percent?: number; readonly damaged?: string; readonly yes?: boolean },
): Promise<number> {
  const { terminal } = context;
  if (verb === 'heal')
    requireSomebodyOrYes(context, flags, 'Damaged snapshots are forgotten before they are copied back');
  return withApi(context, flags, async (api) => {
    const damaged = flags.damaged ?? 'target';
    const question = `At ${damaged === 'target' ? id : 'the repository here'} what is damaged is forgotten, then copied back.`;
    if (verb === 'heal' && !(await isConfirmed(context, flags, question))) return exitCodes.failure;
    const body =
      verb === 'verify' && flags.percent !== undefined
        ? { percent: flags.percent }
        : verb === 'heal'
          ? { damaged, confirm: true }
          : undefined;
    const first = await api.call(`${below}/targets/${pathPart(id)}/${verb}`, {
      method: 'POST',
      ...(body === undefined ? {} : { body }),
    });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(terminal, document);
    if (operation.result === null) {
      reportFailure(context, operation);
      return operation.error?.code === 'repository/damaged' ? exitCodes.checkFailed : exitCodeOfOperation(operation);
    }
    if (!flags.json && !flags.quiet) terminal.out(sentenceOf(verb, id, operation.result));
    return exitCodes.ok;
  });
}

const resultAnswer = z.object({
  copied: z.array(z.string()).default([]),
  already_there: z.number().default(0),
  bytes: z.number().nullable().default(null),
  read_percent: z.number().default(0),
  backup_ids: z.array(z.string()).default([]),
  damaged_packs: z.array(z.string()).default([]),
  freed_bytes: z.number().nullable().default(null),
});

function sentenceOf(verb: 'replicate' | 'verify' | 'heal' | 'prune', id: string, result: unknown): string {
  const found = read(resultAnswer, result);
  switch (verb) {
    case 'replicate':
      return `${found.copied.length} points were copied to ${id}${found.bytes === null ? '' : ` (${formatBytes(found.bytes)})`}; ${found.already_there} were there.`;
    case 'verify':
      return `${id} is sound: ${found.read_percent} % of its data were read.`;
    case 'prune':
      return found.freed_bytes === null
        ? `${id} was pruned.`
        : `Pruning ${id} freed ${formatBytes(found.freed_bytes)}.`;
    case 'heal':
      return found.damaged_packs.length === 0
        ? 'Nothing was damaged.'
        : `${found.damaged_packs.length} damaged packs were set aside and ${found.backup_ids.length} points brought back.`;
  }
}

export async function listReplicationLog(
  context: CommandContext,
  flags: RemoteFlags & {
    readonly target?: string;
    readonly status?: string;
    readonly type?: string;
    readonly limit?: number;
  },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${below}/logs`, {
      query: { target_id: flags.target, status: flags.status, operation_type: flags.type, limit: flags.limit ?? 50 },
    });
    if (flags.json) printJson(terminal, document);
    else {
      const { items, next_cursor: more } = read(pageOf(logAnswer), document);
      if (items.length === 0) terminal.note('Nothing was copied, verified or healed yet.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'begun' },
              { title: 'target' },
              { title: 'what' },
              { title: 'point' },
              { title: 'status' },
              { title: 'bytes', align: 'right' },
            ],
            items.map((one) => [
              formatInstant(one.started_at),
              one.target_id,
              one.operation_type,
              one.backup_id ?? '-',
              coloured(terminal.colours, one.status),
              one.bytes_transferred === null ? '-' : formatBytes(one.bytes_transferred),
            ]),
          ),
        );
      if (more !== null && !flags.quiet) terminal.note('There are more; --limit shows up to 500.');
    }
    return exitCodes.ok;
  });
}

const receivedAnswer = z.object({
  sender: z.string(),
  graph_id: z.string(),
  backup_id: z.string(),
  taken_at: textOrNull,
  size_bytes: z.number(),
  received_at: z.string(),
});

export async function listReceived(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${sent}/received`);
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(receivedAnswer), document);
      if (items.length === 0) terminal.note('Nobody sent a point here.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'point' },
              { title: 'graph' },
              { title: 'sender' },
              { title: 'taken' },
              { title: 'received' },
              { title: 'size', align: 'right' },
            ],
            items.map((one) => [
              ...[one.backup_id, one.graph_id, one.sender],
              one.taken_at === null ? '-' : formatInstant(one.taken_at),
              formatInstant(one.received_at),
              formatBytes(one.size_bytes),
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

export type AdoptFlags = RemoteFlags & {
  readonly kit?: string;
  readonly passwordFile?: string;
  readonly graph?: string;
  readonly sender?: string;
};

/** The password comes from a file, never from an argument, which every process of the machine sees. */
export async function adoptReceived(
  context: CommandContext,
  pointId: string | undefined,
  flags: AdoptFlags,
): Promise<number> {
  const { terminal } = context;
  const textOf = (path: string): Promise<string> => readFile(resolve(context.cwd, path), 'utf8');
  if (flags.kit === undefined && flags.passwordFile === undefined)
    throw new AppError('request/invalid', "Name the recovery kit of the sender with --kit, or its password's file.");
  const password =
    flags.passwordFile === undefined
      ? passwordOfKit(await textOf(flags.kit ?? ''))
      : (await textOf(flags.passwordFile)).replace(/\r?\n$/, '');
  return withApi(context, flags, async (api) => {
    const first = await api.call(`${sent}/received/adopt`, {
      method: 'POST',
      body: {
        password,
        ...(pointId === undefined ? {} : { backup_id: pointId }),
        ...(flags.graph === undefined ? {} : { graph_id: flags.graph }),
        ...(flags.sender === undefined ? {} : { sender: flags.sender }),
      },
    });
    const { document, operation } = await followOperation(context, api, first, flags.quiet === true);
    if (flags.json) printJson(terminal, document);
    if (operation.result === null) {
      reportFailure(context, operation);
      return exitCodeOfOperation(operation);
    }
    const { backup_id, sender, next } = read(adoptedAnswer, operation.result);
    if (!flags.json && !flags.quiet)
      terminal.out(`${backup_id}, which ${sender} sent, is a point of this installation now. Next: ${next}`);
    return exitCodes.ok;
  });
}
/** As `ragwarden backup kit` prints it. */
function passwordOfKit(text: string): string {
  const password = /^ragwarden recovery kit$/m.test(text) ? /^Password +(\S.*?)\s*$/m.exec(text)?.[1] : undefined;
  if (password === undefined)
    throw new AppError('request/invalid', 'This is no recovery kit. `ragwarden backup kit` prints one.');
  return password;
}

const adoptedAnswer = z.object({ backup_id: z.string(), sender: z.string(), next: z.string() });
