import { join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { describeError } from '../platform/errors.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { bringFiles } from './bring-component.ts';
import type { Manifest } from './manifest.ts';
import { needsStop } from './plan-restore.ts';
import type { RecoveryPoint } from './point.ts';
import type { PreparedRestore } from './prepare-restore.ts';
import { differencesOf } from './rehearsed-audit.ts';
import {
  discardUndo,
  finishSwap,
  isSwapDone,
  listUndo,
  openStage,
  ownerOf,
  swapIn,
  undoSwap,
  verifyRestored,
} from './restore/index.ts';
import { restoreAside } from './restore-aside.ts';
import { beginUndoing, isStopping, patience, recoverFromFailure, undoStoresPatiently } from './restore-failure.ts';
import { isAside, type RestoreOptions, settleOptions } from './restore-options.ts';
import { decideParts, type FilesPart, type StorePart } from './restore-parts.ts';
import { type RestoreResult, resultOf } from './restore-result.ts';
import { eachStore, removeStoreScratch } from './restore-stores.ts';
import { wholeTarget } from './selection.ts';
import { ownFolder } from './sources/tree.ts';
import { takePoint } from './take-point.ts';

/**
 * Restores a point: safety point → stores filled beside the live ones → stop → files staged and checked inside the target
 * folders → moved under the journal → stores exchanged → checked → started → looked at. Whatever fails before all of it
 * stands leaves the former state, with the backend started again.
 * @throws AppError `restore/…`, `target/…`, `storage/full`; the signal's reason
 */
export async function restorePoint(
  deps: BackupDeps,
  input: { point: RecoveryPoint; prepared: PreparedRestore; safetyPoint: boolean; options: RestoreOptions },
  context: OperationContext,
): Promise<RestoreResult> {
  const { point, prepared } = input;
  const { clock } = deps;
  const startedMs = clock.now();
  const guarded = deps.requireTarget(point.targetId);
  const { manifest } = prepared;
  const options = settleOptions(input.options, manifest);
  const { parts, leftAlone } = decideParts({
    guarded,
    manifest,
    options,
    entries: prepared.entries,
    operationId: context.id,
    takenMs: point.takenMs,
  });
  const notes = leftAlone.map(({ name, reason }) => `${name} was left alone: ${reason}`);
  if (isAside(options)) {
    await restoreAside(deps, { point, parts, prepared, options }, context);
    return resultOf({ point, manifest, parts, startedMs, endedMs: clock.now(), safety: null, undo: [], notes });
  }
  const files = parts.filter((part) => part.kind === 'files');
  const stores = parts.filter((part) => part.kind === 'store');
  const stops = needsStop(guarded, options, parts);

  const safety = input.safetyPoint ? await takeSafetyPoint(deps, guarded, context, notes) : null;
  if (!input.safetyPoint) notes.push('no safety point was taken, as asked; what was replaced lies in the undo folders');
  await deps.step('restore:safety-taken');

  const folders = files.map((one) => one.folder);
  const progress = { stopped: false };
  const undone: string[] = [];
  try {
    await exchange(
      deps,
      guarded,
      { files, stores, stops, pointId: point.id, snapshotId: prepared.snapshotId, progress },
      context,
    );
  } catch (err) {
    const stuck = await undoStoresPatiently(deps, guarded, stores, context, err);
    await recoverFromFailure(deps, guarded, context, {
      folders,
      stopped: progress.stopped,
      cause: err,
      pointId: point.id,
      stuck,
    });
    throw err;
  } finally {
    await removeStoreScratch(deps, context.id);
  }
  const unfinished = await finishStores(deps, guarded, stores, undone, context);
  if (unfinished.length > 0) {
    notes.push(...unfinished);
    context.markPartial();
  }
  await deps.step('restore:finished');

  let problem: string | undefined;
  if (stops) {
    await context.phase('starting');
    problem = await startAndLook(guarded, options.workspace === undefined ? manifest : undefined, context);
  }
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
  return resultOf({
    point,
    manifest,
    parts,
    startedMs,
    endedMs: clock.now(),
    safety,
    undo: [...undo, ...undone.map((place) => ({ folder: place, bytes: null }))],
    notes,
    ...(problem === undefined ? {} : { problem }),
  });
}

/** From the live state to the new one, or it throws and `settleJournals` and `undoStores` find what there is to undo. */
async function exchange(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  work: {
    files: readonly FilesPart[];
    stores: readonly StorePart[];
    stops: boolean;
    pointId: string;
    snapshotId: string;
    progress: { stopped: boolean };
  },
  context: OperationContext,
): Promise<void> {
  const { files, stores } = work;
  const { clock } = deps;
  const folders = files.map((one) => one.folder);
  const roots = files.map((one) => ({ root: one.folder, keep: one.keep.map(({ name }) => name) }));
  if (stores.length > 0) {
    await context.phase('filling');
    await eachStore(deps, stores, context, (part, call) => part.restorer.prepare(part.request, call));
    await deps.step('restore:filled');
  }
  if (work.stops) {
    await context.phase('stopping');
    work.progress.stopped = true;
    await guarded.lifecycle.stop(context.signal, (message) => context.log.info(message));
  }
  await deps.step('restore:stopped');
  for (const older of await listUndo(folders)) if (older.canBeDiscarded) await discardUndo(folders, older.operationId);

  await context.phase('staging');
  for (const one of files) await stagePart(deps, one, work, context);
  await deps.step('restore:staged');

  await context.phase('moving');
  await context.checkHeld();
  if (files.length > 0)
    await swapIn({
      operationId: context.id,
      roots,
      nowMs: clock.now(),
      guard: work.stops ? () => guarded.lifecycle.findSignOfLife() : async () => undefined,
      step: (name) => deps.step(`restore:${name}`),
      signal: context.signal,
    });
  try {
    await eachStore(deps, stores, context, async (part, call) => {
      await part.restorer.commit(part.request, call);
      await deps.step(`restore:exchanged-${part.component.name}`);
    });
    await context.phase('checking');
    await verifyParts(deps, files, stores, context);
    await deps.step('restore:checked');
    if (files.length > 0)
      await finishSwap(folders, context.id, (name) => deps.step(`restore:${name}`)).catch(async (err: unknown) => {
        // The record counts, not the tidying after it, which the next settlement does.
        if (!(await isSwapDone(folders, context.id))) throw err;
        context.log.warn({ err }, 'what was staged could not be removed yet');
      });
  } catch (err) {
    // The journal says that all has moved: unless it is told otherwise, it keeps the new state.
    await beginUndoing(context);
    if (files.length > 0) await undoSwap(folders, context.id);
    throw err;
  }
}

/**
 * From here on the new state stands in every folder and store, and nothing may bring one of them back alone: what fails now is
 * told, and left to the next restore. Whoever cancels comes too late. @returns what failed, in words
 */
async function finishStores(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  stores: readonly StorePart[],
  undone: string[],
  context: OperationContext,
): Promise<string[]> {
  const failed: string[] = [];
  if (stores.length === 0) return failed;
  await context.phase('finishing');
  const call = { ...context, signal: patience(guarded) };
  for (const part of stores)
    try {
      await eachStore(deps, [part], call, async (one, restorer) => {
        const place = await one.restorer.finish(one.request, restorer);
        if (place !== undefined) undone.push(place);
        await deps.step(`restore:kept-${one.component.name}`);
      });
    } catch (err) {
      failed.push(`${part.component.name} is as in the point, but could not be tidied up: ${describeError(err)}`);
    }
  await removeStoreScratch(deps, context.id);
  return failed;
}

/** Every digest of the files, and whatever the stores can be held against. */
export async function verifyParts(
  deps: BackupDeps,
  files: readonly FilesPart[],
  stores: readonly StorePart[],
  call: Pick<OperationContext, 'id' | 'signal' | 'log'>,
): Promise<void> {
  for (const one of files)
    await verifyRestored(one.folder, one.entries, {
      keep: one.keep.map(({ name }) => name),
      signal: call.signal,
    });
  await eachStore(deps, stores, call, (part, context) => part.restorer.verify(part.request, context));
}

async function stagePart(
  deps: BackupDeps,
  part: FilesPart,
  { pointId, snapshotId }: { pointId: string; snapshotId: string },
  context: OperationContext,
): Promise<void> {
  const { root, staged } = await openStage(part.folder, context.id);
  await bringFiles(
    deps,
    { pointId, snapshotId, component: part.component, below: part.below, entries: part.entries, whole: part.whole },
    {
      into: staged,
      // Beside the staging folder, on the same file system.
      incoming: join(root, ownFolder, `incoming-${context.id}`),
      owner: await ownerOf(root),
    },
    {
      signal: context.signal,
      operationId: context.id,
      onProgress: (progress) => context.progress(progress),
      onChecked: (bytesDone) => context.progress({ bytesDone, bytesTotal: part.component.bytes }),
    },
  );
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

async function startAndLook(
  guarded: ProtectedTarget,
  manifest: Manifest | undefined,
  context: OperationContext,
): Promise<string | undefined> {
  try {
    await guarded.lifecycle.start(onlyForAStop(context.signal), (message) => context.log.info(message));
  } catch (err) {
    return `the backend did not come back: ${describeError(err)}`;
  }
  const seen = await guarded.observe();
  const differs = manifest && (await lookIntoProject(guarded, manifest, context));
  if (differs) return differs;
  const expected = manifest?.documents?.processed;
  const found = seen?.documents?.processed;
  if (expected !== undefined && found !== undefined && expected !== found)
    return `the backend counts ${found} processed documents where the point has ${expected}`;
  return undefined;
}

/** The digests are right; that its tables are what they were, and none is missing beside them, is seen by looking. */
async function lookIntoProject(
  guarded: ProtectedTarget,
  manifest: Manifest,
  context: OperationContext,
): Promise<string | undefined> {
  const folder = manifest.components.some(({ name }) => name === 'project') ? guarded.folderOf('project') : undefined;
  if (folder === undefined) return undefined;
  const found = await guarded.inspect(folder, onlyForAStop(context.signal));
  const problems = differencesOf(manifest, found, { isWhole: true });
  return problems.length === 0 ? undefined : `the look into its tables found: ${problems.slice(0, 5).join('; ')}`;
}

/** Whoever cancels when all is restored does not ask for a backend that stays stopped; a ragwarden that stops cannot wait. */
function onlyForAStop(signal: AbortSignal): AbortSignal {
  const stop = new AbortController();
  const look = (): void => {
    if (isStopping(signal.reason)) stop.abort(signal.reason);
  };
  if (signal.aborted) look();
  else signal.addEventListener('abort', look, { once: true });
  return stop.signal;
}
