import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { pointCauses } from '../point-cause.ts';
import { type BackupRoutesDeps, target } from './route-deps.ts';

const dayMs = 86_400_000;
/** Hourly points of a year are 8,760; whoever takes them more often sees the newest of the time asked for. */
const mostMarks = 5_000;

const timelineBody = z.object({
  target_id: z.string(),
  from: z.string(),
  to: z.string(),
  items: z
    .array(
      z.object({
        backup_id: z.string(),
        timestamp: z.string(),
        status: z.enum(['running', 'success', 'partial', 'error', 'lost']),
        grade: z.enum(['consistent', 'crash-consistent', 'fuzzy']).nullable(),
        cause: z.enum(pointCauses),
        workspace: z.string().nullable().describe('Of a point of one workspace alone.'),
        pinned: z.boolean(),
        verified_at: z.string().nullable(),
        forgotten_at: z.string().nullable(),
      }),
    )
    .describe('Oldest first: every run, also those that failed or were forgotten.'),
  left_out: z.boolean().describe('True: older ones of the time asked for are left out.'),
});

/** The course of the recovery points, with little said of each. */
export const timelineRoutes =
  (deps: BackupRoutesDeps): RoutePlugin =>
  async (app) => {
    app.get(
      '/api/v1/backup/timeline',
      {
        config: { access: 'admin', activity: 'backup timeline', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['backup'],
          summary: 'Recovery points and failed runs over time, a few words of each',
          querystring: z.object({ target, days: z.coerce.number().int().min(1).max(400).default(30) }),
          response: { 200: timelineBody },
        },
      },
      async ({ query }) => {
        const targetId = query.target ?? deps.defaultTargetId();
        deps.requireTarget(targetId);
        const toMs = deps.now();
        const fromMs = toMs - query.days * dayMs;
        const rows = await deps.points.timeline({ targetId, fromMs, limit: mostMarks + 1 });
        return {
          target_id: targetId,
          from: isoInstant(fromMs),
          to: isoInstant(toMs),
          items: rows
            .slice(0, mostMarks)
            .reverse()
            .map((row) => ({
              backup_id: row.id,
              timestamp: isoInstant(row.takenMs),
              status: row.status,
              grade: row.grade,
              cause: row.cause,
              workspace: row.workspace,
              pinned: row.pinned,
              verified_at: isoInstantOrNull(row.verifiedMs),
              forgotten_at: isoInstantOrNull(row.forgottenMs),
            })),
          left_out: rows.length > mostMarks,
        };
      },
    );
  };
