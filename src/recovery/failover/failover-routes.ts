import { z } from 'zod';
import { placeIds } from '../../config/index.ts';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { pageCursor, pageOf, placeOfCursor } from '../../platform/paging.ts';
import {
  bodyOfFailover,
  bodyOfPlan,
  bodyOfStatus,
  failoverBody,
  failoverPlanBody,
  failoverStatusBody,
} from './failover-bodies.ts';
import type { FailoverTarget } from './failover-deps.ts';
import type { FailoverStore } from './failover-store.ts';
import type { Failovers } from './failovers.ts';

export type FailoverRoutesDeps = {
  readonly failovers: Failovers;
  readonly store: FailoverStore;
  readonly operations: Operations;
  readonly defaultTargetId: () => string;
  /** @throws AppError `target/unknown` */
  requireTarget(id: string): FailoverTarget;
};

const target = z.string().max(64).optional().describe('Default: the only target.');
const backupId = z
  .string()
  .max(20_000)
  .optional()
  .describe('This point; else the newest verified one that lies in the repository or at a replication target.');
const begins = [
  'feature/disabled',
  'target/unknown',
  'recovery/no-standby',
  'operation/busy',
  'conflict/confirmation-required',
] as const;
const who = (request: { principal?: { subject: string } | undefined }): string =>
  request.principal?.subject ?? 'unknown';

/** Bringing a target up at its other place, and what became of it. */
export const failoverRoutes =
  (deps: FailoverRoutesDeps): RoutePlugin =>
  async (app) => {
    const { failovers, store, operations } = deps;
    const tags = ['recovery'];
    const admin = (activity: string) => ({ access: 'admin', activity }) as const;

    app.get(
      '/api/v1/recovery/failover',
      {
        config: { ...admin('read failover'), problems: ['target/unknown'] },
        schema: {
          tags,
          summary: 'Where a target lives, where else it could, and how the last failover went',
          querystring: z.object({ target }),
          response: { 200: failoverStatusBody },
        },
      },
      async (request) => {
        const targetId = request.query.target ?? deps.defaultTargetId();
        const found = deps.requireTarget(targetId);
        return bodyOfStatus(found, await store.list({ targetId, limit: 20 }), await store.running(targetId));
      },
    );

    app.post(
      '/api/v1/recovery/failover/plan',
      {
        config: {
          ...admin('plan failover'),
          onlyLooks: true,
          problems: ['feature/disabled', 'target/unknown', 'recovery/no-standby'],
        },
        schema: {
          tags,
          summary: 'What a failover would do now, and what stands in the way',
          body: z.strictObject({ target, backup_id: backupId }).nullish(),
          response: { 200: failoverPlanBody },
        },
      },
      async (request, reply) => {
        const gone = new AbortController();
        reply.raw.once('close', () => gone.abort());
        const targetId = request.body?.target ?? deps.defaultTargetId();
        return bodyOfPlan(await failovers.plan({ targetId, pointId: request.body?.backup_id }, gone.signal));
      },
    );

    app.post(
      '/api/v1/recovery/failover',
      {
        config: {
          ...admin('fail over'),
          problems: [...begins, 'restore/plan-changed', 'restore/blocked', 'backup/unknown-point', 'backup/invalid-id'],
        },
        schema: {
          tags,
          summary: 'Bring a target up at its other place and lead the gateway there',
          body: z.strictObject({
            target,
            backup_id: backupId,
            plan_id: z.string().max(100).optional().describe('Of the plan that was looked at: another one is refused.'),
            confirm: z.boolean().default(false),
            force: z
              .boolean()
              .default(false)
              .describe(
                'Go on although the place that is left cannot be stopped, or the canary fails at the other one.',
              ),
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { body } = request;
        const operation = await failovers.start({
          targetId: body.target ?? deps.defaultTargetId(),
          pointId: body.backup_id,
          planId: body.plan_id,
          ...{ confirm: body.confirm, force: body.force },
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      '/api/v1/recovery/reseed',
      {
        config: { ...admin('reseed'), problems: [...begins, 'backup/unavailable', 'conflict/state'] },
        schema: {
          tags,
          summary: 'Fill the place that the target does not live at from a new point, and leave it stopped',
          body: z.strictObject({
            target,
            place: z
              .enum(placeIds)
              .optional()
              .describe('Which place was meant to be filled: refused when the target lives there by now.'),
            confirm: z.boolean().default(false),
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await failovers.reseed({
          targetId: request.body.target ?? deps.defaultTargetId(),
          place: request.body.place,
          confirm: request.body.confirm,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.get(
      '/api/v1/recovery/failovers',
      {
        config: admin('list failovers'),
        schema: {
          tags,
          summary: 'Failovers and reseeds, newest first, with the time of each phase',
          querystring: z.object({
            target,
            limit: z.coerce.number().int().min(1).max(500).default(50),
            cursor: pageCursor('failover_[0-9a-z]{26}'),
          }),
          response: { 200: z.object({ items: z.array(failoverBody), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit } = request.query;
        const rows = await store.list({
          targetId: request.query.target,
          before: placeOfCursor(cursor),
          limit: limit + 1,
        });
        return pageOf(rows, limit, { atMs: (row) => row.createdMs, body: bodyOfFailover });
      },
    );

    app.get(
      '/api/v1/recovery/failovers/:failover_id',
      {
        config: { ...admin('read failover'), problems: ['recovery/unknown-failover'] },
        schema: {
          tags,
          summary: 'One failover or reseed',
          params: z.object({ failover_id: z.string().max(100) }),
          response: { 200: failoverBody },
        },
      },
      async (request) => bodyOfFailover(await failovers.require(request.params.failover_id)),
    );
  };
