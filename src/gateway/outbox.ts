import type { Observation } from './observation.ts';

/**
 * Observations on their way out: given away in batches, and only as many as the other side has taken over. While it takes
 * none they wait here, up to a bound; what comes then is dropped and counted. Nothing of it ever holds up an exchange.
 */
export type Outbox = {
  put(observation: Observation): void;
  /** The other side has this batch. */
  taken(batch: number): void;
  /** Gives away what there is, as far as it may. */
  flush(): void;
  status(): { readonly buffered: number; readonly dropped: number };
  stop(): void;
};

const mostInBatch = 250;
const everyMs = 100;
/** Batches that were given away and not taken over. */
const mostUntaken = 4;

export function createOutbox(options: {
  send(batch: number, items: readonly Observation[]): void;
  /** Observations that may wait. */
  mostBuffered?: number;
}): Outbox {
  const mostBuffered = options.mostBuffered ?? 10_000;
  let waiting: Observation[] = [];
  let dropped = 0;
  let given = 0;
  let untaken = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    while (waiting.length > 0 && untaken < mostUntaken) {
      const items = waiting.slice(0, mostInBatch);
      waiting = waiting.slice(mostInBatch);
      given += 1;
      untaken += 1;
      options.send(given, items);
    }
  };

  return {
    put(observation) {
      if (waiting.length >= mostBuffered) {
        dropped += 1;
        return;
      }
      waiting.push(observation);
      if (waiting.length === mostInBatch) flush();
      else timer ??= setTimeout(flush, everyMs);
    },
    taken() {
      untaken -= 1;
      if (waiting.length >= mostInBatch) flush();
      else if (waiting.length > 0) timer ??= setTimeout(flush, everyMs);
    },
    flush,
    status: () => ({ buffered: waiting.length, dropped }),
    stop() {
      clearTimeout(timer);
    },
  };
}
