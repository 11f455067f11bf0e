import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';

/** What the product promises, each with the tests that show it. A promise without such a test is not made here. */
const rowsSchema = z.array(
  z.strictObject({
    row: z.string(),
    what: z.string().min(3).max(120),
    tests: z.array(z.strictObject({ file: z.string(), name: z.string().min(8) })),
    /** Where the promise is one of time or size: what was measured, by the heading and the line of docs/benchmarks.md. */
    figures: z.array(z.strictObject({ section: z.string().min(3), line: z.string().min(3) })).optional(),
  }),
);

const root = resolve(import.meta.dirname, '..');
const rows = rowsSchema.parse(JSON.parse(readFileSync(join(root, 'test/rows.json'), 'utf8')));

/** A string of any of the three kinds. */
const literal = String.raw`(?<quote>['"${'`'}])(?<title>(?:\\[\s\S]|(?!\k<quote>)[^\\])*)\k<quote>`;

/** Titles of the tests in a file, as they stand in its text; those that are skipped for good do not count. */
function titlesOf(source: string): string[] {
  const code = source.replace(/^\s*\/\/.*$/gm, '');
  const aliases = [...code.matchAll(/const (\w+) = (?:test|it)\.(?:skipIf|runIf)\(/g)].map(([, name = '']) => name);
  const direct = String.raw`\b(?:${['test', 'it', ...aliases].join('|')})(?:\.(?:only|concurrent))?\(\s*`;
  // `test.each(cases)('…'` and `test.skipIf(condition)('…'`
  const curried = String.raw`\)\(\s*`;
  return [direct, curried].flatMap((before) =>
    [...code.matchAll(new RegExp(before + literal, 'g'))].map(({ groups }) =>
      (groups?.title ?? '').replace(/\\(['"`])/g, '$1'),
    ),
  );
}

/** A title may hold places that are filled when it runs; what stands before the first of them is enough to find it. */
const holds = (title: string, name: string): boolean => {
  const fixed = title.split(/\$\{|%[sdifjoO#]/, 1)[0] ?? '';
  return title.includes(name) || (fixed.length < title.length && fixed.length >= 8 && name.startsWith(fixed));
};

/** The last word of a figure's line in a section of the written figures: `met`, `**missed**`, or nothing where none was wanted. */
function verdictOf(page: string, section: string, line: string): string | undefined {
  const text = page.split(/^## /m).find((part) => part.startsWith(`${section}\n`));
  // What was measured stands above the figures, sometimes under the same name.
  const cells = text?.split('\n').findLast((one) => one.startsWith(`| ${line} |`));
  return cells?.split('|').at(-2)?.trim();
}

const figures = readFileSync(join(root, 'docs/benchmarks.md'), 'utf8');

describe('the list of promises', () => {
  test('reads a figure as it is written', () => {
    const page =
      '## A\n\n| x | 1 ms | ≤ 2 ms | met |\n\n## B\n\n| x | 3 ms | ≤ 2 ms | **missed** |\n| y | 1 ms |  |  |\n';
    expect(
      [
        ['A', 'x'],
        ['B', 'x'],
        ['B', 'y'],
        ['A', 'y'],
      ].map(([section = '', line = '']) => verdictOf(page, section, line)),
    ).toEqual(['met', '**missed**', '', undefined]);
  });

  test('reads titles as they are written', () => {
    const source = [
      "test('one', () => {});",
      "test.skipIf(!isRoot)('two', () => {});",
      'test.each([1, 2])(`three %s`, () => {});',
      "const onLinux = test.skipIf(!linux);\nonLinux(\n  'four',",
      "test.skip('five', () => {});",
      "// test('six', () => {});",
      'it("it\'s seven", () => {});',
    ].join('\n');
    expect(titlesOf(source).sort()).toEqual(['four', "it's seven", 'one', 'three %s', 'two'].sort());
  });

  test('names each row once, in the form F followed by a number', () => {
    const ids = rows.map(({ row }) => row);
    expect(ids.filter((id) => !/^F\d+(\.\d+)?$/.test(id))).toEqual([]);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  test('stands in order', () => {
    const keys = rows.map(({ row }) => row.slice(1).split('.').map(Number));
    const sorted = keys.toSorted((a, b) => (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? -1) - (b[1] ?? -1));
    expect(keys).toEqual(sorted);
  });

  test.each(rows)('$row: $what', ({ row, tests, figures: measured = [] }) => {
    expect(tests.length, `${row} is claimed without a test`).toBeGreaterThan(0);
    for (const { file, name } of tests) {
      expect(file).toMatch(/^(src|test|web|examples|tools)\/.+\.test\.(ts|tsx|mjs)$/);
      expect(existsSync(join(root, file)), `${row} names ${file}, which is not there`).toBe(true);
      const titles = titlesOf(readFileSync(join(root, file), 'utf8'));
      expect(
        titles.some((title) => holds(title, name)),
        `${row}: no test called "${name}" in ${file}`,
      ).toBe(true);
    }
    for (const { section, line } of measured)
      expect(verdictOf(figures, section, line), `${row}: "${line}" of "${section}" in docs/benchmarks.md`).toBe('met');
  });
});
