import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read, tokenAnswer } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatInstant, formatTable } from './format.ts';
import { coloured } from './words.ts';

export type NewTokenFlags = RemoteFlags & {
  readonly role: string;
  readonly workspace?: readonly string[];
  readonly label?: string;
  readonly expires?: string;
};

/** The secret alone on standard output, so that it can be piped into a file; what it is on standard error. */
export async function createToken(context: CommandContext, name: string, flags: NewTokenFlags): Promise<number> {
  const { terminal } = context;
  const expires = flags.expires === undefined ? undefined : parseExpiry(flags.expires, Date.now());
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/access/tokens', {
      method: 'POST',
      body: {
        name,
        role: flags.role,
        ...(flags.workspace === undefined
          ? {}
          : { workspaces: flags.workspace.includes('all') ? 'all' : flags.workspace }),
        ...(flags.label === undefined ? {} : { label: flags.label }),
        ...(expires === undefined ? {} : { expires_at: expires }),
      },
    });
    if (flags.json) printJson(terminal, document);
    else {
      const made = read(tokenAnswer.extend({ token: z.string() }), document);
      if (!flags.quiet)
        terminal.note(
          `Token ${made.id} for ${made.subject}, role ${made.role}${made.expires_at === null ? '' : `, until ${formatInstant(made.expires_at)}`}. Its secret is shown this once:`,
        );
      terminal.out(made.token);
    }
    return exitCodes.ok;
  });
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30d`, `12h`, `90m`, or an instant. @throws AppError `request/invalid` */
export function parseExpiry(text: string, nowMs: number): string {
  const span = /^(\d{1,6})([mhd])$/.exec(text);
  const atMs = span ? nowMs + Number(span[1]) * (unitMs[span[2] ?? ''] ?? 0) : Date.parse(text);
  if (!Number.isFinite(atMs))
    throw new AppError(
      'request/invalid',
      `"${text}" is no expiry. Write a span (30d, 12h, 90m) or an ISO 8601 instant.`,
    );
  return new Date(atMs).toISOString();
}

export async function listTokens(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/access/tokens', { query: { limit: 500 } });
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(tokenAnswer), document);
      if (items.length === 0)
        terminal.note('There are no tokens of their own; RAGWARDEN_ADMIN_TOKEN is not listed here.');
      else
        terminal.out(
          formatTable(
            [
              { title: 'token' },
              { title: 'subject' },
              { title: 'role' },
              { title: 'workspaces' },
              { title: 'state' },
              { title: 'expires' },
              { title: 'label' },
            ],
            items.map((token) => [
              token.id,
              token.subject,
              token.role,
              token.workspaces === 'all' ? 'all' : token.workspaces.join(',') || 'none',
              coloured(terminal.colours, token.state),
              token.expires_at === null ? 'never' : formatInstant(token.expires_at),
              token.label,
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

export async function revokeToken(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    await api.call(`/api/v1/access/tokens/${pathPart(id)}`, { method: 'DELETE' });
    // The API answers without a body, so there is no document to print.
    if (!flags.quiet && !flags.json) context.terminal.out(`Token ${id} is revoked and its sessions have ended.`);
    return exitCodes.ok;
  });
}

export async function createLoginLink(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/access/login-links', { method: 'POST' });
    if (flags.json) printJson(terminal, document);
    else {
      const link = read(z.object({ code: z.string(), expires_at: z.string() }), document);
      terminal.out(`${api.api}/health#login=${link.code}`);
      if (!flags.quiet) terminal.note(`Logs one browser in, once, until ${formatInstant(link.expires_at)}.`);
    }
    return exitCodes.ok;
  });
}
