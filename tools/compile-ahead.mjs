// Fills dist/compiled, where Node.js looks for what V8 has compiled already, with all that a start runs.
//
// By itself Node.js writes its compile cache when it has read a module and before that runs, so that every function which is called
// later is compiled anew at each start: a fifth of the processor time to ready. Here the product runs first. Then each module is
// compiled a second time, for which V8 takes what it has, called functions included, and Node.js writes that in its own form. Nothing
// leans on it: where it cannot be done, the first start fills the folder as ever. Node.js keeps a folder for each user: only the one who
// built finds it, and whoever else starts fills one of their own, where they may write.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire, enableCompileCache, flushCompileCache, registerHooks } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const self = fileURLToPath(import.meta.url);
/** What is asked of the product before its code is kept: the first questions after a start should be quick, too. */
const questions = ['/livez', '/readyz', '/metrics', '/health', '/api/v1/health', '/api/v1/targets', '/api/v1/events'];
const limitMs = 60_000;

/** The product as people start it. */
const asBuilt = {
  main: 'main.js',
  args: () => ['up', '--port', '0', '--metrics-port', '0', '--gateway-port', '0'],
  flags: [],
  prefix: '',
};

/**
 * Runs the program of `dist` once, in a process and a folder of its own, and keeps what V8 made of it.
 * @param {string} dist where it will be started from: what is kept is found by the path of each file
 * @param {{ main: string, args: (dataDir: string) => string[], flags: readonly string[], prefix: string }} how another program in it,
 * with the flags that Node.js gets each time, and what stands before the names of its settings
 * @returns {string | undefined} why it could not be done
 */
export function compileAhead(dist, how = asBuilt) {
  try {
    return fill(dist, how);
  } catch (error) {
    // What was built is in its place already, and is whole without this.
    return error.message;
  }
}

function fill(dist, { main, args, flags, prefix }) {
  // Beside the place where it goes: a process that starts meanwhile would keep what it finds there, and write what it misses.
  const filled = path.join(dist, `compiled-${process.pid}`);
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-compile-'));
  try {
    const dataDir = path.join(folder, 'data');
    const settings = {
      RAGWARDEN_DATA_DIR: dataDir,
      // The server that is asked listens for as long as it runs: nobody else may know it.
      RAGWARDEN_ADMIN_TOKEN: randomBytes(32).toString('base64url'),
      RAGWARDEN_BACKUP_AT_START: 'false',
      RAGWARDEN_LOG_LEVEL: 'error',
    };
    const program = [...flags, '--expose-internals', self, dist, filled, main, ...args(dataDir)];
    const { status, error, stderr } = spawnSync(process.execPath, program, {
      cwd: folder,
      // Nothing of the settings of whoever builds.
      env: {
        // Without programs, as on a bare machine: what they would do is not ours to compile.
        PATH: '',
        HOME: folder,
        TMPDIR: folder,
        NODE_DISABLE_COMPILE_CACHE: '1',
        ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`${prefix}${name}`, value])),
        TOKEN_OF_THIS_RUN: settings.RAGWARDEN_ADMIN_TOKEN,
      },
      encoding: 'utf8',
      timeout: limitMs,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (error || status !== 0) return error?.message ?? `it ended with ${status}: ${stderr.trim().slice(0, 500)}`;
    const place = path.join(dist, 'compiled');
    rmSync(place, { recursive: true, force: true });
    renameSync(filled, place);
    return undefined;
  } finally {
    rmSync(filled, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In the process of its own: the program in here, as whoever starts it would have it. */
async function runAndKeep(dist, filled, file, ...args) {
  const main = path.join(dist, file);
  const token = process.env.TOKEN_OF_THIS_RUN;
  process.argv = [process.argv[0], main, ...args];
  const read = new Set();
  registerHooks({
    load(url, context, next) {
      if (url.startsWith(pathToFileURL(dist).href)) read.add(url);
      return next(url, context);
    },
  });
  // What ran once would be given up before it is written.
  setFlagsFromString('--no-flush-bytecode');
  const ready = new Promise((resolve) => {
    process.stdout.write = (text) => {
      if (String(text).includes('"ready"')) resolve(JSON.parse(String(text)));
      return true;
    };
  });
  await Promise.all([
    import(pathToFileURL(main).href),
    ready.then((line) => ask(line.api, token)).then(() => keep(read, filled)),
  ]);
}

async function ask(api, token) {
  for (const question of questions)
    await (await fetch(new URL(question, api), { headers: { authorization: `Bearer ${token}` } })).arrayBuffer();
}

function keep(read, filled) {
  // What is kept is only taken by a process whose flags are the same.
  setFlagsFromString('--flush-bytecode');
  delete process.env.NODE_DISABLE_COMPILE_CACHE;
  enableCompileCache(filled);
  const { compileSourceTextModule } = createRequire(import.meta.url)('internal/modules/esm/utils');
  // Any third argument stands for the loader, and has it compiled as the loader does.
  for (const url of read) compileSourceTextModule(url, readFileSync(fileURLToPath(url), 'utf8'), {});
  flushCompileCache();
  process.kill(process.pid, 'SIGTERM');
}

if (process.argv[1] === self) await runAndKeep(...process.argv.slice(2));
