import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import { systemCode } from '../../platform/errors.ts';
import { ContentFault } from './content-fault.ts';
import type { ContentReader } from './content-reader.ts';
import type { InspectedFileState } from './report.ts';

/** What a file was when it was read; two readings with the same signature saw the same bytes. */
export type FileSignature = { readonly size: bigint; readonly mtimeNs: bigint; readonly ino: bigint };

export type SteadyReading<Result> = {
  readonly state: InspectedFileState;
  readonly bytes: number;
  readonly result?: Result;
  readonly detail?: string;
  readonly offset?: number;
  readonly signature?: FileSignature;
};

export type SteadyReadOptions = {
  readonly clock: Clock;
  /** How often a file that changes under the reader is read before it is said to be changing. */
  readonly tries: number;
  readonly retryDelayMs: number;
  /** An empty or damaged file that was written to within this time may belong to a writer at work, and is read again. Milliseconds. */
  readonly youngMs: number;
  onBytes(count: number): void;
};

const pieceBytes = 262_144;

/**
 * Reads a file through a new reader, again and again until size and time of change are the same before and after. A file that
 * is *replaced* meanwhile is no concern: the open one stays whole.
 */
export async function readSteadily<Result>(
  path: string,
  makeReader: () => ContentReader<Result>,
  options: SteadyReadOptions,
): Promise<SteadyReading<Result>> {
  for (let attempt = 1; ; attempt += 1) {
    const reading = await readOnce(path, makeReader(), options);
    if (reading.state !== 'changing') return reading;
    // A young file that was the same before and after to the last is what it was seen to be.
    if (attempt >= options.tries) return reading.last ?? reading;
    await options.clock.sleep(options.retryDelayMs);
  }
}

async function readOnce<Result>(
  path: string,
  reader: ContentReader<Result>,
  options: SteadyReadOptions,
): Promise<SteadyReading<Result> & { last?: SteadyReading<Result> }> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would hold the thread for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (err) {
    const code = systemCode(err);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { state: 'missing', bytes: 0 };
    return { state: 'unreadable', bytes: 0, detail: `the system answers ${code ?? 'with an error'}` };
  }
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) return { state: 'unreadable', bytes: 0, detail: 'it is not a plain file' };
    const bytes = Number(before.size);
    const signature = signatureOf(before);
    const ageMs = options.clock.now() - Number(before.mtimeMs);
    const isYoung = ageMs >= 0 && ageMs < options.youngMs;
    if (bytes === 0)
      return isYoung
        ? { state: 'changing', bytes, last: { state: 'empty', bytes, signature } }
        : { state: 'empty', bytes, signature };
    let fault: ContentFault | undefined;
    let result: Result | undefined;
    try {
      result = await readThrough(file, bytes, reader, options.onBytes);
    } catch (err) {
      if (!(err instanceof ContentFault)) throw err;
      fault = err;
    }
    if (!isSame(signature, signatureOf(await file.stat({ bigint: true })))) return { state: 'changing', bytes };
    if (!fault) return { state: 'ok', bytes, result, signature };
    const seen = { state: fault.kind, bytes, detail: fault.what, offset: fault.offset, signature };
    return isYoung ? { state: 'changing', bytes, last: seen } : seen;
  } catch (err) {
    const code = systemCode(err);
    if (code === undefined) throw err;
    return { state: 'unreadable', bytes: 0, detail: `reading it the system answers ${code}` };
  } finally {
    await file.close();
  }
}

/** Reads `size` bytes and no more: a file that grows as fast as it is read would never end. */
async function readThrough<Result>(
  file: FileHandle,
  size: number,
  reader: ContentReader<Result>,
  onBytes: (count: number) => void,
): Promise<Result> {
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let left = size; left > 0; ) {
    const { bytesRead } = await file.read(piece, 0, Math.min(pieceBytes, left), null);
    if (bytesRead === 0) break;
    onBytes(bytesRead);
    reader.write(piece.subarray(0, bytesRead));
    left -= bytesRead;
  }
  return reader.end();
}

const signatureOf = ({ size, mtimeNs, ino }: BigIntStats): FileSignature => ({ size, mtimeNs, ino });

const isSame = (a: FileSignature, b: FileSignature): boolean =>
  a.size === b.size && a.mtimeNs === b.mtimeNs && a.ino === b.ino;

/** Whether the file at `path` is still the one that was read; one that is gone is not. */
export async function isUnchanged(path: string, signature: FileSignature): Promise<boolean> {
  try {
    return isSame(signature, signatureOf(await stat(path, { bigint: true })));
  } catch {
    return false;
  }
}
