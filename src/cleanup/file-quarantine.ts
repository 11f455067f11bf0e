import { link, lstat, mkdir, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { AppError, describeError, systemCode } from '../platform/errors.ts';
import { flush } from './durable.ts';
import { findOpen, findOpenPaths } from './open-files.ts';
import type { PlanItem } from './plan.ts';
import type { NewEntry, OpenQuarantine, QuarantineKind } from './quarantine.ts';
import { look, lstatOf, ownFolder, requireInside, sameAs } from './safe-path.ts';
import { inParallel, notItsTurn, type Outcome, type RunContext } from './strategy.ts';

const text = (value: unknown): string => {
  if (typeof value === 'string') return value;
  throw new AppError('conflict/state', 'The quarantine holds an entry that cannot be read.');
};

type Going = { readonly root: string; readonly path: string; readonly item: PlanItem; readonly bytes: number };

const stays = (why: string): Outcome => ({ done: false, why });

/** `/proc` is looked through anew when the last look is older. */
const openValidMs = 250;

/** Which folder may be touched, by the id that plan items name. */
export type Roots = ReadonlyMap<string, string>;

/**
 * Takes files and folders away by renaming them into `.ragwarden/cleanup-<run>/` of their own registered folder, which is the same
 * file system: quick whatever their size, and undone by one rename. Each is looked at again before: the same inode, size and
 * times, no link on the way, no process that has it open, not younger than `graceMs`.
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
  return async (items, quarantine) => {
    const held = await openPaths();
    const checked = await inParallel(items, context.parallel, async (item): Promise<Going | Outcome> => {
      if (context.signal.aborted) return notItsTurn;
      const root = roots.get(text(item.seen.root));
      if (root === undefined) return stays('its folder is not registered any more');
      try {
        const path = await requireInside(root, text(item.seen.path));
        const device = BigInt(text(item.seen.device));
        const now = await look(path, device, context.signal);
        if (!now || !sameAs(item.seen, now)) return stays('it changed, or is gone, since it was planned');
        if (options.now() - now.changedMs < options.graceMs) return stays('it is too young');
        const used = held && findOpen(path, held);
        if (used !== undefined) return stays('a process has it open');
        const why = await options.refuse?.(item);
        return why === undefined ? { root, path, item, bytes: now.bytes } : stays(why);
      } catch (err) {
        return stays(describeError(err));
      }
    });
    const going = checked.filter((one) => 'path' in one);
    const folders = new Map<string, string>();
    for (const { root } of going)
      if (!folders.has(root)) folders.set(root, await prepareFolder(root, quarantine.runId));
    const entries = await quarantine.announce(
      going.map(
        ({ root, path, item, bytes }): NewEntry => ({
          ...{ kind: 'files', what: item.what, bytes },
          data: {
            ...{ root, path: relative(root, path), inode: text(item.seen.inode) },
            held: join(ownFolder, `cleanup-${quarantine.runId}`, nameOf(path)),
          },
        }),
      ),
    );
    const moved = await inParallel(going, context.parallel, async ({ root, path }, at) => {
      const to = join(root, text(entries[at]?.data.held));
      try {
        await rename(path, to);
      } catch (err) {
        return { failed: `it could not be moved: ${describeError(err)}` };
      }
      const there = await lstat(to, { bigint: true });
      if (`${there.ino}` === entries[at]?.data.inode) return undefined;
      // Somebody put another one in its place between look and move.
      await rename(to, path);
      return { done: false as const, why: 'it changed while it was to be taken away' };
    });
    // Of where they were and where they are now; a power cut must not lose both names.
    await inParallel(
      [...new Set(going.flatMap(({ root, path }) => [dirname(path), folders.get(root) ?? root]))],
      context.parallel,
      (folder) => flush(folder).catch(() => undefined),
    );
    await quarantine.settle(entries.filter((_, at) => moved[at] === undefined));
    let next = -1;
    return checked.map((one): Outcome => {
      if (!('path' in one)) return one;
      next += 1;
      return moved[next] ?? { done: true, bytes: one.bytes };
    });
  };
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
