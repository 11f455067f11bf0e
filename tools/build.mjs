// Builds dist/ beside and moves it into place. Called by run.mjs; `--if-stale` does nothing when dist/ is current.
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './child.mjs';
import { compileAhead } from './compile-ahead.mjs';
import { writeLibraryTypes } from './library-types.mjs';
import { packageOf, thirdPartyLicences } from './licences.mjs';
import { lightBuiltins } from './light-builtins.mjs';
import { lightPackages } from './light-packages.mjs';
import { describe, mark } from './marks.mjs';
import { isPart, isStale, sourceFiles, takeStamp, writeStamp } from './stamp.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** What becomes which file; a source that does not exist is left out. Worker entries are found by their name. */
function serverEntries() {
  const workers = sourceFiles(root)
    .filter((file) => file.startsWith('src/') && file.endsWith('.worker.ts'))
    .map((file) => [`workers/${path.basename(file, '.worker.ts')}`, file]);
  return [
    ['main', 'src/main.ts'],
    ['embedded/run-warden', 'src/embedded/run-warden.ts'],
    ['sample-backend', 'examples/sample-backend/main.ts'],
    ['generate-workspace', 'examples/sample-backend/generate-main.ts'],
    ...workers,
  ].filter(([, source]) => existsSync(path.join(root, source)));
}

/** @returns paths of the files that went in, relative to the root */
async function bundle(out, entries, options) {
  const { build } = await import('esbuild');
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.fromEntries(entries.filter(([, source]) => existsSync(path.join(root, source)))),
    outdir: out,
    bundle: true,
    // What is imported when it is needed stands in a file of its own: a command that only asks a server reads none of the server.
    splitting: true,
    format: 'esm',
    platform: 'node',
    sourcemap: true,
    sourcesContent: false,
    // The terms of others are collected whole, in one file.
    legalComments: 'none',
    minifyWhitespace: true,
    minifySyntax: true,
    metafile: true,
    logLevel: 'warning',
    ...options,
  });
  refuseDevelopmentPackages(metafile);
  return Object.keys(metafile.inputs);
}

const buildServer = (out) =>
  bundle(out, serverEntries(), {
    target: 'node24',
    plugins: [lightBuiltins, lightPackages],
    // Fastify and pino are CommonJS and call require() for Node's own modules, which a bundled ES module does not have.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
  });

/** A development package in the bundle would be code that nobody chose to ship. */
function refuseDevelopmentPackages(metafile) {
  const { packages } = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const named = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const name = packageOf(input)?.replace(/^.*?(?=node_modules\/)/, '');
    if (name && packages[name]?.dev) named.add(name);
  }
  if (named.size > 0) {
    throw new Error(
      `The server would contain development packages: ${[...named].join(', ')}. Move them to "dependencies" or import them elsewhere.`,
    );
  }
}

/** The doors for other programs. They load on Node.js 20; the half of the embedded one that does not is loaded when called. */
const doors = ['sdk/index', 'sdk/client-only', 'embedded/index'];

async function buildLibrary(out) {
  const entries = doors.map((door) => [door, `src/${door}.ts`]);
  const inputs = await bundle(out, entries, {
    target: 'node20',
    chunkNames: 'sdk/[name]-[hash]',
    plugins: [
      {
        name: 'the other half is a file of the server',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^\.\/run-warden\.ts$/ }, () => ({ path: './run-warden.js', external: true })),
      },
    ],
  });
  const foreign = inputs.filter((file) => packageOf(file));
  if (foreign.length > 0) throw new Error(`The library would contain packages: ${foreign.join(', ')}.`);
  await writeLibraryTypes(root, out, doors);
}

/** Whether these are the sources of the product, and not of a part of it. */
const isWhole = () => existsSync(path.join(root, 'src/app/describe-warden.ts'));

/** In a process of its own: it starts the server from its sources and asks it for its routes. */
async function describeApi(out) {
  if (!isWhole()) return;
  const args = [path.join(root, 'tools', 'openapi.mjs'), '--out', path.join(out, 'openapi.json')];
  const code = await run(process.execPath, args, { cwd: root });
  if (code !== 0) throw new Error('The description of the API could not be written; see above.');
}

/** What all steps of a database come to, which a start on an empty folder then takes at once. */
async function keepSchemas(out) {
  if (!isWhole()) return;
  const { makeWholeSchemas } = await import('../src/app/whole-schemas.ts');
  writeFileSync(path.join(out, 'schemas.json'), JSON.stringify(await makeWholeSchemas()));
}

async function buildDashboard(out) {
  if (!existsSync(path.join(root, 'web/index.html'))) return [];
  const { build } = await import('vite');
  const { output } = await build({
    root: path.join(root, 'web'),
    configFile: false,
    mode: 'production',
    logLevel: 'warn',
    // Relative, so that the page also works below a path of a reverse proxy.
    base: './',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: { outDir: path.join(out, 'web'), emptyOutDir: true },
  });
  return output.flatMap(({ moduleIds = [] }) => moduleIds).map((file) => path.relative(root, file));
}

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
  const inputs = await buildServer(out);
  if (existsSync(path.join(root, 'src/sdk/index.ts'))) await buildLibrary(out);
  // Every recovery point carries it as it is, to be read by whoever has nothing else.
  copyFileSync(path.join(root, 'src/backup/unfold/fold.mjs'), path.join(out, 'fold.mjs'));
  await describeApi(out);
  await keepSchemas(out);
  inputs.push(...(await buildDashboard(out)));
  writeFileSync(
    path.join(out, 'THIRD-PARTY-LICENSES'),
    thirdPartyLicences(root, inputs.map(packageOf).filter(Boolean)),
  );
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
  const built = readdirSync(dist).filter(
    (name) => !/^(stamp|parts)\b/.test(name) && !isPart(name) && !/\.map$/.test(name),
  );
  if (isWhole()) {
    const failure = compileAhead(dist);
    if (failure !== undefined)
      console.error(`ragwarden: starts will take longer: the code could not be compiled ahead, ${failure}`);
  }
  return built;
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
