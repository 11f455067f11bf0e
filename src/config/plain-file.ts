import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../platform/errors.ts';

export type PlainFile =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly missing: boolean; readonly complaint: string; readonly mend: string };

const failed = (complaint: string, mend: string, missing = false): PlainFile => ({
  ok: false,
  missing,
  complaint,
  mend,
});

/**
 * A whole small text file. Never waits (a pipe, a device), never fills the memory, never guesses at bytes that are no UTF-8.
 * A byte order mark is taken off.
 */
export function readPlainFile(path: string, limitBytes: number): PlainFile {
  let handle: number | undefined;
  try {
    if (path.includes('\0')) return failed('is no path: it holds a zero character', 'Check the path.');
    // Without O_NONBLOCK opening a pipe waits for whoever writes into it.
    handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(handle);
    if (stat.isDirectory()) return failed('is a folder', 'Name the file in it.');
    if (!stat.isFile()) return failed('is not a plain file', 'Name a plain file.');
    if (stat.size > limitBytes) return failed(`is larger than ${limitBytes} bytes`, 'Check that it is the right file.');
    const bytes = Buffer.alloc(limitBytes + 1);
    let length = 0;
    for (;;) {
      const read = readSync(handle, bytes, length, bytes.length - length, null);
      length += read;
      if (read === 0) break;
      if (length > limitBytes) return failed(`is larger than ${limitBytes} bytes`, 'Check that it is the right file.');
    }
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length)) };
  } catch (err) {
    const code = systemCode(err);
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return failed('is not written in UTF-8', 'Save it as UTF-8.');
    return failed(
      `cannot be read (${code ?? 'unknown error'})`,
      'Check the path and its permissions.',
      code === 'ENOENT',
    );
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}
