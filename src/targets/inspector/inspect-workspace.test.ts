import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { generateWorkspace, type WorkspaceFault } from '../../../examples/sample-backend/generate.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import type { RelationName } from '../audit/audit-relations.ts';
import type { ContentReader } from './content-reader.ts';
import { readGraph } from './graph-file.ts';
import { type InspectionRequest, inspectWorkspace } from './inspect-workspace.ts';
import { readCacheRows, readChunkRows, readDocuments, readRows } from './key-value-files.ts';
import type { InspectionReport } from './report.ts';
import { readVectors } from './vector-file.ts';

const root = await mkdtemp(path.join(tmpdir(), 'inspect-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = async (): Promise<string> => {
  folders += 1;
  const folder = path.join(root, `w${folders}`);
  await mkdir(folder);
  return folder;
};

const recorded = (name: string): string =>
  path.join(import.meta.dirname, '../../../test/fixtures/lightrag-1.5.7', name, 'rag_storage/library');

/** Files of tests are always young, and nothing else writes them. */
const inspect = (
  folder: string,
  request: Partial<InspectionRequest> = {},
  clock: Clock = systemClock,
): Promise<InspectionReport> =>
  inspectWorkspace({ folder, workspace: '', idle: true, youngMs: 0, retryDelayMs: 1, ...request }, clock);

const codes = (report: InspectionReport): string[] => report.faults.map(({ code }) => code);
const states = (report: InspectionReport): Record<string, string> =>
  Object.fromEntries(report.files.filter(({ state }) => state !== 'ok').map(({ name, state }) => [name, state]));

async function generated(faults: readonly WorkspaceFault[], shape: '1.4' | '1.5' = '1.5'): Promise<string> {
  const dir = await newFolder();
  const made = await generateWorkspace({
    dir,
    inputDir: path.join(dir, 'inputs'),
    size: 'tiny',
    seed: 7,
    shape,
    faults,
  });
  return made.folder;
}

async function copyOf(name: string): Promise<string> {
  const folder = await newFolder();
  await cp(recorded(name), folder, { recursive: true });
  return folder;
}

describe('workspaces that LightRAG 1.5.7 wrote', () => {
  test('an idle one is whole, and its rows are counted', async () => {
    const report = await inspect(recorded('workspace'));
    expect(states(report)).toEqual({});
    expect(report.audit.counts).toEqual({
      full_docs: 6,
      text_chunks: 5,
      doc_status: 6,
      llm_response_cache: 12,
      full_entities: 5,
      full_relations: 5,
      entity_chunks: 26,
      relation_chunks: 20,
      vdb_chunks: 6,
      vdb_entities: 26,
      vdb_relationships: 20,
      graph_nodes: 26,
      graph_edges: 20,
    });
    expect(report.cache).toEqual({ total: 12, extract: 10, query: 1, keywords: 1, summary: 0, other: 0 });
    expect(report.audit.documents).toEqual({ processed: 5, failed: 1 });
    expect(report.audit).toMatchObject({ verdict: 'leftovers', unchecked: [] });
    expect(report.dimension.agree).toBe(true);
    expect(report.dimension.files.map(({ dimension }) => dimension)).toEqual([16, 16, 16]);
    // The failed document's vector is there, its chunk never was written.
    expect(report.faults.map(({ code, severity }) => [code, severity])).toEqual([['orphan-chunk-vectors', 'info']]);
  });

  test('one whose server was killed has stuck documents and nothing else', async () => {
    const report = await inspect(recorded('workspace-crashed'));
    expect(states(report)).toEqual({});
    expect(report.audit.documents).toEqual({ processed: 2, processing: 3, analyzing: 5 });
    expect(report.stuck.total).toBe(8);
    expect(report.stuck.documents[0]).toMatchObject({ status: expect.stringMatching(/processing|analyzing/) });
    expect(report.stuck.documents[0]?.updatedAt).toMatch(/^2026-11-22T04:08:0/);
    expect(codes(report)).toEqual(['stuck-documents']);
    expect((await inspect(recorded('workspace-crashed'), { idle: false })).faults).toEqual([]);
    expect((await inspect(recorded('workspace-crashed'), { idle: undefined })).faults).toMatchObject([
      { severity: 'info' },
    ]);
  });

  test('a missing file is missed only when documents were processed, and not when its store is elsewhere', async () => {
    const folder = await copyOf('workspace');
    await rm(path.join(folder, 'vdb_chunks.json'));
    const report = await inspect(folder);
    expect(states(report)).toEqual({ 'vdb_chunks.json': 'missing' });
    expect(codes(report)).toEqual(['file-missing']);
    expect(report.audit.counts).not.toHaveProperty('vdb_chunks');
    expect(report.audit.unchecked).toEqual(['processed_without_chunk_vectors', 'chunk_vectors_without_chunk']);
    expect(report.audit.verdict).toBe('incomplete');
    expect((await inspect(folder, { elsewhere: ['vectors'] })).faults).toEqual([]);
  });

  test('a lost doc_status is missed because the other files are there', async () => {
    const folder = await copyOf('workspace');
    await rm(path.join(folder, 'kv_store_doc_status.json'));
    const [first, ...rest] = (await inspect(folder)).faults;
    expect(first).toMatchObject({ code: 'file-missing', severity: 'critical' });
    expect(rest.every(({ severity }) => severity === 'info')).toBe(true);
  });

  test('an emptied file is critical, whichever it is', async () => {
    for (const name of ['kv_store_text_chunks.json', 'vdb_entities.json', 'graph_chunk_entity_relation.graphml']) {
      const folder = await copyOf('workspace');
      await truncate(path.join(folder, name), 0);
      const report = await inspect(folder);
      expect(states(report)).toEqual({ [name]: 'empty' });
      expect(report.faults).toContainEqual(expect.objectContaining({ code: 'file-empty', severity: 'critical' }));
    }
  });

  test('a matrix with a vector too few is found', async () => {
    const folder = await copyOf('workspace');
    const file = path.join(folder, 'vdb_entities.json');
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace(/"matrix": "(.*)"/, (_all, matrix: string) => `"matrix": "${matrix.slice(88)}"`),
    );
    expect((await inspect(folder)).faults[0]).toMatchObject({ code: 'matrix-length', severity: 'critical' });
  });

  test('a file that is cut at any byte is torn there', async () => {
    const readers: Record<string, () => ContentReader<unknown>> = {
      'kv_store_doc_status.json': () => readDocuments(() => {}),
      'kv_store_text_chunks.json': () => readChunkRows(() => {}),
      'kv_store_full_entities.json': readRows,
      'kv_store_full_relations.json': () =>
        readCacheRows({ isChunkGone: () => false, newestDocumentSeconds: undefined }),
      'vdb_chunks.json': () => readVectors([], () => {}),
      'graph_chunk_entity_relation.graphml': () => readGraph(() => {}),
    };
    for (const [name, makeReader] of Object.entries(readers)) {
      const file = await readFile(path.join(recorded('workspace-crashed'), name));
      const before = file.subarray(0, -1_000);
      const whole = file.subarray(-1_000);
      for (let length = 0; length < whole.length; length += 1) {
        const reader = makeReader();
        reader.write(before);
        reader.write(whole.subarray(0, length));
        expect(() => reader.end()).toThrow(expect.objectContaining({ kind: 'torn', offset: before.length + length }));
      }
    }
  });

  test('a damaged graph says at which byte', async () => {
    const folder = await copyOf('workspace');
    const file = path.join(folder, 'graph_chunk_entity_relation.graphml');
    const bytes = await readFile(file);
    const at = bytes.indexOf('</data>', 9_000);
    bytes.write('</dota>', at);
    await writeFile(file, bytes);
    const found = (await inspect(folder)).files.find(({ kind }) => kind === 'graphml');
    expect(found?.state).toBe('invalid');
    expect(Math.abs((found?.offset ?? 0) - at)).toBeLessThan(10);
  });

  test('a torn file says where it ends and what that means', async () => {
    for (const name of ['kv_store_text_chunks.json', 'vdb_chunks.json', 'graph_chunk_entity_relation.graphml']) {
      const folder = await copyOf('workspace');
      await truncate(path.join(folder, name), 1_000);
      const report = await inspect(folder);
      expect(report.files.find((file) => file.name === name)).toMatchObject({ state: 'torn', offset: 1_000 });
      expect(report.faults[0]?.message).toContain(`${name} is cut off after 1000 bytes`);
      expect(report.faults[0]?.severity).toBe('critical');
    }
  });
});

describe('generated workspaces', () => {
  test.each(['1.5', '1.4'] as const)('of %s without a fault have none', async (shape) => {
    const report = await inspect(await generated(['unicode-names', 'legacy-chunk-ids'], shape));
    expect(report.faults).toEqual([]);
    expect(report.audit).toMatchObject({ verdict: 'clean', unchecked: [] });
    expect(report.audit.counts.graph_nodes).toBeGreaterThan(0);
  });

  const cases: readonly [WorkspaceFault, string[]][] = [
    ['stuck-documents', ['stuck-documents']],
    ['failed-documents', []],
    ['duplicate-documents', []],
    ['truncated-json', ['file-torn']],
    ['zero-byte', ['file-empty']],
    ['orphan-tmp', ['orphan-temporary-files']],
    ['missing-vectors', ['chunk-vectors-missing', 'entity-vectors-missing']],
    ['extra-edges', ['relation-vectors-missing']],
    ['dimension-mismatch', ['dimension-mismatch']],
    ['duplicate-rows', ['duplicate-vectors']],
  ];
  test.each(cases)('with %s are told by %j', async (fault, expected) => {
    expect(codes(await inspect(await generated([fault])))).toEqual(expected);
  });

  test('differences are no alarm while documents are being worked on', async () => {
    const report = await inspect(await generated(['missing-vectors']), { idle: false });
    expect(codes(report)).toEqual(['chunk-vectors-missing', 'entity-vectors-missing']);
    expect(report.faults.every(({ severity }) => severity === 'info')).toBe(true);
  });

  test('lost rows of full_docs and text_chunks are found through doc_status', async () => {
    const folder = await generated([]);
    await writeFile(path.join(folder, 'kv_store_full_docs.json'), '{}');
    await writeFile(path.join(folder, 'kv_store_text_chunks.json'), '{}');
    const report = await inspect(folder);
    expect(codes(report)).toEqual(['texts-missing', 'chunks-missing', 'orphan-chunk-vectors']);
    expect(report.audit.dangling.documents_without_text?.count).toBe(3);
  });
});

describe('an audit of files', () => {
  const edit = async (folder: string, name: string, change: (content: never) => void): Promise<void> => {
    const file = path.join(folder, name);
    const content = JSON.parse(await readFile(file, 'utf8'));
    change(content as never);
    await writeFile(file, JSON.stringify(content));
  };
  type Rows = Record<string, unknown>;
  type Vectors = { embedding_dim: number; data: Rows[]; matrix: string };
  const first = (rows: Rows): string => Object.keys(rows).sort()[0] ?? '';
  /** Takes out one row with its vector, so that the file itself stays right. @returns what the field of that row held */
  const dropVector = async (folder: string, name: string, ...fields: string[]): Promise<string> => {
    let id = '';
    await edit(folder, name, (file: Vectors) => {
      const [row] = file.data.splice(0, 1);
      id = fields
        .map((field) => String(row?.[field]))
        .sort()
        .join(' -- ');
      file.matrix = Buffer.from(file.matrix, 'base64')
        .subarray(4 * file.embedding_dim)
        .toString('base64');
    });
    return id;
  };
  const dropFromGraph = async (folder: string, pattern: RegExp): Promise<string[]> => {
    const file = path.join(folder, 'graph_chunk_entity_relation.graphml');
    const text = await readFile(file, 'utf8');
    const found = pattern.exec(text);
    await writeFile(file, text.replace(found?.[0] ?? '', ''));
    return (found ?? []).slice(1);
  };
  const dropRow = async (folder: string, name: string): Promise<string> => {
    let id = '';
    await edit(folder, name, (rows: Rows) => {
      id = first(rows);
      delete rows[id];
    });
    return id;
  };

  const cases: readonly [string, (folder: string) => Promise<string>, RelationName][] = [
    ['a text that is gone', (f) => dropRow(f, 'kv_store_full_docs.json'), 'documents_without_text'],
    ['a document that is gone', (f) => dropRow(f, 'kv_store_doc_status.json'), 'texts_without_document'],
    [
      'a chunk that is gone',
      async (f) => {
        const chunk = await dropRow(f, 'kv_store_text_chunks.json');
        const documents = JSON.parse(await readFile(path.join(f, 'kv_store_doc_status.json'), 'utf8')) as Rows;
        const holds = (row: unknown): boolean =>
          ((row as { chunks_list?: string[] }).chunks_list ?? []).includes(chunk);
        return Object.keys(documents).find((id) => holds(documents[id])) ?? '';
      },
      'processed_without_chunks',
    ],
    [
      'a chunk that is gone, by its vector',
      (f) => dropRow(f, 'kv_store_text_chunks.json'),
      'chunk_vectors_without_chunk',
    ],
    [
      'a chunk of nobody',
      async (f) => {
        await edit(f, 'kv_store_text_chunks.json', (rows: Rows) => {
          rows['chunk-of-nobody'] = { content: '', full_doc_id: 'doc-nobody' };
        });
        return 'chunk-of-nobody';
      },
      'chunks_without_document',
    ],
    ['the vector of an entity', (f) => dropVector(f, 'vdb_entities.json', 'entity_name'), 'nodes_without_vector'],
    [
      'the vector of a relation',
      (f) => dropVector(f, 'vdb_relationships.json', 'src_id', 'tgt_id'),
      'edges_without_vector',
    ],
    [
      'a node that is gone',
      async (f) => (await dropFromGraph(f, /<node id="([^"]*)">.*?<\/node>/s))[0] ?? '',
      'entity_vectors_without_node',
    ],
    [
      'an edge that is gone',
      async (f) => (await dropFromGraph(f, /<edge source="([^"]*)" target="([^"]*)">.*?<\/edge>/s)).sort().join(' -- '),
      'relation_vectors_without_edge',
    ],
  ];
  test.each(cases)('names %s', async (_, breakIt, relation) => {
    const folder = await generated([]);
    const id = await breakIt(folder);
    const { audit } = await inspect(folder);
    expect(audit.dangling[relation]).toEqual({ count: 1, examples: [id] });
    expect(audit.unchecked).toEqual([]);
  });

  test('counts without naming what was replaced before it could be read again', async () => {
    const folder = await generated(['missing-vectors']);
    const late = path.join(folder, 'vdb_chunks.json');
    const whole = await readFile(late);
    await truncate(late, 50);
    const clock: Clock = {
      ...systemClock,
      sleep: async () => {
        await writeFile(late, whole);
        const status = path.join(folder, 'kv_store_doc_status.json');
        await cp(status, `${status}.new`);
        await rename(`${status}.new`, status);
      },
    };
    const { audit } = await inspect(folder, { youngMs: 60_000 }, clock);
    const found = audit.dangling.processed_without_chunk_vectors;
    expect(found?.count).toBeGreaterThan(0);
    expect(found?.examples).toEqual([]);
  });
});

describe('folders', () => {
  test('without files, or that are not there, are fresh and have no fault', async () => {
    for (const folder of [await newFolder(), path.join(root, 'nowhere')]) {
      const report = await inspect(folder);
      expect(report.isFresh).toBe(true);
      expect(report.faults).toEqual([]);
    }
  });

  test('with temporary siblings name them with size and age; other names are left alone', async () => {
    const folder = await generated([]);
    const clock = createFakeClock(Date.UTC(2026, 5, 1));
    const orphan = path.join(folder, 'kv_store_doc_status.json.tmp.12.34.56');
    await writeFile(orphan, 'abc');
    await utimes(orphan, clock.now() / 1000 - 7200, clock.now() / 1000 - 7200);
    await writeFile(path.join(folder, 'notes.tmp.1'), 'mine');
    await writeFile(path.join(folder, 'kv_store_parse_cache.json'), '{"a": [1, 2');
    const report = await inspect(folder, {}, clock);
    expect(report.orphans).toEqual({
      total: 1,
      bytes: 3,
      files: [{ name: path.basename(orphan), bytes: 3, ageMs: 7_200_000 }],
    });
    expect(report.files).toContainEqual(expect.objectContaining({ name: 'kv_store_parse_cache.json', state: 'torn' }));
    expect(report.faults.map(({ code, severity }) => [code, severity])).toEqual([
      ['file-torn', 'warning'],
      ['orphan-temporary-files', 'info'],
    ]);
  });

  test('are left as they were', async () => {
    const folder = await generated(['truncated-json', 'orphan-tmp']);
    const before = await readdir(folder);
    await inspect(folder);
    expect(await readdir(folder)).toEqual(before);
  });

  test('with something else under a known name say so', async () => {
    const folder = await generated([]);
    await rm(path.join(folder, 'vdb_chunks.json'));
    await mkdir(path.join(folder, 'vdb_chunks.json'));
    await writeFile(path.join(folder, 'vdb_entities.json'), '{"data": []}');
    await writeFile(path.join(folder, 'kv_store_text_chunks.json'), '[1]');
    await writeFile(
      path.join(folder, 'kv_store_full_docs.json'),
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    );
    await writeFile(path.join(folder, 'graph_chunk_entity_relation.graphml'), '<html><body></body></html>');
    const report = await inspect(folder);
    expect(states(report)).toEqual({
      'vdb_chunks.json': 'unreadable',
      'vdb_entities.json': 'invalid',
      'kv_store_text_chunks.json': 'invalid',
      'kv_store_full_docs.json': 'invalid',
      'graph_chunk_entity_relation.graphml': 'invalid',
    });
    expect(report.files.find(({ name }) => name === 'kv_store_full_docs.json')?.offset).toBe(2);
  });
});

describe('files that change while they are read', () => {
  const doomed = 'kv_store_full_docs.json';

  /** A clock whose sleeps are the writer's turn: the inspection waits between two tries. */
  const clockWith = (onSleep: (turn: number) => Promise<void>): Clock => {
    let turn = 0;
    return {
      ...systemClock,
      sleep: async () => {
        turn += 1;
        await onSleep(turn);
      },
    };
  };

  test('are read again, and good once the writer is done', async () => {
    const folder = await generated([]);
    const file = path.join(folder, doomed);
    const whole = await readFile(file);
    await truncate(file, 100);
    const clock = clockWith(() => writeFile(file, whole));
    const report = await inspect(folder, { youngMs: 60_000 }, clock);
    expect(states(report)).toEqual({});
    expect(report.faults).toEqual([]);
  });

  test('are what they were seen to be when they stay so', async () => {
    const folder = await generated([]);
    await truncate(path.join(folder, doomed), 100);
    let sleeps = 0;
    const clock = clockWith(async () => {
      sleeps += 1;
    });
    const report = await inspect(folder, { youngMs: 60_000, tries: 3 }, clock);
    expect(states(report)).toEqual({ [doomed]: 'torn' });
    expect(sleeps).toBe(2);
  });

  test('prove nothing about other files when they are replaced after their reading', async () => {
    const folder = await generated(['missing-vectors']);
    const late = path.join(folder, 'vdb_chunks.json');
    const whole = await readFile(late);
    await truncate(late, 50);
    const clock = clockWith(async () => {
      await writeFile(`${late}.new`, whole);
      await rename(`${late}.new`, late);
      const first = path.join(folder, 'kv_store_doc_status.json');
      await cp(first, `${first}.new`);
      await rename(`${first}.new`, first);
    });
    const report = await inspect(folder, { youngMs: 60_000 }, clock);
    expect(report.changedMeanwhile).toEqual(['kv_store_doc_status.json']);
    expect(report.faults.map(({ severity }) => severity)).toEqual(['info', 'info']);
  });
});
