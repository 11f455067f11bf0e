import { findDatabaseOrphans } from '../backup/index.ts';
import { createOrphanSearches, type FindStoreOrphans, type OrphanSearches } from '../targets/index.ts';
import type { Ground } from './ground.ts';
import { connectionOf } from './postgres-store.ts';
import type { Watching } from './watching.ts';

/** The search for what belongs to nothing any more: in the files, and in the backend's database where there is one. */
export function createOrphanWiring(
  ground: Ground,
  { targets, inspections, targetConfig }: Watching,
): { readonly orphans: OrphanSearches } {
  const { config, live, db, events, clock, logOf } = ground;
  const { postgres } = config.targetDatabases;
  const ofDatabase: FindStoreOrphans | undefined =
    // Only of LightRAG is it known what in its tables belongs to what.
    config.target?.kind !== 'lightrag' || postgres === undefined
      ? undefined
      : (signal) =>
          findDatabaseOrphans(connectionOf(postgres), {
            targetId: targetConfig?.id ?? '',
            workspace: postgres.workspace ?? targetConfig?.workspace ?? '',
            signal,
          });
  const orphans = createOrphanSearches({
    ...{ targets, inspections, db, events, clock },
    databases: () => new Map(ofDatabase ? [['database', ofDatabase]] : []),
    intervalMs: config.resources.orphanCheckIntervalMs,
    log: logOf('targets'),
  });
  live.onChange((now) => orphans.setIntervalMs(now.resources.orphanCheckIntervalMs));
  return { orphans };
}

/** What the last search found in the files of a target. */
export const inFiles = async (orphans: Pick<OrphanSearches, 'last'>, targetId: string) =>
  ((await orphans.last(targetId))?.findings ?? []).filter(({ store }) => store === 'files');
