import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfig } from './read-config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-kind-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = (env: Record<string, string>, yaml?: string) => {
  if (yaml !== undefined) writeFileSync(join(folder, 'ragwarden.yaml'), yaml);
  const { config, problems, notices } = readConfig({ env, cwd: folder });
  return {
    target: config.target,
    problems: problems.map(({ message }) => message),
    notices: notices.map(({ message }) => message),
  };
};
const url = { RAGWARDEN_TARGET_URL: 'http://127.0.0.1:8001' };

test('a working folder that is a GraphRAG project makes the target one, and needs no URL', () => {
  const project = { WORKING_DIR: folder, BACKUP_DIR: '/elsewhere/repository' };
  expect(read({ ...project, ...url }).target).toMatchObject({ kind: 'lightrag', kindFrom: 'default' });
  expect(read(project).problems).toEqual(['describes a target, but no target URL is set']);
  writeFileSync(join(folder, 'settings.yaml'), '');
  mkdirSync(join(folder, 'input'));
  expect(read({ ...project, ...url }).target?.kind).toBe('lightrag');
  mkdirSync(join(folder, 'prompts'));
  expect(read(project)).toMatchObject({
    target: { kind: 'graphrag', kindFrom: 'detected', url: undefined },
    problems: [],
  });
  expect(read({ ...project, ...url, RAGWARDEN_TARGET_KIND: 'lightrag' }).target).toMatchObject({
    kindFrom: 'settings',
  });
});

test('a section for a backend of one’s own makes the target one', () => {
  const yaml = `
target:
  url: http://127.0.0.1:7000/
  custom:
    health: {path: /healthz, field: status, healthy: [ok]}
    folders: [{name: index, path: /srv/notes/index, writer: replaces}]
    operations:
      - {method: POST, path: /ask, operation: query}
      - {method: POST, path: '/notes/{id}', operation: insert}
      - {method: POST, path: /rebuild, operation: admin, writes: false}
`;
  const { target, problems } = read({}, yaml);
  expect(problems).toEqual([]);
  expect(target).toMatchObject({ kind: 'custom', kindFrom: 'detected' });
  expect(target?.custom?.health).toMatchObject({ url: 'http://127.0.0.1:7000/healthz', healthy: ['ok'] });
  expect(target?.custom?.folders).toEqual([
    { name: 'index', path: '/srv/notes/index', writer: 'replaces', leaveOut: [] },
  ]);
  expect(target?.custom?.operations.map(({ writes }) => writes)).toEqual([false, true, false]);
});

test.each([
  ['a folder name that is taken', 'custom: {folders: [{name: database, path: /a}]}', /name of a component/],
  ['a folder inside another', 'custom: {folders: [{name: a, path: /a}, {name: b, path: /a/b}]}', /lies inside another/],
  ['a relative folder', 'custom: {folders: [{name: a, path: a}]}', /whole path/],
  ['a way out of a folder', 'custom: {folders: [{name: a, path: /a, leave_out: [../b]}]}', /path below the folder/],
  ['a word without a field', 'custom: {health: {healthy: [ok]}}', /not in which field/],
  ['a field without a word', 'custom: {health: {field: status}}', /not what it says/],
  ['two places for its health', 'custom: {health: {path: /a, url: "http://b/c"}}', /keep one of them/],
  ['a URL with a password', 'custom: {health: {url: "http://u:p@b/c"}}', /without credentials/],
  ['an operation nobody knows', 'custom: {operations: [{method: POST, path: /a, operation: chat}]}', /operation/],
  [
    'a pattern that is no path',
    'custom: {operations: [{method: POST, path: "/a(.*)+", operation: query}]}',
    /path such as/,
  ],
  ['a working folder beside its folders', 'working_dir: /a\n  custom: {}', /does not go with the kind custom/],
  ['a workspace', 'workspace: legal\n  custom: {}', /does not go with the kind custom/],
  ['the section of another kind', 'kind: lightrag\n  custom: {}', /does not go with the kind lightrag/],
  [
    'endpoints of LightRAG',
    'kind: graphrag\n  endpoints: [{workspace: a, url: "http://127.0.0.1:1"}]',
    /does not go with the kind graphrag/,
  ],
])('%s is refused with its reason', (_what, lines, reason) => {
  const { problems } = read(url, `target:\n  ${lines}\n`);
  expect(problems.join('\n')).toMatch(reason);
});

test('the repository may not lie in a folder that it protects, and what has no effect is said', () => {
  const yaml =
    'target:\n  kind: custom\n  custom: {folders: [{name: a, path: /srv/a}]}\n  canary: {question: q?, expected: a}\n';
  const { problems, notices } = read({ ...url, BACKUP_DIR: '/srv/a/repository' }, yaml);
  expect(problems).toEqual(['the repository lies inside the folder it protects']);
  expect(notices.join()).toMatch(/has no effect: it is for LightRAG/);
});
