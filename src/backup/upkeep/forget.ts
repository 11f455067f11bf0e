import type { OperationContext } from '../../operations/index.ts';
import type { BackupDeps } from '../backup-deps.ts';
import { requireRepository } from '../catalogue/index.ts';
import type { Snapshot } from '../repository/index.ts';
import type { RetentionItem } from '../retention.ts';
import { type Leftover, planLeftovers } from './leftovers.ts';

export type ForgetResult = {
  readonly dry_run: boolean;
  readonly forgotten: readonly { readonly backup_id: string; readonly reason: string }[];
  readonly kept: number;
  /** Snapshots that belong to no point. */
  readonly leftovers: readonly {
    readonly snapshot_id: string;
    readonly backup_id: string;
    readonly reason: string;
  }[];
};

/** So many points between two looks at whether somebody wants the work to end. */
const batchPoints = 20;

type Plan = { readonly targetId: string; readonly items: readonly RetentionItem[]; readonly retentionDays: number };

/**
 * Carries out a retention plan, and drops what belongs to no point. The reference goes first, then the row says so: a kill in
 * between leaves a row that the next run forgets again, never a point that is promised and gone unseen. Nothing is freed here.
 */
export async function forgetPoints(
  deps: BackupDeps,
  plan: Plan,
  options: { readonly dryRun: boolean },
  context: OperationContext,
): Promise<ForgetResult> {
  const doomed = plan.items.filter((item) => item.action === 'forget');
  await context.phase('listing');
  await requireRepository(deps, context);
  const call = { signal: context.signal, operationId: context.id };
  const snapshots = await deps.repository.snapshots(call);
  const leftovers = planLeftovers(snapshots, {
    targetId: plan.targetId,
    nowMs: deps.clock.now(),
    running: await runningPoints(deps),
    retentionDays: plan.retentionDays,
  });
  const result: ForgetResult = {
    dry_run: options.dryRun,
    forgotten: doomed.map(({ point, reason }) => ({ backup_id: point.id, reason })),
    kept: plan.items.length - doomed.length,
    leftovers: leftovers.map(({ snapshot, pointId, reason }) => ({
      snapshot_id: snapshot.id,
      backup_id: pointId,
      reason,
    })),
  };
  if (options.dryRun) return result;
  await context.phase('forgetting');
  for (let from = 0; from < doomed.length; from += batchPoints) {
    context.signal.throwIfAborted();
    await context.checkHeld();
    await forgetBatch(deps, doomed.slice(from, from + batchPoints), snapshots, context);
    context.progress({ filesDone: Math.min(from + batchPoints, doomed.length), filesTotal: doomed.length });
  }
  await dropLeftovers(deps, leftovers, context);
  return result;
}

async function forgetBatch(
  deps: BackupDeps,
  batch: readonly RetentionItem[],
  snapshots: readonly Snapshot[],
  context: OperationContext,
): Promise<void> {
  const ids = new Set(batch.map(({ point }) => `rp:${point.id}`));
  const theirs = snapshots.filter(({ tags }) => tags.some((tag) => ids.has(tag)));
  // restic removes in no order, so two calls: without its manifest the rest is a leftover, never half a point.
  for (const wanted of [true, false]) {
    const snapshotIds = theirs.filter(({ tags }) => tags.includes('manifest') === wanted).map(({ id }) => id);
    if (snapshotIds.length > 0) await deps.repository.forget({ snapshotIds, operationId: context.id });
    await deps.step(wanted ? 'forget:manifests' : 'forget:forgotten');
  }
  await deps.db.unit(async (tx) => {
    for (const { point, reason } of batch) {
      await deps.points.update(tx, point.id, { forgottenMs: deps.clock.now() });
      await deps.events.record(tx, {
        type: 'backup.point-forgotten',
        severity: 'info',
        targetId: point.targetId,
        operationId: context.id,
        message: `Recovery point ${point.id} was forgotten: ${reason}.`,
        data: { id: point.id },
      });
    }
  });
}

async function dropLeftovers(
  deps: BackupDeps,
  leftovers: readonly Leftover[],
  context: OperationContext,
): Promise<void> {
  if (leftovers.length === 0) return;
  await context.checkHeld();
  await deps.repository.forget({ snapshotIds: leftovers.map(({ snapshot }) => snapshot.id), operationId: context.id });
  await deps.db.unit((tx) =>
    deps.events.record(tx, {
      type: 'repository.leftovers-forgotten',
      severity: 'info',
      operationId: context.id,
      message: `${leftovers.length} snapshot(s) that belonged to no recovery point were forgotten.`,
      data: { points: [...new Set(leftovers.map(({ pointId }) => pointId))].slice(0, 20) },
    }),
  );
}

async function runningPoints(deps: BackupDeps): Promise<Set<string>> {
  const rows = await deps.points.list({ statuses: ['running'], limit: 1_000 });
  return new Set(rows.map((row) => row.id));
}
