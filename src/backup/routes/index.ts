import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { graphRoutes } from './graph-routes.ts';
import { pointRoutes } from './point-routes.ts';
import { repositoryRoutes } from './repository-routes.ts';
import { restoreRoutes } from './restore-routes.ts';
import type { BackupRoutesDeps } from './route-deps.ts';
import { runRoutes } from './run-routes.ts';
import { scheduleRoutes } from './schedule-routes.ts';
import { snapshotRoutes } from './snapshot-routes.ts';
import { sourceRoutes } from './source-routes.ts';
import { timelineRoutes } from './timeline-routes.ts';
import { upkeepRoutes } from './upkeep-routes.ts';

/** Recovery points over HTTP, with the paths and fields of the documents and the operations behind them. */
export const backupRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    app.addHook('onRequest', async (request) => {
      if (!deps.enabled && request.principal)
        throw new AppError('feature/disabled', 'Backups are switched off by BACKUP_ENABLED (backup.enabled).');
    });
    for (const rooms of [
      runRoutes,
      pointRoutes,
      timelineRoutes,
      scheduleRoutes,
      restoreRoutes,
      repositoryRoutes,
      upkeepRoutes,
      snapshotRoutes,
      graphRoutes,
      sourceRoutes,
    ])
      await app.register(rooms(deps));
  };
