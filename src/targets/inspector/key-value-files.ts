/** Readers of LightRAG's `kv_store_*.json`: one object, whose members are the rows. */
import { type ContentReader, createJsonReader, requireObject } from './content-reader.ts';
import { createIdSet, createNumbers, hashOf, type Numbers, type SealedIds } from './id-set.ts';
import type { CacheRows, StuckDocument } from './report.ts';

export type RowFile = { readonly rows: number; readonly ids: SealedIds };

/** Rows and their ids. */
export function readRows(): ContentReader<RowFile> {
  const ids = createIdSet();
  let rows = 0;
  return createJsonReader({
    enter(value) {
      if (value.depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      requireObject(value, 'a row');
      rows += 1;
      ids.add(value.key);
      return 'skip';
    },
    leave() {},
    end: () => ({ rows, ids: ids.seal() }),
  });
}

export type ChunkFile = RowFile & { readonly withoutDocument: number };

/** @param documents ids of doc_status, when they are known */
export function readChunkRows(documents: SealedIds | undefined): ContentReader<ChunkFile> {
  const ids = createIdSet();
  let rows = 0;
  let withoutDocument = 0;
  return createJsonReader({
    enter(value) {
      if (value.depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      if (value.depth === 2) return value.key === 'full_doc_id' && value.kind === 'string' ? 'text' : 'skip';
      requireObject(value, 'a row');
      rows += 1;
      ids.add(value.key);
      return 'look';
    },
    leave(value, _end, text) {
      if (value.depth === 2 && text !== undefined && documents && !documents.has(text)) withoutDocument += 1;
    },
    end: () => ({ rows, ids: ids.seal(), withoutDocument }),
  });
}

/** Rows of the cache by what was asked: `<mode>:<type>:<hash>`, or the row's own word where the key does not say. */
export function readCacheRows(): ContentReader<CacheRows> {
  const counted = { extract: 0, query: 0, keywords: 0, summary: 0, other: 0 };
  let total = 0;
  const count = (type: string): void => {
    total += 1;
    counted[isCacheType(type) ? type : 'other'] += 1;
  };
  let typeOfRow: string | undefined;
  return createJsonReader({
    enter(value) {
      if (value.depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      if (value.depth === 2) return value.key === 'cache_type' && value.kind === 'string' ? 'text' : 'skip';
      requireObject(value, 'a row');
      const type = value.key.split(':', 3)[1];
      typeOfRow = undefined;
      if (type === undefined || !isCacheType(type)) return 'look';
      typeOfRow = type;
      return 'skip';
    },
    leave(value, _end, text) {
      if (value.depth === 2 && text !== undefined) typeOfRow = text;
      if (value.depth === 1) count(typeOfRow ?? 'other');
    },
    end: () => ({ total, ...counted }),
  });
}

const isCacheType = (type: string): type is 'extract' | 'query' | 'keywords' | 'summary' =>
  type === 'extract' || type === 'query' || type === 'keywords' || type === 'summary';

export type DocumentFile = {
  readonly rows: number;
  readonly ids: SealedIds;
  readonly byStatus: Readonly<Record<string, number>>;
  readonly unfinished: { readonly total: number; readonly documents: readonly StuckDocument[] };
  /** Documents that are not failed: their text must be there. */
  readonly kept: SealedIds;
  /** One entry per chunk of a processed document: the chunk's hash, and the document's place among the processed ones. */
  readonly processedChunks: { readonly hashes: Numbers; readonly documents: Numbers };
  /** The ids of the first processed documents, by place; enough for examples. */
  readonly processedNames: readonly string[];
};

const maxNamed = 100;
const maxProcessedNames = 100_000;
/** Statuses are a handful of words; a file that invents more than this has them counted together. */
const maxStatuses = 32;

export function readDocuments(): ContentReader<DocumentFile> {
  const ids = createIdSet();
  const kept = createIdSet();
  const hashes = createNumbers();
  const documents = createNumbers();
  const processedNames: string[] = [];
  const byStatus = new Map<string, number>();
  const stuck: StuckDocument[] = [];
  let rows = 0;
  let unfinished = 0;
  let processed = 0;

  let status = 'unknown';
  let updatedAt: string | null = null;
  let chunks: number[] = [];

  const finish = (id: string): void => {
    rows += 1;
    ids.add(id);
    const word = byStatus.has(status) || byStatus.size < maxStatuses ? status : 'other';
    byStatus.set(word, (byStatus.get(word) ?? 0) + 1);
    if (status !== 'failed') kept.add(id);
    if (status === 'processed') {
      for (const chunk of chunks) {
        hashes.push(chunk);
        documents.push(processed);
      }
      if (processed < maxProcessedNames) processedNames.push(id);
      processed += 1;
    } else if (status !== 'failed') {
      unfinished += 1;
      if (stuck.length < maxNamed) stuck.push({ id, status, updatedAt });
    }
  };

  return createJsonReader({
    enter(value) {
      if (value.depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      if (value.depth === 1) {
        requireObject(value, 'a row');
        status = 'unknown';
        updatedAt = null;
        chunks = [];
        return 'look';
      }
      if (value.depth === 2 && value.key === 'chunks_list') return 'look';
      if (value.depth === 2 && value.key !== 'status' && value.key !== 'updated_at') return 'skip';
      return value.kind === 'string' ? 'text' : 'skip';
    },
    leave(value, _end, text) {
      if (value.depth === 1) finish(value.key);
      if (text === undefined) return;
      if (value.depth === 3) chunks.push(hashOf(text));
      else if (value.key === 'status') status = text.slice(0, 64);
      else updatedAt = text.slice(0, 64);
    },
    end: () => ({
      rows,
      ids: ids.seal(),
      byStatus: Object.fromEntries(byStatus),
      unfinished: { total: unfinished, documents: stuck },
      kept: kept.seal(),
      processedChunks: { hashes, documents },
      processedNames,
    }),
  });
}
