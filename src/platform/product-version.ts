import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder that holds this product's package.json: the clone, or the installed package. */
export function productRoot(): string {
  let folder = import.meta.dirname;
  for (;;) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error('package.json of ragwarden was not found');
    folder = parent;
  }
}

let known: string | undefined;

/** The version of this ragwarden, from its own package.json. */
export function productVersion(): string {
  if (known === undefined) {
    const parsed: unknown = JSON.parse(readFileSync(join(productRoot(), 'package.json'), 'utf8'));
    const version = typeof parsed === 'object' && parsed !== null && 'version' in parsed ? parsed.version : undefined;
    known = typeof version === 'string' ? version : 'unknown';
  }
  return known;
}
