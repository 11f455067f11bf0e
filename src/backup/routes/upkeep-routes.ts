import { z } from 'zod';
import { idempotencyOf, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstantOrNull } from '../../platform/clock.ts';
import { describeError, isAppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { lockBody, type UpkeepState, upkeepKinds, upkeepWarnings } from '../upkeep/index.ts';
import { type BackupRoutesDeps, target, who } from './route-deps.ts';

const seconds = z.number().nullable();
const lockSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.number(),
  username: z.string(),
  created_at: z.string(),
  exclusive: z.boolean(),
  holder: z
    .enum(['ours-dead', 'dead', 'alive', 'elsewhere'])
    .describe('Only locks of `ours-dead` and `dead` holders can be removed.'),
});

export const repositoryBody = z.object({
  location: z.string(),
  kind: z.string(),
  state: z.enum(['ok', 'missing', 'wrong-password', 'unavailable']),
  /** Why it is unavailable. */
  reason: z.string().nullable(),
  id: z.string().nullable(),
  format_version: z.number().nullable(),
  tool: z.string().nullable(),
  locks: z.array(lockSchema),
  upkeep: z.array(
    z.object({
      operation: z.enum(upkeepKinds),
      last_success_at: z.string().nullable(),
      last_failure_at: z.string().nullable(),
      last_error: z.string().nullable(),
      next_at: z.string().nullable().describe('Null: it does not run by itself.'),
      allowed_age_seconds: seconds.describe('When the last success is older than this it is late.'),
      late: z.boolean(),
    }),
  ),
  warnings: z.array(z.string()),
});

const upkeepBody = (state: UpkeepState) => ({
  operation: state.kind,
  last_success_at: isoInstantOrNull(state.lastSuccessMs),
  last_failure_at: isoInstantOrNull(state.lastFailureMs),
  last_error: state.lastError,
  next_at: isoInstantOrNull(state.nextMs),
  allowed_age_seconds: state.allowedAgeMs === null ? null : state.allowedAgeMs / 1_000,
  late: state.late,
});

const starts = ['feature/disabled', 'operation/busy', 'backup/unavailable'] as const;

/** The repository itself: how it stands, and what keeps it in order. */
export const upkeepRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, operations } = deps;
    const { upkeep } = backup;

    app.get(
      '/api/v1/repository',
      {
        config: { access: 'admin', activity: 'repository status', problems: ['feature/disabled'] },
        schema: {
          tags: ['repository'],
          summary: 'Where it is, whether it opens, who locks it, when it was last kept in order',
          response: { 200: repositoryBody },
        },
      },
      async () => {
        const states = await upkeep.states();
        const looked = await backup.lookAtRepository().catch((err: unknown) => ({
          state: 'unavailable' as const,
          reason: isAppError(err) ? err.detail : describeError(err),
        }));
        return {
          location: backup.location,
          kind: backup.locationKind,
          state: looked.state,
          reason: 'reason' in looked ? looked.reason : null,
          id: 'id' in looked ? looked.id : null,
          format_version: 'formatVersion' in looked ? looked.formatVersion : null,
          tool: 'tool' in looked ? looked.tool : null,
          locks: 'locks' in looked ? looked.locks.map(lockBody) : [],
          upkeep: states.map(upkeepBody),
          warnings: upkeepWarnings(states),
        };
      },
    );

    app.post(
      '/api/v1/repository/check',
      {
        config: { access: 'admin', activity: 'check repository', problems: [...starts] },
        schema: {
          tags: ['repository'],
          summary: 'Check the structure, and read the part of the data whose turn it is, another one, or all',
          body: z
            .strictObject({
              read_data: z.boolean().optional().describe('True: every byte. False: the structure only.'),
              subset: z
                .string()
                .max(20)
                .regex(/^(\d{1,3}(\.\d+)?%|\d{1,5}\/\d{1,5}|\d+[KMGT])$/, 'is written as 10%, 1/7 or 500M')
                .optional(),
            })
            .nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { read_data: readData, subset } = request.body ?? {};
        const operation = await upkeep.check({
          readData: readData === undefined ? undefined : readData ? 'all' : 'none',
          subset,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      '/api/v1/repository/forget',
      {
        config: { access: 'admin', activity: 'forget points', problems: [...starts, 'target/unknown'] },
        schema: {
          tags: ['repository'],
          summary: 'Forget what retention gives up, and what belongs to no point; with dry_run show it',
          body: z.strictObject({ target, dry_run: z.boolean().optional() }).nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await upkeep.forget({
          targetId: request.body?.target ?? deps.defaultTargetId(),
          dryRun: request.body?.dry_run ?? false,
          requestedBy: who(request),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      '/api/v1/repository/prune',
      {
        config: { access: 'admin', activity: 'prune repository', problems: [...starts] },
        schema: {
          tags: ['repository'],
          summary: 'Free the bytes that no point refers to',
          response: operationAnswers,
        },
      },
      async (request, reply) =>
        respondWithOperation(
          operations,
          request,
          reply,
          await upkeep.prune({ requestedBy: who(request), idempotency: idempotencyOf(request) }),
        ),
    );

    app.post(
      '/api/v1/repository/unlock',
      {
        config: { access: 'admin', activity: 'unlock repository', problems: [...starts] },
        schema: {
          tags: ['repository'],
          summary: 'Remove locks whose holder is proved to be dead: the named ones, or all of them',
          body: z
            .strictObject({
              lock_ids: z
                .array(z.string().regex(/^[0-9a-f]{64}$/))
                .max(100)
                .optional(),
            })
            .nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) =>
        respondWithOperation(
          operations,
          request,
          reply,
          await upkeep.unlock({
            lockIds: request.body?.lock_ids,
            requestedBy: who(request),
            idempotency: idempotencyOf(request),
          }),
        ),
    );
  };
