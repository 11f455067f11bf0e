import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OperationContext } from '../operations/index.ts';
import { isoInstant } from '../platform/clock.ts';
import { AppError, describeError, isAppError } from '../platform/errors.ts';
import { isIdle, type Observation, type Target } from '../targets/index.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { markRejected, noteFacts } from './catalogue/index.ts';
import { type Manifest, type ManifestComponent, manifestFile, renderManifest } from './manifest.ts';
import { openRepository } from './open-repository.ts';
import { newPointId, type PointCause, type RecoveryPoint, worstGrade } from './point.ts';
import type { CaptureResult, RestoreRecipe } from './sources/source.ts';
import { componentPath, entriesPath, entryLines, prepareStaging, type Staging, writeWhole } from './staging.ts';
import { verifySnapshot } from './verify-point.ts';

export type TakePointInput = { readonly targetId: string; readonly cause: PointCause };

/**
 * Takes one recovery point of a whole target: capture → proof → manifest → one run of the repository → verified.
 * The point exists when the repository holds its manifest; the catalogue follows.
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
  await context.phase('preparing');
  const repositoryId = await openRepository(deps.repository, deps.knownRepository, context);
  const startedMs = clock.now();
  const id = newPointId(startedMs, deps.random);
  const row: RecoveryPoint = {
    id,
    targetId: input.targetId,
    scope: 'target',
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
    const point = await captureAndStore(deps, guarded, row, context);
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
    deps.onPoint(point);
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

async function captureAndStore(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  row: RecoveryPoint,
  context: OperationContext,
  isSecondTry = false,
): Promise<RecoveryPoint> {
  const { clock } = deps;
  const { target } = guarded;
  const observation = await guarded.observe();
  const sources = guarded.sources(observation);
  if (sources.length === 0)
    throw new AppError(
      'backup/capture-failed',
      `Nothing of ${target.id} can be backed up: set WORKING_DIR (target.working_dir) to the folder of its data.`,
    );
  const staging = await prepareStaging(deps.stagingDir, target.id);

  await context.phase('capturing');
  const takenMs = clock.now();
  const captured: CaptureResult[] = [];
  for (const source of sources) {
    captured.push(
      await source.capture(staging.componentFolder(source.name), {
        signal: context.signal,
        clock,
        idle: async () => {
          const seen = await guarded.observe();
          return seen && isIdle(seen);
        },
        onProgress: (progress) =>
          context.progress({
            bytesDone: progress.bytes,
            bytesTotal: progress.totalBytes,
            filesDone: progress.files,
            filesTotal: progress.totalFiles,
          }),
      }),
    );
    await deps.step(`backup:captured-${source.name}`);
  }

  await context.phase('inspecting');
  const workspace = captured.find((one) => one.name === 'workspace');
  const inspection = workspace && (await guarded.inspect(staging.componentFolder(workspace.name), context.signal));
  const previous = await deps.points.newest(target.id);
  const manifest = await writeManifest(deps, {
    previous,
    guarded,
    row,
    takenMs,
    captured,
    observation,
    inspection,
    staging,
  });
  await deps.step('backup:manifest-staged');

  await context.phase('uploading');
  await context.checkHeld();
  const tags = [`rp:${row.id}`, 'manifest', `target:${target.id}`, ...captured.map((one) => `component:${one.name}`)];
  const stored = await deps.repository.backup({
    cwd: staging.root,
    paths: [...captured.flatMap((one) => [componentPath(one.name), entriesPath(one.name)]), manifestFile],
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
    await deps.repository.forget({ snapshotIds: [stored.snapshotId] });
    if (isSecondTry)
      throw new AppError('backup/capture-failed', `${source.name}: ${altered} changed while it was stored. Try again.`);
    // The next capture sees that the backend writes into its files, and copies them.
    return captureAndStore(deps, guarded, row, context, true);
  }

  await context.phase('verifying');
  const entries = new Map(captured.map((one) => [one.name, one.entries]));
  try {
    await verifySnapshot(deps, { snapshotId: stored.snapshotId, manifest, entries, context });
  } catch (err) {
    // It stays for whoever looks into the failure, and a rebuilt catalogue must not take it for a point.
    if (isAppError(err) && err.code === 'backup/verification-failed') await markRejected(deps, stored.snapshotId);
    throw err;
  }
  const point: RecoveryPoint = {
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
  await noteFacts(deps, point, { signal: context.signal, operationId: context.id }, snapshot);
  await deps.step('backup:noted');
  return point;
}

async function writeManifest(
  deps: BackupDeps,
  facts: {
    previous: RecoveryPoint | undefined;
    guarded: ProtectedTarget;
    row: RecoveryPoint;
    takenMs: number;
    captured: readonly CaptureResult[];
    observation: Observation | undefined;
    inspection: Awaited<ReturnType<ProtectedTarget['inspect']>>;
    staging: Staging;
  },
): Promise<Manifest> {
  const { guarded, row, captured, observation, inspection, staging } = facts;
  const { target } = guarded;
  const components: ManifestComponent[] = [];
  for (const one of captured) {
    const { sha256 } = await writeWhole(staging.entriesFile(one.name), entryLines(one.entries));
    components.push({
      name: one.name,
      kind: one.kind,
      entries_file: entriesPath(one.name),
      entries_sha256: sha256,
      tree_sha256: one.treeSha256,
      files: one.files,
      bytes: one.bytes,
      partial: one.partial,
      proof: { grade: one.proof.grade, reasons: [...one.proof.reasons] },
      skipped: one.skipped.map((item) => ({ ...item })),
      damaged: one.damaged.map((item) => ({ ...item })),
      notes: [...one.notes],
      restore: recipeOf(one.restore),
    });
  }
  const missing = [...missingComponents(target, captured, observation), ...emptiedComponents(captured, facts.previous)];
  const manifest: Manifest = {
    format: 'ragwarden-recovery-point',
    version: 1,
    id: row.id,
    target: {
      id: target.id,
      kind: observation?.kind ?? 'unknown',
      core_version: observation?.coreVersion ?? null,
      api_version: observation?.apiVersion ?? null,
      workspaces: [...target.workspaces],
      storage_classes: { ...observation?.storageClasses },
      embedding_model: observation?.embeddingModel ?? null,
      embedding_dimension: inspection?.embeddingDimension ?? null,
    },
    scope: row.scope,
    cause: row.cause,
    taken_at: isoInstant(facts.takenMs),
    grade: worstGrade(components.map((one) => one.proof.grade)),
    reasons: [
      ...components.flatMap((one) => one.proof.reasons.map((reason) => `${one.name}: ${reason}`)),
      'inserts were not held meanwhile: no gateway stands before the backend',
      ...(inspection?.faults ?? []).map((fault) => `workspace: ${fault.message}`),
    ],
    partial: components.some((one) => one.partial) || missing.length > 0,
    total_size_mb: Math.round((components.reduce((sum, one) => sum + one.bytes, 0) / 1024 ** 2) * 1000) / 1000,
    components,
    missing,
    documents: observation?.documents ? { ...observation.documents } : null,
    counts: inspection ? { ...inspection.counts } : null,
    audit: await deps.auditHead(),
    warden_version: deps.wardenVersion,
    started_at: isoInstant(row.startedMs),
    operation_id: row.operationId,
  };
  await rm(join(staging.root, manifestFile), { force: true });
  await writeWhole(join(staging.root, manifestFile), [renderManifest(manifest)]);
  return manifest;
}

function recipeOf(recipe: RestoreRecipe): ManifestComponent['restore'] {
  switch (recipe.by) {
    case 'folder-swap':
      return { by: 'folder-swap', folder: recipe.folder, keep: recipe.keep.map((item) => ({ ...item })) };
    case 'stream':
      return { by: 'stream', program: recipe.program, streams: [...recipe.streams] };
    case 'by-hand':
      return { ...recipe };
  }
}

/** A folder that is empty now and was not before is more likely lost than cleared: such a point is never a complete one. */
function emptiedComponents(
  captured: readonly CaptureResult[],
  previous: RecoveryPoint | undefined,
): { name: string; reason: string }[] {
  return captured.flatMap((one) => {
    const before = previous?.manifest?.components.find((component) => component.name === one.name)?.files ?? 0;
    return one.files === 0 && before > 0 && previous
      ? [{ name: one.name, reason: `its folder is empty, while ${previous.id} held ${before} files of it` }]
      : [];
  });
}

function missingComponents(
  target: Target,
  captured: readonly CaptureResult[],
  observation: Observation | undefined,
): { name: string; reason: string }[] {
  const missing: { name: string; reason: string }[] = [];
  for (const [name, setting] of [
    ['workspace', 'WORKING_DIR'],
    ['inputs', 'INPUT_DIR'],
  ] as const) {
    const store = target.stores.find((one) => one.name === name);
    if (!store) missing.push({ name, reason: `its folder is not configured (${setting})` });
    else if (!captured.some((one) => one.name === name))
      missing.push({ name, reason: `its folder ${store.path} does not exist` });
  }
  for (const [role, storage] of Object.entries(observation?.storageClasses ?? {}))
    if (!fileStorages.has(storage))
      missing.push({ name: role, reason: `the backend keeps it in ${storage}, which is not captured` });
  return missing;
}

/** LightRAG's storage classes whose data lies in the working folder. */
const fileStorages = new Set([
  'JsonKVStorage',
  'JsonDocStatusStorage',
  'NetworkXStorage',
  'NanoVectorDBStorage',
  'FaissVectorDBStorage',
]);
