import { systemClock } from '../platform/clock.ts';
import { type EventAnswer, eventAnswer, pageOf, read } from './answers.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatInstant } from './format.ts';
import { coloured } from './words.ts';

export type EventFlags = RemoteFlags & {
  readonly follow?: boolean;
  readonly type?: string;
  readonly severity?: string;
  readonly target?: string;
  readonly limit?: number;
};

const followEveryMs = 1_000;

/** The newest events, in the order in which they happened; with `--follow` also those to come, one JSON document a line. */
export async function showEvents(context: CommandContext, flags: EventFlags): Promise<number> {
  const { terminal } = context;
  return withApi(context, flags, async (api) => {
    const filter = { type: flags.type, severity: flags.severity, target_id: flags.target };
    const document = await api.call('/api/v1/events', { query: { ...filter, limit: flags.limit ?? 50 } });
    if (flags.json && !flags.follow) {
      printJson(terminal, document);
      return exitCodes.ok;
    }
    const newest = eventsOf(document).reverse();
    for (const event of newest) printEvent(context, event, flags.json === true);
    if (!flags.follow) {
      if (newest.length === 0) terminal.note('No event of this kind is on record.');
      return exitCodes.ok;
    }
    let after = newest.at(-1)?.shown.seq ?? (await newestSeq(api));
    for (;;) {
      await systemClock.sleep(followEveryMs, context.signal);
      const query = { ...filter, order: 'oldest', cursor: after, limit: 500 };
      for (const event of eventsOf(await api.call('/api/v1/events', { query }))) {
        printEvent(context, event, flags.json === true);
        after = event.shown.seq;
      }
    }
  });
}

type Listed = { readonly raw: unknown; readonly shown: EventAnswer };

function eventsOf(document: unknown): Listed[] {
  const raw = typeof document === 'object' && document !== null && 'items' in document ? document.items : [];
  return read(pageOf(eventAnswer), document).items.map((shown, index) => ({
    raw: Array.isArray(raw) ? raw[index] : shown,
    shown,
  }));
}

async function newestSeq(api: ApiClient): Promise<number> {
  const [newest] = eventsOf(await api.call('/api/v1/events', { query: { limit: 1 } }));
  return newest?.shown.seq ?? 0;
}

function printEvent({ terminal }: CommandContext, { raw, shown }: Listed, json: boolean): void {
  if (json) terminal.out(JSON.stringify(raw));
  else
    terminal.out(
      `${terminal.colours.dim(formatInstant(shown.at))}  ${coloured(terminal.colours, shown.severity.padEnd(8).trimEnd())}${' '.repeat(Math.max(0, 8 - shown.severity.length))}  ` +
        `${shown.type}  ${shown.message}`,
    );
}
