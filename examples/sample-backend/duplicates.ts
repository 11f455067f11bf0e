import { isoFormat } from './records.ts';
import type { DocStatusRow, Shape } from './store/rows.ts';
import { md5 } from './text.ts';

export type Duplicate = {
  readonly shape: Shape;
  /** The document that has this content already. */
  readonly originalId: string;
  readonly original: DocStatusRow;
  readonly contentLength: number;
  readonly filePath: string;
  readonly trackId: string;
  readonly nowMs: number;
};

/** The row that tells of a content handed in twice: failed from the beginning, and never tried again. */
export function duplicateRow(duplicate: Duplicate): [string, DocStatusRow] {
  const { shape, originalId, original, contentLength, filePath, trackId, nowMs } = duplicate;
  const is15 = shape === '1.5';
  const what = is15 ? 'Identical content already exists under another filename.' : 'Content already exists.';
  const row: DocStatusRow = {
    status: 'failed',
    content_summary: `[DUPLICATE${is15 ? ':content_hash' : ''}] Original document: ${originalId}`,
    content_length: contentLength,
    created_at: isoFormat(nowMs),
    updated_at: isoFormat(nowMs),
    file_path: filePath,
    track_id: trackId,
    metadata: {
      is_duplicate: true,
      ...(is15 ? { duplicate_kind: 'content_hash' } : {}),
      original_doc_id: originalId,
      original_track_id: original.track_id,
    },
    error_msg: `${what} Original doc_id: ${originalId}, Status: DocStatus.${original.status.toUpperCase()}`,
    chunks_count: 0,
    chunks_list: [],
  };
  return [`dup-${md5(`${originalId} ${filePath} ${trackId}`)}`, row];
}
