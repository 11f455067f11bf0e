import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../platform/clock.ts';
import { describeError, isAppError } from '../platform/errors.ts';
import type { ApiClient } from './api-client.ts';
import { type CommandContext, type RemoteFlags, withApi } from './cli.ts';
import { ServerRefusal } from './exit-code.ts';
import { createScreen } from './screen.ts';
import type { Colours } from './terminal.ts';

/** What a view shows at one moment. */
export type Picture = {
  /** As the API returned it; a line with `--json`. */
  readonly document: unknown;
  /** What must differ for it to count as a change: the document without what differs each time. */
  readonly essence: unknown;
  render(colours: Colours): string;
};

const refreshMs = 2_000;
/** Several events of one moment are one change. */
const gatherMs = 150;

/**
 * Shows a view again whenever it changes: on a terminal in place, in a pipe one block after the other, with `--json` one
 * document a line. Looks when an event happens and otherwise every two seconds.
 * @returns never; ends with the signal's reason, or with what the server says when it refuses for good
 */
export async function watch(
  context: CommandContext,
  flags: RemoteFlags,
  look: (api: ApiClient) => Promise<Picture>,
): Promise<never> {
  const { terminal, signal } = context;
  const screen = !flags.json && terminal.fullScreen ? createScreen(terminal) : undefined;
  let shown: unknown;
  try {
    return await keepConnected(context, flags, {
      lost: (why) => (screen ? screen.say(why) : terminal.note(why)),
      async whileConnected(api) {
        const events = listen(api, signal);
        try {
          for (;;) {
            const picture = await look(api);
            if (screen) screen.draw(picture.render(terminal.colours));
            else if (!isDeepStrictEqual(picture.essence, shown)) {
              if (flags.json) terminal.stdout.write(`${JSON.stringify(picture.document)}\n`);
              else terminal.out(`${shown === undefined ? '' : '\n'}${picture.render(terminal.colours)}`);
              shown = picture.essence;
            }
            await events.next(refreshMs);
          }
        } finally {
          events.stop();
        }
      },
    });
  } finally {
    screen?.leave();
  }
}

const firstPauseMs = 500;
const longestPauseMs = 5_000;

/**
 * Works with a connection, and with the next one when it was lost: the server may be started again, on another port and
 * with another local token. What fails before there ever was a connection is thrown as it is.
 */
export async function keepConnected(
  context: CommandContext,
  flags: RemoteFlags,
  work: { lost(why: string): void; whileConnected(api: ApiClient): Promise<never> },
): Promise<never> {
  const { signal } = context;
  let address: string | undefined;
  let pauseMs = firstPauseMs;
  let refused = 0;
  for (;;) {
    try {
      await withApi(context, flags, async (api) => {
        const told = async (...args: Parameters<ApiClient['call']>): Promise<unknown> => {
          const answer = await api.call(...args);
          address = api.api;
          pauseMs = firstPauseMs;
          refused = 0;
          return answer;
        };
        return work.whileConnected({ ...api, call: told });
      });
    } catch (err) {
      signal.throwIfAborted();
      // A server that was started again has a new local token, which the next attempt reads.
      if (isUnauthenticated(err)) refused += 1;
      if (address === undefined || refused > 3 || !isLoss(err)) throw err;
      if (pauseMs === firstPauseMs) work.lost(`lost ${address}: ${whyLost(err)} Reconnecting.`);
    }
    await systemClock.sleep(pauseMs, signal);
    pauseMs = Math.min(2 * pauseMs, longestPauseMs);
  }
}

const isUnauthenticated = (err: unknown): boolean =>
  (isAppError(err) || err instanceof ServerRefusal) && err.code === 'access/unauthenticated';

function isLoss(err: unknown): boolean {
  if (isUnauthenticated(err)) return true;
  if (isAppError(err)) return err.code === 'server/unreachable';
  return err instanceof ServerRefusal && err.status >= 500;
}

const whyLost = (err: unknown): string => (err instanceof ServerRefusal ? err.detail : describeError(err));

type Listening = {
  /** Resolves after an event or the time, whichever is first. @throws the signal's reason */
  next(ms: number): Promise<void>;
  stop(): void;
};

/** Events wake; where they are switched off or cannot be read there is the time alone. */
function listen(api: ApiClient, signal: AbortSignal): Listening {
  const stop = new AbortController();
  let happened = false;
  let wake = (): void => undefined;
  void (async () => {
    for await (const _ of api.events(AbortSignal.any([signal, stop.signal]))) {
      happened = true;
      wake();
    }
  })().catch(() => undefined);
  return {
    async next(ms) {
      const waiting = new AbortController();
      wake = () => waiting.abort();
      if (!happened)
        await systemClock.sleep(ms, AbortSignal.any([signal, waiting.signal])).catch(() => signal.throwIfAborted());
      if (happened) await systemClock.sleep(gatherMs, signal);
      happened = false;
    },
    stop: () => stop.abort(),
  };
}
