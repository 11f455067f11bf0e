import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Lease, Leases } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import { createTrouble } from '../platform/trouble.ts';
import { isFinal, type Operation } from './operation.ts';
import { writeHeartbeat } from './operation-store.ts';
import { advanceMeter, emptyProgress, type Meter, type ProgressUpdate, startMeter } from './progress.ts';

/** What a piece of long work gets to know and may tell while it runs. */
export type OperationContext = {
  readonly id: string;
  /** The life of the process that runs it; see `checkHeld`. */
  readonly epoch: number;
  /** Aborts with `operation/cancelled`, `internal/stopping` or `operation/lease-lost`. The work then ends soon, tidily. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Begins a phase; counts start again. Resolves once it is on disk, for those whose recovery depends on it. */
  phase(name: string): Promise<void>;
  /** Told as often as one likes; written once a second, shown live. */
  progress(update: ProgressUpdate): void;
  /** The end will be `partial` instead of `succeeded`; the result says what is missing. */
  markPartial(): void;
  /**
   * Asked immediately before an effect outside the database.
   * @throws AppError `operation/lease-lost` when somebody else took the work over
   */
  checkHeld(): Promise<void>;
};

export type RunningOptions = {
  operation: Operation;
  /** The target's lease and this process's own: lost, the work ends. */
  leases: Leases;
  held: readonly Lease[];
  db: Database;
  clock: Clock;
  log: Logger;
  heartbeatMs: number;
};

/** Live views are told this often at most; what comes between is seen with the next one. */
const leastViewMs = 100;
const writeMs = 1_000;

/** One operation under way in this process: its context, its sign of life, and those who watch it. */
export class RunningOperation {
  readonly abort = new AbortController();
  readonly context: OperationContext;
  partial = false;
  readonly #options: RunningOptions;
  readonly #quiet = new AbortController();
  readonly #watchers = new Set<() => void>();
  #current: Operation;
  #meter: Meter;
  #dirty = false;
  #writtenAtMs: number;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #revision = 0;

  constructor(options: RunningOptions) {
    const { operation, clock, log, leases, held } = options;
    this.#options = options;
    this.#current = operation;
    this.#meter = startMeter(clock.monotonic());
    this.#writtenAtMs = clock.monotonic();
    this.context = {
      id: operation.id,
      epoch: operation.epoch,
      signal: this.abort.signal,
      log: log.child({ operation: operation.id, kind: operation.kind }),
      phase: (name) => {
        const written = this.#phase(name);
        // Those who do not wait for it hear of a refusing disk at the end of the operation.
        written.catch(() => undefined);
        return written;
      },
      progress: (update) => this.#progress(update),
      markPartial: () => {
        this.partial = true;
      },
      async checkHeld() {
        for (const lease of held)
          await leases.check(lease).catch(async (err: unknown) => {
            // After a long pause of the whole process a lease may have expired without being taken: it is ours still.
            if (!(await leases.renew(lease))) throw err;
          });
      },
    };
  }

  get current(): Operation {
    return this.#current;
  }
  /** Grows with every change that a watcher may show. */
  get revision(): number {
    return this.#revision;
  }

  /** Runs until `finish`: writes what was told, gives the sign of life, renews what is held, hears of cancellation. */
  async keepAlive(): Promise<void> {
    const { clock, heartbeatMs, log } = this.#options;
    const fields = { operation: this.#current.id };
    const trouble = createTrouble({ clock, log, fields, what: 'the sign of life of an operation' });
    while (!this.#quiet.signal.aborted) {
      try {
        await clock.sleep(Math.min(writeMs, heartbeatMs), this.#quiet.signal);
      } catch {
        return;
      }
      const silentMs = clock.monotonic() - this.#writtenAtMs;
      if (!this.#dirty && silentMs < heartbeatMs) continue;
      try {
        await this.#beat();
        trouble.ended();
      } catch (err) {
        // The next beat is the retry. The leases outlive several missed ones.
        trouble.failed(err);
      }
    }
  }

  /** Shows the new state to the watchers; a final one ends the heartbeat. */
  show(changed: Operation): void {
    this.#current = changed;
    this.#announce();
    if (isFinal(changed)) this.#quiet.abort();
  }

  /** Ends the heartbeat of an operation whose end could not be written. */
  silence(): void {
    this.#quiet.abort();
    this.#announce();
  }

  /** Resolves when the revision is beyond `seen`, when the heartbeat has ended, or when the signal aborts. */
  changed(seen: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#revision > seen || this.#quiet.signal.aborted || signal.aborted) {
        resolve();
        return;
      }
      const wake = (): void => {
        this.#watchers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  get ended(): boolean {
    return this.#quiet.signal.aborted;
  }

  async #phase(name: string): Promise<void> {
    this.#meter = startMeter(this.#options.clock.monotonic());
    this.#current = { ...this.#current, phase: name, progress: emptyProgress };
    this.#announce();
    await this.#write();
  }

  #progress(update: ProgressUpdate): void {
    const nowMs = this.#options.clock.monotonic();
    this.#meter = advanceMeter(this.#meter, update, nowMs);
    this.#current = { ...this.#current, progress: this.#meter.progress };
    this.#dirty = true;
    if (nowMs - this.#shownAtMs >= leastViewMs) this.#announce();
  }

  #announce(): void {
    this.#shownAtMs = this.#options.clock.monotonic();
    this.#revision += 1;
    for (const wake of [...this.#watchers]) wake();
  }

  async #beat(): Promise<void> {
    // Without a new count the speed of a stalled phase fades.
    this.#progress({});
    this.#announce();
    await this.#write();
  }

  async #write(): Promise<void> {
    const { db, clock, leases, held, operation } = this.#options;
    this.#dirty = false;
    const { phase, progress } = this.#current;
    const written = await db.unit(async (tx) => {
      // The row first: once the operation has ended, its lease must not come back to life.
      const beat = await writeHeartbeat(tx, operation, { phase, progress, nowMs: clock.now() });
      for (const lease of beat ? held : []) if (!(await leases.renew(lease, tx))) return undefined;
      return beat;
    });
    this.#writtenAtMs = clock.monotonic();
    if (!written) this.#lost();
    else if (written.cancelRequestedMs !== null) this.requestCancel(written.cancelRequestedMs);
  }

  requestCancel(atMs: number): void {
    if (this.#current.cancelRequestedMs === null) {
      this.#current = { ...this.#current, cancelRequestedMs: atMs };
      this.#announce();
    }
    this.abort.abort(new AppError('operation/cancelled', 'The operation was cancelled.'));
  }

  #lost(): void {
    if (isFinal(this.#current)) return;
    this.abort.abort(new AppError('operation/lease-lost', 'Another instance took this work over.'));
  }
}
