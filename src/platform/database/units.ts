import { AsyncLocalStorage } from 'node:async_hooks';
import type { Kysely } from 'kysely';
import { currentCorrelation, withCorrelation } from '../correlation.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../logging.ts';
import type { Tx } from './database.ts';

/** Greatest number of units and greatest time that one commit gathers. */
const groupUnits = 256;
const groupMs = 20;

type Waiting = {
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (err: unknown) => void;
};

/** What one commit gathers, as the engine that carries it out sees it. */
export type Group = {
  /** The next unit that belongs into this commit; undefined when it is time to commit. */
  next(): Unit | undefined;
  /** Something was run and waits for the commit. */
  readonly pending: boolean;
  /** The commit stands: its hooks run in order, then its units resolve. */
  committed(): void;
  /** The commit does not stand, nor does anything of it. */
  failed(err: unknown): void;
  /** Also those that still wait are refused, so that each of them need not find out for itself. */
  refuseAll(err: unknown): void;
};

export type Unit = {
  /** Runs the work on this writer. Its result is kept for `accept`. */
  run(writer: Kysely<unknown>): Promise<void>;
  /** What it wrote stays in the group. */
  accept(): void;
  reject(err: unknown): void;
};

/**
 * The queue of units in front of one writer: one unit at a time, several in one commit. How a commit is made is the engine's:
 * `runGroup` takes units until `next` answers undefined, and ends the group.
 */
export function createUnits(options: { name: string; log: Logger; runGroup(group: Group): Promise<void> }): {
  unit<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /** Lets those finish that wait, and refuses later ones. */
  close(): Promise<void>;
} {
  const { name, log } = options;
  const queue: Waiting[] = [];
  const insideUnit = new AsyncLocalStorage<{ open: boolean }>();
  let pumping: Promise<void> | undefined;
  let closed = false;

  const createGroup = (): Group => {
    // Counted from the first unit: waiting for the lock is no reason to close an empty group.
    let startedAt: number | undefined;
    const accepted: { waiting: Waiting; result: unknown }[] = [];
    const hooks: (() => void)[] = [];
    return {
      get pending() {
        return accepted.length > 0;
      },
      next() {
        startedAt ??= performance.now();
        if (accepted.length >= groupUnits || performance.now() - startedAt > groupMs) return undefined;
        const waiting = queue.shift();
        return waiting && createUnit(waiting, accepted, hooks);
      },
      committed() {
        for (const hook of hooks) {
          try {
            hook();
          } catch (err) {
            log.error({ err, database: name }, 'an after-commit hook failed');
          }
        }
        for (const { waiting, result } of accepted) waiting.resolve(result);
      },
      failed(err) {
        for (const { waiting } of accepted) waiting.reject(err);
      },
      refuseAll(err) {
        for (const { waiting } of accepted) waiting.reject(err);
        for (const waiting of queue.splice(0)) waiting.reject(err);
      },
    };
  };

  const createUnit = (
    waiting: Waiting,
    accepted: { waiting: Waiting; result: unknown }[],
    hooks: (() => void)[],
  ): Unit => {
    let own: (() => void)[] = [];
    let result: unknown;
    return {
      async run(writer) {
        own = [];
        const scope = { open: true };
        const tx: Tx = {
          as<Tables>() {
            if (!scope.open) throw new Error('a unit of work was used after its end');
            // The store that asks declares its own slice's tables; nothing here could check them.
            return writer as unknown as Kysely<Tables>;
          },
          afterCommit: (then) => own.push(then),
        };
        result = await insideUnit
          .run(scope, async () => waiting.work(tx))
          .finally(() => {
            scope.open = false;
          });
      },
      accept() {
        hooks.push(...own);
        accepted.push({ waiting, result });
      },
      reject: (err) => waiting.reject(err),
    };
  };

  const pump = async (): Promise<void> => {
    while (queue.length > 0) await options.runGroup(createGroup());
    pumping = undefined;
  };

  return {
    unit<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
      if (insideUnit.getStore()?.open)
        return Promise.reject(new Error('a unit of work was started inside another one'));
      if (closed) return Promise.reject(new AppError('internal/stopping', 'ragwarden is stopping.'));
      return new Promise<Result>((resolve, reject) => {
        // Each waiting unit resolves with what its own `work` returned.
        // Run later, by whoever empties the queue, and yet part of what this call belongs to.
        const correlation = currentCorrelation();
        queue.push({
          work: (tx) => withCorrelation(correlation, () => work(tx)),
          resolve: (value) => resolve(value as Result),
          reject,
        });
        pumping ??= Promise.resolve().then(pump);
      });
    },
    async close() {
      closed = true;
      await pumping;
    },
  };
}
