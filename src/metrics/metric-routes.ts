import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { MetricRouteDeps } from './metric-route-deps.ts';
import { otlpRoutes } from './otlp/otlp-routes.ts';
import { overviewRoutes } from './overview-routes.ts';
import { queryRoutes } from './query-routes.ts';
import { recordRoutes } from './record-routes.ts';

/** Everything below `/api/v1/metrics`, and where OpenTelemetry sends to. */
export const metricRoutes =
  ({ enabled, ...given }: Omit<MetricRouteDeps, 'requireEnabled'> & { readonly enabled: boolean }): RoutePlugin =>
  async (app) => {
    const deps: MetricRouteDeps = {
      ...given,
      async requireEnabled() {
        if (!enabled)
          throw new AppError(
            'feature/disabled',
            'Metrics are switched off by LIGHTRAG_METRICS_ENABLED (metrics.enabled).',
          );
      },
    };
    await app.register(queryRoutes(deps));
    await app.register(recordRoutes(deps));
    await app.register(overviewRoutes(deps));
    const { metrics, log, clock, requireEnabled } = deps;
    await app.register(
      otlpRoutes({ intake: metrics.otlp, recorder: metrics.recorder, log, now: () => clock.now(), requireEnabled }),
    );
  };
