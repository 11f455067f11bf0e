import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { judgeProjectSettings } from './judge-settings.ts';
import { parseSettingsYaml } from './settings-yaml.ts';

const recorded = readFileSync(
  join(import.meta.dirname, '../../../test/fixtures/graphrag-3.3.0/project/settings.yaml'),
  'utf8',
);
const change = (text: string, changes: Record<string, string | null>): string => parseSettingsYaml(text).with(changes);

test('of the recorded settings every value of the catalogue is read, and a changed one is the only byte that differs', () => {
  const settings = parseSettingsYaml(recorded);
  expect(Object.fromEntries(settings.values())).toMatchObject({
    ...{ 'chunking.size': '60', 'chunking.overlap': '10', 'chunking.encoding_model': 'cl100k_base' },
    ...{ 'vector_store.vector_size': '8', 'snapshots.graphml': 'false', 'cache.type': 'json' },
  });
  expect(settings.with({ 'chunking.size': '1200' })).toBe(recorded.replace('  size: 60\n', '  size: 1200\n'));
  expect(settings.with({})).toBe(recorded);
});

test('comments, order, quotes and line ends stay, and what is new goes to its section or to the end', () => {
  const text =
    '# of ours\nchunking:   # how\n    size: 60  # small\n    overlap: "10"\n\nsnapshots: {graphml: false}\nlocal_search:\n';
  expect(change(text, { 'chunking.size': '90', 'chunking.overlap': '20' })).toBe(
    text.replace('size: 60', 'size: 90').replace('"10"', '20'),
  );
  expect(change(text, { 'chunking.encoding_model': 'o200k_base' })).toBe(
    text.replace('    size: 60', '    encoding_model: "o200k_base"\n    size: 60'),
  );
  expect(change(text, { 'snapshots.embeddings': 'true' })).toBe(
    text.replace('{graphml', '{"embeddings": true, graphml'),
  );
  expect(change(text, { concurrent_requests: '12', 'drift_search.n_depth': '2' })).toBe(
    `${text.replace('chunking:', 'concurrent_requests: 12\nchunking:').replace('# of ours\nconcurrent', '# of ours\ndrift_search:\n  n_depth: 2\nconcurrent')}`,
  );
  expect(change('chunking:\r\n  size: 60\r\n', { 'chunking.overlap': '5' })).toBe(
    'chunking:\r\n  overlap: 5\r\n  size: 60\r\n',
  );
  expect(change('', { 'chunking.size': '90' })).toBe('chunking:\n  size: 90\n');
  expect(change('{"chunking": {"size": 60}}', { 'chunking.overlap': '5', 'basic_search.k': '3' })).toBe(
    '{"basic_search": {"k": 3}, "chunking": {"overlap": 5, "size": 60}}',
  );
});

test('what is taken back becomes a comment, with its section when nothing else is in it', () => {
  const text = 'chunking:\n  size: 60 # small\n  overlap: 10\nbasic_search:\n  k: 5\n';
  expect(change(text, { 'chunking.size': null })).toBe(text.replace('  size', '#   size'));
  expect(change(text, { 'basic_search.k': null })).toBe(text.replace('basic_search:\n  k', '# basic_search:\n#   k'));
  expect(change(text, { 'global_search.map_max_length': null })).toBe(text);
  const crlf = text.replaceAll('\n', '\r\n');
  expect(change(crlf, { 'basic_search.k': null })).toBe(
    crlf.replace('basic_search:\r\n  k', '# basic_search:\r\n#   k'),
  );
});

test.each([
  ['a reference to nothing', 'chunking: *x\n'],
  [
    'references that multiply',
    `a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n${['b', 'c', 'd', 'e', 'f']
      .map((name, at) => `${name}: &${name} [${Array(9).fill(`*${'abcde'[at]}`).join(', ')}]\n`)
      .join('')}`,
  ],
])('%s cannot be read, and nobody has to catch it', (_what, text) => {
  const settings = parseSettingsYaml(text);
  expect([settings.unreadable, settings.values()]).toEqual([[{ line: 1 }], new Map()]);
  expect(judgeProjectSettings(text, undefined)).toMatchObject([{ severity: 'error', line: 1 }]);
  expect(() => settings.with({ 'chunking.size': '9' })).toThrow(RangeError);
});

test.each([
  ['no YAML', 'chunking: [', { 'chunking.size': '9' }],
  ['a section that is none', 'chunking: much\n', { 'chunking.size': '9' }],
  ['a section that is shared', 'a: &x {size: 1}\nchunking: *x\n', { 'chunking.size': '9' }],
  ['a value that is shared', 'a: &x 5\nchunking:\n  size: *x\n', { 'chunking.size': '9' }],
  ['one of a line with others', 'chunking: {size: 1, overlap: 2}\n', { 'chunking.size': null }],
  ['a value that others share', 'chunking:\n  size: &x 5\nother: *x\n', { 'chunking.size': '9' }],
] as const)('%s is not written to', (_what, text, changes) => {
  expect(() => change(text, changes)).toThrow(RangeError);
});

test('whatever stands there, what was asked for is read afterwards and nothing else differs, or it is refused', () => {
  const leaf = fc.oneof(
    fc.integer({ min: 0, max: 9_999 }),
    fc.boolean(),
    fc.string({ maxLength: 12 }),
    fc.constant(null),
  );
  const section = fc.dictionary(fc.constantFrom('size', 'overlap', 'prompt', 'k', 'note'), leaf, { maxKeys: 4 });
  const file = fc.dictionary(fc.constantFrom('chunking', 'basic_search', 'models', 'x'), fc.oneof(section, leaf));
  const wanted = fc.record(
    { 'chunking.size': fc.integer({ min: 100, max: 20_000 }).map(String), 'basic_search.k': fc.constantFrom('7', '9') },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(file, wanted, fc.boolean(), (said, changes, asJson) => {
      const text = asJson ? JSON.stringify(said, null, 2) : toYaml(said);
      let next: string;
      try {
        next = change(text, changes);
      } catch (err) {
        expect(err).toBeInstanceOf(RangeError);
        return;
      }
      const expected = structuredClone(parse(text) ?? {}) as Record<string, Record<string, unknown>>;
      for (const [path, value] of Object.entries(changes)) {
        const [first = '', second = ''] = path.split('.');
        expected[first] = { ...expected[first], [second]: Number(value) };
      }
      expect(parse(next) ?? {}).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});

/** By hand, with comments: the writer of the library would write it as it likes. */
function toYaml(of: object): string {
  return Object.entries(of)
    .map(([name, value]) =>
      typeof value === 'object' && value !== null && Object.keys(value).length > 0
        ? `${name}: # one\n${Object.entries(value as object)
            .map(([key, one]) => `   ${key}: ${JSON.stringify(one)} # ${key}\n`)
            .join('')}`
        : `${name}: ${JSON.stringify(value)}\n`,
    )
    .join('\n');
}
