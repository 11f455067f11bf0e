import { systemClock } from '../platform/clock.ts';
import { type EventAnswer, eventAnswer, pageOf, read } from './answers.ts';
import type { ApiCall, ApiClient } from './api-client.ts';
import { type CommandContext, printJson, type RemoteFlags, withApi } from './cli.ts';
import { exitCodes } from './exit-code.ts';
import { formatInstant } from './format.ts';
import type { Colours } from './terminal.ts';
import { keepConnected, watch } from './watch.ts';
import { coloured } from './words.ts';

export type EventFilterFlags = RemoteFlags & {
  readonly type?: string;
  readonly kind?: string;
  readonly severity?: string;
  readonly target?: string;
  readonly graph?: string;
  readonly user?: string;
  readonly correlation?: string;
};

export type EventFlags = EventFilterFlags & {
  readonly follow?: boolean;
  readonly watch?: boolean;
  readonly limit?: number;
};

const followEveryMs = 1_000;

/**
 * The newest events, in the order in which they happened; with `--follow` also those to come, one JSON document a line.
 * `--watch` is the same, but on a terminal, where the newest are shown in place.
 */
export async function showEvents(context: CommandContext, flags: EventFlags): Promise<number> {
  const { terminal } = context;
  const newest = (api: ApiClient): Promise<unknown> =>
    api.call('/api/v1/events', { query: { ...filterOf(flags), limit: flags.limit ?? 50 } });
  if (flags.watch && terminal.fullScreen && !flags.json)
    return watch(context, flags, async (api) => {
      const document = await newest(api);
      const rows = Math.max(1, (terminal.stdout.rows ?? 24) - 2);
      const events = eventsOf(document).slice(0, rows).reverse();
      return {
        document,
        essence: document,
        render: (colours) =>
          events.length === 0 ? noEvent : events.map(({ shown }) => describeEvent(shown, colours)).join('\n'),
      };
    });
  if (flags.follow || flags.watch) return followEvents(context, flags, newest);
  return withApi(context, flags, async (api) => {
    const document = await newest(api);
    if (flags.json) printJson(terminal, document);
    else {
      const events = eventsOf(document).reverse();
      for (const event of events) printEvent(context, event, false);
      if (events.length === 0) terminal.note(noEvent);
    }
    return exitCodes.ok;
  });
}

const noEvent = 'No event of this kind is on record.';

export const filterOf = ({ type, kind, severity, target, graph, user, correlation }: EventFilterFlags) => ({
  ...{ type, kind, severity },
  target_id: target,
  graph_id: graph,
  actor: user,
  correlation_id: correlation,
});

/** Goes on where it was when the server was away meanwhile. */
async function followEvents(
  context: CommandContext,
  flags: EventFlags,
  newest: (api: ApiClient) => Promise<unknown>,
): Promise<never> {
  const json = flags.json === true;
  let after: number | undefined;
  return keepConnected(context, flags, {
    lost: (why) => context.terminal.note(why),
    async whileConnected(api) {
      if (after === undefined) {
        const events = eventsOf(await newest(api)).reverse();
        for (const event of events) printEvent(context, event, json);
        after = events.at(-1)?.shown.seq ?? (await newestSeq(api));
      }
      for (;;) {
        const query: ApiCall['query'] = { ...filterOf(flags), order: 'oldest', cursor: after, limit: 500 };
        for (const event of eventsOf(await api.call('/api/v1/events', { query }))) {
          printEvent(context, event, json);
          after = event.shown.seq;
        }
        await systemClock.sleep(followEveryMs, context.signal);
      }
    },
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
  if (json) terminal.stdout.write(`${JSON.stringify(raw)}\n`);
  else terminal.out(describeEvent(shown, terminal.colours));
}

const describeEvent = (event: EventAnswer, colours: Colours): string =>
  `${colours.dim(formatInstant(event.at))}  ${coloured(colours, event.severity)}${' '.repeat(Math.max(0, 8 - event.severity.length))}  ` +
  `${event.type}  ${event.message}`;
