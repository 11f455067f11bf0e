import { readFileSync } from 'node:fs';
import type { NamedKey } from '../config/index.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';

/** Null where none is named, or its file cannot be read; the log then says so. */
export function secretOf(key: NamedKey | undefined, log: Logger): string | null {
  if (key === undefined) return null;
  if ('value' in key) return key.value;
  try {
    return readFileSync(key.file, 'utf8').replace(/\r?\n$/, '');
  } catch (err) {
    log.error({ file: key.file }, `the key of an upstream could not be read: ${describeError(err)}`);
    return null;
  }
}
