import { existsSync } from 'node:fs';
import type { Inspection, ProtectedTarget } from '../backup/index.ts';
import { createFilesSource, findTornEnd, lightragExclusions, lightragFirst } from '../backup/index.ts';
import { type BackendLifecycle, replacesFilesByRename, type WatchedTarget } from '../targets/index.ts';

/** What backup and restore need of one target, put together from the slices that know it. */
export function protectTarget(options: {
  watched: WatchedTarget;
  lifecycle: BackendLifecycle;
  inspect(folder: string, signal: AbortSignal): Promise<Inspection | undefined>;
}): ProtectedTarget {
  const { watched, lifecycle } = options;
  const { target } = watched;
  return {
    target,
    lifecycle,
    observe: () => watched.probe(),
    inspect: options.inspect,
    folderOf: (component) => target.stores.find((store) => store.name === component)?.path,
    sources: (observation) => {
      // What an unreachable backend does is not known; its files are then taken the careful way.
      const atomic = replacesFilesByRename(observation?.coreVersion);
      return target.stores
        .filter((store) => existsSync(store.path))
        .map((store) =>
          store.kind === 'workspace-folder'
            ? createFilesSource({
                name: store.name,
                folder: store.path,
                mode: atomic ? 'link' : 'copy',
                writer: atomic ? 'atomic' : 'in-place',
                first: lightragFirst,
                exclusions: lightragExclusions,
                validate: findTornEnd,
              })
            : // People edit source documents in place, so a hard link would change with the original.
              createFilesSource({ name: store.name, folder: store.path, mode: 'copy', writer: 'in-place' }),
        );
    },
  };
}
