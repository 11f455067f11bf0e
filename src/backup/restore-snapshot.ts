import { isAppError } from '../platform/errors.ts';
import type { Repository } from './repository/index.ts';

/**
 * Restores files of a point whose snapshot was looked up before. What is noted of a point in the meantime (a pin, a verification)
 * gives its snapshot another id and leaves the content: it is then looked up again.
 * @throws AppError `backup/unknown-point` when the point is gone; whatever the repository throws
 */
export async function restoreSnapshot(
  repository: Pick<Repository, 'restore' | 'snapshots'>,
  pointId: string,
  request: Parameters<Repository['restore']>[0],
): Promise<void> {
  try {
    await repository.restore(request);
  } catch (err) {
    if (!isAppError(err) || err.code !== 'backup/unknown-point') throw err;
    const [now] = await repository.snapshots({
      tags: [`rp:${pointId}`, 'manifest'],
      signal: request.signal,
      operationId: request.operationId,
    });
    if (now === undefined || now.id === request.snapshotId) throw err;
    await repository.restore({ ...request, snapshotId: now.id });
  }
}
