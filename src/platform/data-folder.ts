import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { AppError, describeError, systemCode } from './errors.ts';

const holderSchema = z.object({ pid: z.number(), command: z.string(), since: z.string() });
export type DataFolderHolder = z.infer<typeof holderSchema>;

export type DataFolderLock = { release(): void };

/**
 * Makes a folder (0700) and those above it. Not `recursive: true`: below a pseudo file system, where a parent exists and
 * still answers ENOENT, Node tries that for ever.
 */
function makeFolders(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (err) {
    const code = systemCode(err);
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw err;
    makeFolders(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

/** Makes the data folder (0700) when it is missing. @throws `storage/unavailable` with what to do */
export function prepareDataFolder(path: string): void {
  try {
    makeFolders(path);
  } catch (err) {
    throw new AppError(
      'storage/unavailable',
      `The data folder ${path} cannot be made (${systemCode(err) === 'EEXIST' ? 'it is a file' : (systemCode(err) ?? describeError(err))}). Choose another with --data-dir or RAGWARDEN_DATA_DIR.`,
      { cause: err },
    );
  }
}

/**
 * One process per data folder. The lock is one of the kernel, held through an SQLite transaction, so it falls with the
 * process however that ends; the file beside it only tells people who holds it.
 * @throws `storage/data-folder-in-use` with the holder's pid
 */
export function lockDataFolder(path: string, command: string, nowMs: number): DataFolderLock {
  prepareDataFolder(path);
  const holderFile = join(path, 'lock.json');
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(join(path, 'lock.sqlite'), { timeout: 0 });
    chmodSync(join(path, 'lock.sqlite'), 0o600);
  } catch (err) {
    throw new AppError(
      'storage/unavailable',
      `The data folder ${path} cannot be written (${describeError(err)}). Check its owner and permissions.`,
      { cause: err },
    );
  }
  try {
    database.exec('pragma journal_mode = delete; begin exclusive');
  } catch (err) {
    database.close();
    const holder = readHolder(holderFile);
    throw new AppError(
      'storage/data-folder-in-use',
      holder
        ? `The data folder ${path} is in use by process ${holder.pid} (${holder.command}, since ${holder.since}). Stop it, or use another folder.`
        : `The data folder ${path} is in use by another process. Stop it, or use another folder.`,
      { cause: err },
    );
  }
  writeFileSync(
    holderFile,
    `${JSON.stringify({ pid: process.pid, command, since: new Date(nowMs).toISOString() } satisfies DataFolderHolder)}\n`,
    { mode: 0o600 },
  );
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      database.exec('rollback');
      database.close();
    },
  };
}

function readHolder(path: string): DataFolderHolder | undefined {
  try {
    const parsed = holderSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    // Written by the holder a moment later than it took the lock, so it may be missing or half there.
    return undefined;
  }
}

/** Writes a small private file whole or not at all, and on disk. */
export function writePrivateFile(path: string, content: string): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    writeFileSync(fd, content);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  chmodSync(path, 0o600);
}

/**
 * One process per state file, also where it lies outside of the data folder and two folders name the same one: each would take
 * the other's running work for its own that was interrupted.
 * @throws `storage/data-folder-in-use`
 */
export function lockStateFile(path: string, dataDir: string): DataFolderLock {
  if (dirname(path) === dataDir) return { release: () => undefined };
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(`${path}.lock`, { timeout: 0 });
    chmodSync(`${path}.lock`, 0o600);
    database.exec('pragma journal_mode = delete; begin exclusive');
  } catch (err) {
    database?.close();
    throw database
      ? new AppError(
          'storage/data-folder-in-use',
          `The state file ${path} is in use by another process. Stop it, or use another file.`,
          { cause: err },
        )
      : new AppError(
          'storage/unavailable',
          `The state file ${path} cannot be made (${describeError(err)}). Check RAGWARDEN_DATABASE_URL and the folder.`,
          { cause: err },
        );
  }
  const held = database;
  return {
    release() {
      if (!held.isOpen) return;
      held.exec('rollback');
      held.close();
    },
  };
}
