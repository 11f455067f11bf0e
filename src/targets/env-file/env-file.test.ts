import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseEnvFile } from './env-file.ts';

const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, 'python-dotenv.fixture.json'), 'utf8')) as {
  cases: { text: string; values: Record<string, string> }[];
};

test('reads what python-dotenv read of the same text, well written or not', () => {
  expect(cases.length).toBeGreaterThan(400);
  for (const { text, values } of cases)
    expect(Object.fromEntries(parseEnvFile(text).values()), JSON.stringify(text)).toEqual(values);
});

test('without a change it is the same to the byte', () => {
  for (const { text } of cases) expect(parseEnvFile(text).with({})).toBe(text);
});

test('a changed value is read again as it was given, and nothing else changes', () => {
  const value = fc.string({ unit: fc.constantFrom('a', '1', ' ', '#', "'", '"', '\\', '=', 'ü', '$', ':', '/') });
  fc.assert(
    fc.property(
      fc.constantFrom(...cases),
      value,
      fc.constantFrom('A', 'B', 'TOP_K', 'NEW'),
      ({ text }, wanted, name) => {
        const before = parseEnvFile(text);
        // What nothing can be made of may swallow what comes after it.
        fc.pre(!/(?=.*['"# ]).*\\$/.test(wanted));
        fc.pre(before.unreadable.length === 0 && !text.includes(`${'$'}{`));
        const after = parseEnvFile(before.with({ [name]: wanted }));
        expect(Object.fromEntries(after.values())).toEqual({ ...Object.fromEntries(before.values()), [name]: wanted });
        const gone = parseEnvFile(before.with({ [name]: null }));
        const { [name]: _, ...others } = Object.fromEntries(before.values());
        expect(Object.fromEntries(gone.values())).toEqual(others);
      },
    ),
    { numRuns: 2_000 },
  );
});

test.each([
  ['keeps comments, order and spaces', '# head\nexport  A = 1  # why\nB=2\n', '# head\nexport  A = 5  # why\nB=2\n'],
  ['keeps line ends of Windows', 'A=1\r\nB=2\r\n', 'A=5\r\nB=2\r\n'],
  ['changes the last of two, which counts', 'A=1\nA=2 # x\n', 'A=1\nA=5 # x\n'],
  ['replaces quotes and what stands in them', 'A="1 # x" # why\n', 'A=5 # why\n'],
  ['adds at the end, after a last line without one', 'B=2', 'B=2\nA=5\n'],
  ['gives a name without a value one', 'export A # why\nB=2\n', 'export A=5 # why\nB=2\n'],
  ['leaves what is a comment already', '# A=1\n', '# A=1\nA=5\n'],
])('%s', (_, before, after) => {
  expect(parseEnvFile(before).with({ A: '5' })).toBe(after);
});

test('taking a value away makes comments of every line of it', () => {
  expect(parseEnvFile("A=1\n\nA='x\ny'\nB=2\n").with({ A: null })).toBe("# A=1\n\n# A='x\n# y'\nB=2\n");
});

test('says what it cannot read and what stands twice, and refuses what could not be read again', () => {
  const file = parseEnvFile('A=1\n\n="x"\nB="open\nA=2\n');
  expect(file.unreadable).toEqual([{ line: 3 }, { line: 4 }]);
  expect(file.repeated).toEqual(['A']);
  expect(() => file.with({ A: `x${'$'}{B}` })).toThrow(RangeError);
  expect(() => file.with({ A: '# \\' })).toThrow(RangeError);
});

test('the environment around counts more in what refers to others, as it does for the backend', () => {
  const file = parseEnvFile(`HOST=inside\nURL=http://${'$'}{HOST}:${'$'}{PORT:-80}\n`);
  expect(file.values().get('URL')).toBe('http://inside:80');
  expect(file.values({ HOST: 'outside', PORT: '1' }).get('URL')).toBe('http://outside:1');
});
