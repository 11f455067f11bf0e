import { z } from 'zod';
import { isoInstantOrNull } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { bookingRoutes } from './booking-routes.ts';
import { concerns, type Quota } from './quota.ts';
import {
  bucketBody,
  changed,
  draftOf,
  historyBody,
  historySchema,
  newQuotaSchema,
  quotaBody,
  quotaChangeSchema,
  quotaId,
  quotaSchema,
  replayBody,
  replaySchema,
  usageBody,
  usageSchema,
  violationBody,
  violationSchema,
} from './quota-bodies.ts';
import type { Quotas } from './quotas.ts';
import { type PastUse, replay } from './replay.ts';
import { readHistory, readUsage } from './usage.ts';
import { countViolations, listViolations } from './violation-store.ts';

export type QuotaRouteDeps = {
  readonly quotas: Quotas;
  readonly db: Database;
  now(): number;
  /** The one that a workspace belongs to when nobody says; null where there is none. */
  onlyTarget(): string | null;
  /** What was used, as far as it is remembered, for trying a definition. */
  pastUses(): readonly PastUse[];
};

const base = '/api/v1/metrics/quotas';
const dayMs = 86_400_000;
const ofOne = z.object({ quota_id: quotaId });
const bucketsShown = 20;

const ledgerSchema = z
  .object({
    state: z.enum(['answers', 'lost']),
    lost_since: z.iso.datetime().nullable(),
    unguarded: z
      .number()
      .int()
      .describe('Uses that passed meanwhile, because their quotas are `open`, since the start.'),
    refused_blind: z.number().int().describe('Uses that were refused meanwhile, since the start.'),
    held_reservations: z.number().int(),
    waiting: z.number().int().describe('Uses that wait for their turn.'),
  })
  .meta({ id: 'QuotaLedger' });

const metricsSchema = z
  .object({
    total_checks: z.number().int(),
    total_violations: z.number().int(),
    total_warnings: z.number().int(),
    blocks_enforced: z.number().int(),
    throttles_enforced: z.number().int(),
    queued: z.number().int(),
    quota_resets: z.number().int(),
  })
  .describe('Since the start.');

/** Quotas: what may be used, by whom, and what was. */
export const quotaRoutes =
  (deps: QuotaRouteDeps): RoutePlugin =>
  async (app) => {
    const { quotas, db } = deps;
    const { definitions, violations } = quotas;
    const tags = ['quotas'];
    await app.register(bookingRoutes(deps));

    const body = (quota: Quota) => quotaBody(quota, definitions.baseLimit(quota.id));
    const actorOf = (principal: { readonly subject: string } | undefined): string => principal?.subject ?? 'unknown';
    const usageOf = async (quota: Quota, of?: { userId?: string | undefined; workspace?: string | undefined }) => {
      const nowMs = deps.now();
      const place = of && { userId: of.userId ?? null, workspace: of.workspace ?? null };
      const usage = await readUsage(db, quota, { nowMs, limit: bucketsShown, of: place });
      const recent = await countViolations(db.reader(), { quotaId: quota.id, sinceMs: nowMs - dayMs });
      return usageBody(usage, { violations: recent, warnings: violations.warningsOf(quota.id) });
    };

    app.get(
      base,
      {
        config: { access: 'service', activity: 'quotas.list' },
        schema: {
          tags,
          summary: 'Quotas, how they stand, and what was over in the last 24 hours',
          querystring: z.object({
            quota_id: quotaId.optional(),
            user_id: z.string().max(300).optional().describe('Only what this user shares in.'),
            workspace_id: z.string().max(300).optional(),
          }),
          response: {
            200: z.object({
              quotas: z.record(z.string(), quotaSchema),
              usage: z.record(z.string(), usageSchema),
              violations: z.array(violationSchema).describe('The newest first, at most 100.'),
              metrics: metricsSchema,
              ledger: ledgerSchema,
            }),
          },
        },
      },
      async ({ query }) => {
        const { quota_id: id, user_id: userId, workspace_id: workspace } = query;
        const shown = definitions
          .all()
          .filter((quota) => id === undefined || quota.id === id)
          .filter(({ of }) => userId === undefined || of.userId === null || of.userId === userId)
          .filter(({ of }) => workspace === undefined || of.workspace === null || of.workspace === workspace);
        const usage = await Promise.all(shown.map((quota) => usageOf(quota, { userId, workspace })));
        const recent = await listViolations(db.reader(), {
          quotaId: id,
          sinceMs: deps.now() - dayMs,
          bucketHas: userId === undefined ? undefined : `user=${encodeURIComponent(userId)}`,
          limit: 100,
        });
        const totals = quotas.totals();
        const told = violations.totals();
        return {
          quotas: Object.fromEntries(shown.map((quota) => [quota.id, body(quota)])),
          usage: Object.fromEntries(usage.map((one) => [one.quota_id, one])),
          violations: recent.map(violationBody),
          metrics: {
            total_checks: totals.checks,
            total_violations: told.violations,
            total_warnings: told.warnings,
            blocks_enforced: totals.blocks,
            throttles_enforced: totals.throttles,
            queued: totals.queued,
            quota_resets: totals.resets,
          },
          ledger: {
            state: quotas.lost.sinceMs() === null ? ('answers' as const) : ('lost' as const),
            lost_since: isoInstantOrNull(quotas.lost.sinceMs()),
            unguarded: totals.unguarded,
            refused_blind: totals.refusedBlind,
            held_reservations: await quotas.bookings.held(),
            waiting: quotas.waitingRoom.waiting(),
          },
        };
      },
    );

    app.get(
      `${base}/own`,
      {
        config: { access: 'user', activity: 'quotas.own' },
        schema: {
          tags,
          summary: 'What the caller may still use of the quotas that concern them',
          response: {
            200: z.object({
              items: z.array(
                z.object({
                  quota_id: z.string(),
                  name: z.string(),
                  resource_type: z.string(),
                  period: z.string(),
                  shadow: z.boolean(),
                  usage: usageSchema.shape.buckets.element,
                }),
              ),
              next_cursor: z.null(),
            }),
          },
        },
      },
      async ({ principal }) => {
        const userId = actorOf(principal);
        const nowMs = deps.now();
        const mine = definitions
          .all()
          .filter((quota) => quota.per.includes('user') || quota.of.userId === userId)
          .filter((quota) => concerns({ ...quota, per: [] }, { ...quota.of, userId }, nowMs));
        const items = await Promise.all(
          mine.map(async (quota) => {
            const { buckets } = await readUsage(db, quota, { nowMs, limit: 1_000, of: { userId } });
            return buckets.slice(0, bucketsShown).map((one) => ({
              quota_id: quota.id,
              name: quota.name,
              resource_type: quota.counts,
              period: quota.period,
              shadow: quota.shadow,
              usage: bucketBody(quota, one),
            }));
          }),
        );
        return { items: items.flat(), next_cursor: null };
      },
    );

    app.post(
      base,
      {
        config: { access: 'admin', activity: 'quotas.create', problems: ['conflict/state', 'quota/too-many'] },
        schema: { tags, summary: 'Make a quota', body: newQuotaSchema, response: { 201: quotaSchema } },
      },
      async ({ body: given, principal }, reply) =>
        reply.code(201).send(body(await definitions.create(draftOf(given), actorOf(principal)))),
    );

    app.get(
      `${base}/violations`,
      {
        config: { access: 'service', activity: 'quotas.violations' },
        schema: {
          tags,
          summary: 'Limits that were passed, or would have been; the newest first',
          querystring: z.object({
            quota_id: quotaId.optional(),
            resolved: z.stringbool().optional(),
            limit: z.coerce.number().int().min(1).max(200).default(100),
            cursor: z
              .string()
              .regex(/^qv_[0-9a-z]{1,40}$/, 'is the `next_cursor` of a page before')
              .optional(),
          }),
          response: {
            200: z.object({
              items: z.array(violationSchema),
              next_cursor: z.string().nullable(),
              total: z.number().int().describe('Before the limit.'),
            }),
          },
        },
      },
      async ({ query: { quota_id: id, resolved, limit, cursor } }) => {
        const filter = { quotaId: id, resolved };
        const page = await listViolations(db.reader(), { ...filter, beforeId: cursor, limit: limit + 1 });
        const items = page.slice(0, limit);
        return {
          items: items.map(violationBody),
          next_cursor: page.length > limit ? (items.at(-1)?.id ?? null) : null,
          total: await countViolations(db.reader(), filter),
        };
      },
    );

    app.post(
      `${base}/replay`,
      {
        config: { access: 'admin', activity: 'quotas.replay', onlyLooks: true, problems: ['quota/unknown'] },
        schema: {
          tags,
          summary: 'Try a definition on what was used',
          description:
            'Over the exchanges that passed the gateway and are still in memory, so only for what the gateway counts: requests, llm_calls, tokens, cost_micros, documents, concurrent_inserts. Nothing is changed.',
          body: z.union([newQuotaSchema, z.strictObject({ existing: quotaId })]),
          response: { 200: replaySchema },
        },
      },
      async ({ body: given }) => {
        const quota =
          'existing' in given
            ? definitions.require(given.existing)
            : { ...draftOf(given), origin: 'api' as const, createdMs: 0, updatedMs: 0 };
        return replayBody(replay(quota, deps.pastUses()));
      },
    );

    app.get(
      `${base}/:quota_id`,
      {
        config: { access: 'service', activity: 'quotas.get', problems: ['quota/unknown'] },
        schema: {
          tags,
          summary: 'One quota, how it stands and what was used before',
          params: ofOne,
          querystring: z.object({ history: z.coerce.number().int().min(0).max(1_000).default(30) }),
          response: {
            200: z.object({
              quota: quotaSchema,
              usage: usageSchema,
              history: historySchema.describe('The newest first.'),
            }),
          },
        },
      },
      async ({ params, query }) => {
        const quota = definitions.require(params.quota_id);
        return {
          quota: body(quota),
          usage: await usageOf(quota),
          history: historyBody(await readHistory(db, quota, query.history)),
        };
      },
    );

    app.patch(
      `${base}/:quota_id`,
      {
        config: { access: 'admin', activity: 'quotas.update', problems: ['quota/unknown', 'conflict/state'] },
        schema: {
          tags,
          summary: 'Change a quota; what is left out stays',
          params: ofOne,
          body: quotaChangeSchema,
          response: { 200: quotaSchema },
        },
      },
      async ({ params, body: given, principal }) => {
        const quota = definitions.require(params.quota_id);
        const draft = changed({ ...quota, limit: definitions.baseLimit(quota.id) }, given);
        return body(await definitions.update(draft, actorOf(principal)));
      },
    );

    app.delete(
      `${base}/:quota_id`,
      {
        config: { access: 'admin', activity: 'quotas.delete', problems: ['quota/unknown', 'conflict/state'] },
        schema: {
          tags,
          summary: 'Remove a quota with all that was counted',
          params: ofOne,
          response: { 204: z.undefined() },
        },
      },
      async ({ params, principal }, reply) => {
        await definitions.remove(params.quota_id, actorOf(principal));
        return reply.code(204).send();
      },
    );

    app.post(
      `${base}/:quota_id/reset`,
      {
        config: { access: 'admin', activity: 'quotas.reset', problems: ['quota/unknown'] },
        schema: {
          tags,
          summary: 'Begin to count anew',
          description: 'What is held goes on to count. One bucket, or all.',
          params: ofOne,
          body: z.strictObject({ bucket: z.string().max(1_000).optional() }).nullish(),
          response: { 200: usageSchema },
        },
      },
      async ({ params, body: given, principal }) => {
        await quotas.reset(params.quota_id, given?.bucket, actorOf(principal));
        return usageOf(definitions.require(params.quota_id));
      },
    );
  };
