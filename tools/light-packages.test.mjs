import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lightBuiltins } from './light-builtins.mjs';
import { lightPackages } from './light-packages.mjs';

const repository = path.dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
let folder;
beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-light-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** @returns where the program lies, as the build would make it of this text */
async function bundle(name, contents, plugins = [lightBuiltins, lightPackages]) {
  const outfile = path.join(folder, `${name}.cjs`);
  await build({
    stdin: { contents, resolveDir: repository },
    outfile,
    ...{ bundle: true, platform: 'node', target: 'node24', format: 'cjs', logLevel: 'silent' },
    plugins,
  });
  return outfile;
}

const routes = [
  ...['/', '/a', '/ab', '/api/v1/backup', '/api/v1/backups', '/api/v1/backup/:id', '/api/v1/backup/:id/parts/:part'],
  ...['/api/v1/a-name-that-is-longer-than-most/of-them', '/:a/:b/:c/:d/:e/:f', '/files/*', '/api/v1/:kind'],
];
const asked = [
  ...[
    '/',
    '/a',
    '/ab',
    '/abc',
    '/b',
    '/api/v1/backup',
    '/api/v1/backups',
    '/api/v1/backu',
    '/api/v1/backup/7',
    '/api/v1/',
  ],
  ...['/api/v1/backup/7/parts/x%20y', '/api/v1/backup/7/part/x', '/api/v1/a-name-that-is-longer-than-most/of-them'],
  ...[
    '/api/v1/a-name-that-is-longer-than-most/of-then',
    '/1/2/3/4/5/6',
    '/1/2/3/4/5',
    '/files/deep/er',
    '/files',
    '/api/v1/quotas',
  ],
];
const answers = (createRouter) => {
  const router = createRouter();
  for (const route of routes) router.on('GET', route, () => route);
  return asked.map((one) => {
    const found = router.find('GET', one);
    return found && [found.handler(), { ...found.params }];
  });
};

test('the router finds what it always found, and makes no function out of text before it is asked', async () => {
  const light = require(await bundle('router', "module.exports = require('find-my-way');"));
  const { Function: real } = globalThis;
  let made = 0;
  globalThis.Function = function counted(...given) {
    made += 1;
    return real(...given);
  };
  try {
    const router = light();
    for (const route of routes) router.on('GET', route, () => route);
    expect(made).toBe(0);
  } finally {
    globalThis.Function = real;
  }
  const asItIs = require(await bundle('router as it is', "module.exports = require('find-my-way');", []));
  expect(answers(light)).toEqual(answers(asItIs));
});

test('HTTP/2 is loaded by whoever speaks it, and spoken then', async () => {
  const program = await bundle(
    'client',
    `const Agent = require('undici/lib/dispatcher/agent.js');
     const ask = require('undici/lib/api/api-request.js');
     require('fastify')();
     const loaded = () => process.moduleLoadList.includes('NativeModule http2');
     const before = loaded();
     const http2 = process.getBuiltinModule('node:http2');
     const server = http2.createServer((request, response) => response.end('over ' + request.httpVersion));
     server.listen(0, '127.0.0.1', async () => {
       const agent = new Agent({ useH2c: true, connections: 1 });
       const origin = 'http://127.0.0.1:' + server.address().port;
       const answer = await ask.call(agent, { origin, path: '/', method: 'GET' });
       console.log(JSON.stringify({ before, text: await answer.body.text() }));
       process.exit();
     });`,
  );
  const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8', timeout: 60_000 });
  expect(JSON.parse(stdout || JSON.stringify(stderr))).toEqual({ before: false, text: 'over 2.0' });
});

test('a package that changed at the place fails the build', async () => {
  const other = path.join(folder, 'node_modules', 'find-my-way', 'lib', 'node.js');
  mkdirSync(path.dirname(other), { recursive: true });
  writeFileSync(other, 'module.exports = {};');
  await expect(bundle('changed', `require(${JSON.stringify(other)});`)).rejects.toThrow('does not hold');
});
