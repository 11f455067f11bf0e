import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createCutter, type FileForm, formOf } from './cutter.ts';
import { foldedBytes, foldFile } from './fold.mjs';
import { findHeader } from './frame.ts';
import { type UnfoldOutcome, unfoldFile } from './unfold-file.ts';

const base = mkdtempSync(join(tmpdir(), 'unfold-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let folder: string;
let counter = 0;
beforeEach(() => {
  counter += 1;
  folder = join(base, `case-${counter}`);
});

const day = 86_400_000;
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function unfold(bytes: Buffer, form: FileForm, more: { nowMs?: number; isChecked?: boolean } = {}): UnfoldOutcome {
  const source = join(base, 'source');
  writeFileSync(source, bytes);
  return unfoldFile({
    source,
    bytes: bytes.length,
    sha256: sha256(bytes),
    form,
    folder,
    nowMs: 20_000 * day,
    isChecked: false,
    ...more,
  });
}

const folded = (): Buffer => Buffer.concat([...foldedBytes(folder)].map((piece) => Buffer.from(piece)));

/** What the cutter hands over, put together as the format says, with coded pieces in a row as one base64 text. */
function cutAndJoin(bytes: Buffer, form: FileForm, blocks: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  let coded: Buffer[] = [];
  const close = (): void => {
    parts.push(Buffer.from(Buffer.concat(coded).toString('base64'), 'latin1'));
    coded = [];
  };
  const cutter = createCutter(form, (piece, isCoded) => {
    if (isCoded) coded.push(Buffer.from(piece));
    else {
      close();
      parts.push(Buffer.from(piece));
    }
  });
  let at = 0;
  for (const length of blocks) {
    cutter.write(bytes.subarray(at, at + length));
    at += length;
  }
  cutter.write(bytes.subarray(at));
  cutter.end();
  close();
  return Buffer.concat(parts);
}

const row = (at: number, text = 'x'.repeat(40 + (at % 7))): string =>
  JSON.stringify({ content: `${text} ${at}`, _id: `doc-${at}` }, null, 2).replaceAll('\n', '\n  ');
const keyValue = (rows: readonly (readonly [number, string?])[]): Buffer =>
  Buffer.from(`{\n  ${rows.map(([at, text]) => `"doc-${at}": ${row(at, text)}`).join(',\n  ')}\n}`);

function vectors(ids: readonly number[], dimension = 5, matrix?: string): Buffer {
  const rows = ids.map((id) => JSON.stringify({ __id__: `ent-${id}`, content: `name ${id} "é" {`, vector: 'eJwr' }));
  const numbers = Buffer.concat(
    ids.map((id) => Buffer.from(Float32Array.from({ length: dimension }, (_, at) => id / (at + 3)).buffer)),
  );
  const text = rows.map((one) => one.replaceAll('":', '": ').replaceAll(',"', ', "')).join(', ');
  return Buffer.from(
    `{"embedding_dim": ${dimension}, "data": [${text}], "matrix": "${matrix ?? numbers.toString('base64')}"}`,
  );
}

const graph = (names: readonly number[]): Buffer =>
  Buffer.from(
    `<?xml version='1.0' encoding='utf-8'?>\n<graphml><key id="d0" for="node"/>\n<graph edgedefault="undirected">${names
      .map((name) => `<node id="n${name}">\n  <data key="d0">A &lt;SEP&gt; ${name}</data>\n</node>\n`)
      .join('')}${names.map((name) => `<edge source="n${name}" target="n0"/>\n`).join('')}</graph></graphml>`,
  );

const forms: readonly FileForm[] = ['key-value', 'vectors', 'graph'];
const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, at) => at + from);

describe('what is cut', () => {
  /** Pieces of text that the cutter looks for, and what may stand around them. */
  const morsel = fc.oneof(
    fc.constantFrom(
      '\n  "',
      ',\n  "',
      '\n}',
      '{"__id__"',
      ', {"__id__"',
      '], "matrix": "',
      '"matrix": "',
      '"',
      'AAAA',
      'AA==',
      'AB==',
      'AAA=',
      '<node ',
      '<edge ',
      '</graph>',
      '\ufeff',
      '\r\n',
      '\\u0022',
      '\\"',
      '"embedding_dim": 3',
      '{',
      '}',
      '[[[[',
      '1e400',
      '-_-_',
    ),
    fc.base64String({ maxLength: 60 }),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    fc.array(morsel, { maxLength: 40 }).map((parts) => Buffer.from(parts.join(''))),
  );

  test.each(forms)('any bytes come out as they went in, however they arrive: %s', (form) => {
    fc.assert(
      fc.property(anything, fc.array(fc.nat(50), { maxLength: 20 }), (bytes, blocks) =>
        cutAndJoin(bytes, form, blocks).equals(bytes),
      ),
      { numRuns: 1500 },
    );
  });

  test('a record longer than a piece may be is cut, and a marker across two blocks is seen', () => {
    const long = keyValue([[1, 'y'.repeat(3_000_000)], [2], [3]]);
    expect(cutAndJoin(long, 'key-value', [1_048_576, 1_048_576]).equals(long)).toBe(true);
    for (const at of numbers(60, 20)) {
      const pieces: string[] = [];
      const cutter = createCutter('vectors', (piece) => pieces.push(piece.toString('latin1')));
      const bytes = vectors([1, 2, 3]);
      cutter.write(bytes.subarray(0, at));
      cutter.write(bytes.subarray(at));
      cutter.end();
      expect(pieces).toHaveLength(9); // head, 3 rows, opening of the matrix, 3 rows of it, end
    }
  });

  test.each([
    ['rag/kv_store_full_docs.json', 'key-value'],
    ['vdb_chunks.json', 'vectors'],
    ['a/graph_chunk_entity_relation.graphml', 'graph'],
    ['kv_store_full_docs.json.tmp.1.2.x', undefined],
    ['notes.json', undefined],
  ])('%s is of form %s', (path, form) => {
    expect(formOf(path)).toBe(form);
  });
});

describe('a file through its states', () => {
  test('any states of a file one after the other fold to what they were', () => {
    const state = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.uniqueArray(fc.nat(60), { maxLength: 40 }).map((ids) => keyValue(ids.map((id) => [id]))),
      },
      { weight: 2, arbitrary: fc.uniqueArray(fc.nat(60), { maxLength: 40 }).map((ids) => vectors(ids)) },
      { weight: 1, arbitrary: fc.array(fc.nat(9), { maxLength: 40 }).map((ids) => vectors(ids)) },
      { weight: 2, arbitrary: fc.array(fc.nat(40), { maxLength: 40 }).map((names) => graph(names)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...forms),
        fc.array(fc.tuple(state, fc.nat(40)), { minLength: 1, maxLength: 6 }),
        (form, states) => {
          rmSync(folder, { recursive: true, force: true });
          let days = 20_000;
          for (const [bytes, later] of states) {
            days += later;
            const outcome = unfold(bytes, form, { nowMs: days * day });
            if (outcome.state === 'plain') expect(existsSync(folder)).toBe(false);
            else expect(folded().equals(bytes)).toBe(true);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test.each(['1.5.7 recorded'])('real files, mutated, fold to what they are: %s', () => {
    const fixture = join(import.meta.dirname, '../../../test/fixtures/lightrag-1.5.7/workspace/rag_storage/library');
    for (const name of readdirSync(fixture)) {
      const form = formOf(name);
      if (form === undefined) throw new Error(name);
      const bytes = readFileSync(join(fixture, name));
      const states = [
        bytes,
        bytes.subarray(0, bytes.length >> 1),
        Buffer.concat([Buffer.from('\ufeff'), bytes]),
        Buffer.from(bytes.toString('utf8').replaceAll('\n', '\r\n')),
        Buffer.from(bytes.toString('latin1').replace(/A(=*"\}?)$/, 'B$1'), 'latin1'),
        Buffer.concat([bytes, bytes]),
        bytes,
      ];
      for (const state of states) {
        expect(cutAndJoin(state, form, [1000, 7]).equals(state)).toBe(true);
        if (unfold(state, form).state !== 'plain') expect(foldFile(folder).sha256).toBe(sha256(state));
      }
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('base64 that would not encode back to the same text stays text', () => {
    const sound = vectors(numbers(20), 4);
    for (const [what, matrix] of [
      ['sound', undefined],
      ['loose bits before the padding', `${'AAAA'.repeat(20)}AB==`],
      ['no padding', `${'AAAA'.repeat(20)}AB`],
      ['the alphabet of URLs', '_-_-'.repeat(20)],
      ['a foreign character', `${'AAAA'.repeat(10)}A*AA${'AAAA'.repeat(10)}`],
      ['padding in the middle', `${'AAAA'.repeat(10)}AA==${'AAAA'.repeat(10)}`],
    ] as const) {
      const bytes = matrix === undefined ? sound : vectors(numbers(20), 4, matrix);
      expect([what, unfold(bytes, 'vectors').state]).toEqual([what, 'unfolded']);
      expect(folded().equals(bytes)).toBe(true);
    }
  });
});

describe('what a change costs', () => {
  const shards = (): string[] => readdirSync(folder).filter((name) => /^s[0-9a-f]{16}$/.test(name));
  const settle = (): void => {
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1_600_000_000, 1_600_000_000);
  };
  const renewed = (): string[] =>
    readdirSync(folder).filter((name) => statSync(join(folder, name)).mtimeMs !== 1_600_000_000_000);
  const large = numbers(400).map((at): [number, string] => [at, `${sha256(Buffer.from(`${at}`)).repeat(90)}`]);

  test('a record that changed is written, with the frame, and no other shard is touched', () => {
    unfold(keyValue(large), 'key-value');
    const before = shards();
    expect(before.length).toBeGreaterThan(2);
    settle();
    const changed = large.map(([at, text]): [number, string] => (at % 100 === 7 ? [at, `${text}!`] : [at, text]));
    expect(unfold(keyValue([[9001, 'first'], ...changed, [9002, 'last']]), 'key-value').state).toBe('unfolded');
    expect(shards()).toEqual(expect.arrayContaining(before));
    const fresh = renewed();
    expect(fresh).toHaveLength(2);
    const written = fresh.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(written).toBeLessThan(40_000); // of 2.3 MB: four records of 5.9 KB, two short ones, the first one once more, the frame
    // The order alone costs the frame alone.
    settle();
    unfold(keyValue([...changed].reverse()), 'key-value');
    expect(renewed().filter((name) => name !== 'frame.jsonl').length).toBeLessThanOrEqual(1);
  });

  test('a vector more in the middle moves no other row', () => {
    const ids = numbers(3000);
    unfold(vectors(ids, 64), 'vectors');
    settle();
    unfold(vectors([...ids.slice(0, 1000), 7777, ...ids.slice(1000)], 64), 'vectors');
    const written = renewed().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(written).toBeLessThan(2_000);
  });

  test('an unchanged file is not read, and nothing of it is written', () => {
    const bytes = keyValue(large);
    unfold(bytes, 'key-value');
    settle();
    const request = {
      source: join(base, 'gone'),
      bytes: bytes.length,
      sha256: sha256(bytes),
      form: 'key-value',
      folder,
    } as const;
    for (const isChecked of [true, false]) {
      const outcome = unfoldFile({ ...request, nowMs: 20_000 * day, isChecked });
      expect(outcome.state).toBe('unchanged');
      expect(renewed()).toEqual([]);
    }
  });

  test('with the state lost, the same shards come out again, but for those around what changed', () => {
    const rows = numbers(2000).map((at): [number, string] => [at, sha256(Buffer.from(`${at}`)).repeat(40)]);
    unfold(keyValue(rows), 'key-value');
    const before = shards();
    rmSync(folder, { recursive: true });
    unfold(keyValue(rows.filter(([at]) => at !== 1000)), 'key-value');
    const same = shards().filter((name) => before.includes(name));
    expect(before.length - same.length).toBeLessThanOrEqual(2);
  });

  test('many small points leave few small shards', () => {
    const rows = [...large];
    for (let point = 0; point < 40; point += 1) {
      rows.push([1000 + point, 'added']);
      unfold(keyValue(rows), 'key-value');
    }
    expect(folded().equals(keyValue(rows))).toBe(true);
    expect(findHeader(join(folder, 'frame.jsonl'))?.shards.filter((one) => one.pieces < 30).length).toBeLessThan(12);
  });

  test('what was deleted is gone from the shards after thirty days, and at once when it was much', () => {
    const secret = 'the number of the account';
    const holdsSecret = (): boolean => shards().some((name) => readFileSync(join(folder, name)).includes(secret));
    const without = keyValue(large);
    unfold(keyValue([...large, [9000, secret], [9001]]), 'key-value');
    unfold(without, 'key-value');
    expect(holdsSecret()).toBe(true);
    unfold(without, 'key-value', { nowMs: 20_029 * day });
    expect(holdsSecret()).toBe(true);
    expect(unfold(without, 'key-value', { nowMs: 20_030 * day }).state).toBe('unfolded');
    expect(holdsSecret()).toBe(false);
    expect(folded().equals(without)).toBe(true);
    unfold(keyValue(large.slice(0, 20)), 'key-value');
    const bytes = shards().reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(bytes).toBeLessThan(20 * 6_200);
  });
});

describe('what a kill or a bad disk leaves', () => {
  const rows = numbers(300).map((at): [number, string] => [at, `${sha256(Buffer.from(`${at}`)).repeat(90)}`]);
  const bytes = keyValue(rows);
  const someShard = (): string => join(folder, readdirSync(folder).find((name) => name.startsWith('s')) ?? '');

  test('strays beside a sound state are removed', () => {
    unfold(bytes, 'key-value');
    writeFileSync(join(folder, 's0000000000000000'), 'half');
    writeFileSync(join(folder, 'frame.jsonl.new'), '{');
    expect(unfold(bytes, 'key-value', { isChecked: true }).state).toBe('unchanged');
    expect(existsSync(join(folder, 's0000000000000000'))).toBe(false);
    expect(existsSync(join(folder, 'frame.jsonl.new'))).toBe(false);
  });

  test.each([
    ['a flipped bit in a shard', () => flip(someShard())],
    ['a shard cut short', () => writeFileSync(someShard(), readFileSync(someShard()).subarray(0, 100))],
    ['a shard of zeros', () => writeFileSync(someShard(), Buffer.alloc(statSync(someShard()).size))],
    ['a missing shard', () => rmSync(someShard())],
    [
      'a frame cut short',
      () => writeFileSync(join(folder, 'frame.jsonl'), readFileSync(join(folder, 'frame.jsonl')).subarray(0, 300)),
    ],
    ['no frame', () => rmSync(join(folder, 'frame.jsonl'))],
  ])('%s is seen when it was not checked yet, and mended', (_what, harm) => {
    unfold(bytes, 'key-value');
    harm();
    expect(unfold(bytes, 'key-value').state).toBe('unfolded');
    expect(folded().equals(bytes)).toBe(true);
  });

  test('a state of another file, whole, is taken for what it is', () => {
    unfold(bytes, 'key-value');
    const other = keyValue(rows.slice(100).map(([at]) => [at, 'other']));
    cpSync(folder, `${folder}-copy`, { recursive: true });
    expect(unfold(other, 'key-value').state).toBe('unfolded');
    expect(folded().equals(other)).toBe(true);
  });

  test('a file that is not what its digest says is stored as it is', () => {
    const source = join(base, 'altered');
    writeFileSync(source, bytes);
    const request = { source, bytes: bytes.length, sha256: 'f'.repeat(64), form: 'key-value', folder } as const;
    expect(unfoldFile({ ...request, nowMs: 0, isChecked: false }).state).toBe('plain');
    expect(existsSync(folder)).toBe(false);
  });
});

function flip(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length - 10;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}
