import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ofWorkspaces } from '../../sources/qdrant/lightrag-collections.ts';
import type { QdrantDetails } from '../../sources/qdrant/qdrant-details.ts';
import type { QdrantServer } from '../../sources/qdrant/qdrant-server.ts';
import type { ComponentPlan, RestorerRequest, RestoreScope } from '../restorer.ts';
import {
  asideProblem,
  type CollectionMove,
  decideMove,
  decideWorkspaces,
  judgeVersions,
  type Living,
  scopeProblem,
} from './decide-moves.ts';

export type LookedMove = CollectionMove & { readonly living: Living | undefined };

/** Looks at what is there and decides how each collection goes back. Nothing is changed. */
export async function lookAtMoves(
  server: QdrantServer,
  details: QdrantDetails,
  scope: RestoreScope,
  named: (workspace: string) => string,
): Promise<LookedMove[]> {
  const moves: LookedMove[] = [];
  for (const captured of details.collections) {
    const workspaces = decideWorkspaces(captured, scope, named);
    const { collection } = decideMove(captured, scope, workspaces, undefined);
    const points = await server.count(collection);
    const replaced =
      points === undefined || workspaces === undefined
        ? points
        : await server.count(collection, ofWorkspaces([...workspaces.values()]));
    const living = points === undefined || replaced === undefined ? undefined : { points, replaced };
    moves.push({ ...decideMove(captured, scope, workspaces, living), living });
  }
  return moves;
}

/** Points of the collection that go back; undefined: the point did not count that workspace. */
export function comingPoints({ captured, workspaces }: CollectionMove): number | undefined {
  if (workspaces === undefined) return captured.points;
  let sum = 0;
  for (const name of workspaces.keys()) {
    const points = captured.workspaces[name];
    if (points === undefined) return undefined;
    sum += points;
  }
  return sum;
}

const methods = {
  new: 'it is not there: the snapshot makes it anew',
  whole: 'the snapshot takes the place of all that it holds, which is the target’s alone',
  points: 'the points of the workspaces that go back are exchanged; those of others stay',
  beside: 'a new collection beside the living one',
} as const;

export async function planQdrant(
  server: QdrantServer,
  details: QdrantDetails,
  request: RestorerRequest,
  options: { readonly folder: string; named(workspace: string): string },
): Promise<ComponentPlan> {
  const { scope } = request;
  const moves = await lookAtMoves(server, details, scope, options.named);
  const peers = await server.peers();
  const version = await server.version();
  const versions = judgeVersions(version, details.qdrant_version);
  const bytes = details.collections.reduce((sum, one) => sum + one.bytes, 0);
  const free = await statfs(dirname(options.folder)).then(
    (found) => found.bavail * found.bsize,
    () => undefined,
  );
  const problems = [asideProblem(scope.aside), scopeProblem(details, scope), versions.blocker];
  const taken = moves.filter(({ method, living }) => method === 'beside' && living !== undefined);
  const slow = moves.filter(({ method }) => method === 'points');
  return {
    place: server.place,
    method:
      'each snapshot is taken in under a name of its own and counted, then takes the place of what is there; snapshots of before are kept here until the next restore',
    items: moves.map((move) => {
      const { collection, method, living } = move;
      return {
        name: collection,
        action: living === undefined ? 'add' : 'replace',
        reason: methods[method],
        oldBytes: null,
        newBytes: move.captured.bytes,
        oldRows: living?.replaced ?? 0,
        newRows: comingPoints(move) ?? null,
      };
    }),
    bytesIn: bytes,
    // What comes, and as much for what is there.
    freeNeededBytes: 2 * bytes,
    freeAvailableBytes: free ?? null,
    lost: { rows: null, examples: [] },
    warnings: [
      `it needs room for each collection twice more while it lasts: about ${2 * bytes} bytes on the disk of the Qdrant, which does not say what is free`,
      ...(versions.warning === undefined ? [] : [versions.warning]),
      ...(slow.length === 0
        ? []
        : [`point by point, which takes longer: ${slow.map(({ collection }) => collection).join(', ')}`]),
      ...sharedWarnings(moves),
    ],
    blockers: [
      ...problems.filter((one) => one !== undefined),
      ...(peers > 1 ? [`its collections are spread over ${peers} servers, which is not supported`] : []),
      ...(free !== undefined && free < 2 * bytes
        ? [`what comes and what is there need about ${2 * bytes} bytes here, and ${free} are free`]
        : []),
      ...taken.map(({ collection }) => `there is a collection ${collection} already: name another ending`),
    ],
  };
}

function sharedWarnings(moves: readonly LookedMove[]): string[] {
  const shared = moves.flatMap(({ method, living, collection }) =>
    method === 'points' && living !== undefined && living.points > living.replaced
      ? [`${living.points - living.replaced} points of ${collection}`]
      : [],
  );
  return shared.length === 0 ? [] : [`of other workspaces, and stay as they are: ${shared.join(', ')}`];
}
