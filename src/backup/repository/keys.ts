import { createHash } from 'node:crypto';
import { type FileHandle, link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, storageError, systemCode } from '../../platform/errors.ts';
import { type RandomSource, systemRandom } from '../../platform/ids.ts';

/**
 * Makes the password of a repository: 32 random bytes in base64url, mode 0600, on disk (file and folder) on return.
 * An existing file is never touched: without it every recovery point is lost. Beside it lies the mark of `isGeneratedPassword`.
 * @returns `created: false` when there was one
 * @throws AppError `repository/wrong-password` when the one that is there is empty, `storage/full`
 */
export async function ensurePasswordFile(
  path: string,
  random: RandomSource = systemRandom,
): Promise<{ created: boolean }> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  if (await stat(path).catch(() => undefined)) {
    await readPassword(path);
    return { created: false };
  }
  // Written beside its place and linked into it: a crash leaves a whole password or none, and two makers cannot both win.
  const draft = `${path}.${random(6).toString('hex')}.new`;
  try {
    const file = await open(draft, 'wx', 0o600);
    const password = random(32).toString('base64url');
    await writeDurably(file, `${password}\n`);
    try {
      await link(draft, path);
    } catch (err) {
      if (systemCode(err) === 'EEXIST') return { created: false };
      throw err;
    }
    await writeDurably(await open(markOf(path), 'w', 0o600), `${digestOf(password)}\n`);
    return { created: true };
  } catch (err) {
    throw storageError(err, 'writing the password of the repository');
  } finally {
    await unlink(draft).catch(() => undefined);
    await syncFolder(dirname(path));
  }
}

/**
 * Whether the password is the one that `ensurePasswordFile` made: only then is it known to be 256 random bits. Its form says
 * nothing, since a sentence of 43 letters has the same; so the maker leaves its digest beside the file, which gives nothing of such
 * a password away. One that was put in its place since does not fit the mark.
 */
export async function isGeneratedPassword(path: string): Promise<boolean> {
  const mark = await readFile(markOf(path), 'utf8').catch(() => '');
  return mark !== '' && mark.trim() === digestOf(await readPassword(path));
}

const markOf = (path: string): string => `${path}.generated`;
const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** @throws AppError `repository/wrong-password` when it is missing or empty */
export async function readPassword(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((err) => {
    throw new AppError(
      'repository/wrong-password',
      `The password file ${path} cannot be read. Put it back from the recovery kit.`,
      { cause: err },
    );
  });
  const password = text.replace(/\r?\n$/, '');
  if (password === '')
    throw new AppError(
      'repository/wrong-password',
      `The password file ${path} is empty. Put it back from the recovery kit.`,
    );
  return password;
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
