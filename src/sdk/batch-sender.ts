import { RagwardenError } from './ragwarden-error.ts';

export type BatchSender<Item> = {
  /** Takes one item to be sent with others. Returns at once and never throws. */
  add(item: Item): void;
  /** Sends what waits. Rejects when ragwarden cannot take it now; the items wait on. */
  flush(): Promise<void>;
  /** Items that are lost: too many waited, or ragwarden refused them. */
  readonly dropped: number;
};

const mostWaiting = 10_000;
const sentAtOnce = 1_000;
const sendAfterMs = 1_000;
const longestWaitMs = 60_000;

/**
 * Sends items together, a second after the first of them. While ragwarden does not answer they wait, and it is asked ever more
 * rarely. Its timer does not keep a program alive: what still waits when that ends is lost unless it calls `flush`.
 * @param send how many of them were not taken
 */
export function createBatchSender<Item>(send: (items: readonly Item[]) => Promise<number>): BatchSender<Item> {
  let waiting: Item[] = [];
  let dropped = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sending: Promise<void> | undefined;
  let waitMs = sendAfterMs;

  const sendAll = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length > 0) {
      const items = waiting.slice(0, sentAtOnce);
      try {
        dropped += await send(items);
      } catch (err) {
        if (!isRefusal(err)) throw err;
        // The same items would be refused for ever.
        dropped += items.length;
      }
      waiting = waiting.slice(items.length);
      waitMs = sendAfterMs;
    }
  };

  const flush = (): Promise<void> => {
    sending ??= sendAll().finally(() => {
      sending = undefined;
    });
    return sending;
  };

  const later = (): void => {
    if (timer !== undefined || sending !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      flush().then(
        () => (waiting.length > 0 ? later() : undefined),
        () => {
          waitMs = Math.min(2 * waitMs, longestWaitMs);
          later();
        },
      );
    }, waitMs);
    timer.unref?.();
  };

  return {
    add(item) {
      if (waiting.length >= mostWaiting) {
        dropped += 1;
        return;
      }
      waiting.push(item);
      later();
    },
    async flush() {
      // What came while an earlier one was under way is sent too.
      await sending?.catch(() => undefined);
      await flush();
    },
    get dropped() {
      return dropped;
    },
  };
}

/** Answered, and neither busy nor broken for now. */
const isRefusal = (err: unknown): boolean =>
  err instanceof RagwardenError && err.status !== undefined && err.status < 500 && ![408, 429].includes(err.status);
