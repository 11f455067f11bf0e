import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { pageOf, pathPart, read } from './answers.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { isConfirmed, requireSomebodyOrYes, type YesFlag } from './confirm.ts';
import { exitCodes } from './exit-code.ts';
import { formatInstant, formatTable } from './format.ts';
import { coloured } from './words.ts';

const textOrNull = z.string().nullable();
const base = '/api/v1/metrics/alerts';

const silenceAnswer = z.object({
  id: z.string(),
  state: z.string(),
  matchers: z.array(z.string()),
  from: z.string(),
  until: z.string(),
  created_by: z.string(),
  comment: z.string(),
});
const receiverAnswer = z.object({
  id: z.string(),
  kind: z.string(),
  origin: z.string(),
  place: textOrNull,
  state: z.string(),
  reason: textOrNull,
  last_success_at: textOrNull,
});
const attemptAnswer = z.object({
  at: z.string(),
  outcome: z.string(),
  status: z.number().nullable(),
  error: textOrNull,
  latency_ms: z.number(),
});
const deliveryAnswer = z.object({
  id: z.string(),
  receiver: z.string(),
  state: z.string(),
  reason: z.string(),
  title: z.string(),
  created_at: z.string(),
  next_attempt_at: textOrNull,
  failures: z.number(),
  superseded_by: textOrNull,
  attempts: z.array(attemptAnswer),
});

const columns = (...titles: string[]) => titles.map((title) => ({ title }));

type SilenceFlags = RemoteFlags & {
  readonly for?: number;
  readonly from?: string;
  readonly until?: string;
  readonly comment: string;
};

export async function silenceAlerts(
  context: CommandContext,
  matchers: readonly string[],
  flags: SilenceFlags,
): Promise<number> {
  if (flags.for !== undefined && flags.until !== undefined)
    throw new AppError('request/invalid', 'Say how long with --for or when it ends with --until, not both.');
  const fromMs = flags.from === undefined ? Date.now() : Date.parse(flags.from);
  const until = flags.until ?? new Date(fromMs + (flags.for ?? 7_200) * 1_000).toISOString();
  return withApi(context, flags, async (api) => {
    const body = { matchers, until, comment: flags.comment, ...(flags.from === undefined ? {} : { from: flags.from }) };
    const document = await api.call(`${base}/silences`, { method: 'POST', body });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) {
      const silence = read(silenceAnswer, document);
      context.terminal.out(
        `Silence ${silence.id} holds back ${silence.matchers.join(' ')} until ${formatInstant(silence.until)}.`,
      );
    }
    return exitCodes.ok;
  });
}

export async function listSilences(
  context: CommandContext,
  flags: RemoteFlags & { readonly all?: boolean },
): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/silences`, { query: { state: flags.all ? 'all' : 'live', limit: 500 } });
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(silenceAnswer), document);
      if (items.length === 0) terminal.note('Nothing is silenced.');
      else
        terminal.out(
          formatTable(
            columns('silence', 'state', 'what', 'from', 'until', 'by', 'why'),
            items.map((one) => [
              one.id,
              one.state,
              one.matchers.join(' '),
              formatInstant(one.from),
              formatInstant(one.until),
              one.created_by,
              one.comment,
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

export async function endSilence(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/silences/${pathPart(id)}`, { method: 'DELETE' });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(`Silence ${id} is over.`);
    return exitCodes.ok;
  });
}

/** 4 while somebody who should be told takes nothing. */
export async function listReceivers(context: CommandContext, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/receivers`);
    const { items } = read(pageOf(receiverAnswer), document);
    if (flags.json) printJson(terminal, document);
    else if (items.length === 0)
      terminal.note('There are no receivers: nobody is told of anything. See docs/notifications.md.');
    else
      terminal.out(
        formatTable(
          columns('receiver', 'kind', 'from', 'where', 'state', 'last success', 'why'),
          items.map((one) => [
            one.id,
            one.kind,
            one.origin,
            one.place ?? '',
            coloured(terminal.colours, one.state),
            one.last_success_at === null ? 'never' : formatInstant(one.last_success_at),
            one.reason ?? '',
          ]),
        ),
      );
    return items.every(({ state }) => state === 'ok' || state === 'unknown') ? exitCodes.ok : exitCodes.checkFailed;
  });
}

/** 4 when it was not taken. */
export async function testReceiver(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/receivers/${pathPart(id)}/test`, { method: 'POST' });
    const tried = read(z.object({ delivered: z.boolean(), attempt: attemptAnswer.nullable() }), document);
    if (flags.json) printJson(terminal, document);
    else if (!tried.delivered)
      terminal.note(`${id} did not take it: ${tried.attempt?.error ?? 'no reason was given'}.`);
    else if (!flags.quiet)
      terminal.out(
        `${id} took it in ${tried.attempt?.latency_ms ?? 0} ms${tried.attempt?.error ? `, but ${tried.attempt.error}` : ''}.`,
      );
    return tried.delivered ? exitCodes.ok : exitCodes.checkFailed;
  });
}

type ReceiverFlags = RemoteFlags & { readonly file: string; readonly replace?: boolean };

/** A signing key that was made goes to standard output alone, so that it can be piped into a file. */
export async function addReceiver(context: CommandContext, id: string, flags: ReceiverFlags): Promise<number> {
  const { terminal } = context;
  const receiver = readDocument(flags.file);
  return withApi(context, flags, async (api) => {
    const document = flags.replace
      ? await api.call(`${base}/receivers/${pathPart(id)}`, { method: 'PUT', body: { receiver } })
      : await api.call(`${base}/receivers`, { method: 'POST', body: { id, receiver } });
    if (flags.json) printJson(terminal, document);
    else {
      const made = read(receiverAnswer.extend({ signing_key: textOrNull.optional() }), document);
      if (!flags.quiet) terminal.note(`Receiver ${made.id}. Try it: ragwarden alerts receivers test ${made.id}`);
      if (made.signing_key) {
        if (!flags.quiet) terminal.note('Its signing key, shown this once:');
        terminal.out(made.signing_key);
      }
    }
    return exitCodes.ok;
  });
}

function readDocument(file: string): unknown {
  let written = '';
  try {
    written = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AppError('request/unreadable', `${file} cannot be read.`, { cause });
  }
  try {
    return JSON.parse(written);
  } catch (cause) {
    throw new AppError('request/unreadable', `${file} holds no JSON.`, { cause });
  }
}

export async function removeReceiver(
  context: CommandContext,
  id: string,
  flags: RemoteFlags & YesFlag,
): Promise<number> {
  requireSomebodyOrYes(context, flags, 'A receiver goes with its secrets');
  return withApi(context, flags, async (api) => {
    if (!(await isConfirmed(context, flags, `The receiver ${id} goes with its secrets, and is told nothing more.`)))
      return exitCodes.failure;
    await api.call(`${base}/receivers/${pathPart(id)}`, { method: 'DELETE' });
    if (!flags.quiet && !flags.json) context.terminal.out(`Receiver ${id} is removed.`);
    return exitCodes.ok;
  });
}

type DeliveryFlags = RemoteFlags & { readonly state?: string; readonly receiver?: string; readonly limit?: number };

export async function listDeliveries(context: CommandContext, flags: DeliveryFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const { state, receiver, limit = 50 } = flags;
    const document = await api.call(`${base}/deliveries`, {
      query: { limit, ...(state === undefined ? {} : { state }), ...(receiver === undefined ? {} : { receiver }) },
    });
    if (flags.json) printJson(terminal, document);
    else {
      const { items } = read(pageOf(deliveryAnswer), document);
      if (items.length === 0) terminal.note('There are no such notifications.');
      else
        terminal.out(
          formatTable(
            columns('notification', 'decided', 'receiver', 'state', 'attempts', 'what', 'last answer'),
            items.map((one) => [
              one.id,
              formatInstant(one.created_at),
              one.receiver,
              coloured(terminal.colours, one.state),
              String(one.attempts.length),
              one.title,
              answerOf(one.attempts.at(-1)),
            ]),
          ),
        );
    }
    return exitCodes.ok;
  });
}

const answerOf = (attempt: z.infer<typeof attemptAnswer> | undefined): string =>
  attempt === undefined ? '' : (attempt.error ?? (attempt.status === null ? attempt.outcome : String(attempt.status)));

export async function showDelivery(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/deliveries/${pathPart(id)}`);
    if (flags.json) printJson(terminal, document);
    else {
      const one = read(deliveryAnswer, document);
      terminal.out(`${one.title}\nto ${one.receiver}, ${coloured(terminal.colours, one.state)} (${one.reason})`);
      if (one.superseded_by !== null) terminal.out(`${one.superseded_by} says all of it.`);
      if (one.next_attempt_at !== null) terminal.out(`tried next at ${formatInstant(one.next_attempt_at)}`);
      if (one.attempts.length > 0)
        terminal.out(
          `\n${formatTable(
            columns('attempt', 'outcome', 'answer', 'took'),
            one.attempts.map((attempt) => [
              formatInstant(attempt.at),
              coloured(terminal.colours, attempt.outcome),
              answerOf(attempt),
              `${attempt.latency_ms} ms`,
            ]),
          )}`,
        );
    }
    return exitCodes.ok;
  });
}

export async function retryDelivery(context: CommandContext, id: string, flags: RemoteFlags): Promise<number> {
  return withApi(context, flags, async (api) => {
    const document = await api.call(`${base}/deliveries/${pathPart(id)}/retry`, { method: 'POST' });
    if (flags.json) printJson(context.terminal, document);
    else if (!flags.quiet) context.terminal.out(`${id} is tried again.`);
    return exitCodes.ok;
  });
}
