import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { CleanupStore } from './cleanup-store.ts';
import type { WorkspaceCause } from './strategies/workspaces.ts';

const stats = z.object({
  total: z.number(),
  expired: z.number(),
  idle: z.number(),
  size: z.number(),
  forced: z.number(),
  errors: z.number(),
  lastMs: z.number().nullable(),
});
export type WorkspaceStats = z.infer<typeof stats>;

const none: WorkspaceStats = { total: 0, expired: 0, idle: 0, size: 0, forced: 0, errors: 0, lastMs: null };
const factKey = 'workspace-stats';

/** What became of workspaces, over every restart. */
export function createWorkspaceStats(deps: { store: CleanupStore; db: Database; clock: Clock }): {
  read(): Promise<WorkspaceStats>;
  add(causes: readonly WorkspaceCause[], errors: number): Promise<void>;
} {
  const { store, db, clock } = deps;
  const read = async (): Promise<WorkspaceStats> => {
    const text = await store.readFact(factKey);
    return text === undefined ? none : stats.parse(JSON.parse(text));
  };
  // One after the other: two that end together must not lose each other's count.
  let writing: Promise<void> = Promise.resolve();
  return {
    read,
    add(causes, errors) {
      const next = writing.then(async () => {
        const before = await read();
        const now = {
          ...before,
          ...{ total: before.total + causes.length, errors: before.errors + errors, lastMs: clock.now() },
        };
        for (const cause of causes) now[cause] += 1;
        await db.unit((tx) => store.writeFact(tx, factKey, JSON.stringify(now)));
      });
      writing = next.catch(() => undefined);
      return next;
    },
  };
}
