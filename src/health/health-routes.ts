import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import { type RoutePlugin, textAnswer } from '../platform/http/index.ts';
import type { Health, HealthReport } from './health.ts';
import { renderHealthPage } from './health-page.ts';

const probeBody = z.object({ status: z.string() });
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
      }
    : {}),
});

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
        response: { 200: probeBody, 503: probeBody },
      },
    } as const;
    for (const path of ['/readyz', '/health/ready', '/-/ready'])
      app.get(path, ready, async (_request, reply) =>
        deps.health.ready() ? { status: 'ok' } : reply.code(503).send({ status: 'not ready' }),
      );

    app.get(
      '/health',
      {
        config: { access: 'public', activity: 'health' },
        schema: {
          tags: ['health'],
          summary: 'Overall health: a page for browsers, JSON for anything else',
          response: {
            200: {
              description: 'By `Accept`; the checks behind the word are for admins.',
              content: { 'application/json': { schema: healthBody }, ...textAnswer('', 'text/html').content },
            },
          },
        },
      },
      async (request, reply: FastifyReply) => {
        const report = deps.health.report();
        reply.header('vary', 'Accept');
        if (!wantsHtml(request)) return shape(report, request.principal?.role === 'admin');
        const page = renderHealthPage({ status: report.status, dashboard: deps.dashboard });
        reply
          .header('content-type', 'text/html; charset=utf-8')
          .header('content-security-policy', page.contentSecurityPolicy);
        return reply.send(page.html);
      },
    );
  };
