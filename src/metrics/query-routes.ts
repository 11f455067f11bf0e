import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import {
  definitionSchema,
  groupOf,
  groupQuery,
  instant,
  labelsSchema,
  matchOf,
  msOf,
  seriesQuery,
  sourcesSchema,
} from './metric-bodies.ts';
import { aggregations, type MetricDefinition, metricCategories, recordedTypes } from './metric-definition.ts';
import type { MetricRouteDeps } from './metric-route-deps.ts';
import { queryWithStore, type WideAnswer } from './query-with-store.ts';
import { rollupTiers } from './tiers.ts';

const hourMs = 3_600_000;
const resolutionOf = (source: WideAnswer['sources'][number]): number =>
  (source.tier === 'store'
    ? source.resolutionMs
    : (rollupTiers.find(({ name }) => name === source.tier)?.windowMs ?? 5_000)) / 1_000;

const shapeSources = (sources: WideAnswer['sources']): z.infer<typeof sourcesSchema> =>
  sources.map((one) => ({
    tier: one.tier,
    resolution_seconds: resolutionOf(one),
    from: isoInstant(one.fromMs),
    to: isoInstant(one.toMs),
  }));

export const shapeDefinition = (one: MetricDefinition): z.infer<typeof definitionSchema> => ({
  name: one.name,
  category: one.category,
  type: one.type,
  unit: one.unit,
  description: one.description,
  aggregations: [...one.aggregations],
  tags: [...one.tags],
  enabled: one.enabled,
  defined_by: one.definedBy,
});

/** What was recorded: over time, as it is now, the greatest, and what there is. */
export const queryRoutes =
  (deps: MetricRouteDeps): RoutePlugin =>
  async (app) => {
    const { metrics, clock, requireEnabled, readBack } = deps;
    const { history, recorder } = metrics;

    app.get(
      '/api/v1/metrics/query',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.query', problems: ['feature/disabled', 'metrics/store-failed'] },
        schema: {
          tags: ['metrics'],
          summary: 'A metric over time, aggregated',
          description:
            'What several series or instants of a window have counts together: `average` is over all samples, `sum` of a counter is what it grew by, `rate` is that per second. Windows begin at whole multiples of the step. Null is a gap: nothing was recorded.',
          querystring: z.object({
            ...seriesQuery,
            aggregation: z.enum(aggregations).default('average'),
            from: instant.describe('An hour before `to` unless told.'),
            to: instant.describe('Now, unless told.'),
            step_seconds: z.coerce
              .number()
              .min(1)
              .max(366 * 86_400)
              .default(60),
            group_by: groupQuery,
            limit: z.coerce.number().int().min(1).max(1_000).default(100).describe('Series of the answer.'),
            source: z
              .enum(['own', 'store'])
              .optional()
              .describe(
                'Where from: the own tiers, or the store that `metrics.read_back` names. Left out: the own tiers, and the store for what is older than they are.',
              ),
          }),
          response: {
            200: z.object({
              name: z.string(),
              unit: z.string().nullable(),
              aggregation: z.enum(aggregations),
              step_seconds: z.number(),
              times: z.array(z.iso.datetime()).describe('Where each window begins.'),
              sources: sourcesSchema,
              approximate: z.boolean().describe('Percentiles that were read from counts in buckets: within 0.8 %.'),
              series: z.array(z.object({ labels: labelsSchema, values: z.array(z.number().nullable()) })),
              total_series: z.number().int().describe('How many there are; the answer has the first of them.'),
              store_error: z
                .string()
                .nullable()
                .describe(
                  'Why what the other store has of the range is missing here; null when it was not needed, or is here.',
                ),
            }),
          },
        },
      },
      async ({ query }) => {
        const toMs = msOf(query.to, clock.now());
        const request = {
          name: query.name,
          match: matchOf(query.match),
          groupBy: groupOf(query.group_by),
          aggregation: query.aggregation,
          fromMs: msOf(query.from, toMs - hourMs),
          toMs,
          stepMs: Math.round(query.step_seconds * 1_000),
          limit: query.limit,
        };
        const answer = await queryWithStore({ history, readBack }, request, query.source);
        return {
          name: query.name,
          unit: recorder.definition(query.name)?.unit ?? null,
          aggregation: query.aggregation,
          step_seconds: answer.stepMs / 1_000,
          times: answer.times.map(isoInstant),
          sources: shapeSources(answer.sources),
          approximate: answer.approximate,
          series: answer.series.map(({ labels, values }) => ({ labels: { ...labels }, values: values.map(finite) })),
          total_series: answer.total,
          store_error: answer.storeError,
        };
      },
    );

    app.get(
      '/api/v1/metrics/latest',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.latest', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'The latest value of each series of a metric',
          querystring: z.object({
            ...seriesQuery,
            within_seconds: z.coerce.number().min(1).max(86_400).default(3_600).describe('Older ones are not told.'),
            limit: z.coerce.number().int().min(1).max(1_000).default(100),
          }),
          response: {
            200: z.object({
              items: z.array(z.object({ labels: labelsSchema, value: z.number().nullable() })),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async ({ query }) => {
        const toMs = clock.now();
        const { series } = await history.query({
          name: query.name,
          match: matchOf(query.match),
          aggregation: 'last',
          fromMs: toMs - query.within_seconds * 1_000,
          toMs,
          limit: query.limit,
        });
        return {
          items: series.map(({ labels, values }) => ({ labels: { ...labels }, value: finite(values[0] ?? null) })),
          next_cursor: null,
        };
      },
    );

    app.get(
      '/api/v1/metrics/top',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.top', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'The series of a metric with the greatest values',
          querystring: z.object({
            ...seriesQuery,
            aggregation: z.enum(aggregations).default('average'),
            from: instant.describe('An hour before `to` unless told.'),
            to: instant.describe('Now, unless told.'),
            group_by: groupQuery,
            order: z.enum(['greatest', 'least']).default('greatest'),
            limit: z.coerce.number().int().min(1).max(100).default(10),
          }),
          response: {
            200: z.object({
              items: z.array(z.object({ labels: labelsSchema, value: z.number() })),
              next_cursor: z.null(),
              total_series: z.number().int(),
              sources: sourcesSchema,
            }),
          },
        },
      },
      async ({ query }) => {
        const toMs = msOf(query.to, clock.now());
        const answer = await history.query({
          name: query.name,
          match: matchOf(query.match),
          groupBy: groupOf(query.group_by),
          aggregation: query.aggregation,
          fromMs: msOf(query.from, toMs - hourMs),
          toMs,
        });
        const sign = query.order === 'greatest' ? -1 : 1;
        const items = answer.series.flatMap(({ labels, values }) => {
          const value = finite(values[0] ?? null);
          return value === null ? [] : [{ labels: { ...labels }, value }];
        });
        return {
          items: items.sort((a, b) => sign * (a.value - b.value)).slice(0, query.limit),
          next_cursor: null,
          total_series: answer.total,
          sources: shapeSources(answer.sources),
        };
      },
    );

    app.get(
      '/api/v1/metrics/types',
      {
        config: { access: 'scrape', activity: 'metrics.types' },
        schema: {
          tags: ['metrics'],
          summary: 'Which types, categories and aggregations of metrics there are',
          response: {
            200: z.object({
              types: z.array(z.enum(recordedTypes)),
              categories: z.array(z.enum(metricCategories)),
              aggregations: z.array(z.enum(aggregations)),
            }),
          },
        },
      },
      async () => ({ types: [...recordedTypes], categories: [...metricCategories], aggregations: [...aggregations] }),
    );

    app.get(
      '/api/v1/metrics/definitions',
      {
        preHandler: requireEnabled,
        config: { access: 'scrape', activity: 'metrics.definitions', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'What is recorded, by name',
          querystring: z.object({
            category: z.enum(metricCategories).optional(),
            type: z.enum(recordedTypes).optional(),
            cursor: definitionCursor.optional().describe('`next_cursor` of the page before.'),
            limit: z.coerce.number().int().min(1).max(1_000).default(200),
          }),
          response: { 200: z.object({ items: z.array(definitionSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const after = query.cursor === undefined ? undefined : nameOfCursor(query.cursor);
        const found = recorder
          .definitions()
          .filter(
            (one) =>
              (query.category === undefined || one.category === query.category) &&
              (query.type === undefined || one.type === query.type) &&
              (after === undefined || one.name > after),
          );
        const items = found.slice(0, query.limit);
        const last = items.at(-1);
        return {
          items: items.map(shapeDefinition),
          next_cursor: found.length > items.length && last ? cursorOfName(last.name) : null,
        };
      },
    );

    app.get(
      '/api/v1/metrics/definitions/:name',
      {
        preHandler: requireEnabled,
        config: {
          access: 'scrape',
          activity: 'metrics.definition',
          problems: ['feature/disabled', 'request/not-found'],
        },
        schema: {
          tags: ['metrics'],
          summary: 'What one metric is',
          params: z.object({ name: z.string().max(200) }),
          response: { 200: definitionSchema },
        },
      },
      async ({ params }) => {
        const found = recorder.definition(params.name);
        if (found === undefined) throw new AppError('request/not-found', `Nothing is recorded as ${params.name}.`);
        return shapeDefinition(found);
      },
    );
  };

/** JSON has no infinities. */
const finite = (value: number | null): number | null => (value !== null && Number.isFinite(value) ? value : null);

/** Told apart from a name, so that nobody makes one up: `after-` and the name in base64url. */
const definitionCursor = z
  .string()
  .max(400)
  .regex(/^after-[A-Za-z0-9_-]+$/, 'must be the next_cursor of a page before');
const cursorOfName = (name: string): string => `after-${Buffer.from(name).toString('base64url')}`;
const nameOfCursor = (cursor: string): string => Buffer.from(cursor.slice('after-'.length), 'base64url').toString();
