import { z } from 'zod';
import { idempotencyOf, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { pageCursor, pageOf, placeOfCursor } from '../../platform/paging.ts';
import { backupResult, backupResultSchema } from '../backup-result.ts';
import { pointContents, pointContentsSchema } from '../point-contents.ts';
import { type BackupRoutesDeps, pointParams, target, who } from './route-deps.ts';

/** Recovery points that exist: listed, shown, read back, pinned. */
export const pointRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup, points, operations } = deps;

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
            cursor: pageCursor('backup_[0-9a-z_]{20,30}'),
          }),
          response: { 200: z.object({ items: z.array(backupResultSchema), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit } = request.query;
        const rows = await points.list({
          targetId: request.query.target,
          statuses: ['success', 'partial'],
          before: placeOfCursor(cursor),
          limit: limit + 1,
        });
        return pageOf(rows, limit, { atMs: (row) => row.takenMs, body: backupResult });
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

    app.get(
      '/api/v1/backup/points/:backup_id/contents',
      {
        config: {
          access: 'admin',
          activity: 'read contents',
          problems: ['feature/disabled', 'backup/unknown-point', 'backup/invalid-id', 'conflict/state'],
        },
        schema: {
          tags: ['backup'],
          summary:
            'What is in a point: components with their streams and counts, and whether the stores belong together',
          params: pointParams,
          response: { 200: pointContentsSchema, 304: z.undefined() },
        },
      },
      async (request) => {
        const point = await backup.requirePoint(request.params.backup_id);
        if (!point.manifest)
          throw new AppError(
            'conflict/state',
            `${point.id} has no contents: ${point.error ?? `it is ${point.status}`}.`,
          );
        return pointContents(point.manifest);
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
  };
