import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { systemCode } from '../../platform/errors.ts';

export type ParquetLook = {
  readonly state: 'ok' | 'missing' | 'empty' | 'torn' | 'invalid' | 'changing' | 'unreadable';
  readonly bytes: number;
  readonly rows: number | undefined;
  readonly columns: number | undefined;
  readonly bytesRead: number;
  readonly detail?: string;
};

const magic = 'PAR1';
/** Magic before and behind, and the length of the footer: less than this is no file of this kind. */
const leastBytes = 12;
/** The description of a table of some dozen columns takes kilobytes, one for each of its groups of rows. */
const greatestFooter = 64 * 1024 * 1024;
const tries = 4;
const pauseMs = 150;

/** GraphRAG writes tables in place, so a look that something moved under is done again. */
export async function lookAtParquet(path: string, clock: Clock): Promise<ParquetLook> {
  for (let attempt = 1; ; attempt += 1) {
    const { look, moved } = await lookOnce(path);
    if (!moved) return look;
    if (attempt >= tries)
      return { ...look, state: 'changing', rows: undefined, detail: 'it was written to during every look' };
    await clock.sleep(pauseMs);
  }
}

const nothing = { rows: undefined, columns: undefined, bytesRead: 0 };

async function lookOnce(path: string): Promise<{ look: ParquetLook; moved: boolean }> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would be waited for.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (err) {
    const code = systemCode(err);
    if (code === 'ENOENT') return { look: { ...nothing, state: 'missing', bytes: 0 }, moved: false };
    return { look: { ...nothing, state: 'unreadable', bytes: 0, detail: code ?? 'unknown error' }, moved: false };
  }
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile())
      return { look: { ...nothing, state: 'unreadable', bytes: 0, detail: 'it is no plain file' }, moved: false };
    const look = await readFooter(file, Number(before.size));
    const after = await file.stat({ bigint: true });
    return { look, moved: before.size !== after.size || before.mtimeNs !== after.mtimeNs };
  } finally {
    await file.close();
  }
}

async function readFooter(file: FileHandle, bytes: number): Promise<ParquetLook> {
  if (bytes === 0) return { ...nothing, state: 'empty', bytes };
  const bad = (state: 'torn' | 'invalid', detail: string): ParquetLook => ({ ...nothing, state, bytes, detail });
  if (bytes < leastBytes) return bad('torn', 'it ends before its description');
  const head = await readAt(file, 0, 4);
  if (head.toString('latin1') !== magic) return bad('invalid', 'it does not begin as a parquet file');
  const tail = await readAt(file, bytes - 8, 8);
  if (tail.toString('latin1', 4) !== magic) return bad('torn', 'it ends before its description');
  const length = tail.readUInt32LE(0);
  if (length > bytes - leastBytes || length > greatestFooter)
    return bad('invalid', 'the length of its description is more than the file holds');
  const footer = await readAt(file, bytes - 8 - length, length + 8);
  try {
    // Read when the first table is looked at: most targets have none.
    const { parquetMetadata } = await import('hyparquet');
    const own = footer.buffer.slice(footer.byteOffset, footer.byteOffset + footer.length);
    const metadata = parquetMetadata(own as ArrayBuffer);
    const beyond = metadata.row_groups.some(({ columns }) =>
      columns.some(({ meta_data: column }) => column !== undefined && endOf(column) > bytes - 8 - length),
    );
    if (beyond) return bad('invalid', 'its description names more than the file holds');
    return {
      state: 'ok',
      bytes,
      rows: Number(metadata.num_rows),
      columns: metadata.schema.filter(({ num_children }) => num_children === undefined).length,
      bytesRead: length + 20,
    };
  } catch {
    return bad('invalid', 'its description cannot be read');
  }
}

const endOf = (column: {
  data_page_offset: bigint;
  dictionary_page_offset?: bigint | undefined;
  total_compressed_size: bigint;
}): number => Number((column.dictionary_page_offset ?? column.data_page_offset) + column.total_compressed_size);

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
