import { z } from 'zod';
import { idempotencyOf, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { backupResult, backupResultSchema } from '../backup-result.ts';
import { type BackupRoutesDeps, target, who } from './route-deps.ts';

const statusBody = z.object({
  status: z.enum(['idle', 'scheduled', 'running', 'error']),
  enabled: z.boolean(),
  schedule_on: z.boolean().describe('Whether points are taken by themselves.'),
  available: z.boolean(),
  unavailable_reason: z.string().nullable(),
  /** Epoch seconds, as document 000 has them. */
  last_backup: z.number().nullable(),
  next_backup: z.number().nullable(),
  last_backup_time: z.string().nullable(),
  last_verified_backup: z.string().nullable(),
  frequency: z.number().describe('Seconds between two scheduled points.'),
  retention_days: z.number(),
  daily_retention_days: z.number(),
  backup_count: z.number(),
  location: z.string(),
  target_id: z.string(),
  rpo: z.object({
    objective_seconds: z.number(),
    /** Age of the newest verified point; null when there is none. */
    measured_seconds: z.number().nullable(),
    met: z.boolean(),
  }),
  recovery_kit_confirmed_at: z.string().nullable(),
  warnings: z.array(z.string()),
  error: z.string().optional(),
});

const triggerBody = z
  .strictObject({
    target: z.string().max(64).optional(),
    workspace: z.string().max(64).optional().describe('This workspace alone; empty is the unnamed one.'),
    include_database: z.boolean().optional().describe('True unless told; a point without a part is `partial`.'),
    include_workspaces: z.boolean().optional(),
    include_config: z.boolean().optional(),
  })
  .refine(
    (asked) => [asked.include_database, asked.include_workspaces, asked.include_config].some((one) => one !== false),
    {
      error: 'leaves nothing to back up',
    },
  );

/** How the backups stand, what was run, and one run now. */
export const runRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, schedule, points, operations } = deps;

    app.get(
      '/api/v1/backup/status',
      {
        config: { access: 'admin', activity: 'backup status', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'Schedule, newest point, objective',
          querystring: z.object({ target }),
          response: { 200: statusBody },
        },
      },
      async (request) => {
        const status = await schedule.status(request.query.target ?? deps.defaultTargetId());
        const { newest, newestVerified } = status;
        return {
          status: status.state,
          enabled: deps.enabled,
          schedule_on: status.on,
          available: status.availability.available,
          unavailable_reason: status.availability.available ? null : status.availability.reason,
          last_backup: newest ? Math.floor(newest.takenMs / 1000) : null,
          next_backup: status.nextMs === null ? null : Math.floor(status.nextMs / 1000),
          last_backup_time: newest ? isoInstant(newest.takenMs) : null,
          last_verified_backup: isoInstantOrNull(newestVerified?.takenMs),
          frequency: backup.policy.frequencyMs / 1000,
          retention_days: backup.policy.retentionDays,
          daily_retention_days: backup.policy.dailyRetentionDays,
          backup_count: status.count,
          location: backup.location,
          target_id: status.targetId,
          rpo: {
            objective_seconds: status.rpo.objectiveMs / 1000,
            measured_seconds: status.rpo.measuredMs === null ? null : Math.round(status.rpo.measuredMs / 1000),
            met: status.rpo.met,
          },
          recovery_kit_confirmed_at: isoInstantOrNull(status.kitConfirmedMs),
          warnings: [...status.warnings],
          ...(status.error === null ? {} : { error: status.error }),
        };
      },
    );

    app.get(
      '/api/v1/backup/history',
      {
        config: { access: 'admin', activity: 'backup history', problems: ['feature/disabled'] },
        schema: {
          tags: ['backup'],
          summary: 'The last runs, oldest first',
          querystring: z.object({ limit: z.coerce.number().int().min(1).max(100).default(10), target }),
          response: { 200: z.array(backupResultSchema) },
        },
      },
      async (request) => {
        const rows = await points.list({
          targetId: request.query.target,
          withForgotten: true,
          limit: request.query.limit,
        });
        return rows.reverse().map(backupResult);
      },
    );

    app.post(
      '/api/v1/backup/trigger',
      {
        config: {
          access: 'admin',
          activity: 'take point',
          problems: ['feature/disabled', 'target/unknown', 'operation/busy', 'backup/unavailable'],
        },
        schema: {
          tags: ['backup'],
          summary: 'Take a recovery point now',
          body: triggerBody.nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const asked = request.body ?? {};
        const targetId = asked.target ?? deps.defaultTargetId();
        if (asked.workspace !== undefined) await backup.snapshots.requireWorkspace(targetId, asked.workspace);
        const operation = await backup.take({
          targetId,
          cause: 'manual',
          selection: {
            workspace: asked.workspace,
            include: {
              database: asked.include_database ?? true,
              workspaces: asked.include_workspaces ?? true,
              config: asked.include_config ?? true,
            },
          },
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );
  };
