import { z } from 'zod';
import { idempotencyOf, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { restorePlanSchema } from '../restore-plan-report.ts';
import { type BackupRoutesDeps, pointParams, who } from './route-deps.ts';

/** Going back to a point: the plan, and carrying it out. */
export const restoreRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, operations } = deps;

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
  };
