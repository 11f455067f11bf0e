import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { foldComponent, includesOf } from './fold-component.ts';
import type { Manifest } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import type { PlannedComponent, PreparedRestore } from './prepare-restore.ts';
import {
  checkStaged,
  discardUndo,
  dressStaged,
  finishSwap,
  listUndo,
  openStage,
  ownerOf,
  requirePlain,
  settleJournals,
  swapIn,
  undoSwap,
  verifyRestored,
} from './restore/index.ts';
import { wholeTarget } from './selection.ts';
import { ownFolder, type TreeEntry } from './sources/tree.ts';
import { componentPath } from './staging.ts';
import { takePoint } from './take-point.ts';

export type RestoreResult = {
  readonly backup_id: string;
  readonly start_time: string;
  readonly end_time: string;
  /** Seconds. */
  readonly duration: number;
  readonly status: 'success' | 'partial';
  readonly user_data: {
    readonly status: 'success';
    readonly user_count: number;
    readonly total_size_bytes: number;
    readonly file_count: number;
  };
  readonly safety_backup_id: string | null;
  /** Where the former state lies until the next restore. */
  readonly undo: readonly { readonly folder: string; readonly bytes: number }[];
  readonly notes: readonly string[];
};

/**
 * Restores a point: safety point → stop → staged and checked inside the target folders → moved under the journal → checked
 * → started → looked at. Whatever fails before the moves stand leaves the former state, with the backend started again.
 * @throws AppError `restore/…`, `target/…`, `storage/full`; the signal's reason
 */
export async function restorePoint(
  deps: BackupDeps,
  input: { point: RecoveryPoint; prepared: PreparedRestore; safetyPoint: boolean },
  context: OperationContext,
): Promise<RestoreResult> {
  const { point } = input;
  const { clock } = deps;
  const startedMs = clock.now();
  const guarded = deps.requireTarget(point.targetId);
  const { manifest, snapshotId, placed, entries } = input.prepared;

  const notes: string[] = [];
  const safety = input.safetyPoint ? await takeSafetyPoint(deps, guarded, context, notes) : null;
  if (!input.safetyPoint) notes.push('no safety point was taken, as asked; what was replaced lies in the undo folders');
  await deps.step('restore:safety-taken');

  const roots = placed.map((one) => ({ root: one.folder, keep: one.keep.map(({ name }) => name) }));
  const folders = roots.map((one) => one.root);
  await context.phase('stopping');
  try {
    await guarded.lifecycle.stop(context.signal, (message) => context.log.info(message));
    await deps.step('restore:stopped');
    for (const older of await listUndo(folders))
      if (older.canBeDiscarded) await discardUndo(folders, older.operationId);

    await context.phase('staging');
    for (const one of placed)
      await stageComponent(deps, one, { snapshotId, entries: entries.get(one.component.name) ?? [], context });
    await deps.step('restore:staged');

    await context.phase('moving');
    await context.checkHeld();
    await swapIn({
      operationId: context.id,
      roots,
      nowMs: clock.now(),
      guard: () => guarded.lifecycle.findSignOfLife(),
      step: (name) => deps.step(`restore:${name}`),
      signal: context.signal,
    });

    await context.phase('checking');
    try {
      for (const one of placed)
        await verifyRestored(one.folder, entries.get(one.component.name) ?? [], {
          keep: one.keep.map(({ name }) => name),
          signal: context.signal,
        });
    } catch (err) {
      await undoSwap(folders, context.id);
      throw err;
    }
    await deps.step('restore:checked');
    await finishSwap(folders, context.id, (name) => deps.step(`restore:${name}`));
  } catch (err) {
    await recoverFromFailure(deps, guarded, context, { folders, stopped: true, cause: err, pointId: point.id });
    throw err;
  }

  await context.phase('starting');
  const problem = await startAndLook(guarded, manifest, context);
  if (problem !== undefined) {
    notes.push(problem);
    context.markPartial();
  }
  await deps.step('restore:started');
  const undo = (await listUndo(folders))
    .filter((one) => one.operationId === context.id && one.files > 0)
    .map((one) => ({ folder: one.path, bytes: one.bytes }));
  await deps.db.unit((tx) =>
    deps.events.record(tx, {
      type: 'restore.finished',
      severity: problem === undefined ? 'info' : 'error',
      targetId: point.targetId,
      operationId: context.id,
      message: `${point.targetId} stands as in ${point.id}${problem === undefined ? '' : `, but ${problem}`}.`,
      data: { id: point.id, state: 'new', safety_point: safety },
    }),
  );
  const endedMs = clock.now();
  return {
    backup_id: point.id,
    start_time: new Date(startedMs).toISOString(),
    end_time: new Date(endedMs).toISOString(),
    duration: (endedMs - startedMs) / 1000,
    status: problem === undefined ? 'success' : 'partial',
    user_data: {
      status: 'success',
      user_count: manifest.target.workspaces.length,
      total_size_bytes: placed.reduce((sum, one) => sum + one.component.bytes, 0),
      file_count: placed.reduce((sum, one) => sum + one.component.files, 0),
    },
    safety_backup_id: safety,
    undo,
    notes,
  };
}

/** The present state, however damaged, is kept as a point first. Where nothing is left there is nothing to keep. */
async function takeSafetyPoint(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  context: OperationContext,
  notes: string[],
): Promise<string | null> {
  if (guarded.sources(undefined, wholeTarget).length === 0) {
    notes.push('no safety point: none of the folders exists, so there was nothing to keep');
    return null;
  }
  const point = await takePoint(
    deps,
    { targetId: guarded.target.id, cause: 'safety' },
    { ...context, markPartial: () => {} },
  );
  return point.id;
}

async function stageComponent(
  deps: BackupDeps,
  one: PlannedComponent,
  facts: { snapshotId: string; entries: readonly TreeEntry[]; context: OperationContext },
): Promise<void> {
  const { context, entries } = facts;
  const { root, staged } = await openStage(one.folder, context.id);
  const incoming = incomingFolder(root, context.id);
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { mode: 0o700 });
  try {
    await deps.repository.restore({
      snapshotId: facts.snapshotId,
      signal: context.signal,
      operationId: context.id,
      target: incoming,
      include: includesOf(one.component),
      onProgress: (progress) => context.progress(progress),
    });
    await foldComponent(deps, {
      arrived: incoming,
      component: one.component.name,
      entries,
      signal: context.signal,
      onProgress: (progress) => context.progress(progress),
    });
    await rm(staged, { recursive: true });
    await rename(join(incoming, componentPath(one.component.name)), staged);
    await requirePlain(staged, entries);
    await dressStaged(staged, entries, await ownerOf(root));
    await checkStaged(staged, entries, {
      signal: context.signal,
      onProgress: (bytesDone) => context.progress({ bytesDone, bytesTotal: one.component.bytes }),
    });
  } finally {
    await rm(incoming, { recursive: true, force: true });
  }
}

/** Beside the staging folder, on the same file system, so that what arrived is moved and not copied. */
const incomingFolder = (root: string, operationId: string): string => join(root, ownFolder, `incoming-${operationId}`);

async function startAndLook(
  guarded: ProtectedTarget,
  manifest: Manifest,
  context: OperationContext,
): Promise<string | undefined> {
  try {
    await guarded.lifecycle.start(context.signal, (message) => context.log.info(message));
  } catch (err) {
    return `the backend did not come back: ${describeError(err)}`;
  }
  const seen = await guarded.observe();
  const expected = manifest.documents?.processed;
  const found = seen?.documents?.processed;
  if (expected !== undefined && found !== undefined && expected !== found)
    return `the backend counts ${found} processed documents where the point has ${expected}`;
  return undefined;
}

/** Ends in one of the two states, says which, and brings back the backend that we stopped. */
async function recoverFromFailure(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  context: OperationContext,
  facts: { folders: readonly string[]; stopped: boolean; cause: unknown; pointId: string },
): Promise<void> {
  let state: 'old' | 'new' | 'unsettled' = 'old';
  try {
    const { settled } = await settleJournals(facts.folders);
    state = settled.find((one) => one.operationId === context.id)?.outcome ?? 'old';
  } catch (err) {
    context.log.error({ err }, 'the journal of the failed restore could not be settled; the next start does it');
    state = 'unsettled';
  }
  // A backend that starts over half-moved files would write into them.
  if (facts.stopped && state !== 'unsettled' && guarded.lifecycle.automatic && !isStopping(facts.cause)) {
    const patience = AbortSignal.timeout(guarded.target.stopTimeoutMs + guarded.target.startTimeoutMs);
    try {
      // One that came back by itself has read half-moved files, and to start what runs is to do nothing.
      if (hasReappeared(facts.cause)) await guarded.lifecycle.stop(patience);
      await guarded.lifecycle.start(patience);
    } catch (err) {
      context.log.error({ err }, 'the backend did not come back after the failed restore');
    }
  }
  const stands = {
    old: 'stands as before',
    new: 'stands as in the point',
    unsettled: 'waits for its journal to be settled at the next start; keep its backend stopped',
  }[state];
  await deps.db.unit((tx) =>
    deps.events.record(tx, {
      type: 'restore.rolled-back',
      severity: state === 'unsettled' ? 'critical' : 'error',
      targetId: guarded.target.id,
      operationId: context.id,
      message: `The restore of ${facts.pointId} failed; ${guarded.target.id} ${stands}: ${describeError(facts.cause)}`,
      data: { id: facts.pointId, state },
    }),
  );
}

const isStopping = (err: unknown): boolean => err instanceof AppError && err.code === 'internal/stopping';
const hasReappeared = (err: unknown): boolean => err instanceof AppError && err.code === 'restore/server-reappeared';
