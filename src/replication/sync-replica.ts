import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { copyMissing } from './copy-missing.ts';
import { noteHeld } from './copy-point.ts';
import { forgetOld } from './forget-old.ts';
import { statusByFindings } from './place-status.ts';
import { freshState, type Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { openStuckPoints } from './stuck-points.ts';
import { isConflict, tellFailure } from './tell-failure.ts';
import { wantedPoints } from './wanted-points.ts';

export type SyncResult = {
  readonly target_id: string;
  readonly copied: readonly string[];
  readonly already_there: number;
  readonly forgotten: readonly string[];
  /** Points that are not handed on, each with the reason. */
  readonly refused: readonly { readonly backup_id: string; readonly reason: string }[];
  readonly bytes: number | null;
};

/**
 * Brings what is missing to one replica, the newest first, each point with its own entry in the log; then drops what was forgotten
 * here long enough ago. A kill at any moment leaves whole points there and leftovers; the next run goes on.
 */
export async function syncReplica(
  deps: ReplicationDeps,
  replica: Replica,
  /** `patient`: what could not be copied for a reason of its own is tried again on its own schedule. */
  request: { readonly targetId?: string | undefined; readonly patient?: boolean },
  context: OperationContext,
): Promise<SyncResult> {
  const { store, db, clock } = deps;
  const call = { signal: context.signal, operationId: context.id };
  const state = (await store.states()).get(replica.id) ?? freshState;
  const stuck = openStuckPoints(deps, replica, state, request.patient === true);
  const tell = (err: unknown, how?: Parameters<typeof tellFailure>[5]): Promise<void> =>
    tellFailure(deps, replica, state, err, context, how);
  let told = false;
  let tooMany = false;
  await db.unit((tx) => store.changeState(tx, replica.id, { attemptedMs: clock.now() }));
  try {
    await context.phase('looking');
    const unsound = await deps.sourceUnsound();
    if (unsound !== undefined)
      throw new AppError(
        'replication/source-unsound',
        `Nothing is copied to ${replica.id}: ${unsound} Heal it first, so that the damage stays in one place.`,
      );
    const place = await deps.openPlace(replica);
    const seen = await place.look(state.repositoryId, call);
    const nowMs = clock.now();
    const reached = { ...seen, ...statusByFindings(state), checkedMs: nowMs, reachedMs: nowMs };
    await db.unit((tx) => store.changeState(tx, replica.id, reached));

    await context.phase('comparing');
    const { wanted, refused } = await wantedPoints(deps, request.targetId);
    const plan = await place.plan(wanted, call);
    await noteHeld(deps, replica, plan);
    for (const { pointId, here, there } of plan.conflicts)
      await stuck.noteConflict(
        pointId,
        new AppError(
          'replication/conflict',
          `${pointId} is another point here (${here.slice(0, 12)}) than at ${replica.id} (${there.slice(0, 12)}). It is not copied. Find out which one is right and forget the other.`,
          { context: { conflicts: plan.conflicts } },
        ),
      );

    await context.phase('copying');
    const { pointIds: copied, bytes, stopped } = await copyMissing(deps, replica, place, plan.copy, stuck, context);
    if (stopped) {
      // That it was switched off is no fault of the place.
      told = stopped.why === 'switched-off';
      tooMany = stopped.why === 'too-many';
      throw stopped.error;
    }

    await context.phase('forgetting');
    const forgotten = await forgetOld(deps, replica, place, call);
    const after = copied.length + forgotten.length > 0 ? await place.look(seen.repositoryId, call) : seen;
    if (request.targetId === undefined)
      stuck.keepOnly(
        new Set([...plan.copy.map(({ point }) => point.id), ...plan.conflicts.map(({ pointId }) => pointId)]),
      );
    const left = stuck.left();
    const [first] = left;
    const conflict = stuck.conflict();
    const well = statusByFindings({ ...state, failuresInRow: 0, conflict });
    const how =
      first === undefined
        ? { ...well, syncedMs: clock.now(), failuresInRow: 0, pointsOnly: false }
        : {
            ...{ status: well.status, error: well.error ?? first.error },
            ...{ failuresInRow: Math.max(1, state.failuresInRow), pointsOnly: true },
          };
    const { failures, news } = stuck;
    await db.unit(async (tx) => {
      await store.changeState(tx, replica.id, {
        ...{ stuck: left, conflict, ...after },
        ...(failures.length === 0 ? how : {}),
      });
      if (copied.length > 0)
        await deps.events.record(tx, {
          type: 'replication.synced',
          severity: 'info',
          operationId: context.id,
          message: `${copied.length} recovery ${copied.length === 1 ? 'point' : 'points'} copied to ${replica.id}.`,
          data: { replica: replica.id, points: copied.slice(0, 50), bytes, forgotten: forgotten.slice(0, 50) },
        });
    });
    if (failures.length > 0) {
      told = true;
      const worst = news.find(isConflict) ?? news[0] ?? failures.find(isConflict) ?? failures[0];
      await tell(worst, { ...well, isNew: news.length > 0 });
      throw worst;
    }
    return {
      target_id: replica.id,
      copied,
      already_there: plan.held.length,
      forgotten,
      refused: refused.map(({ point, reason }) => ({ backup_id: point.id, reason })),
      bytes,
    };
  } catch (err) {
    if (!context.signal.aborted && !told) {
      const conflict = stuck.news.find(isConflict);
      const single = { status: 'degraded' as const, error: null, isNew: true };
      if (conflict !== undefined) await tell(conflict, single);
      await tell(err, tooMany ? { ...single, isNew: stuck.news.length > 0 } : undefined);
    }
    throw err;
  }
}
