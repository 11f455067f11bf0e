import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = join(import.meta.dirname, '../../.cache/test/workers');

/** In the place of `src/platform/workers.ts` where a test runs the product within its own process: see thread-programs.ts. */
export const workerUrl = (name: string): URL => pathToFileURL(join(folder, `${name}.mjs`));
