// What a restore does that failed: the former state everywhere, the backend back, and what was found told.
import type { OperationContext } from '../operations/index.ts';
import type { Tx } from '../platform/database/index.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { settleJournals } from './restore/index.ts';
import type { StorePart } from './restore-parts.ts';
import { undoStores } from './restore-stores.ts';

/** From here on a later life of the process undoes as well, however far the stores had come. */
export const beginUndoing = (context: OperationContext): Promise<void> =>
  context.phase('undoing').catch(() => undefined);

/** Between two tries to bring a store back that does not answer. */
const undoAgainMs = 2_000;

/**
 * A server that went away must not leave its store in the new state where all others are in the old one: this goes on until it
 * answers again, and keeps the target closed meanwhile. @returns what is left when somebody cancels or the process stops first;
 * the next start settles it
 */
export async function undoStoresPatiently(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  stores: readonly StorePart[],
  context: OperationContext,
  cause: unknown,
): Promise<readonly string[]> {
  if (stores.length === 0) return [];
  await beginUndoing(context);
  for (let told = false; ; ) {
    const stuck = await undoStores(deps, stores, { ...context, signal: patience(guarded) });
    if (stuck.length === 0) return stuck;
    context.log.error({ stuck }, 'stores could not be brought back yet');
    if (!told)
      await deps.db.unit((tx) =>
        deps.events.record(tx, {
          type: 'restore.undo-waits',
          severity: 'critical',
          targetId: guarded.target.id,
          operationId: context.id,
          message: `A restore failed (${describeError(cause)}), and the former state cannot be brought back before these answer again: ${stuck.join('; ')} Bring them back and keep the backend of ${guarded.target.id} stopped; the rest is done by itself.`,
        }),
      );
    told = true;
    const goesOn = await deps.clock.sleep(undoAgainMs, context.signal).then(
      () => true,
      () => false,
    );
    if (!goesOn) return stuck;
  }
}

export const patience = (guarded: ProtectedTarget): AbortSignal =>
  AbortSignal.timeout(guarded.target.stopTimeoutMs + guarded.target.startTimeoutMs);

/** Ends in one of the two states, says which, and brings back the backend that we stopped. */
export async function recoverFromFailure(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  context: OperationContext,
  facts: {
    folders: readonly string[];
    stopped: boolean;
    cause: unknown;
    pointId: string;
    /** Stores whose old state could not be brought back. */
    stuck: readonly string[];
  },
): Promise<void> {
  let state: 'old' | 'new' | 'unsettled' = 'old';
  try {
    // What has moved and was not taken back yet did not verify.
    const { settled } = await settleJournals(facts.folders, { onMoved: async () => 'undo' });
    state = settled.find((one) => one.operationId === context.id)?.outcome ?? 'old';
  } catch (err) {
    context.log.error({ err }, 'the journal of the failed restore could not be settled; the next start does it');
    state = 'unsettled';
  }
  if (facts.stuck.length > 0) state = 'unsettled';
  // A backend that starts over half-moved files would write into them.
  if (facts.stopped && state !== 'unsettled' && guarded.lifecycle.automatic && !isStopping(facts.cause)) {
    const patient = patience(guarded);
    try {
      // One that came back by itself has read half-moved files, and to start what runs is to do nothing.
      if (hasReappeared(facts.cause)) await guarded.lifecycle.stop(patient);
      await guarded.lifecycle.start(patient);
    } catch (err) {
      context.log.error({ err }, 'the backend did not come back after the failed restore');
    }
  }
  const stands = {
    old: 'stands as before',
    new: 'stands as in the point',
    unsettled: `waits to be settled at the next start; keep its backend stopped${facts.stuck.length > 0 ? ` (${facts.stuck.join('; ')})` : ''}`,
  }[state];
  await whenThereIsRoom(deps, context, async (tx) => {
    if (state === 'unsettled') await deps.points.writeSetting(tx, `${unsettledPrefix}${guarded.target.id}`, context.id);
    await deps.events.record(tx, {
      type: 'restore.rolled-back',
      severity: state === 'unsettled' ? 'critical' : 'error',
      targetId: guarded.target.id,
      operationId: context.id,
      message: `The restore of ${facts.pointId} failed; ${guarded.target.id} ${stands}: ${describeError(facts.cause)}`,
      data: { id: facts.pointId, state },
    });
  });
}

/**
 * Written as soon as the state can be written again: on a full disk that a restore failed would be lost, and that it waits to be settled
 * forgotten. The target stays held meanwhile. @throws what the database says, also where somebody cancels or the process stops first
 */
async function whenThereIsRoom(
  { db, clock }: Pick<BackupDeps, 'db' | 'clock'>,
  { signal, log }: Pick<OperationContext, 'signal' | 'log'>,
  work: (tx: Tx) => Promise<void>,
): Promise<void> {
  for (let told = false; ; told = true)
    try {
      return await db.unit(work);
    } catch (err) {
      const passes = isAppError(err) && (err.code === 'storage/full' || err.code === 'storage/unavailable');
      if (!passes || signal.aborted) throw err;
      if (!told) log.error({ err }, 'how the restore ended is written down when the state can be written again');
      await clock.sleep(undoAgainMs, signal).catch(() => undefined);
    }
}

/** Key of a setting, before the target: the operation that failed and could not be undone. The operation ends, so this remembers it. */
export const unsettledPrefix = 'unsettled-restore:';

export const isStopping = (err: unknown): boolean => err instanceof AppError && err.code === 'internal/stopping';
const hasReappeared = (err: unknown): boolean => err instanceof AppError && err.code === 'restore/server-reappeared';
