import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Inspection, ProtectedTarget } from '../backup/index.ts';
import {
  createConfigSource,
  createFilesSource,
  findTornEnd,
  lightragExclusions,
  lightragFirst,
  otherWorkspaceExclusion,
} from '../backup/index.ts';
import {
  type BackendLifecycle,
  type InspectionReport,
  replacesFilesByRename,
  type Store,
  storedCounts,
  type Target,
  type WatchedTarget,
} from '../targets/index.ts';

/** What backup and restore need of one target, put together from the slices that know it. */
export function protectTarget(options: {
  watched: WatchedTarget;
  lifecycle: BackendLifecycle;
  /** Single files of the configuration, ours among them. */
  configFiles: readonly string[];
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
      const folders = target.stores
        .filter((store) => existsSync(store.path))
        .map((store) =>
          store.kind === 'workspace-folder'
            ? createFilesSource({
                name: store.name,
                folder: store.path,
                mode: atomic ? 'link' : 'copy',
                writer: atomic ? 'atomic' : 'in-place',
                first: lightragFirst,
                exclusions: [...lightragExclusions, ...nestedStores(target, store)],
                validate: findTornEnd,
              })
            : // People edit source documents in place, so a hard link would change with the original.
              createFilesSource({ name: store.name, folder: store.path, mode: 'copy', writer: 'in-place' }),
        );
      if (options.configFiles.length === 0) return folders;
      return [...folders, createConfigSource({ name: 'config', files: options.configFiles })];
    },
  };
}

/** A store that lies directly inside this one is captured as a component of its own. */
function nestedStores(target: Target, outer: Store): ReturnType<typeof otherWorkspaceExclusion>[] {
  return target.stores
    .filter((store) => store !== outer && dirname(store.path) === outer.path)
    .map((store) => otherWorkspaceExclusion(basename(store.path)));
}

/** What of an inspection goes into a manifest: numbers that were counted, and faults in words. */
export function inspectionOf(report: InspectionReport): Inspection {
  return {
    counts: storedCounts(report),
    embeddingDimension: report.dimension.files[0]?.dimension,
    faults: report.faults
      .filter((fault) => fault.severity !== 'info')
      .map((fault) => ({ code: fault.code, message: fault.message })),
  };
}
