import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import { type RoutePlugin, textAnswer } from '../platform/http/index.ts';
import type { AuditAnchor } from './event.ts';
import type { EventLog } from './event-log.ts';
import {
  auditBody,
  auditEntrySchema,
  auditVerdictSchema,
  cursor,
  instant,
  limit,
  msOf,
  numberOf,
  page,
  verdictBody,
} from './event-wire.ts';
import { exportAudit, ndjson, ndjsonType } from './export.ts';

export type AuditRouteDeps = {
  readonly events: EventLog;
  /** Heads of the trail that recovery points noted; from the repository, or quicker from our own catalogue. */
  anchors(from: 'catalogue' | 'repository', signal: AbortSignal): Promise<readonly AuditAnchor[]>;
};

const audited = { actor: z.string().max(1_000).optional(), action: z.string().max(200).optional() };

/** Who asked for what: the list, all of it as lines, and the proof that nothing was removed or changed. */
export const auditRoutes =
  ({ events, anchors }: AuditRouteDeps): RoutePlugin =>
  async (app) => {
    app.get(
      '/api/v1/audit',
      {
        config: { access: 'admin', activity: 'audit.list' },
        schema: {
          tags: ['events'],
          summary: 'Who asked for what, newest first',
          querystring: z.object({
            ...audited,
            correlation_id: z.string().max(1_000).optional(),
            since: instant.describe('Inclusive.'),
            until: instant.describe('Exclusive.'),
            cursor,
            limit,
          }),
          response: { 200: z.object({ items: z.array(auditEntrySchema), next_cursor: z.string().nullable() }) },
        },
      },
      async ({ query }) => {
        const found = await events.listAudit({
          actor: query.actor,
          action: query.action,
          correlationId: query.correlation_id,
          sinceMs: msOf(query.since),
          untilMs: msOf(query.until),
          beforeSeq: numberOf(query.cursor),
          limit: query.limit + 1,
        });
        return page(found.map(auditBody), query.limit);
      },
    );

    app.get(
      '/api/v1/audit/export',
      {
        config: { access: 'admin', activity: 'audit.export' },
        schema: {
          tags: ['events'],
          summary: 'The audit trail with its hashes, oldest first, one JSON document a line',
          description:
            'Ends with the entry that was the newest when it began. An answer that breaks off is not complete.',
          querystring: z.object({
            ...audited,
            since: instant.describe('Inclusive.'),
            until: instant.describe('Exclusive.'),
          }),
          response: { 200: textAnswer('Lines, each an audit entry.', ndjsonType) },
        },
      },
      async ({ query }, reply) =>
        reply.type(ndjsonType).send(
          ndjson(
            exportAudit(events, {
              actor: query.actor,
              action: query.action,
              sinceMs: msOf(query.since),
              untilMs: msOf(query.until),
            }),
          ),
        ),
    );

    app.get(
      '/api/v1/audit/verify',
      {
        config: {
          access: 'admin',
          activity: 'audit.verify',
          problems: ['backup/unavailable', 'repository/failed'],
        },
        schema: {
          tags: ['events'],
          summary: 'Reads the whole audit trail and checks its chain of hashes',
          description:
            'The chain shows what was changed or removed in between; that its end was cut off, or all of it written anew, only heads noted elsewhere show: those in the manifests of recovery points, or one of yours.',
          querystring: z.object({
            against: z
              .enum(['catalogue', 'repository', 'nothing'])
              .default('catalogue')
              .describe(
                'Where the heads that recovery points noted are read: `repository` starts restic once for each.',
              ),
            expected_seq: z.coerce.number().int().min(0).optional().describe('A head of yours, as this route told it.'),
            expected_hash: z
              .string()
              .regex(/^[0-9a-f]{64}$/)
              .optional(),
          }),
          response: { 200: auditVerdictSchema },
        },
      },
      async (request) => {
        const { against, expected_seq: seq, expected_hash: hash } = request.query;
        if ((seq === undefined) !== (hash === undefined))
          throw new AppError('request/invalid', 'A head is both: `expected_seq` and `expected_hash`.', {
            violations: [{ at: seq === undefined ? '/expected_seq' : '/expected_hash', message: 'is missing' }],
          });
        const left = new AbortController();
        request.raw.once('close', () => left.abort());
        const noted = against === 'nothing' ? [] : await anchors(against, left.signal);
        const own = seq === undefined || hash === undefined ? [] : [{ seq, hash, where: 'the expected head' }];
        return verdictBody(await events.verifyAudit([...own, ...noted]));
      },
    );
  };
