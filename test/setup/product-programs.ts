import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { isStale } from '../../tools/stamp.mjs';

const root = resolve(import.meta.dirname, '../..');
const variable = 'TEST_BUILT_PRODUCT';
const childBundle = join(root, '.cache', 'test', 'warden-child.mjs');

/**
 * Vitest calls this once per run. What was built starts in half the processor time that the sources need, and it is what people
 * run; where `dist/` is older than the sources the tests start the sources themselves.
 */
export async function setup(): Promise<(() => void) | undefined> {
  if (process.env[variable] !== undefined || isStale(root)) return undefined;
  await build({
    absWorkingDir: root,
    entryPoints: ['test/warden-child.ts'],
    outfile: childBundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Loaded only where they are used; as packages they cost nothing until then.
    external: ['pg', 'systeminformation'],
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  process.env[variable] = childBundle;
  return () => {
    delete process.env[variable];
  };
}

const built = (file: string, source: string): string =>
  process.env[variable] !== undefined && existsSync(file) ? file : source;

/** The product as people start it: `node <this> serve …`. */
export const mainProgram = (): string => built(join(root, 'dist/main.js'), join(root, 'src/main.ts'));
/** `test/warden-child.ts`: the product with a hook that ends it at one named boundary. */
export const childProgram = (): string => built(childBundle, join(root, 'test/warden-child.ts'));
export const sampleProgram = (): string =>
  built(join(root, 'dist/sample-backend.js'), join(root, 'examples/sample-backend/main.ts'));
