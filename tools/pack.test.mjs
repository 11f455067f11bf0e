import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { stagePackage } from './pack.mjs';
import { takeStamp } from './stamp.mjs';

test('what was compiled ahead is not published, whole or left by a build that was interrupted', () => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-pack-'));
  const write = (file, text) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  try {
    write('package.json', JSON.stringify({ name: 'one', files: ['dist'] }));
    for (const file of ['main.js', 'compiled.js', 'THIRD-PARTY-LICENSES', 'compiled/v24/a', 'compiled-123/v24/b'])
      write(`dist/${file}`, '');
    write('dist/parts.json', '[]');
    write('dist/stamp.json', JSON.stringify(takeStamp(root)));
    const staged = path.join(root, 'staged');
    stagePackage(root, staged);
    const files = globSync('**/*', { cwd: path.join(staged, 'dist'), withFileTypes: true });
    expect(
      files
        .filter((file) => file.isFile())
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['compiled.js', 'main.js']);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
