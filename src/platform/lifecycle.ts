import { AppError, describeError } from './errors.ts';
import type { Logger } from './logging.ts';

/** Something with a life. `stop` may be called twice or before `start`, and resolves when nothing of the part still runs. */
export type Part = {
  readonly name: string;
  start?(signal: AbortSignal): Promise<void> | void;
  stop?(): Promise<void> | void;
};

export type Lifecycle = {
  /** Adds a part; parts start in the order in which they were added and stop in reverse. */
  add(part: Part): void;
  /** Adds a part and starts it at once, for roots that build and start step by step. A failure stops everything begun. */
  begin(part: Part): Promise<void>;
  start(): Promise<void>;
  /** Stops every started part, each bounded by `partTimeoutMs`; one that fails or hangs is logged and skips none. */
  stop(reason: string): Promise<void>;
  readonly signal: AbortSignal;
};

export function createLifecycle(log: Logger, options: { partTimeoutMs?: number } = {}): Lifecycle {
  const partTimeoutMs = options.partTimeoutMs ?? 8_000;
  const parts: Part[] = [];
  const begun: Part[] = [];
  const abort = new AbortController();
  let starting: Promise<unknown> | undefined;
  let stopping: Promise<void> | undefined;

  const stopAll = async (reason: string): Promise<void> => {
    abort.abort(new AppError('internal/stopping', `ragwarden is stopping (${reason}).`));
    // A part that is just starting is stopped when it has started, or what it opens afterwards would stay open.
    await withTimeout(Promise.resolve(starting), partTimeoutMs).catch(() => undefined);
    for (const part of begun.reverse()) {
      const startedAt = performance.now();
      try {
        await withTimeout((async () => part.stop?.())(), partTimeoutMs);
        log.debug({ part: part.name, ms: Math.round(performance.now() - startedAt) }, 'part stopped');
      } catch (err) {
        log.error({ part: part.name, err }, 'part did not stop cleanly');
      }
    }
    begun.length = 0;
  };

  const begin = async (part: Part): Promise<void> => {
    if (abort.signal.aborted) throw abort.signal.reason;
    begun.push(part);
    try {
      const start = (async () => part.start?.(abort.signal))();
      starting = start;
      await start;
    } catch (err) {
      log.debug({ part: part.name }, `start failed: ${describeError(err)}`);
      stopping ??= stopAll(`${part.name} failed to start`);
      await stopping;
      throw err;
    }
    // Told to stop meanwhile: whoever starts the parts has nothing to announce.
    if (abort.signal.aborted) throw abort.signal.reason;
  };

  return {
    signal: abort.signal,
    add(part) {
      parts.push(part);
    },
    begin,
    async start() {
      for (const part of parts.splice(0)) await begin(part);
    },
    stop(reason) {
      stopping ??= stopAll(reason);
      return stopping;
    },
  };
}

async function withTimeout(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${ms} ms`)), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
