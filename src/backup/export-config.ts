import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { Manifest } from './manifest.ts';
import { redactSecrets } from './redact-secrets.ts';
import type { Repository } from './repository/index.ts';
import { componentPath } from './staging.ts';

/** One file of the configuration as a point has it, without its secrets. */
export type ExportedFile = {
  /** Where it lay. */
  readonly path: string;
  readonly content: string;
  /** Values that were taken out. */
  readonly redacted: number;
};

const entryLine = z.object({ path: z.string(), kind: z.string(), bytes: z.number().optional() });
const mostFiles = 1_000;
const mostBytes = 1024 * 1024;

/**
 * The configuration of a point for eyes that are to see how things were set, and no secret. Whole files come back by a restore
 * of the component `config` beside the live data.
 * @throws AppError `backup/unknown-point` when the point holds no configuration
 */
export async function exportConfig(
  repository: Repository,
  point: { readonly snapshotId: string; readonly manifest: Manifest },
  signal?: AbortSignal,
): Promise<ExportedFile[]> {
  const { snapshotId, manifest } = point;
  const call = signal === undefined ? {} : { signal };
  const component = manifest.components.find((one) => one.name === 'config');
  const list = component && (await repository.readFile({ snapshotId, path: `/${component.entries_file}`, ...call }));
  if (!list) throw new AppError('backup/unknown-point', `${manifest.id} holds no configuration.`);
  const entries = list
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => entryLine.parse(JSON.parse(line)))
    .filter(({ kind }) => kind === 'file');
  const files: ExportedFile[] = [];
  for (const { path, bytes = 0 } of entries.slice(0, mostFiles)) {
    if (bytes > mostBytes) {
      files.push({ path: `/${path}`, content: `(${bytes} bytes, too large to be shown)`, redacted: 0 });
      continue;
    }
    const content = await repository.readFile({ snapshotId, path: `/${componentPath('config')}/${path}`, ...call });
    const { text, count } = redactSecrets(content?.toString('utf8') ?? '');
    files.push({ path: `/${path}`, content: text, redacted: count });
  }
  return files;
}
