// Tells whether dist/ was built from the sources that are there now. Imported by bin/ragwarden at every start: keep it quick.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Everything a build reads. Tests are left out: editing one must not refuse the next start. */
const SOURCES = [
  'src',
  'web',
  'examples/sample-backend',
  'package.json',
  'package-lock.json',
  'tools/build.mjs',
  'tools/compile-ahead.mjs',
  'tools/library-types.mjs',
  'tools/licences.mjs',
  'tools/tsconfig.sdk.json',
];
const NOT_BUILT = /\.test\.[cm]?[jt]sx?$/;

export const stampFile = (root) => path.join(root, 'dist', 'stamp.json');

/** Paths below the root of every source file, sorted, with `/` between folders. */
export function sourceFiles(root) {
  const files = [];
  const visit = (name) => {
    for (const entry of readdirSync(path.join(root, name), { withFileTypes: true })) {
      const child = `${name}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && !entry.name.startsWith('.')) visit(child);
      } else if (entry.isFile() && !NOT_BUILT.test(entry.name)) files.push(child);
    }
  };
  for (const name of SOURCES) {
    const stat = statSync(path.join(root, name), { throwIfNoEntry: false });
    if (stat?.isDirectory()) visit(name);
    else if (stat) files.push(name);
  }
  return files.sort();
}

/** Files that esbuild cut off for what is imported later; their names change with what they hold. */
export const isPart = (name) => /-[A-Z0-9]{8}\.js$/.test(name);

/** Size and change time of each source file, as one text: equal text, equal files. */
function fileTimes(root) {
  const hash = createHash('sha256');
  for (const file of sourceFiles(root)) {
    const { size, mtimeMs, ctimeMs } = statSync(path.join(root, file));
    hash.update(`${file}\0${size}\0${mtimeMs}\0${ctimeMs}\n`);
  }
  return hash.digest('hex');
}

/** SHA-256 over path and content of every source file. */
export function sourceStamp(root) {
  const hash = createHash('sha256');
  for (const file of sourceFiles(root)) {
    const content = readFileSync(path.join(root, file));
    hash.update(`${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** What a build writes into its stamp; taken before it reads the sources, so that an edit meanwhile counts as newer. */
export function takeStamp(root) {
  return {
    times: fileTimes(root),
    sources: sourceStamp(root),
    node: process.version,
    builtAt: new Date().toISOString(),
  };
}

/**
 * Whether dist/ is missing or older than the sources. Sizes and times answer in milliseconds; contents are read only
 * when those differ (a fresh checkout of the same sources), and the new times are then noted.
 */
export function isStale(root) {
  const file = stampFile(root);
  if (!existsSync(file)) return true;
  let stamp;
  try {
    stamp = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return true;
  }
  const times = fileTimes(root);
  if (stamp.times === times) return false;
  if (stamp.sources !== sourceStamp(root)) return true;
  writeStamp(path.dirname(file), { ...stamp, times });
  return false;
}

/** Writes the stamp in one step; a folder that may not be written to keeps the old one, which only costs time. */
export function writeStamp(dist, stamp) {
  const draft = path.join(dist, `stamp.json.${process.pid}`);
  try {
    writeFileSync(draft, `${JSON.stringify(stamp)}\n`);
    renameSync(draft, path.join(dist, 'stamp.json'));
  } catch (error) {
    rmSync(draft, { force: true });
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOENT'].includes(error.code)) throw error;
  }
}
