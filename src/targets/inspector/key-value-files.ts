/** Readers of LightRAG's `kv_store_*.json`: one object, whose members are the rows. */

import { createSmallestIds } from '../audit/smallest-ids.ts';
import type { TakeRow } from '../audit/store-rows.ts';
import { type ContentReader, createJsonReader, requireObject } from './content-reader.ts';
import type { CacheRows, StaleCacheRows, StuckDocument } from './report.ts';

const maxNamed = 100;

/** Hands over the ids of the rows, and says how many there are. */
export function readRows(take: TakeRow<'full_docs'> = () => {}): ContentReader<number> {
  let rows = 0;
  return createJsonReader({
    enter(value) {
      if (value.depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      requireObject(value, 'a row');
      rows += 1;
      return 'skip';
    },
    leave({ depth, key, keyStart }, end) {
      if (depth === 1) take({ id: key, bytes: end - keyStart });
    },
    end: () => rows,
  });
}

export function readChunkRows(take: TakeRow<'text_chunks'>): ContentReader<number> {
  let rows = 0;
  let document: string | undefined;
  return createJsonReader({
    enter(value) {
      if (value.depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      if (value.depth === 2) return value.key === 'full_doc_id' && value.kind === 'string' ? 'text' : 'skip';
      requireObject(value, 'a row');
      document = undefined;
      return 'look';
    },
    leave(value, end, text) {
      if (value.depth === 2 && text !== undefined) document = text;
      if (value.depth !== 1) return;
      rows += 1;
      take({ id: value.key, document, bytes: end - value.keyStart });
    },
    end: () => rows,
  });
}

/** What of the cache can serve nobody any more; null where it cannot be told. */
export type CacheJudge = {
  /** The chunk that an extraction was made from is gone. */
  isChunkGone(chunk: string): boolean;
  /** Unix seconds of the newest change of a document: what was answered before did not know it. */
  readonly newestDocumentSeconds: number | undefined;
};
export type CacheFile = {
  readonly rows: CacheRows;
  readonly stale: readonly StaleCacheRows[];
};

/** Rows of the cache by what was asked: `<mode>:<type>:<hash>`, or the row's own word where the key does not say. */
export function readCacheRows(judge: CacheJudge): ContentReader<CacheFile> {
  const counted = { extract: 0, query: 0, keywords: 0, summary: 0, other: 0 };
  const stale = {
    'chunk-gone': { count: 0, bytes: 0, smallest: createSmallestIds(maxNamed) },
    outdated: { count: 0, bytes: 0, smallest: createSmallestIds(maxNamed) },
  };
  let total = 0;
  let type: string | undefined;
  let chunk: string | undefined;
  let writtenSeconds: number | undefined;

  const why = (): keyof typeof stale | undefined => {
    if (chunk !== undefined && judge.isChunkGone(chunk)) return 'chunk-gone';
    const { newestDocumentSeconds: newest } = judge;
    if (type !== 'query' || writtenSeconds === undefined || newest === undefined) return undefined;
    // Whole seconds, cut off: within the same one nobody knows which came first.
    return writtenSeconds + 1 <= newest ? 'outdated' : undefined;
  };
  return createJsonReader({
    enter(value) {
      const { depth, key, kind } = value;
      if (depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      if (depth === 2) {
        if (kind === 'string' && (key === 'chunk_id' || (key === 'cache_type' && type === undefined))) return 'text';
        return kind === 'number' && key === 'create_time' ? 'text' : 'skip';
      }
      requireObject(value, 'a row');
      const word = key.split(':', 3)[1];
      type = word !== undefined && isCacheType(word) ? word : undefined;
      chunk = undefined;
      writtenSeconds = undefined;
      return 'look';
    },
    leave({ depth, key, keyStart }, end, text) {
      if (depth === 2 && text !== undefined) {
        if (key === 'chunk_id') chunk = text;
        else if (key === 'create_time') writtenSeconds = Number(text);
        else type = text;
      }
      if (depth !== 1) return;
      total += 1;
      counted[type !== undefined && isCacheType(type) ? type : 'other'] += 1;
      const reason = why();
      if (reason === undefined) return;
      stale[reason].count += 1;
      stale[reason].bytes += end - keyStart;
      stale[reason].smallest.add(key.slice(0, 200));
    },
    end: () => ({
      rows: { total, ...counted },
      stale: (['chunk-gone', 'outdated'] as const)
        .map((reason) => ({ reason, ...stale[reason] }))
        .filter(({ count }) => count > 0)
        .map(({ reason, count, bytes, smallest }) => ({ reason, count, bytes, examples: smallest.ids() })),
    }),
  });
}

const isCacheType = (type: string): type is 'extract' | 'query' | 'keywords' | 'summary' =>
  type === 'extract' || type === 'query' || type === 'keywords' || type === 'summary';

/** Documents between accepted and finished. */
export type DocumentFile = {
  readonly total: number;
  readonly documents: readonly StuckDocument[];
  /** Unix seconds of the newest change of a processed one. */
  readonly newestSeconds: number | undefined;
};

export function readDocuments(take: TakeRow<'doc_status'>): ContentReader<DocumentFile> {
  const stuck: StuckDocument[] = [];
  let unfinished = 0;

  let status = 'unknown';
  let updatedAt: string | null = null;
  let chunks: string[] = [];

  let newestMs: number | undefined;
  const finish = (id: string, bytes: number): void => {
    take({ id, status, chunks, bytes });
    const changedMs = updatedAt === null ? Number.NaN : Date.parse(updatedAt);
    if (status === 'processed' && changedMs > (newestMs ?? 0)) newestMs = changedMs;
    if (status === 'processed' || status === 'failed') return;
    unfinished += 1;
    if (stuck.length < maxNamed) stuck.push({ id, status, updatedAt });
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
    leave(value, end, text) {
      if (value.depth === 1) finish(value.key, end - value.keyStart);
      if (text === undefined) return;
      if (value.depth === 3) chunks.push(text);
      else if (value.key === 'status') status = text.slice(0, 64);
      else updatedAt = text.slice(0, 64);
    },
    end: () => ({
      total: unfinished,
      documents: stuck,
      newestSeconds: newestMs === undefined ? undefined : newestMs / 1_000,
    }),
  });
}
