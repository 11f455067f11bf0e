// Writes a planned workspace file by file. Nothing is held that grows with the size of vectors or cache.
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { duplicateRow } from './duplicates.ts';
import type { WorkspaceFault } from './generate-faults.ts';
import type { PlannedDocument, WorkspacePlan } from './generate-plan.ts';
import { anchorRows } from './ingest.ts';
import { extract } from './llm.ts';
import {
  chunkOptionsText,
  chunkVectorMeta,
  defaultChunkOptions,
  entityId,
  entityVectorMeta,
  extractionCacheKeys,
  extractionCacheRows,
  fullDocRow,
  isoFormat,
  relationId,
  relationVectorMeta,
  summaryOf,
  textChunkRow,
  trackId,
} from './records.ts';
import { graphFileName, inNodeOrder } from './store/graph-store.ts';
import { type EdgeRecord, renderGraphml } from './store/graphml.ts';
import { type Json, renderIndentedRow, renderOneLine } from './store/python-json.ts';
import type { DocStatusRow, DocumentMetadata } from './store/rows.ts';
import { type VectorMeta, vectorRow, writeVector } from './store/vector-store.ts';
import { embed, md5 } from './text.ts';

type Faults = ReadonlySet<WorkspaceFault>;
type Rows = Iterable<readonly [string, Json]>;
type VectorSource = { readonly id: string; readonly meta: VectorMeta; readonly seconds: number };

export async function writeWorkspaceFiles(
  plan: WorkspacePlan,
  folder: string,
  archive: string,
  inputFolder: string,
  faults: Faults,
): Promise<void> {
  for (const document of plan.documents) {
    const { fileName, content } = plan.note(document);
    const isRead = document.status !== 'pending' && document.status !== 'parsing';
    const path = join(isRead || plan.shape === '1.4' ? archive : inputFolder, fileName);
    await writeFile(path, content);
    await utimes(path, document.seconds, document.seconds);
  }
  const kv = (namespace: string, rows: Rows): Promise<void> =>
    writeFile(join(folder, `kv_store_${namespace}.json`), batched(renderRows(rows)));
  await kv('full_docs', fullDocRows(plan));
  await kv('text_chunks', textChunkRows(plan));
  await kv('full_entities', anchors(plan, 'entities'));
  await kv('full_relations', anchors(plan, 'relations'));
  await kv('entity_chunks', plan.entityChunks);
  await kv('relation_chunks', plan.relationChunks);
  await kv('llm_response_cache', cacheRows(plan));
  await kv('doc_status', docStatusRows(plan, faults));

  const vectors = (namespace: string, rows: () => Iterable<VectorSource>, dimension = plan.dimension): Promise<void> =>
    writeFile(join(folder, `vdb_${namespace}.json`), batched(renderVectors(plan, dimension, rows)));
  const entityDimension = plan.dimension * (faults.has('dimension-mismatch') ? 2 : 1);
  await vectors('chunks', () => chunkVectors(plan, faults));
  await vectors('entities', () => entityVectors(plan, faults), entityDimension);
  await vectors('relationships', () => relationVectors(plan));
  await writeFile(join(folder, graphFileName), batched(renderGraphml(plan.nodes, graphEdges(plan, faults))));
}

/** Pieces of about a megabyte, so that a file is not written line by line. */
function* batched(parts: Iterable<string>): Generator<string> {
  let open = '';
  for (const part of parts) {
    open += part;
    if (open.length < 1_000_000) continue;
    yield open;
    open = '';
  }
  yield open;
}

function* renderRows(rows: Rows): Generator<string> {
  let isFirst = true;
  yield '{';
  for (const [key, row] of rows) {
    yield `${isFirst ? '\n' : ',\n'}${renderIndentedRow(key, row)}`;
    isFirst = false;
  }
  yield isFirst ? '}' : '\n}';
}

function* fullDocRows(plan: WorkspacePlan): Generator<[string, Json]> {
  const options = defaultChunkOptions(plan.chunkTokens, plan.overlapTokens);
  for (const document of plan.documents) {
    const { id, filePath, seconds, status } = document;
    const isUnread = plan.shape === '1.5' && (status === 'pending' || status === 'parsing');
    const content = isUnread ? undefined : plan.note(document).content;
    yield [id, fullDocRow(plan.shape, 'file', id, content, filePath, options, seconds)];
  }
}

/** Chunks are kept of what was at least begun: a killed server leaves those of unfinished documents behind. */
function* textChunkRows(plan: WorkspacePlan): Generator<[string, Json]> {
  for (const document of plan.documents) {
    if (!hasChunks(document)) continue;
    for (const [index, { id, chunk }] of plan.chunks(document).entries()) {
      const keys = document.status === 'processed' ? extractionCacheKeys(chunk, plan.promptExamples) : [];
      yield [id, textChunkRow(id, index, chunk, document.id, document.filePath, keys, document.seconds)];
    }
  }
}

function hasChunks({ status }: PlannedDocument): boolean {
  return status === 'processed' || status === 'processing' || status === 'failed';
}

function* finished(plan: WorkspacePlan): Generator<PlannedDocument> {
  for (const document of plan.documents) if (document.status === 'processed') yield document;
}

function* anchors(plan: WorkspacePlan, kind: 'entities' | 'relations'): Generator<[string, Json]> {
  for (const document of finished(plan)) {
    const found = plan.chunks(document).map(({ chunk }) => extract(chunk.content));
    yield [document.id, anchorRows(document.id, found, document.seconds)[kind]];
  }
}

function* cacheRows(plan: WorkspacePlan): Generator<[string, Json]> {
  for (const document of finished(plan))
    for (const { id, chunk } of plan.chunks(document))
      yield* extractionCacheRows(chunk, id, plan.promptExamples, document.seconds);
}

function* docStatusRows(plan: WorkspacePlan, faults: Faults): Generator<[string, Json]> {
  for (const document of plan.documents) yield [document.id, docStatusRow(plan, document)];
  const first = plan.documents[0];
  if (!faults.has('duplicate-documents') || first === undefined) return;
  yield duplicateRow({
    shape: plan.shape,
    originalId: first.id,
    original: docStatusRow(plan, first),
    contentLength: plan.note(first).content.length,
    filePath: `copy-of-${first.filePath}`,
    trackId: trackId('upload', plan.endSeconds * 1000, md5(`${plan.seed} duplicate`).slice(0, 8)),
    nowMs: plan.endSeconds * 1000,
  });
}

function docStatusRow(plan: WorkspacePlan, document: PlannedDocument): DocStatusRow {
  const { status, filePath, seconds, chunkIds, index } = document;
  const { content } = plan.note(document);
  const is15 = plan.shape === '1.5';
  const isRead = !is15 || (status !== 'pending' && status !== 'parsing');
  return {
    status,
    content_summary: isRead ? summaryOf(content) : '',
    content_length: isRead ? content.length : 0,
    created_at: isoFormat(seconds * 1000),
    updated_at: isoFormat((seconds + (status === 'pending' ? 0 : 12)) * 1000),
    file_path: filePath,
    track_id: trackId('upload', seconds * 1000, md5(`${plan.seed} ${index}`).slice(0, 8)),
    ...(is15 && isRead ? { content_hash: md5(content) } : {}),
    metadata: is15 ? metadata15(plan, document) : metadata14(document),
    ...(status === 'failed' ? { error_msg: 'LLM request timed out' } : {}),
    ...(hasChunks(document) ? { chunks_count: chunkIds.length, chunks_list: [...chunkIds] } : {}),
    ...(status === 'analyzing' ? { chunks_list: [] } : {}),
  };
}

function metadata14({ status, seconds }: PlannedDocument): DocumentMetadata {
  if (status === 'pending') return {};
  const start = { processing_start_time: seconds + 2 };
  return status === 'processing' ? start : { ...start, processing_end_time: seconds + 12 };
}

function metadata15(plan: WorkspacePlan, { status, seconds, filePath }: PlannedDocument): DocumentMetadata {
  const queued = { process_options: 'F', source_file: filePath };
  if (status === 'pending') return queued;
  const parsing = { ...queued, parse_start_time: seconds + 1 };
  if (status === 'parsing') return { ...parsing, kg_write_state: 'pre_graph' };
  const analyzing = {
    ...parsing,
    parse_end_time: seconds + 2,
    parse_format: 'raw',
    parse_engine: 'legacy',
    analyzing_start_time: seconds + 2,
    analyzing_stage_skipped: true,
  };
  if (status === 'analyzing') return { ...analyzing, kg_write_state: 'pre_graph' };
  const isDone = status === 'processed' || status === 'failed';
  return {
    ...analyzing,
    kg_write_state: status === 'processed' ? 'graph_mutation_started' : 'pre_graph',
    process_start_time: seconds + 3,
    ...(isDone ? { process_end_time: seconds + 12 } : {}),
    chunk_method: 'fixed_token',
    chunk_opts: chunkOptionsText(plan.chunkTokens, plan.overlapTokens),
  };
}

function* chunkVectors(plan: WorkspacePlan, faults: Faults): Generator<VectorSource> {
  let place = 0;
  for (const document of finished(plan))
    for (const { id, chunk } of plan.chunks(document)) {
      const source = { id, meta: chunkVectorMeta(chunk, document.id, document.filePath), seconds: document.seconds };
      place += 1;
      if (faults.has('missing-vectors') && place % 3 === 0) continue;
      yield source;
      if (faults.has('duplicate-rows') && place <= 2) yield source;
    }
}

function* entityVectors(plan: WorkspacePlan, faults: Faults): Generator<VectorSource> {
  let place = 0;
  for (const [name, node] of plan.nodes) {
    place += 1;
    if (faults.has('missing-vectors') && place % 5 === 0) continue;
    yield { id: entityId(name), meta: entityVectorMeta(name, node), seconds: node.created_at };
  }
}

function* relationVectors(plan: WorkspacePlan): Generator<VectorSource> {
  for (const { source, target, attributes } of plan.edges.values())
    yield {
      id: relationId(source, target),
      meta: relationVectorMeta(source, target, attributes),
      seconds: attributes.created_at,
    };
}

/** Rows first, then the matrix over the same rows once more: each pass holds a few vectors only. */
function* renderVectors(plan: WorkspacePlan, dimension: number, rows: () => Iterable<VectorSource>): Generator<string> {
  yield `{"embedding_dim": ${dimension}, "data": [`;
  let place = 0;
  for (const { id, meta, seconds } of rows()) {
    const sequence = plan.shape === '1.5' ? BigInt(seconds) * 1_000_000_000n + BigInt(place) : undefined;
    const row = vectorRow(id, meta, embed(meta.content, dimension), seconds, sequence);
    yield `${place === 0 ? '' : ', '}${renderOneLine(row)}`;
    place += 1;
  }
  yield '], "matrix": "';
  // A number of rows that divides by three has no base64 padding, so the blocks join.
  const block = Buffer.alloc(48 * dimension * 4);
  let filled = 0;
  for (const { meta } of rows()) {
    writeVector(block, filled, embed(meta.content, dimension));
    filled += dimension * 4;
    if (filled < block.length) continue;
    yield block.toString('base64');
    filled = 0;
  }
  yield `${block.subarray(0, filled).toString('base64')}"}`;
}

function* graphEdges(plan: WorkspacePlan, faults: Faults): Generator<EdgeRecord> {
  yield* inNodeOrder(plan.nodes, plan.edges);
  const names = [...plan.nodes.keys()];
  const [source = '', target = ''] = [names[0], names.at(-1)];
  if (!faults.has('extra-edges') || source === '' || source === target) return;
  const attributes = {
    weight: 1,
    description: 'An edge that no vector row knows.',
    keywords: 'drift',
    source_id: plan.nodes.get(source)?.source_id ?? '',
    file_path: plan.nodes.get(source)?.file_path ?? '',
    created_at: plan.endSeconds,
    truncate: '',
  };
  yield { source, target, attributes };
}
