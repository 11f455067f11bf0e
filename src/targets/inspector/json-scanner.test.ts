import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ContentFault } from './content-fault.ts';
import { createJsonScanner, type JsonInterest, type JsonValue } from './json-scanner.ts';
import { createUtf8Check } from './utf8-check.ts';

type Told = { value: JsonValue; end: number; text: string | undefined };

/** Feeds `bytes` in pieces whose lengths come in turn from `lengths`; pieces are overwritten after use, as a reader would. */
function scan(bytes: Buffer, lengths: readonly number[], interest: (value: JsonValue) => JsonInterest): Told[] {
  const told: Told[] = [];
  const utf8 = createUtf8Check();
  const scanner = createJsonScanner({
    enter: interest,
    leave: (value, end, text) => told.push({ value, end, text }),
  });
  let from = 0;
  for (let turn = 0; from < bytes.length; turn += 1) {
    const piece = Buffer.from(bytes.subarray(from, from + Math.max(1, lengths[turn % lengths.length] ?? bytes.length)));
    utf8.write(piece);
    scanner.write(piece);
    from += piece.length;
    piece.fill(0x22);
  }
  utf8.end();
  scanner.end();
  return told;
}

/** Builds the document again from what a scanner tells that looks into everything. */
function rebuild(bytes: Buffer, lengths: readonly number[]): unknown {
  const told = scan(bytes, lengths, ({ kind }) => (kind === 'object' || kind === 'array' ? 'look' : 'text'));
  const inner: Map<number, [JsonValue, unknown][]> = new Map();
  let result: unknown;
  for (const { value, text } of told) {
    const children = inner.get(value.depth + 1) ?? [];
    let built: unknown;
    if (value.kind === 'array') built = children.map(([, child]) => child);
    else if (value.kind === 'object') built = Object.fromEntries(children.map(([at, child]) => [at.key, child]));
    else built = value.kind === 'string' ? text : JSON.parse(text ?? '');
    if (value.kind === 'array' || value.kind === 'object') inner.delete(value.depth + 1);
    if (value.depth === 0) result = built;
    else inner.set(value.depth, [...(inner.get(value.depth) ?? []), [value, built]]);
  }
  return result;
}

const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 });
const indents = fc.constantFrom(0, 2);
const escapeAll = (text: string): string =>
  text.replace(/[\u0080-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

describe('what a scanner tells', () => {
  test('is what JSON.parse reads, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ stringUnit: 'binary' }),
        indents,
        fc.boolean(),
        lengths,
        (json, indent, escaped, cuts) => {
          const text = JSON.stringify(json, null, indent);
          const bytes = Buffer.from(escaped ? escapeAll(text) : text);
          expect(rebuild(bytes, cuts)).toEqual(JSON.parse(bytes.toString()));
        },
      ),
      { numRuns: 120 },
    );
  });

  test('gives records by exact offsets', () => {
    const record = fc.record({ id: fc.string({ unit: 'binary' }), nested: fc.jsonValue() });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), record), indents, lengths, (rows, indent, cuts) => {
        const bytes = Buffer.from(JSON.stringify(rows, null, indent));
        const told = scan(bytes, cuts, ({ depth }) => (depth === 0 ? 'look' : 'skip')).filter(
          ({ value }) => value.depth === 1,
        );
        const cut = told.map(({ value, end }) => [
          JSON.parse(
            bytes
              .subarray(value.keyStart, value.start)
              .toString()
              .replace(/\s*:\s*$/, ''),
          ),
          JSON.parse(bytes.subarray(value.start, end).toString()),
        ]);
        expect(cut).toEqual(Object.entries(JSON.parse(bytes.toString())));
        expect(told.map(({ value }) => value.key)).toEqual(cut.map(([name]) => name));
      }),
      { numRuns: 80 },
    );
  });

  test('is refused exactly when JSON.parse refuses', () => {
    const damaged = fc.tuple(
      fc.json(),
      fc.nat(),
      fc.constantFrom('', ...'{}[]",:\\ue-+.019tfn \n\u0001é'),
      fc.nat({ max: 2 }),
    );
    fc.assert(
      fc.property(damaged, lengths, ([json, place, put, taken], cuts) => {
        const at = place % (json.length + 1);
        const text = json.slice(0, at) + put + json.slice(at + taken);
        fc.pre(text.isWellFormed());
        let fits = true;
        try {
          JSON.parse(text);
        } catch {
          fits = false;
        }
        let taken2 = true;
        try {
          scan(Buffer.from(text), cuts, () => 'look');
        } catch (err) {
          expect(err).toBeInstanceOf(ContentFault);
          taken2 = false;
        }
        expect(taken2).toBe(fits);
      }),
      { numRuns: 1500 },
    );
  });

  test('is nothing from inside a skipped value, and its end is right', () => {
    const bytes = Buffer.from('{"a": {"b": [1, {"c": "}"}]}, "d": 2}');
    const told = scan(bytes, [3], ({ depth, key }) => (depth === 0 ? 'look' : key === 'd' ? 'text' : 'skip'));
    expect(told.map(({ value, end, text }) => [value.key, value.start, end, text])).toEqual([
      ['a', 6, 28, undefined],
      ['d', 35, 36, '2'],
      ['', 0, 37, undefined],
    ]);
  });
});

test('a document cut anywhere is torn at its end', () => {
  const bytes = Buffer.from('{"ä": [1.5e-3, true, null, "\\u00e4\\n"], "b": {"c": -0}}');
  for (let length = 0; length < bytes.length; length += 1) {
    for (const cuts of [[1], [1000]]) {
      const cut = (): unknown => scan(bytes.subarray(0, length), cuts, () => 'look');
      expect(cut).toThrow(expect.objectContaining({ kind: 'torn', offset: length }));
    }
  }
});

test('a fault names the byte where it stands', () => {
  const cases: readonly [string, number][] = [
    ['{"a": 1,}', 8],
    ['{"a" 1}', 5],
    ['{"a": tru3}', 9],
    ['{"a": "x\u0001"}', 8],
    ['{"a": "\\x"}', 8],
    ['{"a": 01}', 7],
    ['{"a": 1]', 7],
    ['{} {}', 3],
    ['', 0],
  ];
  for (const [text, offset] of cases)
    for (const cuts of [[1], [1000]])
      expect(() => scan(Buffer.from(text), cuts, () => 'skip')).toThrow(expect.objectContaining({ offset }));
});

test('a string full of what could be special is passed over at every alignment', () => {
  for (let shift = 0; shift < 8; shift += 1) {
    for (let length = 0; length < 70; length += 1) {
      const bytes = Buffer.from(`${' '.repeat(shift)}"${'é#!~'.repeat(20).slice(0, length)}"`);
      const [told] = scan(bytes, [1000], () => 'text');
      expect(told?.end).toBe(bytes.length);
    }
  }
});

test('texts above the limit are not held, and names above a mebibyte are refused', () => {
  const told: (string | undefined)[] = [];
  const scanner = createJsonScanner(
    { enter: ({ depth }) => (depth === 0 ? 'look' : 'text'), leave: (_value, _end, text) => told.push(text) },
    { maxTextBytes: 4 },
  );
  for (const piece of ['{"a":"12', '34","b":"12', '345"}']) scanner.write(Buffer.from(piece));
  scanner.end();
  expect(told).toEqual(['1234', undefined, undefined]);
  const long = createJsonScanner({ enter: () => 'look', leave: () => {} });
  expect(() => long.write(Buffer.from(`{"${'k'.repeat(1_048_577)}":1}`))).toThrow('a name is longer than 1 MiB');
});

test('what the reader of LightRAG allows beyond the standard is taken: a byte order mark, NaN and Infinity', () => {
  const bytes = Buffer.from('\ufeff{"a": NaN, "b": -Infinity, "c": Infinity}');
  for (const cuts of [[1], [1000]]) {
    const told = scan(bytes, cuts, ({ depth }) => (depth === 0 ? 'look' : 'text'));
    expect(told.map(({ text }) => text)).toEqual(['NaN', '-Infinity', 'Infinity', undefined]);
  }
});

test('bytes that are not UTF-8 are found at their place, however they are cut', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.nat(),
      fc.constantFrom(0xff, 0xc0, 0x80),
      lengths,
      (text, place, bad, cuts) => {
        const whole = Buffer.from(text.toWellFormed());
        const check = (bytes: Buffer): void => {
          const utf8 = createUtf8Check();
          for (let from = 0, turn = 0; from < bytes.length; turn += 1) {
            const piece = bytes.subarray(from, from + (cuts[turn % cuts.length] ?? 1));
            utf8.write(piece);
            from += piece.length;
          }
          utf8.end();
        };
        check(whole);
        const at = place % (whole.length + 1);
        const isFault = expect.objectContaining({ name: 'ContentFault' });
        expect(() => check(Buffer.concat([whole.subarray(0, at), Buffer.of(bad), whole.subarray(at)]))).toThrow(
          isFault,
        );
      },
    ),
    { numRuns: 150 },
  );
});
