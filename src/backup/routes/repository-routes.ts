import { z } from 'zod';
import { idempotencyOf, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstant } from '../../platform/clock.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { type BackupRoutesDeps, target, who } from './route-deps.ts';

/** What keeps the repository and its catalogue in order. */
export const repositoryRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, schedule, operations } = deps;

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
