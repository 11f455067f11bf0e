import { join, relative } from 'node:path';
import { z } from 'zod';
import { describeError } from '../../platform/errors.ts';
import { findReal } from '../folder-walk.ts';
import { type JsonRecord, scanRecords } from '../json-records.ts';
import { type OfflineTarget, standDown } from '../offline.ts';
import { type ContainedInNewestPoint, type KeptItem, mostKept, type PlanItem } from '../plan.ts';
import { takeRecords } from '../record-quarantine.ts';
import { look, lstatOf } from '../safe-path.ts';
import { type CleanupStrategy, notItsTurn, type Outcome } from '../strategy.ts';
import type { CleanupDatabase } from './database-sessions-store.ts';
import { cacheRows, takeCacheRows } from './llm-cache-store.ts';

const params = z.strictObject({
  target: z.string().max(63).optional(),
  workspace: z.string().max(64).optional(),
  older_than_days: z.number().min(0).max(3_650).default(30),
  /** Extraction too: the next deletion of a document then cannot rebuild what others said of the same thing. */
  include_extract: z.boolean().default(false),
  /** Lets the backend be stopped for it where its files hold the cache. */
  stop_backend: z.boolean().default(false),
});
type Params = z.infer<typeof params>;

export const cacheFile = 'kv_store_llm_response_cache.json';
const fields: ReadonlySet<string> = new Set(['cache_type', 'create_time', 'update_time']);
/** Made for one question each: after new documents their answers are stale, and asking again makes them anew. */
const ofQuestions: ReadonlySet<string> = new Set(['query', 'keywords']);
const dayMs = 86_400_000;
export const extractStays =
  'extraction stays: without it a deletion cannot rebuild what several documents said of one thing, and indexing again costs every call anew (`include_extract` takes it too)';

/** Cached answers of the model that are older than wanted. In files only while the backend is stopped: it holds them in memory. */
export function createLlmCache(deps: {
  targets(): readonly OfflineTarget[];
  database(): (CleanupDatabase & { workspaceOf(name: string): string }) | undefined;
  contained: ContainedInNewestPoint;
}): CleanupStrategy<Params> {
  const chosen = (wanted: Params): readonly OfflineTarget[] =>
    deps.targets().filter(({ id }) => wanted.target === undefined || wanted.target === id);
  const goesOf =
    (wanted: Pick<Params, 'include_extract'>, beforeMs: number) =>
    ({ key, fields: has }: Pick<JsonRecord, 'key' | 'fields'>): boolean => {
      const kind = has.cache_type ?? key.split(':')[1] ?? '';
      const atMs = Number(has.update_time ?? has.create_time ?? 'nothing') * 1_000;
      return (wanted.include_extract || ofQuestions.has(kind)) && Number.isFinite(atMs) && atMs > 0 && atMs < beforeMs;
    };

  const findInFiles = async (
    target: OfflineTarget,
    wanted: Params,
    context: { signal: AbortSignal; nowMs: number },
    found: { items: PlanItem[]; kept: KeptItem[] },
  ): Promise<void> => {
    const root = target.workspaceRoot === undefined ? undefined : await findReal(target.workspaceRoot);
    if (root === undefined) return;
    const beforeMs = Math.floor(context.nowMs - wanted.older_than_days * dayMs);
    const goes = goesOf(wanted, beforeMs);
    const backend = await target.backend();
    const keep = (what: string, why: string): void => {
      if (found.kept.length < mostKept) found.kept.push({ what, why });
    };
    for (const workspace of target.workspaces()) {
      if (wanted.workspace !== undefined && wanted.workspace !== workspace) continue;
      const path = join(target.folderOf(workspace), cacheFile);
      const real = await findReal(path);
      const seen = real && (await look(real, (await lstatOf(root))?.dev ?? 0n, context.signal));
      if (!real || !seen || !real.startsWith(`${root}/`)) continue;
      const what = `${target.id}:${workspace === '' ? '(unnamed)' : workspace} ${cacheFile}`;
      let count = 0;
      let bytes = 0;
      let extract = 0;
      try {
        await scanRecords(
          real,
          fields,
          (record) => {
            if (goes(record)) {
              count += 1;
              bytes += record.end - record.start;
            } else if (!ofQuestions.has(record.fields.cache_type ?? '')) extract += 1;
          },
          context.signal,
        );
      } catch (err) {
        keep(what, describeError(err));
        continue;
      }
      if (extract > 0 && !wanted.include_extract) keep(`${what}: ${extract} records`, extractStays);
      if (count === 0) continue;
      if (backend.state !== 'down' && !(wanted.stop_backend && target.lifecycle.automatic)) {
        keep(
          `${what}: ${count} records`,
          'the backend runs, holds them in memory and would write them back. Stop it, or let it be stopped with `stop_backend`',
        );
        continue;
      }
      found.items.push({
        ...{ key: `${target.id} ${workspace} file`, what: `${what}: ${count} records`, bytes },
        why: `not written for ${wanted.older_than_days} days`,
        risk: wanted.include_extract ? 'high' : 'low',
        contained: await deps.contained({ kind: 'path', path: real, changedMs: seen.changedMs }),
        seen: {
          ...{ in: 'file', target: target.id, path: relative(root, real), before_ms: beforeMs, kind: seen.kind },
          ...{ device: seen.device, inode: seen.inode, stamp: seen.stamp, include_extract: wanted.include_extract },
        },
      });
    }
  };

  return {
    name: 'llm-cache',
    about: 'Cached answers of the model to questions, by age; extraction never unless it is asked for.',
    undo: 'quarantine',
    params,
    missing: () =>
      deps.targets().length > 0 || deps.database()
        ? undefined
        : 'No target is configured whose cache could be looked at.',
    // Only what changes files needs the target for itself; down is also the backend that a restore or a failover stopped.
    target: (wanted) => chosen(wanted).find((one) => wanted.stop_backend || one.workspaceRoot !== undefined)?.id,
    async find(wanted, context) {
      const found = { items: [] as PlanItem[], kept: [] as KeptItem[] };
      for (const target of chosen(wanted)) await findInFiles(target, wanted, context, found);
      const database = deps.database();
      if (database && (wanted.target === undefined || wanted.target === database.targetId)) {
        const beforeMs = Math.floor(context.nowMs - wanted.older_than_days * dayMs);
        const session = await database.open(context.signal);
        try {
          const workspace = wanted.workspace === undefined ? undefined : database.workspaceOf(wanted.workspace);
          for (const row of await cacheRows(session, { beforeMs, workspace })) {
            const what = `${database.targetId}: ${row.rows} rows ${row.cache_type} of workspace ${row.workspace}`;
            if (!wanted.include_extract && !ofQuestions.has(row.cache_type)) {
              if (found.kept.length < mostKept) found.kept.push({ what, why: extractStays });
              continue;
            }
            found.items.push({
              ...{ key: `${database.targetId} ${row.workspace} ${row.cache_type} rows`, what, bytes: row.bytes },
              why: `not written for ${wanted.older_than_days} days`,
              risk: ofQuestions.has(row.cache_type) ? 'low' : 'high',
              contained: await deps.contained({ kind: 'database', targetId: database.targetId, changedMs: beforeMs }),
              seen: { in: 'database', workspace: row.workspace, cache_type: row.cache_type, before_ms: beforeMs },
            });
          }
        } finally {
          await session.close();
        }
      }
      return { ...found, complete: true };
    },
    async begin(wanted, { signal, phase }) {
      const downed: (() => Promise<void>)[] = [];
      const down = new Set<string>();
      let number = 0;
      const nextFile = (): number => {
        number += 1;
        return number;
      };
      const inFile: CarryOne = async (item, quarantine) => {
        const target = deps.targets().find(({ id }) => id === item.seen.target);
        const root = target?.workspaceRoot === undefined ? undefined : await findReal(target.workspaceRoot);
        if (!target || root === undefined) return { done: false, why: 'its folder is not there any more' };
        if (!down.has(target.id)) {
          phase(`waiting until ${target.id} is stopped`);
          downed.push(await standDown(target, wanted.stop_backend, signal));
          down.add(target.id);
          phase('carrying out');
        }
        return takeRecords({
          ...{ root, item, fields, quarantine, targetId: target.id, signal, number: nextFile() },
          goes: goesOf({ include_extract: item.seen.include_extract === true }, Number(item.seen.before_ms)),
        });
      };
      const inDatabase: CarryOne = async (item, quarantine) => {
        const database = deps.database();
        if (!database) return { done: false, why: 'its database is not named any more' };
        const session = await database.open(signal);
        try {
          const { rows, bytes } = await takeCacheRows({
            ...{ session, quarantine, signal, targetId: database.targetId, nextFile, what: item.what },
            workspace: String(item.seen.workspace),
            cacheType: String(item.seen.cache_type),
            beforeMs: Number(item.seen.before_ms),
          });
          return rows === 0 ? { done: false, why: 'nothing of it is to go any more' } : { done: true, bytes };
        } finally {
          await session.close();
        }
      };
      return {
        async carryOut(items, quarantine) {
          const outcomes: Outcome[] = [];
          for (const item of items) {
            if (signal.aborted) {
              outcomes.push(notItsTurn);
              continue;
            }
            try {
              outcomes.push(await (item.seen.in === 'file' ? inFile : inDatabase)(item, quarantine));
            } catch (err) {
              outcomes.push({ failed: describeError(err) });
            }
          }
          return outcomes;
        },
        async end() {
          for (const start of downed) await start();
        },
      };
    },
  };
}

type CarryOne = (item: PlanItem, quarantine: Parameters<typeof takeRecords>[0]['quarantine']) => Promise<Outcome>;
