import { newestFirstAt, type RecoveryPoint } from '../backup/index.ts';
import type { OperationContext } from '../operations/index.ts';
import { AppError, describeError, type ErrorCode, isAppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import type { Place, Sent } from './places/place.ts';
import { type PointCopy, refusePoint, type SyncPlan } from './plan-sync.ts';
import { freshState, isHeldBack, type LogEntry, type Replica, type ReplicaState } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';

export type SyncResult = {
  readonly target_id: string;
  readonly copied: readonly string[];
  readonly already_there: number;
  readonly forgotten: readonly string[];
  /** Points that are not handed on, each with the reason. */
  readonly refused: readonly { readonly backup_id: string; readonly reason: string }[];
  readonly bytes: number | null;
};

/** Points that shall be at every replica, newest first, and those that are not handed on. */
export async function wantedPoints(
  { points, targetIds, clock }: Pick<ReplicationDeps, 'points' | 'targetIds' | 'clock'>,
  ofTarget?: string,
): Promise<{ wanted: RecoveryPoint[]; refused: { point: RecoveryPoint; reason: string }[] }> {
  const wanted: RecoveryPoint[] = [];
  const refused: { point: RecoveryPoint; reason: string }[] = [];
  for (const targetId of ofTarget === undefined ? targetIds : [ofTarget])
    for (const point of await points.list({ targetId, statuses: ['success', 'partial'], limit: 100_000 })) {
      const reason = refusePoint(point);
      if (reason === undefined) wanted.push(point);
      else refused.push({ point, reason });
    }
  return { wanted: wanted.sort(newestFirstAt(clock.now())), refused };
}

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
  let switchedOff = false;
  let failureTold = false;
  let tooMany = false;
  /** Of single points, what was not told of them before. */
  const news: unknown[] = [];
  const state = (await store.states()).get(replica.id) ?? freshState;
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
    await db.unit((tx) =>
      store.changeState(tx, replica.id, {
        ...seen,
        ...statusByFindings(state),
        checkedMs: nowMs,
        reachedMs: nowMs,
      }),
    );

    await context.phase('comparing');
    const { wanted, refused } = await wantedPoints(deps, request.targetId);
    const plan = await place.plan(wanted, call);
    await noteHeld(deps, replica, plan);
    const stuck = new Map(state.stuck.map((one) => [one.pointId, one]));
    const failures: unknown[] = [];
    /** The first conflict of this plan. */
    let found: string | undefined;
    const noteStuck = async (pointId: string, err: AppError): Promise<void> => {
      failures.push(err);
      const before = stuck.get(pointId);
      if (before?.error !== err.detail) news.push(err);
      const tried = (before?.failures ?? 0) + 1;
      // To the end: of many the latest are kept.
      stuck.delete(pointId);
      stuck.set(pointId, { pointId, error: err.detail, failures: tried, triedMs: clock.now() });
      if (isConflict(err)) found ??= err.detail;
      await db.unit((tx) =>
        store.changeState(tx, replica.id, {
          stuck: [...stuck.values()].slice(-mostStuck),
          ...(found === undefined ? {} : { conflict: found }),
        }),
      );
    };
    const waits = (pointId: string): boolean => {
      const one = stuck.get(pointId);
      return request.patient === true && !!one && isHeldBack(one, deps.settings().checkIntervalMs, clock.now());
    };
    for (const { pointId, here, there } of plan.conflicts) {
      const err = new AppError(
        'replication/conflict',
        `${pointId} is another point here (${here.slice(0, 12)}) than at ${replica.id} (${there.slice(0, 12)}). It is not copied. Find out which one is right and forget the other.`,
        { context: { conflicts: plan.conflicts } },
      );
      found ??= err.detail;
      if (stuck.get(pointId)?.error !== err.detail || !waits(pointId)) await noteStuck(pointId, err);
    }
    const conflicts = failures.length;

    await context.phase('copying');
    const copied: string[] = [];
    let bytes: number | null = 0;
    /** What was seen to go over, for the rate. */
    let bytesDone = 0;
    // The newest first; then what is stuck, in turn, so that one behind too many that fail is reached where all are due together.
    const triedMs = ({ point }: PointCopy): number => stuck.get(point.id)?.triedMs ?? Number.NEGATIVE_INFINITY;
    const items = plan.copy
      .filter(({ point }) => !waits(point.id))
      .sort((one, other) => (triedMs(one) < triedMs(other) ? -1 : triedMs(one) > triedMs(other) ? 1 : 0));
    const filesTotal = items.length;
    for (const [index, item] of items.entries()) {
      context.progress({ filesDone: copied.length, filesTotal });
      await context.checkHeld();
      // Who switches it off while it copies waits for one point at most; a new rate holds from the next one on.
      const current = await deps.replicas.require(replica.id);
      switchedOff = !current.enabled || !deps.settings().enabled;
      if (switchedOff)
        throw new AppError('conflict/state', `${replica.id} was switched off meanwhile. What was copied stays there.`);
      const before = bytesDone;
      let sent = 0;
      const brought = await copyOne(deps, current, place, item, context, (now) => {
        sent = now.bytesDone;
        // How much the others will be is known when they are packed: a total only with the last.
        const last = index === filesTotal - 1;
        context.progress({
          bytesDone: before + sent,
          ...(last && now.bytesTotal !== null ? { bytesTotal: before + now.bytesTotal } : {}),
        });
      }).catch(async (err: unknown) => {
        context.signal.throwIfAborted();
        // What is wrong with one point keeps no other from being copied, unless it is wrong with all.
        if (!isAppError(err) || !ofOnePoint.has(err.code)) throw err;
        await noteStuck(item.point.id, err);
        tooMany = failures.length - conflicts > mostFailing;
        if (tooMany) throw failures[conflicts] ?? err;
        return undefined;
      });
      if (brought === undefined) continue;
      stuck.delete(item.point.id);
      bytesDone = before + (sent > 0 ? sent : (brought ?? 0));
      copied.push(item.point.id);
      bytes = bytes === null || brought === null ? null : bytes + brought;
      context.progress({ bytesDone });
    }
    context.progress({ filesDone: copied.length, filesTotal });

    await context.phase('forgetting');
    const forgotten = await forgetOld(deps, replica, place, call);
    const after = copied.length + forgotten.length > 0 ? await place.look(seen.repositoryId, call) : seen;
    // One that is not missing any more is not stuck.
    const missing = new Set([
      ...plan.copy.map(({ point }) => point.id),
      ...plan.conflicts.map(({ pointId }) => pointId),
    ]);
    for (const id of stuck.keys()) if (request.targetId === undefined && !missing.has(id)) stuck.delete(id);
    const left = [...stuck.values()].slice(-mostStuck);
    const [first] = left;
    // One that waits for its turn is one still.
    const conflict = found ?? (left.some(({ error }) => error === state.conflict) ? state.conflict : null);
    const well = statusByFindings({ ...state, failuresInRow: 0, conflict });
    const how =
      first === undefined
        ? { ...well, syncedMs: clock.now(), failuresInRow: 0, pointsOnly: false }
        : {
            ...{ status: well.status, error: well.error ?? first.error },
            ...{ failuresInRow: Math.max(1, state.failuresInRow), pointsOnly: true },
          };
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
      failureTold = true;
      const worst = news.find(isConflict) ?? news[0] ?? failures.find(isConflict) ?? failures[0];
      await tellFailure(deps, replica, state, worst, context, { ...well, isNew: news.length > 0 });
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
    // That it was switched off is no fault of the place.
    if (!context.signal.aborted && !switchedOff && !failureTold) {
      const conflict = news.find(isConflict);
      const single = { status: 'degraded' as const, error: null, isNew: true };
      if (conflict !== undefined) await tellFailure(deps, replica, state, conflict, context, single);
      await tellFailure(
        deps,
        replica,
        state,
        err,
        context,
        tooMany ? { ...single, isNew: news.length > 0 } : undefined,
      );
    }
    throw err;
  }
}

const isConflict = (err: unknown): boolean => isAppError(err) && err.code === 'replication/conflict';

const ofOnePoint: ReadonlySet<string> = new Set([
  'request/too-large',
  'replication/digest-mismatch',
  'backup/unknown-point',
  'repository/damaged',
  'replication/conflict',
  'replication/not-kept',
] satisfies ErrorCode[]);
/** After so many it is hardly a matter of the points. */
const mostFailing = 3;
/** Of one place, the latest: what is not remembered is tried again with each copy. */
const mostStuck = 100;

/**
 * A copy reads nothing of what was there before: damage that was found stays found until a heal, or all of it was read, and a conflict
 * until a comparison finds none. A place is well where only single points cannot be copied to it; why they cannot stays told until a
 * copy brings all.
 */
export const statusByFindings = ({
  findings: [first],
  conflict,
  ...before
}: Pick<ReplicaState, 'findings' | 'conflict' | 'status' | 'failuresInRow' | 'error'>) => {
  if (first !== undefined) return { status: 'degraded' as const, error: `Damaged: ${first}` };
  if (conflict !== null) return { status: 'degraded' as const, error: conflict };
  const told = before.status === 'healthy' && before.failuresInRow > 0;
  return { status: 'healthy' as const, error: told ? before.error : null };
};

/** A point that was there already, by whatever way it came, is a copy; one that is not there any more is none. */
export async function noteHeld(
  { db, store, clock }: ReplicationDeps,
  replica: Replica,
  { held, copy, listed }: Pick<SyncPlan, 'held' | 'copy' | 'listed'>,
): Promise<void> {
  const known = new Map((await store.copies({ replicaId: replica.id })).map((one) => [one.pointId, one]));
  const gone = [...copy.map(({ point }) => point.id), ...(listed ? [...known.keys()] : [])].filter(
    (id) => known.has(id) && listed?.has(id) !== true,
  );
  await db.unit(async (tx) => {
    for (const { point, treeId } of held)
      if (!known.has(point.id)) await store.writeCopy(tx, copyOf(replica, point, treeId, clock.now()));
    await store.deleteCopies(tx, replica.id, gone);
  });
}

const copyOf = (replica: Replica, point: RecoveryPoint, treeId: string, nowMs: number) => ({
  ...{ replicaId: replica.id, pointId: point.id, targetId: point.targetId, treeId },
  ...{ takenMs: point.takenMs, copiedMs: nowMs },
});

async function copyOne(
  deps: ReplicationDeps,
  replica: Replica,
  place: Place,
  item: PointCopy,
  context: OperationContext,
  onProgress: (sent: Sent) => void,
): Promise<number | null> {
  const { db, store, clock } = deps;
  const { point } = item;
  const entry: LogEntry = {
    id: newId('repl', clock.now(), deps.random),
    operationId: context.id,
    ...{ replicaId: replica.id, targetId: point.targetId, pointId: point.id },
    ...{ type: 'sync', status: 'in_progress', startedMs: clock.now(), completedMs: null },
    ...{ bytes: null, dataHash: null, error: null },
    metadata: { kind: replica.kind, tree_id: item.treeId },
  };
  await db.unit((tx) => store.writeLog(tx, entry));
  await deps.step('replicate:begun');
  try {
    const limitKiB = replica.limitKiB ?? deps.settings().limitKiB;
    const call = { signal: context.signal, operationId: context.id, onProgress };
    const { treeId, bytes, dataHash } = await place.bring(item, limitKiB, call);
    await deps.step('replicate:copied');
    const nowMs = clock.now();
    await db.unit(async (tx) => {
      await store.writeCopy(tx, copyOf(replica, point, treeId, nowMs));
      const hash = dataHash ?? treeId;
      await store.writeLog(tx, { ...entry, status: 'completed', completedMs: nowMs, bytes, dataHash: hash });
    });
    deps.onTransfer({ replicaId: replica.id, point, outcome: 'success', bytes });
    return bytes;
  } catch (err) {
    const failed = { ...entry, status: 'failed' as const, completedMs: clock.now(), error: describeError(err) };
    await db.unit(async (tx) => {
      await store.writeLog(tx, failed);
      await store.changeState(tx, replica.id, { litteredMs: clock.now() });
    });
    if (!context.signal.aborted) deps.onTransfer({ replicaId: replica.id, point, outcome: 'error', bytes: null });
    throw err;
  }
}

/** Only what the catalogue says was forgotten, and long enough ago. What is lost, or unknown here, stays there. */
async function forgetOld(
  deps: ReplicationDeps,
  replica: Replica,
  place: Place,
  call: { signal: AbortSignal; operationId: string },
): Promise<string[]> {
  const { store, points, db, clock } = deps;
  const oldest = clock.now() - deps.settings().keepForgottenMs;
  const doomed: string[] = [];
  for (const { pointId } of await store.copies({ replicaId: replica.id })) {
    const point = await points.find(pointId);
    if (point && point.forgottenMs !== null && point.forgottenMs <= oldest) doomed.push(pointId);
  }
  if (doomed.length === 0) return [];
  await place.forget(doomed, call);
  await db.unit(async (tx) => {
    await store.deleteCopies(tx, replica.id, doomed);
    await store.changeState(tx, replica.id, { litteredMs: clock.now() });
  });
  return doomed;
}

async function tellFailure(
  deps: ReplicationDeps,
  replica: Replica,
  /** As it was told when the copy began. */
  before: ReplicaState,
  err: unknown,
  context: OperationContext,
  /** Of single points: how the place itself is, and whether it was told of them before. */
  place?: Pick<ReplicaState, 'status' | 'error'> & { readonly isNew: boolean },
): Promise<void> {
  const { db, store, clock } = deps;
  const error = isAppError(err) ? err.detail : describeError(err);
  const told = (await store.log({ replicaId: replica.id, limit: 5 })).some((one) => one.operationId === context.id);
  await db.unit(async (tx) => {
    // That the repository here is damaged says nothing of the place.
    if (!isAppError(err) || err.code !== 'replication/source-unsound')
      await store.changeState(tx, replica.id, {
        ...{
          // What failed with single points says nothing of how long a place that fails is left alone.
          failuresInRow: (place === undefined && before.pointsOnly ? 0 : before.failuresInRow) + 1,
          pointsOnly: place !== undefined,
          checkedMs: clock.now(),
        },
        error: place?.error ?? error,
        status: place?.status ?? statusOfFailure(err),
      });
    // The first of a row, and another reason: an outage of a night is not told every five minutes.
    if (before.failuresInRow > 0 && (place ? !place.isNew : before.error === error)) return;
    // One that failed in the middle of a point has said so there.
    if (!told)
      await store.writeLog(tx, {
        ...{ id: newId('repl', clock.now(), deps.random), operationId: context.id, replicaId: replica.id },
        ...{ targetId: null, pointId: null, type: 'sync', status: 'failed', bytes: null, dataHash: null, error },
        ...{ startedMs: clock.now(), completedMs: clock.now() },
      });
    await deps.events.record(tx, {
      type: isConflict(err) ? 'replication.conflict' : 'replication.failed',
      severity: replica.offline ? 'info' : 'error',
      operationId: context.id,
      message: `Copying to ${replica.id} failed: ${error}`,
      data: { replica: replica.id, code: isAppError(err) ? err.code : null },
    });
  });
}

/** A place that answers and refuses is there; whether it is reachable at all is another question. */
export function statusOfFailure(err: unknown): 'degraded' | 'unreachable' {
  if (!isAppError(err)) return 'degraded';
  switch (err.code) {
    case 'outgoing/failed':
    case 'outgoing/timeout':
    case 'repository/unreachable':
    case 'repository/failed':
    case 'repository/missing':
      return 'unreachable';
    default:
      return 'degraded';
  }
}
