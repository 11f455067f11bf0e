import type { Manifest } from '../manifest.ts';
import { isPointId, isRestorable, type PointId, type RecoveryPoint } from '../point.ts';
import { factsOfTags, type PointFacts, tagChanges, tagsOfFacts } from './facts.ts';

/** What the repository holds under one point's tag. */
export type FoundPoint = {
  readonly id: string;
  /** Of its manifest; several only after an interrupted change of tags, and then with one tree. */
  readonly snapshotIds: readonly string[];
  readonly treeIds: readonly string[];
  /** Of all of them together. */
  readonly tags: readonly string[];
  /** Undefined: not read, because the catalogue knows this very tree. */
  readonly manifest: Manifest | undefined;
  /** Why it cannot be taken for a point. */
  readonly refused: string | undefined;
};

export type CatalogueAction = 'add' | 'complete' | 'keep' | 'lost' | 'mismatch' | 'refuse' | 'leave';

export type CatalogueItem = {
  readonly pointId: string;
  readonly targetId: string | null;
  readonly action: CatalogueAction;
  readonly reason: string;
  /** The row that is written: for `add` the whole one, for `complete` and `lost` what changes. */
  readonly row?: RecoveryPoint;
  readonly change?: Partial<Omit<RecoveryPoint, 'id' | 'targetId'>>;
  /** What the repository does not say yet. */
  readonly tags?: { readonly snapshotIds: readonly string[]; readonly add: string[]; readonly remove: string[] };
};

/**
 * Compares the catalogue with what the repository holds; nothing is done here. The repository says which points exist, the
 * catalogue keeps what it knows of them: no row is deleted, none that was forgotten comes back, none that is being taken is touched.
 * @param rows  all of the catalogue, read before the repository was listed: a point that is taken meanwhile is then no surprise
 * @param found by point
 * @returns in the order of ids
 */
export function planCatalogue(
  rows: readonly RecoveryPoint[],
  found: readonly FoundPoint[],
  repositoryId: string,
): CatalogueItem[] {
  const rowOf = new Map(rows.map((row) => [row.id, row]));
  const items = found.map((one) => planFound(one, rowOf.get(one.id), repositoryId));
  const present = new Set(found.map((one) => one.id));
  for (const row of rows) {
    if (present.has(row.id) || !isRestorable(row)) continue;
    items.push(
      row.repositoryId === repositoryId
        ? {
            ...about(row.id, row.targetId),
            action: 'lost',
            reason: 'the catalogue says that it exists, and the repository does not hold it',
            change: { status: 'lost', error: 'the repository does not hold it any more, and nobody forgot it' },
          }
        : { ...about(row.id, row.targetId), action: 'leave', reason: 'it lies in another repository' },
    );
  }
  return items.sort((a, b) => (a.pointId < b.pointId ? -1 : a.pointId > b.pointId ? 1 : 0));
}

function planFound(found: FoundPoint, row: RecoveryPoint | undefined, repositoryId: string): CatalogueItem {
  const head = about(found.id, row?.targetId ?? found.manifest?.target.id ?? null);
  const is = (action: CatalogueAction, reason: string): CatalogueItem => ({ ...head, action, reason });
  if (row?.status === 'running') return is('leave', 'it is being taken');
  if (row && row.forgottenMs !== null)
    return is('keep', 'it was forgotten; what the repository still holds of it is a leftover');
  if (row?.status === 'error') return is('keep', 'its run failed; what it stored does not count');
  if (found.refused !== undefined) return is('refuse', found.refused);
  const [treeId = null, ...others] = found.treeIds;
  if (others.length > 0) return is('refuse', 'two different snapshots claim to be this point');
  if (!row || row.status === 'lost') {
    if (!found.manifest) return is('refuse', 'its manifest was not read');
    const { made, note } = pointOf(found, found.manifest, treeId, repositoryId);
    return row
      ? { ...is('add', `it was lost and is there again${note}`), change: withoutKeys(made, row) }
      : { ...is('add', `the catalogue does not know it${note}`), row: made };
  }
  if (row.treeId !== null && row.treeId !== treeId)
    return is('mismatch', 'the repository holds another tree under this id than the catalogue recorded');
  if (found.manifest && row.manifest) {
    const differing = differences(row, found.manifest);
    if (differing.length > 0)
      return is('mismatch', `the manifest in the repository differs from the catalogue: ${differing.join(', ')}`);
  }
  return planKnown(found, row, { head, treeId, repositoryId });
}

/** Both know the point and agree on what it is: each learns from the other what it does not know. */
function planKnown(
  found: FoundPoint,
  row: RecoveryPoint,
  { head, treeId, repositoryId }: { head: ReturnType<typeof about>; treeId: string | null; repositoryId: string },
): CatalogueItem {
  const { facts } = factsOfTags(found.tags);
  const manifest = row.manifest ?? found.manifest ?? null;
  const change: Record<string, unknown> = {};
  const learn = (name: keyof RecoveryPoint, value: unknown): void => {
    if (row[name] === null && value !== null && value !== undefined) change[name] = value;
  };
  learn('treeId', treeId);
  learn('manifest', found.manifest);
  learn('finishedMs', facts.finishedMs);
  learn('storedBytes', facts.storedBytes);
  learn('operationId', facts.operationId);
  if (facts.verifiedMs !== null && facts.verifiedMs > (row.verifiedMs ?? 0)) change.verifiedMs = facts.verifiedMs;
  if (row.repositoryId !== repositoryId) change.repositoryId = repositoryId;
  const after: RecoveryPoint = { ...row, ...change };
  const changes = tagChanges(found.tags, tagsOfFacts(after, manifest));
  const tags =
    changes.add.length + changes.remove.length > 0 ? { tags: { snapshotIds: found.snapshotIds, ...changes } } : {};
  const learned = Object.keys(change);
  const said = [
    ...(learned.length > 0 ? [`the catalogue learns ${learned.join(', ')}`] : []),
    ...('tags' in tags ? ['the repository learns what the catalogue knows'] : []),
  ];
  return said.length === 0
    ? { ...head, action: 'keep', reason: 'both agree' }
    : {
        ...head,
        action: 'complete',
        reason: said.join('; '),
        ...(learned.length > 0 ? { change } : {}),
        ...tags,
      };
}

/** The row of a point as its manifest and its tags tell it; what nobody noted is null. */
function pointOf(
  found: FoundPoint,
  manifest: Manifest,
  treeId: string | null,
  repositoryId: string,
): { made: RecoveryPoint; note: string } {
  const { facts, unreadable } = factsOfTags(found.tags);
  const made: RecoveryPoint = {
    id: manifest.id,
    targetId: manifest.target.id,
    scope: manifest.scope,
    workspace: manifest.workspace ?? null,
    cause: manifest.cause,
    status: manifest.partial ? 'partial' : 'success',
    grade: manifest.grade,
    takenMs: Date.parse(manifest.taken_at),
    startedMs:
      manifest.started_at === undefined
        ? (facts.startedMs ?? secondOfId(manifest.id))
        : Date.parse(manifest.started_at),
    finishedMs: facts.finishedMs,
    verifiedMs: facts.verifiedMs,
    forgottenMs: null,
    repositoryId,
    treeId,
    logicalBytes: manifest.components.reduce((sum, one) => sum + one.bytes, 0),
    storedBytes: facts.storedBytes,
    manifest,
    error: null,
    pinned: facts.pinned,
    operationId: manifest.operation_id === undefined ? facts.operationId : manifest.operation_id,
  };
  const missing = (['finishedMs', 'verifiedMs', 'storedBytes'] as const).filter((name) => made[name] === null);
  const notes = [
    ...(missing.length > 0 ? [`nobody noted ${missing.map((name) => words[name]).join(', ')}`] : []),
    ...(unreadable.length > 0 ? [`not understood: ${unreadable.join(', ')}`] : []),
  ];
  return { made, note: notes.length > 0 ? ` (${notes.join('; ')})` : '' };
}

const words: Record<keyof Pick<PointFacts, 'finishedMs' | 'verifiedMs' | 'storedBytes'>, string> = {
  finishedMs: 'when it was finished',
  verifiedMs: 'whether it was verified',
  storedBytes: 'how much it added',
};

/** Ids carry the second in which the run began; manifests of earlier versions say no more. */
function secondOfId(id: PointId): number {
  const [, year, month, day, hour, minute, second] =
    /^backup_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)_/.exec(id)?.map(Number) ?? [];
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
}

function differences(row: RecoveryPoint, manifest: Manifest): string[] {
  const known: [string, unknown, unknown][] = [
    ['target', row.targetId, manifest.target.id],
    ['scope', row.scope, manifest.scope],
    ['workspace', row.workspace, manifest.workspace ?? null],
    ['cause', row.cause, manifest.cause],
    ['grade', row.grade, manifest.grade],
    ['time', row.takenMs, Date.parse(manifest.taken_at)],
    ['status', row.status, manifest.partial ? 'partial' : 'success'],
    ['components', JSON.stringify(row.manifest?.components), JSON.stringify(manifest.components)],
  ];
  return known.filter(([, ours, theirs]) => ours !== theirs).map(([name]) => name);
}

/** What a row that was lost says again; when it was started and what it was for it still knows. */
function withoutKeys(made: RecoveryPoint, row: RecoveryPoint): Partial<Omit<RecoveryPoint, 'id' | 'targetId'>> {
  const { id: _id, targetId: _target, ...rest } = made;
  return {
    ...rest,
    startedMs: row.startedMs,
    finishedMs: row.finishedMs ?? rest.finishedMs,
    verifiedMs: row.verifiedMs ?? rest.verifiedMs,
    storedBytes: row.storedBytes ?? rest.storedBytes,
    operationId: row.operationId ?? rest.operationId,
    pinned: row.pinned,
  };
}

const about = (pointId: string, targetId: string | null): Pick<CatalogueItem, 'pointId' | 'targetId'> => ({
  pointId,
  targetId,
});

/** Why what was found under a point's tag is no point of ours; undefined when its manifest and its tags tell the same. */
export function refuseManifest(pointId: string, tags: readonly string[], manifest: Manifest): string | undefined {
  if (!isPointId(manifest.id) || manifest.id !== pointId) return `its manifest is that of ${manifest.id.slice(0, 60)}`;
  if (!tags.includes(`target:${manifest.target.id}`))
    return `its manifest is that of target ${manifest.target.id.slice(0, 60)}`;
  if (Number.isNaN(Date.parse(manifest.taken_at))) return 'its manifest does not say when it was taken';
  if (manifest.started_at !== undefined && Number.isNaN(Date.parse(manifest.started_at)))
    return 'its manifest does not say when it was started';
  const names = manifest.components.map((one) => one.name);
  if (new Set(names).size !== names.length) return 'its manifest names a component twice';
  const tagged = tags.filter((tag) => tag.startsWith('component:')).map((tag) => tag.slice('component:'.length));
  return [...tagged].sort().join() === [...names].sort().join()
    ? undefined
    : 'its manifest and its tags name different components';
}
