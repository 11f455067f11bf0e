import { isInspected } from '../inspected-component.ts';
import type { ManifestComponent } from '../manifest.ts';
import type { RecoveryPoint } from '../point.ts';
import { includeSwitchOf } from '../selection.ts';
import { type TreeEntry, treeDigest } from '../sources/tree.ts';

/** What of one component belongs to one workspace. */
export type ComponentPart = NonNullable<ManifestComponent['workspaces']>[string];

/** What of a point belongs to one workspace. */
export type WorkspacePart = {
  /** Null where the point does not tell it apart. */
  readonly bytes: number | null;
  /** Of the workspace's storage folder; null as above. */
  readonly dataHash: string | null;
  /** Within the point. */
  readonly path: string | null;
  /** Something of this workspace is not in it. */
  readonly partial: boolean;
};

/**
 * The parts of a captured folder by workspace: a named one is the folder of its name, the unnamed one what lies between them.
 * Digests are over paths below the workspace's own folder, so that they equal those of a point of that workspace alone.
 */
export function partsByWorkspace(
  entries: readonly TreeEntry[],
  workspaces: readonly string[],
): Record<string, ComponentPart> {
  const named = new Set(workspaces.filter((name) => name !== ''));
  const groups = new Map<string, TreeEntry[]>(workspaces.map((name) => [name, []]));
  for (const entry of entries) {
    const [first = '', ...rest] = entry.path.split('/');
    if (!named.has(first)) groups.get('')?.push(entry);
    else if (rest.length > 0) groups.get(first)?.push({ ...entry, path: rest.join('/') });
  }
  return Object.fromEntries(
    [...groups].flatMap(([name, its]): [string, ComponentPart][] => {
      const files = its.filter((entry) => entry.kind === 'file');
      if (its.length === 0) return [];
      const bytes = files.reduce((sum, entry) => sum + entry.bytes, 0);
      return [[name, { files: files.length, bytes, tree_sha256: treeDigest(its) }]];
    }),
  );
}

/** @returns undefined when the point holds nothing of this workspace, as far as it tells */
export function findPart(point: RecoveryPoint, workspace: string): WorkspacePart | undefined {
  const { manifest } = point;
  if (point.workspace !== null && point.workspace !== workspace) return undefined;
  if (!manifest)
    return point.workspace === null ? undefined : { bytes: null, dataHash: null, path: null, partial: false };
  const { workspaces } = manifest.target;
  if (point.workspace === null && !workspaces.includes(workspace)) return undefined;
  // Nobody's configuration, and no state of ours, belongs to one workspace.
  const own = manifest.components.filter((one) => one.kind !== 'config');
  const missing = manifest.missing.filter((one) => !['config', 'ragwarden-state'].includes(one.name));
  const partial = missing.length > 0 || own.some((one) => one.partial);
  const storage = own.find((one) => isInspected(one.name));
  const top = storage ? `components/${storage.name}` : null;
  if (point.workspace !== null || workspaces.length === 1)
    return {
      bytes: own.reduce((sum, one) => sum + one.bytes, 0),
      dataHash: storage?.tree_sha256 ?? null,
      path: top,
      partial,
    };
  const parts = own.flatMap((one) => one.workspaces?.[workspace] ?? []);
  // Shares of a database are known to the database alone.
  const hasShared = own.some((one) => includeSwitchOf(one.kind) === 'database');
  return {
    bytes: parts.length === 0 || hasShared ? null : parts.reduce((sum, one) => sum + one.bytes, 0),
    dataHash: storage?.workspaces?.[workspace]?.tree_sha256 ?? null,
    path: top === null || workspace === '' ? top : `${top}/${workspace}`,
    partial,
  };
}
