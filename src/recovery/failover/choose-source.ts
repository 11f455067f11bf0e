import {
  findManifestSnapshot,
  isOutOfOrder,
  newestFirstAt,
  type RecoverablePoint,
  type RecoveryPoint,
  type Repository,
} from '../../backup/index.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import type { FailoverDeps, FailoverSource } from './failover-deps.ts';

/** Of a point, what can be told before it is brought. */
export type FoundPoint = Pick<RecoverablePoint, 'id' | 'takenMs' | 'verified' | 'manifest'>;
export type FoundSource = {
  readonly source: FailoverSource;
  readonly point: FoundPoint;
  /** @param folder for what has to be brought first; the caller removes it */
  open(
    folder: string,
    signal: AbortSignal,
  ): Promise<{ readonly repository: Repository; readonly point: RecoverablePoint }>;
};
/** Answers, and can be asked for a point. */
type OpenSource = {
  readonly source: FailoverSource;
  find(row: RecoveryPoint, signal: AbortSignal): Promise<FoundSource | undefined>;
};

/** Longer is not waited for a place to say what it holds. */
const openLimitMs = 60_000;
/** Further back nobody looks by himself: such a point has to be named. */
const mostTried = 10;

/**
 * The newest verified point that lies in its repository or at a replica, or the one that is named, with every place that holds it,
 * the best first.
 * @returns `notes`: why a place, or a newer point, was passed over
 * @throws AppError `backup/unknown-point` when there is none
 */
export async function chooseSource(
  deps: Pick<FailoverDeps, 'points' | 'sources' | 'clock'> & { readonly openLimitMs?: number },
  wanted: { readonly targetId: string; readonly pointId: string | null },
  signal: AbortSignal,
): Promise<{ found: readonly FoundSource[]; notes: readonly string[] }> {
  const { candidates, damaged, ahead } = await candidatesOf(deps, wanted);
  const notes = [
    ...damaged.map(({ id }) => `${id} is passed over: its own audit found it damaged`),
    ...ahead.map(
      ({ id }) =>
        `${id} was dated in the future, by a clock that was wrong then: what has another date goes before it. Name it where you know that it is the newest`,
    ),
  ];
  // All at once, each with a limit of its own: where a zone is gone, several of them may not answer.
  const opened = await Promise.all(
    (await deps.sources()).map(async (source) => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(deps.openLimitMs ?? openLimitMs)]);
      try {
        return source.kind === 'packed' ? await openPacked(source, limit) : await openPlace(source, limit);
      } catch (err) {
        signal.throwIfAborted();
        notes.push(
          `${source.title}: ${limit.aborted ? `did not answer within ${(deps.openLimitMs ?? openLimitMs) / 1_000} s` : describeError(err)}`,
        );
        return undefined;
      }
    }),
  );
  const open = opened.filter((one) => one !== undefined);
  for (const row of candidates) {
    const found: FoundSource[] = [];
    for (const one of open) {
      const point = await one.find(row, signal).catch((err: unknown) => {
        signal.throwIfAborted();
        notes.push(`${one.source.title} does not give ${row.id}: ${describeError(err)}`);
        return undefined;
      });
      if (point) found.push(point);
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
  { points, clock }: Pick<FailoverDeps, 'points' | 'clock'>,
  { targetId, pointId }: { readonly targetId: string; readonly pointId: string | null },
): Promise<Record<'candidates' | 'damaged' | 'ahead', readonly RecoveryPoint[]>> {
  if (pointId !== null) {
    const named = await points.find(pointId);
    if (named?.targetId !== targetId || named.scope !== 'target')
      throw new AppError('backup/unknown-point', `There is no point ${pointId} of the whole target ${targetId}.`);
    return { candidates: [named], damaged: [], ahead: [] };
  }
  const nowMs = clock.now();
  // One that is lost here may lie at a replica.
  const known = await points.list({ targetId, series: null, statuses: ['success', 'lost'], limit: 200 });
  const verified = known
    .filter((one) => one.verifiedMs !== null && one.forgottenMs === null)
    // What stood before a restore was given up for something: nobody fails over to it who does not name it.
    .filter((one) => one.cause !== 'safety')
    .sort(newestFirstAt(nowMs));
  const candidates = verified.filter((one) => !isDamaged(one)).slice(0, mostTried);
  const until = candidates[0] ? verified.indexOf(candidates[0]) : mostTried;
  return {
    ...{ candidates, damaged: verified.slice(0, until).filter(isDamaged) },
    ahead: verified.filter((one) => isOutOfOrder(one, nowMs)).slice(0, mostTried),
  };
}

/** @throws AppError when it cannot be used */
async function openPlace(source: FailoverSource & { kind: 'repository' }, signal: AbortSignal): Promise<OpenSource> {
  const repository = await source.open();
  const { state } = await repository.open({ signal });
  if (state === 'missing') throw new AppError('repository/missing', 'no repository lies there');
  if (state === 'wrong-password') throw new AppError('repository/wrong-password', 'the password does not open it');
  return {
    source,
    async find(row, asked) {
      const point = await findAt(repository, row, asked);
      return point && { source, point, open: async () => ({ repository, point }) };
    },
  };
}

/** What it lists is believed until it is brought; then it is held against the catalogue as any other. */
async function openPacked(source: FailoverSource & { kind: 'packed' }, signal: AbortSignal): Promise<OpenSource> {
  const listed = await source.list(signal);
  return {
    source,
    async find(row) {
      const { id, takenMs, verifiedMs, manifest } = row;
      if (!listed.has(id) || manifest === null) return undefined;
      return {
        source,
        point: { id, takenMs, verified: verifiedMs !== null, manifest },
        async open(folder, asked) {
          const repository = await source.bring(id, folder, asked);
          const point = await findAt(repository, row, asked);
          if (!point) throw new AppError('backup/unknown-point', 'it lists the point and does not give it');
          return { repository, point };
        },
      };
    },
  };
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
