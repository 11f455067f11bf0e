import { type Dirent, opendirSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { systemCode } from '../../platform/errors.ts';
import { createAudit, type Leftover } from '../audit/audit.ts';
import { relations as relationsOfStores } from '../audit/audit-relations.ts';
import type { AuditReport } from '../audit/audit-report.ts';
import { readExtract, type StoreExtracts } from '../audit/store-extract.ts';
import type { StoreName, StoreReader, TakeRow } from '../audit/store-rows.ts';
import { type ContentReader, createJsonReader } from './content-reader.ts';
import { decideFaults } from './faults.ts';
import { readGraph } from './graph-file.ts';
import { readCacheRows, readChunkRows, readDocuments, readRows } from './key-value-files.ts';
import type { InspectedFile, InspectionReport, OrphanFile, VectorDimension } from './report.ts';
import { type FileSignature, isUnchanged, readSteadily, type SteadyReadOptions } from './steady-read.ts';
import { matrixLengthOf, readVectors, type VectorFile } from './vector-file.ts';
import { isOtherJson, isTemporarySibling, type KnownFileId, knownFiles, type StoreFamily } from './workspace-files.ts';

export type InspectionRequest = {
  /** The folder that holds the files themselves. */
  readonly folder: string;
  readonly workspace: string;
  /** Whether the backend works on documents; undefined: nobody knows. */
  readonly idle?: boolean;
  /** Stores that this installation keeps elsewhere: their files are not missed. */
  readonly elsewhere?: readonly StoreFamily[];
  /** What databases hold of this workspace: the audit takes these rows, whatever files are left of the same stores. */
  readonly extracts?: StoreExtracts;
  /** See `SteadyReadOptions`. */
  readonly tries?: number;
  readonly retryDelayMs?: number;
  readonly youngMs?: number;
};

const maxNamed = 100;

/**
 * Reads a workspace once, file by file, and says what it holds and what is wrong with it. Changes nothing. Held at any time:
 * one piece of 256 KiB, one row's small fields, and what the audit holds: 8 bytes per id and reference.
 *
 * The order of reading is the backend's order of writing turned round where it matters: the documents' status comes first, so
 * what it calls processed was written before, and is looked for afterwards.
 * @throws what the system answers when the folder cannot be listed for another reason than not being there
 */
export async function inspectWorkspace(request: InspectionRequest, clock: Clock): Promise<InspectionReport> {
  const atMs = clock.now();
  const startedAt = clock.monotonic();
  const { folder } = request;
  const files: InspectedFile[] = [];
  const signatures = new Map<string, FileSignature>();
  let bytesRead = 0;
  const options: SteadyReadOptions = {
    clock,
    tries: request.tries ?? 5,
    retryDelayMs: request.retryDelayMs ?? 200,
    youngMs: request.youngMs ?? 1_000,
    onBytes: (count) => {
      bytesRead += count;
    },
  };

  const readFile = async <Result>(
    name: string,
    kind: InspectedFile['kind'],
    makeReader: () => ContentReader<Result>,
  ): Promise<Result | undefined> => {
    const { state, bytes, detail, offset, result, signature } = await readSteadily(
      join(folder, name),
      makeReader,
      options,
    );
    files.push({ name, kind, bytes, state, ...(detail && { detail }), ...(offset !== undefined && { offset }) });
    if (signature) signatures.set(name, signature);
    return result;
  };
  const read = <Result>(id: KnownFileId, makeReader: () => ContentReader<Result>): Promise<Result | undefined> =>
    readFile(knownFiles[id].name, knownFiles[id].kind, makeReader);

  const audit = createAudit();
  const again: { [Store in StoreName]?: StoreReader<Store> } = {};
  /** One of the stores that belong together; should something dangle, it is read again to name it, unless it was replaced. */
  const readStore = async <Store extends StoreName, Result>(
    store: Store,
    id: KnownFileId,
    makeReader: (take: TakeRow<Store>) => ContentReader<Result>,
  ): Promise<Result | undefined> => {
    const extract = request.extracts?.[store];
    if (extract) {
      const reader = readExtract<Store>(extract);
      Object.assign(again, { [store]: reader });
      await audit.read(store, reader);
      // A file that was left behind is still looked at, and tells nothing of the store.
      await read(id, () => makeReader(() => {}));
      return undefined;
    }
    let result: Result | undefined;
    await audit.read(store, async (begin) => {
      result = await read(id, () => makeReader(begin()));
      return result !== undefined;
    });
    const rereader: StoreReader<Store> = async (begin) => {
      const path = join(folder, knownFiles[id].name);
      const signature = signatures.get(knownFiles[id].name);
      if (!signature || !(await isUnchanged(path, signature))) return false;
      const second = await readSteadily(path, () => makeReader(begin()), options);
      return second.result !== undefined && (await isUnchanged(path, signature));
    };
    Object.assign(again, { [store]: rereader });
    return result;
  };

  const listing = await list(folder, atMs);
  const unfinished = await readStore('doc_status', 'docStatus', readDocuments);
  await readStore('full_docs', 'fullDocs', readRows);
  const fullEntities = await read('fullEntities', () => readRows());
  const fullRelations = await read('fullRelations', () => readRows());
  await readStore('text_chunks', 'textChunks', readChunkRows);
  const entityChunks = await read('entityChunks', () => readRows());
  const relationChunks = await read('relationChunks', () => readRows());
  const cache = await read('llmResponseCache', () =>
    readCacheRows({
      isChunkGone: (chunk) => audit.isKnownToLack('text_chunks', chunk),
      newestDocumentSeconds: unfinished?.newestSeconds,
    }),
  );
  await readStore('graph', 'graph', readGraph);
  const entities = await readStore('vdb_entities', 'vdbEntities', (take) =>
    readVectors(['entity_name'], (id, [name], bytes) => take({ id, name, bytes })),
  );
  const relations = await readStore('vdb_relationships', 'vdbRelationships', (take) =>
    readVectors(['src_id', 'tgt_id'], (id, [from, to], bytes) =>
      take({ id, ends: from === undefined || to === undefined ? undefined : [from, to], bytes }),
    ),
  );
  const chunkVectors = await readStore('vdb_chunks', 'vdbChunks', (take) =>
    readVectors([], (id, _, bytes) => take({ id, bytes })),
  );
  for (const name of listing.otherJson) await readFile(name, 'other', checkOnly);
  for (const store of audit.toExplain()) await audit.explain(store, again[store]);

  const changedMeanwhile: string[] = [];
  for (const [name, signature] of signatures)
    if (!(await isUnchanged(join(folder, name), signature))) changedMeanwhile.push(name);

  const vectors = [
    ['vdb_chunks', chunkVectors],
    ['vdb_entities', entities],
    ['vdb_relationships', relations],
  ] as const;
  const dimensions = vectors.flatMap(([store, file]) =>
    file ? [dimensionOf(`${store}.json`, file, audit.duplicates(store))] : [],
  );
  const known = new Set(dimensions.filter(({ rows }) => rows > 0).map(({ dimension }) => dimension));
  const more = {
    llm_response_cache: cache?.rows.total,
    full_entities: fullEntities,
    full_relations: fullRelations,
    entity_chunks: entityChunks,
    relation_chunks: relationChunks,
  };
  const report = audit.report(onlyCounted(more));

  const facts: Omit<InspectionReport, 'faults' | 'durationMs'> = {
    folder,
    workspace: request.workspace,
    atMs,
    bytesRead,
    isFresh: files.every(({ state }) => state === 'missing'),
    files,
    cache: cache?.rows ?? null,
    stuck: { total: unfinished?.total ?? 0, documents: unfinished?.documents ?? [] },
    dimension: { files: dimensions, agree: known.size <= 1 },
    audit: report,
    leftovers: withMatrix(audit.leftovers(), new Map(vectors)),
    staleCache: cache?.stale ?? [],
    // The keys of such an object are the names of stores.
    extracted: Object.keys(request.extracts ?? {}) as StoreName[],
    orphans: listing.orphans,
    changedMeanwhile,
  };
  const faults = decideFaults(facts, { idle: request.idle, elsewhere: request.elsewhere ?? [] });
  return { ...facts, faults, durationMs: Math.round(clock.monotonic() - startedAt) };
}

/** Each row of vectors has its share of the matrix. */
const withMatrix = (
  leftovers: readonly Leftover[],
  files: ReadonlyMap<StoreName, VectorFile | undefined>,
): readonly Leftover[] =>
  leftovers.map((one) => {
    const file = files.get(relationsOfStores[one.relation].of);
    if (!file || one.bytes === null) return one;
    return { ...one, bytes: one.bytes + one.count * Math.floor(file.matrixLength / Math.max(1, file.rows)) };
  });

/** A store that was not read is not there. */
const onlyCounted = (counts: Readonly<Record<string, number | undefined>>): AuditReport['counts'] =>
  Object.fromEntries(Object.entries(counts).flatMap(([name, count]) => (count === undefined ? [] : [[name, count]])));

const checkOnly = (): ContentReader<undefined> =>
  createJsonReader({ enter: () => 'skip', leave: () => {}, end: () => undefined });

const dimensionOf = (
  file: string,
  { dimension, rows, matrixLength }: VectorFile,
  duplicateRows: number,
): VectorDimension => ({
  file,
  dimension,
  rows,
  matrixLength,
  expectedMatrixLength: matrixLengthOf(rows, dimension),
  duplicateRows,
});

type Listing = { readonly otherJson: readonly string[]; readonly orphans: InspectionReport['orphans'] };

/** One pass over the folder's names; a folder may hold anything, so only what is asked for is kept. */
async function list(folder: string, nowMs: number): Promise<Listing> {
  const otherJson: string[] = [];
  const files: OrphanFile[] = [];
  let total = 0;
  let bytes = 0;
  for (const entry of entriesOf(folder)) {
    if (!entry.isFile()) continue;
    if (isOtherJson(entry.name) && otherJson.length < maxNamed) otherJson.push(entry.name);
    if (!isTemporarySibling(entry.name)) continue;
    const found = await lstat(join(folder, entry.name)).catch(() => undefined);
    if (!found) continue; // renamed meanwhile: then it was none
    total += 1;
    bytes += found.size;
    if (files.length < maxNamed)
      files.push({ name: entry.name, bytes: found.size, ageMs: Math.max(0, Math.round(nowMs - found.mtimeMs)) });
  }
  return { otherJson: otherJson.sort(), orphans: { total, bytes, files } };
}

function* entriesOf(folder: string): Generator<Dirent> {
  let opened: ReturnType<typeof opendirSync>;
  try {
    opened = opendirSync(folder);
  } catch (err) {
    if (systemCode(err) === 'ENOENT') return;
    throw err;
  }
  try {
    for (let entry = opened.readSync(); entry; entry = opened.readSync()) yield entry;
  } finally {
    opened.closeSync();
  }
}
