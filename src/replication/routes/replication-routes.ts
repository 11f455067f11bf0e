import type { RoutePlugin } from '../../platform/http/index.ts';
import { copyRoutes } from './copy-routes.ts';
import type { ReplicationRoutesDeps } from './route-deps.ts';
import { statusRoutes } from './status-routes.ts';
import { targetRoutes } from './target-routes.ts';

/** Places that points are copied to, what lies there, what was done, and what is to be done. */
export const replicationRoutes =
  (deps: ReplicationRoutesDeps): RoutePlugin =>
  async (app) => {
    for (const routes of [targetRoutes, copyRoutes, statusRoutes]) await app.register(routes(deps));
  };
