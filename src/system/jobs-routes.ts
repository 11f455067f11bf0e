import { z } from 'zod';
import { type Clock, isoInstantOrNull } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Jobs } from '../platform/jobs.ts';

const job = z.object({
  name: z.string(),
  interval_seconds: z.number(),
  runs: z.number().int(),
  failures: z.number().int(),
  running: z.boolean(),
  last_started_at: z.iso.datetime().nullable(),
  last_finished_at: z.iso.datetime().nullable(),
  last_error: z.string().nullable().describe('Of the last run; null when it went well.'),
  late: z.string().nullable().describe('Why it counts as stuck or overdue; null while it keeps its time.'),
});

/** What works in the background, and whether it keeps its time. */
export const jobsRoutes =
  ({ jobs, clock }: { jobs: Jobs; clock: Clock }): RoutePlugin =>
  async (app) => {
    app.get(
      '/api/v1/system/jobs',
      {
        config: { access: 'admin', activity: 'list jobs' },
        schema: {
          tags: ['system'],
          summary: 'Background jobs: when each ran, what went wrong, whether it keeps its time',
          response: { 200: z.object({ items: z.array(job), next_cursor: z.null() }) },
        },
      },
      async () => ({
        items: jobs.states(clock.now()).map((state) => ({
          name: state.name,
          interval_seconds: state.intervalMs / 1000,
          runs: state.runs,
          failures: state.failures,
          running: state.running,
          last_started_at: isoInstantOrNull(state.lastStartedAt),
          last_finished_at: isoInstantOrNull(state.lastFinishedAt),
          last_error: state.lastError,
          late: state.late,
        })),
        next_cursor: null,
      }),
    );
  };
