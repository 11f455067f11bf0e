import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHalf, packVector, toHalf, unpackVector } from './float16.ts';
import { parseGraphml, renderGraphml } from './graphml.ts';
import { parsePythonJson, renderIndentedRows, renderOneLine } from './python-json.ts';

test.each([
  [0, 0x0000],
  [1, 0x3c00],
  [-2, 0xc000],
  [65_504, 0x7bff],
  [65_520, 0x7c00],
  [0.1, 0x2e66],
  [2 ** -24, 0x0001],
  [2 ** -14, 0x0400],
])('%f is the half 0x%s', (value, half) => {
  expect(toHalf(value)).toBe(half);
});

test('every half comes back from the number it stands for', () => {
  for (let half = 0; half < 0x7c00; half += 1) expect(toHalf(fromHalf(half))).toBe(half);
});

test('a packed vector is the vector to half precision', () => {
  const vector = Float32Array.from([0.25, -0.5, 0.125, 0]);
  expect(unpackVector(packVector(vector))).toEqual(vector);
});

test('rows are laid out as Python lays them out', () => {
  const rows: [string, { list: string[]; none: []; text: string }][] = [
    ['a', { list: ['x'], none: [], text: 'ü "q" \n \u2028' }],
  ];
  const text = Buffer.concat(renderIndentedRows(rows)).toString();
  expect(text).toBe(
    '{\n  "a": {\n    "list": [\n      "x"\n    ],\n    "none": [],\n    "text": "ü \\"q\\" \\n \u2028"\n  }\n}',
  );
  expect(Buffer.concat(renderIndentedRows([])).toString()).toBe('{}');
  expect(renderOneLine({ a: [1, 'b'], n: 1_795_319_862_165_200_629n })).toBe(
    '{"a": [1, "b"], "n": 1795319862165200629}',
  );
});

test('a text that breaks off is told in the words of the real decoder', () => {
  expect(() => parsePythonJson('{\n  "a": "bc')).toThrow('Unterminated string starting at: line 2 column 8 (char 9)');
  expect(() => parsePythonJson('{"a": ')).toThrow('Expecting value: line 1 column 7 (char 6)');
});

test('a graph with any names is read as it was written', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => !/[\0-\x1f\ufffe\uffff]/.test(name));
  fc.assert(
    fc.property(text, text, text, (source, target, description) => {
      const nodes = new Map([source, target].map((name) => [name, { entity_id: name, description, created_at: 5 }]));
      const edges = [{ source, target, attributes: { weight: 2, description } }];
      const read = parseGraphml([...renderGraphml(nodes, edges)].join(''));
      expect(read).toEqual({ nodes, edges });
    }),
  );
});

test('a graph that breaks off is refused', () => {
  expect(() => parseGraphml('<graphml>\n<graph>')).toThrow('no element found: line 2, column 7');
});
