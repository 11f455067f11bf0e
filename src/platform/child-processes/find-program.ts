import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join, resolve } from 'node:path';

/** Where systems keep their programs; used when a child's own environment names no PATH. */
export const systemSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The absolute path of a program that may be executed, or undefined.
 * A name with a slash is taken as a path, relative to `cwd`; entries of `searchPath` that are not absolute are passed over,
 * so that a program lying in the working folder is never run by accident.
 */
export function findProgram(name: string, searchPath: string, cwd = '/'): string | undefined {
  if (name === '') return undefined;
  if (name.includes('/')) {
    const path = isAbsolute(name) ? name : resolve(cwd, name);
    return isExecutable(path) ? path : undefined;
  }
  return searchPath
    .split(delimiter)
    .filter((folder) => isAbsolute(folder))
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
