import type { BigIntStats } from 'node:fs';
import { opendir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../platform/errors.ts';
import { lstatOf, ownFolder } from './safe-path.ts';

/** More entries than this in one folder are a question for its owner; what was seen until there is planned. */
const mostEntries = 500_000;

export type Walked = { readonly path: string; readonly stat: BigIntStats };

/**
 * Every plain file and folder below, by paths relative to it. Links and other file systems are left out, and so is our own folder.
 * @param depth how many folders deep; 1: what lies directly in it
 */
export async function* walkFolder(
  root: string,
  options: { readonly depth: number; readonly signal: AbortSignal },
): AsyncGenerator<Walked> {
  const top = await lstatOf(root);
  if (!top?.isDirectory()) return;
  let seen = 0;
  async function* below(relative: string, depth: number): AsyncGenerator<Walked> {
    let names: string[];
    try {
      names = [];
      for await (const { name } of await opendir(join(root, relative))) names.push(name);
    } catch (err) {
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(err) ?? '')) return;
      throw err;
    }
    for (const name of names.sort()) {
      options.signal.throwIfAborted();
      if (relative === '' && name === ownFolder) continue;
      seen += 1;
      if (seen > mostEntries) return;
      const path = relative === '' ? name : join(relative, name);
      const stat = await lstatOf(join(root, path));
      if (!stat || stat.dev !== top?.dev || !(stat.isFile() || stat.isDirectory())) continue;
      yield { path, stat };
      if (stat.isDirectory() && depth > 1) yield* below(path, depth - 1);
    }
  }
  yield* below('', options.depth);
}

/** A folder as it really is called; undefined when it is not there. */
export async function findReal(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (err) {
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(systemCode(err) ?? '')) return undefined;
    throw err;
  }
}

/** `*` and `?` within a name, `**` across folders. A pattern without a slash is one of names, wherever they lie. */
export function globPattern(glob: string): RegExp {
  const body = glob.replace(/[.+^${}()|[\]\\]|\*\*\/?|\*|\?/g, (part) => {
    if (part.startsWith('**')) return '(?:.*/)?';
    if (part === '*') return '[^/]*';
    return part === '?' ? '[^/]' : `\\${part}`;
  });
  return new RegExp(glob.includes('/') ? `^${body}$` : `(?:^|/)${body}$`);
}
