import { globSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { productRoot } from './product-version.ts';

/**
 * Where the entry of a worker thread lies: `dist/workers/NAME.js` for what was built, and for a run from the sources the one
 * `NAME.worker.ts` below `src`.
 * @throws Error when the sources hold no such file, or several
 */
export function workerUrl(name: string): URL {
  if (!import.meta.filename.endsWith('.ts'))
    return pathToFileURL(path.join(productRoot(), 'dist', 'workers', `${name}.js`));
  const source = path.dirname(import.meta.dirname);
  const found = globSync(`**/${name}.worker.ts`, { cwd: source });
  const [entry] = found;
  if (entry === undefined || found.length > 1)
    throw new Error(`Expected one ${name}.worker.ts below src, found ${found.length}.`);
  return pathToFileURL(path.join(source, entry));
}
