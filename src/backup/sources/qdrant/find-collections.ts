import { AppError } from '../../../platform/errors.ts';
import { inPayload, isOldName, ofWorkspaces, storeOfCollection } from './lightrag-collections.ts';
import type { CapturedCollection } from './qdrant-details.ts';
import type { QdrantServer } from './qdrant-server.ts';

/** A collection as it stands now. */
export type LivingCollection = Pick<CapturedCollection, 'name' | 'store' | 'points' | 'workspaces' | 'aliases'>;

export type FoundCollections = {
  /** What goes into a point, by name. */
  readonly ours: readonly LivingCollection[];
  /** Something seems to be missing, in words. */
  readonly missing: readonly string[];
  readonly notes: readonly string[];
};

/**
 * The collections of the target: those that the settings name, and of those that LightRAG's naming gives the ones in which a
 * workspace of the target has points. Others are left alone: several installations may share a server.
 * @param wanted.workspaces as the payload names them
 * @param wanted.expected    none of them is to be found only where there are no points at all
 */
export async function findCollections(
  server: QdrantServer,
  wanted: { readonly named: readonly string[]; readonly workspaces: readonly string[]; readonly expected: boolean },
): Promise<FoundCollections> {
  const there = await server.collections();
  const aliases = await server.aliases();
  const ours: LivingCollection[] = [];
  const foreign: { name: string; points: number }[] = [];
  for (const name of there) {
    const isNamed = wanted.named.includes(name);
    const store = storeOfCollection(name) ?? null;
    if (!isNamed && store === null) continue;
    const living = await countCollection(server, { name, store: isNamed ? null : store }, wanted.workspaces);
    const own = aliases.flatMap(({ alias, collection }) => (collection === name ? [alias] : [])).sort();
    if (isNamed || Object.values(living.workspaces).some((points) => points > 0))
      ours.push({ ...living, aliases: own });
    else if (living.points > 0) foreign.push({ name, points: living.points });
  }
  const shown = wanted.workspaces
    .map((workspace) => (workspace === inPayload('') ? 'the unnamed one' : workspace))
    .join(', ');
  const lost = wanted.named.filter((name) => !there.includes(name));
  const old = there.filter((name) => isOldName(name) && !wanted.named.includes(name));
  return {
    ours,
    missing: [
      ...lost.map((name) => `there is no collection ${name}, which target.qdrant.collections names`),
      ...(wanted.expected && ours.length === 0 && foreign.length > 0
        ? [
            `${foreign.map(({ name }) => name).join(', ')} hold points, and none of the workspace (${shown}): see target.workspace and target.qdrant.workspace`,
          ]
        : []),
    ],
    notes: [
      ...(ours.length === 0 && foreign.length === 0 && lost.length === 0
        ? ['no collection holds points of the backend yet']
        : []),
      ...(ours.length > 0 && foreign.length > 0
        ? [`without a point of the target, and not captured: ${foreign.map(({ name }) => name).join(', ')}`]
        : []),
      ...(old.length > 0
        ? [
            `${old.join(', ')} may be of an older version of the backend; captured once target.qdrant.collections names ${old.length === 1 ? 'it' : 'them'}`,
          ]
        : []),
    ],
  };
}

/** @throws AppError of the server's code when the collection is gone */
export async function countCollection(
  server: QdrantServer,
  { name, store }: Pick<LivingCollection, 'name' | 'store'>,
  workspaces: readonly string[],
): Promise<LivingCollection> {
  const counts: Record<string, number> = {};
  if (store !== null)
    for (const workspace of workspaces) counts[workspace] = await requireCount(server, name, [workspace]);
  return { name, store, points: await requireCount(server, name), workspaces: counts, aliases: [] };
}

async function requireCount(server: QdrantServer, name: string, workspaces?: readonly string[]): Promise<number> {
  const count = await server.count(name, workspaces && ofWorkspaces(workspaces));
  if (count === undefined) throw vanished(server, name);
  return count;
}

export const vanished = (server: QdrantServer, name: string): AppError =>
  new AppError('backup/capture-failed', `The collection ${name} of ${server.place} vanished in the middle. Try again.`);
