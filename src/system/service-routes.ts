import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { ServiceRegistry } from './service-registry.ts';

const serviceBody = z.object({
  name: z.string(),
  kind: z.enum(['job', 'listener']),
  state: z.enum(['running', 'waiting', 'late', 'stopped']),
  since: z.string().nullable(),
  last_run: z.string().nullable(),
  runs: z.number().nullable(),
  failures: z.number().nullable(),
  last_error: z.string().nullable(),
});

const instanceBody = z
  .object({
    instance: z.string(),
    version: z.string(),
    started_at: z.string(),
    told_at: z.string().describe('When it last said what runs in it.'),
    here: z.boolean().describe('The instance that answers.'),
    alive: z.boolean().describe('It said so within the last three minutes.'),
    services: z.array(serviceBody),
  })
  .meta({ id: 'Instance' });
export type InstanceBody = z.infer<typeof instanceBody>;

/** What runs here, and in the other instances on the same state. */
export const serviceRoutes =
  ({ registry }: { registry: ServiceRegistry }): RoutePlugin =>
  async (app) => {
    app.get(
      '/api/v1/system/services',
      {
        config: { access: 'admin', activity: 'list services' },
        schema: {
          tags: ['system'],
          summary: 'What runs in this instance and in the others: version, since when, last run, last error',
          response: { 200: z.object({ items: z.array(instanceBody), next_cursor: z.null() }) },
        },
      },
      async () => ({
        items: (await registry.list()).map((one) => ({
          ...{ instance: one.instance, version: one.version, started_at: isoInstant(one.startedMs) },
          ...{ told_at: isoInstant(one.toldMs), here: one.here, alive: one.alive },
          services: one.services.map(({ since_ms, last_run_ms, ...rest }) => ({
            ...rest,
            since: isoInstantOrNull(since_ms),
            last_run: isoInstantOrNull(last_run_ms),
          })),
        })),
        next_cursor: null,
      }),
    );
  };
