import { join } from 'node:path';
import { AppError } from '../platform/errors.ts';
import { findWorkspaceFolders, workspaceFolder } from '../targets/index.ts';
import type { ProtectedTarget } from './backup-deps.ts';
import type { Manifest, ManifestComponent } from './manifest.ts';
import type { Restorer, RestorerRequest } from './restore/restorer.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { TreeEntry } from './sources/tree.ts';

/** Files that go into the place of a live folder, or beside it. */
export type FilesPart = {
  readonly kind: 'files';
  readonly component: ManifestComponent;
  /** The folder whose contents are exchanged; aside: the one that is made. */
  readonly folder: string;
  readonly keep: readonly { readonly name: string; readonly reason: string }[];
  /** Folder within the component, '' for the whole. */
  readonly below: string;
  /** Relative to `below`. */
  readonly entries: readonly TreeEntry[];
  /** All that the component holds. */
  readonly whole: boolean;
};

/** What goes back through a restorer. */
export type StorePart = {
  readonly kind: 'store';
  readonly component: ManifestComponent;
  readonly restorer: Restorer;
  readonly request: RestorerRequest;
};

export type RestorePart = FilesPart | StorePart;

export type LeftAlone = { readonly name: string; readonly reason: string };

const entriesOf = (
  all: ReadonlyMap<string, readonly TreeEntry[]>,
  component: Pick<ManifestComponent, 'name'>,
): readonly TreeEntry[] => all.get(component.name) ?? [];

/**
 * Which parts a restore consists of, and what of the point it leaves alone. Reads names of live folders, nothing else.
 * @throws AppError `target/foreign-path` for a component that has no place here, `restore/invalid-options`
 */
export function decideParts(facts: {
  guarded: ProtectedTarget;
  manifest: Manifest;
  options: RestoreOptions;
  entries: ReadonlyMap<string, readonly TreeEntry[]>;
  operationId: string;
  takenMs: number;
}): { parts: RestorePart[]; leftAlone: LeftAlone[] } {
  const { guarded, manifest, options } = facts;
  if (options.asWorkspace !== undefined && guarded.target.kind !== 'lightrag')
    throw new AppError(
      'restore/invalid-options',
      `${guarded.target.id} is a target of the kind ${guarded.target.kind}, which has no workspaces: nothing can go back under the name of another (as_workspace).`,
    );
  const parts: RestorePart[] = [];
  const leftAlone: LeftAlone[] = [];
  const others = otherWorkspaces(guarded, facts.entries);
  for (const component of manifest.components) {
    if (options.components && !options.components.includes(component.name)) {
      leftAlone.push({ name: component.name, reason: 'not asked for' });
      continue;
    }
    const found = options.to
      ? partAside(component, facts)
      : component.restore.by === 'by-hand'
        ? { reason: component.restore.reason }
        : partInPlace(component, facts, others);
    if ('reason' in found) {
      if (options.components?.includes(component.name))
        throw new AppError('restore/invalid-options', `${component.name} cannot be restored so: ${found.reason}.`);
      leftAlone.push({ name: component.name, reason: found.reason });
    } else parts.push(found);
  }
  return { parts, leftAlone };
}

function partInPlace(
  component: ManifestComponent,
  facts: Parameters<typeof decideParts>[0],
  others: readonly string[],
): RestorePart | { reason: string } {
  const { guarded, manifest, options } = facts;
  if (component.restore.by === 'restorer') return storePart(component, facts);
  if (component.restore.by !== 'folder-swap') return { reason: component.restore.reason };
  const root = guarded.folderOf(component.name);
  if (root === undefined)
    throw new AppError(
      'target/foreign-path',
      `The point holds ${component.name}, for which ${guarded.target.id} has no registered folder. ${howToGoOn(component, facts)}`,
    );
  const all = entriesOf(facts.entries, component);
  const { keep } = component.restore;
  const { workspace } = options;
  if (workspace === undefined)
    return { kind: 'files', component, folder: root, keep, below: '', entries: all, whole: true };
  const folder = workspaceFolder(root, options.asWorkspace ?? workspace);
  const kept = folder === root ? [...keep, ...others.map(keepOther)].filter(isFirstOfItsName) : [];
  const { below, entries } = entriesOfWorkspace(all, manifest, workspace, others);
  // To empty what lives because the point never had it would be the opposite of a restore.
  if (entries.length === 0) return { reason: `the point holds nothing of the workspace "${workspace}" in it` };
  return { kind: 'files', component, folder, keep: kept, below, entries, whole: entries === all };
}

function storePart(component: ManifestComponent, facts: Parameters<typeof decideParts>[0]): StorePart {
  const { guarded, manifest, options, operationId, takenMs } = facts;
  const restorer = guarded.restorerOf(component.name);
  if (!restorer)
    throw new AppError(
      'target/foreign-path',
      `The point holds ${component.name} (${component.kind}), for which ${guarded.target.id} has no place configured. ${howToGoOn(component, facts)}`,
    );
  return {
    kind: 'store',
    component,
    restorer,
    request: {
      pointId: manifest.id,
      operationId,
      component,
      // Without workspaces the one graph of a target is all of its database.
      scope:
        guarded.target.kind === 'lightrag'
          ? { workspace: options.workspace, asWorkspace: options.asWorkspace, aside: options.to?.name }
          : { aside: options.to?.name },
      takenMs,
    },
  };
}

/** As an operator sets them, by component where it is a folder, by kind where it is none. */
const settingsOf: Partial<Record<string, string>> = {
  workspace: 'WORKING_DIR (target.working_dir)',
  project: 'WORKING_DIR (target.working_dir)',
  inputs: 'INPUT_DIR (target.input_dir)',
  postgres: 'DATABASE_URL or POSTGRES_HOST and POSTGRES_DATABASE',
  redis: 'REDIS_URI',
  qdrant: 'QDRANT_URL',
};

function howToGoOn(
  { name, kind }: ManifestComponent,
  { guarded, manifest }: Parameters<typeof decideParts>[0],
): string {
  const setting = settingsOf[name] ?? settingsOf[kind] ?? 'the place that the target had when the point was taken';
  const rest = manifest.components.filter(({ name: other, restore: { by } }) =>
    by === 'restorer' ? guarded.restorerOf(other) : by === 'folder-swap' && guarded.folderOf(other) !== undefined,
  );
  const alone =
    rest.length === 0 ? '' : `, or restore the rest alone (components: ${rest.map((one) => one.name).join(', ')})`;
  return `Set ${setting} and start ragwarden again${alone}.`;
}

/** Beside the live data every component with files has a folder of its name, whatever an ordinary restore does with it. */
function partAside(
  component: ManifestComponent,
  facts: Parameters<typeof decideParts>[0],
): RestorePart | { reason: string } {
  const { manifest, options } = facts;
  if (component.restore.by === 'restorer')
    return options.to?.name === undefined
      ? { reason: 'it is no folder, and no name for a place beside the live one was given (to.name)' }
      : storePart(component, facts);
  const all = entriesOf(facts.entries, component);
  if (options.to?.folder === undefined)
    return { reason: 'it is a folder, and none was given to put it in (to.folder)' };
  const folder = join(options.to.folder, component.name);
  if (options.workspace === undefined || component.restore.by === 'by-hand')
    return { kind: 'files', component, folder, keep: [], below: '', entries: all, whole: true };
  const others = workspacesIn(all);
  return {
    kind: 'files',
    component,
    folder: workspaceFolder(folder, options.asWorkspace ?? options.workspace),
    keep: [],
    whole: manifest.workspace !== undefined,
    ...entriesOfWorkspace(all, manifest, options.workspace, others),
  };
}

/** A point of one workspace holds its folder at the top; one of the whole target holds it below its name. */
function entriesOfWorkspace(
  all: readonly TreeEntry[],
  manifest: Manifest,
  workspace: string,
  others: readonly string[],
): { below: string; entries: readonly TreeEntry[] } {
  if (manifest.workspace !== undefined) return { below: '', entries: all };
  if (workspace === '') {
    const foreign = new Set(others);
    return { below: '', entries: all.filter((entry) => !foreign.has(entry.path.split('/', 1)[0] ?? '')) };
  }
  const prefix = `${workspace}/`;
  return {
    below: workspace,
    entries: all
      .filter((entry) => entry.path.startsWith(prefix))
      .map((entry) => ({ ...entry, path: entry.path.slice(prefix.length) })),
  };
}

const storeFile = /^([^/]+)\/(?:kv_store_|vdb_)[^/]+\.json$|^([^/]+)\/[^/]+\.graphml$/;

/** Folders of other workspaces in a point: whatever holds a store of the backend. */
const workspacesIn = (entries: readonly TreeEntry[]): string[] => [
  ...new Set(
    entries.flatMap((entry) => {
      const found = storeFile.exec(entry.path);
      return found ? [found[1] ?? found[2] ?? ''] : [];
    }),
  ),
];

/** Named workspaces that live folders or the point know of; the unnamed one lives between them. */
function otherWorkspaces(guarded: ProtectedTarget, all: ReadonlyMap<string, readonly TreeEntry[]>): string[] {
  const live = guarded.target.stores.flatMap((store) =>
    store.kind === 'workspace-folder' ? findWorkspaceFolders(store.path) : [],
  );
  return [...new Set([...live, ...workspacesIn(all.get('workspace') ?? [])])].sort();
}

const keepOther = (name: string): { name: string; reason: string } => ({
  name,
  reason: 'the folder of another workspace',
});

const isFirstOfItsName = (one: { name: string }, index: number, all: readonly { name: string }[]): boolean =>
  all.findIndex((other) => other.name === one.name) === index;
