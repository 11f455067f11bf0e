import type { Backup, PointStore } from '../../backup/index.ts';
import type { EventRecorder } from '../../events/index.ts';
import type { Operation, OperationContext, Operations } from '../../operations/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database, Tx } from '../../platform/database/index.ts';
import { AppError, describeError, isAppError } from '../../platform/errors.ts';
import { newId, type RandomSource } from '../../platform/ids.ts';
import type { DrillStore } from '../drill-store.ts';
import type { Drills } from '../drills.ts';
import type { Failovers } from '../failover/failovers.ts';
import {
  type Checkpoint,
  type CheckpointCause,
  type CheckpointGraph,
  type CheckpointValidation,
  pointsOf,
} from './checkpoint.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { bindGraph, findVerified, type GraphName } from './stands-for.ts';

type Requested = {
  readonly requestedBy: string;
  readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'];
};

export type Checkpoints = {
  /**
   * Names the newest verified point of each graph, and pins it.
   * @throws AppError `target/unknown` for a graph that is not there, `conflict/state` for one without a verified point, and at
   * the limit of their number
   */
  create(
    request: Requested & {
      graphIds: readonly string[];
      description: string;
      metadata: Checkpoint['metadata'];
      /** Made by the schedule, which may be left out by nobody else. */
      scheduled?: {
        /** Part of the unit that writes the row, and asked before each pin, which may take long. @throws when somebody else makes them now */
        check(tx: Tx): Promise<unknown>;
        /** Part of the unit that says that it is made, once its points are pinned. @throws as `check` does */
        made(tx: Tx): Promise<void>;
      };
    },
  ): Promise<Checkpoint>;
  /** Pins what a kill kept the one who made it from pinning. */
  endPinning(checkpoint: Checkpoint): Promise<void>;
  /** @throws AppError `recovery/unknown-checkpoint` */
  require(id: string): Promise<Checkpoint>;
  /** Its points are unpinned, unless another one names them, or somebody pinned them himself, before or since. */
  remove(id: string, requestedBy: string): Promise<void>;
  /** Restores every point of it in a drill; the result is its validation. */
  validate(id: string, request: Requested): Promise<Operation>;
  /**
   * Brings the target of its graphs up at its other place from its point.
   * @throws AppError `conflict/state` when it is not validated, or names graphs of several targets or of one workspace alone;
   * and what a failover throws
   */
  failover(
    id: string,
    request: Requested & { confirm: boolean; force: boolean; planId: string | undefined },
  ): Promise<Operation>;
};

/** Of those that somebody made; others are given up by themselves, and there are at most 50 of a target. */
const mostCheckpoints = 200;
const everyCheckpoint = 1_000;

/** Sets of verified points, one per graph, that are kept, rehearsed and failed over to together. */
export function createCheckpoints(deps: {
  readonly db: Database;
  readonly store: CheckpointStore;
  readonly points: Pick<PointStore, 'newest' | 'find'>;
  readonly backup: Pick<Backup, 'pin'>;
  readonly drills: Pick<Drills, 'start'>;
  readonly drillStore: Pick<DrillStore, 'find'>;
  readonly failovers: Pick<Failovers, 'start'>;
  readonly operations: Operations;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** @throws AppError `target/unknown` */
  requireGraph(id: string): Promise<GraphName>;
  /** After one came or went. */
  onChange?(): void;
}): Checkpoints {
  const { db, store, points, operations, events, clock } = deps;

  const require = async (id: string): Promise<Checkpoint> => {
    const found = await store.find(id);
    if (!found)
      throw new AppError(
        'recovery/unknown-checkpoint',
        `There is no checkpoint ${id.slice(0, 100)}. \`ragwarden checkpoint list\` shows them.`,
      );
    return found;
  };

  const named = async (): Promise<readonly CheckpointGraph[]> =>
    (await store.list({ limit: everyCheckpoint })).flatMap(({ graphs }) => graphs);

  const bind = async (graphId: string, present: readonly CheckpointGraph[]): Promise<CheckpointGraph> => {
    const graph = await deps.requireGraph(graphId);
    const point = await findVerified(points, graph);
    if (!point)
      throw new AppError(
        'conflict/state',
        `There is no verified point of ${graph.id}. Take one with \`ragwarden backup create\`.`,
      );
    return bindGraph(graph, point, present);
  };

  /** Its row is gone already. */
  const unpin = async (checkpoint: Checkpoint, requestedBy: string): Promise<void> => {
    const pin = (pointId: string, pinned: boolean) =>
      // One that is gone by itself has no pin to lose.
      deps.backup.pin({ pointId, pinned, requestedBy, forCheckpoint: true }).catch(() => undefined);
    const isNamed = async (pointId: string) => (await named()).some((one) => one.pointId === pointId);
    const ours = new Set(checkpoint.graphs.filter((one) => one.pinnedHere === true).map(({ pointId }) => pointId));
    for (const pointId of ours) {
      const point = await points.find(pointId);
      if (!point?.pinned || (await isNamed(pointId))) continue;
      await pin(pointId, false);
      // One that was created meanwhile had pinned it before its pin was taken away.
      if (await isNamed(pointId)) await pin(pointId, true);
    }
  };

  const rehearse = async (
    checkpoint: Checkpoint,
    pointId: string,
    requestedBy: string,
    context: OperationContext,
  ): Promise<CheckpointValidation['drills'][number]> => {
    const targetId = checkpoint.graphs.find((one) => one.pointId === pointId)?.targetId ?? '';
    try {
      const drill = await deps.drills.start({ targetId, kind: 'restore', pointId, choice: 'newest', requestedBy });
      await operations.wait(drill.id, { signal: context.signal });
      context.signal.throwIfAborted();
      const ended = await deps.drillStore.find(drill.id);
      return {
        pointId,
        drillId: drill.id,
        verdict: ended?.verdict ?? 'error',
        reasons: (ended?.reasons ?? []).slice(0, 20),
      };
    } catch (err) {
      context.signal.throwIfAborted();
      return { pointId, drillId: null, verdict: 'error', reasons: [describeError(err)] };
    }
  };

  return {
    require,
    async create({ graphIds, description, metadata, requestedBy, scheduled }) {
      const { manual } = (await store.count()).byCause;
      const cause: CheckpointCause = scheduled ? 'scheduled' : 'manual';
      if (cause === 'manual' && manual >= mostCheckpoints)
        throw new AppError(
          'conflict/state',
          `There are ${manual} checkpoints already. Remove some: each keeps its points from being forgotten.`,
        );
      const graphs: CheckpointGraph[] = [];
      const present = await named();
      for (const id of new Set(graphIds))
        graphs.push({ ...(await bind(id, present)), ...(scheduled ? {} : { pinning: true }) });
      const checkpoint: Checkpoint = {
        id: newId('checkpoint', clock.now(), deps.random),
        ...{ cause, description, graphs, metadata, createdBy: requestedBy, createdMs: clock.now() },
        ...{ validated: false, validatedMs: null, validation: null },
      };
      // The row first: a pin that no row names would stay for ever.
      await db.unit(async (tx) => {
        await scheduled?.check(tx);
        await store.insert(tx, checkpoint);
      });
      const [first] = graphs;
      try {
        for (const pointId of pointsOf(checkpoint)) {
          if (scheduled) await db.unit((tx) => scheduled.check(tx));
          await deps.backup.pin({ pointId, pinned: true, requestedBy, forCheckpoint: true });
        }
        await db.unit(async (tx) => {
          await scheduled?.made(tx);
          await store.endPinning(tx, checkpoint.id);
          await events.record(tx, {
            type: 'recovery.checkpoint-created',
            severity: 'info',
            ...(first && graphs.every(({ targetId }) => targetId === first.targetId)
              ? { targetId: first.targetId }
              : {}),
            message: scheduled
              ? `The checkpoint ${checkpoint.id} was made by the schedule.`
              : `The checkpoint ${checkpoint.id} was created by ${requestedBy}.`,
            data: {
              checkpoint: checkpoint.id,
              cause,
              graphs: graphs.map(({ graphId }) => graphId),
              points: pointsOf(checkpoint),
            },
          });
          await events.audit(tx, {
            actor: requestedBy,
            action: 'recovery.create-checkpoint',
            object: checkpoint.id,
            outcome: 'done',
            ...(scheduled ? { data: { cause } } : {}),
          });
        });
      } catch (err) {
        await db.unit((tx) => store.remove(tx, checkpoint.id));
        await unpin(checkpoint, requestedBy);
        throw err;
      }
      deps.onChange?.();
      return checkpoint;
    },

    async endPinning(checkpoint) {
      const requestedBy = checkpoint.createdBy;
      // One that is gone by itself cannot be pinned any more.
      for (const pointId of pointsOf(checkpoint))
        await deps.backup.pin({ pointId, pinned: true, requestedBy, forCheckpoint: true }).catch(ignoreRefusal);
      await db.unit((tx) => store.endPinning(tx, checkpoint.id));
      // Removed meanwhile, nobody else would take the pin away.
      if (!(await store.find(checkpoint.id))) await unpin(checkpoint, requestedBy);
    },

    async remove(id, requestedBy) {
      const checkpoint = await require(id);
      await db.unit(async (tx) => {
        await store.remove(tx, id);
        await events.audit(tx, {
          actor: requestedBy,
          action: 'recovery.remove-checkpoint',
          object: id,
          outcome: 'done',
        });
      });
      await unpin(checkpoint, requestedBy);
      deps.onChange?.();
    },

    async validate(id, { requestedBy, idempotency }) {
      const [{ targetId } = { targetId: undefined }] = (await require(id)).graphs;
      return operations.start({
        kind: 'recovery.validate-checkpoint',
        targetId,
        exclusive: false,
        input: { checkpointId: id },
        requestedBy,
        idempotency,
        async run(context) {
          const checkpoint = await require(id);
          const all = pointsOf(checkpoint);
          const drills: CheckpointValidation['drills'] = [];
          for (const pointId of all) {
            await context.phase(`rehearsing ${drills.length + 1} of ${all.length}`);
            drills.push(await rehearse(checkpoint, pointId, requestedBy, context));
          }
          const valid = drills.length > 0 && drills.every(({ verdict }) => verdict === 'passed');
          const validation = { valid, drills };
          // Of drills that could not be done nothing is known: what earlier ones proved stays.
          const stays = checkpoint.validated && !valid && !drills.some(({ verdict }) => verdict === 'failed');
          const reason = drills.find(({ verdict }) => verdict !== 'passed')?.reasons[0] ?? 'a drill did not pass';
          await db.unit(async (tx) => {
            if (!stays)
              await store.writeValidation(tx, {
                ...checkpoint,
                validated: valid,
                validatedMs: clock.now(),
                validation,
              });
            await events.record(tx, {
              type: 'recovery.checkpoint-validated',
              severity: valid ? 'info' : stays ? 'warning' : 'error',
              ...(targetId === undefined ? {} : { targetId }),
              operationId: context.id,
              message: valid
                ? `Every point of the checkpoint ${id} was restored in a drill that passed.`
                : stays
                  ? `The checkpoint ${id} could not be rehearsed now, and stays valid: ${reason}`
                  : `The checkpoint ${id} is not valid: ${reason}`,
              data: { checkpoint: id, valid, points: all },
            });
            await events.audit(tx, {
              actor: requestedBy,
              action: 'recovery.validate-checkpoint',
              object: id,
              outcome: valid ? 'done' : 'failed',
            });
          });
          if (!valid) context.markPartial();
          return {
            checkpoint_id: id,
            valid,
            drills: drills.map(({ pointId, drillId, verdict, reasons }) => ({
              ...{ backup_id: pointId, drill_id: drillId, verdict, reasons },
            })),
          };
        },
      });
    },

    async failover(id, { requestedBy, idempotency, confirm, force, planId }) {
      const checkpoint = await require(id);
      const [first, ...others] = checkpoint.graphs;
      if (!first || others.some(({ targetId, pointId }) => targetId !== first.targetId || pointId !== first.pointId))
        throw new AppError(
          'conflict/state',
          `${id} names graphs of several targets. Make one checkpoint of each, and fail over to them one by one.`,
        );
      if (!checkpoint.validated && !force)
        throw new AppError(
          'conflict/state',
          `${id} was not validated, or did not pass. Validate it first, or send "force": true.`,
        );
      return deps.failovers.start({
        targetId: first.targetId,
        pointId: first.pointId,
        checkpointId: id,
        ...{ planId, confirm, force, requestedBy, idempotency },
      });
    },
  };
}

const ignoreRefusal = (err: unknown): void => {
  if (!isAppError(err)) throw err;
};
