import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { workerUrl } from './workers.ts';

test('from the sources a worker is its own TypeScript file', () => {
  const url = workerUrl('inspector');
  expect(url.pathname).toMatch(/src\/targets\/inspector\/inspector\.worker\.ts$/);
  expect(existsSync(url)).toBe(true);
});

test('a worker that does not exist is refused with what was looked for', () => {
  expect(() => workerUrl('nobody')).toThrow('Expected one nobody.worker.ts');
});
