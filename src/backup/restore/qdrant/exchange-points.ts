import { notOfWorkspaces, ofWorkspaces, pointInWorkspace } from '../../sources/qdrant/lightrag-collections.ts';
import type { QdrantServer } from '../../sources/qdrant/qdrant-server.ts';

/**
 * Puts the points of some workspaces from one collection into the place of those in another. Killed in the middle it is done again
 * from its beginning, or undone the same way from the old collection: points of no other workspace are touched by either.
 */
export async function exchangePoints(
  server: QdrantServer,
  from: string,
  to: string,
  workspaces: ReadonlyMap<string, string>,
  step: () => Promise<void>,
): Promise<void> {
  for (const [source, place] of workspaces) {
    await server.removePoints(to, ofWorkspaces([place]));
    for await (const points of server.scroll(from, ofWorkspaces([source])))
      await server.upsert(to, source === place ? points : points.map((point) => pointInWorkspace(point, place)));
    await step();
  }
}

/** What else a snapshot brought along. @param kept as the payload names them */
export const dropOthers = (server: QdrantServer, collection: string, kept: readonly string[]): Promise<void> =>
  server.removePoints(collection, notOfWorkspaces(kept));

/** Whether there are points of other workspaces. @param places as the payload names them */
export const holdsOthers = async (
  server: QdrantServer,
  collection: string,
  places: readonly string[],
): Promise<boolean> => ((await server.count(collection, notOfWorkspaces(places))) ?? 0) > 0;
