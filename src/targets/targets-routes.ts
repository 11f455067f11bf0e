import { z } from 'zod';
import { targetKinds } from '../config/index.ts';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../operations/index.ts';
import { isoInstant } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { findLimits, limitedFeatures } from './applicability.ts';
import type { WorkspaceSize } from './folder-sizes.ts';
import { factBody, factsOf, inspectionBody, shapeFact, shapeInspection } from './inspection-body.ts';
import type { Inspections } from './inspections.ts';
import type { WatchedTarget } from './watched-target.ts';

const reason = z.object({ code: z.string(), message: z.string() });
const targetBody = z
  .object({
    id: z.string(),
    sample: z.boolean(),
    status: z.enum(['HEALTHY', 'DEGRADED', 'OFFLINE', 'UNKNOWN']),
    reasons: z.array(reason),
    kind: z.string().nullable().describe('What answered; null before the first look, `unknown` for something else.'),
    configured_kind: z.enum(targetKinds),
    kind_from: z
      .enum(['settings', 'detected', 'default'])
      .describe('Whether somebody said it, the folder showed it, or nothing says otherwise.'),
    core_version: z.string().nullable(),
    api_version: z.string().nullable(),
    endpoints: z.array(z.object({ url: z.string(), workspace: z.string() })),
    stores: z.array(z.object({ name: z.string(), kind: z.string(), path: z.string(), separation: z.string() })),
    observed_at: z.string().nullable(),
    latency_ms: z.number().nullable(),
    documents: z.record(z.string(), z.number()).nullable(),
    pipeline: z
      .object({
        busy: z.boolean(),
        job_name: z.string(),
        latest_message: z.string(),
        unflushed: z.boolean().nullable(),
        recovery_required: z.boolean(),
      })
      .nullable(),
    facts: z.array(factBody).describe('What only this kind of target has.'),
    not_applicable: z
      .array(z.object({ what: z.enum(limitedFeatures), reason: z.string() }))
      .describe('What ragwarden does not do for this kind of target.'),
    /** Bytes per store, with the instant at which they were counted. */
    sizes: z.array(z.object({ store: z.string(), bytes: z.number(), files: z.number(), counted_at: z.string() })),
    lifecycle: z.object({ automatic: z.boolean(), stop: z.string(), start: z.string() }),
  })
  .meta({ id: 'Target' });

export type TargetBody = z.infer<typeof targetBody>;

export type TargetsDeps = {
  readonly inspections: Inspections;
  readonly operations: Operations;
  readonly targets: readonly WatchedTarget[];
  sizes(targetId: string): readonly WorkspaceSize[];
  lifecycle(targetId: string): { automatic: boolean; describe: { stop: string; start: string } };
};

const shape = (watched: WatchedTarget, deps: TargetsDeps): z.input<typeof targetBody> => {
  const { target } = watched;
  const seen = watched.observation();
  const status = watched.status();
  const lifecycle = deps.lifecycle(target.id);
  return {
    id: target.id,
    sample: target.sample,
    status: status.word,
    reasons: status.reasons.map((one) => ({ ...one })),
    kind: seen?.kind ?? null,
    configured_kind: target.kind,
    kind_from: target.kindFrom,
    core_version: seen?.coreVersion ?? null,
    api_version: seen?.apiVersion ?? null,
    endpoints: target.endpoints.map(({ url, workspace }) => ({ url, workspace })),
    stores: target.stores.map(({ name, kind, path, separation }) => ({ name, kind, path, separation })),
    observed_at: seen ? isoInstant(seen.atMs) : null,
    latency_ms: seen?.latencyMs ?? null,
    documents: seen?.documents ? { ...seen.documents } : null,
    pipeline: seen?.pipeline
      ? {
          busy: seen.pipeline.busy,
          job_name: seen.pipeline.jobName,
          latest_message: seen.pipeline.latestMessage,
          unflushed: seen.pipeline.unflushed ?? null,
          recovery_required: seen.pipeline.recoveryRequired,
        }
      : null,
    facts: factsOf(seen?.facts ?? [], deps.inspections.lastOf(target.id)).map(shapeFact),
    not_applicable: findLimits(target.kind).map(({ feature, reason }) => ({ what: feature, reason })),
    sizes: deps.sizes(target.id).map((size) => ({
      store: size.store,
      bytes: size.bytes,
      files: size.files,
      counted_at: isoInstant(size.atMs),
    })),
    lifecycle: { automatic: lifecycle.automatic, stop: lifecycle.describe.stop, start: lifecycle.describe.start },
  };
};

/** What is watched and how it was last seen. Nothing is probed by asking, except where asking is the point. */
export const targetsRoutes =
  (deps: TargetsDeps): RoutePlugin =>
  async (app) => {
    const require = (id: string): WatchedTarget => {
      const found = deps.targets.find((one) => one.target.id === id);
      if (!found)
        throw new AppError(
          'target/unknown',
          `There is no target ${JSON.stringify(id.slice(0, 100))}. \`ragwarden target list\` shows them.`,
        );
      return found;
    };
    const params = z.object({ id: z.string().max(20_000) });

    app.get(
      '/api/v1/targets',
      {
        config: { access: 'admin', activity: 'list targets' },
        schema: {
          tags: ['targets'],
          summary: 'All targets with their last observed state',
          response: { 200: z.object({ items: z.array(targetBody), next_cursor: z.string().nullable() }) },
        },
      },
      async () => ({ items: deps.targets.map((one) => shape(one, deps)), next_cursor: null }),
    );

    app.get(
      '/api/v1/targets/:id',
      {
        config: { access: 'admin', activity: 'read target', problems: ['target/unknown'] },
        schema: { tags: ['targets'], summary: 'One target', params, response: { 200: targetBody, 304: z.undefined() } },
      },
      async (request) => shape(require(request.params.id), deps),
    );

    app.post(
      '/api/v1/targets/:id/probe',
      {
        config: { access: 'admin', activity: 'probe target', onlyLooks: true, problems: ['target/unknown'] },
        schema: { tags: ['targets'], summary: 'Look at the target now', params, response: { 200: targetBody } },
      },
      async (request) => {
        const watched = require(request.params.id);
        await watched.probe();
        return shape(watched, deps);
      },
    );

    app.get(
      '/api/v1/targets/:id/inspection',
      {
        config: { access: 'admin', activity: 'read inspection', problems: ['target/unknown', 'conflict/state'] },
        schema: {
          tags: ['targets'],
          summary: 'What the last look into the files found',
          params,
          response: { 200: inspectionBody },
        },
      },
      async (request) => {
        const { target } = require(request.params.id);
        const found = deps.inspections.lastOf(target.id);
        if (!found)
          throw new AppError(
            'conflict/state',
            'The files were not inspected yet. POST to …/inspect, or ask again in a moment.',
          );
        return shapeInspection(found);
      },
    );

    app.post(
      '/api/v1/targets/:id/inspect',
      {
        config: { access: 'admin', activity: 'inspect target', problems: ['target/unknown', 'operation/busy'] },
        schema: { tags: ['targets'], summary: 'Look into the files now', params, response: operationAnswers },
      },
      async (request, reply) => {
        const { target } = require(request.params.id);
        const operation = await deps.operations.start({
          kind: 'target.inspect',
          targetId: target.id,
          exclusive: false,
          input: {},
          requestedBy: request.principal?.subject ?? 'unknown',
          idempotency: idempotencyOf(request),
          run: async (context) => {
            await context.phase('inspecting');
            const found = await deps.inspections.inspectNow(target.id, context.signal);
            if (!found)
              throw new AppError('conflict/state', `The files of ${target.id} are not visible here: set WORKING_DIR.`);
            return shapeInspection(found);
          },
        });
        return respondWithOperation(deps.operations, request, reply, operation);
      },
    );
  };
