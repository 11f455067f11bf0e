import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import type { FolderFault, FolderFile, FolderInspection } from '../folder-inspection.ts';
import { measureFolder } from '../folder-sizes.ts';
import type { TargetFact } from '../observation.ts';
import { folderOf, listUpdates, readStats } from './last-run.ts';
import { lookAtParquet } from './parquet-rows.ts';
import { findPlacesOutside, type ProjectLayout, readProjectLayout } from './project-layout.ts';

/** The tables that every index has, in the order in which a run writes them. */
const tables = ['documents', 'text_units', 'entities', 'relationships', 'communities', 'community_reports'] as const;
/** Version 1 named them otherwise. */
const olderName = (table: string): string => `create_final_${table}`;

/**
 * Looks into a GraphRAG project: which tables there are and how many rows each has (from its own description, so that a large one
 * costs no more than a small one), the vector store, the folders that updates leave. Changes nothing.
 */
export async function inspectProject(
  project: string,
  {
    clock,
    signal,
    isUpdating,
  }: { clock: Clock; signal: AbortSignal /** An update is under way. */; isUpdating?: boolean },
): Promise<FolderInspection> {
  const atMs = clock.now();
  const startedAt = clock.monotonic();
  const layout = readProjectLayout(project);
  const files: FolderFile[] = [];
  const faults: FolderFault[] = [];
  const facts: TargetFact[] = [];
  const counts: Record<string, number> = {};
  let bytesRead = 0;
  if (layout.fault !== undefined)
    faults.push({ code: 'settings-unreadable', severity: 'critical', message: layout.fault });
  const outside = findPlacesOutside(project, layout);
  for (const { part, where } of outside)
    faults.push({
      code: 'place-outside',
      severity: 'warning',
      message: `The ${part} of the project lies elsewhere (${where}) and is in no recovery point of its folder.`,
    });

  const output = folderOf(layout.output);
  const stats = output === undefined ? undefined : await readStats(join(output, 'stats.json'));
  const present = new Set(output === undefined ? [] : await readdir(output).catch(() => []));
  if (output !== undefined)
    for (const table of layout.claims ? [...tables, 'covariates'] : tables) {
      signal.throwIfAborted();
      const older = `${olderName(table)}.${layout.tables}`;
      const name = present.has(older) ? older : `${table}.${layout.tables}`;
      if (layout.tables !== 'parquet') {
        files.push({ name, kind: layout.tables, bytes: 0, state: present.has(name) ? 'ok' : 'missing' });
        continue;
      }
      const look = await lookAtParquet(join(output, name), clock);
      bytesRead += look.bytesRead;
      files.push({ name, kind: 'parquet', bytes: look.bytes, state: look.state, detail: look.detail });
      if (look.rows !== undefined) counts[table] = look.rows;
    }
  const isFresh = output !== undefined && stats === undefined && files.every(({ state }) => state === 'missing');
  if (!isFresh) faults.push(...tableFaults(files));
  if (!isFresh) faults.push(...rowFaults(counts, stats));

  const vectors = await lookAtVectors(layout);
  files.push(...vectors.files);
  if (vectors.store !== undefined) facts.push({ name: 'vector_store', value: vectors.store });
  facts.push({ name: 'vector_tables', value: vectors.files.length });
  if (!isFresh) faults.push(...vectors.faults);

  const updates = await lookAtUpdates(layout, { signal, isUpdating: isUpdating === true });
  facts.push({ name: 'update_folders', value: updates.total, unit: 'folders' });
  facts.push({ name: 'update_folder_bytes', value: updates.bytes, unit: 'bytes' });
  facts.push({ name: 'incomplete_updates', value: updates.incomplete.length, unit: 'folders' });
  faults.push(...updates.faults);
  const cache = folderOf(layout.cache);
  if (cache !== undefined) {
    const measured = await measureFolder(cache, signal);
    facts.push({ name: 'cache_files', value: measured.files, unit: 'files' });
    facts.push({ name: 'cache_bytes', value: measured.bytes, unit: 'bytes' });
  }
  return {
    ...{ kind: 'graphrag', folder: project, atMs, bytesRead, isFresh, files, counts, facts, faults, outside },
    durationMs: clock.monotonic() - startedAt,
    leftOver: { total: updates.total, bytes: updates.bytes },
  };
}

const wordsOf: Readonly<Record<Exclude<FolderFile['state'], 'ok'>, { code: string; says: string }>> = {
  missing: { code: 'table-missing', says: 'is missing' },
  empty: { code: 'table-torn', says: 'has no content' },
  torn: { code: 'table-torn', says: 'is cut off' },
  invalid: { code: 'table-invalid', says: 'is damaged' },
  changing: { code: 'table-changing', says: 'was written to during every look' },
  unreadable: { code: 'table-unreadable', says: 'cannot be read' },
};

const tableFaults = (files: readonly FolderFile[]): FolderFault[] =>
  files.flatMap(({ name, state, detail }): FolderFault[] => {
    if (state === 'ok') return [];
    const { code, says } = wordsOf[state];
    return [
      {
        code,
        severity: state === 'changing' ? 'info' : 'critical',
        message: `The table ${name} ${says}${detail === undefined || state === 'missing' ? '' : ` (${detail})`}.`,
      },
    ];
  });

/** What the row counts say against each other. */
function rowFaults(
  counts: Readonly<Record<string, number>>,
  stats: Awaited<ReturnType<typeof readStats>>,
): FolderFault[] {
  const faults: FolderFault[] = [];
  for (const table of ['documents', 'text_units', 'entities'] as const)
    if (counts[table] === 0)
      faults.push({
        code: 'table-without-rows',
        severity: 'warning',
        message: `The table ${table} has no rows: nothing can be found in it.`,
      });
  const { documents } = counts;
  const finished = stats !== undefined && stats.runtimeMs > 0;
  // An update adds to the tables and leaves the stats of the first index as they were.
  if (finished && documents !== undefined && stats.documents !== undefined && documents < stats.documents)
    faults.push({
      code: 'documents-missing',
      severity: 'warning',
      message: `The table documents has ${documents} rows, and the last full index wrote ${stats.documents}.`,
    });
  return faults;
}

/** LanceDB keeps each table as a folder with numbered states in it. */
async function lookAtVectors(
  layout: ProjectLayout,
): Promise<{ store: string | undefined; files: FolderFile[]; faults: FolderFault[] }> {
  const folder = folderOf(layout.vectors);
  if (folder === undefined)
    return { store: 'elsewhere' in layout.vectors ? layout.vectors.elsewhere : undefined, files: [], faults: [] };
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const files: FolderFile[] = [];
  const faults: FolderFault[] = [];
  for (const entry of entries.filter((one) => one.isDirectory() && one.name.endsWith('.lance'))) {
    const states = await readdir(join(folder, entry.name, '_versions')).catch(() => []);
    const isWhole = states.some((name) => name.endsWith('.manifest'));
    files.push({ name: entry.name, kind: 'lance', bytes: 0, state: isWhole ? 'ok' : 'invalid' });
    if (!isWhole)
      faults.push({
        code: 'vectors-damaged',
        severity: 'critical',
        message: `The vector table ${entry.name} has no state that could be read.`,
      });
  }
  if (files.length === 0)
    faults.push({
      code: 'vectors-missing',
      severity: 'critical',
      message: 'The vector store has no table: local and basic search find nothing.',
    });
  return { store: 'lancedb', files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)), faults };
}

/** `update` copies the former tables first and never removes the copy. */
async function lookAtUpdates(
  layout: ProjectLayout,
  { signal, isUpdating }: { signal: AbortSignal; isUpdating: boolean },
): Promise<{ total: number; bytes: number; incomplete: readonly string[]; faults: FolderFault[] }> {
  const all = await listUpdates(layout);
  // The newest is the one that is being worked on.
  const folders = isUpdating ? all.slice(0, -1) : all;
  const incomplete: string[] = [];
  let bytes = 0;
  for (const folder of folders) {
    bytes += (await measureFolder(folder, signal)).bytes;
    const stats = await readStats(join(folder, 'delta', 'stats.json'));
    if (stats === undefined || stats.runtimeMs === 0) incomplete.push(basename(folder));
  }
  if (folders.length === 0) return { total: 0, bytes, incomplete, faults: [] };
  const faults: FolderFault[] = [
    {
      code: 'update-folders',
      severity: 'info',
      message: `${folders.length === 1 ? 'One update has' : `${folders.length} updates have`} left ${bytes} bytes that GraphRAG never removes.`,
    },
  ];
  if (incomplete.length > 0)
    faults.push({
      code: 'incomplete-updates',
      // One that a later one was finished after is only left over.
      severity: incomplete.at(-1) === basename(folders.at(-1) ?? '') ? 'warning' : 'info',
      message: `${incomplete.length === 1 ? 'An update' : `${incomplete.length} updates`} did not end: ${incomplete.slice(-5).join(', ')}.`,
    });
  return { total: folders.length, bytes, incomplete, faults };
}
