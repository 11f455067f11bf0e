import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { pageCursor, pageOf, placeOfCursor } from '../../platform/paging.ts';
import type { FailoverStore } from '../failover/failover-store.ts';
import { type Checkpoint, checkpointCauses } from './checkpoint.ts';
import type { AutomaticStatus, CheckpointSchedule } from './checkpoint-schedule.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { Checkpoints } from './checkpoints.ts';

export type CheckpointRoutesDeps = {
  readonly checkpoints: Checkpoints;
  readonly store: CheckpointStore;
  readonly schedule: Pick<CheckpointSchedule, 'status'>;
  readonly failovers: FailoverStore;
  readonly operations: Operations;
};

export const checkpointBody = z
  .object({
    checkpoint_id: z.string(),
    cause: z
      .enum(checkpointCauses)
      .describe('`scheduled`: made by itself, and given up by itself when enough newer ones are there.'),
    graphs: z.array(z.string()),
    description: z.string(),
    created_at: z.string(),
    created_by: z.string(),
    validated: z.boolean().describe('Every point was restored in a drill, and every drill passed.'),
    validation_timestamp: z.string().nullable(),
    points: z.array(
      z.object({ graph_id: z.string(), target_id: z.string(), backup_id: z.string(), taken_at: z.string() }),
    ),
    drills: z.array(
      z.object({
        backup_id: z.string(),
        drill_id: z.string().nullable(),
        verdict: z.string(),
        reasons: z.array(z.string()),
      }),
    ),
    metadata: z.record(z.string(), z.json()),
  })
  .meta({ id: 'Checkpoint' });
export type CheckpointBody = z.infer<typeof checkpointBody>;

const bodyOf = (checkpoint: Checkpoint): CheckpointBody => ({
  checkpoint_id: checkpoint.id,
  cause: checkpoint.cause,
  graphs: checkpoint.graphs.map(({ graphId }) => graphId),
  description: checkpoint.description,
  created_at: isoInstant(checkpoint.createdMs),
  created_by: checkpoint.createdBy,
  validated: checkpoint.validated,
  validation_timestamp: isoInstantOrNull(checkpoint.validatedMs),
  points: checkpoint.graphs.map(({ graphId, targetId, pointId, takenMs }) => ({
    ...{ graph_id: graphId, target_id: targetId, backup_id: pointId, taken_at: isoInstant(takenMs) },
  })),
  drills: (checkpoint.validation?.drills ?? []).map(({ pointId, drillId, verdict, reasons }) => ({
    ...{ backup_id: pointId, drill_id: drillId, verdict, reasons },
  })),
  metadata: { ...checkpoint.metadata },
});

const statusBody = z
  .object({
    total_checkpoints: z.number(),
    validated_checkpoints: z.number(),
    failover_in_progress: z.boolean(),
    latest_checkpoint: z.string().nullable(),
    latest_checkpoint_time: z.string().nullable(),
    automatic: z
      .array(
        z.object({
          target_id: z.string(),
          interval_seconds: z.number(),
          keep: z.number().describe('How many of them are kept; 0: none is made.'),
          last_at: z.string().nullable(),
          next_at: z.string().nullable(),
          reason: z.string().nullable().describe('Why none is made; null while one is waited for.'),
        }),
      )
      .describe('Checkpoints that are made by themselves.'),
  })
  .meta({ id: 'RecoveryStatus' });
export type RecoveryStatusBody = z.infer<typeof statusBody>;

const automaticOf = (one: AutomaticStatus) => ({
  target_id: one.targetId,
  interval_seconds: one.intervalMs / 1_000,
  keep: one.keep,
  last_at: isoInstantOrNull(one.lastMs),
  next_at: isoInstantOrNull(one.nextMs),
  reason: one.reason,
});

const below = '/api/v1/backup-replication/recovery';
const params = z.object({ checkpoint_id: z.string().max(100) });
const unknown = 'recovery/unknown-checkpoint';
const who = (request: { principal?: { subject: string } | undefined }): string =>
  request.principal?.subject ?? 'unknown';

/** Checkpoints: named sets of verified points, one per graph. */
export const checkpointRoutes =
  (deps: CheckpointRoutesDeps): RoutePlugin =>
  async (app) => {
    const { checkpoints, store, operations } = deps;
    const tags = ['recovery'];
    const admin = (activity: string) => ({ access: 'admin', activity }) as const;

    app.post(
      `${below}/checkpoints`,
      {
        config: {
          ...admin('create checkpoint'),
          problems: ['target/unknown', 'conflict/state', 'backup/unknown-point'],
        },
        schema: {
          tags,
          summary: 'Name the newest verified point of each graph; the points are kept until the checkpoint is removed',
          body: z.strictObject({
            graph_ids: z.array(z.string().min(1).max(200)).min(1).max(100),
            description: z.string().max(2_000).default(''),
            metadata: z.record(z.string().max(100), z.json()).default({}),
          }),
          response: { 201: checkpointBody },
        },
      },
      async (request, reply) => {
        const { graph_ids: graphIds, description, metadata } = request.body;
        reply.code(201);
        return bodyOf(await checkpoints.create({ graphIds, description, metadata, requestedBy: who(request) }));
      },
    );

    app.get(
      `${below}/checkpoints`,
      {
        config: admin('list checkpoints'),
        schema: {
          tags,
          summary: 'Checkpoints, newest first',
          querystring: z.object({
            limit: z.coerce.number().int().min(1).max(500).default(50),
            cursor: pageCursor('checkpoint_[0-9a-z]{26}'),
          }),
          response: { 200: z.object({ items: z.array(checkpointBody), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit } = request.query;
        const rows = await store.list({ before: placeOfCursor(cursor), limit: limit + 1 });
        return pageOf(rows, limit, { atMs: (row) => row.createdMs, body: bodyOf });
      },
    );

    app.get(
      `${below}/checkpoints/:checkpoint_id`,
      {
        config: { ...admin('read checkpoint'), problems: [unknown] },
        schema: { tags, summary: 'One checkpoint', params, response: { 200: checkpointBody } },
      },
      async (request) => bodyOf(await checkpoints.require(request.params.checkpoint_id)),
    );

    app.delete(
      `${below}/checkpoints/:checkpoint_id`,
      {
        config: { ...admin('remove checkpoint'), problems: [unknown] },
        schema: {
          tags,
          summary: 'Give a checkpoint up; its points stay as long as retention keeps them',
          params,
          response: { 200: z.object({ status: z.literal('success'), message: z.string() }) },
        },
      },
      async (request) => {
        const { checkpoint_id: id } = request.params;
        await checkpoints.remove(id, who(request));
        return { status: 'success' as const, message: `The checkpoint ${id} is removed.` };
      },
    );

    app.post(
      `${below}/checkpoints/:checkpoint_id/validate`,
      {
        config: { ...admin('validate checkpoint'), problems: [unknown] },
        schema: {
          tags,
          summary: 'Restore every point of a checkpoint in a drill; the result of the operation says `valid`',
          params,
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await checkpoints.validate(request.params.checkpoint_id, {
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      `${below}/checkpoints/:checkpoint_id/failover`,
      {
        config: {
          ...admin('fail over'),
          problems: [
            unknown,
            'conflict/state',
            'feature/disabled',
            'target/unknown',
            'recovery/no-standby',
            'operation/busy',
            'conflict/confirmation-required',
            'restore/plan-changed',
            'restore/blocked',
          ],
        },
        schema: {
          tags,
          summary: 'Bring the target of a checkpoint up at its other place, from the point that the checkpoint names',
          params,
          body: z
            .strictObject({
              plan_id: z.string().max(100).optional(),
              confirm: z.boolean().default(false),
              force: z.boolean().default(false).describe('Also without a validation, and as with any failover.'),
            })
            .nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await checkpoints.failover(request.params.checkpoint_id, {
          planId: request.body?.plan_id,
          confirm: request.body?.confirm ?? false,
          force: request.body?.force ?? false,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.get(
      `${below}/status`,
      {
        config: admin('recovery status'),
        schema: {
          tags,
          summary: 'How many checkpoints there are, when the next is made by itself, and whether one fails over',
          response: { 200: statusBody },
        },
      },
      async () => {
        const [{ total, validated }, [latest], running, automatic] = await Promise.all([
          store.count(),
          store.list({ limit: 1 }),
          deps.failovers.running(),
          deps.schedule.status(),
        ]);
        return {
          total_checkpoints: total,
          validated_checkpoints: validated,
          failover_in_progress: running?.kind === 'failover',
          latest_checkpoint: latest?.id ?? null,
          latest_checkpoint_time: isoInstantOrNull(latest?.createdMs),
          automatic: automatic.map(automaticOf),
        };
      },
    );
  };
