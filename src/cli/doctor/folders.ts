import { access, constants, opendir, readFile, stat, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { Config } from '../../config/index.ts';
import { systemCode } from '../../platform/errors.ts';
import { formatBytes, plural } from '../format.ts';
import { type Check, fail, type Outcome, ok, type Subject, skipped, warn } from './check.ts';

/** The folder itself or, before it exists, the nearest one above it. */
async function existingFolder(path: string): Promise<string> {
  try {
    await stat(path);
    return path;
  } catch (err) {
    const parent = dirname(path);
    if (systemCode(err) !== 'ENOENT' || parent === path) return path;
    return existingFolder(parent);
  }
}

const may = (path: string, mode: number): Promise<string | undefined> =>
  access(path, mode).then(
    () => undefined,
    (err: unknown) => systemCode(err) ?? 'unknown error',
  );

/** `lightrag (uid 1000)`; the number alone where the system knows no name for it. */
async function describeOwner(uid: number): Promise<string> {
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const name = users
    .split('\n')
    .map((line) => line.split(':'))
    .find((fields) => fields[2] === String(uid))?.[0];
  return name === undefined ? `uid ${uid}` : `${name} (uid ${uid})`;
}

const ownUid = process.getuid?.();

export const dataFolderCheck: Check = {
  id: 'data-folder',
  what: 'data folder',
  async look({ config: { dataDir } }) {
    const folder = await existingFolder(dataDir);
    const hindrance = await may(folder, constants.W_OK | constants.X_OK);
    if (hindrance !== undefined)
      return fail(
        `${folder} cannot be written (${hindrance})`,
        'Check its owner and permissions, or choose another with --data-dir.',
      );
    const seen = await stat(folder);
    if (!seen.isDirectory()) return fail(`${folder} is not a folder`, 'Choose another with --data-dir.');
    if (folder !== dataDir) return ok(`${dataDir} will be made`);
    if (ownUid !== undefined && seen.uid !== ownUid)
      return warn(
        `${dataDir} belongs to ${await describeOwner(seen.uid)} and this is ${await describeOwner(ownUid)}: what one of the two makes there the other may not be able to read`,
        `Run ragwarden and its commands as ${await describeOwner(seen.uid)}.`,
      );
    return (seen.mode & 0o077) === 0
      ? ok(`${dataDir} can be written, by its owner only`)
      : warn(`${dataDir} can be read by others`, `chmod 700 ${quoted(dataDir)}`);
  },
};

/** For a command that is to be copied. */
const quoted = (path: string): string => (/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);

type TargetFolder = { readonly name: string; readonly path: string };

/** The sample's folders are ragwarden's own and need no look. */
const targetFolders = ({ target }: Config): TargetFolder[] => [
  ...(target?.workingDir === undefined
    ? []
    : [{ name: target.kind === 'graphrag' ? 'project' : 'working folder', path: target.workingDir }]),
  ...(target?.inputDir === undefined ? [] : [{ name: 'input folder', path: target.inputDir }]),
  ...(target?.custom?.folders ?? []).map(({ name, path }) => ({ name: `folder ${name}`, path })),
];

/** A backup reads all of it, a restore also writes there and puts files aside. */
export const targetFoldersCheck: Check = {
  id: 'target-folders',
  what: 'target folders',
  async look({ config }, signal) {
    const folders = targetFolders(config);
    const files = config.target?.configFiles ?? [];
    if (folders.length + files.length === 0) return skipped('no folder of a backend is configured');
    return [
      ...(await Promise.all(folders.map((folder) => lookAtFolder(folder, signal)))),
      ...(await Promise.all(
        files.map(async (path) => {
          const hindrance = await may(path, constants.R_OK);
          return hindrance === undefined
            ? ok(`${path} can be read`, 'configuration file')
            : fail(
                `${path} cannot be read (${hindrance}), so it is missing from the recovery points`,
                `ls -l ${quoted(path)}`,
                'configuration file',
              );
        }),
      )),
    ];
  },
};

async function lookAtFolder({ name, path }: TargetFolder, signal: AbortSignal): Promise<Outcome> {
  const unreadable = await may(path, constants.R_OK | constants.X_OK);
  if (unreadable === 'ENOENT')
    return fail(
      `${path} does not exist`,
      'Check WORKING_DIR and INPUT_DIR, or target.custom.folders: they are what the backend itself works in, as seen from here.',
      name,
    );
  const seen = await stat(path).catch(() => undefined);
  const owner = seen === undefined ? 'somebody else' : await describeOwner(seen.uid);
  if (unreadable !== undefined || seen === undefined)
    return fail(
      `${path} belongs to ${owner} and cannot be read (${unreadable ?? 'unknown error'}), so there are no backups`,
      `Run ragwarden as ${owner}.`,
      name,
    );
  if (!seen.isDirectory()) return fail(`${path} is not a folder`, 'Check WORKING_DIR and INPUT_DIR.', name);
  const locked = await findUnreadable(path, signal);
  if (locked !== undefined)
    return fail(
      `${locked} cannot be read, so it would be missing from the recovery points`,
      `Run ragwarden as ${owner}, or: ls -l ${quoted(locked)}`,
      name,
    );
  const unwritable = await may(path, constants.W_OK);
  return unwritable === undefined
    ? ok(`${path}, of ${owner}, can be read and written`, name)
    : warn(
        `${path} belongs to ${owner} and cannot be written (${unwritable}): backups work, a restore would not`,
        `Run ragwarden as ${owner}.`,
        name,
      );
}

const greatestWalk = 20_000;

/** The first entry that cannot be read, among as many as can be looked at in short time. */
async function findUnreadable(root: string, signal: AbortSignal): Promise<string | undefined> {
  let found: string | undefined;
  await walk(root, signal, async (path, isFolder) => {
    const hindrance = await may(path, isFolder ? constants.R_OK | constants.X_OK : constants.R_OK);
    // It may have been replaced or removed since it was listed.
    if (hindrance === undefined || hindrance === 'ENOENT') return true;
    found = path;
    return false;
  });
  return found;
}

/** Entries below a folder, without following links, until `see` says false or there were too many. @returns whether all were seen */
async function walk(
  root: string,
  signal: AbortSignal,
  see: (path: string, isFolder: boolean) => Promise<boolean>,
): Promise<boolean> {
  const folders = [root];
  let count = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await opendir(folder).catch(() => undefined);
    if (entries === undefined) continue;
    for await (const entry of entries) {
      signal.throwIfAborted();
      count += 1;
      if (count > greatestWalk) return false;
      if (!entry.isDirectory() && !entry.isFile()) continue;
      const path = join(folder, entry.name);
      if (!(await see(path, entry.isDirectory()))) return false;
      if (entry.isDirectory()) folders.push(path);
    }
  }
  return true;
}

/** Said, not failed: a repository beside the data it protects is better than none. */
export const separateDisksCheck: Check = {
  id: 'separate-disks',
  what: 'repository',
  async look({ config }) {
    if (!config.backup.enabled) return skipped('backups are switched off');
    const { location } = config.backup;
    const kept = config.target === undefined ? [config.dataDir] : targetFolders(config).map(({ path }) => path);
    if (kept.length === 0) return skipped('no folder of a backend is configured');
    const deviceOf = async (path: string): Promise<number> => (await stat(await existingFolder(path))).dev;
    const device = await deviceOf(location);
    const same = (await Promise.all(kept.map(deviceOf))).includes(device);
    return same
      ? warn(
          `${location} lies on the same file system as the data it protects; one broken disk takes both`,
          'Set BACKUP_DIR to another disk, or copy the repository elsewhere.',
        )
      : ok(`${location} lies on another file system than the data it protects`);
  },
};

const scarceBytes = 1024 * 1024 * 1024;
const tooLittleBytes = 100 * 1024 * 1024;
const scarceInodes = 10_000;

type Room = { readonly uses: string[]; needBytes: number; folder: string };

/**
 * Each file system once, with what lies on it and what the next backup and a restore would need there: a copy to stage where
 * the files cannot be linked, one that is stored by record, a copy in a repository that is still empty, and beside the present
 * files what a restore brings. What lies in the staging tree already is not asked for again.
 */
export const freeSpaceCheck: Check = {
  id: 'free-space',
  what: 'free space',
  async look({ config }, signal) {
    const folders = targetFolders(config);
    const sizes = new Map<string, number>();
    for (const { path } of folders) sizes.set(path, await measure(path, signal));
    const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
    const rooms = new Map<number, Room>();
    const add = async (path: string, use: string, need: (device: number) => Promise<number> | number) => {
      const folder = await existingFolder(path);
      const { dev } = await stat(folder);
      const room = rooms.get(dev) ?? { uses: [], needBytes: 0, folder };
      room.uses.push(use);
      room.needBytes += await need(dev);
      rooms.set(dev, room);
    };
    await add(config.dataDir, 'data folder and staging', async (device) => {
      const elsewhere = await Promise.all(
        folders.map(async ({ path }) =>
          (await stat(await existingFolder(path))).dev === device ? 0 : sizes.get(path),
        ),
      );
      const copied = elsewhere.reduce((sum: number, bytes) => sum + (bytes ?? 0), 0);
      const unfolded =
        config.backup.enabled && config.backup.unfold ? (sizes.get(config.target?.workingDir ?? '') ?? 0) : 0;
      return Math.max(0, copied + unfolded - (await measure(join(config.dataDir, 'staging'), signal)));
    });
    // Elsewhere the room is that of the store.
    if (config.backup.enabled && isAbsolute(config.backup.location))
      await add(config.backup.location, 'repository', async () =>
        (await stat(join(config.backup.location, 'config')).catch(() => undefined)) === undefined ? total : 0,
      );
    for (const { name, path } of folders) await add(path, name, () => sizes.get(path) ?? 0);
    return Promise.all([...rooms.values()].map(judgeRoom));
  },
};

async function judgeRoom({ uses, needBytes, folder }: Room): Promise<Outcome> {
  const { bavail, bsize, ffree, files } = await statfs(folder);
  const free = bavail * bsize;
  const needed = needBytes > 0 ? `; the next point and a restore may need ${formatBytes(needBytes)}` : '';
  const detail = `${formatBytes(free)} free on the file system of ${folder} (${uses.join(', ')})${needed}`;
  if (free < tooLittleBytes) return fail(detail, 'Free some, or put the folder elsewhere.');
  // Some file systems have no fixed number of inodes and tell zero.
  if (files > 0 && ffree < scarceInodes)
    return fail(`${detail}; only ${ffree} inodes are left`, 'Remove small files, or put the folder elsewhere.');
  if (free < Math.max(needBytes, scarceBytes))
    return warn(detail, 'Make room: a backup needs it for staging and repository, a restore beside the files.');
  return ok(detail);
}

async function measure(root: string, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  await walk(root, signal, async (path, isFolder) => {
    if (!isFolder) bytes += (await stat(path).catch(() => undefined))?.size ?? 0;
    return true;
  });
  return bytes;
}

/** LightRAG removes them at its start when they are older than this. */
const orphanAgeMs = 3_600_000;
const temporarySibling = /^(kv_store_|vdb_|graph_|faiss_index_).*\.tmp(\.|$)/;

/** What atomic writes of a killed backend left beside its files: `<file>.tmp.<pid>.<thread>.<nanoseconds>`. */
export const orphansCheck: Check = {
  id: 'target-orphans',
  what: 'temporary files',
  async look({ config, nowMs }: Subject, signal) {
    const folder = config.target?.workingDir;
    if (folder === undefined) return skipped('no working folder is configured');
    if (config.target?.kind !== 'lightrag') return skipped('only LightRAG is known to leave some');
    let count = 0;
    let bytes = 0;
    await walk(folder, signal, async (path, isFolder) => {
      if (isFolder || !temporarySibling.test(path.slice(path.lastIndexOf('/') + 1))) return true;
      const seen = await stat(path).catch(() => undefined);
      if (seen !== undefined && nowMs - seen.mtimeMs > orphanAgeMs) {
        count += 1;
        bytes += seen.size;
      }
      return true;
    });
    return count === 0
      ? ok(`none is left over in ${folder}`)
      : warn(
          `${plural(count, 'temporary file')} older than an hour (${formatBytes(bytes)}) in ${folder}, left by a backend that was killed`,
          `Restart the backend, which removes them, or: find ${quoted(folder)} -name '*.tmp.*' -mmin +60 -delete`,
        );
  },
};
