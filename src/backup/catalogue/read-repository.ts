import { isAppError } from '../../platform/errors.ts';
import { isNewerManifest, type Manifest, manifestFile, manifestSchema } from '../manifest.ts';
import { isPointId, type RecoveryPoint } from '../point.ts';
import type { Repository, Snapshot } from '../repository/index.ts';
import { rejectedTag } from './facts.ts';
import { type FoundPoint, refuseManifest } from './plan-catalogue.ts';

/** Something with our tags that is no point: an interrupted run, or one that did not verify. */
export type Leftover = { readonly snapshotId: string; readonly pointId: string | null; readonly reason: string };

/** Reading one costs a start of restic; more at once cost memory. */
const readAtOnce = 4;

/**
 * Groups the snapshots of a repository by point and reads the manifests that the catalogue does not already hold. One that is
 * unreadable is refused alone; a repository that does not answer is an error of the whole.
 * @param onRead told how many manifests are read, of how many
 */
export async function readRepository(
  repository: Repository,
  rows: readonly RecoveryPoint[],
  options: {
    readonly signal: AbortSignal;
    readonly operationId?: string | undefined;
    /** Without it only what the listing tells: for a quick comparison. */
    readonly manifests: boolean;
    readonly onRead?: (done: number, total: number) => void;
  },
): Promise<{ found: FoundPoint[]; leftovers: Leftover[]; foreign: number }> {
  const { signal, operationId } = options;
  const call = { signal, ...(operationId === undefined ? {} : { operationId }) };
  const snapshots = await repository.snapshots(call);
  const { byPoint, leftovers, foreign } = group(snapshots);
  const rowOf = new Map(rows.map((row) => [row.id, row]));
  const found: FoundPoint[] = [];
  const unread: { id: string; of: Snapshot; tags: readonly string[]; at: number }[] = [];
  for (const [id, of] of byPoint) {
    const tags = [...new Set(of.flatMap((one) => one.tags))];
    const treeIds = [...new Set(of.map((one) => one.tree))];
    const row = rowOf.get(id);
    const known = row?.manifest && row.status !== 'lost' && row.treeId === treeIds[0];
    if (options.manifests && !known && of[0]) unread.push({ id, of: of[0], tags, at: found.length });
    found.push({ id, snapshotIds: of.map((one) => one.id), treeIds, tags, manifest: undefined, refused: undefined });
  }
  let done = 0;
  const read = async (): Promise<void> => {
    for (let next = unread.shift(); next; next = unread.shift()) {
      signal.throwIfAborted();
      const { at } = next;
      const outcome = await readManifest(repository, next.id, next.of, next.tags, call);
      const known = found[at];
      if (known) found[at] = { ...known, ...outcome };
      done += 1;
      options.onRead?.(done, total);
    }
  };
  const total = unread.length;
  await Promise.all(Array.from({ length: readAtOnce }, read));
  return { found, leftovers, foreign };
}

function group(snapshots: readonly Snapshot[]): {
  byPoint: Map<string, Snapshot[]>;
  leftovers: Leftover[];
  foreign: number;
} {
  const byPoint = new Map<string, Snapshot[]>();
  const loose: { snapshot: Snapshot; pointId: string }[] = [];
  const leftovers: Leftover[] = [];
  let foreign = 0;
  for (const snapshot of snapshots) {
    const ids = snapshot.tags.filter((tag) => tag.startsWith('rp:')).map((tag) => tag.slice('rp:'.length));
    const [id] = ids;
    if (id === undefined) foreign += 1;
    else if (ids.length > 1 || !isPointId(id))
      leftovers.push({ snapshotId: snapshot.id, pointId: null, reason: 'its tag names no point, or several' });
    else if (!snapshot.tags.includes('manifest')) loose.push({ snapshot, pointId: id });
    else if (snapshot.tags.includes(rejectedTag))
      leftovers.push({
        snapshotId: snapshot.id,
        pointId: id,
        reason: 'it was read back and did not agree with its manifest',
      });
    else byPoint.set(id, [...(byPoint.get(id) ?? []), snapshot]);
  }
  for (const { snapshot, pointId } of loose)
    if (!byPoint.has(pointId))
      leftovers.push({ snapshotId: snapshot.id, pointId, reason: 'no manifest was stored: its run did not end' });
  return { byPoint, leftovers, foreign };
}

async function readManifest(
  repository: Repository,
  pointId: string,
  snapshot: Snapshot,
  tags: readonly string[],
  call: { signal: AbortSignal; operationId?: string },
): Promise<{ manifest: Manifest | undefined; refused: string | undefined }> {
  const refuse = (refused: string) => ({ manifest: undefined, refused });
  try {
    const bytes = await repository.readFile({ snapshotId: snapshot.id, path: `/${manifestFile}`, ...call });
    if (!bytes) return refuse('it holds no manifest');
    const written: unknown = JSON.parse(bytes.toString('utf8'));
    const parsed = manifestSchema.safeParse(written);
    if (!parsed.success)
      return refuse(
        isNewerManifest(written)
          ? 'its manifest was written by a newer version of ragwarden'
          : `its manifest is not one of ours (${parsed.error.issues[0]?.path.join('.') || 'no format'})`,
      );
    const refused = refuseManifest(pointId, tags, parsed.data);
    return refused === undefined ? { manifest: parsed.data, refused } : refuse(refused);
  } catch (err) {
    if (err instanceof SyntaxError) return refuse('its manifest is no JSON');
    if (isAppError(err) && ownFaults.has(err.code)) return refuse(`its manifest cannot be read: ${err.detail}`);
    throw err;
  }
}

const ownFaults = new Set(['repository/damaged', 'repository/failed', 'request/too-large', 'backup/unknown-point']);
