import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createJsonPicker, type JsonPicker, planPicks } from './json-picker.ts';

const paths = ['a', 'b.c', 'first.0.v', 'list.*.w', 'deep.x.y.z', 'numbers', 'text'] as const;
const plan = planPicks([...paths.slice(0, -1), ['text', 8]]);
const told = ({ picked }: JsonPicker) => Object.fromEntries(picked);

const whole = (text: string) => {
  const picker = createJsonPicker(plan);
  picker.write(Buffer.from(text));
  return told(picker);
};

/** What the picker should find, told by somebody who has all of it in memory. */
const find = (value: unknown, path: string): unknown[] => {
  let found = [value];
  for (const part of path.split('.'))
    found = found.flatMap((one) => {
      if (typeof one !== 'object' || one === null) return [];
      if (Array.isArray(one))
        return part === '*' ? one : /^\d+$/.test(part) && Number(part) < one.length ? [one[Number(part)]] : [];
      return !Object.hasOwn(one, part) ? [] : [(one as Record<string, unknown>)[part]];
    });
  return found;
};

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  // JSON knows no -0.
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  fc.boolean(),
  fc.constant(null),
);
const names = fc.constantFrom(
  'a',
  'b',
  'c',
  'v',
  'w',
  'x',
  'y',
  'z',
  'list',
  'first',
  'deep',
  'numbers',
  'text',
  'other',
);
const { document } = fc.letrec((tie) => ({
  document: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.array(tie('document'), { maxLength: 4 }),
    fc.dictionary(names, tie('document'), { maxKeys: 6 }),
  ),
}));

test('finds what a parser finds, whatever else is in the document and however it is laid out', () => {
  fc.assert(
    fc.property(document, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      const found = whole(JSON.stringify(value, null, space));
      for (const path of paths) {
        const expected = find(value, path).at(-1);
        const one = found[path];
        if (expected === undefined) expect(one).toBeUndefined();
        else if (typeof expected === 'string') {
          expect(one?.kind).toBe('string');
          expect(one?.size).toBe(Buffer.byteLength(JSON.stringify(expected)) - 2);
          if (path !== 'text' && one!.size <= 64) expect(one?.text).toBe(expected.toWellFormed());
        } else if (typeof expected === 'number') expect(Number(one?.text)).toBe(expected);
        else if (Array.isArray(expected)) expect(one).toMatchObject({ kind: 'array', size: expected.length });
        else
          expect(one?.kind).toBe(
            expected === null ? 'null' : typeof expected === 'object' ? 'object' : String(expected),
          );
      }
    }),
    { numRuns: 300 },
  );
});

test('reads the same however the bytes are cut, also when they are no JSON', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        document.map((value) => JSON.stringify(value)),
        fc.string(),
      ),
      fc.array(fc.nat(200)),
      (text, cuts) => {
        const bytes = Buffer.from(text);
        const picker = createJsonPicker(plan);
        let from = 0;
        for (const at of [...cuts.sort((x, y) => x - y), bytes.length]) {
          picker.write(bytes, from, Math.max(from, Math.min(at, bytes.length)));
          from = Math.max(from, Math.min(at, bytes.length));
        }
        expect(told(picker)).toEqual(whole(text));
      },
    ),
    { numRuns: 300 },
  );
});

test('is not misled by quotes, brackets and escapes in what it passes over, cut at any place', () => {
  const tricky = JSON.stringify({
    'ke"y\\': ['"', '\\', { '}': ']"' }, '\\"'],
    other: 'an "escaped" {text} [with] \\ all: "a": 0, \\\\"',
    text: `kept "${'x'.repeat(80)}\\" to the end\\`,
    list: [{ w: 'a\\' }, [], { w: '"' }],
    a: 7,
  });
  const expected = whole(tricky);
  expect(expected).toMatchObject({ a: { text: '7' }, 'list.*.w': { text: '"' } });
  const bytes = Buffer.from(tricky);
  for (let at = 1; at < bytes.length; at += 1) {
    const picker = createJsonPicker(plan);
    picker.write(bytes.subarray(0, at));
    picker.write(bytes.subarray(at));
    expect(told(picker)).toEqual(expected);
  }
});

test('keeps the beginning and the end of a long text, and cuts neither escape nor character', () => {
  expect(whole(JSON.stringify({ text: `${'x'.repeat(100_000)}[no-context]` })).text).toMatchObject({
    ...{ text: 'xxxxxxxx', size: 100_012, tail: 'xxxx[no-context]' },
  });
  expect(whole(JSON.stringify({ text: '1234567"rest' })).text?.text).toBe('1234567');
  expect(whole(JSON.stringify({ text: '1234567é rest' })).text?.text).toBe('1234567');
});

test('counts the elements of an array without keeping them', () => {
  const vector = Array.from({ length: 3_072 }, (_, i) => i / 7);
  expect(whole(JSON.stringify({ numbers: vector })).numbers).toMatchObject({ kind: 'array', size: 3_072 });
  expect(whole('{"numbers": [ ]}').numbers?.size).toBe(0);
  expect(whole('{"numbers": [[1,2],"a,b]",{"c":[3,4]}]}').numbers?.size).toBe(3);
});

test('begins anew after a reset, even in the middle of something', () => {
  const picker = createJsonPicker(plan);
  picker.write(Buffer.from('{"first":[{"v":1'));
  picker.reset();
  expect(picker.isBlank()).toBe(true);
  picker.write(Buffer.from('{"a":2}'));
  expect(told(picker)).toMatchObject({ a: { text: '2' } });
});
