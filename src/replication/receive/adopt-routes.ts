import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import type { Adoption } from './adopt-received.ts';
import { backupId, below, graphId } from './receive-routes.ts';

/** Works also where points are not received any more: what is here is here. */
export const adoptRoutes =
  (deps: { readonly adoption: Adoption; readonly operations: Operations }): RoutePlugin =>
  async (app) => {
    app.post(
      `${below}/received/adopt`,
      {
        config: {
          access: 'admin',
          activity: 'adopt received point',
          problems: ['backup/unknown-point', 'backup/unavailable', 'feature/disabled', 'conflict/state'],
        },
        schema: {
          tags: ['replication'],
          summary: 'Make a point that another ragwarden sent a recovery point of this installation',
          description:
            'Its file is opened with the password of the repository it came from, which the recovery kit of the sender holds, and copied into the repository here. From then on it is restored, rehearsed and failed over to as any other point. The sender is not asked. The password is used for this once and kept nowhere.',
          body: z.strictObject({
            password: z.string().min(1).max(1_000).describe('Of the repository of the sender; in its recovery kit.'),
            backup_id: backupId.optional().describe('Default: the newest that was received.'),
            graph_id: graphId.optional(),
            sender: z.string().min(1).max(300).optional(),
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { password, backup_id, graph_id, sender } = request.body;
        const operation = await deps.adoption.start({
          ...{ password, pointId: backup_id, graphId: graph_id, sender },
          requestedBy: request.principal?.subject ?? 'unknown',
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(deps.operations, request, reply, operation);
      },
    );
  };
