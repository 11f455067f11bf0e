import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { createFileTaking, type Roots } from '../file-quarantine.ts';
import { findReal, globPattern, walkFolder } from '../folder-walk.ts';
import {
  type ContainedInNewestPoint,
  type Facts,
  type Finding,
  type KeptItem,
  mostItems,
  mostKept,
  notData,
  type PlanItem,
  type Risk,
} from '../plan.ts';
import { look, lstatOf } from '../safe-path.ts';
import type { CleanupStrategy } from '../strategy.ts';

/** What a backend is doing, as far as cleanup must know. */
export type BackendState = {
  readonly state: 'up' | 'down' | 'unknown';
  /** Of the process that serves now, where it is of this machine; epoch milliseconds. */
  readonly startedMs: number | null;
};

/** A folder that cleanups may look into. Named by the settings file alone, or the folder of a target. */
export type CleanupFolder = {
  /** How requests and plans name it. */
  readonly id: string;
  readonly path: string;
  readonly use: 'temporary' | 'logs' | 'graphrag';
  /** Globs of what may go; empty: what the use says. */
  readonly patterns: readonly string[];
  /** Of what must be at least this old whatever is asked for. Milliseconds. */
  readonly graceMs: number;
  /** Set for a folder of a backend: while it runs its temporary siblings are no leftovers. */
  backend?(): Promise<BackendState>;
  /** Whether it holds data that a recovery point should hold. */
  readonly holdsData: boolean;
};

export type FolderStrategyDeps = {
  folders(): readonly CleanupFolder[];
  readonly contained: ContainedInNewestPoint;
  readonly clock: Clock;
};

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** `*.tmp.<pid>.<thread>.<nanoseconds>`: what LightRAG writes beside a file before it renames it over that. */
const temporarySibling = /\.tmp\.\d+\.\d+\.\d+$/;
/** Numbered or dated ones; the log that is written to has neither. */
const rotatedLog = /\.log(\.\d+|-\d{4}-?\d{2}-?\d{2}|\.\d{4}-\d{2}-\d{2})(\.gz|\.xz|\.zst|\.bz2)?$/;

type Candidate = { readonly path: string; readonly why: string; readonly risk: Risk };
type Sorter = (entry: { path: string; folder: boolean; changedMs: number }) => Candidate | KeptItem | undefined;

const folderParam = z.string().min(1).max(100).optional();

export function createTemporaryFiles(deps: FolderStrategyDeps) {
  const params = z.strictObject({
    folder: folderParam,
    min_age_seconds: z
      .number()
      .min(0)
      .max(31_536_000)
      .default(hourMs / 1_000),
  });
  return folderStrategy({
    ...{ deps, name: 'temporary-files', use: 'temporary' as const, depth: 6, params },
    about: 'Temporary files that nobody writes any more, in folders of the backends and in those registered for it.',
    minAgeMs: ({ min_age_seconds }: z.infer<typeof params>) => min_age_seconds * 1_000,
    async sorter(folder, nowMs, minAgeMs) {
      const backend = await folder.backend?.();
      const patterns = folder.patterns.map(globPattern);
      const known = (path: string): boolean =>
        patterns.length > 0 ? patterns.some((one) => one.test(path)) : temporarySibling.test(path);
      return ({ path, folder: isFolder, changedMs }) => {
        if (isFolder || !known(path)) return undefined;
        const old = nowMs - changedMs;
        if (old < minAgeMs) return { what: path, why: `it is ${seconds(old)} old, younger than ${seconds(minAgeMs)}` };
        // Whoever began it ended before this process of the backend began: nobody renames it any more.
        const ofEarlierLife = backend?.startedMs != null && changedMs < backend.startedMs;
        if (backend && backend.state !== 'down' && !ofEarlierLife)
          return {
            what: path,
            why:
              backend.state === 'up'
                ? 'the backend runs, and may be writing it'
                : 'nobody knows whether the backend runs, which may be writing it',
          };
        return { path, why: `a temporary file, not written for ${seconds(old)}`, risk: 'low' };
      };
    },
  });
}

export function createOldLogs(deps: FolderStrategyDeps) {
  const params = z.strictObject({ folder: folderParam, days_to_keep: z.number().min(0).max(3_650).default(30) });
  return folderStrategy({
    ...{ deps, name: 'logs', use: 'logs' as const, depth: 4, params },
    about: 'Rotated logs that are older than wanted; the log that is written to never.',
    minAgeMs: ({ days_to_keep }: z.infer<typeof params>) => days_to_keep * dayMs,
    async sorter(folder, nowMs, minAgeMs) {
      const patterns = folder.patterns.map(globPattern);
      return ({ path, folder: isFolder, changedMs }) => {
        if (isFolder || !(patterns.length > 0 ? patterns.some((one) => one.test(path)) : rotatedLog.test(path)))
          return undefined;
        const old = nowMs - changedMs;
        if (old < minAgeMs) return { what: path, why: `it is ${days(old)} old, younger than ${days(minAgeMs)}` };
        return { path, why: `a rotated log, not written for ${days(old)}`, risk: 'low' };
      };
    },
  });
}

export function createGraphragUpdates(deps: FolderStrategyDeps) {
  const params = z.strictObject({
    folder: folderParam,
    days_to_keep: z.number().min(0).max(3_650).default(30),
    keep_newest: z.number().int().min(0).max(1_000).default(1),
  });
  return folderStrategy({
    ...{ deps, name: 'graphrag-updates', use: 'graphrag' as const, depth: 2, params },
    about:
      'Folders `update_output/<time>` that each `graphrag update` leaves with a copy of the tables before it; GraphRAG never removes them.',
    minAgeMs: ({ days_to_keep }: z.infer<typeof params>) => days_to_keep * dayMs,
    async sorter(folder, nowMs, minAgeMs, { keep_newest }: z.infer<typeof params>, signal) {
      const runs: string[] = [];
      for await (const { path, stat } of walkFolder(folder.path, { depth: 2, signal }))
        if (stat.isDirectory() && updateRun.test(path)) runs.push(path);
      const newest = new Set(runs.sort().reverse().slice(0, keep_newest));
      return ({ path, folder: isFolder, changedMs }) => {
        if (!isFolder || !updateRun.test(path)) return undefined;
        if (newest.has(path)) return { what: path, why: `it is one of the newest ${keep_newest}` };
        const old = nowMs - changedMs;
        if (old < minAgeMs) return { what: path, why: `it is ${days(old)} old, younger than ${days(minAgeMs)}` };
        return { path, why: `left by an update ${days(old)} ago`, risk: 'medium' };
      };
    },
  });
}
const updateRun = /^update_output\/\d{8}-\d{6}$/;

/** Files or folders below registered folders, taken away by renaming. */
function folderStrategy<Params extends Facts & { folder?: string | undefined }>(options: {
  deps: FolderStrategyDeps;
  name: string;
  about: string;
  use: CleanupFolder['use'];
  depth: number;
  params: z.ZodType<Params>;
  minAgeMs(params: Params): number;
  sorter(folder: CleanupFolder, nowMs: number, minAgeMs: number, params: Params, signal: AbortSignal): Promise<Sorter>;
}): CleanupStrategy<Params> {
  const { deps, name, use } = options;
  const chosen = (params: Params): readonly CleanupFolder[] =>
    deps.folders().filter((one) => one.use === use && (params.folder === undefined || one.id === params.folder));
  return {
    ...{ name, about: options.about, undo: 'quarantine', params: options.params },
    missing: () =>
      deps.folders().some((one) => one.use === use)
        ? undefined
        : `No folder is registered for it. \`cleanup.folders\` of the settings file names those that may be touched.`,
    async find(params, { signal, nowMs }) {
      const items: PlanItem[] = [];
      const kept: KeptItem[] = [];
      let complete = true;
      for (const folder of chosen(params)) {
        const root = await findReal(folder.path);
        if (root === undefined) {
          kept.push({ what: folder.id, why: 'the folder is not there' });
          continue;
        }
        const minAgeMs = Math.max(options.minAgeMs(params), folder.graceMs);
        const sort = await options.sorter({ ...folder, path: root }, nowMs, minAgeMs, params, signal);
        for await (const { path, stat } of walkFolder(root, { depth: options.depth, signal })) {
          const verdict = sort({ path, folder: stat.isDirectory(), changedMs: Number(stat.mtimeMs) });
          if (verdict === undefined) continue;
          if (items.length === mostItems) {
            complete = false;
            break;
          }
          const found: PlanItem | KeptItem =
            'what' in verdict ? verdict : await itemOf(root, folder, verdict, { nowMs, minAgeMs, signal });
          if ('risk' in found && 'seen' in found) items.push(found as PlanItem);
          else if (kept.length < mostKept) kept.push({ what: `${folder.id}: ${found.what}`, why: found.why });
        }
      }
      return { items, kept, complete } satisfies Finding;
    },
    async begin(params, context) {
      const roots = new Map<string, string>();
      for (const folder of chosen(params)) {
        const root = await findReal(folder.path);
        if (root !== undefined) roots.set(folder.id, root);
      }
      const byId = new Map(chosen(params).map((one) => [one.id, one]));
      const graceMs = Math.max(options.minAgeMs(params), ...chosen(params).map((one) => one.graceMs));
      const take = createFileTaking({
        ...{ roots, graceMs, context },
        now: () => deps.clock.now(),
        monotonic: () => deps.clock.monotonic(),
        async refuse(item) {
          if (use !== 'temporary') return undefined;
          const backend = await byId.get(String(item.seen.root))?.backend?.();
          if (!backend || backend.state === 'down') return undefined;
          const changedMs = Number(item.seen.changed_ms);
          return backend.startedMs !== null && changedMs < backend.startedMs ? undefined : 'the backend runs again';
        },
      });
      return { carryOut: take, findLeft: leftIn(roots), end: async () => undefined };
    },
  };

  async function itemOf(
    root: string,
    folder: CleanupFolder,
    { path, why, risk }: Candidate,
    { nowMs, minAgeMs, signal }: { nowMs: number; minAgeMs: number; signal: AbortSignal },
  ): Promise<PlanItem | KeptItem> {
    const whole = `${root}/${path}`;
    const seen = await look(whole, (await lstatOf(root))?.dev ?? 0n, signal);
    if (!seen) return { what: path, why: 'it is gone, or is no plain file or folder' };
    // Of a folder, something in it may be younger than the folder itself.
    if (nowMs - seen.changedMs < minAgeMs) return { what: path, why: 'something in it is younger than wanted' };
    return {
      ...{ key: `${folder.id}/${path}`, what: `${folder.id}: ${path}`, why, bytes: seen.bytes, risk },
      contained: folder.holdsData
        ? await deps.contained({ kind: 'path', path: whole, changedMs: seen.changedMs })
        : notData,
      seen: {
        ...{ root: folder.id, path, kind: seen.kind, device: seen.device, inode: seen.inode },
        ...{ stamp: seen.stamp, changed_ms: seen.changedMs },
      },
    };
  }
}

/** What a run says is gone must be gone. */
export const leftIn =
  (roots: Roots) =>
  async (items: readonly PlanItem[]): Promise<string | undefined> => {
    for (const { seen, what } of items) {
      const root = roots.get(String(seen.root));
      const there = root === undefined ? undefined : await lstatOf(`${root}/${String(seen.path)}`);
      if (there && `${there.ino}` === seen.inode) return what;
    }
    return undefined;
  };

const seconds = (ms: number): string => `${Math.floor(ms / 1_000)} s`;
const days = (ms: number): string => (ms < dayMs ? `${Math.floor(ms / hourMs)} h` : `${Math.floor(ms / dayMs)} days`);
