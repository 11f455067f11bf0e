import { ContentFault } from './content-fault.ts';
import { type ContentReader, createJsonReader, requireObject } from './content-reader.ts';

export type VectorFile = {
  readonly dimension: number;
  readonly rows: number;
  /** Characters of the base64 matrix. */
  readonly matrixLength: number;
};

/** Base64 characters of `rows` vectors of `dimension` float32. */
export const matrixLengthOf = (rows: number, dimension: number): number => 4 * Math.ceil((4 * rows * dimension) / 3);

/**
 * NanoVectorDB's `vdb_*.json`: `{"embedding_dim": D, "data": [rows], "matrix": "<base64>"}`, members in any order.
 * @param nameFields fields of a row that together name what it stands for: one name, or two ends of a pair
 * @param take gets each row's id, what stood in those fields, and what it takes without its share of the matrix
 */
export function readVectors(
  nameFields: readonly string[],
  take: (id: string, names: readonly (string | undefined)[], bytes: number) => void,
): ContentReader<VectorFile> {
  let dimension: number | undefined;
  let rows = -1;
  let matrixLength = -1;

  let id: string | undefined;
  let parts: (string | undefined)[] = [];

  return createJsonReader({
    enter(value) {
      const { depth, key, kind } = value;
      if (depth === 0) {
        requireObject(value, 'the file');
        return 'look';
      }
      if (depth === 1) {
        if (key === 'embedding_dim' && kind === 'number') return 'text';
        if (key !== 'data') return 'skip';
        if (kind !== 'array') throw new ContentFault('invalid', value.start, 'the rows are not a list');
        rows = 0;
        return 'look';
      }
      if (depth === 2) {
        requireObject(value, 'a row');
        id = undefined;
        parts = [];
        return 'look';
      }
      return kind === 'string' && (key === '__id__' || nameFields.includes(key)) ? 'text' : 'skip';
    },
    leave({ depth, key, kind, start }, end, text) {
      if (depth === 3 && text !== undefined) {
        if (key === '__id__') id = text;
        const place = nameFields.indexOf(key);
        if (place >= 0) parts[place] = text;
      } else if (depth === 2) {
        rows += 1;
        if (id === undefined) throw new ContentFault('invalid', start, 'a row has no id');
        take(id, parts, end - start);
      } else if (depth === 1 && key === 'embedding_dim' && text !== undefined) dimension = Number(text);
      else if (depth === 1 && key === 'matrix' && kind === 'string') matrixLength = end - start - 2;
    },
    end() {
      if (dimension === undefined || rows < 0 || matrixLength < 0)
        throw new ContentFault('invalid', 0, 'embedding_dim, data or matrix is missing: this is no vector store');
      return { dimension, rows, matrixLength };
    },
  });
}
