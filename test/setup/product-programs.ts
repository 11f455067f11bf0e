import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { compileAhead } from '../../tools/compile-ahead.mjs';
import { lightBuiltins } from '../../tools/light-builtins.mjs';
import { lightPackages } from '../../tools/light-packages.mjs';
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
    plugins: [lightBuiltins, lightPackages],
    // It is read hundreds of times, and by no person.
    minifyWhitespace: true,
    minifySyntax: true,
    // Loaded only where they are used; as packages they cost nothing until then.
    external: ['pg', 'systeminformation'],
    logLevel: 'warning',
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  const failure = compileAhead(dirname(childBundle), {
    main: basename(childBundle),
    args: (dataDir) => [dataDir, ''],
    flags: shortLife,
    prefix: 'TEST_',
  });
  if (failure !== undefined) console.warn(`the product is compiled anew at each start: ${failure}`);
  process.env[variable] = childBundle;
  return () => {
    delete process.env[variable];
  };
}

const built = (file: string, source: string): string =>
  process.env[variable] !== undefined && existsSync(file) ? file : source;

/** The product as people start it: `node <this> serve …`. */
export const mainProgram = (): string => built(join(root, 'dist/main.js'), join(root, 'src/main.ts'));
/**
 * What Node.js is told before the program where a process lives for seconds only: to collect young objects is a tenth of its time, and
 * code that V8 optimizes would have to run longer to be worth it.
 */
export const shortLife = ['--min-semi-space-size=64', '--max-semi-space-size=64', '--no-opt', '--no-maglev'];

/** Where Node.js finds what V8 compiled of it, all that a start calls included: a fifth of the processor time of each of hundreds. */
export const childCompiled = join(dirname(childBundle), 'compiled');

/** `test/warden-child.ts`: the product with a hook that ends it at one named boundary. */
export const childProgram = (): string => built(childBundle, join(root, 'test/warden-child.ts'));
export const sampleProgram = (): string =>
  built(join(root, 'dist/sample-backend.js'), join(root, 'examples/sample-backend/main.ts'));
