import { z } from 'zod';
import { describeError } from '../../platform/errors.ts';
import type { CleanupStore } from '../cleanup-store.ts';
import { mostItems, notData } from '../plan.ts';
import type { Quarantine } from '../quarantine.ts';
import { type CleanupStrategy, inParallel, notItsTurn, type Outcome } from '../strategy.ts';

const params = z.strictObject({
  /** Also what is still within its window. */
  run_id: z.string().max(100).optional(),
});

/** What lies in the quarantine longer than its window goes for good. */
export function createExpiredQuarantine(deps: {
  store: CleanupStore;
  quarantine: Quarantine;
}): CleanupStrategy<z.infer<typeof params>> {
  const { store, quarantine } = deps;
  return {
    name: 'quarantine',
    about: 'What cleanups took away and nobody wanted back within its window; or one run of it, at once.',
    undo: 'none',
    noUndo: 'It is the end of what could be undone.',
    params,
    async find({ run_id: runId }, { nowMs }) {
      const entries = await store.listEntries({
        ...{ state: 'held', limit: mostItems + 1, runId },
        ...(runId === undefined ? { expiredAtMs: nowMs } : {}),
      });
      return {
        items: entries.slice(0, mostItems).map((entry) => ({
          ...{ key: entry.id, what: entry.what, bytes: entry.bytes, contained: notData, seen: { id: entry.id } },
          risk: entry.expiresMs <= nowMs ? ('low' as const) : ('high' as const),
          why:
            entry.expiresMs <= nowMs
              ? `in the quarantine for ${Math.floor((nowMs - entry.heldMs) / 86_400_000)} days, which is past its window`
              : 'asked for before its window is over',
        })),
        kept: [],
        complete: entries.length <= mostItems,
      };
    },
    async begin(_, context) {
      return {
        carryOut: (items) =>
          inParallel(items, context.parallel, async ({ seen }): Promise<Outcome> => {
            if (context.signal.aborted) return notItsTurn;
            const entry = await store.findEntry(String(seen.id));
            if (entry?.state !== 'held') return { done: false, why: 'it came back, or is gone already' };
            try {
              await quarantine.purge(entry);
              return { done: true, bytes: entry.bytes ?? 0 };
            } catch (err) {
              return { failed: describeError(err) };
            }
          }),
        end: async () => undefined,
      };
    },
  };
}
