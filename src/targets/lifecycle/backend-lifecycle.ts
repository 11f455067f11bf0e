import type { Clock } from '../../platform/clock.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import type { Target } from '../target.ts';
import { findChange, fingerprintFolder } from './folder-fingerprint.ts';
import { findHolders } from './holders.ts';

/** One way to stop and start a backend. Both may be called when it is already so. */
export type LifecycleDriver = {
  /** For plans: what will be done, in words. */
  readonly describe: { readonly stop: string; readonly start: string };
  stop(signal: AbortSignal): Promise<void>;
  start(signal: AbortSignal): Promise<void>;
  /** False: an operator has to do it; we wait and watch. */
  readonly automatic: boolean;
  /** Where it can be seen that a started backend ended again: how it ended. Waiting longer would be in vain. */
  findEnd?(): string | undefined;
};

export type LifecycleProgress = (message: string) => void;

/**
 * Stops the backend of a target and proves that nobody holds its files; starts it and waits until it is healthy.
 * The proof: no answer on any endpoint, no open file below the folders where `/proc` shows it, folders unchanged for 2 s.
 */
export type BackendLifecycle = {
  readonly automatic: boolean;
  readonly describe: { readonly stop: string; readonly start: string };
  /** @throws `target/lifecycle-failed`, `target/in-use` naming who still holds the files */
  stop(signal: AbortSignal, progress?: LifecycleProgress): Promise<void>;
  /** @throws `target/lifecycle-failed` when it is not healthy in time */
  start(signal: AbortSignal, progress?: LifecycleProgress): Promise<void>;
  /** Undefined while it is gone; else how the backend shows that it is back. Cheap: asked before every move. */
  findSignOfLife(): Promise<string | undefined>;
  /** From a stop that was asked for here to the end of the start that follows: being gone is then as it should be. */
  isExpectedDown(): boolean;
  /** The work that needed it stopped is over, and nobody starts it from here: being gone counts again. */
  expectUp(): void;
};

const pollMs = 250;
/** How long nothing below the folders may change before they count as let go. */
export const quietMs = 2_000;

export function createBackendLifecycle(options: {
  target: Target;
  driver: LifecycleDriver | undefined;
  answers(signal?: AbortSignal): Promise<boolean>;
  healthy(signal?: AbortSignal): Promise<boolean>;
  clock: Clock;
  log: Logger;
  /** Processes of ours that may touch the folders. */
  ownPids(): ReadonlySet<number>;
}): BackendLifecycle {
  const { target, clock, log } = options;
  const driver = options.driver ?? operatorDriver(target);
  const folders = target.stores.map((store) => store.path);

  const describeHolders = async (signal: AbortSignal): Promise<string | undefined> => {
    if (await options.answers(signal))
      return `it still answers at ${target.endpoints.map((one) => one.url).join(', ')}`;
    const [holder] = (await findHolders(folders, options.ownPids())) ?? [];
    return holder === undefined ? undefined : `process ${holder.pid} (${holder.program}) holds ${holder.path}`;
  };

  const waitUntilNobodyHolds = async (signal: AbortSignal, progress?: LifecycleProgress): Promise<void> => {
    const deadline = clock.monotonic() + target.stopTimeoutMs;
    let said = '';
    for (;;) {
      signal.throwIfAborted();
      let held = await describeHolders(signal);
      if (held === undefined) {
        const before = await Promise.all(folders.map(fingerprintFolder));
        await clock.sleep(quietMs, signal);
        const after = await Promise.all(folders.map(fingerprintFolder));
        held = await describeHolders(signal);
        const changed = before.map((one, i) => findChange(one, after[i])).find((path) => path !== undefined);
        if (held === undefined && changed !== undefined) held = `somebody still writes in ${changed}`;
        // An answer that was cut short by a cancellation is no proof.
        signal.throwIfAborted();
        if (held === undefined) return;
      }
      if (held !== said) {
        said = held;
        progress?.(`waiting: ${held}`);
      }
      if (clock.monotonic() > deadline)
        throw new AppError(
          'target/in-use',
          `The backend of ${target.id} did not let go of its files: ${held}. Stop it and try again.`,
        );
      await clock.sleep(pollMs, signal);
    }
  };

  let expectedDown = false;
  return {
    automatic: driver.automatic,
    describe: driver.describe,
    isExpectedDown: () => expectedDown,
    expectUp() {
      expectedDown = false;
    },
    async stop(signal, progress) {
      expectedDown = true;
      progress?.(driver.describe.stop);
      try {
        await driver.stop(signal);
      } catch (err) {
        signal.throwIfAborted();
        throw new AppError(
          'target/lifecycle-failed',
          `The backend of ${target.id} could not be stopped: ${describeError(err)}`,
          { cause: err },
        );
      }
      await waitUntilNobodyHolds(signal, progress);
      log.info({ target: target.id }, 'the backend is stopped and nobody holds its files');
    },
    async start(signal, progress) {
      // Until it answers, being gone is as it should be; afterwards, and when it never does, it is not.
      expectedDown = true;
      try {
        progress?.(driver.describe.start);
        try {
          await driver.start(signal);
        } catch (err) {
          signal.throwIfAborted();
          throw new AppError(
            'target/lifecycle-failed',
            `The backend of ${target.id} could not be started: ${describeError(err)}`,
            { cause: err },
          );
        }
        const deadline = clock.monotonic() + target.startTimeoutMs;
        while (!(await options.healthy(signal))) {
          signal.throwIfAborted();
          const end = driver.findEnd?.();
          if (end !== undefined)
            throw new AppError(
              'target/lifecycle-failed',
              `The backend of ${target.id} ended right after its start: ${end}`,
            );
          if (clock.monotonic() > deadline)
            throw new AppError(
              'target/lifecycle-failed',
              `The backend of ${target.id} is not healthy ${Math.round(target.startTimeoutMs / 1000)} s after its start. Look at its log.`,
            );
          await clock.sleep(pollMs, signal);
        }
        log.info({ target: target.id }, 'the backend is started and healthy');
      } finally {
        expectedDown = false;
      }
    },
    async findSignOfLife() {
      return (await options.answers()) ? `it answers at ${target.endpoints[0]?.url ?? 'its endpoint'}` : undefined;
    },
  };
}

/** A target that is files alone, which programs only work on now and then: there is nobody to stop, and the wait for them is all. */
export const nothingToStop: LifecycleDriver = {
  automatic: true,
  describe: {
    stop: 'wait until no index run works on the project (nothing answers for it that would have to be stopped)',
    start: 'start nothing: nothing answers for the project',
  },
  stop: async () => {},
  start: async () => {},
};

/** Nothing was configured: the operator stops and starts the backend, we wait and watch. */
function operatorDriver(target: Target): LifecycleDriver {
  return {
    automatic: false,
    describe: {
      stop: `wait until you have stopped the backend of ${target.id} (at most ${Math.round(target.stopTimeoutMs / 1000)} s; no target.lifecycle is configured)`,
      start: `wait until you have started the backend of ${target.id} again`,
    },
    stop: async () => {},
    start: async () => {},
  };
}
