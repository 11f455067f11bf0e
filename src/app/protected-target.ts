import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type {
  Exclusion,
  Inspection,
  PointSelection,
  ProtectedTarget,
  Restorer,
  Source,
  SourceKind,
} from '../backup/index.ts';
import {
  createConfigSource,
  createFilesSource,
  createStateSource,
  findTornEnd,
  lightragExclusions,
  lightragFirst,
  otherWorkspaceExclusion,
  wholeTarget,
} from '../backup/index.ts';
import {
  type BackendLifecycle,
  type FolderInspection,
  findWorkspaceFolders,
  type InspectionReport,
  type Observation,
  pathInProject,
  readProjectLayout,
  replacesFilesByRename,
  type Store,
  type Target,
  type WatchedTarget,
  workspaceFolder,
} from '../targets/index.ts';

/** A store of the target that is no folder: how it is captured, and how it goes back. */
export type ProtectedStore = {
  /** Name of its component. */
  readonly name: string;
  readonly kind: SourceKind;
  /** Undefined: it has nothing that belongs to this workspace alone, or cannot tell it apart. */
  source(selection: PointSelection): Source | undefined;
  readonly restorer: Restorer | undefined;
  /** Storage classes of the backend that lie in it, so that the one with the documents' status is captured first. */
  holds(storageClass: string): boolean;
};

/** What backup and restore need of one target, put together from the slices that know it. */
export function protectTarget(options: {
  watched: WatchedTarget;
  lifecycle: BackendLifecycle;
  /** Single files of the configuration, ours among them. */
  configFiles: readonly string[];
  /** Makes a copy of ragwarden's own state in a new file. */
  copyState(path: string): Promise<void>;
  /** Databases and whatever else is no folder. */
  stores: readonly ProtectedStore[];
  inspect: ProtectedTarget['inspect'];
}): ProtectedTarget {
  const { watched, lifecycle, stores, configFiles } = options;
  const { target } = watched;
  return {
    target,
    lifecycle,
    observe: () => watched.probe(),
    inspect: options.inspect,
    workspaces: () => {
      if (target.kind !== 'lightrag') return target.workspaces;
      const folders = target.stores.flatMap((store) =>
        store.kind === 'workspace-folder' ? findWorkspaceFolders(store.path) : [],
      );
      return [...new Set([...target.workspaces, ...folders])].sort();
    },
    folderOf: (component) => target.stores.find((store) => store.name === component)?.path,
    restorerOf: (component) => stores.find((store) => store.name === component)?.restorer,
    holderOf: (storageClass) => stores.find((store) => store.holds(storageClass))?.name,
    async settle(signal) {
      for (const store of stores) await store.source(wholeTarget)?.settle?.(signal);
    },
    componentKinds: () => [
      ...target.stores.map(({ name }) => ({ name, kind: 'files' as const })),
      ...stores.map(({ name, kind }) => ({ name, kind })),
      ...(configFiles.length === 0 ? [] : [{ name: 'config', kind: 'config' as const }]),
      { name: 'ragwarden-state', kind: 'config' as const },
    ],
    sources: (observation, selection) => {
      const { include } = selection;
      const folders = include.workspaces ? folderSources(target, observation, selection.workspace) : [];
      // One target of a kind without workspaces is one graph, to which all of its databases belong.
      const wanted = target.kind === 'lightrag' ? selection : { ...selection, workspace: undefined };
      const databases = include.database ? databaseSources(stores, observation, wanted) : { before: [], after: [] };
      // Nobody's configuration, and no state of ours, belongs to one workspace.
      const asksForConfig = include.config && selection.workspace === undefined;
      const config =
        asksForConfig && configFiles.length > 0 ? [createConfigSource({ name: 'config', files: configFiles })] : [];
      const found = [...databases.before, ...folders, ...databases.after, ...config];
      // A point of our own state alone would pass for a point of the target.
      if (!asksForConfig || found.length === 0) return found;
      return [...found, createStateSource({ name: 'ragwarden-state', copyTo: options.copyState })];
    },
  };
}

function folderSources(target: Target, observation: Observation | undefined, workspace: string | undefined): Source[] {
  if (target.kind !== 'lightrag') return plainSources(target);
  // What an unreachable backend does is not known; its files are then taken the careful way.
  const atomic = replacesFilesByRename(observation?.coreVersion);
  const known = target.stores.flatMap((store) =>
    store.kind === 'workspace-folder' ? findWorkspaceFolders(store.path) : [],
  );
  return target.stores.flatMap((store) => {
    const folder = workspace === undefined ? store.path : workspaceFolder(store.path, workspace);
    if (!existsSync(folder)) return [];
    const others = workspace === '' ? known.map(otherWorkspaceExclusion) : [];
    if (store.kind === 'input-folder')
      // People edit source documents in place, so a hard link would change with the original.
      return [createFilesSource({ name: store.name, folder, mode: 'copy', writer: 'in-place', exclusions: others })];
    return [
      createFilesSource({
        name: store.name,
        folder,
        mode: atomic ? 'link' : 'copy',
        writer: atomic ? 'atomic' : 'in-place',
        first: lightragFirst,
        exclusions: [...lightragExclusions, ...nestedStores(target, store), ...others],
        validate: findTornEnd,
      }),
    ];
  });
}

/** Folders of which nothing is known but how they are written to; one target of such a kind is one graph. */
const plainSources = (target: Target): Source[] =>
  target.stores
    .filter((store) => existsSync(store.path))
    .map((store) => {
      const writer = store.writer === 'replaces' ? 'atomic' : 'in-place';
      return createFilesSource({
        name: store.name,
        folder: store.path,
        mode: writer === 'atomic' ? 'link' : 'copy',
        writer,
        exclusions: [...leftOut(store), ...nestedStores(target, store)],
        // GraphRAG writes one table after the other into the files themselves.
        ...(target.kind === 'graphrag' ? { whileBusy: 'mixed' as const } : {}),
      });
    });

function leftOut(store: Store): Exclusion[] {
  // What the settings of a project say of its places is read when it is needed: they may change.
  const paths = store.kind === 'project-folder' && store.withoutCache ? [cacheOf(store.path)] : (store.leaveOut ?? []);
  return paths.map((value) => ({
    ...{ match: 'path', value },
    reason:
      store.kind === 'project-folder'
        ? 'answers of the model, left out as the settings say'
        : 'left out as the settings say',
    onRestore: 'keep',
  }));
}

const cacheOf = (project: string): string => pathInProject(project, readProjectLayout(project).cache) ?? 'cache';

/** LightRAG writes a document's status last of all: the store that has it is captured first, so it never promises too much. */
function databaseSources(
  stores: readonly ProtectedStore[],
  observation: Observation | undefined,
  selection: PointSelection,
): { before: Source[]; after: Source[] } {
  const statusClass = observation?.storageClasses?.doc_status_storage;
  const found: { before: Source[]; after: Source[] } = { before: [], after: [] };
  for (const store of stores) {
    const source = store.source(selection);
    if (source) found[statusClass !== undefined && store.holds(statusClass) ? 'before' : 'after'].push(source);
  }
  return found;
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
    counts: countsInFiles(report),
    audit: report.audit,
    embeddingDimension: report.dimension.files[0]?.dimension,
    faults: report.faults
      .filter((fault) => fault.severity !== 'info')
      .map(({ code, severity, message }) => ({ code, severity, message })),
  };
}

/** Of what has no stores that refer to each other in ways known here there is no audit. */
export const inspectionOfFolders = (report: FolderInspection): Inspection => ({
  counts: report.counts,
  embeddingDimension: undefined,
  audit: undefined,
  faults: report.faults
    .filter((fault) => fault.severity !== 'info')
    .map(({ code, severity, message }) => ({ code, severity, message })),
  missing: report.outside.map(({ part, where }) => ({ name: part, reason: `it lies elsewhere (${where})` })),
});

/** The graph is one store and two counts. */
function countsInFiles({ audit, extracted }: InspectionReport): Inspection['counts'] {
  const elsewhere = new Set<string>(
    extracted.flatMap((store) => (store === 'graph' ? ['graph_nodes', 'graph_edges'] : [store])),
  );
  return Object.fromEntries(Object.entries(audit.counts).filter(([name]) => !elsewhere.has(name)));
}
