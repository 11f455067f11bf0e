import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { TreeEntry } from './sources/tree.ts';

/**
 * The staging tree of one target. It persists between points, so that unchanged files keep their time and the repository
 * sees them as unchanged. What lies in it: `components/<name>/…`, `unfolded/<name>/…`, `entries/<name>.jsonl`, `fold.mjs`,
 * `manifest.json`; and while a point is taken `audit/`, which does not go into the repository.
 */
export type Staging = {
  readonly root: string;
  readonly componentFolder: (name: string) => string;
  readonly entriesFile: (name: string) => string;
  readonly unfoldedFolder: (name: string) => string;
  /** What an audit asks of databases; see `CompleteContext.auditDir`. */
  readonly auditFolder: string;
};

export const componentPath = (name: string): string => `components/${name}`;
/** One folder for each unfolded file of a component, at the path of the file. */
export const unfoldedPath = (name: string): string => `unfolded/${name}`;
export const entriesPath = (name: string): string => `entries/${name}.jsonl`;

/** @param workspace points of one workspace have a tree of their own, so that neither makes the other look changed */
export async function prepareStaging(stagingDir: string, targetId: string, workspace?: string): Promise<Staging> {
  const root = join(stagingDir, targetId, workspace === undefined ? 'tree' : `tree-of-${workspace}`);
  await mkdir(join(root, 'components'), { recursive: true, mode: 0o700 });
  await mkdir(join(root, 'entries'), { recursive: true, mode: 0o700 });
  return {
    root,
    componentFolder: (name) => join(root, 'components', name),
    entriesFile: (name) => join(root, 'entries', `${name}.jsonl`),
    unfoldedFolder: (name) => join(root, unfoldedPath(name)),
    auditFolder: join(root, 'audit'),
  };
}

/** What a life that was killed left of plans and verifications; what restores left is settled with them. */
export async function removeStaleScratch(stagingDir: string): Promise<void> {
  for (const name of await readdir(stagingDir).catch((): string[] => []))
    if (/^(entries-backup|verify-op)_/.test(name)) await rm(join(stagingDir, name), { recursive: true, force: true });
}

/** Replaces a file whole: written beside, synced, renamed. */
export async function writeWhole(path: string, chunks: Iterable<string>): Promise<{ sha256: string; bytes: number }> {
  const draft = `${path}.new`;
  const hash = createHash('sha256');
  let bytes = 0;
  const file = await open(draft, 'w', 0o600);
  try {
    for (const chunk of chunks) {
      hash.update(chunk);
      bytes += Buffer.byteLength(chunk);
      await file.write(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
  return { sha256: hash.digest('hex'), bytes };
}

export function* entryLines(entries: readonly TreeEntry[]): Generator<string> {
  let lines = '';
  for (const entry of entries) {
    lines += `${JSON.stringify(entry)}\n`;
    if (lines.length > 65_536) {
      yield lines;
      lines = '';
    }
  }
  yield lines;
}

const common = { path: z.string(), mode: z.number().int(), mtimeMs: z.number() };
const entrySchema: z.ZodType<TreeEntry> = z.discriminatedUnion('kind', [
  z.object({
    ...common,
    kind: z.literal('file'),
    bytes: z.number().int().nonnegative(),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
    // A way of storing that is not known here could not be read back.
    stored: z.literal('unfolded').optional(),
  }),
  z.object({ ...common, kind: z.literal('dir') }),
  z.object({ ...common, kind: z.literal('symlink'), linkTarget: z.string() }),
]);

/**
 * Reads the list of a component's entries. It comes out of a repository, so every line is checked.
 * @throws AppError `restore/unsafe-entry`, `restore/digest-mismatch`
 */
export async function readEntries(path: string, sha256: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  const hash = createHash('sha256');
  const take = (line: string): void => {
    if (line === '') return;
    const parsed = entrySchema.safeParse(parseJson(line));
    if (!parsed.success)
      throw new AppError('restore/unsafe-entry', 'The list of entries of the recovery point is not readable.');
    entries.push(parsed.data);
  };
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  // Only a line feed ends a line: names may hold every other separator that Unicode has.
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk);
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) take(line);
  }
  take(rest + decoder.decode());
  if (hash.digest('hex') !== sha256)
    throw new AppError(
      'restore/digest-mismatch',
      'The list of entries of the recovery point is not the one its manifest names.',
    );
  return entries;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Refused by the schema that reads it.
    return undefined;
  }
}
