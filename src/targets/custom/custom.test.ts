import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CustomHealth } from '../../config/index.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { judgeHealth } from './custom-adapter.ts';
import { inspectFolders } from './inspect-folders.ts';

const plain: CustomHealth = {
  ...{ url: 'http://127.0.0.1:1/health', statuses: undefined, field: undefined, healthy: [], degraded: [] },
  ...{ versionField: undefined, busyField: undefined },
};
const worded: CustomHealth = {
  ...{ ...plain, field: 'checks.index.state', healthy: ['ok', true], degraded: ['warming'] },
  ...{ versionField: 'version', busyField: 'indexing' },
};
const answer = (status: number, body?: unknown) => ({
  status,
  json() {
    if (body === undefined) throw new SyntaxError('no JSON');
    return body;
  },
});
const state = (value: unknown) => ({ checks: { index: { state: value } } });

test.each<[string, CustomHealth, ReturnType<typeof answer>, string[]]>([
  ['any 2xx', plain, answer(204), []],
  ['another status', plain, answer(404), ['says-unhealthy']],
  ['a server error', plain, answer(503), ['server-error']],
  ['a closed door', plain, answer(401), ['unauthorised']],
  ['a status that is named', { ...plain, statuses: [418] }, answer(418), []],
  ['one that is not named', { ...plain, statuses: [418] }, answer(200), ['says-unhealthy']],
  ['a word for well', worded, answer(200, state('ok')), []],
  ['true for well', worded, answer(200, state(true)), []],
  ['text is no truth value', worded, answer(200, state('true')), ['says-unhealthy']],
  ['a word for not quite well', worded, answer(200, state('warming')), ['says-degraded']],
  ['any other word', worded, answer(200, state('on fire')), ['says-unhealthy']],
  ['no such field', worded, answer(200, { checks: {} }), ['not-understood']],
  ['a group in its place', worded, answer(200, state({})), ['not-understood']],
  ['no JSON', worded, answer(200), ['not-understood']],
  ['an inherited name', { ...worded, field: 'constructor' }, answer(200, {}), ['not-understood']],
])('a backend of one’s own: %s', (_what, health, said, expected) => {
  expect(judgeHealth(health, said).faults.map(({ kind }) => kind)).toEqual(expected);
});

test('its version and whether it is at work are read from the fields that are named, and nothing is guessed', () => {
  const body = { ...state('ok'), version: '2.1', indexing: true };
  expect(judgeHealth(worded, answer(200, body))).toMatchObject({ version: '2.1', busy: true });
  expect(judgeHealth(worded, answer(200, { ...body, indexing: 'yes' })).busy).toBeUndefined();
  expect(judgeHealth(plain, answer(200, body))).toMatchObject({ version: undefined, busy: undefined });
  const long = judgeHealth({ ...worded, healthy: [] }, answer(200, state('x'.repeat(5_000))));
  expect(JSON.stringify(long).length).toBeLessThan(600);
});

test('its folders are counted, and one that is gone is told', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-custom-'));
  try {
    mkdirSync(join(folder, 'index', 'deep'), { recursive: true });
    writeFileSync(join(folder, 'index', 'deep', 'a'), '12345');
    writeFileSync(join(folder, 'file'), '');
    const stores = ['index', 'gone', 'file'].map((name) => ({ name, path: join(folder, name) }));
    const report = await inspectFolders(stores, { clock: createFakeClock(), signal: new AbortController().signal });
    expect(report.counts).toEqual({ index_files: 1 });
    expect(report.facts).toEqual([{ name: 'index_bytes', value: 5, unit: 'bytes' }]);
    expect(report.faults.map(({ code }) => code)).toEqual(['folder-missing', 'folder-unreadable']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
