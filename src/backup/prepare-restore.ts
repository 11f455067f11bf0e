import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../platform/errors.ts';
import type { Observation } from '../targets/index.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { foldingBytes } from './fold-component.ts';
import type { Manifest, ManifestComponent } from './manifest.ts';
import type { RecoveryPoint } from './point.ts';
import { incomingOf, planSwap, requireSafeEntries, type SwapPlan, surveyFolder } from './restore/index.ts';
import { planIdOf, type RestorePlanReport, reportComponent } from './restore-plan-report.ts';
import type { TreeEntry } from './sources/tree.ts';
import { readEntries } from './staging.ts';
import { findManifestSnapshot } from './verify-point.ts';

export type PlannedComponent = {
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
    const incoming = incomingOf(entries);
    const spaceBytes = incoming.spaceBytes + foldingBytes(one.component, entries);
    planned.push({ name: one.component.name, plan: planSwap(survey, { ...incoming, spaceBytes }, one.keep) });
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
