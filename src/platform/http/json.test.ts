import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readableJson } from './json.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('whatever JSON.stringify makes of well-formed text is read as it is', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5, stringUnit: 'grapheme' }), (value) => {
      const text = JSON.stringify(value);
      return readableJson(bytes(text)) === text;
    }),
  );
});

test('an object that has a name twice is refused, wherever it stands and however the name is written', () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('', 'array', 'object'),
      (name, value, around) => {
        const key = JSON.stringify(name);
        const escaped = `"${[...name].map((char) => [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')).join('')}"`;
        const twice = `{${key}:${JSON.stringify(value)},"${'other'.repeat(9)}":[{}],${escaped}:1}`;
        const text = around === 'array' ? `[1,${twice}]` : around === 'object' ? `{"in":${twice}}` : twice;
        expect(() => readableJson(bytes(text))).toThrow('stands twice in one object');
      },
    ),
  );
});

test.each([
  '{"a":{"a":1},"b":{"a":1}}',
  '[{"a":1},{"a":1}]',
  '{"a":"a","b":"a"}',
  '{"a":["a","a"],"b":["b"]}',
  '{"a\\"":1,"a":2}',
  '{"__proto__":1}',
  '"\\ud83d\\ude00"',
])('%s is no matter of two names or half a character', (text) => {
  expect(readableJson(bytes(text))).toBe(text);
});

test.each([
  ['"\\ud800"', 'half a character'],
  ['{"\\udfff":1}', 'half a character'],
  ['["x\\ud83dy"]', 'half a character'],
  [`${'['.repeat(100_000)}`, 'deeper than 100 levels'],
  [`${'{"a":'.repeat(100_000)}`, 'deeper than 100 levels'],
])('%.20s is refused: %s', (text, reason) => {
  expect(() => readableJson(bytes(text))).toThrow(reason);
});

test('bytes that are no UTF-8 are refused, not replaced', () => {
  expect(() => readableJson(Uint8Array.from([0x22, 0xc3, 0x28, 0x22]))).toThrow('not valid UTF-8');
});

test.each(['', '{', '"', '"a', '}', ']]', '{"a"', '\\', '{"a\\', 'nonsense'])('%j is left to the parser', (text) => {
  expect(readableJson(bytes(text))).toBe(text);
});
