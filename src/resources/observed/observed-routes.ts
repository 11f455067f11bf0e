import { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { type MeasureName, measureNames } from './measure.ts';
import { evidenceBody, evidenceSchema, observedSeriesBody, observedSeriesSchema } from './observed-bodies.ts';
import type { Observer } from './observer.ts';

const base = '/api/v1/metrics/resources/observed';

/** What processes and servers hold, seen from outside, and the evidence for what leaks. */
export const observedRoutes =
  ({ observer, enabled }: { observer: Observer; enabled: boolean }): RoutePlugin =>
  async (app) => {
    const tags = ['resources'];
    const requireEnabled = (): void => {
      if (enabled) return;
      throw new AppError(
        'feature/disabled',
        'Processes are not looked at: `resources.observe_enabled` or `monitoring.enabled` is off.',
      );
    };

    app.get(
      base,
      {
        config: { access: 'service', activity: 'resources.observed', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'What is looked at of processes and servers, as last seen',
          response: {
            200: z.object({
              items: z.array(observedSeriesSchema),
              next_cursor: z.string().nullable(),
              unseen: z
                .array(z.object({ source: z.string(), reason: z.string() }))
                .describe('What could not be seen at the last look.'),
            }),
          },
        },
      },
      async () => {
        requireEnabled();
        return {
          items: observer.series().map(observedSeriesBody),
          next_cursor: null,
          unseen: [...observer.unseen()].map(([source, reason]) => ({ source, reason })),
        };
      },
    );

    app.get(
      `${base}/evidence`,
      {
        config: {
          access: 'service',
          activity: 'resources.evidence',
          problems: ['feature/disabled', 'resource/unknown'],
        },
        schema: {
          tags,
          summary: 'One measure over the last three days, and what it shows',
          querystring: z.object({
            subject: z.string().min(1).max(300),
            measure: z.enum(measureNames as [MeasureName, ...MeasureName[]]),
          }),
          response: { 200: evidenceSchema },
        },
      },
      async ({ query }) => {
        requireEnabled();
        const series = observer.find(query.subject, query.measure);
        if (!series)
          throw new AppError(
            'resource/unknown',
            `Nothing is known of ${query.measure} of "${query.subject.slice(0, 100)}". \`ragwarden resources observed\` lists what is.`,
          );
        return evidenceBody(series);
      },
    );
  };
