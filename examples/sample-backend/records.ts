// From a text to the rows of every store: pure, shared by the server's pipeline and by the generator.
import { type Entity, extract, extractionPrompt, gleaningPrompt, type Relation, renderExtraction } from './llm.ts';
import type { GraphEdge, GraphNode } from './store/graphml.ts';
import type { CacheRow, ChunkOptions, FullDocRow, RowTail, Shape, TextChunkRow } from './store/rows.ts';
import type { VectorMeta } from './store/vector-store.ts';
import { type Chunk, comparePoints, md5, separator } from './text.ts';

const maxSources = 200;
const maxFilePaths = 75;
/** From here on a real server would ask a model for a summary; the oldest descriptions stand for it. */
const maxDescriptions = 8;

export function documentId(shape: Shape, filePath: string, content: string): string {
  return `doc-${md5(shape === '1.4' || filePath === '' ? content : filePath)}`;
}

export function chunkId(docId: string, index: number, content: string, legacy: boolean): string {
  return legacy ? `chunk-${md5(content)}` : `${docId}-chunk-${String(index).padStart(3, '0')}`;
}

export function entityId(name: string): string {
  return `ent-${md5(name)}`;
}

/** The two ends of a relation in the order its ids and keys use. */
export function sortedPair(one: string, other: string): [string, string] {
  return comparePoints(one, other) <= 0 ? [one, other] : [other, one];
}

export function relationId(one: string, other: string): string {
  return `rel-${md5(sortedPair(one, other).join(''))}`;
}

export function relationKey(one: string, other: string): string {
  return sortedPair(one, other).join(separator);
}

export function rowTail(id: string, seconds: number): RowTail {
  return { create_time: seconds, update_time: seconds, _id: id };
}

/** How doc_status tells the options of a finished document. */
export function chunkOptionsText(chunkTokens: number, overlapTokens: number): string {
  return `size=${chunkTokens}, split_only=False, overlap=${overlapTokens}`;
}

export function defaultChunkOptions(chunkTokens: number, overlapTokens: number): ChunkOptions {
  return {
    chunk_token_size: chunkTokens,
    fixed_token: {
      split_by_character: null,
      split_by_character_only: false,
      chunk_overlap_token_size: overlapTokens,
    },
  };
}

/** Where a text came from: posted, or a file that is read when its turn comes. */
export type Origin = 'text' | 'file';

/** @param content undefined: a file that was not read yet */
export function fullDocRow(
  shape: Shape,
  origin: Origin,
  id: string,
  content: string | undefined,
  filePath: string,
  options: ChunkOptions,
  seconds: number,
): FullDocRow {
  const tail = rowTail(id, seconds);
  if (shape === '1.4') return { content: content ?? '', file_path: filePath, ...tail };
  const rest = { process_options: 'F', chunk_options: options, ...tail };
  if (content === undefined) return { content: '', file_path: filePath, parse_format: 'pending_parse', ...rest };
  const hash = { content_hash: md5(content) };
  const start = { content, file_path: filePath, parse_format: 'raw' as const };
  // The row of a file gets its hash when the file was read, so it stands at the end.
  return origin === 'text' ? { ...start, ...hash, ...rest } : { ...start, parse_engine: 'legacy', ...rest, ...hash };
}

export function textChunkRow(
  id: string,
  index: number,
  chunk: Chunk,
  docId: string,
  filePath: string,
  cacheKeys: string[],
  seconds: number,
): TextChunkRow {
  return {
    tokens: chunk.tokens,
    content: chunk.content,
    chunk_order_index: index,
    full_doc_id: docId,
    file_path: filePath,
    llm_cache_list: cacheKeys,
    ...rowTail(id, seconds),
  };
}

export function chunkVectorMeta(chunk: Chunk, docId: string, filePath: string): VectorMeta {
  return { content: chunk.content, full_doc_id: docId, file_path: filePath };
}

export function entityVectorMeta(name: string, node: GraphNode): VectorMeta {
  return {
    entity_name: name,
    content: `${name}\n${node.description}`,
    source_id: node.source_id,
    file_path: node.file_path,
  };
}

export function relationVectorMeta(one: string, other: string, edge: GraphEdge): VectorMeta {
  const [source, target] = sortedPair(one, other);
  return {
    src_id: source,
    tgt_id: target,
    source_id: edge.source_id,
    content: `${edge.keywords}\t${source}\n${target}\n${edge.description}`,
    file_path: edge.file_path,
  };
}

/** Keys of the two rows below. */
export function extractionCacheKeys(chunk: Chunk, examples: number): string[] {
  return extractionPrompts(chunk, examples).map((prompt) => `default:extract:${md5(prompt)}`);
}

function extractionPrompts(chunk: Chunk, examples: number): [string, string] {
  const prompt = extractionPrompt(chunk.content, examples);
  return [prompt, `${prompt}\n${gleaningPrompt}`];
}

/** The two rows the extraction of one chunk leaves in the cache: the answer, and the gleaning round that adds nothing. */
export function extractionCacheRows(
  chunk: Chunk,
  ofChunk: string,
  examples: number,
  seconds: number,
): [string, CacheRow][] {
  const [prompt, gleaning] = extractionPrompts(chunk, examples);
  const answers = [
    { prompt, answer: renderExtraction(extract(chunk.content)) },
    { prompt: gleaning, answer: renderExtraction({ entities: [], relations: [] }) },
  ];
  return answers.map(({ prompt: original, answer }) => {
    const key = `default:extract:${md5(original)}`;
    const row: CacheRow = {
      return: answer,
      cache_type: 'extract',
      chunk_id: ofChunk,
      original_prompt: original,
      queryparam: null,
      ...rowTail(key, seconds),
    };
    return [key, row];
  });
}

/** One more item in a `<SEP>` list, once, up to a limit. */
function joinList(list: string | undefined, item: string, limit: number): string {
  if (list === undefined || list === '') return item;
  const items = list.split(separator);
  return items.includes(item) || items.length >= limit ? list : `${list}${separator}${item}`;
}

export function mergeEntity(
  known: GraphNode | undefined,
  entity: Entity,
  ofChunk: string,
  filePath: string,
  seconds: number,
): GraphNode {
  return {
    entity_id: entity.name,
    entity_type: known?.entity_type ?? entity.type,
    description: joinList(known?.description, entity.description, maxDescriptions),
    source_id: joinList(known?.source_id, ofChunk, maxSources),
    file_path: joinList(known?.file_path, filePath, maxFilePaths),
    created_at: seconds,
    truncate: known?.truncate ?? '',
  };
}

export function mergeRelation(
  known: GraphEdge | undefined,
  relation: Relation,
  ofChunk: string,
  filePath: string,
  seconds: number,
): GraphEdge {
  return {
    weight: (known?.weight ?? 0) + 1,
    description: joinList(known?.description, relation.description, maxDescriptions),
    keywords: mergeKeywords(known?.keywords, relation.keywords),
    source_id: joinList(known?.source_id, ofChunk, maxSources),
    file_path: joinList(known?.file_path, filePath, maxFilePaths),
    created_at: seconds,
    truncate: known?.truncate ?? '',
  };
}

function mergeKeywords(known: string | undefined, more: string): string {
  return known === undefined ? more : [...new Set([...known.split(/, ?/), ...more.split(/, ?/)])].slice(0, 8).join(',');
}

/** ISO 8601 as Python's `datetime.isoformat()` prints it, in UTC. */
export function isoFormat(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000+00:00');
}

/** `insert_20261121_231021_5bdfaf18` */
export function trackId(kind: 'insert' | 'upload' | 'scan', milliseconds: number, unique: string): string {
  const digits = new Date(milliseconds).toISOString().replace(/\D/g, '');
  return `${kind}_${digits.slice(0, 8)}_${digits.slice(8, 14)}_${unique}`;
}

export function summaryOf(content: string): string {
  const characters = [...content.slice(0, 600)];
  return characters.length <= 250 ? content : `${characters.slice(0, 250).join('')}...`;
}
