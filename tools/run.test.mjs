import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { matchesLock } from './install.mjs';
import { bundledNode, findNpmCli, isNewEnough, withNodeFirst } from './node-runtime.mjs';
import { makeClone, plantRuntime } from './test-clone.mjs';

let clone;
beforeEach(() => {
  clone = makeClone();
});
afterEach(() => clone.dispose());

/** Runs a file of the clone; `until` ends it with SIGTERM at that text on standard output. */
async function node(args, { env = {}, until } = {}) {
  const child = spawn(process.execPath, args, { cwd: clone.root, env: { ...clone.env, ...env } });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
    if (until && out.includes(until)) {
      until = undefined;
      child.kill('SIGTERM');
    }
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, out, err };
}
const launcher = (...args) => [path.join(clone.root, 'bin/ragwarden'), ...args];
const runner = (...args) => [path.join(clone.root, 'tools/run.mjs'), ...args];
const npmCalls = () =>
  readFileSync(clone.notes, 'utf8')
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

test('the launcher runs a current dist/ and passes arguments and exit code on', async () => {
  clone.markBuilt();
  const { code, out } = await node(launcher('serve', 'a b', '--once'));
  expect(code).toBe(5);
  expect(JSON.parse(out).args).toEqual(['serve', 'a b', '--once']);
});

test('the launcher refuses a dist/ older than the sources, and a missing one', async () => {
  clone.markBuilt();
  clone.file('src/main.ts', '// edited');
  expect(await node(launcher('--once'))).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/older than the sources.*npm run build/),
  });
  rmSync(path.join(clone.root, 'dist'), { recursive: true });
  expect(await node(launcher('--once'))).toMatchObject({
    code: 1,
    err: expect.stringMatching(/missing.*npm run build/),
  });
});

test('the launcher of an installed package checks nothing', async () => {
  rmSync(path.join(clone.root, 'src'), { recursive: true });
  rmSync(path.join(clone.root, 'tools'), { recursive: true });
  expect((await node(launcher('--once'))).code).toBe(5);
  const old = await node([...clone.old, ...launcher('--once')]);
  expect(old).toMatchObject({
    code: 1,
    err: expect.stringMatching(/needs Node.js 24 or newer and this is v18.*Install Node.js 24/),
  });
});

test('the launcher started by an old Node.js goes on under the one in tools/runtime, and stops with it', async () => {
  clone.markBuilt();
  const without = await node([...clone.old, ...launcher('--once')]);
  expect(without).toMatchObject({ code: 1, err: expect.stringContaining('npm run build') });
  plantRuntime(path.join(clone.root, 'tools/runtime/node_modules'));
  const { code, out } = await node([...clone.old, ...launcher('serve')], { until: '"args"' });
  expect(code).toBe(7);
  expect(JSON.parse(out.split('\n')[0])).toMatchObject({
    args: ['serve'],
    path: path.dirname(bundledNode(clone.root)),
  });
  expect(out).toContain('stopping');
});

test('start under an old Node.js brings Node.js 24, installs, runs `up` and passes a stop on', async () => {
  clone.markBuilt();
  const brought = path.join(path.dirname(clone.root), 'brought');
  plantRuntime(brought);
  const { code, out, err } = await node([...clone.old, ...runner('start', '--x')], {
    env: { NPM_BRINGS: brought },
    until: '"args"',
  });
  expect(err).toContain('fetching Node.js 24 into tools/runtime');
  expect(JSON.parse(out.split('\n')[0]).args).toEqual(['up', '--x']);
  expect(out).toContain('stopping');
  expect(code).toBe(7);
  const [runtime, root] = npmCalls();
  expect(runtime.args).toEqual(expect.arrayContaining(['ci', '--ignore-scripts', '--include=optional']));
  expect(root.args).toEqual(
    expect.arrayContaining(['ci', '--include=dev', '--engine-strict=false', '--ignore-scripts']),
  );
  expect(root.folder).toBe(clone.root);
});

test('says one sentence when Node.js 24 cannot be fetched', async () => {
  const { code, err } = await node([...clone.old, ...runner('start')], { env: { NPM_FAILS: '1' } });
  expect(code).toBe(1);
  expect(err).toContain('Install Node.js 24 (https://nodejs.org) and run the command again.');
  expect(existsSync(path.join(clone.root, 'tools/runtime/node_modules'))).toBe(false);
});

test('installs once, again after the lock changed, and not after an `npm ci` by hand', async () => {
  clone.markBuilt();
  await node(runner('start', '--once'));
  await node(runner('start', '--once'));
  expect(npmCalls()).toHaveLength(1);
  clone.file('package-lock.json', JSON.stringify({ packages: { '': { version: '2' } } }));
  clone.markBuilt();
  await node(runner('start', '--once'));
  expect(npmCalls()).toHaveLength(2);
  rmSync(path.join(clone.root, 'node_modules/.ragwarden-install.json'));
  await node(runner('start', '--once'));
  expect(npmCalls()).toHaveLength(2);
});

test('a failed install ends the command with the reason', async () => {
  clone.markBuilt();
  const { code, err } = await node(runner('start', '--once'), { env: { NPM_FAILS: '1' } });
  expect(code).toBe(1);
  expect(err).toContain('npm ci failed with exit code 3');
});

test('does not replace node_modules under a running command, and says whom it waits for', async () => {
  clone.file('package.json', JSON.stringify({ type: 'module', dependencies: { tool: '1' } }));
  await node(runner('exec', 'none'));
  mkdirSync(path.join(clone.root, 'node_modules/tool'), { recursive: true });
  clone.file('node_modules/tool/package.json', JSON.stringify({ bin: { tool: 'tool.cjs' } }));
  clone.file(
    'node_modules/tool/tool.cjs',
    "console.log('running'); process.stdin.resume(); process.stdin.on('end', () => console.log('done'));",
  );
  const first = spawn(process.execPath, runner('exec', 'tool'), {
    cwd: clone.root,
    env: clone.env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(first.stdout, 'data');
  clone.file('package-lock.json', JSON.stringify({ packages: { '': { version: '2' } } }));
  const second = spawn(process.execPath, runner('exec', 'none'), { cwd: clone.root, env: clone.env });
  const [said] = await once(second.stderr, 'data');
  expect(String(said)).toMatch(/node_modules must be renewed but is in use by `npm run \(tool\)` \(process \d+\)/);
  expect(npmCalls()).toHaveLength(1);
  first.stdin.end();
  await once(second, 'close');
  expect(npmCalls()).toHaveLength(2);
});

test('refuses a command it does not know', async () => {
  expect(await node(runner('dance'))).toMatchObject({ code: 2, err: expect.stringContaining('usage') });
});

test('tells whether node_modules is what the lock says, leaving other platforms out', () => {
  const lock = (packages) => clone.file('package-lock.json', JSON.stringify({ packages }));
  const installed = (packages) => clone.file('node_modules/.package-lock.json', JSON.stringify({ packages }));
  const a = { version: '1.0.0', integrity: 'x' };
  const native = { version: '1.0.0', optional: true, os: ['linux'], cpu: ['x64'] };
  lock({ '': {}, a, native });
  expect(matchesLock(clone.root)).toBe(false);
  installed({ a });
  expect(matchesLock(clone.root, 'linux', 'x64')).toBe(false);
  expect(matchesLock(clone.root, 'win32', 'x64')).toBe(true);
  installed({ a: { ...a, version: '1.0.1' }, native });
  expect(matchesLock(clone.root, 'linux', 'x64')).toBe(false);
  installed({ a, native, more: a });
  expect(matchesLock(clone.root, 'linux', 'x64')).toBe(false);
  installed({ a, native });
  expect(matchesLock(clone.root, 'linux', 'x64')).toBe(true);
});

test('takes the npm that started it, else the one beside Node.js or on PATH', () => {
  const npm = clone.env.npm_execpath;
  expect(findNpmCli({ npm_execpath: npm, PATH: '' }, '/nowhere/bin/node')).toBe(npm);
  expect(() => findNpmCli({ npm_execpath: '/usr/bin/yarn.js', PATH: '' }, '/nowhere/bin/node')).toThrow(
    'npm was not found',
  );
  const cli = clone.file('lib/node_modules/npm/bin/npm-cli.js', '');
  expect(findNpmCli({ PATH: '' }, path.join(clone.root, 'bin/node'))).toBe(cli);
  const global = clone.file('path/node_modules/npm/bin/npm-cli.js', '');
  expect(findNpmCli({ PATH: path.join(clone.root, 'path') }, '/nowhere/bin/node')).toBe(global);
});

test('reads versions and puts its Node.js first on PATH', () => {
  expect(['v18.20.8', 'v24.0.0', '25.1.0', 'v100.0.0', 'rubbish'].map(isNewEnough)).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
  expect(withNodeFirst('/n/bin/node', { PATH: '/a:/n/bin:/b' }).PATH).toBe('/n/bin:/a:/b');
});
