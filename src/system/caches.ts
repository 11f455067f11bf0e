import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError, describeError } from '../platform/errors.ts';
import { createFactStore } from './fact-store.ts';

/** Something that may be emptied because it can be made again. */
export type Cache = {
  /** `repository`, `callers`, `backend-llm`. */
  readonly id: string;
  readonly about: string;
  /** What emptying it costs, for whoever decides. */
  readonly consequence: string;
  /** Is not emptied without `confirm`, and not among what is emptied when nothing is named. */
  readonly dear: boolean;
  /** Null where nobody can tell. */
  measure(): Promise<{ readonly bytes: number | null; readonly entries: number | null }>;
  /** @throws AppError why it cannot be emptied now */
  clear(signal: AbortSignal): Promise<void>;
};

export type CacheState = Omit<Cache, 'measure' | 'clear'> & {
  readonly bytes: number | null;
  readonly entries: number | null;
  readonly lastClearedMs: number | null;
};
export type ClearedCache = {
  readonly id: string;
  readonly bytesFreed: number | null;
  readonly entriesCleared: number | null;
  readonly error: string | null;
};

export type Caches = {
  list(): Promise<readonly CacheState[]>;
  /** @throws AppError `request/invalid` for an unknown id, `conflict/confirmation-required`; nothing is emptied then */
  clear(options: {
    ids: readonly string[] | undefined;
    confirm: boolean;
    actor: string;
    signal: AbortSignal;
  }): Promise<readonly ClearedCache[]>;
};

export function createCaches(options: {
  caches: readonly Cache[];
  db: Database;
  events: EventRecorder;
  clock: Clock;
}): Caches {
  const { caches, db, events, clock } = options;
  const facts = createFactStore(db);
  const measured = (cache: Cache) => cache.measure().catch(() => ({ bytes: null, entries: null }));
  const freed = (before: number | null, after: number | null): number | null =>
    before === null || after === null ? null : Math.max(0, before - after);

  return {
    list: () =>
      Promise.all(
        caches.map(async (cache) => {
          const { id, about, consequence, dear } = cache;
          const last = await facts.read(`cache-cleared:${id}`);
          return { id, about, consequence, dear, ...(await measured(cache)), lastClearedMs: last?.atMs ?? null };
        }),
      ),
    async clear({ ids, confirm, actor, signal }) {
      const unknown = (ids ?? []).find((id) => !caches.some((cache) => cache.id === id));
      if (unknown !== undefined)
        throw new AppError(
          'request/invalid',
          `There is no cache "${unknown}". There are: ${caches.map(({ id }) => id).join(', ')}.`,
          { violations: [{ at: 'querystring.cache_types', message: 'names no cache' }] },
        );
      const wanted = caches.filter((cache) => (ids === undefined ? !cache.dear : ids.includes(cache.id)));
      const dear = wanted.filter((cache) => cache.dear);
      if (dear.length > 0 && !confirm)
        throw new AppError(
          'conflict/confirmation-required',
          `${dear.map(({ id, consequence }) => `${id}: ${consequence}`).join(' ')} Send \`confirm\` to do it.`,
        );
      const cleared: ClearedCache[] = [];
      for (const cache of wanted) {
        const before = await measured(cache);
        try {
          await cache.clear(signal);
          const after = await measured(cache);
          cleared.push({
            id: cache.id,
            bytesFreed: freed(before.bytes, after.bytes),
            entriesCleared: freed(before.entries, after.entries),
            error: null,
          });
        } catch (err) {
          cleared.push({ id: cache.id, bytesFreed: null, entriesCleared: null, error: describeError(err) });
        }
      }
      const nowMs = clock.now();
      const failed = cleared.filter(({ error }) => error !== null);
      await db.unit(async (tx) => {
        for (const { id, error } of cleared)
          if (error === null) await facts.write(tx, `cache-cleared:${id}`, actor, nowMs);
        await events.audit(tx, {
          actor,
          action: 'system.clear-caches',
          object: wanted.map(({ id }) => id).join(','),
          outcome: failed.length > 0 ? 'failed' : 'done',
          data: { cleared },
        });
        if (wanted.length > 0)
          await events.record(tx, {
            type: failed.length > 0 ? 'system.caches-failed' : 'system.caches-cleared',
            severity: failed.length > 0 ? 'warning' : 'info',
            message:
              failed.length > 0
                ? `Not every cache was cleared: ${failed.map(({ id, error }) => `${id}: ${error}`).join('; ')}.`
                : `Cleared: ${wanted.map(({ id }) => id).join(', ')}.`,
            data: { cleared, actor, reason: failed[0]?.error },
          });
      });
      return cleared;
    },
  };
}
