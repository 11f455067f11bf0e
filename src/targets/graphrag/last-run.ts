import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { IndexRun } from '../observation.ts';
import type { ProjectLayout, ProjectPlace } from './project-layout.ts';

/** What was read of a run, before it is judged. */
export type RunTraces = {
  /** The stats that were written last, and when; undefined: nothing was ever run. */
  readonly stats:
    | { readonly kind: 'index' | 'update'; readonly mtimeMs: number; readonly read: Stats | undefined }
    | undefined;
  /** How the log ends, as far as it belongs to the last run; undefined where there is no log. */
  readonly log:
    | { readonly mtimeMs: number; readonly failedAt: string | undefined; readonly complete: boolean }
    | undefined;
  /** Newest change of a table or of the cache. */
  readonly filesMs: number | undefined;
};

type Stats = {
  readonly runtimeMs: number;
  readonly documents: number | undefined;
  readonly workflows: readonly string[];
};

/**
 * GraphRAG writes its stats when a run begins, after each step, and at the end: `total_runtime` is 0 until then, and stays 0
 * when a step fails or the process is killed. The log names the step that failed.
 */
export function decideRun(
  traces: RunTraces,
  seen: { readonly process: boolean; readonly nowMs: number; readonly quietMs: number },
): IndexRun {
  const { stats, log, filesMs } = traces;
  const signs = [stats?.mtimeMs, log?.mtimeMs, filesMs].filter((one) => one !== undefined);
  const lastSignMs = signs.length === 0 ? undefined : Math.max(...signs);
  const run = {
    kind: stats?.kind,
    lastSignMs,
    runtimeMs: stats?.read && stats.read.runtimeMs > 0 ? stats.read.runtimeMs : undefined,
    documents: stats?.read?.documents,
    workflows: stats?.read?.workflows ?? [],
    failedAt: undefined,
  };
  if (seen.process) return { ...run, state: 'running' };
  if (stats === undefined) return { ...run, state: 'none' };
  // Stats that cannot be read say nothing against the word of the log.
  if (run.runtimeMs !== undefined || (stats.read === undefined && log?.complete)) return { ...run, state: 'finished' };
  if (log?.failedAt !== undefined) return { ...run, state: 'failed', failedAt: log.failedAt };
  const isQuiet = lastSignMs !== undefined && seen.nowMs - lastSignMs >= seen.quietMs;
  return { ...run, state: isQuiet ? 'unfinished' : 'running' };
}

export async function readRunTraces(layout: ProjectLayout): Promise<RunTraces> {
  const output = folderOf(layout.output);
  const candidates: { kind: 'index' | 'update'; file: string; mtimeMs: number }[] = [];
  const add = async (kind: 'index' | 'update', file: string): Promise<void> => {
    const found = await stat(file).catch(() => undefined);
    if (found?.isFile()) candidates.push({ kind, file, mtimeMs: found.mtimeMs });
  };
  if (output !== undefined) await add('index', join(output, 'stats.json'));
  for (const folder of (await listUpdates(layout)).slice(-mostUpdates))
    await add('update', join(folder, 'delta', 'stats.json'));
  const newest = candidates.toSorted((a, b) => b.mtimeMs - a.mtimeMs)[0];
  return {
    stats: newest && { kind: newest.kind, mtimeMs: newest.mtimeMs, read: await readStats(newest.file) },
    log: await readLog(layout),
    filesMs: await newestChange(layout),
  };
}

/** Folders are named by their time, so the last of them is the newest. */
const mostUpdates = 3;

/** Of each update its own folder, the oldest first; whole paths. */
export async function listUpdates(layout: ProjectLayout): Promise<string[]> {
  const folder = folderOf(layout.updates);
  if (folder === undefined) return [];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isDirectory() && /^\d{8}-\d{6}$/.test(entry.name))
    .map((entry) => join(folder, entry.name))
    .sort();
}

const statsShape = z.looseObject({
  total_runtime: z.number(),
  num_documents: z.number().optional().catch(undefined),
  update_documents: z.number().optional().catch(undefined),
  workflows: z.record(z.string(), z.unknown()).catch({}),
});

/** Some kilobytes; what is larger is something else. */
const greatestStats = 4 * 1024 * 1024;

/** Undefined for what is half written, which happens while a run goes on. */
export async function readStats(file: string): Promise<Stats | undefined> {
  try {
    if ((await stat(file)).size > greatestStats) return undefined;
    const parsed = statsShape.safeParse(JSON.parse(await readFile(file, 'utf8')));
    if (!parsed.success) return undefined;
    const { total_runtime, num_documents = 0, update_documents = 0, workflows } = parsed.data;
    return {
      runtimeMs: total_runtime * 1_000,
      documents: num_documents + update_documents,
      workflows: Object.keys(workflows),
    };
  } catch {
    return undefined;
  }
}

const logName = 'indexing-engine.log';
const logTail = 65_536;

async function readLog(layout: ProjectLayout): Promise<RunTraces['log']> {
  const folder = folderOf(layout.logs);
  if (folder === undefined) return undefined;
  const handle = await open(join(folder, logName), 'r').catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const { size, mtimeMs } = await handle.stat();
    const buffer = Buffer.alloc(Math.min(size, logTail));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, Math.max(0, size - buffer.length));
    return { mtimeMs, ...readLogEnd(buffer.toString('utf8', 0, bytesRead)) };
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/**
 * What the end of the log says of the last run. Only the name of the step is taken out of it: the text of an error may hold a key.
 */
export function readLogEnd(tail: string): { readonly failedAt: string | undefined; readonly complete: boolean } {
  const begun = tail.lastIndexOf('Executing pipeline...');
  const last = begun < 0 ? tail : tail.slice(begun);
  return {
    failedAt: /error running workflow ([A-Za-z0-9_<>]{1,80})/.exec(last)?.[1],
    complete: last.includes('Indexing pipeline complete'),
  };
}

async function newestChange(layout: ProjectLayout): Promise<number | undefined> {
  const output = folderOf(layout.output);
  const cache = folderOf(layout.cache);
  const paths = [
    ...(output === undefined ? [] : (await namesIn(output)).map((name) => join(output, name))),
    // A new answer changes the time of the folder that it is put into.
    ...(cache === undefined ? [] : [cache, ...(await namesIn(cache)).map((name) => join(cache, name))]),
  ].slice(0, mostLooked);
  const times = await Promise.all(paths.map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs));
  const known = times.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

const mostLooked = 100;
const namesIn = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

export const folderOf = (place: ProjectPlace): string | undefined => ('folder' in place ? place.folder : undefined);
