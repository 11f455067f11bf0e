import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { pageCursor, pageOf, placeOfCursor } from '../platform/paging.ts';
import { type Drill, drillChoices, drillKinds } from './drill.ts';
import type { DrillStore } from './drill-store.ts';
import type { Drills } from './drills.ts';
import { evidenceSchema } from './evidence.ts';
import type { RpoState, RtoState } from './objectives.ts';
import type { TargetRecovery } from './recovery-status.ts';

export type RecoveryRoutesDeps = {
  readonly drills: Drills;
  readonly store: DrillStore;
  readonly operations: Operations;
  readonly enabled: boolean;
  readonly targetIds: readonly string[];
  readonly defaultTargetId: () => string;
  readonly defaultChoice: () => (typeof drillChoices)[number];
  status(targetId: string): Promise<TargetRecovery>;
};

const drillBody = z.object({
  drill_id: z.string(),
  target_id: z.string(),
  backup_id: z.string(),
  kind: z.enum(drillKinds),
  choice: z.enum(drillChoices).nullable().describe('How the point was chosen; null when it was named.'),
  requested_by: z.string(),
  started_at: z.string(),
  finished_at: z.string().nullable(),
  verdict: z.enum(['passed', 'failed', 'error']).nullable().describe('Null while it runs.'),
  reasons: z.array(z.string()),
  phases: z.array(
    z.object({
      name: z.string(),
      component: z.string().nullable(),
      seconds: z.number(),
      times_in_restore: z.number().describe('How often a restore goes through it; 0: it only looks.'),
    }),
  ),
  rto_seconds: z.number().nullable(),
  size_bytes: z.number().nullable(),
  file_count: z.number().nullable(),
  evidence_sha256: z.string().nullable(),
});

const rpoBody = z.object({
  objective_seconds: z.number(),
  measured_seconds: z.number().nullable(),
  backup_id: z.string().nullable().describe('The newest good point.'),
  used: z.number().nullable().describe('Share of the loss budget that is used: 1 is the objective.'),
  missed_at: z.string().nullable().describe('When the objective is missed unless another good point is taken.'),
  met: z.boolean(),
});

const objectivesBody = z.object({
  target_id: z.string(),
  rpo: rpoBody,
  workspaces: z.array(z.object({ workspace: z.string(), rpo: rpoBody })),
  rto: z.object({
    objective_seconds: z.number(),
    measured_seconds: z.number().nullable(),
    measured_at: z.string().nullable(),
    drill_id: z.string().nullable(),
    forecast_seconds: z.number().nullable().describe('For the present size of the target.'),
    met: z.boolean().nullable().describe('Null: never measured.'),
    trend: z.array(
      z.object({ drill_id: z.string(), at: z.string(), rto_seconds: z.number(), size_bytes: z.number().nullable() }),
    ),
  }),
  drill: z.object({
    frequency_seconds: z.number().describe('0: drills are not scheduled.'),
    last_verdict: z.enum(['passed', 'failed', 'error']).nullable(),
    last_drill_id: z.string().nullable(),
    last_passed_at: z.string().nullable(),
    failures_in_row: z.number(),
    next_at: z.string().nullable(),
    overdue_since: z.string().nullable(),
  }),
});

const seconds = (ms: number): number => Math.round(ms) / 1000;
const secondsOrNull = (ms: number | null): number | null => (ms === null ? null : seconds(ms));

const target = z.string().max(64).optional().describe('Default: the only target.');
const drillParams = z.object({ drill_id: z.string().max(100) });

/** Drills, what they proved, and the objectives they are held against. */
export const recoveryRoutes =
  (deps: RecoveryRoutesDeps): RoutePlugin =>
  async (app) => {
    const { drills, store, operations } = deps;

    app.addHook('onRequest', async (request) => {
      if (!deps.enabled && request.principal)
        throw new AppError(
          'feature/disabled',
          'Drills are switched off by LIGHTRAG_RECOVERY_ENABLED (recovery.enabled) or BACKUP_ENABLED (backup.enabled).',
        );
    });

    app.get(
      '/api/v1/recovery/objectives',
      {
        config: { access: 'admin', activity: 'recovery objectives', problems: ['feature/disabled', 'target/unknown'] },
        schema: {
          tags: ['recovery'],
          summary: 'RPO and RTO of each target: objective, measured, how much is used, trend',
          querystring: z.object({ target: z.string().max(64).optional().describe('Default: all targets.') }),
          response: { 200: z.object({ items: z.array(objectivesBody), next_cursor: z.null() }) },
        },
      },
      async (request) => {
        const asked = request.query.target;
        if (asked !== undefined && !deps.targetIds.includes(asked))
          throw new AppError('target/unknown', `There is no target "${asked}". \`ragwarden target list\` shows them.`);
        const ids = asked === undefined ? deps.targetIds : [asked];
        return { items: (await Promise.all(ids.map((id) => deps.status(id)))).map(objectivesOf), next_cursor: null };
      },
    );

    app.get(
      '/api/v1/recovery/drills',
      {
        config: { access: 'admin', activity: 'list drills', problems: ['feature/disabled'] },
        schema: {
          tags: ['recovery'],
          summary: 'Drills, newest first',
          querystring: z.object({
            target,
            kind: z.enum(drillKinds).optional(),
            limit: z.coerce.number().int().min(1).max(500).default(50),
            cursor: pageCursor('op_[0-9a-z]{26}'),
          }),
          response: { 200: z.object({ items: z.array(drillBody), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const { cursor, limit, kind } = request.query;
        const rows = await store.list({
          targetId: request.query.target,
          kind,
          before: placeOfCursor(cursor),
          limit: limit + 1,
        });
        return pageOf(rows, limit, { atMs: (row) => row.startedMs, body: drillOf });
      },
    );

    app.post(
      '/api/v1/recovery/drills',
      {
        config: {
          access: 'admin',
          activity: 'begin drill',
          problems: [
            'feature/disabled',
            'target/unknown',
            'backup/unknown-point',
            'backup/invalid-id',
            'backup/unavailable',
            'operation/busy',
            'conflict/state',
            'storage/full',
          ],
        },
        schema: {
          tags: ['recovery'],
          summary: 'Rehearse a restore now; its operation has the id of the drill',
          body: z
            .strictObject({
              target: z.string().max(64).optional(),
              kind: z.enum(drillKinds).optional().describe('Default: restore. chaos damages the restored copy.'),
              backup_id: z.string().max(20_000).optional().describe('This point; else one is chosen.'),
              choice: z.enum(drillChoices).optional().describe('Default: drill.choice.'),
            })
            .nullish(),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const operation = await drills.start({
          targetId: request.body?.target ?? deps.defaultTargetId(),
          kind: request.body?.kind ?? 'restore',
          pointId: request.body?.backup_id,
          choice: request.body?.choice ?? deps.defaultChoice(),
          requestedBy: request.principal?.subject ?? 'unknown',
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.get(
      '/api/v1/recovery/drills/:drill_id',
      {
        config: { access: 'admin', activity: 'read drill', problems: ['feature/disabled', 'recovery/unknown-drill'] },
        schema: {
          tags: ['recovery'],
          summary: 'One drill',
          params: drillParams,
          response: { 200: drillBody, 304: z.undefined() },
        },
      },
      async (request) => drillOf(await drills.require(request.params.drill_id)),
    );

    app.get(
      '/api/v1/recovery/drills/:drill_id/evidence',
      {
        config: {
          access: 'admin',
          activity: 'read evidence',
          problems: ['feature/disabled', 'recovery/unknown-drill', 'conflict/state'],
        },
        schema: {
          tags: ['recovery'],
          summary: 'What a drill proved, as a document to be kept elsewhere',
          params: drillParams,
          response: { 200: evidenceSchema, 304: z.undefined() },
        },
      },
      async (request, reply) => {
        reply.header(
          'content-disposition',
          `attachment; filename="${request.params.drill_id.replace(/[^0-9a-z_]/g, '')}.evidence.json"`,
        );
        return drills.requireEvidence(request.params.drill_id);
      },
    );
  };

const drillOf = (drill: Drill): z.infer<typeof drillBody> => ({
  drill_id: drill.id,
  target_id: drill.targetId,
  backup_id: drill.pointId,
  kind: drill.kind,
  choice: drill.choice,
  requested_by: drill.requestedBy,
  started_at: isoInstant(drill.startedMs),
  finished_at: isoInstantOrNull(drill.finishedMs),
  verdict: drill.verdict,
  reasons: [...drill.reasons],
  phases: drill.phases.map((one) => ({
    name: one.name,
    component: one.component,
    seconds: seconds(one.ms),
    times_in_restore: one.inRestore,
  })),
  rto_seconds: secondsOrNull(drill.rtoMs),
  size_bytes: drill.bytes,
  file_count: drill.files,
  evidence_sha256: drill.evidenceSha256,
});

const rpoOf = (rpo: RpoState): z.infer<typeof rpoBody> => ({
  objective_seconds: seconds(rpo.objectiveMs),
  measured_seconds: secondsOrNull(rpo.measuredMs),
  backup_id: rpo.pointId,
  used: rpo.used === null ? null : Math.round(rpo.used * 1000) / 1000,
  missed_at: isoInstantOrNull(rpo.missedAtMs),
  met: rpo.met,
});

const rtoOf = (rto: RtoState): z.infer<typeof objectivesBody>['rto'] => ({
  objective_seconds: seconds(rto.objectiveMs),
  measured_seconds: secondsOrNull(rto.measuredMs),
  measured_at: isoInstantOrNull(rto.measuredAtMs),
  drill_id: rto.drillId,
  forecast_seconds: secondsOrNull(rto.forecastMs),
  met: rto.met,
  trend: rto.trend.map((one) => ({
    drill_id: one.drillId,
    at: isoInstant(one.atMs),
    rto_seconds: seconds(one.rtoMs),
    size_bytes: one.bytes,
  })),
});

const objectivesOf = (status: TargetRecovery): z.infer<typeof objectivesBody> => ({
  target_id: status.targetId,
  rpo: rpoOf(status.rpo),
  workspaces: status.workspaces.map(({ workspace, rpo }) => ({ workspace, rpo: rpoOf(rpo) })),
  rto: rtoOf(status.rto),
  drill: {
    frequency_seconds: seconds(status.drill.frequencyMs),
    last_verdict: status.drill.last?.verdict ?? null,
    last_drill_id: status.drill.last?.id ?? null,
    last_passed_at: isoInstantOrNull(status.drill.lastPassedMs),
    failures_in_row: status.drill.failuresInRow,
    next_at: isoInstantOrNull(status.drill.nextMs),
    overdue_since: isoInstantOrNull(status.drill.overdueSinceMs),
  },
});
