import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '../../../platform/clock.ts';
import { checkStaged } from '../../restore/index.ts';
import { createConfigSource } from './config-source.ts';

const context = { signal: new AbortController().signal, clock: systemClock };

function place() {
  const home = mkdtempSync(join(tmpdir(), 'ragwarden-config-source-'));
  mkdirSync(join(home, 'a'));
  mkdirSync(join(home, 'b'));
  writeFileSync(join(home, 'a/.env'), 'LLM_BINDING_API_KEY=secret\r\n');
  chmodSync(join(home, 'a/.env'), 0o640);
  writeFileSync(join(home, 'b/.env'), 'OTHER=1\n');
  symlinkSync('a/.env', join(home, 'link.env'));
  return { home, into: join(home, 'staged') };
}

test('named files are kept byte for byte below their whole path, links as what they lead to', async () => {
  const { home, into } = place();
  const files = [join(home, 'a/.env'), join(home, 'b/.env'), join(home, 'link.env')];
  const captured = await createConfigSource({ name: 'config', files }).capture(into, context);
  expect(captured).toMatchObject({
    files: 3,
    partial: false,
    proof: { grade: 'consistent' },
    restore: { by: 'by-hand' },
  });
  for (const file of files) expect(readFileSync(join(into, file))).toEqual(readFileSync(file));
  expect(statSync(join(into, home, 'a/.env')).mode & 0o777).toBe(0o640);
  await checkStaged(into, captured.entries);
});

test('what is unchanged is left alone, what is not named any more leaves the staging folder', async () => {
  const { home, into } = place();
  const both = createConfigSource({ name: 'config', files: [join(home, 'a/.env'), join(home, 'b/.env')] });
  expect((await both.capture(into, context)).renewedFiles).toBe(2);
  writeFileSync(join(home, 'b/.env'), 'OTHER=2\n');
  expect((await both.capture(into, context)).renewedFiles).toBe(1);
  const one = await createConfigSource({ name: 'config', files: [join(home, 'a/.env')] }).capture(into, context);
  await checkStaged(into, one.entries);
});

test('a folder stands for every file in it, however deep', async () => {
  const { home, into } = place();
  mkdirSync(join(home, 'prompts/entity_type'), { recursive: true });
  writeFileSync(join(home, 'prompts/entity_type/people.yml'), 'a: 1\n');
  writeFileSync(join(home, 'prompts/top.yml'), 'b: 2\n');
  const captured = await createConfigSource({ name: 'config', files: [join(home, 'prompts')] }).capture(into, context);
  expect(captured).toMatchObject({ files: 2, partial: false });
  expect(readFileSync(join(into, home, 'prompts/entity_type/people.yml'), 'utf8')).toBe('a: 1\n');
  await checkStaged(into, captured.entries);
});

test('a file that is missing, a device or far too large is named and makes the component partial', async () => {
  const { home, into } = place();
  writeFileSync(join(home, 'huge'), Buffer.alloc(17 * 1024 * 1024));
  rmSync(join(home, 'b/.env'));
  const files = [join(home, 'a/.env'), join(home, 'b/.env'), '/dev/null', join(home, 'huge')];
  const captured = await createConfigSource({ name: 'config', files }).capture(into, context);
  expect(captured.partial).toBe(true);
  expect(captured.files).toBe(1);
  expect(captured.skipped.map((one) => one.reason)).toEqual([
    'it is not a plain file',
    'it does not exist',
    'it has 17825792 bytes, which no configuration file has',
  ]);
});
