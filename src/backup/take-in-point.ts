import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import { rebuildCatalogue } from './catalogue/index.ts';
import { openRepository } from './open-repository.ts';
import { isRestorable, type RecoveryPoint } from './point.ts';
import type { Repository } from './repository/index.ts';
import { findManifestSnapshot } from './verify-point.ts';

/**
 * Takes a point of another repository over into ours, which is made where there was none, and into the catalogue. From then on it
 * is a point like any other. After a kill the same again goes on.
 * @returns `wasThere`: it lay here already, with the same content
 * @throws AppError `backup/unknown-point` when `from` does not hold it, `replication/conflict` when ours holds another one of this
 * id, `conflict/state` when it was forgotten here; whatever the repositories throw
 */
export async function takeInPoint(
  deps: BackupDeps,
  { from, pointId }: { readonly from: Repository; readonly pointId: string },
  context: OperationContext,
): Promise<{ readonly point: RecoveryPoint; readonly wasThere: boolean }> {
  const { repository, points } = deps;
  const call = { signal: context.signal, operationId: context.id };
  await openRepository(repository, deps.knownRepository, context);
  const found = await findManifestSnapshot({ repository: from }, pointId, call);
  if (!found) throw new AppError('backup/unknown-point', `${from.location.display} does not hold ${pointId}.`);
  const known = await points.find(pointId);
  if (known && known.forgottenMs !== null)
    throw new AppError(
      'conflict/state',
      `${pointId} was forgotten here by retention or by hand, and does not come back.`,
    );
  const [there] = await repository.snapshots({ ...call, tags: [`rp:${pointId}`, 'manifest'] });
  if (there && there.tree !== found.snapshot.tree)
    throw new AppError(
      'replication/conflict',
      `${pointId} is another point here (${there.tree.slice(0, 12)}) than the one that was received (${found.snapshot.tree.slice(0, 12)}). Nothing was changed.`,
    );
  if (!there) {
    const all = await from.snapshots({ ...call, tags: [`rp:${pointId}`] });
    const streams = all.filter(({ tags }) => !tags.includes('manifest')).map(({ id }) => id);
    if (streams.length > 0) await repository.copyFrom({ ...call, from, snapshotIds: streams });
    await context.checkHeld();
    // A point exists where its manifest does.
    await repository.copyFrom({ ...call, from, snapshotIds: [found.snapshotId] });
  }
  if (!known || !isRestorable(known)) await rebuildCatalogue(deps, { dryRun: false }, context);
  const point = await points.find(pointId);
  if (!point || !isRestorable(point))
    throw new AppError('backup/verification-failed', `${pointId} was copied, and the catalogue does not take it.`);
  return { point, wasThere: there !== undefined };
}
