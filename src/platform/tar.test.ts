import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tarOf, withTarFiles } from './tar.ts';

test('an archive is read by tar, with files of any length, also those that came later', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-tar-'));
  try {
    const sizes = [0, 1, 511, 512, 513, 100_000];
    const files = sizes.map((size) => ({ path: `in/${size}.txt`, content: 'ü'.repeat(size / 2) }));
    const archive = withTarFiles(tarOf(files, Date.UTC(2026, 0, 1)), [{ path: 'in/later.txt', content: 'x' }], 0);
    writeFileSync(join(folder, 'a.tar'), archive);
    execFileSync('tar', ['-xf', 'a.tar'], { cwd: folder });
    expect(readdirSync(join(folder, 'in')).sort()).toEqual([...sizes.map((size) => `${size}.txt`), 'later.txt'].sort());
    for (const { path, content } of files) expect(readFileSync(join(folder, path), 'utf8')).toBe(content);
    expect(statSync(join(folder, 'in/512.txt')).mtimeMs).toBe(Date.UTC(2026, 0, 1));
    expect(statSync(join(folder, 'in/512.txt')).mode & 0o777).toBe(0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each(['/etc/passwd', '../x', 'a/../../x', 'x'.repeat(101)])('%s is no path of an archive', (path) => {
  expect(() => tarOf([{ path, content: '' }], 0)).toThrow(TypeError);
});
