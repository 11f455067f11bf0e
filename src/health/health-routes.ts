import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { type RoutePlugin, textAnswer } from '../platform/http/index.ts';
import { freshQuery, reportFor, wantsFresh } from './dashboard-routes.ts';
import type { Health, HealthReport } from './health.ts';
import { renderHealthPage } from './health-page.ts';

const probeBody = z.object({
  status: z.string(),
  /** With `verbose`, and only for admins. */
  checks: z.array(z.object({ name: z.string(), status: z.string(), message: z.string() })).optional(),
});
const reasonBody = z.object({ check: z.string(), status: z.string(), message: z.string() });
const verdictBody = z.object({ can: z.boolean().nullable(), reasons: z.array(reasonBody) });
const healthBody = z.object({
  status: z.enum(['healthy', 'degraded', 'unhealthy', 'critical', 'unknown']),
  timestamp: z.string(),
  /** Only for admins. */
  checks: z
    .array(
      z.object({
        name: z.string(),
        about: z.enum(['watched', 'own']),
        status: z.string(),
        message: z.string(),
        time: z.string().nullable(),
        observedValue: z.union([z.number(), z.string()]).optional(),
        observedUnit: z.string().optional(),
      }),
    )
    .optional(),
  /** Only for admins. */
  reasons: z.array(reasonBody).optional(),
  can_answer: verdictBody.optional(),
  can_ingest: verdictBody.optional(),
  /** Only for admins, and only where the backend keeps stores in a PostgreSQL. */
  database: z
    .object({
      connected: z.boolean().nullable(),
      extensions: z.object({ vector: z.string().nullable(), age: z.string().nullable() }).optional(),
      message: z.string(),
    })
    .optional(),
});

export type HealthRoutesDeps = {
  readonly health: Health;
  /** Folder of the built dashboard; undefined when it was not built. */
  readonly dashboard: { readonly script: string; readonly style: string | undefined } | undefined;
};

const shape = (report: HealthReport, detailed: boolean): z.input<typeof healthBody> => ({
  status: report.status,
  timestamp: isoInstant(report.atMs),
  ...(detailed
    ? {
        checks: report.checks.map(({ name, about, result }) => ({
          name,
          about,
          status: result.status,
          message: result.message,
          time: isoInstantOrNull(result.atMs),
          ...(result.observedValue === undefined ? {} : { observedValue: result.observedValue }),
          ...(result.observedUnit === undefined ? {} : { observedUnit: result.observedUnit }),
        })),
        reasons: report.reasons.map((one) => ({ ...one })),
        can_answer: shapeVerdict(report.answer),
        can_ingest: shapeVerdict(report.ingest),
        ...databaseOf(report),
      }
    : {}),
});

const shapeVerdict = ({ can, reasons }: HealthReport['answer']) => ({
  can: can ?? null,
  reasons: reasons.map((one) => ({ ...one })),
});

function databaseOf(report: HealthReport): Pick<z.input<typeof healthBody>, 'database'> {
  const found = report.checks.find(
    (view) => view.kind === 'database' && view.about === 'watched' && view.neededFor.length > 0,
  );
  if (!found) return {};
  const { status, message, details, checks } = found.result;
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return {
    database: {
      connected: status === 'unknown' ? null : checks?.connection?.status === 'healthy',
      ...(details === undefined ? {} : { extensions: { vector: text(details.vector), age: text(details.age) } }),
      message,
    },
  };
}

const wantsHtml = (request: FastifyRequest): boolean => /\btext\/html\b/.test(request.headers.accept ?? '');

/** Probes for machines, and the page for people. A stranger gets the overall word and nothing else. */
export const healthRoutes =
  (deps: HealthRoutesDeps): RoutePlugin =>
  async (app) => {
    const alive = {
      config: { access: 'public', activity: 'liveness' },
      schema: { tags: ['probes'], summary: 'Alive: depends on nothing else', response: { 200: probeBody } },
    } as const;
    // Liveness depends on nothing: restarting us mends neither a database nor a backend.
    for (const path of ['/livez', '/health/live', '/-/healthy', '/healthz'])
      app.get(path, alive, async () => ({ status: 'ok' }));

    const ready = {
      config: { access: 'public', activity: 'readiness' },
      schema: {
        tags: ['probes'],
        summary: '200 when started and our own parts work, else 503',
        querystring: z.object({ verbose: z.string().max(10).optional() }),
        response: { 200: probeBody, 503: probeBody },
      },
    } as const;
    for (const path of ['/readyz', '/health/ready', '/-/ready'])
      app.get(path, ready, async (request, reply) => {
        const isReady = deps.health.ready();
        // Which parts there are is nobody else's business.
        const tells = request.query.verbose !== undefined && request.principal?.role === 'admin';
        const body = {
          status: isReady ? 'ok' : 'not ready',
          ...(tells ? { checks: ownChecks(deps.health.report()) } : {}),
        };
        return isReady ? body : reply.code(503).send(body);
      });

    app.get(
      '/health',
      {
        config: { access: 'public', activity: 'health', problems: ['access/unauthenticated', 'access/forbidden'] },
        schema: {
          tags: ['health'],
          summary: 'Overall health: a page for browsers, JSON for anything else',
          querystring: freshQuery,
          response: {
            200: {
              description: 'By `Accept`; the checks behind the word are for admins.',
              content: { 'application/json': { schema: healthBody }, ...textAnswer('', 'text/html').content },
            },
          },
        },
      },
      async (request, reply) => {
        const isAdmin = request.principal?.role === 'admin';
        const fresh = wantsFresh(request.query);
        // It makes us connect to everything that is watched: not for whoever comes along.
        if (fresh && !isAdmin)
          throw request.principal === undefined
            ? new AppError('access/unauthenticated', 'A fresh look is for admins: send a token, or leave `fresh` out.')
            : new AppError('access/forbidden', 'A fresh look is for admins: leave `fresh` out.');
        const report = await reportFor(deps.health, fresh);
        reply.header('vary', 'Accept');
        if (!wantsHtml(request)) return shape(report, isAdmin);
        const page = renderHealthPage({ status: report.status, dashboard: deps.dashboard });
        reply
          .header('content-type', 'text/html; charset=utf-8')
          .header('content-security-policy', page.contentSecurityPolicy);
        return reply.send(page.html);
      },
    );
  };

const ownChecks = (report: HealthReport) =>
  report.checks
    .filter(({ about }) => about === 'own')
    .map(({ name, result }) => ({ name, status: result.status, message: result.message }));
