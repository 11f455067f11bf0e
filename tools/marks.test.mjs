import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { livingMarks, mark, processStart } from './marks.mjs';

const module = new URL('./marks.mjs', import.meta.url).href;
let folder;
const children = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-marks-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Another process that runs this code with `mark` and `folder` at hand. */
function other(code) {
  const script = `import { mark } from ${JSON.stringify(module)}; import fs from 'node:fs'; const folder = ${JSON.stringify(folder)};\n${code}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  return child;
}

const holder = (kind) =>
  other(
    `await mark(folder, '${kind}', { against: [], what: 'npm test' }); console.log('held'); process.stdin.resume();`,
  );

test('waits for a living process and says once for whom', async () => {
  const child = holder('use');
  await once(child.stdout, 'data');
  const waits = [];
  const waited = mark(folder, 'install', {
    against: ['install', 'use'],
    what: 'npm start',
    onWait: (marks) => {
      waits.push(marks);
      child.kill('SIGKILL');
    },
  });
  const release = await waited;
  expect(waits).toEqual([[{ kind: 'use', pid: child.pid, what: 'npm test' }]]);
  release();
  release();
  expect(readdirSync(folder)).toEqual([]);
});

test('gives up after the time allowed, naming the holder', async () => {
  const child = holder('install');
  await once(child.stdout, 'data');
  await expect(mark(folder, 'use', { against: ['install'], what: 'npm start', waitMs: 0 })).rejects.toThrow(
    `\`npm test\` (process ${child.pid})`,
  );
});

test('shares where nothing stands against it', async () => {
  const child = holder('use');
  await once(child.stdout, 'data');
  const release = await mark(folder, 'use', { against: ['install'], what: 'npm start' });
  expect(livingMarks(folder, ['use']).map(({ pid }) => pid)).toEqual([child.pid]);
  release();
});

test('removes the mark of a process that is gone, also when its id lives on as another process', () => {
  mkdirSync(folder, { recursive: true });
  const content = JSON.stringify({ host: os.hostname(), what: 'npm test' });
  const stale = path.join(folder, `install-${process.ppid}-anotherstart`);
  writeFileSync(stale, content);
  writeFileSync(path.join(folder, `use-${process.ppid}-${processStart(process.ppid)}`), content);
  expect(livingMarks(folder, ['install', 'use']).map(({ kind }) => kind)).toEqual(['use']);
  expect(existsSync(stale)).toBe(false);
});

test('believes a fresh mark of another machine', () => {
  writeFileSync(path.join(folder, 'install-1-x'), JSON.stringify({ host: 'elsewhere', what: 'npm test' }));
  expect(livingMarks(folder, ['install'])).toHaveLength(1);
});

test('lets go when the process ends without doing so itself', async () => {
  const child = other(`await mark(folder, 'build', { against: [], what: 'x' });`);
  await once(child, 'exit');
  expect(readdirSync(folder)).toEqual([]);
});

test('never lets two in at once', async () => {
  const log = path.join(folder, '..', `${path.basename(folder)}.log`);
  const work = `
    for (let i = 0; i < 3; i++) {
      const release = await mark(folder, 'install', { against: ['install'], what: 'x' });
      fs.appendFileSync(${JSON.stringify(log)}, 'in ' + process.pid + '\\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
      fs.appendFileSync(${JSON.stringify(log)}, 'out ' + process.pid + '\\n');
      release();
    }`;
  try {
    await Promise.all([1, 2, 3].map(() => once(other(work), 'exit')));
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(18);
    for (let i = 0; i < lines.length; i += 2) expect(lines[i + 1]).toBe(lines[i].replace('in', 'out'));
  } finally {
    rmSync(log, { force: true });
  }
});

test('knows its own start and none of a process that does not run', () => {
  expect(processStart(process.pid)).toMatch(/\w/);
  expect(processStart(2 ** 22 + 1)).toBeUndefined();
});
