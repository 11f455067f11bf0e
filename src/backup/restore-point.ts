import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Operation, OperationContext, SettledOutcome } from '../operations/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import type { Observation } from '../targets/index.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import type { Manifest, ManifestComponent } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import {
  checkStaged,
  discardUndo,
  dressStaged,
  finishSwap,
  incomingOf,
  listUndo,
  openStage,
  ownerOf,
  planSwap,
  requirePlain,
  requireSafeEntries,
  type SwapPlan,
  settleJournals,
  surveyFolder,
  swapIn,
  undoSwap,
  verifyRestored,
} from './restore/index.ts';
import { planIdOf, type RestorePlanReport, reportComponent } from './restore-plan-report.ts';
import { ownFolder, type TreeEntry } from './sources/tree.ts';
import { componentPath, readEntries } from './staging.ts';
import { takePoint } from './take-point.ts';
import { findManifestSnapshot } from './verify-point.ts';

export type { RestorePlanReport } from './restore-plan-report.ts';

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

type PlannedComponent = {
  readonly component: ManifestComponent;
  readonly folder: string;
  readonly keep: readonly { readonly name: string; readonly reason: string }[];
};

/** Everything a restore needs to know about a point, read from the repository once: opening one takes a moment each time. */
export type PreparedRestore = {
  readonly manifest: Manifest;
  readonly snapshotId: string;
  readonly placed: readonly PlannedComponent[];
  readonly entries: ReadonlyMap<string, readonly TreeEntry[]>;
};

/** @throws AppError `backup/unknown-point`, `target/foreign-path`, `restore/unsafe-entry`, `restore/digest-mismatch` */
export async function prepareRestore(
  deps: BackupDeps,
  point: Pick<RecoveryPoint, 'id' | 'targetId'>,
): Promise<PreparedRestore> {
  const found = await findManifestSnapshot(deps, point.id);
  if (!found) throw new AppError('backup/unknown-point', `The repository does not hold ${point.id} any more.`);
  const { manifest, snapshotId } = found;
  const placed = placeComponents(deps.requireTarget(point.targetId), manifest);
  const scratch = join(deps.stagingDir, `entries-${point.id}`);
  await mkdir(scratch, { recursive: true, mode: 0o700 });
  try {
    await deps.repository.restore({
      snapshotId,
      target: scratch,
      include: placed.map((one) => `/${one.component.entries_file}`),
    });
    const entries = new Map<string, readonly TreeEntry[]>();
    for (const { component } of placed) {
      const listed = await readEntries(join(scratch, component.entries_file), component.entries_sha256);
      requireSafeEntries(listed);
      entries.set(component.name, listed);
    }
    return { manifest, snapshotId, placed, entries };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a restore would do, without doing anything. */
export async function planRestore(
  deps: BackupDeps,
  point: RecoveryPoint,
  prepared: PreparedRestore,
): Promise<RestorePlanReport> {
  const guarded = deps.requireTarget(point.targetId);
  const { manifest } = prepared;
  const planned: { name: string; plan: SwapPlan }[] = [];
  for (const one of prepared.placed) {
    const survey = await surveyFolder(one.folder, point.takenMs, { keep: one.keep });
    const entries = prepared.entries.get(one.component.name) ?? [];
    planned.push({ name: one.component.name, plan: planSwap(survey, incomingOf(entries), one.keep) });
  }
  const now = await guarded.observe();
  const { lifecycle } = guarded;
  return {
    plan_id: planIdOf(point.id, planned),
    backup_id: point.id,
    target_id: point.targetId,
    taken_at: manifest.taken_at,
    grade: point.grade,
    components: planned.map(({ name, plan }) => reportComponent(name, plan)),
    backend: { automatic: lifecycle.automatic, ...lifecycle.describe },
    versions: { point: manifest.target.core_version, now: now?.coreVersion ?? null },
    steps: [
      'take a safety point of the present state',
      lifecycle.describe.stop,
      'bring the point beside the present data and compare every digest',
      'move the present data aside and the point in, under a journal',
      'compare every digest again',
      lifecycle.describe.start,
      'look at the backend and count its documents',
    ],
    warnings: restoreWarnings(manifest, now, point),
    blockers: planned.flatMap(({ name, plan }) => plan.blockers.map((blocker) => `${name}: ${blocker}`)),
    needs: ['confirm'],
  };
}

function restoreWarnings(manifest: Manifest, now: Observation | undefined, point: RecoveryPoint): string[] {
  const warnings: string[] = [];
  if (manifest.partial)
    warnings.push(
      `The point is partial: ${manifest.missing.map((one) => `${one.name} (${one.reason})`).join(', ') || 'some files are not in it'}.`,
    );
  if (
    manifest.target.core_version !== null &&
    now?.coreVersion !== undefined &&
    now.coreVersion !== manifest.target.core_version
  )
    warnings.push(`The point was taken from version ${manifest.target.core_version}; ${now.coreVersion} runs now.`);
  if (point.verifiedMs === null) warnings.push('The point was never verified.');
  for (const { name, restore } of manifest.components)
    if (restore.by === 'by-hand') warnings.push(`${name}: ${restore.reason}.`);
  for (const component of manifest.components)
    for (const file of component.damaged)
      warnings.push(`${component.name}: ${file.path} was damaged when it was captured (${file.reason}).`);
  return warnings;
}

/**
 * Restores a point: safety point → stop → staged and checked inside the target folders → moved under the journal → checked
 * → started → looked at. Whatever fails before the moves stand leaves the former state, with the backend started again.
 * @throws AppError `restore/…`, `target/…`, `storage/full`; the signal's reason
 */
export async function restorePoint(
  deps: BackupDeps,
  input: { point: RecoveryPoint; prepared: PreparedRestore },
  context: OperationContext,
): Promise<RestoreResult> {
  const { point } = input;
  const { clock } = deps;
  const startedMs = clock.now();
  const guarded = deps.requireTarget(point.targetId);
  const { manifest, snapshotId, placed, entries } = input.prepared;

  const notes: string[] = [];
  const safety = await takeSafetyPoint(deps, guarded, context, notes);
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
  if (guarded.sources(undefined).length === 0) {
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
      include: [`/${componentPath(one.component.name)}`],
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

/** After a kill in the middle: the old or the new state, complete, decided by the journal; then the backend is started. */
export async function settleRestore(deps: BackupDeps, operation: Operation): Promise<SettledOutcome> {
  const guarded = deps.requireTarget(operation.targetId ?? '');
  const folders = guarded.target.stores.map((store) => store.path);
  const unfinished = operation.phase === 'moving' || operation.phase === 'checking';
  if (unfinished && (await guarded.lifecycle.findSignOfLife()) !== undefined)
    await guarded.lifecycle.stop(AbortSignal.timeout(guarded.target.stopTimeoutMs + 5_000));
  const { settled } = await settleJournals(folders, { onMoved: () => decideMoved(deps, guarded, operation) });
  const own = settled.find((one) => one.operationId === operation.id);
  const finished = (await listUndo(folders)).some((one) => one.operationId === operation.id);
  const state = own?.outcome ?? (finished ? 'new' : 'old');
  const wasStopped = ![
    '',
    'queued',
    'planning',
    'preparing',
    'capturing',
    'inspecting',
    'uploading',
    'verifying',
  ].includes(operation.phase);
  let backend = '';
  if (wasStopped && guarded.lifecycle.automatic)
    backend = await guarded.lifecycle
      .start(AbortSignal.timeout(guarded.target.startTimeoutMs))
      .then(() => ' The backend was started again.')
      .catch((err: unknown) => ` The backend did not start: ${describeError(err)}`);
  return {
    message:
      state === 'new'
        ? `The restore was interrupted after the decisive record: ${guarded.target.id} stands as in the recovery point.${backend}`
        : `The restore was interrupted before the decisive record: ${guarded.target.id} stands as before it.${backend}`,
    severity: 'warning',
    data: { state, point: pointOf(operation.input) },
  };
}

/** All had moved, but nobody had compared the digests yet: that is done now, and decides. */
async function decideMoved(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  operation: Operation,
): Promise<'finish' | 'undo'> {
  const pointId = pointOf(operation.input);
  if (typeof pointId !== 'string') return 'finish';
  const prepared = await prepareRestore(deps, { id: pointId, targetId: guarded.target.id });
  try {
    for (const one of prepared.placed)
      await verifyRestored(one.folder, prepared.entries.get(one.component.name) ?? [], {
        keep: one.keep.map(({ name }) => name),
      });
    return 'finish';
  } catch (err) {
    deps.log.error({ err, operation: operation.id }, 'what was restored does not verify and is undone');
    return 'undo';
  }
}

const pointOf = (input: unknown): unknown =>
  typeof input === 'object' && input !== null && 'pointId' in input ? input.pointId : null;

function placeComponents(guarded: ProtectedTarget, manifest: Manifest): PlannedComponent[] {
  return manifest.components.flatMap((component) => {
    if (component.restore.by === 'by-hand') return [];
    const folder = guarded.folderOf(component.name);
    if (folder === undefined || component.restore.by !== 'folder-swap')
      throw new AppError(
        'target/foreign-path',
        `The point holds ${component.name}, for which ${guarded.target.id} has no registered folder.`,
      );
    return [{ component, folder, keep: component.restore.keep }];
  });
}
