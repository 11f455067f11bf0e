// A small clone for tests: our tools and launcher around a project whose build and server are a few lines.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundledNode } from './node-runtime.mjs';
import { takeStamp, writeStamp } from './stamp.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** Preload that makes a Node.js say it is version 18; not inherited by what it starts. */
const OLD_NODE = `
Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.0.0' } });
Object.defineProperty(process, 'version', { value: 'v18.0.0' });
`;

/** An npm that notes its arguments and installs what the lock names. */
const FAKE_NPM = `
const fs = require('node:fs');
fs.appendFileSync(process.env.NPM_NOTES, JSON.stringify({ args: process.argv.slice(2), folder: process.cwd() }) + '\\n');
if (process.env.NPM_FAILS) process.exit(3);
fs.mkdirSync('node_modules', { recursive: true });
fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');
if (process.env.NPM_BRINGS) fs.cpSync(process.env.NPM_BRINGS, 'node_modules', { recursive: true });
`;

const SERVER = `
process.on('SIGTERM', () => { console.log('stopping'); process.exitCode = 7; clearInterval(timer); });
const timer = setInterval(() => {}, 1000);
console.log(JSON.stringify({ args: process.argv.slice(2), node: process.versions.node, path: process.env.PATH.split(':')[0] }));
if (process.argv.includes('--once')) { clearInterval(timer); process.exitCode = 5; }
`;

/** @returns {{ root: string, file: (name: string, content: string) => string, node: string[], env: NodeJS.ProcessEnv, old: string[], dispose: () => void }} */
export function makeClone() {
  const base = mkdtempSync(path.join(os.tmpdir(), 'ragwarden tools '));
  const root = path.join(base, 'a clone');
  const file = (name, content) => {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), content);
    return path.join(root, name);
  };
  for (const name of [
    'run',
    'commands',
    'child',
    'install',
    'marks',
    'node-runtime',
    'pack',
    'stamp',
    'system-packages',
    'verdict',
  ]) {
    mkdirSync(path.join(root, 'tools'), { recursive: true });
    cpSync(path.join(here, `${name}.mjs`), path.join(root, 'tools', `${name}.mjs`));
  }
  mkdirSync(path.join(root, 'bin'));
  cpSync(path.join(here, '..', 'bin', 'ragwarden'), path.join(root, 'bin', 'ragwarden'));
  file('package.json', JSON.stringify({ type: 'module' }));
  file('package-lock.json', JSON.stringify({ packages: { '': {} } }));
  file('tools/runtime/package.json', '{}');
  file('tools/runtime/package-lock.json', '{}');
  file('src/main.ts', '// the server');
  file('dist/main.js', SERVER);
  file('dist/package.json', '{"type":"module"}');
  const preload = path.join(base, 'old-node.mjs');
  writeFileSync(preload, OLD_NODE);
  mkdirSync(path.join(base, 'npm/bin'), { recursive: true });
  const npm = path.join(base, 'npm/bin/npm-cli.js');
  writeFileSync(npm, FAKE_NPM);
  const notes = path.join(base, 'npm-notes');
  writeFileSync(notes, '');
  return {
    root,
    file,
    notes,
    old: ['--import', preload],
    env: { ...process.env, npm_execpath: npm, NPM_NOTES: notes, RAGWARDEN_NO_INSTALL: '1' },
    markBuilt: () => writeStamp(path.join(root, 'dist'), takeStamp(root)),
    dispose: () => rmSync(base, { recursive: true, force: true }),
  };
}

/** Puts this Node.js where `tools/runtime` would have it, below `modules`. */
export function plantRuntime(modules) {
  const target = path.join(modules, path.relative('/tools/runtime/node_modules', bundledNode('/')));
  mkdirSync(path.dirname(target), { recursive: true });
  symlinkSync(process.execPath, target);
}
