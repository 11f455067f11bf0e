import { type Dirent, opendirSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { systemCode } from '../../platform/errors.ts';
import { type ContentReader, createJsonReader } from './content-reader.ts';
import { decideFaults } from './faults.ts';
import { readGraph } from './graph-file.ts';
import type { SealedIds } from './id-set.ts';
import { type DocumentFile, readCacheRows, readChunkRows, readDocuments, readRows } from './key-value-files.ts';
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
  /** See `SteadyReadOptions`. */
  readonly tries?: number;
  readonly retryDelayMs?: number;
  readonly youngMs?: number;
};

const maxNamed = 100;

/**
 * Reads a workspace once, file by file, and says what it holds and what is wrong with it. Changes nothing. Held at any time:
 * one piece of 256 KiB, one row's small fields, and 8 bytes per id (see `id-set.ts`); so 1 GB of files with a million ids take
 * some tens of MB.
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

  const listing = await list(folder, atMs);
  const documents = await read('docStatus', readDocuments);
  const fullDocs = await read('fullDocs', readRows);
  const fullEntities = await read('fullEntities', readRows);
  const fullRelations = await read('fullRelations', readRows);
  const textChunks = await read('textChunks', () => readChunkRows(documents?.ids));
  const entityChunks = await read('entityChunks', readRows);
  const relationChunks = await read('relationChunks', readRows);
  const cache = await read('llmResponseCache', readCacheRows);
  const graph = await read('graph', readGraph);
  const entities = await read('vdbEntities', () => readVectors(['entity_name']));
  const relations = await read('vdbRelationships', () => readVectors(['src_id', 'tgt_id']));
  const chunkVectors = await read('vdbChunks', () => readVectors([]));
  for (const name of listing.otherJson) await readFile(name, 'other', checkOnly);

  const changedMeanwhile: string[] = [];
  for (const [name, signature] of signatures)
    if (!(await isUnchanged(join(folder, name), signature))) changedMeanwhile.push(name);

  const withoutChunks = documents && unfoundChunks(documents, textChunks?.ids);
  const withoutChunkVectors = documents && unfoundChunks(documents, chunkVectors?.ids);
  const vectors = { chunks: chunkVectors, entities, relationships: relations };
  const dimensions = Object.entries(vectors).flatMap(([name, file]) =>
    file ? [dimensionOf(`vdb_${name}.json`, file)] : [],
  );
  const known = new Set(dimensions.filter(({ rows }) => rows > 0).map(({ dimension }) => dimension));

  const facts: Omit<InspectionReport, 'faults' | 'durationMs'> = {
    folder,
    workspace: request.workspace,
    atMs,
    bytesRead,
    isFresh: files.every(({ state }) => state === 'missing'),
    files,
    counts: {
      fullDocs: fullDocs?.rows ?? null,
      textChunks: textChunks?.rows ?? null,
      docStatus: documents?.rows ?? null,
      llmResponseCache: cache ?? null,
      fullEntities: fullEntities?.rows ?? null,
      fullRelations: fullRelations?.rows ?? null,
      entityChunks: entityChunks?.rows ?? null,
      relationChunks: relationChunks?.rows ?? null,
      vdbChunks: chunkVectors?.rows ?? null,
      vdbEntities: entities?.rows ?? null,
      vdbRelationships: relations?.rows ?? null,
      graphNodes: graph?.nodes ?? null,
      graphEdges: graph?.edges ?? null,
    },
    documents: { total: documents?.rows ?? null, byStatus: documents?.byStatus ?? {} },
    stuck: documents?.unfinished ?? { total: 0, documents: [] },
    dimension: { files: dimensions, agree: known.size <= 1 },
    drift: {
      documentsWithoutText: documents && fullDocs ? missing(documents.kept, fullDocs.ids) : null,
      processedWithoutChunks: withoutChunks?.count ?? null,
      processedWithoutChunkVectors: withoutChunkVectors?.count ?? null,
      chunksWithoutDocument: documents && textChunks ? textChunks.withoutDocument : null,
      chunkVectorsWithoutChunk: missing(chunkVectors?.ids, textChunks?.ids),
      nodesWithoutVector: missing(graph?.nodeIds, entities?.names),
      entityVectorsWithoutNode: missing(entities?.names, graph?.nodeIds),
      edgesWithoutVector: missing(graph?.edgeIds, relations?.names),
      relationVectorsWithoutEdge: missing(relations?.names, graph?.edgeIds),
    },
    orphans: listing.orphans,
    changedMeanwhile,
  };
  const examples = { withoutChunks: withoutChunks?.names ?? [], withoutChunkVectors: withoutChunkVectors?.names ?? [] };
  const faults = decideFaults(facts, { idle: request.idle, elsewhere: request.elsewhere ?? [], examples });
  return { ...facts, faults, durationMs: Math.round(clock.monotonic() - startedAt) };
}

const checkOnly = (): ContentReader<undefined> =>
  createJsonReader({ enter: () => 'skip', leave: () => {}, end: () => undefined });

/** Null where one side is not known, or holds more than is compared. */
function missing(these: SealedIds | undefined, others: SealedIds | undefined): number | null {
  if (!these || !others || these.isOverfull || others.isOverfull) return null;
  return these.countMissingIn(others);
}

type Unfound = { readonly count: number; readonly names: readonly string[] };

/** Processed documents of whose chunks `present` lacks at least one, with the first few ids. */
function unfoundChunks(
  { processedChunks, processedNames }: DocumentFile,
  present: SealedIds | undefined,
): Unfound | undefined {
  const { hashes, documents } = processedChunks;
  if (!present || present.isOverfull || hashes.isOverfull()) return undefined;
  const places = documents.values();
  const names: string[] = [];
  let count = 0;
  let last = -1;
  for (const [at, hash] of hashes.values().entries()) {
    const place = places[at] ?? 0;
    if (place === last || present.hasHash(hash)) continue;
    last = place;
    count += 1;
    const name = processedNames[place];
    if (name !== undefined && names.length < 3) names.push(name);
  }
  return { count, names };
}

const dimensionOf = (file: string, { dimension, rows, ids, matrixLength }: VectorFile): VectorDimension => ({
  file,
  dimension,
  rows,
  matrixLength,
  expectedMatrixLength: matrixLengthOf(rows, dimension),
  duplicateRows: ids.duplicates,
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
