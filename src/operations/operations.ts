import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import { currentCorrelation, withCorrelation } from '../platform/correlation.ts';
import { createUnchanged, type Database, type Tx } from '../platform/database/index.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { createLeases, type Lease } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import { createTrouble } from '../platform/trouble.ts';
import {
  decideFailedState,
  endSentence,
  type FinalState,
  isFinal,
  type Operation,
  type OperationError,
  type OperationState,
  operationError,
  severityOfState,
} from './operation.ts';
import {
  findByIdempotencyKey,
  findExclusive,
  findOperation,
  insertIdempotencyKey,
  insertOperation,
  type OperationFilter,
  type OperationTables,
  selectLastEnds,
  selectOperations,
  writeCancelRequest,
  writeEnd,
} from './operation-store.ts';
import { emptyProgress } from './progress.ts';
import { type OperationContext, RunningOperation } from './running.ts';
import { type Settlers, settleHalfDone } from './settling.ts';

/** The second request with the same key, from the same caller to the same route, gets the first one's operation. */
export type Idempotency = {
  readonly key: string;
  /** Method and path. */
  readonly route: string;
  /** Of the whole request: another request under the same key is refused. */
  readonly requestHash: string;
};

export type StartOptions<Input, Result> = {
  /** `area.verb`, such as `backup.create`. */
  readonly kind: string;
  readonly targetId?: string | undefined;
  /** Stored as JSON for the kind's settler. Never holds a secret. */
  readonly input: Input;
  /** Subject of the principal, or `ragwarden`. */
  readonly requestedBy: string;
  /** True by default when there is a target: alone on it among exclusive operations. */
  readonly exclusive?: boolean;
  readonly idempotency?: Idempotency | undefined;
  /** What it returns is stored as JSON and told to clients. */
  run(context: OperationContext): Promise<Result>;
  /** Runs in the transaction that writes the final state, so that what it records stands exactly when that does. */
  concluded?(tx: Tx, operation: Operation): Promise<void>;
};

export type Operations = {
  /**
   * Resolves when the operation is on disk; its work goes on by itself.
   * @throws AppError `operation/busy` naming the operation that holds the target; `request/idempotency-conflict`;
   * `internal/stopping`
   */
  start<Input, Result>(options: StartOptions<Input, Result>): Promise<Operation>;
  find(id: string): Promise<Operation | undefined>;
  /**
   * What the first request with this key began, for kinds of work that look at the state of things before they start.
   * @throws AppError `request/idempotency-conflict`
   */
  findRepeated(
    request: Pick<StartOptions<unknown, unknown>, 'requestedBy' | 'idempotency'>,
  ): Promise<Operation | undefined>;
  /** @throws AppError `operation/unknown` */
  require(id: string): Promise<Operation>;
  list(filter: OperationFilter & { limit: number }): Promise<Operation[]>;
  /** When one of each kind last ended in each way, of those that are still kept. */
  lastEnds(): Promise<readonly { readonly kind: string; readonly state: OperationState; readonly atMs: number }[]>;
  /** Resolves with the ended operation, or with what it is at the timeout or abort. Without a timeout waits for the end. */
  wait(id: string, options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<Operation>;
  /** The present state, then each change, until the end. A slow consumer skips what was overtaken. */
  watch(id: string, signal: AbortSignal): AsyncGenerator<Operation, void>;
  /**
   * Asks a running operation to end; it does so in its own time. Asking twice is asking once. `requestedBy` goes to the
   * audit trail.
   * @throws AppError `operation/unknown`, `conflict/state` when it has ended
   */
  cancel(id: string, by?: { requestedBy: string }): Promise<Operation>;
  /** Deals with what earlier lives of this process left half-done. Called at start, before anything is served. */
  settle(options: { settlers: Settlers }): Promise<readonly Operation[]>;
  /** Of this process's life; grows with each start of the instance. */
  epoch(): Promise<number>;
  /** Tells all work to end with `internal/stopping` and waits for it. Nothing starts afterwards. */
  stop(): Promise<void>;
};

/** How long a repeated request finds its first operation. */
export const idempotencyMs = 24 * 3_600_000;

/**
 * Long work: a row first, then the work, then its end. See `operation.ts` for the states.
 * @param heartbeatMs   how often a running operation gives a sign of life; after six missed ones it counts as abandoned
 * @param stopTimeoutMs how long `stop` waits for work that was told to end; what still runs then is settled at next start
 */
export function createOperations(options: {
  db: Database;
  clock: Clock;
  log: Logger;
  events: EventRecorder;
  instance: string;
  heartbeatMs?: number;
  stopTimeoutMs?: number;
}): Operations {
  const { db, clock, log, events, instance } = options;
  const unchanged = createUnchanged(db);
  const heartbeatMs = options.heartbeatMs ?? 5_000;
  const expiryMs = heartbeatMs * 6;
  const leases = createLeases({ db, clock, instance, ttlMs: expiryMs });
  const live = new Map<string, { running: RunningOperation; done: Promise<Operation> }>();
  const beginning = new Set<Promise<Operation>>();
  const stopping = new AbortController();
  let ownLease: Promise<Lease> | undefined;

  /** One more life of this instance; its lease is never released, so only a later life ends it. */
  const claimLife = async (): Promise<Lease> => {
    const lease = await leases.takeOver(`instance:${instance}`, instance);
    if (!lease) throw new AppError('storage/data-folder-in-use', `Another process runs as instance ${instance}.`);
    return lease;
  };
  const life = (): Promise<Lease> => {
    ownLease ??= claimLife().catch((err: unknown) => {
      ownLease = undefined;
      throw err;
    });
    return ownLease;
  };

  const find = (id: string): Promise<Operation | undefined> => findOperation(db.reader<OperationTables>(), id);
  const require = async (id: string): Promise<Operation> => {
    const operation = live.get(id)?.running.current ?? (await find(id));
    if (!operation) throw new AppError('operation/unknown', `There is no operation ${id.slice(0, 100)}.`);
    return operation;
  };

  /** Writes the final state; while the disk refuses, tries again until the process stops. */
  const conclude = async (
    running: RunningOperation,
    lease: Lease | undefined,
    end: { state: FinalState; result: unknown; error: OperationError | null },
    concluded: StartOptions<unknown, unknown>['concluded'],
  ): Promise<Operation> => {
    const owner = running.current;
    const fields = { operation: owner.id, state: end.state };
    const trouble = createTrouble({ clock, log, fields, what: 'writing down the end of an operation' });
    for (;;) {
      try {
        const nowMs = clock.now();
        const ended: Operation = {
          ...running.current,
          ...end,
          progress: { ...running.current.progress, remainingSeconds: null },
          heartbeatMs: nowMs,
          finishedMs: nowMs,
        };
        const ours = await db.unit(async (tx) => {
          if (!(await writeEnd(tx, owner, { ...ended, ...end, nowMs }))) return false;
          if (lease) await leases.release(lease, tx);
          await concluded?.(tx, ended);
          await recordEnd(tx, ended);
          return true;
        });
        trouble.ended();
        return ours ? ended : ((await find(owner.id)) ?? owner);
      } catch (err) {
        trouble.failed(err);
        if (!isAppError(err) || !err.kind.retryable) {
          // The hook of the kind failed: without it the end stands, with the failure as its error.
          if (concluded)
            return conclude(running, lease, { ...end, state: 'failed', error: operationError(err) }, undefined);
        }
        if (stopping.signal.aborted) return running.current;
        await clock.sleep(1_000, stopping.signal).catch(() => undefined);
      }
    }
  };

  const recordEnd = async (tx: Tx, operation: Operation): Promise<void> => {
    if (operation.state === 'succeeded' || operation.state === 'running') return;
    await events.record(tx, {
      type: `operation.${operation.state}`,
      severity: severityOfState[operation.state],
      targetId: operation.targetId ?? undefined,
      operationId: operation.id,
      message: endSentence(operation),
      data: { kind: operation.kind, phase: operation.phase, error: operation.error },
    });
  };

  const execute = async (
    running: RunningOperation,
    lease: Lease | undefined,
    start: Pick<StartOptions<unknown, unknown>, 'kind' | 'run' | 'concluded'>,
  ): Promise<Operation> => {
    void running.keepAlive();
    const { signal } = running.abort;
    let end: { state: FinalState; result: unknown; error: OperationError | null };
    try {
      const result = await start.run(running.context);
      // A result that is no JSON fails here, where it can still be told.
      JSON.stringify(result);
      end = { state: running.partial ? 'partial' : 'succeeded', result, error: null };
    } catch (err) {
      const state = decideFailedState(signal.aborted ? signal.reason : undefined);
      // An error of its own under cancellation (a rollback that failed) is what has to be told.
      const told = signal.aborted && !isAppError(err) ? signal.reason : err;
      end = { state, result: undefined, error: operationError(told) };
      const facts = { operation: running.current.id, kind: start.kind, err };
      if (state === 'failed') log.error(facts, `operation failed: ${describeError(err)}`);
      else log.info({ operation: running.current.id, kind: start.kind, state }, 'operation ended early');
    }
    const ended = await conclude(running, lease, end, start.concluded);
    if (isFinal(ended)) running.show(ended);
    else running.silence();
    live.delete(ended.id);
    return ended;
  };

  const repeated = async (
    tx: Tx,
    { requestedBy, createdMs }: Pick<Operation, 'requestedBy' | 'createdMs'>,
    { route, key, requestHash }: Idempotency,
  ): Promise<Operation | undefined> => {
    const known = await findByIdempotencyKey(tx, { subject: requestedBy, route, key }, createdMs - idempotencyMs);
    if (known && known.requestHash !== requestHash)
      throw new AppError(
        'request/idempotency-conflict',
        `This Idempotency-Key belongs to operation ${known.operation.id}, whose request was another one. Use a new key.`,
      );
    return known?.operation;
  };

  const admit = async (
    tx: Tx,
    operation: Operation,
    idempotency: Idempotency | undefined,
  ): Promise<{ operation: Operation; lease?: Lease | undefined }> => {
    const key = idempotency && { subject: operation.requestedBy, route: idempotency.route, key: idempotency.key };
    const known = idempotency && (await repeated(tx, operation, idempotency));
    if (known) return { operation: known };
    let lease: Lease | undefined;
    if (operation.exclusive && operation.targetId !== null) {
      const holder = await findExclusive(tx, operation.targetId);
      if (holder) throw busy(operation.targetId, holder);
      lease = await leases.acquire(`target:${operation.targetId}`, tx);
      if (!lease) throw busy(operation.targetId, undefined);
    }
    await insertOperation(tx, operation);
    if (key)
      await insertIdempotencyKey(tx, {
        ...key,
        request_hash: idempotency.requestHash,
        operation_id: operation.id,
        created_ms: operation.createdMs,
      });
    return { operation, lease };
  };

  const begin = async (start: StartOptions<unknown, unknown>): Promise<Operation> => {
    const own = await life();
    if (!(await leases.renew(own)))
      throw new AppError('operation/lease-lost', `Instance ${instance} runs elsewhere now.`);
    if (stopping.signal.aborted) throw stopping.signal.reason;
    const nowMs = clock.now();
    const operation: Operation = {
      id: newId('op', nowMs),
      kind: start.kind,
      targetId: start.targetId ?? null,
      state: 'running',
      phase: 'starting',
      progress: emptyProgress,
      input: start.input,
      result: null,
      error: null,
      requestedBy: start.requestedBy,
      instance,
      epoch: own.epoch,
      heartbeatMs: nowMs,
      cancelRequestedMs: null,
      createdMs: nowMs,
      finishedMs: null,
      exclusive: start.targetId !== undefined && (start.exclusive ?? true),
    };
    const admitted = await db.unit((tx) => admit(tx, operation, start.idempotency));
    if (admitted.operation.id !== operation.id)
      return live.get(admitted.operation.id)?.running.current ?? admitted.operation;

    const held = admitted.lease ? [own, admitted.lease] : [own];
    const running = new RunningOperation({ operation, leases, held, db, clock, log, heartbeatMs });
    if (stopping.signal.aborted) running.abort.abort(stopping.signal.reason);
    // Work that nobody asked for by a request belongs together under its own id.
    const correlation = currentCorrelation() ?? { id: operation.id, actor: operation.requestedBy };
    live.set(operation.id, {
      running,
      done: withCorrelation(correlation, () => execute(running, admitted.lease, start)),
    });
    return operation;
  };

  let stopped: Promise<void> | undefined;
  const stopAll = async (): Promise<void> => {
    stopping.abort(new AppError('internal/stopping', 'ragwarden is stopping.'));
    for (const { running } of live.values()) running.abort.abort(stopping.signal.reason);
    await Promise.allSettled(beginning);
    const waited = new AbortController();
    const ended = Promise.allSettled([...live.values()].map(({ done }) => done));
    const late = clock.sleep(options.stopTimeoutMs ?? 7_000, waited.signal).catch(() => undefined);
    await Promise.race([ended, late]);
    waited.abort();
    for (const { running } of live.values()) {
      log.warn({ operation: running.current.id }, 'an operation did not end in time; the next start settles it');
      running.silence();
    }
  };

  const operations: Operations = {
    async start(start) {
      // One that is being admitted while the process stops still has to be waited for.
      const begun = begin(start);
      beginning.add(begun);
      return begun.finally(() => beginning.delete(begun));
    },
    find: async (id) => live.get(id)?.running.current ?? (await find(id)),
    async findRepeated({ requestedBy, idempotency }) {
      if (!idempotency) return undefined;
      const known = await db.unit((tx) => repeated(tx, { requestedBy, createdMs: clock.now() }, idempotency));
      return known && (live.get(known.id)?.running.current ?? known);
    },
    require,
    lastEnds: () => selectLastEnds(db),
    async list({ limit, ...filter }) {
      // One that runs is asked for every few seconds by each schedule.
      const select = () => selectOperations(db, filter, limit);
      const stored = await (limit === 1 ? unchanged(JSON.stringify(filter), select) : select());
      return stored.map((operation) =>
        isFinal(operation) ? operation : (live.get(operation.id)?.running.current ?? operation),
      );
    },
    async wait(id, { timeoutMs, signal } = {}) {
      const over = new AbortController();
      const until = signal ? AbortSignal.any([over.signal, signal]) : over.signal;
      if (timeoutMs !== undefined)
        clock.sleep(timeoutMs, until).then(
          () => over.abort(),
          () => undefined,
        );
      let last = await require(id);
      for await (const operation of operations.watch(id, until)) last = operation;
      over.abort();
      return last;
    },
    async *watch(id, signal) {
      const here = live.get(id)?.running;
      if (!here) {
        // Ended, or run by another instance: there the database is asked once a second.
        for (;;) {
          const operation = await require(id);
          yield operation;
          if (isFinal(operation) || signal.aborted) return;
          await clock.sleep(1_000, signal).catch(() => undefined);
        }
      }
      for (;;) {
        const seen = here.revision;
        yield here.current;
        if (isFinal(here.current) || here.ended || signal.aborted) return;
        await here.changed(seen, signal);
        if (signal.aborted) return;
      }
    },
    async cancel(id, by) {
      const operation = await require(id);
      if (isFinal(operation))
        throw new AppError('conflict/state', `The operation has ended already (${operation.state}).`);
      const nowMs = clock.now();
      await db.unit(async (tx) => {
        if (!(await writeCancelRequest(tx, id, nowMs)) || !by) return;
        const action = { actor: by.requestedBy, action: 'operation.cancel', object: id, outcome: 'done' } as const;
        await events.audit(tx, action);
      });
      live.get(id)?.running.requestCancel(nowMs);
      return require(id);
    },
    async settle({ settlers }) {
      const { epoch } = await life();
      return settleHalfDone({
        db,
        clock,
        log,
        events,
        leases,
        settlers,
        own: { instance, epoch },
        isLive: (id) => live.has(id),
        silentSinceMs: clock.now() - expiryMs,
      });
    },
    epoch: async () => (await life()).epoch,
    stop: () => {
      stopped ??= stopAll();
      return stopped;
    },
  };
  return operations;
}

function busy(targetId: string, holder: Operation | undefined): AppError {
  const who = holder ? `${holder.kind} (operation ${holder.id})` : 'another instance';
  return new AppError('operation/busy', `Target ${targetId} is held by ${who}. Wait for its end, or cancel it.`, {
    context: { targetId, holder: holder?.id },
  });
}
