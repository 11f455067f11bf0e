import type { OperationContext } from '../operations/index.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { capturePoint } from './capture-point.ts';
import { markRejected, noteFacts } from './catalogue/index.ts';
import { inspectCaptured } from './inspect-captured.ts';
import { type Manifest, manifestFile } from './manifest.ts';
import { findDatedLater } from './misdated.ts';
import { openRepository } from './open-repository.ts';
import { newPointId, type PointId, type RecoveryPoint } from './point.ts';
import type { PointCause } from './point-cause.ts';
import { type PointSelection, wholeTarget } from './selection.ts';
import { componentPath, entriesPath, prepareStaging } from './staging.ts';
import { unfoldComponents } from './unfold-components.ts';
import { verifySnapshot } from './verify-point.ts';
import { writeManifest } from './write-manifest.ts';

export type TakePointInput = {
  readonly targetId: string;
  readonly cause: PointCause;
  /** The whole target unless told. */
  readonly selection?: PointSelection;
  /** Told to the caller before the work began; made now when nobody did. */
  readonly pointId?: PointId;
  /** Kept in the manifest as it is. */
  readonly metadata?: Manifest['metadata'];
};

/**
 * Takes one recovery point: pipeline idle → inserts held → capture → released → streams stored → manifest → one run of the
 * repository → verified. The point exists when the repository holds its manifest; the catalogue follows.
 * @returns the point as it stands in the catalogue; `partial` when something of the target is not in it
 * @throws AppError `backup/capture-failed`, `repository/…`, `storage/full`; the signal's reason. The row says `error` then.
 */
export async function takePoint(
  deps: BackupDeps,
  input: TakePointInput,
  context: OperationContext,
): Promise<RecoveryPoint> {
  const { clock, db, points, events } = deps;
  const guarded = deps.requireTarget(input.targetId);
  const selection = input.selection ?? wholeTarget;
  await context.phase('preparing');
  const repositoryId = await openRepository(deps.repository, deps.knownRepository, context);
  const startedMs = clock.now();
  const id = input.pointId ?? newPointId(startedMs, deps.random);
  const row: RecoveryPoint = {
    id,
    targetId: input.targetId,
    scope: selection.workspace === undefined ? 'target' : 'workspace',
    workspace: selection.workspace ?? null,
    cause: input.cause,
    status: 'running',
    grade: null,
    takenMs: startedMs,
    startedMs,
    finishedMs: null,
    verifiedMs: null,
    forgottenMs: null,
    repositoryId,
    treeId: null,
    logicalBytes: 0,
    storedBytes: null,
    manifest: null,
    error: null,
    pinned: false,
    operationId: context.id,
  };
  await db.unit((tx) => points.insert(tx, row));
  await deps.step('backup:listed');
  try {
    const point = await captureAndStore(deps, guarded, row, { selection, metadata: input.metadata }, context);
    await deps.step('backup:verified');
    await db.unit(async (tx) => {
      await points.update(tx, id, point);
      await events.record(tx, {
        type: 'backup.point-taken',
        severity: point.status === 'success' ? 'info' : 'warning',
        targetId: input.targetId,
        operationId: context.id,
        message: `Recovery point ${id} was taken and verified (${point.grade}${point.status === 'partial' ? ', partial' : ''}).`,
        data: { id, cause: input.cause, grade: point.grade, bytes: point.logicalBytes, added_bytes: point.storedBytes },
      });
    });
    tellOfPoint(deps, point);
    await deps.step('backup:catalogued');
    if (point.status === 'partial') context.markPartial();
    return point;
  } catch (err) {
    await db.unit(async (tx) => {
      await points.update(tx, id, { status: 'error', finishedMs: clock.now(), error: describeError(err) });
      await events.record(tx, {
        type: 'backup.point-failed',
        severity: 'error',
        targetId: input.targetId,
        operationId: context.id,
        message: `No recovery point of ${input.targetId}: ${describeError(err)}`,
        data: { id, cause: input.cause },
      });
    });
    throw err;
  }
}

/** The point exists and is listed: who is told of it cannot undo that. */
function tellOfPoint({ onPoint, log }: BackupDeps, point: RecoveryPoint): void {
  try {
    onPoint(point);
  } catch (err) {
    log.error({ err, point: point.id }, 'a point was taken, and who is told of it failed');
  }
}

async function captureAndStore(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  row: RecoveryPoint,
  wanted: { selection: PointSelection; metadata: Manifest['metadata'] },
  context: OperationContext,
  isSecondTry = false,
): Promise<RecoveryPoint> {
  const { clock } = deps;
  const { target } = guarded;
  const { selection } = wanted;
  const observation = await guarded.observe();
  const sources = guarded.sources(observation, selection);
  if (sources.length === 0)
    throw new AppError(
      'backup/capture-failed',
      `Nothing of ${target.id} can be backed up: set WORKING_DIR (target.working_dir) to the folder of its data.`,
    );
  const staging = await prepareStaging(deps.stagingDir, target.id, selection.workspace);
  const pointTags = [`rp:${row.id}`, `target:${target.id}`];
  const point = await capturePoint(
    deps,
    guarded,
    {
      pointId: row.id,
      sources,
      staging,
      // Whoever restores is waiting.
      idleWaitMs: row.cause === 'safety' ? Math.min(deps.quiet.idleWaitMs, 2_000) : deps.quiet.idleWaitMs,
      tags: pointTags,
    },
    context,
  );
  const { takenMs } = point;

  await context.phase('inspecting');
  const { inspection, audited } = await inspectCaptured(
    guarded,
    { captured: point.captured, staging, selection, observation },
    context,
  );
  await context.phase('unfolding');
  const { captured, unfolded, paths, excludes } = await unfoldComponents(deps, {
    captured: point.captured,
    staging,
    context,
  });
  await deps.step('backup:unfolded');
  const previous = await deps.points.newest(target.id, 'any', selection.workspace);
  const lastGood = await deps.points.newest(target.id, 'good', selection.workspace);
  const manifest = await writeManifest(deps, {
    previous,
    lastGood,
    datedLater: await findDatedLater(deps.points, target.id, point.takenMs),
    guarded,
    row,
    selection,
    point: { ...point, captured },
    unfolded,
    observation,
    inspection,
    audited,
    staging,
    metadata: wanted.metadata,
  });
  await deps.step('backup:manifest-staged');

  await context.phase('uploading');
  await context.checkHeld();
  const tags = [
    ...pointTags,
    'manifest',
    ...(selection.workspace === undefined ? [] : [`workspace:${selection.workspace}`]),
    ...captured.map((one) => `component:${one.name}`),
  ];
  const stored = await deps.repository.backup({
    cwd: staging.root,
    paths: [...captured.flatMap((one) => [componentPath(one.name), entriesPath(one.name)]), ...paths, manifestFile],
    excludes,
    tags,
    host: `ragwarden-${target.id}`,
    signal: context.signal,
    operationId: context.id,
    onProgress: (progress) => context.progress(progress),
  });
  await deps.step('backup:uploaded');
  if (stored.unreadable) {
    // The snapshot lacks a file that its manifest promises: it must not pass for a point.
    await deps.repository.forget({ snapshotIds: [stored.snapshotId] });
    throw new AppError(
      'backup/capture-failed',
      `Something of the staging tree could not be read: ${stored.warnings[0]?.message ?? 'the repository tool did not say what'}.`,
    );
  }

  for (const source of sources) {
    const altered = await source.findAltered?.(staging.componentFolder(source.name));
    if (altered === undefined) continue;
    // With the streams of this try, which would else stay under the tag of the point.
    const ofTry = await deps.repository.snapshots({ tags: [`rp:${row.id}`], signal: context.signal });
    await deps.repository.forget({ snapshotIds: ofTry.map((one) => one.id) });
    if (isSecondTry)
      throw new AppError('backup/capture-failed', `${source.name}: ${altered} changed while it was stored. Try again.`);
    // The next capture sees that the backend writes into its files, and copies them.
    return captureAndStore(deps, guarded, row, wanted, context, true);
  }

  await context.phase('verifying');
  const entries = new Map(captured.map((one) => [one.name, one.entries]));
  try {
    await verifySnapshot(deps, {
      snapshotId: stored.snapshotId,
      manifest,
      entries,
      unfolded,
      listing: stored.entries,
      context,
    });
  } catch (err) {
    // It stays for whoever looks into the failure, and a rebuilt catalogue must not take it for a point.
    if (isAppError(err) && err.code === 'backup/verification-failed') await markRejected(deps, stored.snapshotId);
    throw err;
  }
  const taken: RecoveryPoint = {
    ...row,
    status: manifest.partial ? 'partial' : 'success',
    grade: manifest.grade,
    takenMs,
    finishedMs: clock.now(),
    verifiedMs: clock.now(),
    treeId: stored.treeId,
    logicalBytes: manifest.components.reduce((sum, one) => sum + one.bytes, 0),
    storedBytes: stored.bytesAddedPacked ?? stored.bytesAdded,
    manifest,
  };
  await context.phase('noting');
  const snapshot = { id: stored.snapshotId, tags };
  await noteFacts(deps, taken, { signal: context.signal, operationId: context.id }, snapshot);
  await deps.step('backup:noted');
  return taken;
}
