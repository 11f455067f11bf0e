import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { AppError, describeError } from '../../platform/errors.ts';
import { notData, type PlanItem } from '../plan.ts';
import { type CleanupStrategy, notItsTurn, type Outcome } from '../strategy.ts';

/** Something of our own that is kept by age. */
export type OldData = {
  /** How much is older; `bytes` null where nobody can tell. */
  measureBefore(beforeMs: number): Promise<{ readonly count: number; readonly bytes: number | null }>;
  /** One bounded batch, the oldest first. @returns how much went */
  deleteBefore(beforeMs: number, limit: number): Promise<number>;
};

const dayMs = 86_400_000;
const params = z.strictObject({ days_to_keep: z.number().min(0.01).max(3_650).default(7) });
const batch = 200;

/** Old samples, or old events: of ourselves, so nothing of the backend is touched. */
export function createOldDataCleanup(deps: {
  name: 'metrics' | 'events';
  about: string;
  /** What one of it is called. */
  unit: string;
  data: OldData;
  clock: Clock;
}): CleanupStrategy<z.infer<typeof params>> {
  const { name, about, unit, data, clock } = deps;
  return {
    ...{ name, about, params, undo: 'none' },
    noUndo: 'What is past its retention is part of earlier recovery points of our state, and of nothing else.',
    async find({ days_to_keep: days }, { nowMs }) {
      const beforeMs = Math.floor(nowMs - days * dayMs);
      const { count, bytes } = await data.measureBefore(beforeMs);
      return {
        items:
          count === 0
            ? []
            : [
                {
                  ...{ key: name, what: `${count} ${unit}`, why: `older than ${days} days`, bytes, risk: 'low' },
                  ...{ contained: notData, seen: { before_ms: beforeMs } },
                },
              ],
        kept: [],
        complete: true,
      };
    },
    async begin(_, { signal }) {
      return {
        async carryOut(items) {
          const outcomes: Outcome[] = [];
          for (const item of items) {
            const beforeMs = Math.min(Number(item.seen.before_ms), clock.now());
            try {
              let last: number;
              do last = await data.deleteBefore(beforeMs, batch);
              while (last > 0 && !signal.aborted);
              outcomes.push(last > 0 ? notItsTurn : { done: true, bytes: item.bytes ?? 0 });
            } catch (err) {
              outcomes.push({ failed: describeError(err) });
            }
          }
          return outcomes;
        },
        async findLeft(items) {
          for (const { seen, what } of items)
            if (!signal.aborted && (await data.measureBefore(Number(seen.before_ms))).count > 0) return what;
          return undefined;
        },
        end: async () => undefined,
      };
    },
  };
}

/** Upkeep of the repository of recovery points, which has its own plan, its own operations and its own records. */
export type RepositoryUpkeep = {
  readonly targetIds: readonly string[];
  /** Why nothing can be done there; undefined: something can. */
  missing(): string | undefined;
  /** Points that retention gives up. */
  planForget(
    targetId: string,
  ): Promise<readonly { readonly id: string; readonly reason: string; readonly bytes: number | null }[]>;
  /** Starts it as an operation of its own and waits for its end. @throws AppError when that failed */
  forget(targetId: string, requestedBy: string, signal: AbortSignal): Promise<void>;
  prune(requestedBy: string, signal: AbortSignal): Promise<void>;
};

const repositoryParams = z.strictObject({
  forget: z.boolean().default(true),
  prune: z.boolean().default(true),
});

export function createRepositoryCleanup(upkeep: RepositoryUpkeep): CleanupStrategy<z.infer<typeof repositoryParams>> {
  return {
    name: 'repository',
    about: 'Recovery points that retention gives up, and the bytes that nothing in the repository needs any more.',
    undo: 'none',
    noUndo: 'A forgotten point is gone; what is pinned, and the newest good one, never is.',
    params: repositoryParams,
    missing: () => upkeep.missing(),
    async find({ forget, prune }) {
      if (upkeep.missing() !== undefined) return { items: [], kept: [], complete: true };
      const items: PlanItem[] = [];
      if (forget)
        for (const targetId of upkeep.targetIds) {
          const points = await upkeep.planForget(targetId);
          if (points.length > 0)
            items.push({
              ...{ key: `forget ${targetId}`, what: `${points.length} recovery points of ${targetId}` },
              ...{ why: points[0]?.reason ?? '', bytes: null, risk: 'medium', contained: notData },
              seen: { what: 'forget', target: targetId, count: points.length },
            });
        }
      if (prune)
        items.push({
          ...{ key: 'prune', what: 'what nothing in the repository needs', why: 'freed by restic', bytes: null },
          ...{ risk: 'low', contained: notData, seen: { what: 'prune' } },
        });
      return { items, kept: [], complete: true };
    },
    async begin(_, { signal, log }) {
      const run = async (seen: Readonly<Record<string, unknown>>): Promise<Outcome> => {
        try {
          if (seen.what === 'forget') await upkeep.forget(String(seen.target), 'ragwarden', signal);
          else await upkeep.prune('ragwarden', signal);
          return { done: true, bytes: 0 };
        } catch (err) {
          if (err instanceof AppError && err.code === 'operation/busy')
            return { done: false, why: 'it is under way already' };
          log.warn({ err }, 'the upkeep of the repository failed');
          return { failed: describeError(err) };
        }
      };
      return {
        async carryOut(items) {
          const outcomes: Outcome[] = [];
          for (const { seen } of items) outcomes.push(signal.aborted ? notItsTurn : await run(seen));
          return outcomes;
        },
        end: async () => undefined,
      };
    },
  };
}
