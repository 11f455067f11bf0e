import { z } from 'zod';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { pageCursor, pageOf, placeOfCursor } from '../platform/paging.ts';
import { type AlertBody, alertSchema, firedBody, pendingBody } from './alert-bodies.ts';
import { type AlertRouteDeps, base } from './route-deps.ts';
import { ruleRoutes } from './rule-routes.ts';

const severity = z.enum(['info', 'warning', 'error', 'critical']).optional();
const instant = z.iso.datetime({ offset: true }).optional();

/** What is pending and firing, what fired, and whoever looks after it. */
export const alertRoutes =
  (deps: AlertRouteDeps): RoutePlugin =>
  async (app) => {
    const { alerts, notifier, clock } = deps;
    const requireEnabled = async (): Promise<void> => {
      if (!deps.enabled)
        throw new AppError(
          'feature/disabled',
          'Alerts are switched off by RAGWARDEN_ALERTS_ENABLED (alerts.enabled), or metrics by LIGHTRAG_METRICS_ENABLED (metrics.enabled).',
        );
    };
    const tags = ['alerts'];
    await app.register(ruleRoutes(deps, requireEnabled));

    app.get(
      `${base}/active`,
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'alerts.active', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'What fires and what is pending, the gravest first',
          querystring: z.object({
            severity,
            rule: z.string().max(100).optional(),
            state: z.enum(['pending', 'firing']).optional(),
          }),
          response: {
            200: z.object({
              items: z.array(alertSchema),
              next_cursor: z.null(),
              firing: z.number().int(),
              pending: z.number().int(),
              evaluated_at: z.iso.datetime().nullable().describe('Null before the first evaluation here.'),
            }),
          },
        },
      },
      async ({ query: { severity: wanted, rule, state } }) => {
        const nowMs = clock.now();
        const fired = await alerts.store.history({ open: true, severity: wanted, rule, limit: 5_000 });
        const firing = await Promise.all(
          fired.map(async (one) => {
            const told = { ...one.labels, ...one.tags, alertname: one.rule, severity: one.severity };
            return firedBody({ ...one, ...lastSeen(one.id) }, await notifier.silencedBy(told, nowMs));
          }),
        );
        const pending = (await alerts.rules.load()).flatMap(({ rule: known }) =>
          (alerts.evaluation.alerts().get(known.name) ?? [])
            .filter(({ phase }) => phase === 'pending')
            .filter(() => (wanted ?? known.severity) === known.severity && (rule ?? known.name) === known.name)
            .map((alert) => pendingBody(known, alert)),
        );
        const facts = alerts.evaluation.lastFacts();
        return {
          items: [
            ...(state === 'pending' ? [] : firing.sort(gravestFirst)),
            ...(state === 'firing' ? [] : pending.sort(gravestFirst)),
          ],
          next_cursor: null,
          ...{ firing: firing.length, pending: pending.length },
          evaluated_at: facts === undefined ? null : new Date(facts.atMs).toISOString(),
        };
      },
    );

    /** What is measured moves with every evaluation; the history is written when something changes. */
    const lastSeen = (id: string): { value?: number | null; worst?: number | null } => {
      for (const found of alerts.evaluation.alerts().values())
        for (const alert of found) if (alert.id === id) return { value: alert.value, worst: alert.worst };
      return {};
    };

    app.get(
      `${base}/history`,
      {
        preHandler: requireEnabled,
        config: { access: 'service', activity: 'alerts.history', problems: ['feature/disabled'] },
        schema: {
          tags,
          summary: 'What fired, the newest first',
          querystring: z.object({
            severity,
            rule: z.string().max(100).optional(),
            from: instant.describe('Fired at or after.'),
            to: instant.describe('Fired before.'),
            state: z.enum(['active', 'resolved']).optional(),
            limit: z.coerce.number().int().min(1).max(1_000).default(100),
            offset: z.coerce.number().int().min(0).max(1_000_000).optional(),
            cursor: pageCursor('al_[0-9a-f]{1,64}'),
          }),
          response: {
            200: z.object({ items: z.array(alertSchema), next_cursor: z.string().nullable(), total: z.number().int() }),
          },
        },
      },
      async ({ query }) => {
        const filter = {
          ...{ severity: query.severity, rule: query.rule },
          sinceMs: query.from === undefined ? undefined : Date.parse(query.from),
          untilMs: query.to === undefined ? undefined : Date.parse(query.to),
          open: query.state === undefined ? undefined : query.state === 'active',
        };
        const before = placeOfCursor(query.cursor);
        const found = await alerts.store.history({ ...filter, before, offset: query.offset, limit: query.limit + 1 });
        return {
          ...pageOf(found, query.limit, { atMs: (one) => one.firedAtMs, body: (one) => firedBody(one) }),
          total: await alerts.store.countHistory(filter),
        };
      },
    );

    app.post(
      `${base}/:alert_id/acknowledge`,
      {
        preHandler: requireEnabled,
        config: {
          access: 'admin',
          activity: 'alerts.acknowledge',
          problems: ['feature/disabled', 'alerts/unknown-alert'],
        },
        schema: {
          tags,
          summary: 'Tell that somebody looks after one that fires',
          description: 'Ends repeats and escalation until it is resolved.',
          params: z.object({ alert_id: z.string().max(100) }),
          body: z.strictObject({ note: z.string().min(1).max(1_000).optional() }).nullish(),
          response: { 200: alertSchema },
        },
      },
      async ({ params, body, principal }) =>
        firedBody(await alerts.acknowledge(params.alert_id, principal?.subject ?? 'unknown', body?.note ?? null)),
    );
  };

const gravity = ['critical', 'error', 'warning', 'info'];
const gravestFirst = (a: AlertBody, b: AlertBody): number =>
  gravity.indexOf(a.severity) - gravity.indexOf(b.severity) ||
  (a.triggered_at ?? a.pending_at).localeCompare(b.triggered_at ?? b.pending_at);
