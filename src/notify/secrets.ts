import { readFile } from 'node:fs/promises';
import type { NotifySecret } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';

/** @throws AppError `outgoing/failed` when its file cannot be read or is empty */
export async function requireSecret(secret: NotifySecret): Promise<string> {
  if ('value' in secret) return secret.value;
  let text = '';
  try {
    text = (await readFile(secret.file, 'utf8')).trim();
  } catch (cause) {
    throw new AppError('outgoing/failed', `The secret in ${secret.file} cannot be read.`, { cause });
  }
  if (text === '') throw new AppError('outgoing/failed', `The secret in ${secret.file} is empty.`);
  return text;
}
