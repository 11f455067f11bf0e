import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemRandom } from './ids.ts';
import { createSeal } from './seal.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ragwarden-seal-'));
  file = join(folder, 'seal.key');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sealOf = (given?: string) => createSeal({ given, file, random: systemRandom });
const broken = expect.objectContaining({ code: 'access/seal-broken' });

test('what was sealed opens again, also in another life, and tells nothing of itself', () => {
  const seal = sealOf();
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (secret) => {
      expect(sealOf().open(seal.close(secret, 'p'), 'p')).toBe(Buffer.from(secret, 'utf8').toString('utf8'));
    }),
  );
  expect(seal.close('hunter2', 'p')).not.toBe(seal.close('hunter2', 'p'));
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('it opens for nothing else, not after a change, and not with another key', () => {
  const sealed = sealOf().close('hunter2', 'receiver:a:url');
  const bytes = Buffer.from(sealed.slice(3), 'base64');
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  for (const [text, purpose] of [
    [sealed, 'receiver:b:url'],
    [`v1:${bytes.toString('base64')}`, 'receiver:a:url'],
    ['v1:', 'receiver:a:url'],
    ['v2:AAAA', 'receiver:a:url'],
    ['', 'receiver:a:url'],
  ] as const)
    expect(() => sealOf().open(text, purpose)).toThrow(broken);
  const other = systemRandom(32).toString('base64');
  expect(() => sealOf(other).open(sealed, 'receiver:a:url')).toThrow(broken);
  expect(sealOf(other).open(sealOf(other).close('x', 'p'), 'p')).toBe('x');
});

test('a key that is lost is not made anew by looking, and one that is no key is said', () => {
  const sealed = sealOf().close('hunter2', 'p');
  const key = readFileSync(file);
  rmSync(file);
  expect(() => sealOf().open(sealed, 'p')).toThrow(broken);
  expect(() => statSync(file)).toThrow();
  writeFileSync(file, 'nonsense');
  expect(() => sealOf().close('hunter2', 'p')).toThrow('holds no key');
  writeFileSync(file, key);
  expect(sealOf().open(sealed, 'p')).toBe('hunter2');
});
