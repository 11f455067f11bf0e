import type { RoutePlugin } from '../platform/http/index.ts';
import { createTuning, lightragConfigRoutes, type Tuning, tuningRoutes } from '../tuning/index.ts';
import type { Ground } from './ground.ts';

export type TuningWiring = { readonly tuning: Tuning; readonly tuningRoutes: RoutePlugin };

/** The backend's parameters: what they are for whom, and how they came to be so. */
export function createTuningWiring({ db, events, clock, live }: Ground): TuningWiring {
  const tuning = createTuning({ db, events, clock, firstValues: () => live.config().tuning.first });
  return {
    tuning,
    async tuningRoutes(app) {
      await app.register(lightragConfigRoutes({ tuning }));
      await app.register(tuningRoutes({ tuning }));
    },
  };
}
