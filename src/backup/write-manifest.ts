import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isoInstant } from '../platform/clock.ts';
import type { Observation, Target } from '../targets/index.ts';
import { type AuditedStores, homeOfStorage } from './audited-stores.ts';
import type { BackupDeps, Inspection, ProtectedTarget } from './backup-deps.ts';
import type { CapturedPoint } from './capture-point.ts';
import { partsByWorkspace } from './graphs/part.ts';
import { inspectedName } from './inspected-component.ts';
import { type Manifest, type ManifestComponent, manifestFile, renderManifest } from './manifest.ts';
import { type PointId, type RecoveryPoint, worstGrade } from './point.ts';
import { includeSwitchOf, leftOutPrefix, type PointSelection } from './selection.ts';
import type { CaptureResult, ProofGrade, RestoreRecipe } from './sources/source.ts';
import { entriesPath, entryLines, type Staging, writeWhole } from './staging.ts';
import type { UnfoldedEntry } from './unfold/index.ts';
import { bytesOf, type StoredPoint } from './unfold-components.ts';

/** Puts together what a point says of itself and writes it, with the lists of entries, into the staging tree. */
export async function writeManifest(
  deps: Pick<BackupDeps, 'auditHead' | 'wardenVersion'>,
  facts: {
    previous: RecoveryPoint | undefined;
    /** The newest that was complete and verified. */
    lastGood: RecoveryPoint | undefined;
    /** Points that were there before and bear a later date. */
    datedLater: readonly PointId[];
    guarded: ProtectedTarget;
    row: RecoveryPoint;
    selection: PointSelection;
    point: CapturedPoint;
    unfolded: StoredPoint['unfolded'];
    observation: Observation | undefined;
    inspection: Inspection | undefined;
    audited: AuditedStores['homes'];
    staging: Staging;
    metadata: Manifest['metadata'];
  },
): Promise<Manifest> {
  const { guarded, row, observation, inspection, staging, selection, point } = facts;
  const { captured, barrier } = point;
  const { target } = guarded;
  const workspaces = guarded.workspaces();
  const components: ManifestComponent[] = [];
  for (const one of captured) {
    const { sha256 } = await writeWhole(staging.entriesFile(one.name), entryLines(one.entries));
    components.push({
      ...componentOf(one, sha256, {
        unfolded: facts.unfolded.get(one.name) ?? [],
        durationMs: point.tookMs.get(one.name),
      }),
      // Whoever wants one workspace back sees how much that is, and whether two points hold the same of it.
      ...(selection.workspace === undefined && workspaces.length > 1 && one.kind === 'files'
        ? { workspaces: partsByWorkspace(one.entries, workspaces) }
        : {}),
    });
  }
  const missing = [
    ...leftOut(guarded, selection),
    ...missingComponents(guarded, captured, observation, selection),
    // Its own folder beside the project is a component of its own.
    ...(inspection?.missing ?? []).filter(({ name }) => !captured.some((one) => one.name === `${name}s`)),
    ...emptiedComponents(captured, facts),
  ];
  const together = decideTogether(point);
  const manifest: Manifest = {
    format: 'ragwarden-recovery-point',
    version: 2,
    id: row.id,
    target: {
      id: target.id,
      kind: observation?.kind ?? 'unknown',
      core_version: observation?.coreVersion ?? null,
      api_version: observation?.apiVersion ?? null,
      workspaces: row.workspace === null ? [...workspaces] : [row.workspace],
      storage_classes: { ...observation?.storageClasses },
      embedding_model: observation?.embeddingModel ?? null,
      embedding_dimension: inspection?.embeddingDimension ?? null,
    },
    scope: row.scope,
    ...(row.workspace === null ? {} : { workspace: row.workspace }),
    cause: row.cause,
    taken_at: isoInstant(point.takenMs),
    grade: worstGrade([...components.map((one) => one.proof.grade), together.grade]),
    reasons: [
      ...components.flatMap((one) => one.proof.reasons.map((reason) => `${one.name}: ${reason}`)),
      ...together.reasons,
      ...(barrier.held ? [] : [`inserts were not held meanwhile: ${barrier.reason}`]),
      ...(inspection?.faults ?? []).map((fault) => `${inspectedName(captured) ?? 'workspace'}: ${fault.message}`),
    ],
    barrier,
    partial: components.some((one) => one.partial) || missing.length > 0,
    total_size_mb: Math.round((components.reduce((sum, one) => sum + one.bytes, 0) / 1024 ** 2) * 1000) / 1000,
    components,
    missing,
    documents: observation?.documents ? { ...observation.documents } : null,
    counts: inspection ? { ...inspection.counts } : null,
    ...(inspection
      ? {
          ...(inspection.audit ? { content_audit: inspection.audit, content_stores: { ...facts.audited } } : {}),
          content_faults: inspection.faults.map((fault) => ({ ...fault })),
        }
      : {}),
    ...(facts.metadata === undefined ? {} : { metadata: facts.metadata }),
    audit: await deps.auditHead(),
    warden_version: deps.wardenVersion,
    taken_after: [...facts.datedLater],
    started_at: isoInstant(row.startedMs),
    operation_id: row.operationId,
  };
  await rm(join(staging.root, manifestFile), { force: true });
  await writeWhole(join(staging.root, manifestFile), [renderManifest(manifest)]);
  return manifest;
}

const componentOf = (
  one: CaptureResult,
  entriesSha256: string,
  { unfolded, durationMs }: { unfolded: readonly UnfoldedEntry[]; durationMs: number | undefined },
): ManifestComponent => ({
  name: one.name,
  kind: one.kind,
  entries_file: entriesPath(one.name),
  entries_sha256: entriesSha256,
  tree_sha256: one.treeSha256,
  files: one.files,
  bytes: one.bytes,
  ...(unfolded.length === 0 ? {} : { unfolded: { files: unfolded.length, bytes: bytesOf(unfolded) } }),
  ...(one.streams.length === 0
    ? {}
    : { streams: one.streams.map((stream) => ({ ...stream, sha256: stream.sha256 ?? null })) }),
  ...(one.counts === undefined ? {} : { counts: { ...one.counts } }),
  ...(durationMs === undefined ? {} : { duration_ms: durationMs }),
  partial: one.partial,
  proof: { grade: one.proof.grade, reasons: [...one.proof.reasons] },
  skipped: one.skipped.map((item) => ({ ...item })),
  damaged: one.damaged.map((item) => ({ ...item })),
  notes: [...one.notes],
  restore: recipeOf(one.restore),
});

function recipeOf(recipe: RestoreRecipe): ManifestComponent['restore'] {
  switch (recipe.by) {
    case 'folder-swap':
      return { by: 'folder-swap', folder: recipe.folder, keep: recipe.keep.map((item) => ({ ...item })) };
    case 'restorer':
      return { by: 'restorer', details: structuredClone(recipe.details) as Record<string, never> };
    case 'by-hand':
      return { ...recipe };
  }
}

/**
 * Each store may be of one moment in itself, and they still be of different ones: only rest before the first and after the
 * last shows that they belong together.
 */
function decideTogether({ captured, rested }: CapturedPoint): { grade: ProofGrade; reasons: string[] } {
  const stores = captured.filter((one) => one.kind !== 'config' && one.name !== 'inputs').map((one) => one.name);
  if (stores.length < 2 || rested === true) return { grade: 'consistent', reasons: [] };
  return {
    grade: 'crash-consistent',
    reasons: [
      `${stores.join(' and ')} were captured one after the other ${rested === false ? 'while the backend was at work' : 'and the backend does not say whether it rested'}`,
    ],
  };
}

/** Asked for without a part that the target has: the point exists, and is not the whole. */
function leftOut(guarded: ProtectedTarget, selection: PointSelection): { name: string; reason: string }[] {
  return guarded.componentKinds().flatMap(({ name, kind }) => {
    const include = includeSwitchOf(kind);
    // Our own state is nothing that the target has, and nobody's configuration belongs to one workspace.
    const isOurs = name === 'ragwarden-state' || (kind === 'config' && selection.workspace !== undefined);
    return include !== undefined && !isOurs && !selection.include[include]
      ? [{ name, reason: `${leftOutPrefix} (include_${include} was false)` }]
      : [];
  });
}

const emptiedPrefix = 'its folder is empty, while';
const onPurpose = 'where it was emptied on purpose, any file in it (an empty one named .keep) says so';

/**
 * A folder that is empty now and was not before is more likely lost than cleared: such a point is never a complete one, and
 * neither are those after it, which would otherwise find nothing amiss. Inputs come and go, so of them it is said once.
 */
export function emptiedComponents(
  captured: readonly Pick<CaptureResult, 'name' | 'kind' | 'files'>[],
  before: {
    readonly previous: RecoveryPoint | undefined;
    readonly lastGood: RecoveryPoint | undefined;
    readonly observation: Observation | undefined;
  },
): { name: string; reason: string }[] {
  const { previous, lastGood, observation } = before;
  return captured.flatMap(({ name, kind, files }) => {
    if (kind !== 'files' || files > 0 || wasCleared(name, captured, observation)) return [];
    for (const point of name === 'inputs' ? [previous] : [previous, lastGood]) {
      const held = point?.manifest?.components.find((component) => component.name === name)?.files ?? 0;
      if (point && held > 0)
        return [{ name, reason: `${emptiedPrefix} ${point.id} held ${held} files of it; ${onPurpose}` }];
    }
    // Where nothing is ever complete, what the point before said of it still holds.
    const said = previous?.manifest?.missing.find(
      (one) => one.name === name && name !== 'inputs' && one.reason.startsWith(emptiedPrefix),
    );
    return said ? [{ name, reason: said.reason }] : [];
  });
}

/**
 * A backend that tells of no document may have been started on the empty folder of a volume that is not there. It is believed where
 * its answer comes from elsewhere; and of inputs, where its own files are still there, which stay when it clears itself.
 */
function wasCleared(
  name: string,
  captured: readonly Pick<CaptureResult, 'name' | 'kind' | 'files'>[],
  observation: Observation | undefined,
): boolean {
  const counts = observation?.documents && Object.values(observation.documents);
  if (counts === undefined || counts.length === 0 || counts.some((count) => count > 0)) return false;
  const storage = observation?.storageClasses?.doc_status_storage;
  if (storage !== undefined && homeOfStorage(storage) !== 'files') return true;
  return name === 'inputs' && captured.some((one) => one.name === 'workspace' && one.files > 0);
}

/** Folders that a whole point of such a target has, and the settings that name them. */
function expectedFolders({ kind, stores }: Target): readonly (readonly [name: string, setting: string])[] {
  const named = stores.map(({ name }) => [name, ''] as const);
  switch (kind) {
    case 'lightrag':
      return [
        ['workspace', 'WORKING_DIR'],
        ['inputs', 'INPUT_DIR'],
      ];
    case 'graphrag':
      return [['project', 'WORKING_DIR'], ...named.filter(([name]) => name !== 'project')];
    case 'custom':
      return named;
  }
}

/** What the target has and these components are not, each with the reason. */
export function missingComponents(
  { target, holderOf }: Pick<ProtectedTarget, 'target' | 'holderOf'>,
  captured: readonly Pick<CaptureResult, 'name' | 'kind'>[],
  observation: Observation | undefined,
  selection: PointSelection,
): { name: string; reason: string }[] {
  const missing: { name: string; reason: string }[] = [];
  if (selection.include.workspaces)
    for (const [name, setting] of expectedFolders(target)) {
      const store = target.stores.find((one) => one.name === name);
      if (!store) missing.push({ name, reason: `its folder is not configured (${setting})` });
      else if (!captured.some((one) => one.name === name))
        missing.push({ name, reason: `its folder ${store.path} does not exist` });
    }
  const kinds = new Set(captured.map((one) => one.kind));
  for (const [role, storage] of Object.entries(observation?.storageClasses ?? {})) {
    const home = homeOfStorage(storage);
    const holder = holderOf(storage);
    if (home === 'files' || captured.some(({ name }) => name === holder)) continue;
    if (home === undefined)
      missing.push({ name: role, reason: `the backend keeps it in ${storage}, which is not captured` });
    else if (!kinds.has(home) && selection.include.database)
      missing.push({
        name: role,
        reason: `the backend keeps it in ${storage}, and no ${placeOf[home]} of the target was captured`,
      });
  }
  return missing;
}

const placeOf = {
  postgres: 'PostgreSQL (DATABASE_URL or POSTGRES_…)',
  redis: 'Redis (REDIS_URI)',
  qdrant: 'Qdrant (QDRANT_URL)',
} as const;
