import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../../operations/index.ts';
import { isoInstant, isoInstantOrNull } from '../../platform/clock.ts';
import { AppError } from '../../platform/errors.ts';
import type { RoutePlugin } from '../../platform/http/index.ts';
import { requireFeature } from '../applicability.ts';
import type { Target } from '../target.ts';
import { type BackendDocument, causeOf } from './document.ts';
import type { DocumentReport, DocumentWatch } from './document-watch.ts';
import { insertOutcomes } from './insert-following.ts';
import type { Reprocessing } from './reprocess.ts';

const listedDocument = z.object({
  id: z.string(),
  status: z.string(),
  file_path: z.string(),
  track_id: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
  age_seconds: z.number().describe('Since it last changed.'),
  cause: z.string().nullable().describe('Class of the failure; null for one that did not fail.'),
  error: z.string().nullable(),
});

const documentsBody = z
  .object({
    target_id: z.string(),
    workspace: z.string(),
    looked_at: z.string().nullable(),
    counts: z.record(z.string(), z.number()).nullable(),
    in_flight: z.number().nullable(),
    stuck: z
      .object({
        cause: z.enum(['pipeline-idle', 'no-progress']),
        since: z.string(),
        documents: z.number(),
        listed: z.array(listedDocument),
      })
      .nullable(),
    failed: z.array(listedDocument).describe('Those that failed last, without what was known already.'),
    ended: z.array(z.object({ outcome: z.string(), cause: z.string().nullable(), documents: z.number() })),
    counted_since: z.string().nullable(),
    latency: z
      .object({
        documents: z.number(),
        average_ms: z.number(),
        min_ms: z.number(),
        max_ms: z.number(),
        p50_ms: z.number(),
        p95_ms: z.number(),
        p99_ms: z.number(),
      })
      .nullable()
      .describe('From acceptance to processed, of the last 2,000 documents.'),
    inserts_followed: z.number(),
    inserts: z
      .array(
        z.object({
          track_id: z.string(),
          user: z.string().nullable(),
          accepted_at: z.string(),
          ended_at: z.string(),
          outcome: z.enum(insertOutcomes),
          documents: z.number(),
          causes: z.array(z.string()),
          duration_ms: z.number().nullable(),
        }),
      )
      .describe('Followed inserts that ended last, at most 100 since the start; the newest first.'),
    reprocessing: z.object({
      automatic: z.boolean(),
      most_per_day: z.number(),
      today: z.number(),
      next_at: z.string().nullable(),
    }),
  })
  .meta({ id: 'Documents' });
export type DocumentsBody = z.infer<typeof documentsBody>;

/** The documents of one workspace, and how they are set going again. */
export type WatchedDocuments = { readonly watch: DocumentWatch; readonly reprocessing: Reprocessing };

export type DocumentRoutesDeps = {
  readonly watched: readonly WatchedDocuments[];
  readonly targets: readonly Pick<Target, 'id' | 'kind'>[];
  readonly operations: Operations;
  policy(): { readonly enabled: boolean; readonly mostPerDay: number };
  now(): number;
};

const shapeDocument = (one: BackendDocument, nowMs: number): z.input<typeof listedDocument> => ({
  id: one.id,
  status: one.status,
  file_path: one.filePath,
  track_id: one.trackId,
  created_at: isoInstant(one.createdMs),
  updated_at: isoInstant(one.updatedMs),
  age_seconds: Math.max(0, Math.round((nowMs - one.updatedMs) / 1_000)),
  cause: causeOf(one),
  error: one.error,
});

const shape = (
  report: DocumentReport,
  attempts: { readonly today: number; readonly nextMs: number | null },
  policy: ReturnType<DocumentRoutesDeps['policy']>,
  nowMs: number,
): z.input<typeof documentsBody> => ({
  target_id: report.targetId,
  workspace: report.workspace,
  looked_at: isoInstantOrNull(report.lookedMs),
  counts: report.counts === null ? null : { ...report.counts },
  in_flight: report.inFlight,
  stuck: report.stuck && {
    cause: report.stuck.cause,
    since: isoInstant(report.stuck.sinceMs),
    documents: report.stuck.documents,
    listed: report.stuck.listed.map((one) => shapeDocument(one, nowMs)),
  },
  failed: report.failed.map((one) => shapeDocument(one, nowMs)),
  ended: report.ended.map((one) => ({ ...one })),
  counted_since: isoInstantOrNull(report.countedSinceMs),
  latency: report.latency && {
    documents: report.latency.documents,
    average_ms: report.latency.average,
    min_ms: report.latency.least,
    max_ms: report.latency.greatest,
    p50_ms: report.latency.p50,
    p95_ms: report.latency.p95,
    p99_ms: report.latency.p99,
  },
  inserts_followed: report.insertsFollowed,
  inserts: report.inserts.map((one) => ({
    track_id: one.trackId,
    user: one.subject,
    accepted_at: isoInstant(one.acceptedMs),
    ended_at: isoInstant(one.endedMs),
    outcome: one.outcome,
    documents: one.documents,
    causes: [...one.causes],
    duration_ms: one.durationMs,
  })),
  reprocessing: {
    automatic: policy.enabled,
    most_per_day: policy.mostPerDay,
    today: attempts.today,
    next_at: isoInstantOrNull(attempts.nextMs),
  },
});

/** What becomes of the documents of a target, and the button for those that are stuck. */
export const documentRoutes =
  (deps: DocumentRoutesDeps): RoutePlugin =>
  async (app) => {
    const params = z.object({ id: z.string().max(20_000) });
    const require = (id: string): readonly WatchedDocuments[] => {
      const target = deps.targets.find((one) => one.id === id);
      if (!target)
        throw new AppError(
          'target/unknown',
          `There is no target ${JSON.stringify(id.slice(0, 100))}. \`ragwarden target list\` shows them.`,
        );
      requireFeature(target, 'documents');
      return deps.watched.filter((one) => one.watch.place.targetId === id);
    };

    app.get(
      '/api/v1/targets/:id/documents',
      {
        config: { access: 'admin', activity: 'read documents', problems: ['target/unknown', 'target/not-applicable'] },
        schema: {
          tags: ['targets'],
          summary: 'How the documents of each workspace are: in flight, stuck, failed, ended',
          params,
          response: { 200: z.object({ items: z.array(documentsBody), next_cursor: z.string().nullable() }) },
        },
      },
      async (request) => {
        const items: z.input<typeof documentsBody>[] = [];
        for (const { watch, reprocessing } of require(request.params.id))
          items.push(shape(watch.report(), await reprocessing.attempts(), deps.policy(), deps.now()));
        return { items, next_cursor: null };
      },
    );

    app.post(
      '/api/v1/targets/:id/documents/reprocess',
      {
        config: {
          access: 'admin',
          activity: 'reprocess documents',
          problems: ['target/unknown', 'target/not-applicable', 'operation/busy', 'conflict/state'],
        },
        schema: {
          tags: ['targets'],
          summary: 'Have the backend take stuck documents up again',
          params,
          body: z
            .strictObject({
              workspace: z.string().max(200).optional(),
              failed: z
                .boolean()
                .default(false)
                .describe('Also when only failed documents are left. Beside stuck ones the backend tries them anyway.'),
            })
            .default({ failed: false }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { workspace, failed } = request.body;
        const found = require(request.params.id).filter(
          (one) => workspace === undefined || one.watch.place.workspace === workspace,
        );
        const [first, second] = found;
        if (!first) throw new AppError('conflict/state', 'The documents of this workspace are not watched.');
        if (second)
          throw new AppError(
            'conflict/state',
            `Name one of the workspaces: ${found.map((one) => JSON.stringify(one.watch.place.workspace)).join(', ')}.`,
          );
        const operation = await first.reprocessing.begin({
          failedToo: failed,
          requestedBy: request.principal?.subject ?? 'unknown',
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(deps.operations, request, reply, operation);
      },
    );
  };
