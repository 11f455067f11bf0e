import { isUtf8 } from 'node:buffer';
import { constants, type Stats } from 'node:fs';
import { access, lstat, readdir, readFile, realpath, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../../platform/errors.ts';
import { ownFolder } from '../sources/tree.ts';
import type { FolderSurvey, KeptName } from './plan.ts';

const mostExamples = 200;

/**
 * Looks at a live folder for a restore plan: sizes by top-level name, files newer than the point, mount points, what stands
 * in the way. Opens no file. A folder that is not there is surveyed as empty.
 * @param takenAtMs when the point was taken, epoch milliseconds
 */
export async function surveyFolder(
  root: string,
  takenAtMs: number,
  options: { readonly keep?: readonly KeptName[]; readonly signal?: AbortSignal } = {},
): Promise<FolderSurvey> {
  const found = await realpath(root).catch(() => undefined);
  if (found === undefined)
    return {
      root,
      exists: false,
      entries: [],
      newer: { files: 0, bytes: 0, examples: [] },
      mountPoints: [],
      obstacles: [],
      freeBytes: await freeBytesNear(root),
    };
  const kept = new Set((options.keep ?? []).map(({ name }) => name));
  const entries: { name: string; files: number; bytes: number }[] = [];
  const newer = { files: 0, bytes: 0, examples: [] as { path: string; bytes: number; mtimeMs: number }[] };
  const obstacles = await obstaclesOf(found, kept);
  for (const name of await topNames(found)) {
    const sum = { name, files: 0, bytes: 0 };
    entries.push(sum);
    for await (const { path, stat } of filesBelow(found, name)) {
      options.signal?.throwIfAborted();
      sum.files += 1;
      sum.bytes += stat.size;
      if (kept.has(name) || stat.mtimeMs <= takenAtMs) continue;
      newer.files += 1;
      newer.bytes += stat.size;
      if (newer.examples.length < mostExamples)
        newer.examples.push({ path, bytes: stat.size, mtimeMs: Math.floor(stat.mtimeMs) });
    }
  }
  return {
    root: found,
    exists: true,
    entries,
    newer,
    mountPoints: await mountPointsBelow(found),
    obstacles,
    freeBytes: await freeBytesNear(found),
  };
}

/** Names at the top of a root, without our own folder. */
export async function topNames(root: string): Promise<string[]> {
  return (await readdir(root)).filter((name) => name !== ownFolder);
}

/**
 * What would stop a rename out of this root, as far as permissions tell: a root or a sub-folder without write permission, a
 * sticky root with files of others, a name that cannot be written down.
 */
export async function obstaclesOf(root: string, keep: ReadonlySet<string>): Promise<string[]> {
  const obstacles: string[] = [];
  const own = await lstat(root);
  const uid = process.geteuid?.() ?? 0;
  if (!(await mayWrite(root))) return [`${root} may not be written by this user`];
  for (const raw of await readdir(root, { encoding: 'buffer' })) {
    const name = raw.toString();
    if (!isUtf8(raw)) {
      obstacles.push(`"${raw.toString('latin1')}" has a name that is not valid UTF-8: rename or remove it first`);
      continue;
    }
    if (name === ownFolder || keep.has(name)) continue;
    const stat = await lstat(join(root, name)).catch(() => undefined);
    if (stat === undefined) continue;
    if (stat.isDirectory() && !(await mayWrite(join(root, name))))
      obstacles.push(`the folder "${name}" may not be written by this user, so it cannot be moved`);
    if ((own.mode & 0o1000) !== 0 && uid !== 0 && own.uid !== uid && stat.uid !== uid)
      obstacles.push(`"${name}" belongs to somebody else in a sticky folder, so it cannot be moved`);
  }
  return obstacles;
}

const mayWrite = (path: string): Promise<boolean> =>
  access(path, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );

/** From the kernel's own list, since a bind mount has the device number of its surroundings. Relative paths, sorted. */
export async function mountPointsBelow(root: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return table
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map(unescapeMount)
    .filter((path) => path.startsWith(`${root}/`))
    .map((path) => path.slice(root.length + 1))
    .sort();
}

/** The kernel writes space, tab, line feed and backslash as octal, byte by byte; the rest is UTF-8 already. */
const unescapeMount = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Bytes a user may still write on the file system that holds a path, or its nearest folder that exists. */
export async function freeBytesNear(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (err) {
    if (systemCode(err) !== 'ENOENT' || dirname(path) === path) throw err;
    return freeBytesNear(dirname(path));
  }
}

/** Every plain file at or below a name, without following links; what vanishes or may not be read is passed over. */
async function* filesBelow(root: string, name: string): AsyncGenerator<{ path: string; stat: Stats }> {
  const ahead = [Buffer.from(name)];
  const slash = Buffer.from('/');
  for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
    const full = Buffer.concat([Buffer.from(root), slash, path]);
    const stat = await lstat(full).catch(() => undefined);
    if (stat?.isFile()) yield { path: path.toString(), stat };
    if (!stat?.isDirectory()) continue;
    const names = await readdir(full, { encoding: 'buffer' }).catch(() => []);
    for (const child of names) ahead.push(Buffer.concat([path, slash, child]));
  }
}

/** Files and bytes of a whole folder. */
export async function sizeOf(folder: string): Promise<{ files: number; bytes: number }> {
  const sum = { files: 0, bytes: 0 };
  for await (const { stat } of filesBelow(dirname(folder), folder.slice(dirname(folder).length + 1))) {
    sum.files += 1;
    sum.bytes += stat.size;
  }
  return sum;
}
