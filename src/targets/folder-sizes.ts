import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../platform/clock.ts';
import { systemCode } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Target } from './target.ts';

export type WorkspaceSize = {
  readonly store: string;
  /** Sum of the sizes of plain files; a store that does not exist has none. */
  readonly bytes: number;
  readonly files: number;
  /** Code of the system error when its folder is not there or closed to us, so that the zero says nothing. */
  readonly unread: string | null;
  /** Bytes below each folder at its top. */
  readonly below: ReadonlyMap<string, number>;
  readonly atMs: number;
};

/** Bytes and plain files below a folder, our own `.ragwarden` left out; zero when it does not exist. */
export async function measureFolder(folder: string, signal: AbortSignal): Promise<{ bytes: number; files: number }> {
  const { bytes, files } = await measureStore(folder, signal);
  return { bytes, files };
}

async function measureStore(
  folder: string,
  signal: AbortSignal,
): Promise<Pick<WorkspaceSize, 'bytes' | 'files' | 'unread' | 'below'>> {
  const below = new Map<string, number>();
  let unread: string | null = null;
  let bytes = 0;
  let files = 0;
  const walk = async (path: string, depth: number): Promise<void> => {
    signal.throwIfAborted();
    const names: string[] = [];
    try {
      for await (const entry of await opendir(path)) names.push(entry.name);
    } catch (err) {
      // Files come and go under us, and some folders may be closed to us.
      const code = systemCode(err);
      if (code === undefined || !['ENOENT', 'ENOTDIR', 'EACCES'].includes(code)) throw err;
      if (depth === 0) unread = code;
      return;
    }
    for (const name of names) {
      if (depth === 0 && name === '.ragwarden') continue;
      const inner = join(path, name);
      const stat = await lstat(inner).catch(() => undefined);
      if (stat?.isDirectory()) {
        const before = bytes;
        await walk(inner, depth + 1);
        if (depth === 0) below.set(name, bytes - before);
      } else if (stat?.isFile()) {
        bytes += stat.size;
        files += 1;
      }
    }
  };
  await walk(folder, 0);
  return { bytes, files, unread, below };
}

export type FolderSizes = Reconciler & {
  sizes(targetId: string): readonly WorkspaceSize[];
  /** Told of each target whose stores were measured. Must neither wait nor throw. */
  onMeasured(listener: (target: Target, sizes: readonly WorkspaceSize[]) => void): void;
};

/** Sizes the stores of every target in the background, so that no request ever walks a folder. */
export function createFolderSizes(options: {
  targets: readonly Target[];
  intervalMs: number;
  clock: Clock;
  log: Logger;
}): FolderSizes {
  const { clock, log } = options;
  const known = new Map<string, readonly WorkspaceSize[]>();
  const listeners: ((target: Target, sizes: readonly WorkspaceSize[]) => void)[] = [];
  const reconciler = createReconciler({
    name: 'workspace sizes',
    intervalMs: options.intervalMs,
    clock,
    log,
    async run(signal) {
      for (const target of options.targets) {
        const sizes: WorkspaceSize[] = [];
        for (const store of target.stores)
          sizes.push({ store: store.name, ...(await measureStore(store.path, signal)), atMs: clock.now() });
        known.set(target.id, sizes);
        for (const listener of listeners) listener(target, sizes);
      }
    },
  });
  return {
    ...reconciler,
    sizes: (targetId) => known.get(targetId) ?? [],
    onMeasured: (listener) => void listeners.push(listener),
  };
}
