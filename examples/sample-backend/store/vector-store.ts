import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { FileWriter } from './file-writer.ts';
import { packVector } from './float16.ts';
import { parsePythonJson, renderOneLine } from './python-json.ts';

/** Meta fields of a row, all text: `content` and what the kind adds. */
export type VectorMeta = { readonly content: string; readonly [field: string]: string };

export type VectorRow = {
  readonly __id__: string;
  readonly __created_at__: number;
  /** Nanoseconds since the epoch at which the row was written (1.5): more digits than a number keeps. */
  readonly __write_seq__?: bigint;
  readonly vector: string;
  readonly content: string;
  readonly entity_name?: string;
  readonly src_id?: string;
  readonly tgt_id?: string;
  readonly source_id?: string;
  readonly full_doc_id?: string;
  readonly file_path?: string;
};

/** One `vdb_<namespace>.json` of NanoVectorDB: rows, and one L2-normalised float32 matrix in the order of the rows. */
export type VectorStore = {
  readonly namespace: string;
  readonly dimension: number;
  count(): number;
  get(id: string): VectorRow | undefined;
  rows(): readonly VectorRow[];
  vectorAt(index: number): Float32Array;
  isDirty(): boolean;
  upsert(id: string, meta: VectorMeta, vector: Float32Array, createdAt: number): void;
  delete(ids: ReadonlySet<string>): void;
  flush(force?: boolean): Promise<void>;
  drop(): Promise<void>;
};

/** A row with its fields in the order they are written. @param sequence undefined: 1.4, which has none */
export function vectorRow(
  id: string,
  meta: VectorMeta,
  vector: Float32Array,
  createdAt: number,
  sequence: bigint | undefined,
): VectorRow {
  const written = sequence === undefined ? {} : { __write_seq__: sequence };
  return { __id__: id, __created_at__: createdAt, ...written, ...meta, vector: packVector(vector) };
}

type FileRow = Omit<VectorRow, '__write_seq__'> & { readonly __write_seq__?: string };

/** Puts the long numbers into quotation marks before they are parsed. Inside a string the key's own marks are escaped. */
function keepSequences(text: string): string {
  return text.replace(/"__write_seq__": (\d+)/g, '"__write_seq__": "$1"');
}

type Loaded = { readonly rows: VectorRow[]; readonly vectors: Float32Array[]; readonly dimension: number };

/** The dimension a vector file was written with; undefined when there is no such file. */
export function readVectorDimension(folder: string, namespace: string): number | undefined {
  const path = join(folder, `vdb_${namespace}.json`);
  if (!existsSync(path)) return undefined;
  const found = /"embedding_dim":\s*(\d+)/.exec(readFileSync(path, 'utf8').slice(0, 200));
  return found?.[1] === undefined ? undefined : Number(found[1]);
}

/** @throws Error with the real loader's words when the file's dimension is another one */
export function openVectorStore(
  folder: string,
  namespace: string,
  dimension: number,
  hasSequence: boolean,
  writer: FileWriter,
): VectorStore {
  const path = join(folder, `vdb_${namespace}.json`);
  const { rows, vectors } = load(path, dimension);
  const places = new Map(rows.map((row, index) => [row.__id__, index]));
  let dirty = false;
  let sequence = 0n;

  /** Never twice the same, whatever the clock does. */
  function nextSequence(): bigint {
    const now = BigInt(Date.now()) * 1_000_000n;
    sequence = now > sequence ? now : sequence + 1n;
    return sequence;
  }

  const flush = async (force = false): Promise<void> => {
    if (!dirty && !force) return;
    await writer.write(path, namespace, () => {
      dirty = false;
      return renderVectorFile(dimension, rows, vectors);
    });
  };
  return {
    namespace,
    dimension,
    count: () => rows.length,
    get(id) {
      const place = places.get(id);
      return place === undefined ? undefined : rows[place];
    },
    rows: () => rows,
    vectorAt: (index) => vectors[index] ?? new Float32Array(dimension),
    isDirty: () => dirty,
    upsert(id, meta, vector, createdAt) {
      const row = vectorRow(id, meta, vector, createdAt, hasSequence ? nextSequence() : undefined);
      const place = places.get(id) ?? rows.length;
      places.set(id, place);
      rows[place] = row;
      vectors[place] = vector;
      dirty = true;
    },
    delete(ids) {
      const kept = rows.flatMap((row, index) => (ids.has(row.__id__) ? [] : [index]));
      if (kept.length === rows.length) return;
      const keptRows = kept.map((index) => rows[index] as VectorRow); // indices of this very array
      const keptVectors = kept.map((index) => vectors[index] as Float32Array);
      rows.splice(0, rows.length, ...keptRows);
      vectors.splice(0, vectors.length, ...keptVectors);
      places.clear();
      rows.forEach((row, index) => {
        places.set(row.__id__, index);
      });
      dirty = true;
    },
    flush,
    async drop() {
      rows.length = 0;
      vectors.length = 0;
      places.clear();
      rmSync(path, { force: true });
      await flush(true);
    },
  };
}

function load(path: string, dimension: number): Loaded {
  if (!existsSync(path)) return { rows: [], vectors: [], dimension };
  const text = readFileSync(path, 'utf8');
  if (text.trim() === '') throw new Error('Expecting value: line 1 column 1 (char 0)');
  // The shape is NanoVectorDB's own; what does not fit it fails below as it does there.
  const file = parsePythonJson(keepSequences(text)) as { embedding_dim: number; data: FileRow[]; matrix: string };
  if (file.embedding_dim !== dimension)
    throw new Error(`Embedding dim mismatch, expected: ${dimension}, but loaded: ${file.embedding_dim}`);
  const bytes = Buffer.from(file.matrix, 'base64');
  if (bytes.length !== file.data.length * dimension * 4)
    throw new Error(`cannot reshape array of size ${bytes.length / 4} into shape (${dimension})`);
  const all = new Float32Array(bytes.length / 4);
  for (let index = 0; index < all.length; index += 1) all[index] = bytes.readFloatLE(index * 4);
  const vectors = file.data.map((_, index) => all.subarray(index * dimension, (index + 1) * dimension));
  const rows = file.data.map((row) =>
    row.__write_seq__ === undefined ? (row as VectorRow) : { ...row, __write_seq__: BigInt(row.__write_seq__) },
  );
  return { rows, vectors, dimension };
}

function renderVectorFile(dimension: number, rows: readonly VectorRow[], vectors: readonly Float32Array[]): Buffer[] {
  const parts: Buffer[] = [Buffer.from(`{"embedding_dim": ${dimension}, "data": [`)];
  let open = '';
  rows.forEach((row, index) => {
    open += `${index === 0 ? '' : ', '}${renderOneLine(row)}`;
    if (open.length > 1_000_000) {
      parts.push(Buffer.from(open));
      open = '';
    }
  });
  parts.push(Buffer.from(`${open}], "matrix": "`));
  const matrix = Buffer.alloc(vectors.length * dimension * 4);
  vectors.forEach((vector, row) => {
    writeVector(matrix, row * dimension * 4, vector);
  });
  parts.push(Buffer.from(matrix.toString('base64')), Buffer.from('"}'));
  return parts;
}

/** Little-endian float32, as the matrix holds them. */
export function writeVector(target: Buffer, offset: number, vector: Float32Array): void {
  vector.forEach((value, column) => {
    target.writeFloatLE(value, offset + column * 4);
  });
}
