import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensurePasswordFile, isGeneratedPassword, readPassword } from './keys.ts';
import { parseRepositoryLocation } from './location.ts';
import { recoveryKit } from './recovery-kit.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keys-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('makes a password of 32 random bytes that only its owner can read, once', async () => {
  const path = join(folder, 'deep', 'password');
  expect(await ensurePasswordFile(path)).toEqual({ created: true });
  const password = await readPassword(path);
  expect(Buffer.from(password, 'base64url')).toHaveLength(32);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await ensurePasswordFile(path)).toEqual({ created: false });
  expect(await readPassword(path)).toBe(password);
  expect(await readdir(join(folder, 'deep'))).toEqual(['password', 'password.generated']);
});

test('knows the password that it made itself from one that somebody chose or put in its place', async () => {
  const path = join(folder, 'password');
  await ensurePasswordFile(path);
  expect(await isGeneratedPassword(path)).toBe(true);
  const password = await readPassword(path);
  await writeFile(path, password);
  expect(await isGeneratedPassword(path), 'put back from the recovery kit').toBe(true);
  // The form of a generated one, and its mark still there.
  await writeFile(path, 'correct-horse-battery-staple-correct-horse-\n');
  expect(await isGeneratedPassword(path)).toBe(false);
  const chosen = join(folder, 'chosen');
  await writeFile(chosen, 'by hand\n');
  await ensurePasswordFile(chosen);
  expect(await isGeneratedPassword(chosen)).toBe(false);
  expect(await isGeneratedPassword(join(folder, 'none'))).toBe(false);
});

test('of many makers at once one wins and all read the same password', async () => {
  const path = join(folder, 'password');
  const results = await Promise.all(Array.from({ length: 20 }, () => ensurePasswordFile(path)));
  expect(results.filter(({ created }) => created)).toHaveLength(1);
  expect(await readdir(folder)).toEqual(['password', 'password.generated']);
  expect(await isGeneratedPassword(path)).toBe(true);
});

test('never writes over a file that is there, not even an empty one', async () => {
  const path = join(folder, 'password');
  await writeFile(path, 'chosen by hand\n');
  await ensurePasswordFile(path);
  expect(await readFile(path, 'utf8')).toBe('chosen by hand\n');
  expect(await readPassword(path)).toBe('chosen by hand');
  await writeFile(path, '');
  await expect(ensurePasswordFile(path)).rejects.toMatchObject({ code: 'repository/wrong-password' });
  await expect(readPassword(join(folder, 'none'))).rejects.toMatchObject({ code: 'repository/wrong-password' });
});

test('the recovery kit has all that bare restic needs, and no credentials of the store', () => {
  const text = recoveryKit({
    repositories: [
      { location: parseRepositoryLocation("/srv/o'brien", 'file'), id: 'abc' },
      {
        location: parseRepositoryLocation('rest:https://user:geheim@host/x', 'file'),
        environmentNames: ['RESTIC_REST_USERNAME'],
      },
    ],
    password: 'the-password',
    sealKey: 'the-seal-key',
    formatVersion: 1,
    createdAtMs: 0,
  });
  for (const part of [
    "/srv/o'brien",
    '(id abc)',
    'rest:https://user:***@host/x',
    'RESTIC_REST_USERNAME',
    'the-password',
    'the-seal-key',
  ])
    expect(text).toContain(part);
  expect(text).toContain(`restic --repo '/srv/o'\\''brien' --password-file password.txt restore`);
  expect(text).toContain('1970-01-01T00:00:00.000Z');
  expect(text).not.toContain('geheim');
});
