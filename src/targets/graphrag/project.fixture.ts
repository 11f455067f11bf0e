import { cpSync, mkdtempSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const recordings = join(import.meta.dirname, '../../../test/fixtures/graphrag-3.3.0');

/** A copy of the recorded project in a folder of its own; whoever asks removes it. */
export function copyProject(into?: string): string {
  const project = into ?? mkdtempSync(join(tmpdir(), 'ragwarden-graphrag-'));
  cpSync(join(recordings, 'project'), project, { recursive: true });
  return project;
}

/** The recorded end of a run that failed, in the place of the last one. */
export function failRun(project: string): void {
  cpSync(join(recordings, 'failed-run', 'stats.json'), join(project, 'output', 'stats.json'));
  cpSync(join(recordings, 'failed-run', 'indexing-engine.log'), join(project, 'logs', 'indexing-engine.log'));
}

/** A run that began, and of which nothing says that it ended. */
export function beginRun(project: string): void {
  const file = join(project, 'output', 'stats.json');
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), total_runtime: 0 }));
  const log = join(project, 'logs', 'indexing-engine.log');
  writeFileSync(
    log,
    `${readFileSync(log, 'utf8')}2026-11-29 21:20:00.0000 - INFO - graphrag.index.run.run_pipeline - Executing pipeline...\n`,
  );
}

/** As if nothing had moved there for so long; tables, stats, log and cache. */
export function ageProject(project: string, ms: number): void {
  const then = (Date.now() - ms) / 1_000;
  for (const path of [
    ...[
      'output',
      'cache',
      'cache/extract_graph',
      'logs/indexing-engine.log',
      'output/stats.json',
      'output/context.json',
    ],
    ...tables.map((name) => `output/${name}.parquet`),
    'output/lancedb',
  ])
    utimesSync(join(project, path), then, then);
}

export const tables = ['documents', 'text_units', 'entities', 'relationships', 'communities', 'community_reports'];

/** What `graphrag update` leaves: the former tables, and those of what is new. */
export function addUpdate(project: string, name: string, ended = true): void {
  const folder = join(project, 'update_output', name);
  for (const part of ['previous', 'delta'])
    for (const table of tables)
      cpSync(join(project, 'output', `${table}.parquet`), join(folder, part, `${table}.parquet`), { recursive: true });
  const stats = readFileSync(join(recordings, 'update-stats.json'), 'utf8');
  writeFileSync(
    join(folder, 'delta', 'stats.json'),
    ended ? stats : stats.replace(/"total_runtime": [\d.]+/, '"total_runtime": 0'),
  );
}
