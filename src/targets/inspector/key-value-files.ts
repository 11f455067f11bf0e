/** Readers of LightRAG's `kv_store_*.json`: one object, whose members are the rows. */

import type { TakeRow } from '../audit/store-rows.ts';
import { type ContentReader, createJsonReader, requireObject } from './content-reader.ts';
import type { CacheRows, StuckDocument } from './report.ts';

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
      take({ id: value.key });
      return 'skip';
    },
    leave() {},
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
    leave(value, _end, text) {
      if (value.depth === 2 && text !== undefined) document = text;
      if (value.depth !== 1) return;
      rows += 1;
      take({ id: value.key, document });
    },
    end: () => rows,
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

/** Documents between accepted and finished. */
export type DocumentFile = { readonly total: number; readonly documents: readonly StuckDocument[] };

const maxNamed = 100;

export function readDocuments(take: TakeRow<'doc_status'>): ContentReader<DocumentFile> {
  const stuck: StuckDocument[] = [];
  let unfinished = 0;

  let status = 'unknown';
  let updatedAt: string | null = null;
  let chunks: string[] = [];

  const finish = (id: string): void => {
    take({ id, status, chunks });
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
    leave(value, _end, text) {
      if (value.depth === 1) finish(value.key);
      if (text === undefined) return;
      if (value.depth === 3) chunks.push(text);
      else if (value.key === 'status') status = text.slice(0, 64);
      else updatedAt = text.slice(0, 64);
    },
    end: () => ({ total: unfinished, documents: stuck }),
  });
}
