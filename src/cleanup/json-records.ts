import { open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../platform/errors.ts';
import { createJsonScanner, type JsonValue } from '../targets/index.ts';
import { flush } from './durable.ts';

/** One member of the object that a key-value file of LightRAG is, by its bytes. */
export type JsonRecord = {
  readonly key: string;
  /** Of the quotation mark before the key. */
  readonly start: number;
  /** Just behind the value. */
  readonly end: number;
  /** Fields that were asked for, as text: of strings their text, of numbers and literals their writing. */
  readonly fields: Readonly<Record<string, string | undefined>>;
};

const pieceBytes = 1_048_576;

/** Reads through the file once; nothing but the fields that are asked for is held. @throws AppError `target/inspection-failed` */
export async function scanRecords(
  path: string,
  fields: ReadonlySet<string>,
  onRecord: (record: JsonRecord) => void,
  signal: AbortSignal,
): Promise<{ readonly records: number; readonly bytes: number }> {
  let current: Record<string, string | undefined> = {};
  let records = 0;
  const scanner = createJsonScanner({
    enter: ({ depth, key, kind }: JsonValue) => {
      if (depth === 0 && kind !== 'object') throw new AppError('target/inspection-failed', `${path} is no object.`);
      if (depth <= 1) {
        if (depth === 1) current = {};
        return 'look';
      }
      return fields.has(key) && depth === 2 ? 'text' : 'skip';
    },
    leave({ depth, key, keyStart }: JsonValue, end: number, text: string | undefined) {
      if (depth === 2 && text !== undefined) current[key] = text;
      if (depth !== 1) return;
      records += 1;
      onRecord({ key, start: keyStart, end, fields: current });
    },
  });
  const handle = await open(path, 'r');
  const piece = Buffer.allocUnsafe(pieceBytes);
  let bytes = 0;
  try {
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await handle.read(piece, 0, piece.length, null);
      if (bytesRead === 0) break;
      bytes += bytesRead;
      scanner.write(piece.subarray(0, bytesRead));
    }
    scanner.end();
  } catch (err) {
    if (err instanceof AppError || signal.aborted) throw err;
    throw new AppError('target/inspection-failed', `${path} cannot be read as JSON; nothing of it was touched.`, {
      cause: err,
    });
  } finally {
    await handle.close();
  }
  return { records, bytes };
}

type Range = { readonly from: number; readonly to: number };

/**
 * What of the file stays when these records go: stretches of its own bytes, so that nothing else changes by a byte. Records are
 * given as they stand; `members` is where the first begins and the last ends.
 */
export function planKeptRanges(
  size: number,
  records: readonly Pick<JsonRecord, 'start' | 'end'>[],
  goes: (at: number) => boolean,
): readonly Range[] {
  const ranges: Range[] = [];
  const add = (from: number, to: number): void => {
    const last = ranges.at(-1);
    if (last && last.to === from) ranges[ranges.length - 1] = { from: last.from, to };
    else if (to > from) ranges.push({ from, to });
  };
  const first = records[0];
  const final = records.at(-1);
  if (!first || !final) return [{ from: 0, to: size }];
  add(0, first.start);
  let written = false;
  for (const [at, record] of records.entries()) {
    if (goes(at)) continue;
    // The comma and the line break before it are its own, unless it is the first now.
    const before = records[at - 1];
    if (written && before) add(before.end, record.start);
    add(record.start, record.end);
    written = true;
  }
  add(final.end, size);
  return ranges;
}

/** Replaces the file by these stretches of itself, whole: written beside, synced, renamed. Keeps its mode and owner. */
export async function writeRanges(path: string, ranges: readonly (Range | Buffer)[], draft: string): Promise<number> {
  const before = await stat(path);
  const from = await open(path, 'r');
  const to = await open(draft, 'wx', before.mode & 0o777);
  let bytes = 0;
  try {
    await to.chown(before.uid, before.gid).catch(() => undefined);
    const piece = Buffer.allocUnsafe(pieceBytes);
    for (const range of ranges) {
      if (Buffer.isBuffer(range)) {
        await to.write(range);
        bytes += range.length;
        continue;
      }
      for (let at = range.from; at < range.to; ) {
        const { bytesRead } = await from.read(piece, 0, Math.min(piece.length, range.to - at), at);
        if (bytesRead === 0) throw new AppError('target/inspection-failed', `${path} became shorter meanwhile.`);
        await to.write(piece, 0, bytesRead);
        at += bytesRead;
        bytes += bytesRead;
      }
    }
    await to.sync();
  } finally {
    await to.close();
    await from.close();
  }
  await rename(draft, path);
  await flush(dirname(path));
  return bytes;
}

/** The records as a JSON object of their own, byte for byte as they stood. */
export async function copyRecords(
  path: string,
  records: readonly Pick<JsonRecord, 'start' | 'end'>[],
  into: string,
): Promise<number> {
  const from = await open(path, 'r');
  const to = await open(into, 'wx', 0o600);
  let bytes = 0;
  try {
    await to.write('{\n');
    for (const [at, { start, end }] of records.entries()) {
      const piece = Buffer.alloc(end - start);
      await from.read(piece, 0, piece.length, start);
      await to.write(at === 0 ? '' : ',\n');
      await to.write(piece);
      bytes += piece.length;
    }
    await to.write('\n}\n');
    await to.sync();
  } finally {
    await to.close();
    await from.close();
  }
  return bytes;
}
