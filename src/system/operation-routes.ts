import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { type RoutePlugin, textAnswer } from '../platform/http/index.ts';
import type { RestartedJob } from '../platform/jobs.ts';
import type { Logs } from './logs/logs.ts';

export type SystemWork = {
  readonly logs: Logs;
  readonly operations: Operations;
  /** Begins background jobs anew; audited where it is done. */
  restart(options: {
    names: readonly string[] | undefined;
    waitMs: number;
    force: boolean;
    actor: string;
  }): Promise<readonly RestartedJob[]>;
  bundle(actor: string): Promise<{ readonly name: string; readonly bytes: Buffer }>;
};

const plannedSchema = z.object({
  file: z.string(),
  bytes: z.number(),
  written_at: z.iso.datetime(),
  action: z.enum(['rotate', 'compress', 'delete', 'leave']),
  reason: z.string(),
});
const days = z.coerce.number().int().min(1).max(36_500);

export function requireActor(principal: { subject: string } | undefined): string {
  if (!principal) throw new AppError('access/unauthenticated', 'Nobody stands behind this request.');
  return principal.subject;
}

/** Work on ragwarden itself: its logs and those of registered folders, its background jobs, and what helpers need to see. */
export const systemWorkRoutes =
  ({ logs, operations, restart, bundle }: SystemWork): RoutePlugin =>
  async (app) => {
    const tags = ['system'];

    app.get(
      '/api/v1/system/logs',
      {
        config: { access: 'admin', activity: 'system.logs' },
        schema: {
          tags,
          summary: 'Logs that are looked after, and what rotating and cleaning would do now; does nothing',
          querystring: z.object({
            all: z.stringbool().default(false).describe('As if every log were asked for, whatever its size.'),
            days_to_keep: days.optional(),
          }),
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  folder: z.string(),
                  pattern: z.string(),
                  how: z.enum(['rename', 'copy-truncate', 'reopen']),
                  unreadable: z.string().nullable(),
                  rotation: z.array(plannedSchema),
                  cleanup: z.array(plannedSchema),
                }),
              ),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async ({ query }) => ({
        items: (await logs.plan({ all: query.all, keepDays: query.days_to_keep })).map(
          ({ folder, unreadable, rotation, cleanup }) => ({
            folder: folder.path,
            pattern: folder.pattern,
            how: folder.how,
            unreadable: unreadable ?? null,
            rotation: rotation.map(shapePlanned),
            cleanup: cleanup.map(shapePlanned),
          }),
        ),
        next_cursor: null,
      }),
    );

    app.post(
      '/api/v1/system/logs/rotate',
      {
        config: { access: 'admin', activity: 'system.rotate-logs', problems: ['conflict/state'] },
        schema: {
          tags,
          summary: 'Set large or old logs aside and compress them',
          body: z
            .strictObject({ all: z.boolean().default(false).describe('Every log that holds something.') })
            .optional(),
          response: operationAnswers,
        },
      },
      async (request, reply) =>
        respondWithOperation(
          operations,
          request,
          reply,
          await logs.rotate({
            all: request.body?.all ?? false,
            requestedBy: requireActor(request.principal),
            idempotency: idempotencyOf(request),
          }),
        ),
    );

    app.post(
      '/api/v1/system/logs/cleanup',
      {
        config: { access: 'admin', activity: 'system.cleanup-logs', problems: ['conflict/state'] },
        schema: {
          tags,
          summary: 'Delete logs that nobody has written to for so many days',
          body: z.strictObject({ days_to_keep: days.optional().describe('`logs.keep_days` unless told.') }).optional(),
          response: operationAnswers,
        },
      },
      async (request, reply) =>
        respondWithOperation(
          operations,
          request,
          reply,
          await logs.cleanup({
            keepDays: request.body?.days_to_keep,
            requestedBy: requireActor(request.principal),
            idempotency: idempotencyOf(request),
          }),
        ),
    );

    app.post(
      '/api/v1/system/services/restart',
      {
        config: { access: 'admin', activity: 'system.restart', problems: ['request/not-found'] },
        schema: {
          tags,
          summary: 'Begin background jobs anew, all of them unless named',
          description:
            'A run under way is awaited, so that no work is dropped; `force` tells it to give up. Names are those of `/api/v1/system/jobs`.',
          body: z
            .strictObject({
              names: z.array(z.string().min(1).max(200)).min(1).max(200).optional(),
              wait_seconds: z.number().min(0).max(600).default(30).describe('How long a run under way is awaited.'),
              force: z.boolean().default(false),
            })
            .optional(),
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  name: z.string(),
                  outcome: z
                    .enum(['restarted', 'aborted', 'waiting', 'inactive'])
                    .describe('`waiting`: its run has not ended; it begins anew as soon as it does.'),
                }),
              ),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async (request) => ({
        items: [
          ...(await restart({
            names: request.body?.names,
            waitMs: (request.body?.wait_seconds ?? 30) * 1_000,
            force: request.body?.force ?? false,
            actor: requireActor(request.principal),
          })),
        ],
        next_cursor: null,
      }),
    );

    app.get(
      '/api/v1/system/bundle',
      {
        config: { access: 'admin', activity: 'system.bundle' },
        schema: {
          tags,
          summary: 'What somebody who helps needs to see, without secrets: a .tar.gz',
          response: { 200: textAnswer('A gzipped archive.', 'application/gzip') },
        },
      },
      async (request, reply) => {
        const { name, bytes } = await bundle(requireActor(request.principal));
        // A buffer is handed over as it is; to the description it is a file, as text is.
        return reply
          .type('application/gzip')
          .header('content-disposition', `attachment; filename="${name}"`)
          .send(bytes as unknown as string);
      },
    );
  };

const shapePlanned = ({ file, action, reason }: Awaited<ReturnType<Logs['plan']>>[number]['rotation'][number]) => ({
  file: file.path,
  bytes: file.bytes,
  written_at: new Date(file.writtenMs).toISOString(),
  action,
  reason,
});
