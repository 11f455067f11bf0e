// What each npm script does once Node.js 24 runs it.
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { run } from './child.mjs';
import { useInstalled } from './install.mjs';
import { withNodeFirst } from './node-runtime.mjs';
import { pack } from './pack.mjs';
import { isStale } from './stamp.mjs';
import { installMissing } from './system-packages.mjs';
import { runChecks, runTests, summary } from './verdict.mjs';

const environment = () => withNodeFirst(process.execPath, process.env);

async function build(root, flags) {
  return run(process.execPath, [path.join(root, 'tools', 'build.mjs'), ...flags], { cwd: root, env: environment() });
}

/** node_modules is needed for the build only: dist/ stands alone, so a running server does not hold it. */
async function start({ root, say, args }) {
  const release = await useInstalled(root, { what: 'npm start', say });
  try {
    if (isStale(root)) {
      const code = await build(root, ['--if-stale']);
      if (code !== 0) return code;
    }
  } finally {
    release();
  }
  for (const { reason } of await installMissing('product', say)) say(`${reason}. Backups stay unavailable until then.`);
  return run(process.execPath, [path.join(root, 'bin', 'ragwarden'), 'up', ...args], {
    env: environment(),
    softStop: true,
  });
}

/** With arguments only the tests they name run; without, every check and every test. */
async function test({ root, say, args }) {
  return usingModules(root, 'npm test', say, async () => {
    // None of the three reads what another makes; one alone leaves a core, or all of them, without work.
    const failures = await Promise.all([
      isStale(root) ? build(root, ['--if-stale']).then((code) => (code === 0 ? [] : ['build'])) : [],
      missingForTests(say),
      args.length === 0 ? runChecks(root, environment(), say) : [],
    ]);
    return finish(failures.flat(), await runTests(root, environment(), args));
  });
}

/** Names of the parts whose absence is a failure. */
async function missingForTests(say) {
  const missing = await installMissing('tests', say);
  const fails = process.env.CI === 'true';
  for (const { reason } of missing)
    say(`MISSING: ${reason}. ${fails ? 'That is a failure here.' : 'Tests that need it are skipped.'}`);
  return fails ? missing.map(({ name }) => name) : [];
}

async function check({ root, say, args }) {
  return usingModules(root, 'npm run check', say, async () => {
    const failures = await runChecks(root, environment(), say);
    return finish(failures, await runTests(root, environment(), ['--project', 'unit', ...args]));
  });
}

function finish(failures, tests) {
  const { line, ok } = summary(failures, tests);
  if (failures.length > 0) console.log(`Failed besides the tests: ${failures.join(', ')}`);
  console.log(line);
  return ok ? 0 : 1;
}

async function bench({ root, say, args }) {
  return usingModules(root, 'npm run bench', say, async () => {
    const code = await build(root, ['--if-stale']);
    if (code !== 0) return code;
    return run(process.execPath, [path.join(root, 'bench', 'main.ts'), ...args], { cwd: root, env: environment() });
  });
}

/** Tells the whole story on the sample, from a point to a failover and back. */
async function demo({ root, say, args }) {
  const release = await useInstalled(root, { what: 'npm run demo', say });
  try {
    if (isStale(root)) {
      const code = await build(root, ['--if-stale']);
      if (code !== 0) return code;
    }
  } finally {
    release();
  }
  for (const { reason } of await installMissing('product', say)) say(`${reason}. The demo cannot do without it.`);
  return run(process.execPath, [path.join(root, 'examples', 'demo', 'demo.mjs'), ...args], { env: environment() });
}

/** The built product against a real LightRAG, which is installed below .cache/ where that can be. */
async function lightrag({ root, say, args }) {
  return usingModules(root, 'npm run test:lightrag', say, async () => {
    if (isStale(root) && (await build(root, ['--if-stale'])) !== 0) return 1;
    const program = path.join(root, 'test', 'lightrag', 'run.mjs');
    return run(process.execPath, [program, ...args], { cwd: root, env: environment() });
  });
}

/** Runs the program of that name out of node_modules. */
async function exec({ root, say, args: [name, ...args] }) {
  return usingModules(root, `npm run (${name})`, say, async () => {
    const program = name && findBin(root, name);
    if (!program) {
      say(`no package of node_modules brings a program called ${name}`);
      return 2;
    }
    return run(process.execPath, [program, ...args], { cwd: root, env: environment() });
  });
}

/** Path of a program of node_modules; undefined when no direct dependency brings it. Not `.bin`: Windows has no links there. */
export function findBin(root, name) {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  for (const dependency of Object.keys({ ...dependencies, ...devDependencies })) {
    const home = path.join(root, 'node_modules', dependency);
    if (!existsSync(path.join(home, 'package.json'))) continue;
    const { bin } = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8'));
    const file = typeof bin === 'string' ? dependency.split('/').at(-1) === name && bin : bin?.[name];
    if (file) return path.join(home, file);
  }
  return undefined;
}

async function usingModules(root, what, say, work) {
  const release = await useInstalled(root, { what, say });
  try {
    return await work();
  } finally {
    release();
  }
}

/** The package as it is published, into the given folder or the present one. */
async function packAll({ root, say, args: [folder = root] }) {
  if ((await commands.build({ root, say, flags: ['--if-stale'] })) !== 0) return 1;
  const archive = await pack(root, path.resolve(folder));
  const { size } = statSync(archive);
  say(`${archive} (${(size / 1024 / 1024).toFixed(1)} MB); publish it with \`npm publish ${path.basename(archive)}\``);
  return 0;
}

export const commands = {
  start,
  demo,
  test,
  check,
  exec,
  bench,
  lightrag,
  build: ({ root, say, flags = [] }) => usingModules(root, 'npm run build', say, () => build(root, flags)),
  pack: packAll,
};
