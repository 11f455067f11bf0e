import { z } from 'zod';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatInstant, formatTable } from './format.ts';
import { parseExpiry } from './token-commands.ts';
import { coloured } from './words.ts';

const textOrNull = z.string().nullable();
const countOrNull = z.number().nullable();

const keyAnswer = z.object({
  id: z.string(),
  subject: z.string(),
  target_id: z.string(),
  workspace: textOrNull,
  label: z.string(),
  state: z.string(),
  expires_at: textOrNull,
  last_used_at: textOrNull,
});

const statusAnswer = z.object({
  phase: z.string(),
  url: textOrNull,
  restarts: z.number(),
  connections: countOrNull,
  requests_under_way: countOrNull,
  observations_dropped: countOrNull,
  quota_unanswered: countOrNull,
  barrier: z.object({ holding: z.array(z.string()), waiting: z.number() }).nullable(),
  upstreams: z.array(
    z.object({
      id: z.string(),
      path_prefix: textOrNull,
      hosts: z.array(z.string()),
      has_key: z.boolean(),
      state: z.string(),
    }),
  ),
  providers: z.array(z.object({ id: z.string(), api: z.string(), has_key: z.boolean(), state: z.string() })),
});

const breakerWords: Readonly<Record<string, string>> = {
  closed: 'ok',
  open: 'unreachable',
  probing: 'being tried',
  unknown: 'not known',
};

/** 4 while it is not running or an upstream cannot be reached. */
export async function showGateway(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/gateway/status');
    const status = read(statusAnswer, document);
    const paths = [
      ...status.upstreams.map((one) => ({
        ...one,
        ways: [...(one.path_prefix === null ? [] : [one.path_prefix]), ...one.hosts].join(' '),
      })),
      ...status.providers.map((one) => ({ ...one, ways: `/llm/${one.id}` })),
    ];
    if (flags.json) printJson(terminal, document);
    else {
      terminal.out(`${status.phase} at ${status.url ?? 'no address'}`);
      terminal.out(
        `${status.connections ?? '?'} connections, ${status.requests_under_way ?? '?'} requests under way, ${status.restarts} restarts`,
      );
      if (status.barrier !== null && status.barrier.holding.length > 0)
        terminal.out(`Writes to ${status.barrier.holding.join(', ')} are held back; ${status.barrier.waiting} wait.`);
      if ((status.observations_dropped ?? 0) > 0)
        terminal.out(`${status.observations_dropped} observations were dropped.`);
      terminal.out('');
      terminal.out(
        formatTable(
          [{ title: 'leads to' }, { title: 'by' }, { title: 'own key' }, { title: 'state' }],
          paths.map((one) => [
            one.id,
            one.ways,
            one.has_key ? 'yes' : 'no',
            coloured(terminal.colours, breakerWords[one.state] ?? one.state),
          ]),
        ),
      );
    }
    return status.phase === 'running' && paths.every(({ state }) => state !== 'open')
      ? exitCodes.ok
      : exitCodes.checkFailed;
  });
}

export type NewKeyFlags = RemoteFlags & {
  readonly target?: string;
  readonly workspace?: string;
  readonly label?: string;
  readonly expires?: string;
};

/** The key alone on standard output, so that it can be piped into a file; what it is on standard error. */
export async function createKey(context: CommandContext, name: string, flags: NewKeyFlags): Promise<number> {
  const { terminal } = context;
  const expires = flags.expires === undefined ? undefined : parseExpiry(flags.expires, Date.now());
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/gateway/keys', {
      method: 'POST',
      body: {
        name,
        ...(flags.target === undefined ? {} : { target_id: flags.target }),
        ...(flags.workspace === undefined ? {} : { workspace: flags.workspace }),
        ...(flags.label === undefined ? {} : { label: flags.label }),
        ...(expires === undefined ? {} : { expires_at: expires }),
      },
    });
    if (flags.json) printJson(terminal, document);
    else {
      const made = read(keyAnswer.extend({ key: z.string() }), document);
      const end = made.expires_at === null ? '' : `, until ${formatInstant(made.expires_at)}`;
      if (!flags.quiet)
        terminal.note(`Key ${made.id} for ${made.subject}, ${placeOf(made)}${end}. It is shown this once:`);
      terminal.out(made.key);
    }
    return exitCodes.ok;
  });
}

const placeOf = (key: { target_id: string; workspace: string | null }): string =>
  key.workspace === null ? `any workspace of ${key.target_id}` : `workspace "${key.workspace}" of ${key.target_id}`;

export async function listKeys(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/gateway/keys', { query: { limit: 500 } });
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(keyAnswer), document);
      if (items.length === 0) terminal.note('There are no keys of the gateway.');
      else
        terminal.out(
          formatTable(
            ['key', 'subject', 'target', 'workspace', 'state', 'expires', 'last used', 'label'].map((title) => ({
              title,
            })),
            items.map((key) => [
              key.id,
              key.subject,
              key.target_id,
              key.workspace ?? 'any',
              coloured(terminal.colours, key.state),
              key.expires_at === null ? 'never' : formatInstant(key.expires_at),
              key.last_used_at === null ? 'never' : formatInstant(key.last_used_at),
              key.label,
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

export async function revokeKey(context: CommandContext, id: string, flags: RemoteFlags & YesFlag): Promise<number> {
  requireSomebodyOrYes(context, flags, 'A key ends with what it has under way');
  return withApi(context, flags, async (api) => {
    if (!(await isConfirmed(context, flags, `The key ${id} ends, and what it has under way is cut off.`)))
      return exitCodes.failure;
    await api.call(`/api/v1/gateway/keys/${pathPart(id)}`, { method: 'DELETE' });
    if (!flags.quiet && !flags.json)
      context.terminal.out(`Key ${id} is revoked, and what it had under way is cut off.`);
    return exitCodes.ok;
  });
}
