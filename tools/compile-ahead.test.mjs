import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { compileAhead } from './compile-ahead.mjs';

let dist;
beforeEach(() => {
  dist = mkdtempSync(path.join(os.tmpdir(), 'ragwarden compile '));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dist, { recursive: true, force: true });
});

const kept = () => {
  const folder = path.join(dist, 'compiled');
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), 'latin1'));
};

test('what was called on the way to ready is kept compiled, and what was not called is not', () => {
  writeFileSync(
    path.join(dist, 'part-ABCDEFGH.js'),
    "export const later = () => 'a word of the part'; import.meta.url;",
  );
  writeFileSync(
    path.join(dist, 'main.js'),
    `import { createServer } from 'node:http';
function starts() { return 'a word of the start'; }
function asked() { return 'a word of an answer'; }
function never() { return 'a word of nobody'; }
process.on('SIGTERM', () => process.exit(0));
const { later } = await import('./part-ABCDEFGH.js');
const word = 'Bearer ' + process.env.RAGWARDEN_ADMIN_TOKEN;
const server = createServer((request, answer) => answer.end(request.headers.authorization === word ? asked() : ''));
server.listen(0, '127.0.0.1', () => {
  const api = 'http://127.0.0.1:' + server.address().port;
  console.log(JSON.stringify({ event: 'ready', api, said: [starts(), later(), typeof never] }));
});`,
  );
  expect(compileAhead(dist)).toBeUndefined();
  const files = kept();
  expect(files).toHaveLength(2);
  for (const word of ['a word of the start', 'a word of an answer', 'a word of the part'])
    expect(files.some((file) => file.includes(word))).toBe(true);
  expect(files.some((file) => file.includes('a word of nobody'))).toBe(false);
  expect(readdirSync(dist).sort()).toEqual(['compiled', 'main.js', 'part-ABCDEFGH.js']);
});

test('what cannot be compiled ahead is told, and leaves the folder as it was', () => {
  writeFileSync(path.join(dist, 'main.js'), "throw new Error('cannot begin ' + process.env.RAGWARDEN_ADMIN_TOKEN);");
  const words = [0, 1].map(() => /cannot begin ([\w-]{43})\n/.exec(compileAhead(dist))?.[1]);
  expect(readdirSync(dist)).toEqual(['main.js']);
  // Nobody else knows the word that opens what runs meanwhile.
  expect(words[0]).toBeDefined();
  expect(words[1]).not.toBe(words[0]);
});

test('a folder that cannot be made is told, too: what was built stays built', () => {
  vi.stubEnv('TMPDIR', path.join(dist, 'nowhere'));
  expect(compileAhead(dist)).toContain('ENOENT');
});
