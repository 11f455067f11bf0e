import { expect, test } from 'vitest';
import { mark, withSections } from '../bench/written-page.ts';

const page = `Words.\n\n${mark}\n\n## A\n\nold a\n\n## B\n\nold b\n`;

test('a section that was measured takes the place of its forerunner, a new one comes last, all else stays', () => {
  expect(withSections(page, ['## B\n\nnew b', '## C\n\nnew c'], 'Taken today.')).toBe(
    `Words.\n\n${mark}\n\n## A\n\nold a\n\n## B\n\nTaken today.\n\nnew b\n\n## C\n\nTaken today.\n\nnew c\n`,
  );
});

test('written once more it is the same, and a page without figures gets its first', () => {
  const once = withSections('Words.\n', ['## A\n\na'], 'Taken today.');
  expect(once).toBe(`Words.\n\n${mark}\n\n## A\n\nTaken today.\n\na\n`);
  expect(withSections(once, ['## A\n\na'], 'Taken today.')).toBe(once);
});
