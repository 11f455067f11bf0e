import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type ConfigType, validateConfiguration } from './validate.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-validate-'));
const file = join(folder, '.env');
afterAll(() => rmSync(folder, { recursive: true }));

const own = { file: null, problems: [], notices: [], changed: [], needsRestart: [] };
const validate = (type: ConfigType = 'all', strict = false, check = own) =>
  validateConfiguration({ check: () => check, environments: [{ file }] }, { type, strict });

test('the backend is judged by its own rules, with file and line, and no secret is shown', async () => {
  writeFileSync(
    file,
    [
      '# of the backend',
      'CHUNK_SIZE=400',
      'CHUNK_OVERLAP_SIZE=400',
      'LIGHTRAG_API_KEY=very-secret',
      'WHITELIST_PATHS=/health',
      'REDIS_URI=redis://me:hidden@redis:6379',
      'LLM_BINDING=openia',
      'what is this',
    ].join('\n'),
  );
  const found = await validate();
  expect(found.valid).toBe(false);
  expect(
    found.findings.map(({ severity, of, place }) => `${severity} ${of} ${place.slice(folder.length + 1)}`),
  ).toEqual(['error graphrag .env:8', 'error provider .env:7', 'error graphrag .env:3', 'suggestion graphrag .env:2']);
  expect(found.values).toMatchObject({
    LIGHTRAG_API_KEY: '***',
    REDIS_URI: 'redis://***@redis:6379',
    CHUNK_SIZE: '400',
  });
  expect(JSON.stringify(found)).not.toMatch(/very-secret|hidden/);
  expect((await validate('provider')).findings.map(({ of }) => of)).toEqual(['provider']);
  expect(await validate('workspace')).toMatchObject({ valid: true, findings: [] });
});

test('strict, a warning is not valid', async () => {
  writeFileSync(file, 'LIGHTRAG_API_KEY=k\nWHITELIST_PATHS=/health\nMAX_GLEANING=2\n');
  expect(await validate()).toMatchObject({ valid: true, findings: [{ severity: 'warning' }] });
  expect(await validate('all', true)).toMatchObject({ valid: false });
});

test('ours are told beside them, and a file that cannot be read is an error, not a right one', async () => {
  const check = { ...own, problems: [{ place: 'a.yaml:3', message: 'is no number', mend: 'Give one.' }] };
  expect((await validate('ragwarden', false, check as never)).findings).toMatchObject([
    { severity: 'error', of: 'ragwarden', place: 'a.yaml:3' },
  ]);
  rmSync(file);
  expect(await validate()).toMatchObject({
    valid: false,
    values: null,
    files: [{ file, read: false }],
    findings: [{ severity: 'error', place: file, message: 'cannot be read (ENOENT)' }],
  });
});

test('settings of a project are judged by whoever knows them, with the names that its environment sets', async () => {
  const project = join(folder, 'settings.yaml');
  writeFileSync(project, 'chunking:\n  size: 9\n');
  writeFileSync(file, 'KEY=k\n');
  const seen: unknown[] = [];
  const judge = (text: string, environment: ReadonlySet<string> | undefined) => {
    seen.push([text, environment && [...environment]]);
    return [
      { severity: 'error' as const, paths: ['chunking.size'], line: 2, message: 'is small', mend: 'Raise it.' },
      { severity: 'warning' as const, paths: ['embed_text.batch_size'], line: undefined, message: 'm', mend: 'm' },
    ];
  };
  const sources = { check: () => own, environments: [], projects: [{ file: project, judge }] };
  const { valid, findings, files } = await validateConfiguration(sources, { type: 'graphrag', strict: false });
  expect({ valid, findings, files }).toEqual({
    valid: false,
    findings: [{ severity: 'error', of: 'graphrag', place: `${project}:2`, message: 'is small', mend: 'Raise it.' }],
    files: [{ file: project, read: true }],
  });
  const provider = await validateConfiguration(sources, { type: 'provider', strict: false });
  expect(provider.findings).toMatchObject([{ of: 'provider', place: project }]);
  const gone = await validateConfiguration(
    { ...sources, projects: [{ file: join(folder, 'gone.yaml'), judge }] },
    { type: 'all', strict: false },
  );
  expect(gone.findings).toContainEqual(
    expect.objectContaining({ severity: 'error', message: 'cannot be read (ENOENT)' }),
  );
  expect(seen[0]).toEqual(['chunking:\n  size: 9\n', ['KEY']]);
});
