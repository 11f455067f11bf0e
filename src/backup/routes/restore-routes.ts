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
            'restore/invalid-options',
            'target/foreign-path',
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
              components: z.array(z.string().max(63)).max(50).optional().describe('Only these; all unless told.'),
              workspace: z.string().max(64).optional().describe('Only what belongs to it; the unnamed one is "".'),
              as_workspace: z.string().max(64).optional().describe('Under this name, beside the one it has.'),
              to: z
                .strictObject({
                  folder: z.string().max(4096).optional().describe('Below backup.allowed_roots, new or empty.'),
                  name: z.string().max(63).optional().describe('Of a new database, for what is no folder.'),
                })
                .optional()
                .describe('Beside the live data, which stays as it is; nothing is stopped.'),
            })
            .nullish(),
          response: { 200: z.union([restorePlanSchema, operationAnswers[200]]), 202: operationAnswers[202] },
        },
      },
      async (request, reply) => {
        const { backup_id: pointId } = request.params;
        const options = {
          components: request.body?.components,
          workspace: request.body?.workspace,
          asWorkspace: request.body?.as_workspace,
          to: request.body?.to,
        };
        if (request.body?.plan_only) return backup.planRestore(pointId, options);
        const operation = await backup.restore({
          pointId,
          planId: request.body?.plan_id,
          confirm: request.body?.confirm ?? false,
          safetyPoint: request.body?.safety_point ?? true,
          options,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );
  };
