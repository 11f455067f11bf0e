import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isStale } from './stamp.mjs';

const repository = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
let root;
const write = (name, content) => {
  mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  writeFileSync(path.join(root, name), content);
};
const build = (...flags) =>
  spawnSync(process.execPath, [path.join(root, 'tools/build.mjs'), ...flags], { encoding: 'utf8' });

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'ragwarden build '));
  for (const name of [
    'build.mjs',
    'child.mjs',
    'compile-ahead.mjs',
    'library-types.mjs',
    'licences.mjs',
    'light-builtins.mjs',
    'light-packages.mjs',
    'marks.mjs',
    'stamp.mjs',
    'tsconfig.sdk.json',
  ]) {
    mkdirSync(path.join(root, 'tools'), { recursive: true });
    cpSync(path.join(repository, 'tools', name), path.join(root, 'tools', name));
  }
  for (const name of ['package.json', 'package-lock.json', 'tsconfig.json', 'src/backup/unfold/fold.mjs'])
    cpSync(path.join(repository, name), path.join(root, name));
  symlinkSync(path.join(repository, 'node_modules'), path.join(root, 'node_modules'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('builds what is there: a server that stands alone, workers, library with types, dashboard', () => {
  write(
    'src/main.ts',
    `import Fastify from 'fastify';
import { request } from 'node:http';
import { pino } from 'pino';
const app = Fastify({ loggerInstance: pino(pino.destination(2)) });
app.get('/', async () => ({ hello: 'there' }));
const url = await app.listen({ host: '127.0.0.1', port: 0 });
request(url, (answer) => answer.on('data', (body) => console.log(String(body))).on('end', async () => {
  await app.close();
  console.log(process.moduleLoadList.filter((name) => name.includes('undici')).join());
})).end();`,
  );
  write('src/gateway/relay.worker.ts', "console.log('worker' as string);");
  write('src/sdk/thing.ts', 'export type Thing = { name: string };');
  write(
    'src/sdk/index.ts',
    "import type { Thing } from './thing.ts';\nexport const make = (name: string): Thing => ({ name });\n",
  );
  write('web/index.html', '<script type="module" src="./main.tsx"></script>');
  write('web/main.tsx', "import { render } from 'preact';\nrender(<p>here</p>, document.body);");
  expect(build()).toMatchObject({ status: 0 });
  expect(isStale(root)).toBe(false);
  rmSync(path.join(root, 'node_modules'));
  const dist = (name) => path.join(root, 'dist', name);
  expect(execFileSync(process.execPath, [dist('main.js')], { encoding: 'utf8' })).toBe(
    // The client behind `fetch`, which this program has no use for, is not loaded.
    '{"hello":"there"}\n\n',
  );
  expect(execFileSync(process.execPath, [dist('workers/relay.js')], { encoding: 'utf8' })).toBe('worker\n');
  expect(readFileSync(dist('types/sdk/index.d.ts'), 'utf8')).toContain('make: (name: string) => Thing');
  expect(readFileSync(dist('types/sdk/index.d.ts'), 'utf8')).toContain("'./thing.js'");
  expect(readFileSync(dist('THIRD-PARTY-LICENSES'), 'utf8')).toMatch(/^fastify .*\(MIT\)$[\s\S]*^preact .*\(MIT\)$/m);
  expect(readFileSync(dist('web/index.html'), 'utf8')).toMatch(/src="\.\/assets\/.+\.js"/);
  expect(existsSync(dist('sample-backend.js'))).toBe(false);
});

test('does nothing when dist/ is current, if asked so', () => {
  write('src/main.ts', 'console.log(1);');
  expect(build().stderr).toContain('built dist/');
  expect(build('--if-stale')).toMatchObject({ status: 0, stderr: '' });
  write('src/main.ts', 'console.log(2);');
  expect(build('--if-stale').stderr).toContain('built dist/');
});

test('what is imported later is a file of its own, which stays for one build more', () => {
  write('src/main.ts', "console.log('first'); if (process.argv[2]) await import('./later.ts');");
  const later = () => readdirSync(path.join(root, 'dist')).filter((name) => /^later-.+\.js$/.test(name));
  const builds = ['one', 'two', 'three'].map((word) => {
    write('src/later.ts', `console.log('${word}');`);
    expect(build()).toMatchObject({ status: 0 });
    return later();
  });
  const main = path.join(root, 'dist/main.js');
  expect(readFileSync(main, 'utf8')).not.toContain('three');
  expect(execFileSync(process.execPath, [main, 'later'], { encoding: 'utf8' })).toBe('first\nthree\n');
  expect(builds.map((names) => names.length)).toEqual([1, 2, 2]);
  expect(builds[1]).toContain(builds[0][0]);
  expect(builds[2]).not.toContain(builds[0][0]);
});

test('a failed build says why and leaves the old dist/ and no rest', () => {
  write('src/main.ts', "console.log('old');");
  build();
  write('src/main.ts', "import './missing.ts';");
  const failed = build();
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain('missing.ts');
  expect(execFileSync(process.execPath, [path.join(root, 'dist/main.js')], { encoding: 'utf8' })).toBe('old\n');
  expect(isStale(root)).toBe(true);
  write('src/main.ts', "console.log('new');");
  build();
  expect(readdirSync(path.join(root, '.cache')).filter((name) => name !== 'marks')).toEqual([]);
});

test('refuses a development package in the server', () => {
  write('src/main.ts', "import fc from 'fast-check';\nconsole.log(fc.sample(fc.nat(), 1));");
  const { status, stderr } = build();
  expect(status).toBe(1);
  expect(stderr).toContain('development packages: node_modules/');
  expect(stderr).toContain('fast-check');
});

test('refuses a library that leans on a package or on the inside of the product', () => {
  write('src/sdk/index.ts', "export const a: import('../events/index.ts').Event = { at: 1 };");
  write('src/events/index.ts', 'export type Event = { at: number };');
  expect(build().stderr).toContain('lean on ../events/index.ts, which is not part of it');
  write('src/sdk/index.ts', "export { z } from 'zod';");
  expect(build().stderr).toMatch(/The library would contain packages: .*node_modules\/zod/);
});
