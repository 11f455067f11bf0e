import {
  findManifestSnapshot,
  type RecoverablePoint,
  type RecoveryPoint,
  type Repository,
} from '../../backup/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import type { FailoverDeps, FailoverSource } from './failover-deps.ts';

export type FoundSource = {
  readonly source: FailoverSource;
  readonly repository: Repository;
  readonly point: RecoverablePoint;
};

/** Further back nobody looks by himself: such a point has to be named. */
const mostTried = 10;

/**
 * The newest verified point that lies in its repository or at a replica, or the one that is named, with every place that holds it,
 * the best first.
 * @returns `notes`: why a place, or a newer point, was passed over
 * @throws AppError `backup/unknown-point` when there is none
 */
export async function chooseSource(
  deps: Pick<FailoverDeps, 'points' | 'sources'>,
  wanted: { readonly targetId: string; readonly pointId: string | null },
  signal: AbortSignal,
): Promise<{ found: readonly FoundSource[]; notes: readonly string[] }> {
  const { candidates, damaged } = await candidatesOf(deps, wanted);
  const notes = damaged.map(({ id }) => `${id} is passed over: its own audit found it damaged`);
  const open: { source: FailoverSource; repository: Repository }[] = [];
  for (const source of await deps.sources()) {
    signal.throwIfAborted();
    try {
      const repository = await source.open();
      const { state } = await repository.open({ signal });
      if (state === 'ok') open.push({ source, repository });
      else
        notes.push(
          `${source.title}: ${state === 'missing' ? 'there is no repository any more' : 'the password does not open it'}`,
        );
    } catch (err) {
      signal.throwIfAborted();
      notes.push(`${source.title}: ${describeError(err)}`);
    }
  }
  for (const row of candidates) {
    const found: FoundSource[] = [];
    for (const { source, repository } of open) {
      const point = await findAt(repository, row, signal).catch((err: unknown) => {
        signal.throwIfAborted();
        notes.push(`${source.title} does not give ${row.id}: ${describeError(err)}`);
        return undefined;
      });
      if (point) found.push({ source, repository, point });
    }
    if (found.length > 0) return { found, notes };
    notes.push(`${row.id} lies in no place that could be opened`);
  }
  throw new AppError(
    'backup/unknown-point',
    candidates.length === 0
      ? `There is no verified point of ${wanted.targetId}${damaged.length > 0 ? ` (${notes.join('; ')})` : ''}. Take one with \`ragwarden backup create\`, or name one.`
      : `No point of ${wanted.targetId} could be found: ${notes.join('; ')}.`,
  );
}

/** Verified says that its bytes are there; its audit, that what they say does not fit together. */
const isDamaged = ({ manifest }: Pick<RecoveryPoint, 'manifest'>): boolean =>
  manifest?.content_audit?.verdict === 'damaged';

async function candidatesOf(
  { points }: Pick<FailoverDeps, 'points'>,
  { targetId, pointId }: { readonly targetId: string; readonly pointId: string | null },
): Promise<{ candidates: readonly RecoveryPoint[]; damaged: readonly RecoveryPoint[] }> {
  if (pointId !== null) {
    const named = await points.find(pointId);
    if (named?.targetId !== targetId || named.scope !== 'target')
      throw new AppError('backup/unknown-point', `There is no point ${pointId} of the whole target ${targetId}.`);
    return { candidates: [named], damaged: [] };
  }
  // One that is lost here may lie at a replica.
  const known = await points.list({ targetId, series: null, statuses: ['success', 'lost'], limit: 200 });
  const verified = known
    .filter((one) => one.verifiedMs !== null && one.forgottenMs === null)
    // What stood before a restore was given up for something: nobody fails over to it who does not name it.
    .filter((one) => one.cause !== 'safety');
  const candidates = verified.filter((one) => !isDamaged(one)).slice(0, mostTried);
  const until = candidates[0] ? verified.indexOf(candidates[0]) : mostTried;
  return { candidates, damaged: verified.slice(0, until).filter(isDamaged) };
}

async function findAt(
  repository: Repository,
  row: RecoveryPoint,
  signal: AbortSignal,
): Promise<RecoverablePoint | undefined> {
  const found = await findManifestSnapshot({ repository }, row.id, { signal });
  if (!found) return undefined;
  const { manifest, snapshotId, snapshot } = found;
  // Points are known by id and tree: another tree under this id is another point.
  if (row.treeId !== null && snapshot.tree !== row.treeId)
    throw new AppError('repository/damaged', 'it holds other content under this id');
  return {
    id: row.id,
    targetId: manifest.target.id,
    takenAt: manifest.taken_at,
    takenMs: Date.parse(manifest.taken_at),
    snapshotId,
    verified: row.verifiedMs !== null,
    manifest,
  };
}
