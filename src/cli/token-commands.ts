import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read, tokenAnswer } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
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
const spanShape = /^(\d{1,6})([mhd])$/;

/** `30d`, `12h`, `90m`, or an instant. @throws AppError `request/invalid` */
export function parseExpiry(text: string, nowMs: number): string {
  const span = spanShape.exec(text);
  const atMs = span ? nowMs + Number(span[1]) * (unitMs[span[2] ?? ''] ?? 0) : Date.parse(text);
  if (!Number.isFinite(atMs))
    throw new AppError(
      'request/invalid',
      `"${text}" is no expiry. Write a span (30d, 12h, 90m) or an ISO 8601 instant.`,
    );
  return new Date(atMs).toISOString();
}

/** Whole seconds of `30d`, `12h`, `90m`. @throws AppError `request/invalid` */
export function parseSpan(text: string): number {
  const span = spanShape.exec(text);
  if (!span) throw new AppError('request/invalid', `"${text}" is no span. Write 30m, 12h or 7d.`);
  return (Number(span[1]) * (unitMs[span[2] ?? ''] ?? 0)) / 1_000;
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
              { title: 'last used' },
              { title: 'label' },
            ],
            items.map((token) => [
              token.id,
              token.subject,
              token.role,
              token.workspaces === 'all' ? 'all' : token.workspaces.join(',') || 'none',
              coloured(terminal.colours, token.state),
              token.expires_at === null ? 'never' : formatInstant(token.expires_at),
              token.last_used_at === null ? 'never' : formatInstant(token.last_used_at),
              token.label,
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

export type RotateFlags = RemoteFlags & { readonly grace?: string; readonly expires?: string };

/** As with a new one: the secret alone on standard output. */
export async function rotateToken(context: CommandContext, id: string, flags: RotateFlags): Promise<number> {
  const { terminal } = context;
  const graceSeconds = flags.grace === undefined ? 0 : parseSpan(flags.grace);
  const expires = flags.expires === undefined ? undefined : parseExpiry(flags.expires, Date.now());
  return withApi(context, flags, async (api) => {
    const document = await api.call(`/api/v1/access/tokens/${pathPart(id)}/rotate`, {
      method: 'POST',
      body: { grace_seconds: graceSeconds, ...(expires === undefined ? {} : { expires_at: expires }) },
    });
    if (flags.json) printJson(terminal, document);
    else {
      const rotated = read(tokenAnswer.extend({ token: z.string() }), document);
      const until = rotated.previous_secret_until;
      if (!flags.quiet)
        terminal.note(
          `Token ${rotated.id} of ${rotated.subject} has a new secret, shown this once; the old one ${until === null ? 'has ended' : `is good until ${formatInstant(until)}`}:`,
        );
      terminal.out(rotated.token);
    }
    return exitCodes.ok;
  });
}

export async function revokeToken(context: CommandContext, id: string, flags: RemoteFlags & YesFlag): Promise<number> {
  requireSomebodyOrYes(context, flags, 'A token and its sessions end');
  return withApi(context, flags, async (api) => {
    if (!(await isConfirmed(context, flags, `The token ${id} and its sessions end.`))) return exitCodes.failure;
    await api.call(`/api/v1/access/tokens/${pathPart(id)}`, { method: 'DELETE' });
    // The API answers without a body, so there is no document to print.
    if (!flags.quiet && !flags.json) context.terminal.out(`Token ${id} is revoked and its sessions have ended.`);
    return exitCodes.ok;
  });
}

export type LoginLinkFlags = RemoteFlags & {
  readonly role?: string;
  readonly name?: string;
  readonly workspace?: readonly string[];
};

export async function createLoginLink(context: CommandContext, flags: LoginLinkFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/access/login-links', {
      method: 'POST',
      body: {
        ...(flags.role === undefined ? {} : { role: flags.role }),
        ...(flags.name === undefined ? {} : { name: flags.name }),
        ...(flags.workspace === undefined
          ? {}
          : { workspaces: flags.workspace.includes('all') ? 'all' : flags.workspace }),
      },
    });
    if (flags.json) printJson(terminal, document);
    else {
      const link = read(z.object({ code: z.string(), expires_at: z.string() }), document);
      terminal.out(`${api.api}/health#login=${link.code}`);
      if (!flags.quiet) terminal.note(`Logs one browser in, once, until ${formatInstant(link.expires_at)}.`);
    }
    return exitCodes.ok;
  });
}

export async function endSessions(
  context: CommandContext,
  subject: string | undefined,
  flags: RemoteFlags,
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call('/api/v1/access/sessions', {
      method: 'DELETE',
      ...(subject === undefined ? {} : { query: { subject } }),
    });
    if (flags.json) printJson(terminal, document);
    else if (!flags.quiet) {
      const { subject: whose, ended } = read(z.object({ subject: z.string(), ended: z.number() }), document);
      terminal.out(`${ended} ${ended === 1 ? 'session' : 'sessions'} of ${whose} ended.`);
    }
    return exitCodes.ok;
  });
}
