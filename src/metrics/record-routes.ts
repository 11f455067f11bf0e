import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { definitionSchema } from './metric-bodies.ts';
import {
  aggregations,
  type GivenDefinition,
  type MetricDefinition,
  metricCategories,
  metricName,
  recordedTypes,
} from './metric-definition.ts';
import type { MetricRouteDeps } from './metric-route-deps.ts';
import { shapeDefinition } from './query-routes.ts';
import type { Recording } from './recorder.ts';

const mostItems = 10_000;
const told = 100;

/** One value of a batch. Each is read by itself, so that a bad one spoils no other. */
const recordingSchema = z
  .strictObject({
    name: z.string(),
    value: z.number(),
    type: z.enum(recordedTypes).optional(),
    labels: z.record(z.string(), z.string()).optional(),
    tags: z.record(z.string(), z.string()).optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    timestamp: z.iso.datetime({ offset: true }).optional(),
    unit: z.string().max(50).optional(),
  })
  .transform(
    ({ name, value, type, labels, tags, metadata, timestamp, unit }): Recording => ({
      name,
      value,
      use: type ?? 'value',
      labels: labels ?? tags,
      metadata,
      atMs: timestamp === undefined ? undefined : Date.parse(timestamp),
      unit,
    }),
  );

/** Values from other processes, and what they mean. */
export const recordRoutes =
  (deps: MetricRouteDeps): RoutePlugin =>
  async (app) => {
    const { metrics, db, events, requireEnabled } = deps;
    const { recorder } = metrics;

    app.post(
      '/api/v1/metrics/record',
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'metrics.record', problems: ['feature/disabled'] },
        schema: {
          tags: ['metrics'],
          summary: 'Record values',
          description:
            'Each item has `name` and `value`, and may have `type` (counter, gauge, histogram, timer, rate), `labels` (or `tags`), `metadata`, `timestamp` (at most an hour old and five minutes ahead) and `unit`. A counter grows by the value. A metric that nobody defined defines itself. Items that are not right are told one by one and do not keep the others out.',
          body: z.object({
            items: z.array(z.record(z.string(), z.unknown())).min(1).max(mostItems).describe('At most 10,000.'),
          }),
          response: {
            200: z.object({
              accepted: z.number().int(),
              rejected: z.number().int(),
              errors: z
                .array(z.object({ index: z.number().int(), reason: z.string(), detail: z.string() }))
                .describe('Why, by the place in the batch; the first hundred.'),
            }),
          },
        },
      },
      async ({ body }) => {
        let accepted = 0;
        const errors: { index: number; reason: string; detail: string }[] = [];
        let rejected = 0;
        for (const [index, item] of body.items.entries()) {
          const read = recordingSchema.safeParse(item);
          const refusal = read.success
            ? recorder.record(read.data)
            : recorder.refuse(
                String(item.name ?? ''),
                read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '),
              );
          if (refusal === undefined) accepted += 1;
          else {
            rejected += 1;
            if (errors.length < told) errors.push({ index, ...refusal });
          }
        }
        return { accepted, rejected, errors };
      },
    );

    app.put(
      '/api/v1/metrics/definitions/:name',
      {
        preHandler: requireEnabled,
        config: {
          access: 'service',
          activity: 'metrics.define',
          problems: ['feature/disabled', 'conflict/state'],
        },
        schema: {
          tags: ['metrics'],
          summary: 'Define a metric, or say more about one',
          params: z.object({
            name: z.string().max(200).regex(metricName, 'letters, digits, _ and :, not beginning with a digit'),
          }),
          body: z.strictObject({
            type: z.enum(recordedTypes),
            category: z.enum(metricCategories).optional(),
            unit: z.string().max(50).optional(),
            description: z.string().max(1_000).optional(),
            aggregations: z.array(z.enum(aggregations)).max(aggregations.length).optional(),
            tags: z.array(z.string().max(200)).max(32).optional(),
            enabled: z.boolean().optional().describe('Off: its values are refused.'),
          }),
          response: { 200: definitionSchema },
        },
      },
      async ({ params, body, principal }) => {
        const before = recorder.definition(params.name);
        if (before !== undefined && before.type !== body.type)
          throw new AppError('conflict/state', `${params.name} is a ${before.type} already.`);
        const defined = define(recorder, { name: params.name, ...body });
        await db.unit((tx) =>
          events.audit(tx, {
            actor: principal?.subject ?? 'unknown',
            action: 'metrics.define',
            object: params.name,
            outcome: 'done',
            data: { ...body },
          }),
        );
        return shapeDefinition(defined);
      },
    );

    for (const one of [false, true])
      app.delete(
        one ? '/api/v1/metrics/reset/:agent_id' : '/api/v1/metrics/reset',
        {
          preHandler: requireEnabled,
          config: { access: 'admin', activity: 'metrics.reset', problems: ['feature/disabled'] },
          schema: {
            tags: ['metrics'],
            summary: one ? 'Forget the totals and the live series of an agent' : 'Forget all samples',
            description: one
              ? 'What is in the history already stays until its retention.'
              : 'Everything that was sampled and recorded is gone, of ragwarden itself too; what metrics are defined stays.',
            ...(one ? { params: z.object({ agent_id: z.string().max(1_000) }) } : {}),
            response: { 200: z.object({ message: z.string(), series: z.number().int() }) },
          },
        },
        async ({ params, principal }) => {
          const agentId = one ? (params as { agent_id: string }).agent_id : undefined; // as its schema says
          const series = await metrics.reset(agentId);
          await db.unit(async (tx) => {
            await events.audit(tx, {
              actor: principal?.subject ?? 'unknown',
              action: 'metrics.reset',
              object: agentId ?? '*',
              outcome: 'done',
              data: { series },
            });
            await events.record(tx, {
              type: 'metrics.reset',
              severity: 'warning',
              message: `${agentId === undefined ? 'All samples were' : `What agent ${agentId} did was`} forgotten, as ${principal?.subject ?? 'somebody'} asked.`,
              data: { agent_id: agentId ?? null, series },
            });
          });
          return { message: agentId === undefined ? 'All samples are gone.' : 'The agent begins anew.', series };
        },
      );
  };

/** @throws AppError `conflict/state` when it is recorded in another unit already */
function define(recorder: MetricRouteDeps['metrics']['recorder'], given: GivenDefinition): MetricDefinition {
  try {
    return recorder.define(given);
  } catch (err) {
    throw new AppError('conflict/state', `${err instanceof Error ? err.message : String(err)}.`, { cause: err });
  }
}
