import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * A Node.js from 20 up to below 24 of this machine, by the PATH, to show what works there; undefined, and said, when there is
 * none. It is never demanded: whoever has only Node.js 24 can still run every other test.
 */
export function findOlderNode(): string | undefined {
  for (const folder of new Set((process.env.PATH ?? '').split(delimiter))) {
    const node = join(folder, 'node');
    if (folder === '' || !existsSync(node)) continue;
    try {
      const major = Number(execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).split('.')[0]);
      if (major >= 20 && major < 24) return node;
    } catch {
      // Not for this machine.
    }
  }
  console.warn('SKIPPED: tests that need a Node.js from 20 to 23 on the PATH: there is none');
  return undefined;
}
