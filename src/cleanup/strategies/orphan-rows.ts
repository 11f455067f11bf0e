import { z } from 'zod';
import { describeError } from '../../platform/errors.ts';
import { type OfflineTarget, standDown } from '../offline.ts';
import { type ContainedInNewestPoint, type KeptItem, mostKept, type PlanItem } from '../plan.ts';
import type { OpenQuarantine } from '../quarantine.ts';
import { type CleanupStrategy, notItsTurn, type Outcome } from '../strategy.ts';
import type { SqlSession } from './database-sessions-store.ts';
import {
  countLost,
  countRows,
  countSessions,
  inOneTransaction,
  type LostRows,
  lostIds,
  type OrphanDatabase,
  takeLost,
} from './orphan-rows-store.ts';

const params = z.strictObject({
  /** One kind alone, as the search for orphans names it. */
  kind: z.string().max(64).optional(),
  /** Lets the backend be stopped for it. */
  stop_backend: z.boolean().default(false),
});
type Params = z.infer<typeof params>;

/** What the last search found in files; they stay, and the plan says why. */
export type FileOrphans = (
  targetId: string,
) => Promise<
  readonly { readonly kind: string; readonly place: string; readonly count: number; readonly reason: string }[]
>;

const noDatabase =
  'No PostgreSQL of a LightRAG backend is named. Set POSTGRES_HOST, or `target.postgres` in the settings file.';
/** Above it one transaction would hold too much at once. */
const mostRows = 50_000;

/** What other strategies take, and what none may. */
const inFiles: Readonly<Record<string, string>> = {
  'temporary-file': 'the strategy `temporary-files` takes them',
  'stale-cache': 'the strategy `llm-cache` takes cached answers by age',
  'graphrag-update-folder': 'the strategy `graphrag-updates` takes them',
};
const filesStay =
  'records, vectors and the graph of the files hang together and the backend writes each file whole; they stay. Delete the documents and insert them anew, or restore';

/**
 * Rows of the backend's PostgreSQL that belong to nothing any more. Between two writes of one document much looks left over, so they
 * go only while the backend is stopped and nobody is connected under its name; all of one kind in one transaction.
 */
export function createOrphanRows(deps: {
  targets(): readonly OfflineTarget[];
  database(): OrphanDatabase | undefined;
  files: FileOrphans;
  contained: ContainedInNewestPoint;
}): CleanupStrategy<Params> {
  return {
    name: 'orphans',
    about: "Rows of the backend's PostgreSQL that belong to nothing any more: texts, chunks, vectors and cache.",
    undo: 'quarantine',
    params,
    missing: () => (deps.database() ? undefined : noDatabase),
    target: (wanted) => (wanted.stop_backend ? deps.database()?.targetId : undefined),
    async find(wanted, { signal }) {
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      const keep = (what: string, why: string): void => {
        if (kept.length < mostKept) kept.push({ what, why });
      };
      const database = deps.database();
      if (!database) return { items, kept, complete: true };
      const target = deps.targets().find(({ id }) => id === database.targetId);
      const state = await target?.backend();
      const canStop = wanted.stop_backend && target?.lifecycle.automatic === true;
      const session = await database.open(signal);
      try {
        await inOneTransaction(session, 'read only', async () => {
          const { column, questions } = await database.lostRows(session);
          for (const lost of questions) {
            if (wanted.kind !== undefined && wanted.kind !== lost.kind) continue;
            signal.throwIfAborted();
            const found = await countLost(session, column, lost);
            if (found.count === 0) continue;
            const what = `${database.targetId}: ${found.count} rows of ${lost.table}, ${lost.kind}`;
            const stays = whyKept(lost, found, state?.state === 'down' || canStop);
            if (stays !== undefined) {
              keep(what, stays);
              continue;
            }
            items.push({
              ...{
                key: `${lost.kind} ${lost.schema}.${lost.table}`,
                what,
                why: lost.reason,
                bytes: found.bytes,
                risk: 'high',
              },
              contained: await deps.contained({
                ...{ kind: 'database', targetId: database.targetId, changedMs: found.newestMs },
              }),
              seen: {
                ...{ kind: lost.kind, schema: lost.schema, table: lost.table, workspace: column },
                ...{ rows: found.count, digest: found.digest },
              },
            });
          }
        });
      } finally {
        await session.close();
      }
      for (const one of await deps.files(database.targetId))
        if (wanted.kind === undefined || wanted.kind === one.kind)
          keep(`${database.targetId}: ${one.count} in ${one.place}, ${one.kind}`, inFiles[one.kind] ?? filesStay);
      // What hangs on rows that are still there is asked about first: taking a chunk makes others of its vectors.
      return { items: items.reverse(), kept, complete: true };
    },
    async begin(wanted, { signal, phase }) {
      const database = deps.database();
      let start: (() => Promise<void>) | undefined;
      let number = 0;
      const taken = new Map<string, { lost: LostRows; column: string; ids: readonly string[] }>();
      const nextFile = (): number => {
        number += 1;
        return number;
      };
      const take = async (session: SqlSession, item: PlanItem, quarantine: OpenQuarantine): Promise<Outcome> => {
        const others = await countSessions(session);
        if (others > 0)
          return { done: false, why: `${others} sessions are connected under the name of the backend, and may write` };
        const done = await inOneTransaction(session, 'read write', async () => {
          const { column, questions } = await (database as OrphanDatabase).lostRows(session); // begun only with one
          const lost = questions.find(
            (one) => one.kind === item.seen.kind && one.schema === item.seen.schema && one.table === item.seen.table,
          );
          if (!lost?.removable) return undefined;
          const found = await countLost(session, column, lost);
          if (found.digest !== item.seen.digest || whyKept(lost, found, true) !== undefined) return undefined;
          const ids = await lostIds(session, lost);
          const went = await takeLost({
            ...{ session, lost, column, ids, quarantine, signal, nextFile },
            targetId: (database as OrphanDatabase).targetId,
          });
          if (went.rows !== found.count) throw new Error('rows changed while they were taken; nothing went');
          taken.set(item.key, { lost, column, ids });
          return went;
        });
        if (!done) return { done: false, why: 'what is left over is not what it was when it was planned' };
        await quarantine.settle(done.entries);
        return { done: true, bytes: done.bytes };
      };
      return {
        async carryOut(items, quarantine) {
          const target = deps.targets().find(({ id }) => id === database?.targetId);
          if (!database || !target)
            return items.map(() => ({ done: false, why: 'its database is not named any more' }));
          if (start === undefined) {
            phase(`waiting until ${target.id} is stopped`);
            start = await standDown(target, wanted.stop_backend, signal);
            phase('carrying out');
          }
          const outcomes: Outcome[] = [];
          const session = await database.open(signal);
          try {
            for (const item of items) {
              if (signal.aborted) outcomes.push(notItsTurn);
              else
                try {
                  outcomes.push(await take(session, item, quarantine));
                } catch (err) {
                  outcomes.push({ failed: describeError(err) });
                }
            }
          } finally {
            await session.close();
          }
          return outcomes;
        },
        async findLeft(items) {
          if (!database) return undefined;
          const session = await database.open(signal);
          try {
            for (const item of items) {
              const gone = taken.get(item.key);
              const left = gone ? await countRows(session, gone.lost, gone.column, gone.ids) : 0;
              if (left > 0) return `${left} of ${item.what}`;
            }
            return undefined;
          } finally {
            await session.close();
          }
        },
        end: async () => start?.(),
      };
    },
  };
}

function whyKept(
  lost: LostRows,
  found: { readonly count: number; readonly all: number },
  isDown: boolean,
): string | undefined {
  if (!lost.removable) return lost.reason;
  // A store that was moved elsewhere leaves tables behind that answer nothing.
  if (found.count >= found.all)
    return 'that would be every row of the workspace in this table: what they belong to is kept elsewhere, or was lost. Look at it by hand';
  if (found.count > mostRows) return `more than ${mostRows} at once. Look at it by hand`;
  if (!isDown)
    return 'the backend runs, or may run: between two writes of one document much looks left over. Stop it, or let it be stopped with `stop_backend`';
  return undefined;
}
