import { z } from 'zod';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { type BackupRoutesDeps, pointParams, target } from './route-deps.ts';

/** What goes into a point, and what of its configuration may be seen. */
export const sourceRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { backup } = deps;

    app.get(
      '/api/v1/backup/sources',
      {
        config: { access: 'admin', activity: 'backup sources', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'What a point taken now would hold, what each part of it is worth, and what it would lack',
          querystring: z.object({ target }),
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  name: z.string(),
                  kind: z.string(),
                  online: z.boolean().describe('Captured while the backend runs.'),
                  consistent: z
                    .enum(['always', 'when-still'])
                    .describe('`always`: one moment by construction; `when-still`: when nothing moved meanwhile.'),
                  restorable_elsewhere: z.boolean().describe('To another place, name or version.'),
                  restored_by: z.enum(['swap', 'restorer', 'by-hand']),
                  notes: z.array(z.string()),
                }),
              ),
              missing: z.array(z.object({ name: z.string(), reason: z.string() })),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async (request) => {
        const report = await backup.describeSources(request.query.target ?? deps.defaultTargetId());
        return {
          items: report.sources.map((one) => ({
            name: one.name,
            kind: one.kind,
            online: one.online,
            consistent: one.consistent,
            restorable_elsewhere: one.restorableElsewhere,
            restored_by: one.restoredBy,
            notes: [...one.notes],
          })),
          missing: report.missing.map((one) => ({ ...one })),
          next_cursor: null,
        };
      },
    );

    app.get(
      '/api/v1/backup/points/:backup_id/config',
      {
        config: {
          access: 'admin',
          activity: 'read configuration of point',
          problems: ['feature/disabled', 'backup/unknown-point', 'backup/invalid-id', 'backup/unavailable'],
        },
        schema: {
          tags: ['backup'],
          summary: 'The configuration that a point holds, with its secrets taken out',
          params: pointParams,
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  path: z.string(),
                  content: z.string(),
                  redacted: z.number().int().describe('Values that were taken out.'),
                }),
              ),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async (request) => ({
        items: (await backup.exportConfig(request.params.backup_id)).map((one) => ({ ...one })),
        next_cursor: null,
      }),
    );
  };
