import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Analytics } from './analytics.ts';
import {
  forecastBody,
  forecastSchema,
  lookBody,
  lookSchema,
  patternBody,
  patternSchema,
  profilesBody,
  profilesSchema,
  recommendationBody,
  recommendationSchema,
} from './analytics-bodies.ts';
import { recommendationStates } from './known-recommendation.ts';
import { patternTypes } from './pattern.ts';
import { optimizationTypes, priorities } from './recommendation.ts';

export const base = '/api/v1/metrics/analytics';

/** Where a list goes on, as `next_cursor` told it. */
const place = z
  .string()
  .regex(/^\d{1,9}$/, 'is the `next_cursor` of a page before')
  .optional();
const limit = z.coerce.number().int().min(1).max(100).default(50);
const resourceType = z.string().min(1).max(200).optional().describe('Such as `memory`; of applications `metric`.');
const windowHours = z.coerce
  .number()
  .int()
  .min(1)
  .max(720)
  .optional()
  .describe('How far back; `analytics.window_hours` unless told.');
const instance = z
  .string()
  .min(1)
  .max(63)
  .optional()
  .describe('What this instance has alone, with what all share; every instance unless told.');
const lookedAt = z.iso
  .datetime()
  .nullable()
  .describe('When this instance looked last; null: it has not yet, or could not.');
const ofOne = z.object({ recommendation_id: z.string().min(1).max(60) });
const mostShown = 1_000;

/** What the series say: how resources are used, what they do, where they go, and what to do about it. */
export const analyticsRoutes =
  (deps: { readonly analytics: Analytics; readonly enabled: boolean; windowHours(): number }): RoutePlugin =>
  async (app) => {
    const { analytics } = deps;
    const tags = ['analytics'];
    const requireEnabled = (): void => {
      if (deps.enabled) return;
      throw new AppError(
        'feature/disabled',
        'Nothing is analysed: `analytics.enabled` (RAGWARDEN_ANALYTICS_ENABLED) or `metrics.enabled` is off.',
      );
    };
    const pageEnd = (first: number, size: number, total: number) => ({
      next_cursor: first + size < total ? String(first + size) : null,
      total,
      looked_at: isoInstantOrNull(analytics.lastLook()?.atMs),
    });

    app.get(
      `${base}/profiles`,
      {
        config: {
          access: 'service',
          activity: 'analytics.profiles',
          problems: ['feature/disabled', 'analytics/too-many-looks'],
        },
        schema: {
          tags,
          summary: 'How each resource was used over a window',
          description:
            'From the last look at this window, until `analytics.interval_seconds` have passed since `looked_at`. What has fewer than ten steps with values stands under `unprofiled`, without figures.',
          querystring: z.object({ resource_type: resourceType, window_hours: windowHours }),
          response: { 200: profilesSchema },
        },
      },
      async ({ query }) => {
        requireEnabled();
        const hours = query.window_hours ?? deps.windowHours();
        const every = { limit: mostShown, offset: 0, instance: analytics.instance };
        const open = await analytics.recommendations({ ...every, state: 'open' });
        const dismissed = await analytics.recommendations({ ...every, state: 'dismissed' });
        const looked = await analytics.look(hours * 3_600_000);
        return profilesBody(looked, {
          ...{ instance: analytics.instance, windowHours: hours, resourceType: query.resource_type },
          recommendations: [...open.items, ...dismissed.items],
        });
      },
    );

    app.get(
      `${base}/patterns`,
      {
        config: { access: 'service', activity: 'analytics.patterns', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'What resources do, the surest first',
          description: 'From the last look; one older than `analytics.interval_seconds` is taken anew first.',
          querystring: z.object({
            resource_type: resourceType,
            instance,
            pattern_type: z.enum(patternTypes).optional(),
            ended: z.enum(['true', 'false']).default('false').describe('Those that are found no more, instead.'),
            cursor: place,
            limit,
          }),
          response: {
            200: z.object({
              items: z.array(patternSchema),
              next_cursor: z.string().nullable(),
              total: z.number().int(),
              looked_at: lookedAt,
            }),
          },
        },
      },
      async ({ query }) => {
        requireEnabled();
        const first = Number(query.cursor ?? 0);
        const { items, total } = await analytics.patterns({
          ...{ resourceType: query.resource_type, patternType: query.pattern_type, ended: query.ended === 'true' },
          ...{ instance: query.instance, limit: query.limit, offset: first },
        });
        return { items: items.map(patternBody), ...pageEnd(first, items.length, total) };
      },
    );

    app.get(
      `${base}/recommendations`,
      {
        config: { access: 'service', activity: 'analytics.recommendations', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'What to do about it, the gravest first, of one priority the newest',
          description:
            'Each rests on a pattern. It stays open until somebody dismisses it or its cause is gone. What to change of the parameters of a backend is told by `/api/v1/tuning/advice`.',
          querystring: z.object({
            priority: z.enum(priorities).optional(),
            optimization_type: z.enum(optimizationTypes).optional(),
            resource_type: resourceType,
            instance,
            state: z.enum([...recommendationStates, 'all']).default('open'),
            cursor: place,
            limit,
          }),
          response: {
            200: z.object({
              items: z.array(recommendationSchema),
              next_cursor: z.string().nullable(),
              total: z.number().int(),
              looked_at: lookedAt,
            }),
          },
        },
      },
      async ({ query }) => {
        requireEnabled();
        const first = Number(query.cursor ?? 0);
        const { items, total } = await analytics.recommendations({
          ...{ priority: query.priority, optimizationType: query.optimization_type, resourceType: query.resource_type },
          state: query.state === 'all' ? undefined : query.state,
          ...{ instance: query.instance, limit: query.limit, offset: first },
        });
        return { items: items.map(recommendationBody), ...pageEnd(first, items.length, total) };
      },
    );

    app.get(
      `${base}/forecasts`,
      {
        config: {
          access: 'service',
          activity: 'analytics.forecasts',
          problems: ['feature/disabled', 'analytics/too-many-looks'],
        },
        schema: {
          tags,
          summary: 'When limits are reached, with intervals, or why nobody can say',
          querystring: z.object({ resource_type: resourceType, window_hours: windowHours }),
          response: {
            200: z.object({ items: z.array(forecastSchema), next_cursor: z.null(), looked_at: z.iso.datetime() }),
          },
        },
      },
      async ({ query }) => {
        requireEnabled();
        const { atMs, analysis } = await analytics.look((query.window_hours ?? deps.windowHours()) * 3_600_000);
        const wanted = analysis.forecasts.filter(
          (one) => query.resource_type === undefined || one.resourceType === query.resource_type,
        );
        // What is full first is read first.
        const ordered = [...wanted].sort((a, b) => (a.reachedAtMs ?? Infinity) - (b.reachedAtMs ?? Infinity) || 0);
        return { items: ordered.map(forecastBody), next_cursor: null, looked_at: isoInstant(atMs) };
      },
    );

    app.post(
      `${base}/run`,
      {
        config: { access: 'admin', activity: 'analytics.run', problems: ['feature/disabled'] },
        schema: { tags, summary: 'Look now', response: { 200: lookSchema } },
      },
      async () => {
        requireEnabled();
        const before = analytics.job.state().failures;
        await analytics.job.runOnce();
        const look = analytics.lastLook();
        if (!look || analytics.job.state().failures > before)
          throw new AppError('conflict/state', `The look failed: ${analytics.job.state().lastError ?? '-'}`);
        return lookBody(look);
      },
    );

    app.post(
      `${base}/recommendations/:recommendation_id/dismiss`,
      {
        config: {
          access: 'admin',
          activity: 'analytics.dismiss',
          problems: ['analytics/unknown-recommendation', 'conflict/state'],
        },
        schema: {
          tags,
          summary: 'Say that nothing will be done about it, and why',
          params: ofOne,
          body: z.object({ reason: z.string().trim().min(1).max(500) }),
          response: { 200: recommendationSchema },
        },
      },
      async ({ params, body, principal }) =>
        recommendationBody(
          await analytics.dismiss(params.recommendation_id, body.reason, principal?.subject ?? 'unknown'),
        ),
    );

    app.post(
      `${base}/recommendations/:recommendation_id/reopen`,
      {
        config: {
          access: 'admin',
          activity: 'analytics.reopen',
          problems: ['analytics/unknown-recommendation', 'conflict/state'],
        },
        schema: { tags, summary: 'Take a dismissal back', params: ofOne, response: { 200: recommendationSchema } },
      },
      async ({ params, principal }) =>
        recommendationBody(await analytics.reopen(params.recommendation_id, principal?.subject ?? 'unknown')),
    );
  };
