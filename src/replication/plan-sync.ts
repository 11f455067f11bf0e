import type { RecoveryPoint } from '../backup/index.ts';

/** As a repository lists it. */
export type ListedSnapshot = { readonly id: string; readonly tree: string; readonly tags: readonly string[] };

export type PointCopy = {
  readonly point: RecoveryPoint;
  /** Snapshots that are not there yet: streams, then the manifest. */
  readonly streams: readonly string[];
  readonly manifest: string | undefined;
  readonly treeId: string;
};
export type SyncPlan = {
  /** Newest first: what is copied first is what a loss would cost most. */
  readonly copy: readonly PointCopy[];
  /** There, whole, already. */
  readonly held: readonly { readonly point: RecoveryPoint; readonly treeId: string }[];
  /** Points that lie there, wanted or not; undefined: what is not in the plan is not known. */
  readonly listed?: ReadonlySet<string>;
  /** One id, two contents. */
  readonly conflicts: readonly { readonly pointId: string; readonly here: string; readonly there: string }[];
};

const pointTag = 'rp:';
export const pointOf = ({ tags }: Pick<ListedSnapshot, 'tags'>): string | undefined =>
  tags.find((tag) => tag.startsWith(pointTag))?.slice(pointTag.length);
export const isManifest = ({ tags }: Pick<ListedSnapshot, 'tags'>): boolean =>
  tags.includes('manifest') && !tags.includes('rejected');

/**
 * Compares what shall be at a replica with what is. Points are known by tag and tree: a copy gets another snapshot id, and a change
 * of tags does as well.
 * @param points newest first
 */
export function planSync(
  points: readonly RecoveryPoint[],
  here: readonly ListedSnapshot[],
  there: readonly ListedSnapshot[],
): SyncPlan {
  const [ours, theirs] = [byPoint(here), byPoint(there)];
  const copy: PointCopy[] = [];
  const held: SyncPlan['held'][number][] = [];
  const conflicts: SyncPlan['conflicts'][number][] = [];
  for (const point of points) {
    const mine = ours.get(point.id) ?? [];
    const manifest = mine.find(isManifest);
    // It was forgotten, or lost, since the catalogue was read.
    if (!manifest) continue;
    const present = theirs.get(point.id) ?? [];
    const foreign = present.find((one) => isManifest(one) && !mine.some((own) => own.tree === one.tree));
    if (foreign) {
      conflicts.push({ pointId: point.id, here: manifest.tree, there: foreign.tree });
      continue;
    }
    const isThere = (one: ListedSnapshot): boolean => present.some((other) => other.tree === one.tree);
    const streams = [
      ...new Map(mine.filter((one) => !one.tags.includes('manifest')).map((one) => [one.tree, one])).values(),
    ]
      .filter((one) => !isThere(one))
      .map(({ id }) => id);
    if (streams.length === 0 && isThere(manifest)) held.push({ point, treeId: manifest.tree });
    else copy.push({ point, streams, manifest: isThere(manifest) ? undefined : manifest.id, treeId: manifest.tree });
  }
  return { copy, held, conflicts };
}

function byPoint(snapshots: readonly ListedSnapshot[]): Map<string, ListedSnapshot[]> {
  const found = new Map<string, ListedSnapshot[]>();
  for (const one of snapshots) {
    const id = pointOf(one);
    if (id !== undefined) found.set(id, [...(found.get(id) ?? []), one]);
  }
  return found;
}

/** Why a point is not handed on: what its own audit found damaged would be damaged everywhere. */
export function refusePoint(point: Pick<RecoveryPoint, 'manifest' | 'verifiedMs'>): string | undefined {
  if (point.verifiedMs === null) return 'it was not verified';
  if (point.manifest?.content_audit?.verdict === 'damaged') return 'its content failed the audit';
  return undefined;
}
