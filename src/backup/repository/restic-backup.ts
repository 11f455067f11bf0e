import { realpath } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { isAppError } from '../../platform/errors.ts';
import type { BackupRequest, BackupResult, BackupWarning } from './repository.ts';
import { exactPattern, plainTag, relativePath, snapshotId } from './restic-arguments.ts';
import { resticFailure } from './restic-errors.ts';
import { listSnapshot } from './restic-listing.ts';
import { type BackupSummary, parseBackupSummary, parseBackupWarning, parseStatusLine } from './restic-output.ts';
import type { ResticOptions, ResticTool } from './restic-tool.ts';

const keptWarnings = 100;
const doing = 'storing files';

/** With a parent that is gone everything is read, which is slower and said, but no failure. */
export async function backUp(tool: ResticTool, options: ResticOptions, request: BackupRequest): Promise<BackupResult> {
  try {
    return await storeOnce(tool, options, request);
  } catch (err) {
    if (request.parent === undefined || !isAppError(err) || err.code !== 'backup/unknown-point') throw err;
    options.log.warn({ parent: request.parent }, 'the snapshot to compare with is gone: all files are read again');
    return storeOnce(tool, options, { ...request, parent: undefined });
  }
}

/**
 * How restic is called, each found by trying 0.14:
 * - Relative paths below `cwd`: the tree begins there, so the same files give the same paths wherever they were staged.
 * - `--parent` by name: restic itself looks for a snapshot of the same absolute paths, and a staging folder has none.
 * - `--ignore-ctime` for hard links (making a link changes the file's ctime), `--ignore-inode` for copies: of 301 staged
 *   files 301 were read again and called changed without them, none with them.
 */
async function storeOnce(tool: ResticTool, options: ResticOptions, request: BackupRequest): Promise<BackupResult> {
  const { location } = options;
  const { signal, operationId, cwd, onProgress } = request;
  // Patterns are held against the path as the kernel knows it, which is absolute and without links.
  const root = await realpath(cwd);
  const excludes = (request.excludes ?? []).map((path) => join(root, relativePath(path)));
  let summary: BackupSummary | undefined;
  let left = 0;
  const warnings: BackupWarning[] = [];
  const args = [
    'backup',
    '--json',
    `--host=${request.host}`,
    ...request.tags.map((tag) => `--tag=${plainTag(tag)}`),
    ...(request.parent === undefined ? [] : [`--parent=${snapshotId(request.parent)}`]),
    ...(request.ignoreInodeAndCtime === false ? [] : ['--ignore-inode', '--ignore-ctime']),
    ...excludes.map((path) => `--exclude=${exactPattern(path)}`),
    '--',
    ...request.paths.map(relativePath),
  ];
  const result = await tool.run(doing, args, {
    signal,
    operationId,
    cwd,
    onStdoutLine(line) {
      const progress = parseStatusLine(line);
      if (progress) onProgress?.(progress);
      else summary = parseBackupSummary(line) ?? summary;
    },
    onStderrLine(line) {
      const warning = parseBackupWarning(line);
      if (!warning) return;
      left += 1;
      if (warnings.length < keptWarnings)
        warnings.push({ ...warning, path: warning.path === null ? null : below(cwd, warning.path) });
    },
  });
  // Exit code 3: the snapshot was saved, but some files could not be read.
  if ((result.exitCode !== 0 && result.exitCode !== 3) || !summary) throw resticFailure(result, doing, location);
  // 0.14 tells eight digits of the id, and the tree not at all.
  const { snapshot, entries } = await listSnapshot(tool, options, summary.snapshot_id, { signal, operationId });
  return {
    snapshotId: snapshot.id,
    treeId: snapshot.tree,
    entries,
    filesNew: summary.files_new,
    filesChanged: summary.files_changed,
    filesUnmodified: summary.files_unmodified,
    filesProcessed: summary.total_files_processed,
    bytesProcessed: summary.total_bytes_processed,
    bytesAdded: summary.data_added,
    bytesAddedPacked: summary.data_added_packed ?? null,
    warnings,
    unreadable: result.exitCode === 3 || left > 0,
    durationMs: result.durationMs,
  };
}

/** restic names files by absolute path in its errors; the staging folder means nothing to anybody later. */
function below(cwd: string, path: string): string {
  const inside = relative(cwd, path);
  return isAbsolute(path) && !inside.startsWith('..') ? inside : path;
}
