import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { createEventLog } from '../../events/index.ts';
import { openTestState } from '../../migrations/test-state.ts';
import { systemClock } from '../../platform/clock.ts';
import { createFakeClock } from '../../platform/fake-clock.ts';
import { silentLogger } from '../../platform/logging.ts';
import { inspectWorkspace } from '../inspector/inspect-workspace.ts';
import type { InspectionReport } from '../inspector/report.ts';
import type { Observation } from '../observation.ts';
import type { WatchedTarget } from '../watched-target.ts';
import { orphansInFiles } from './file-orphans.ts';
import { type OrphanFinding, orphanReasons } from './orphan.ts';
import { createOrphanSearches } from './orphan-search.ts';
import { findUpdateFolders } from './update-folders.ts';

const recorded = join(import.meta.dirname, '../../../test/fixtures/lightrag-1.5.7/workspace/rag_storage/library');
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-orphans-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

type Rows = Record<string, Record<string, unknown>>;
type Vectors = { data: Record<string, unknown>[]; matrix: string; embedding_dim: number };

/** A workspace that LightRAG wrote, changed behind its back. */
function workspace() {
  const folder = newFolder();
  cpSync(recorded, folder, { recursive: true });
  const edit = <Content>(name: string, change: (content: Content) => void): void => {
    const path = join(folder, name);
    const content = JSON.parse(readFileSync(path, 'utf8')) as Content; // as LightRAG writes it
    change(content);
    writeFileSync(path, JSON.stringify(content));
  };
  return {
    folder,
    editRows: (store: string, change: (rows: Rows) => void) => edit(`kv_store_${store}.json`, change),
    editVectors: (store: string, change: (file: Vectors) => void) => edit(`vdb_${store}.json`, change),
    inspect: (): Promise<InspectionReport> =>
      inspectWorkspace({ folder, workspace: 'library', idle: true, youngMs: 0, retryDelayMs: 1 }, systemClock),
  };
}
const byKind = (findings: readonly OrphanFinding[]): Record<string, [number, number | null]> =>
  Object.fromEntries(findings.map(({ kind, count, bytes }) => [kind, [count, bytes]]));

test('rows without a document are found with what they take, and so are vectors and cache of what is gone', async () => {
  const at = workspace();
  const before = byKind(orphansInFiles(await at.inspect(), 'default'));
  // The failed document's vector is there, its chunk never was written.
  expect(Object.keys(before)).toEqual(['vector-without-chunk']);

  let lostBytes = 0;
  at.editRows('doc_status', (rows) => {
    const processed = Object.entries(rows).find(([, row]) => row.status === 'processed');
    delete rows[processed?.[0] ?? ''];
  });
  at.editRows('text_chunks', (rows) => {
    rows['chunk-left'] = { content: 'left over', full_doc_id: 'doc-gone' };
    lostBytes = JSON.stringify('chunk-left').length + 1 + JSON.stringify(rows['chunk-left']).length;
  });
  const found = orphansInFiles(await at.inspect(), 'default');
  const kinds = byKind(found);
  expect(kinds['text-without-document']?.[0]).toBe(1);
  expect(kinds['chunk-without-document']?.[0]).toBeGreaterThan(1);
  expect(kinds['chunk-without-document']?.[1]).toBeGreaterThan(lostBytes);
  const chunks = found.find(({ kind }) => kind === 'chunk-without-document');
  expect(chunks).toMatchObject({ place: 'kv_store_text_chunks.json', workspace: 'library', removable: true });
  expect(chunks?.examples).toContain('chunk-left');
});

test('the bytes of a row are those that it takes in its file', async () => {
  const at = workspace();
  at.editRows('text_chunks', (rows) => {
    rows['chunk-left'] = { content: 'ü'.repeat(100), full_doc_id: 'doc-gone' };
  });
  const [one] = orphansInFiles(await at.inspect(), 'default').filter(({ kind }) => kind === 'chunk-without-document');
  const row = `"chunk-left":${JSON.stringify({ content: 'ü'.repeat(100), full_doc_id: 'doc-gone' })}`;
  expect(one).toMatchObject({ count: 1, bytes: Buffer.byteLength(row), examples: ['chunk-left'] });
});

test('a vector takes its share of the matrix too', async () => {
  const at = workspace();
  at.editVectors('entities', (file) => {
    const [row] = file.data;
    if (row) row.entity_name = 'Nobody';
  });
  const found = byKind(orphansInFiles(await at.inspect(), 'default'));
  const share = 4 * Math.ceil((4 * 16) / 3) - 2;
  expect(found['vector-without-entity']?.[0]).toBe(1);
  expect(found['vector-without-entity']?.[1]).toBeGreaterThan(share);
  // The entity whose vector was renamed has none now: that is a loss, and nothing a cleanup may take away.
  const lost = orphansInFiles(await at.inspect(), 'default').find(({ kind }) => kind === 'entity-without-vector');
  expect(lost).toMatchObject({ count: 1, removable: false });
});

test('extractions of a chunk that is gone are stale, and so are answers from before the newest document', async () => {
  const at = workspace();
  const stale = async () =>
    orphansInFiles(await at.inspect(), 'default')
      .filter(({ kind }) => kind === 'stale-cache')
      .map(({ place, count }) => [place.split('#')[1], count]);
  const answeredAt = (seconds: number) =>
    at.editRows('llm_response_cache', (rows) => {
      for (const row of Object.values(rows)) if (row.cache_type === 'query') row.create_time = seconds;
    });
  answeredAt(4_000_000_000);
  expect(await stale()).toEqual([]);
  answeredAt(1_000_000_000);
  at.editRows('llm_response_cache', (rows) => {
    const extract = Object.values(rows).find((row) => row.cache_type === 'extract');
    if (extract) extract.chunk_id = 'chunk-gone';
  });
  expect(await stale()).toEqual([
    ['chunk-gone', 1],
    ['outdated', 1],
  ]);
});

test('a temporary sibling is an orphan once no writer can still be at it', async () => {
  const at = workspace();
  const name = 'kv_store_full_docs.json.tmp.12.34.56';
  writeFileSync(join(at.folder, name), 'abc');
  const temporary = async () =>
    orphansInFiles(await at.inspect(), 'default').filter(({ kind }) => kind === 'temporary-file');
  expect(await temporary()).toEqual([]);
  utimesSync(join(at.folder, name), 1_000_000_000, 1_000_000_000);
  expect(await temporary()).toMatchObject([{ count: 1, bytes: 3, examples: [name] }]);
});

test('update folders of GraphRAG are left over but for the newest, and never those that may still be written', async () => {
  const project = newFolder();
  const nowMs = Date.parse('2026-03-01T12:00:00Z');
  const make = (name: string, ageHours: number): void => {
    const folder = join(project, 'update_output', name);
    mkdirSync(join(folder, 'previous'), { recursive: true });
    writeFileSync(join(folder, 'previous', 'entities.parquet'), Buffer.alloc(1_000));
    const seconds = nowMs / 1_000 - ageHours * 3_600;
    utimesSync(folder, seconds, seconds);
  };
  const find = () => findUpdateFolders({ project, targetId: 'g', nowMs, signal: new AbortController().signal });
  expect(await find()).toEqual([]);
  make('20260301-080000', 4);
  expect(await find()).toEqual([]);
  make('20260301-113000', 0.5);
  make('20260301-115900', 0.01);
  make('notes', 9);
  expect(await find()).toMatchObject([
    { kind: 'graphrag-update-folder', place: 'update_output', count: 1, bytes: 1_000, examples: ['20260301-080000'] },
  ]);
});

async function searching(find: () => Promise<readonly OrphanFinding[]>, seen?: Partial<Observation>) {
  const state = await openTestState();
  cleanUps.push(() => state.remove());
  const { clock } = { clock: createFakeClock(Date.parse('2026-03-01T12:00:00Z')) };
  const eventLog = createEventLog({ db: state.db, clock, instance: 'i' });
  const watched = {
    target: { id: 'default', stores: [], workspaces: [''] },
    observation: () => seen,
    // Of a watched target the search uses what stands above.
  } as unknown as WatchedTarget;
  const make = (db = state.db) =>
    createOrphanSearches({
      targets: [watched],
      inspections: { last: () => undefined, inspectNow: async () => undefined },
      databases: () => new Map([['database', find]]),
      intervalMs: 1_000,
      db,
      events: eventLog,
      clock,
      log: silentLogger,
    });
  return {
    make,
    types: async () =>
      (await eventLog.list({ limit: 50, order: 'oldest-first' })).map(({ type, message }) => [type, message]),
  };
}
const orphan = (count: number): OrphanFinding => ({
  ...{ targetId: 'default', workspace: '', store: 'postgres', kind: 'chunk-without-document' },
  ...{ place: 'lightrag_doc_chunks', count, bytes: 10 * count, examples: ['a'] },
  ...orphanReasons['chunk-without-document'],
});

test('a kind of orphan is told when it appears and when all are gone, not each time its number changes, also over a restart', async () => {
  let found: readonly OrphanFinding[] = [orphan(2)];
  const { make, types } = await searching(async () => found);
  const first = make();
  await first.runOnce();
  found = [orphan(3)];
  await first.runOnce();
  const second = make();
  await second.runOnce();
  expect((await second.last('default'))?.findings).toEqual([orphan(3)]);
  found = [];
  await second.runOnce();
  expect((await types()).map(([type]) => type)).toEqual(['target.orphans-found', 'target.orphans-gone']);
});

test('a store that cannot be read makes the search incomplete instead of clean', async () => {
  const { make, types } = await searching(async () => {
    throw new Error('no');
  });
  const searches = make();
  await searches.runOnce();
  expect(await searches.last('default')).toMatchObject({
    ...{ complete: false, findings: [] },
    why: 'the store "database" could not be read.',
  });
  expect(await types()).toEqual([]);
});

test('what is seen while documents are worked on is shown as not sure, and not told', async () => {
  const { make, types } = await searching(async () => [orphan(1)], { reachable: true, pipelineBusy: true });
  const searches = make();
  await searches.runOnce();
  expect(await searches.last('default')).toMatchObject({ complete: false, why: 'documents were being worked on.' });
  expect(await types()).toEqual([]);
});
