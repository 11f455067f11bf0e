import { link, lstat, mkdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError, describeError, systemCode } from '../platform/errors.ts';
import { flush } from './durable.ts';
import { type HeldFolder, holdFolder } from './held-folder.ts';
import { findOpen, findOpenPaths } from './open-files.ts';
import type { PlanItem } from './plan.ts';
import type { NewEntry, OpenQuarantine, QuarantineEntry, QuarantineKind } from './quarantine.ts';
import { look, lstatOf, ownFolder, requireInside, requirePlain, sameAs } from './safe-path.ts';
import { inParallel, notItsTurn, type Outcome, type RunContext } from './strategy.ts';

const text = (value: unknown): string => {
  if (typeof value === 'string') return value;
  throw new AppError('conflict/state', 'The quarantine holds an entry that cannot be read.');
};

/** A file or a folder, by the folder that it lies in. */
type Placed = { readonly root: string; readonly path: string };
type Going = Placed & { readonly item: PlanItem; readonly bytes: number };

const stays = (why: string): Outcome => ({ done: false, why });

/** `/proc` is looked through anew when the last look is older. */
const openValidMs = 250;

/** Which folder may be touched, by the id that plan items name. */
export type Roots = ReadonlyMap<string, string>;

/**
 * Takes files and folders away by renaming them into `.ragwarden/cleanup-<run>/` of their own registered folder, which is the same
 * file system: quick whatever their size, and undone by one rename. Each is looked at again before: the same inode, size and
 * times, no process that has it open, not younger than `graceMs`. No link is followed on the way: they are moved through the folder that they
 * lie in, which is held open and looked at once for all of them.
 */
export function createFileTaking(options: {
  roots: Roots;
  graceMs: number;
  context: RunContext;
  now(): number;
  monotonic(): number;
  /** Something more that must hold; in words why it does not. */
  refuse?(item: PlanItem): Promise<string | undefined>;
}): (items: readonly PlanItem[], quarantine: OpenQuarantine) => Promise<readonly Outcome[]> {
  const { roots, context } = options;
  let open: { readonly atMs: number; readonly paths: ReadonlySet<string> | undefined } | undefined;
  const openPaths = async (): Promise<ReadonlySet<string> | undefined> => {
    if (open === undefined || options.monotonic() - open.atMs > openValidMs)
      open = { paths: await findOpenPaths([...roots.values()]), atMs: options.monotonic() };
    return open.paths;
  };
  let number = 0;
  /** Never the same in one run: a rename would overwrite without a word. */
  const nameOf = (path: string): string => {
    number += 1;
    return `${number}-${Buffer.from(basename(path)).subarray(0, 150).toString('utf8')}`;
  };
  const check = async (item: PlanItem, held: ReadonlySet<string> | undefined): Promise<Going | Outcome> => {
    if (context.signal.aborted) return notItsTurn;
    const root = roots.get(text(item.seen.root));
    if (root === undefined) return stays('its folder is not registered any more');
    try {
      const path = text(item.seen.path);
      requirePlain(path);
      const whole = join(root, path);
      const now = await look(whole, BigInt(text(item.seen.device)), context.signal);
      if (!now || !sameAs(item.seen, now)) return stays('it changed, or is gone, since it was planned');
      if (options.now() - now.changedMs < options.graceMs) return stays('it is too young');
      const used = held && findOpen(whole, held);
      if (used !== undefined) return stays('a process has it open');
      const why = await options.refuse?.(item);
      return why === undefined ? { root, path, item, bytes: now.bytes } : stays(why);
    } catch (err) {
      return stays(describeError(err));
    }
  };
  return async (items, quarantine) => {
    const held = await openPaths();
    const checked = await inParallel(items, context.parallel, (item) => check(item, held));
    const going = checked.filter((one) => 'path' in one);
    const entries = await quarantine.announce(
      going.map(
        ({ root, path, item, bytes }): NewEntry => ({
          ...{ kind: 'files', what: item.what, bytes },
          data: {
            ...{ root, path, inode: text(item.seen.inode) },
            held: join(ownFolder, `cleanup-${quarantine.runId}`, nameOf(path)),
          },
        }),
      ),
    );
    const moved = await moveAside(going, entries, quarantine.runId, context.parallel);
    await quarantine.settle(entries.filter((_, at) => moved[at] === undefined));
    let next = -1;
    return checked.map((one): Outcome => {
      if (!('path' in one)) return one;
      next += 1;
      return moved[next] ?? { done: true, bytes: one.bytes };
    });
  };
}

/**
 * Renames each into the quarantine of its registered folder, under the name that was announced for it.
 * @returns for each why it did not go; undefined: it went
 */
async function moveAside(
  going: readonly Going[],
  entries: readonly QuarantineEntry[],
  runId: string,
  parallel: number,
): Promise<(Outcome | undefined)[]> {
  const into = new Map<string, HeldFolder>();
  try {
    for (const { root } of going) if (!into.has(root)) into.set(root, await holdQuarantine(root, runId));
    const leaving = going.map((one, at) => ({ ...one, data: entries[at]?.data, aside: into.get(one.root) }));
    const moved = await inTheirFolders(
      leaving,
      parallel,
      async ({ root, path, data, aside }, folder) => {
        if (data === undefined || aside === undefined) return stays('it was not announced');
        const [from, to] = [folder.at(basename(path)), aside.at(basename(text(data.held)))];
        try {
          await rename(from, to);
        } catch (err) {
          return { failed: `it could not be moved: ${folder.tell(err)}` };
        }
        const there = await lstatOf(join(root, text(data.held)));
        if (there && `${there.ino}` === data.inode) return undefined;
        // Somebody put another one in its place between look and move.
        await rename(to, from);
        return stays('it changed while it was to be taken away');
      },
      (err): Outcome | undefined => stays(describeError(err)),
      // Of where they were and where they are now, at once; a power cut must not lose both names.
      (folders) => Promise.all([...folders, ...into.values()].map((one) => one.flush().catch(() => undefined))),
    );
    return leaving.map((one) => moved.get(one));
  } finally {
    await Promise.all([...into.values()].map((folder) => folder.close()));
  }
}

/**
 * Works on each with the folder that it lies in held open, as many at once as `most` and as many folders.
 * @param refuse answers for all in a folder that cannot be held
 * @param after runs with the folders that are held, when all in them are done; it does not reject
 */
async function inTheirFolders<Item extends Placed, Answer>(
  items: readonly Item[],
  most: number,
  run: (item: Item, folder: HeldFolder) => Promise<Answer>,
  refuse: (err: unknown) => Answer,
  after: (folders: readonly HeldFolder[]) => Promise<unknown>,
): Promise<Map<Item, Answer>> {
  const answers = new Map<Item, Answer>();
  const groups = [...Map.groupBy(items, ({ root, path }) => join(root, dirname(path))).values()];
  const inEach = Math.max(1, Math.floor(most / groups.length));
  // Nothing is closed while somebody may still name something through it: the system gives its number to the next one that is opened.
  const failures: unknown[] = [];
  for (let at = 0; at < groups.length; at += most) {
    const folders: HeldFolder[] = [];
    await inParallel(groups.slice(at, at + most), most, async (group) => {
      const [{ root, path }] = group as [Item]; // a group has one at least
      let folder: HeldFolder;
      try {
        const lies = dirname(path);
        folder = await holdFolder(root, lies === '.' ? '' : lies);
      } catch (err) {
        for (const one of group) answers.set(one, refuse(err));
        return;
      }
      folders.push(folder);
      await inParallel(group, inEach, async (one) => {
        try {
          answers.set(one, await run(one, folder));
        } catch (err) {
          failures.push(err);
        }
      });
    });
    await after(folders);
    await Promise.all(folders.map((folder) => folder.close()));
  }
  if (failures.length > 0) throw failures[0];
  return answers;
}

/** Where a run sets aside what it takes from this folder, held open; made where it is not there, or not any more. */
async function holdQuarantine(root: string, runId: string): Promise<HeldFolder> {
  const below = join(ownFolder, `cleanup-${runId}`);
  try {
    return await holdFolder(root, below);
  } catch {
    // What else is in the way than that it is not there, this one says.
    await prepareFolder(root, runId);
    return holdFolder(root, below);
  }
}

/** Where a run sets aside what it takes from this folder, and writes what it puts in its place. */
export async function prepareFolder(root: string, runId: string): Promise<string> {
  const folder = join(root, ownFolder, `cleanup-${runId}`);
  await mkdir(join(root, ownFolder), { mode: 0o700 }).catch((err: unknown) => {
    if (systemCode(err) !== 'EEXIST') throw err;
  });
  const own = await lstat(join(root, ownFolder));
  if (!own.isDirectory())
    throw new AppError('target/foreign-path', `${join(root, ownFolder)} is no folder of ours. Move it away.`);
  await mkdir(folder, { mode: 0o700 }).catch((err: unknown) => {
    if (systemCode(err) !== 'EEXIST') throw err;
  });
  await flush(join(root, ownFolder));
  return folder;
}

/** Files and folders come back by a name that overwrites nothing. */
export const fileQuarantine: QuarantineKind = {
  name: 'files',
  async restore(entry) {
    const root = text(entry.data.root);
    const from = join(root, text(entry.data.held));
    const path = join(root, text(entry.data.path));
    const [held, there] = [await lstatOf(from), await lstatOf(path)];
    if (there && `${there.ino}` === entry.data.inode) {
      // A life that was killed brought it back already.
      if (held?.ino === there.ino) await unlink(from);
      return;
    }
    if (there)
      throw new AppError(
        'conflict/state',
        `${entry.what} is there again: something else took its place. Move that away first.`,
      );
    if (!held) throw new AppError('conflict/state', `${entry.what} is not in the quarantine any more.`);
    await mkdir(dirname(path), { recursive: true });
    await requireInside(root, text(entry.data.path));
    if (held.isDirectory()) await rename(from, path);
    else {
      // A rename would overwrite what came meanwhile; a second name does not.
      await link(from, path).catch(async (err: unknown) => {
        if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(systemCode(err) ?? '')) throw err;
        // A file system without second names.
        await rename(from, path);
      });
      await unlink(from).catch((err: unknown) => {
        if (systemCode(err) !== 'ENOENT') throw err;
      });
    }
    await flush(dirname(path));
    await rmdir(dirname(from)).catch(() => undefined);
  },
  async purge(entry) {
    const from = join(text(entry.data.root), text(entry.data.held));
    await rm(from, { recursive: true, force: true });
    await rmdir(dirname(from)).catch(() => undefined);
  },
  async wasTaken(entry) {
    const held = await lstatOf(join(text(entry.data.root), text(entry.data.held)));
    return held !== undefined && `${held.ino}` === entry.data.inode;
  },
};
