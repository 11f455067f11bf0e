import type { OperationContext } from '../operations/index.ts';
import type { BackupDeps } from './backup-deps.ts';
import { openRepository } from './open-repository.ts';
import type { RetentionItem } from './retention.ts';

export type ForgetResult = {
  readonly forgotten: readonly string[];
  readonly kept: number;
  readonly freed_bytes: number | null;
};

/**
 * Carries out a retention plan. The reference goes first, then the row says so: a kill in between leaves a row that the next
 * run forgets again, never a point that is promised and gone unseen.
 */
export async function forgetPoints(
  deps: BackupDeps,
  plan: readonly RetentionItem[],
  context: OperationContext,
): Promise<ForgetResult> {
  const doomed = plan.filter((item) => item.action === 'forget');
  if (doomed.length === 0) return { forgotten: [], kept: plan.length, freed_bytes: null };
  await context.phase('forgetting');
  await openRepository(deps.repository, deps.knownRepository, context);
  const forgotten: string[] = [];
  for (const { point, reason } of doomed) {
    context.signal.throwIfAborted();
    await context.checkHeld();
    const snapshots = await deps.repository.snapshots({ tags: [`rp:${point.id}`], signal: context.signal });
    // The manifest goes first: without it the rest is a leftover, never half a point.
    const manifests = snapshots.filter((one) => one.tags.includes('manifest')).map((one) => one.id);
    const others = snapshots.filter((one) => !one.tags.includes('manifest')).map((one) => one.id);
    if (manifests.length > 0) await deps.repository.forget({ snapshotIds: manifests, operationId: context.id });
    if (others.length > 0) await deps.repository.forget({ snapshotIds: others, operationId: context.id });
    await deps.step('retain:forgotten');
    await deps.db.unit(async (tx) => {
      await deps.points.update(tx, point.id, { forgottenMs: deps.clock.now() });
      await deps.events.record(tx, {
        type: 'backup.point-forgotten',
        severity: 'info',
        targetId: point.targetId,
        operationId: context.id,
        message: `Recovery point ${point.id} was forgotten: ${reason}.`,
        data: { id: point.id },
      });
    });
    forgotten.push(point.id);
    context.progress({ filesDone: forgotten.length, filesTotal: doomed.length });
  }
  await context.phase('pruning');
  const pruned = await deps.repository.prune({ signal: context.signal, operationId: context.id });
  return { forgotten, kept: plan.length - forgotten.length, freed_bytes: pruned.freedBytes };
}
