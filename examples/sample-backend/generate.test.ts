import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GenerateOptions, generateWorkspace, type WorkspaceFault } from './generate.ts';
import { openWorkspace, type Workspace } from './store/workspace.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sample-generate-'));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

async function generate(more: Partial<GenerateOptions> = {}, name = 'a'): Promise<string> {
  const options = { size: 'tiny', seed: 7, shape: '1.5', workspace: 'tram', ...more } as const;
  const generated = await generateWorkspace({
    dir: join(base, name, 'w'),
    inputDir: join(base, name, 'i'),
    ...options,
  });
  return generated.folder;
}

function open(folder: string, shape: '1.5' | '1.4' = '1.5'): Workspace {
  return openWorkspace({ folder, shape, writerMode: 'atomic', warn: () => undefined });
}

function files(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

function digest(folder: string): string {
  const hash = createHash('sha256');
  for (const path of files(folder).sort()) hash.update(path.slice(folder.length)).update(readFileSync(path));
  return hash.digest('hex');
}

/** What the stores say against each other. */
function findContradictions({ docStatus, textChunks, chunks, graph, entities, relationships }: Workspace): string[] {
  const found: string[] = [];
  for (const [id, { status, chunks_list = [], chunks_count }] of docStatus.rows) {
    if (status !== 'processed') continue;
    if (chunks_list.length === 0 || chunks_list.length !== chunks_count) found.push(`${id} counts no chunks`);
    for (const chunk of chunks_list) {
      if (textChunks.rows.get(chunk)?.full_doc_id !== id) found.push(`${chunk} is not in text_chunks`);
      if (chunks.get(chunk)?.full_doc_id !== id) found.push(`${chunk} is not in vdb_chunks`);
    }
  }
  const entityNames = new Set(entities.rows().map((row) => row.entity_name));
  for (const name of graph.nodes.keys()) if (!entityNames.has(name)) found.push(`${name} has no vector`);
  if (entities.count() !== graph.nodes.size) found.push('entities and nodes differ in number');
  if (relationships.count() !== graph.edges.size) found.push('relationships and edges differ in number');
  for (const { src_id = '', tgt_id = '' } of relationships.rows())
    if (!graph.nodes.has(src_id) || !graph.nodes.has(tgt_id)) found.push(`${src_id} to ${tgt_id} is no edge`);
  return found;
}

describe('a generated workspace', () => {
  test.each([
    ['tiny', '1.5', 3],
    ['tiny', '1.4', 3],
    ['small', '1.5', 100],
  ] as const)('%s in the shape of %s has stores that agree', async (size, shape, documents) => {
    const workspace = open(await generate({ size, shape }), shape);
    expect(workspace.docStatus.rows.size).toBe(documents);
    expect(findContradictions(workspace)).toEqual([]);
  });

  test('has the size its name promises', async () => {
    const bytes = async (size: 'tiny' | 'small'): Promise<number> =>
      files(await generate({ size }, size)).reduce((sum, path) => sum + statSync(path).size, 0);
    expect(await bytes('tiny')).toBeLessThan(51_200);
    const small = await bytes('small');
    expect(small).toBeGreaterThan(4_000_000);
    expect(small).toBeLessThan(7_000_000);
  });

  test('is the same for the same seed, to the byte, and another for another', async () => {
    await generate({}, 'a');
    await generate({}, 'b');
    await generate({ seed: 8 }, 'c');
    expect(digest(join(base, 'a'))).toBe(digest(join(base, 'b')));
    expect(digest(join(base, 'a'))).not.toBe(digest(join(base, 'c')));
  });

  test('is written back unchanged by the server that loads it', async () => {
    const folder = await generate();
    const before = digest(folder);
    const workspace = open(folder);
    await workspace.flushData(true);
    await workspace.docStatus.flush(true);
    expect(digest(folder)).toBe(before);
  });

  test('keeps its sources in the archive of the input folder', async () => {
    await generate();
    expect(readdirSync(join(base, 'a/i/tram/__parsed__'))).toHaveLength(3);
  });

  test('lies in the folders themselves when its name is empty', async () => {
    expect(await generate({ workspace: '' })).toBe(join(base, 'a/w'));
    expect(readdirSync(join(base, 'a/w'))).toHaveLength(12);
  });
});

describe('what may be wrong with it', () => {
  const faulty = (...faults: WorkspaceFault[]): Promise<string> => generate({ faults });
  const openFaulty = async (...faults: WorkspaceFault[]): Promise<Workspace> => open(await faulty(...faults));

  test('documents are stuck in every status before the last', async () => {
    const { docStatus } = await openFaulty('stuck-documents', 'failed-documents');
    const statuses = [...docStatus.rows.values()].map(({ status }) => status);
    expect(new Set(statuses)).toEqual(
      new Set(['processed', 'failed', 'processing', 'analyzing', 'parsing', 'pending']),
    );
  });

  test('a document is there twice', async () => {
    const { docStatus } = await openFaulty('duplicate-documents');
    const duplicates = [...docStatus.rows].filter(([id]) => id.startsWith('dup-'));
    expect(duplicates.map(([, row]) => row.metadata.is_duplicate)).toEqual([true]);
  });

  test('a file is cut off in a string', async () => {
    const folder = await faulty('truncated-json');
    expect(() => open(folder)).toThrow(/^Unterminated string starting at: line \d+ column \d+ \(char \d+\)$/);
  });

  test('a file is empty', async () => {
    const lines: string[] = [];
    const folder = await faulty('zero-byte');
    const { fullDocs } = openWorkspace({
      folder,
      shape: '1.5',
      writerMode: 'atomic',
      warn: (line) => lines.push(line),
    });
    expect(fullDocs.rows.size).toBe(0);
    expect(lines).toEqual([`Empty JSON file treated as missing: ${join(folder, 'kv_store_full_docs.json')}`]);
  });

  test('a temporary file of a killed write lies about', async () => {
    const names = readdirSync(await faulty('orphan-tmp'));
    expect(names).toContain('kv_store_text_chunks.json.tmp.4242.4243.text_chunks');
  });

  test('vectors are missing', async () => {
    expect(findContradictions(await openFaulty('missing-vectors'))).not.toEqual([]);
  });

  test('the graph has an edge too many', async () => {
    const { graph, relationships } = await openFaulty('extra-edges');
    expect(graph.edges.size).toBe(relationships.count() + 1);
  });

  test('the dimension of one file is another', async () => {
    const folder = await faulty('dimension-mismatch');
    expect(() => open(folder)).toThrow('Embedding dim mismatch, expected: 8, but loaded: 16');
  });

  test('vector rows stand twice', async () => {
    const ids = (await openFaulty('duplicate-rows')).chunks.rows().map((row) => row.__id__);
    expect(ids.length).toBeGreaterThan(new Set(ids).size);
  });

  test('chunk ids are of the old kind', async () => {
    const { textChunks } = await openFaulty('legacy-chunk-ids');
    expect([...textChunks.rows.keys()].every((id) => /^chunk-[0-9a-f]{32}$/.test(id))).toBe(true);
  });

  test('names hold anything, and the stores agree all the same', async () => {
    const workspace = await openFaulty('unicode-names');
    expect([...workspace.docStatus.rows.values()].some(({ file_path }) => /[^\p{ASCII}]/u.test(file_path))).toBe(true);
    expect([...workspace.graph.nodes.keys()].some((name) => /[&<"]/.test(name))).toBe(true);
    expect(findContradictions(workspace)).toEqual([]);
  });
});
