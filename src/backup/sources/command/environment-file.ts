import { readFile, stat } from 'node:fs/promises';
import { AppError, describeError } from '../../../platform/errors.ts';

const mostBytes = 1024 * 1024;

/**
 * `NAME=value` lines as environment files have them: blank lines and lines of `#` are passed over, one pair of quotes around a
 * value goes, and nothing in it means anything else.
 * @throws AppError with `code`, without anything of the content
 */
export async function readEnvironmentFile(
  file: string,
  code: 'backup/capture-failed' | 'restore/blocked',
): Promise<Record<string, string>> {
  let text: string;
  try {
    if ((await stat(file)).size > mostBytes) throw new Error('it is larger than an environment file is');
    text = await readFile(file, 'utf8');
  } catch (err) {
    throw new AppError(code, `The environment file ${file} cannot be read: ${describeError(err)}.`, { cause: err });
  }
  const found: Record<string, string> = {};
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, name, value = ''] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name === undefined)
      throw new AppError(code, `Line ${index + 1} of the environment file ${file} is not NAME=value.`);
    const [, , quoted] = /^(["'])(.*)\1\s*$/.exec(value) ?? [];
    found[name] = quoted ?? value.trimEnd();
  }
  return found;
}
