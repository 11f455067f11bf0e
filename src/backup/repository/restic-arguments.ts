import { isAbsolute } from 'node:path';
import { AppError } from '../../platform/errors.ts';

/** What reaches restic's argument list from callers, each checked to mean exactly one thing. */

const invalid = (why: string): AppError => new AppError('request/invalid', why);

/** `latest` and anything else that is no id would mean another snapshot tomorrow. */
export function snapshotId(text: string): string {
  if (!/^[0-9a-f]{8,64}$/.test(text)) throw invalid('This is not the id of a snapshot: 8 to 64 hexadecimal digits.');
  return text;
}

/** A comma would make two tags of one. */
export function plainTag(tag: string): string {
  if (tag === '' || tag.includes(','))
    throw invalid(`${JSON.stringify(tag)} cannot be a tag: it is empty or holds a comma.`);
  return tag;
}

export function dataSubset(subset: string | undefined): string {
  if (subset !== undefined && /^(\d{1,3}(\.\d+)?%|\d{1,5}\/\d{1,5}|\d+[KMGT])$/.test(subset)) return subset;
  throw invalid('The part of the data to check is written as 10%, 1/7 or 500M.');
}

export function relativePath(path: string): string {
  if (path === '' || isAbsolute(path) || path.split('/').includes('..'))
    throw invalid(`${JSON.stringify(path)} does not lie below the folder that is backed up.`);
  return path;
}

export function absolutePath(path: string): string {
  if (!isAbsolute(path)) throw invalid(`${JSON.stringify(path)} is not an absolute path.`);
  return path;
}

/** Includes are patterns; a backslash makes the next character mean itself. */
export const exactPattern = (path: string): string => path.replace(/[\\*?[\]]/g, '\\$&');
