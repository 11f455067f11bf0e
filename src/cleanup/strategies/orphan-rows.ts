import { z } from 'zod';
import { describeError } from '../../platform/errors.ts';
import { type OfflineTarget, standDown } from '../offline.ts';
import { type ContainedInNewestPoint, type KeptItem, mostKept, type PlanItem } from '../plan.ts';
import type { OpenQuarantine } from '../quarantine.ts';
import { type CleanupStrategy, notItsTurn, type Outcome } from '../strategy.ts';
import type { SqlSession } from './database-sessions-store.ts';
import { countOrphanRecords, findOrphanRecords, leafKinds, takeOrphanRecords } from './orphan-records.ts';
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

const nothingNamed =
  'No PostgreSQL and no folder of a LightRAG backend is named. Set POSTGRES_HOST or WORKING_DIR, or `target` in the settings file.';
/** Above it one transaction would hold too much at once. */
const mostRows = 50_000;

/** What other strategies take, and what none may. */
const inFiles: Readonly<Record<string, string>> = {
  'temporary-file': 'the strategy `temporary-files` takes them',
  'stale-cache': 'the strategy `llm-cache` takes cached answers by age',
  'graphrag-update-folder': 'the strategy `graphrag-updates` takes them',
};
const filesStay =
  'vectors stand in one matrix by their number, and chunks, vectors and the graph of the files name each other: taking one leaves holes in the others. They stay. Delete the documents and insert them anew, or restore';

/**
 * Rows of the backend's PostgreSQL that belong to nothing any more, and records of its files that nothing else names. Between two writes
 * of one document much looks left over, so they go only while the backend is stopped and nobody is connected under its name; all rows of
 * one kind in one transaction, all records of one file by one rename.
 */
export function createOrphanRows(deps: {
  targets(): readonly OfflineTarget[];
  database(): OrphanDatabase | undefined;
  files: FileOrphans;
  contained: ContainedInNewestPoint;
}): CleanupStrategy<Params> {
  const filesOf = (): readonly OfflineTarget[] => deps.targets().filter((one) => one.workspaceRoot !== undefined);
  const mayGo = async (target: OfflineTarget | undefined, wanted: Params): Promise<boolean> =>
    (await target?.backend())?.state === 'down' || (wanted.stop_backend && target?.lifecycle.automatic === true);

  const findRows = async (
    database: OrphanDatabase,
    wanted: Params,
    found: { readonly items: PlanItem[]; keep(what: string, why: string): void; readonly signal: AbortSignal },
  ): Promise<void> => {
    const { items, keep, signal } = found;
    const target = deps.targets().find(({ id }) => id === database.targetId);
    const isDown = await mayGo(target, wanted);
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
          const stays = whyKept(lost, found, isDown);
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
  };

  return {
    name: 'orphans',
    about:
      'What belongs to nothing any more: in PostgreSQL texts, chunks, vectors and cache, in files texts and cache.',
    undo: 'quarantine',
    params,
    missing: () => (deps.database() || filesOf().length > 0 ? undefined : nothingNamed),
    // Down is also the backend that a restore or a failover stopped, whose files it changes.
    target: () => deps.database()?.targetId ?? filesOf()[0]?.id,
    async find(wanted, { signal }) {
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      const keep = (what: string, why: string): void => {
        if (kept.length < mostKept) kept.push({ what, why });
      };
      const database = deps.database();
      if (database) await findRows(database, wanted, { items, keep, signal });
      // What hangs on rows that are still there is asked about first: taking a chunk makes others of its vectors.
      items.reverse();
      // With a part of the stores in a database, what a file belongs to may stand there.
      for (const target of database ? [] : filesOf()) {
        const options = { target, kind: wanted.kind, contained: deps.contained, keep, signal };
        items.push(...(await findOrphanRecords({ ...options, mayGo: await mayGo(target, wanted) })));
      }
      for (const id of new Set([...filesOf().map((one) => one.id), ...(database ? [database.targetId] : [])]))
        for (const one of await deps.files(id))
          if ((wanted.kind === undefined || wanted.kind === one.kind) && (database || !isTaken(one)))
            keep(`${id}: ${one.count} in ${one.place}, ${one.kind}`, inFiles[one.kind] ?? filesStay);
      return { items, kept, complete: true };
    },
    async begin(wanted, { signal, phase }) {
      const database = deps.database();
      const starts = new Map<string, () => Promise<void>>();
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
          if (went.rows !== found.count) {
            await quarantine.settle([], went.entries);
            throw new Error('rows changed while they were taken; nothing went');
          }
          taken.set(item.key, { lost, column, ids });
          return went;
        });
        if (!done) return { done: false, why: 'what is left over is not what it was when it was planned' };
        await quarantine.settle(done.entries);
        return { done: true, bytes: done.bytes };
      };
      const stop = async (target: OfflineTarget): Promise<void> => {
        if (starts.has(target.id)) return;
        phase(`waiting until ${target.id} is stopped`);
        starts.set(target.id, await standDown(target, wanted.stop_backend, signal));
        phase('carrying out');
      };
      const takeFromFile = async (item: PlanItem, quarantine: OpenQuarantine): Promise<Outcome> => {
        const target = filesOf().find(({ id }) => id === item.seen.target);
        if (!target) return { done: false, why: 'its target is not watched any more' };
        await stop(target);
        return failureAsOutcome(() => takeOrphanRecords({ target, item, quarantine, number: nextFile(), signal }));
      };
      let session: SqlSession | undefined;
      const takeRows = async (item: PlanItem, quarantine: OpenQuarantine): Promise<Outcome> => {
        const target = deps.targets().find(({ id }) => id === database?.targetId);
        if (!database || !target) return { done: false, why: 'its database is not named any more' };
        await stop(target);
        session ??= await database.open(signal);
        const open = session;
        return failureAsOutcome(() => take(open, item, quarantine));
      };
      return {
        async carryOut(items, quarantine) {
          const outcomes: Outcome[] = [];
          try {
            for (const item of items) {
              if (signal.aborted) outcomes.push(notItsTurn);
              else outcomes.push(await (item.seen.in === 'file' ? takeFromFile : takeRows)(item, quarantine));
            }
          } finally {
            await session?.close();
            session = undefined;
          }
          return outcomes;
        },
        async findLeft(items) {
          for (const item of items.filter(({ seen }) => seen.in === 'file')) {
            const target = filesOf().find(({ id }) => id === item.seen.target);
            const left = target ? await countOrphanRecords(target, item, signal) : 0;
            if (left > 0) return `${left} of ${item.what}`;
          }
          if (!database || taken.size === 0) return undefined;
          const asked = await database.open(signal);
          try {
            for (const item of items) {
              const gone = taken.get(item.key);
              const left = gone ? await countRows(asked, gone.lost, gone.column, gone.ids) : 0;
              if (left > 0) return `${left} of ${item.what}`;
            }
            return undefined;
          } finally {
            await asked.close();
          }
        },
        async end() {
          for (const start of starts.values()) await start();
        },
      };
    },
  };
}

/** Looked for in the file itself; of the cache that is what was extracted, not the answers. */
const isTaken = ({ kind, place }: { readonly kind: string; readonly place: string }): boolean =>
  leafKinds.has(kind) && !place.endsWith('#outdated');

async function failureAsOutcome(run: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await run();
  } catch (err) {
    return { failed: describeError(err) };
  }
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
