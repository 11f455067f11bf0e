import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Backup } from './backup.ts';
import { backupResult, backupResultSchema } from './backup-result.ts';
import type { BackupSchedule } from './backup-schedule.ts';
import type { PointStore } from './point-store.ts';
import { restorePlanSchema } from './restore-plan-report.ts';

export type BackupRoutesDeps = {
  readonly backup: Backup;
  readonly schedule: BackupSchedule;
  readonly points: PointStore;
  readonly operations: Operations;
  readonly enabled: boolean;
  readonly defaultTargetId: () => string;
};

const statusBody = z.object({
  status: z.enum(['idle', 'scheduled', 'running', 'error']),
  enabled: z.boolean(),
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

const target = z.string().max(64).optional().describe('Default: the only target.');
const pointParams = z.object({ backup_id: z.string().max(20_000) });

/** Recovery points over HTTP, with the paths and fields of document 000 and the operations behind them. */
export const backupRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, schedule, points, operations } = deps;
    const who = (request: { principal?: { subject: string } | undefined }): string =>
      request.principal?.subject ?? 'unknown';

    app.addHook('onRequest', async (request) => {
      if (!deps.enabled && request.principal)
        throw new AppError('feature/disabled', 'Backups are switched off by BACKUP_ENABLED (backup.enabled).');
    });

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

    app.get(
      '/api/v1/backup/points',
      {
        config: { access: 'admin', activity: 'list points', problems: ['feature/disabled'] },
        schema: {
          tags: ['backup'],
          summary: 'Recovery points that exist, newest first',
          querystring: z.object({
            target,
            limit: z.coerce.number().int().min(1).max(500).default(50),
            cursor: z
              .string()
              .max(100)
              .regex(/^\d{1,15}\.backup_[0-9a-z_]{20,30}$/, 'is not a cursor of this list')
              .optional(),
          }),
          response: { 200: z.object({ items: z.array(backupResultSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit } = request.query;
        const [takenMs, id] = cursor?.split('.') ?? [];
        const rows = await points.list({
          targetId: request.query.target,
          statuses: ['success', 'partial'],
          before: takenMs === undefined || id === undefined ? undefined : { takenMs: Number(takenMs), id },
          limit: limit + 1,
        });
        const last = rows.length > limit ? rows[limit - 1] : undefined;
        return {
          items: rows.slice(0, limit).map(backupResult),
          next_cursor: last ? `${last.takenMs}.${last.id}` : null,
        };
      },
    );

    app.get(
      '/api/v1/backup/points/:backup_id',
      {
        config: {
          access: 'admin',
          activity: 'read point',
          problems: ['feature/disabled', 'backup/unknown-point', 'backup/invalid-id'],
        },
        schema: {
          tags: ['backup'],
          summary: 'One recovery point',
          params: pointParams,
          response: { 200: backupResultSchema, 304: z.undefined() },
        },
      },
      async (request) => backupResult(await backup.requirePoint(request.params.backup_id)),
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
          body: z.strictObject({ target: z.string().max(64).optional() }).nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await backup.take({
          targetId: request.body?.target ?? deps.defaultTargetId(),
          cause: 'manual',
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      '/api/v1/backup/points/:backup_id/verify',
      {
        config: {
          access: 'admin',
          activity: 'verify point',
          problems: [
            'feature/disabled',
            'backup/unknown-point',
            'backup/invalid-id',
            'operation/busy',
            'backup/unavailable',
          ],
        },
        schema: {
          tags: ['backup'],
          summary: 'Read every byte of a point back and compare its digests',
          params: pointParams,
          response: operationAnswers,
        },
      },
      async (request, reply) =>
        respondWithOperation(
          operations,
          request,
          reply,
          await backup.verify({
            pointId: request.params.backup_id,
            requestedBy: who(request),
            idempotency: idempotencyOf(request),
          }),
        ),
    );

    for (const [method, pinned] of [
      ['PUT', true],
      ['DELETE', false],
    ] as const)
      app.route({
        method,
        url: '/api/v1/backup/points/:backup_id/pin',
        config: {
          access: 'admin',
          activity: pinned ? 'pin point' : 'unpin point',
          problems: ['feature/disabled', 'backup/unknown-point', 'backup/invalid-id'],
        },
        schema: {
          tags: ['backup'],
          summary: pinned ? 'Pin a point: retention never forgets it' : 'Leave a point to retention again',
          params: pointParams,
          response: { 200: backupResultSchema },
        },
        handler: async (request) =>
          backupResult(await backup.pin({ pointId: request.params.backup_id, pinned, requestedBy: who(request) })),
      });

    app.post(
      '/api/v1/backup/rebuild-catalogue',
      {
        config: {
          access: 'admin',
          activity: 'rebuild catalogue',
          problems: ['feature/disabled', 'operation/busy', 'backup/unavailable'],
        },
        schema: {
          tags: ['backup'],
          summary: 'Make the catalogue of points from the repository; with dry_run show what would change',
          body: z.strictObject({ dry_run: z.boolean().optional() }).nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) =>
        respondWithOperation(
          operations,
          request,
          reply,
          await backup.catalogue.rebuild({
            dryRun: request.body?.dry_run ?? false,
            requestedBy: who(request),
            idempotency: idempotencyOf(request),
          }),
        ),
    );

    app.post(
      '/api/v1/backup/restore/:backup_id',
      {
        config: {
          access: 'admin',
          activity: 'restore point',
          problems: [
            'feature/disabled',
            'backup/unknown-point',
            'backup/invalid-id',
            'conflict/confirmation-required',
            'restore/plan-changed',
            'restore/blocked',
            'operation/busy',
            'backup/unavailable',
            'target/unknown',
            'repository/missing',
            'repository/locked',
          ],
        },
        schema: {
          tags: ['backup'],
          summary: 'Restore a point; with plan_only show what would happen',
          params: pointParams,
          body: z
            .strictObject({
              plan_only: z.boolean().optional(),
              plan_id: z.string().max(200).optional(),
              confirm: z.boolean().optional(),
              safety_point: z
                .boolean()
                .optional()
                .describe('False: without a safety point of the present state, for a repository that is full.'),
            })
            .nullish(),
          response: { 200: z.union([restorePlanSchema, operationAnswers[200]]), 202: operationAnswers[202] },
        },
      },
      async (request, reply) => {
        const { backup_id: pointId } = request.params;
        if (request.body?.plan_only) return backup.planRestore(pointId);
        const operation = await backup.restore({
          pointId,
          planId: request.body?.plan_id,
          confirm: request.body?.confirm ?? false,
          safetyPoint: request.body?.safety_point ?? true,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    for (const [path, on] of [
      ['/api/v1/backup/start', true],
      ['/api/v1/backup/stop', false],
    ] as const)
      app.post(
        path,
        {
          config: {
            access: 'admin',
            activity: on ? 'start schedule' : 'stop schedule',
            problems: ['feature/disabled'],
          },
          schema: {
            tags: ['backup'],
            summary: on ? 'Switch the schedule on' : 'Switch the schedule off; survives a restart',
            response: { 200: z.object({ message: z.string(), was_running: z.boolean(), running: z.boolean() }) },
          },
        },
        async (request) => {
          const { before, now } = await schedule.switchTo(on, who(request));
          return {
            message:
              before === now
                ? `The schedule was ${on ? 'on' : 'off'} already.`
                : `The schedule is ${on ? 'on' : 'off'} now.`,
            was_running: before,
            running: now,
          };
        },
      );

    app.get(
      '/api/v1/backup/retention',
      {
        config: { access: 'admin', activity: 'retention plan', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'What retention would keep and forget now, with a reason for each point',
          querystring: z.object({ target }),
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  backup_id: z.string(),
                  timestamp: z.string(),
                  action: z.enum(['keep', 'forget']),
                  reason: z.string(),
                }),
              ),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async (request) => ({
        items: (await backup.planRetention(request.query.target ?? deps.defaultTargetId())).map((item) => ({
          backup_id: item.point.id,
          timestamp: isoInstant(item.point.takenMs),
          action: item.action,
          reason: item.reason,
        })),
        next_cursor: null,
      }),
    );

    app.post(
      '/api/v1/backup/recovery-kit/confirm',
      {
        config: { access: 'admin', activity: 'confirm kit', problems: ['feature/disabled'] },
        schema: {
          tags: ['backup'],
          summary: 'Somebody has the recovery kit elsewhere',
          response: { 200: z.object({ confirmed_at: z.string() }) },
        },
      },
      async (request) => ({ confirmed_at: isoInstant(await schedule.confirmKit(who(request))) }),
    );

    app.post(
      '/api/v1/backup/repository/adopt',
      {
        config: {
          access: 'admin',
          activity: 'adopt repository',
          problems: ['feature/disabled', 'backup/unavailable', 'conflict/state'],
        },
        schema: {
          tags: ['backup'],
          summary: 'Accept what lies at the location now, or begin a new repository there with the next point',
          body: z.strictObject({ confirm: z.literal(true) }),
          response: { 200: z.object({ message: z.string() }) },
        },
      },
      async (request) => {
        await backup.adoptRepository(who(request));
        return { message: `The next recovery point uses what lies at ${backup.location}.` };
      },
    );
  };
