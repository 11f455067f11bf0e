// Builds dist/ beside and moves it into place. Called by run.mjs; `--if-stale` does nothing when dist/ is current.
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';
import { describe, mark } from './marks.mjs';
import { isStale, sourceFiles, takeStamp, writeStamp } from './stamp.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What becomes which file; a source that does not exist is left out. Worker entries are found by their name. */
function serverEntries() {
  const workers = sourceFiles(root)
    .filter((file) => file.startsWith('src/') && file.endsWith('.worker.ts'))
    .map((file) => [`workers/${path.basename(file, '.worker.ts')}`, file]);
  return [
    ['main', 'src/main.ts'],
    ['sample-backend', 'examples/sample-backend/main.ts'],
    ['generate-workspace', 'examples/sample-backend/generate-main.ts'],
    ...workers,
  ].filter(([, source]) => existsSync(path.join(root, source)));
}

async function bundle(out, entries, target) {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(entries),
    outdir: out,
    bundle: true,
    // What is imported when it is needed stands in a file of its own: a command that only asks a server reads none of the server.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target,
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'linked',
    metafile: true,
    logLevel: 'warning',
    // Fastify and pino are CommonJS and call require() for Node's own modules, which a bundled ES module does not have.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });
  refuseDevelopmentPackages(metafile);
}

/** A development package in the bundle would be code that nobody chose to ship. */
function refuseDevelopmentPackages(metafile) {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const named = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const name = /node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (name && packages[name]?.dev) named.add(name);
  }
  if (named.size > 0) {
    throw new Error(
      `The server would contain development packages: ${[...named].join(', ')}. Move them to "dependencies" or import them elsewhere.`,
    );
  }
}

async function buildLibrary(out) {
  if (!existsSync(path.join(root, 'src/sdk/index.ts'))) return;
  await bundle(out, [['sdk/index', 'src/sdk/index.ts']], 'node20');
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const types = path.join(out, 'types');
  const code = await run(
    process.execPath,
    [compiler, '-p', path.join(root, 'tools', 'tsconfig.sdk.json'), '--outDir', types],
    { cwd: root },
  );
  if (code !== 0) throw new Error('The types of the library could not be written; see above.');
  writeFileSync(path.join(out, 'sdk', 'index.d.ts'), "export * from '../types/sdk/index.js';\n");
}

/** In a process of its own: it starts the server from its sources and asks it for its routes. */
async function describeApi(out) {
  if (!existsSync(path.join(root, 'src/app/describe-warden.ts'))) return;
  const args = [path.join(root, 'tools', 'openapi.mjs'), '--out', path.join(out, 'openapi.json')];
  const code = await run(process.execPath, args, { cwd: root });
  if (code !== 0) throw new Error('The description of the API could not be written; see above.');
}

async function buildDashboard(out) {
  if (!existsSync(path.join(root, 'web/index.html'))) return;
  const { build } = await import('vite');
  await build({
    root: path.join(root, 'web'),
    configFile: false,
    mode: 'production',
    logLevel: 'warn',
    // Relative, so that the page also works below a path of a reverse proxy.
    base: './',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: { outDir: path.join(out, 'web'), emptyOutDir: true },
  });
}

/** Files that esbuild cut off for what is imported later; their names change with what they hold. */
const isPart = (name) => /-[A-Z0-9]{8}\.js$/.test(name);

/** A process of the build before may still import a part of itself: its parts stay for one build, beside the list of our own. */
function keepPartsOf(dist, out) {
  const list = path.join(dist, 'parts.json');
  for (const name of existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [])
    if (!existsSync(path.join(out, name))) linkSync(path.join(dist, name), path.join(out, name));
}

/** Builds into `.cache`, then moves: a process that starts meanwhile sees the old dist/ or the new one, never half of one. */
async function buildAll() {
  const cache = path.join(root, '.cache');
  mkdirSync(cache, { recursive: true });
  for (const name of readdirSync(cache)) {
    if (/^(build|replaced)-\d+$/.test(name)) rmSync(path.join(cache, name), { recursive: true, force: true }); // left by a killed build
  }
  const out = path.join(cache, `build-${process.pid}`);
  const stamp = takeStamp(root);
  mkdirSync(out);
  const entries = serverEntries();
  if (entries.length > 0) await bundle(out, entries, 'node24');
  await buildLibrary(out);
  await describeApi(out);
  await buildDashboard(out);
  writeStamp(out, stamp);
  writeFileSync(path.join(out, 'parts.json'), JSON.stringify(readdirSync(out).filter(isPart)));
  const dist = path.join(root, 'dist');
  const replaced = path.join(cache, `replaced-${process.pid}`);
  if (existsSync(dist)) {
    keepPartsOf(dist, out);
    renameSync(dist, replaced);
  }
  renameSync(out, dist);
  rmSync(replaced, { recursive: true, force: true });
  return readdirSync(dist).filter(
    (name) => !/^(stamp|parts)\b/.test(name) && !isPart(name) && !/\.(map|txt)$/.test(name),
  );
}

async function main() {
  const onlyIfStale = process.argv.includes('--if-stale');
  if (onlyIfStale && !isStale(root)) return;
  const release = await mark(path.join(root, '.cache', 'marks'), 'build', {
    against: ['build'],
    what: 'npm run build',
    onWait: (others) => console.error(`ragwarden: waiting for ${describe(others)}, which is building`),
  });
  try {
    if (onlyIfStale && !isStale(root)) return;
    const started = performance.now();
    const built = await buildAll();
    console.error(
      `ragwarden: built dist/ (${built.join(', ')}) in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
  } finally {
    release();
  }
}

try {
  await main();
} catch (error) {
  console.error(`ragwarden: the build failed. ${error.errors ? '' : error.message}`);
  process.exitCode = 1;
}
