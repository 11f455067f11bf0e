import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Setting, settings } from '../../config/index.ts';
import { errorCatalogue } from '../../platform/errors.ts';
import { runInPipe } from '../test-terminal.ts';
import { explainableNames, explainName } from './explain.ts';
import { explanations } from './explanations.ts';

const root = join(import.meta.dirname, '../../..');

describe('each error code', () => {
  test.each(Object.keys(errorCatalogue))('%s has a meaning, a cause and something to do', (code) => {
    const { found } = explainName(code);
    if (found?.kind !== 'error') throw new Error('not found');
    expect(found.means).toMatch(/^([A-Z]|ragwarden |restic ).*\.$/s);
    for (const lines of [found.causes, found.mend]) {
      expect(lines.length).toBeGreaterThan(0);
      for (const line of lines) expect(line).toMatch(/[.)]$/);
    }
    if (found.runbook !== null) expect(existsSync(join(root, found.runbook))).toBe(true);
  });

  test('names only commands that exist', async () => {
    const typed = new Set(
      Object.values(explanations)
        .flatMap(({ mend, causes }) => [...mend, ...causes])
        .flatMap((line) =>
          [...line.matchAll(/`ragwarden ([a-z][a-z -]*)/g)].map(([, words = '']) => words.split(' -')[0]),
        ),
    );
    expect(typed.size).toBeGreaterThan(10);
    for (const words of typed) {
      const { stdout } = await runInPipe([...(words ?? '').trim().split(' ').slice(0, 2), '--help']);
      expect(stdout, words).toContain('Usage: ragwarden ');
    }
  });

  test('names only settings that exist', () => {
    const known = new Set(['RAGWARDEN_URL', 'RAGWARDEN_TOKEN', ...explainableNames()]);
    for (const [code, { mend, causes }] of Object.entries(explanations))
      for (const line of [...mend, ...causes])
        for (const [name] of line.matchAll(/\b(?:[A-Z]+_)+[A-Z]+\b/g))
          expect(known.has(name), `${code}: ${name}`).toBe(true);
  });
});

test('a setting is found by its key, its variables and its flag', () => {
  const { found } = explainName('server.port');
  expect(found).toMatchObject({ kind: 'setting', default: '8710', flag: '--port' });
  for (const name of ['RAGWARDEN_PORT', '--port']) expect(explainName(name).found).toEqual(found);
  for (const { key } of Object.values<Setting>(settings)) expect(explainName(key).found).toMatchObject({ key });
  expect(explainName('RAGWARDEN_ADMIN_TOKEN_FILE').found).toMatchObject({ key: 'server.admin_token' });
});

describe('on the command line', () => {
  test('a code is told with all there is', async () => {
    const { code, stdout } = await runInPipe(['explain', 'repository/locked']);
    expect(code).toBe(0);
    for (const part of [
      'Likely causes',
      'What to do',
      'ragwarden repo unlock',
      'docs/runbooks/repository-locked.md',
      'exit code',
    ])
      expect(stdout).toContain(part);
    const { stdout: document } = await runInPipe(['explain', 'repository/locked', '--json']);
    expect(JSON.parse(document)).toMatchObject({
      code: 'repository/locked',
      status: 409,
      exit_code: 11,
      retryable: true,
    });
  });

  test('a state in any case, and all codes', async () => {
    expect((await runInPipe(['explain', 'OFFLINE'])).stdout).toContain('no answer');
    expect((await runInPipe(['explain'])).stdout.split('\n').length).toBeGreaterThan(
      Object.keys(errorCatalogue).length,
    );
    const { items } = JSON.parse((await runInPipe(['explain', '--json'])).stdout);
    expect(items.map((one: { code: string }) => one.code)).toEqual(Object.keys(errorCatalogue));
  });

  test.each([
    ['access/csfr', 'access/csrf'],
    ['RAGWARDEN_PROT', 'RAGWARDEN_PORT'],
    ['healty', 'healthy'],
    ['backup.locaton', 'backup.location'],
  ])('%s is told the nearest', async (typed, nearest) => {
    const { code, stdout, stderr } = await runInPipe(['explain', typed]);
    expect({ code, stdout }).toEqual({ code: 10, stdout: '' });
    expect(stderr).toContain(`Did you mean ${nearest}?`);
  });

  test('an error ends with where to read on', async () => {
    const { stderr } = await runInPipe(['status', '--data-dir', '/nonexistent']);
    expect(stderr.trimEnd().split('\n').at(-1)).toBe('ragwarden explain server/unreachable says more.');
  });
});
