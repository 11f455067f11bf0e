import { z } from 'zod';
import { isoInstantOrNull } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Growth } from './growth.ts';

const line = z.object({
  kind: z.string(),
  what: z.string(),
  unit: z.enum(['entries', 'bytes']),
  used: z.number().int().nullable().describe('Null before the first look.'),
  cap: z.number().int().nullable().describe('Null: none.'),
  percent: z.number().nullable(),
  setting: z.string().describe('What sets the cap.'),
  measured_at: z.iso.datetime().nullable(),
  last_trimmed_at: z.iso.datetime().nullable(),
  last_trimmed: z.number().int().nullable().describe('How much went then.'),
  error: z.string().nullable(),
});

/** What of ours grows, how far, and what bounds it; as last measured. */
export const growthRoutes =
  ({ growth }: { growth: Growth }): RoutePlugin =>
  async (app) => {
    app.get(
      '/api/v1/system/growth',
      {
        config: { access: 'admin', activity: 'read growth' },
        schema: {
          tags: ['system'],
          summary: 'What of ragwarden grows, how far, and what bounds it',
          response: { 200: z.object({ items: z.array(line), next_cursor: z.null() }) },
        },
      },
      async () => ({
        items: (await growth.lines()).map((one) => ({
          kind: one.kind,
          what: one.what,
          unit: one.unit,
          used: one.used,
          cap: one.cap === 0 ? null : one.cap,
          percent: one.used === null || one.cap === 0 ? null : Math.round((one.used / one.cap) * 1000) / 10,
          setting: one.setting,
          measured_at: isoInstantOrNull(one.measuredAtMs),
          last_trimmed_at: isoInstantOrNull(one.lastTrimmedAtMs),
          last_trimmed: one.lastTrimmed,
          error: one.error,
        })),
        next_cursor: null,
      }),
    );
  };
