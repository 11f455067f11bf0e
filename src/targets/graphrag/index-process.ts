import { readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { resolve } from 'node:path';

/**
 * A process of this machine that indexes the project: `graphrag index` or `graphrag update` with it as root.
 * @returns undefined where there is none, or where processes cannot be seen
 */
export async function findIndexProcess(project: string): Promise<number | undefined> {
  const wanted = await realpath(project).catch(() => project);
  const names = await readdir('/proc').catch(() => []);
  for (const name of names) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const line = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '');
    const root = indexedRoot(line.split('\0'));
    if (root === undefined) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => undefined);
    if (cwd === undefined && !root.startsWith('/')) continue;
    const folder = resolve(cwd ?? '/', root);
    if ((await realpath(folder).catch(() => folder)) === wanted) return Number(name);
  }
  return undefined;
}

const works = new Set(['index', 'update']);

/** The root that a command line indexes, as it is written; undefined: it is none of GraphRAG's, or does something else. */
export function indexedRoot(args: readonly string[]): string | undefined {
  const at = args.findIndex((one) => /(^|\/)graphrag(\.exe)?$/.test(one));
  if (at < 0) return undefined;
  const rest = args.slice(at + 1);
  if (!works.has(rest[0] ?? '')) return undefined;
  for (const [index, one] of rest.entries()) {
    if (one === '--root' || one === '-r') return rest[index + 1] || '.';
    if (one.startsWith('--root=')) return one.slice('--root='.length) || '.';
  }
  return '.';
}
