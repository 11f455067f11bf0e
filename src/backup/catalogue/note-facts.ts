import { describeError } from '../../platform/errors.ts';
import type { Logger } from '../../platform/logging.ts';
import type { RecoveryPoint } from '../point.ts';
import type { Repository, Snapshot } from '../repository/index.ts';
import { rejectedTag, tagChanges, tagsOfFacts } from './facts.ts';

type Deps = { readonly repository: Repository; readonly log: Logger };
type Call = { readonly signal?: AbortSignal; readonly operationId?: string };

/**
 * Writes into the repository what the catalogue knows of a point and the manifest does not. Failing is no failure of the work it
 * follows: the point and its row stand, and the next comparison of the two notes it again.
 * @param snapshot when it is known already; looked up otherwise
 * @returns false when something could not be noted
 */
export async function noteFacts(
  { repository, log }: Deps,
  point: RecoveryPoint,
  call: Call = {},
  snapshot?: Pick<Snapshot, 'id' | 'tags'>,
): Promise<boolean> {
  try {
    const snapshots = snapshot
      ? [snapshot]
      : await repository.snapshots({ tags: [`rp:${point.id}`, 'manifest'], ...call });
    for (const one of snapshots) {
      const changes = tagChanges(one.tags, tagsOfFacts(point, point.manifest));
      if (changes.add.length + changes.remove.length > 0)
        await repository.tag({ snapshotId: one.id, ...changes, ...call });
    }
    return true;
  } catch (err) {
    if (call.signal?.aborted) throw call.signal.reason;
    log.warn(
      { point: point.id, reason: describeError(err) },
      'what is known of a point was not noted in the repository',
    );
    return false;
  }
}

/** Says of a stored snapshot that it is no point. */
export async function markRejected({ repository, log }: Deps, snapshotId: string): Promise<void> {
  await repository
    .tag({ snapshotId, add: [rejectedTag], remove: [] })
    .catch((err: unknown) => log.warn({ snapshotId, reason: describeError(err) }, 'a rejected snapshot is not marked'));
}
