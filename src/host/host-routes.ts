import { z } from 'zod';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import {
  healthBody,
  hostHealthSchema,
  systemBody,
  systemSchema,
  type UserUsage,
  userBody,
  userStorageSchema,
} from './host-bodies.ts';
import { decideHostHealth, type HostThresholds } from './host-health.ts';
import type { HostSampler } from './host-sampler.ts';

export type HostRoutesDeps = {
  /** False: nothing is sampled, and the routes say so. */
  readonly enabled: boolean;
  readonly sampler: HostSampler;
  readonly clock: Clock;
  /** Read at each request, since thresholds can be changed while running. */
  thresholds(): HostThresholds;
  /** What a user asked the backend for, where somebody counts that. */
  usage?: ((userId: string) => UserUsage | undefined) | undefined;
};

/** What the sampler last saw. Asking never measures anything. */
export const hostRoutes =
  ({ enabled, sampler, clock, thresholds, usage }: HostRoutesDeps): RoutePlugin =>
  async (app) => {
    app.addHook('preHandler', async () => {
      if (!enabled)
        throw new AppError(
          'feature/disabled',
          'Monitoring is switched off by MONITORING_ENABLED (monitoring.enabled).',
        );
    });

    const notSampled = (what: string): AppError =>
      new AppError('host/not-sampled', sampler.unavailable() ?? `${what} Ask again in a moment.`, {
        retryAfterSeconds: 1,
      });
    const tags = ['monitoring'];

    app.get(
      '/api/v1/monitoring/system',
      {
        config: { access: 'admin', activity: 'read host', problems: ['feature/disabled', 'host/not-sampled'] },
        schema: { tags, summary: 'CPU, memory, disks, network and processes', response: { 200: systemSchema } },
      },
      async () => {
        const sample = sampler.latest();
        if (sample === undefined) throw notSampled('The host was not sampled yet.');
        return systemBody(sample, sampler.userDirectories());
      },
    );

    app.get(
      '/api/v1/monitoring/health',
      {
        config: { access: 'public', activity: 'read host health', problems: ['feature/disabled'] },
        schema: { tags, summary: 'Whether CPU, memory and disks are well', response: { 200: hostHealthSchema } },
      },
      async (request) => {
        const nowMs = clock.now();
        const sample = sampler.latest();
        const health = decideHostHealth(sample, thresholds(), sampler.recent(), {
          nowMs,
          staleAfterMs: sampler.staleAfterMs(),
        });
        if (request.principal?.role !== 'admin') return healthBody(health, nowMs);
        const metrics = sample === undefined ? null : systemBody(sample, sampler.userDirectories());
        return healthBody(health, nowMs, { metrics });
      },
    );

    app.get(
      '/api/v1/monitoring/user/:user_id',
      {
        config: {
          access: 'admin',
          activity: 'read user storage',
          problems: ['feature/disabled', 'host/not-sampled', 'request/not-found'],
        },
        schema: {
          tags,
          summary: 'Storage, requests, tokens and cost of one user',
          params: z.object({ user_id: z.string() }),
          response: { 200: userStorageSchema },
        },
      },
      async (request) => {
        const directories = sampler.userDirectories();
        // Only names that the walk found are looked up; the id never becomes a path.
        const body = userBody(request.params.user_id, directories, usage?.(request.params.user_id));
        if (body === undefined && directories === undefined)
          throw notSampled('User directories were not measured yet.');
        if (body === undefined)
          throw new AppError(
            'request/not-found',
            'There is no such user directory below the data folder, and nobody of that name asked for anything.',
          );
        return body;
      },
    );
  };
