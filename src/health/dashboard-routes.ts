import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { bodyOfComponents, componentsBody } from './components.ts';
import { bodyOfGraph, type GraphFacts, graphStatusBody } from './graph-status.ts';
import type { Health, HealthReport } from './health.ts';
import { healthStatusBody, statusBody } from './health-bodies.ts';
import { healthWords } from './health-check.ts';

export type DashboardDeps = {
  readonly health: Health;
  /** Every workspace under watch. */
  graphs(): readonly GraphFacts[];
  /** Where points are copied to; its slice says the words. */
  replication(): Promise<z.infer<typeof replicationBody>>;
  now(): number;
};

const below = '/api/v1/health-dashboard';
const word = z.enum(healthWords);

/** Whether everything is to be looked at for the answer. */
export const freshQuery = z.object({
  fresh: z
    .enum(['true', 'false', '1', '0', ''])
    .optional()
    .describe('`true`: look at everything now, all at once, instead of telling what was last seen.'),
});
export const wantsFresh = ({ fresh }: z.infer<typeof freshQuery>): boolean => fresh === 'true' || fresh === '1';

export const reportFor = (health: Health, fresh: boolean): Promise<HealthReport> | HealthReport =>
  fresh ? health.freshReport() : health.report();

const replicationBody = z.object({
  configured: z.boolean(),
  enabled: z.boolean(),
  status: z.string(),
  message: z.string(),
  paused: z.string().nullable(),
  refused: z.array(z.unknown()),
  targets: z.array(z.unknown()),
  placement: z.array(z.unknown()),
});

const metricsBody = z.object({
  timestamp: z.string(),
  status: word,
  checks_total: z.number(),
  checks_by_status: z.record(z.string(), z.number()),
  looks_total: z.number().describe('Since the start, of all checks.'),
  failures_total: z.number().describe('Of these, how often a check was not well.'),
  flapping: z.number(),
  graphs_total: z.number(),
  graphs_by_status: z.record(z.string(), z.number()),
  documents_by_status: z.record(z.string(), z.number()),
  stuck_documents: z.number(),
  checks: z.array(
    z.object({
      name: z.string(),
      status: word,
      value: z.union([z.number(), z.string()]).nullable(),
      unit: z.string().nullable(),
      took_ms: z.number().nullable(),
      age_seconds: z.number().nullable(),
    }),
  ),
});

const recoveryHealthBody = z.object({
  overall_status: word,
  timestamp: z.string(),
  graphs: z.record(
    z.string(),
    z.object({
      component_id: z.string(),
      component_type: z.literal('graph'),
      status: z.enum(['healthy', 'degraded', 'offline', 'unknown']),
      message: z.string(),
      last_check: z.string().nullable(),
      details: z.record(z.string(), z.unknown()),
    }),
  ),
  backups: z.record(z.string(), z.object({ status: word, message: z.string() })),
  replication: replicationBody,
});

const counted = (words: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const one of words) counts[one] = (counts[one] ?? 0) + 1;
  return counts;
};

/** The API of the health dashboard. Everything is for admins; what strangers may know stands at `/health`. */
export const dashboardHealthRoutes =
  (deps: DashboardDeps): RoutePlugin =>
  async (app) => {
    const { health } = deps;
    const tags = ['health'];
    const admin = (activity: string) => ({ access: 'admin', activity }) as const;

    app.get(
      `${below}/status`,
      {
        config: admin('read health'),
        schema: {
          tags,
          summary: 'The overall state with its reasons, whether the backend can answer and ingest, and every check',
          querystring: freshQuery,
          response: { 200: healthStatusBody },
        },
      },
      async (request) => {
        const fresh = wantsFresh(request.query);
        return statusBody(await reportFor(health, fresh), fresh);
      },
    );

    app.get(
      `${below}/components`,
      {
        config: admin('read health'),
        schema: {
          tags,
          summary: 'The state by database, cache, system resources, external and application services',
          querystring: freshQuery,
          response: { 200: componentsBody },
        },
      },
      async (request) => bodyOfComponents(await reportFor(health, wantsFresh(request.query))),
    );

    app.get(
      `${below}/metrics`,
      {
        config: admin('read health figures'),
        schema: {
          tags,
          summary: 'Figures about the checks, the graphs and their documents',
          response: { 200: metricsBody },
        },
      },
      async () => {
        const report = health.report();
        const graphs = deps.graphs();
        const documents: Record<string, number> = {};
        for (const graph of graphs)
          for (const [status, count] of Object.entries(graph.documents ?? {}))
            documents[status] = (documents[status] ?? 0) + count;
        const sum = (of: (check: HealthReport['checks'][number]) => number): number =>
          report.checks.reduce((all, check) => all + of(check), 0);
        return {
          timestamp: isoInstant(report.atMs),
          status: report.status,
          checks_total: report.checks.length,
          checks_by_status: counted(report.checks.map(({ result }) => result.status)),
          looks_total: sum(({ looks }) => looks),
          failures_total: sum(({ failures }) => failures),
          flapping: sum(({ flapping }) => (flapping ? 1 : 0)),
          graphs_total: graphs.length,
          graphs_by_status: counted(graphs.map(({ status }) => status)),
          documents_by_status: documents,
          stuck_documents: graphs.reduce((all, { stuck }) => all + (stuck?.documents ?? 0), 0),
          checks: statusBody(report, false).checks.map((one) => ({
            ...{ name: one.name, status: one.status, value: one.observed_value, unit: one.observed_unit },
            ...{ took_ms: one.took_ms, age_seconds: one.age_seconds },
          })),
        };
      },
    );

    app.get(
      `${below}/graphs`,
      {
        config: admin('read graphs'),
        schema: {
          tags,
          summary: 'The state of every graph',
          response: { 200: z.object({ items: z.array(graphStatusBody), next_cursor: z.null() }) },
        },
      },
      async () => ({ items: deps.graphs().map((graph) => bodyOfGraph(graph, deps.now())), next_cursor: null }),
    );

    app.get(
      `${below}/graphs/:graph_id/status`,
      {
        config: { ...admin('read graph'), problems: ['target/unknown'] },
        schema: {
          tags,
          summary: 'The state of one graph with its reasons, its documents, those that are stuck, and the audit',
          params: z.object({ graph_id: z.string().max(200) }),
          response: { 200: graphStatusBody },
        },
      },
      async (request) => {
        const { graph_id } = request.params;
        const graphs = deps.graphs();
        const found = graphs.find(
          ({ graphId, targetId, workspace }) => graphId === graph_id || `${targetId}:${workspace}` === graph_id,
        );
        if (found) return bodyOfGraph(found, deps.now());
        const offered = graphs.map(({ graphId }) => graphId);
        throw new AppError(
          'target/unknown',
          `There is no such graph. ${offered.length > 0 ? `There ${offered.length === 1 ? 'is' : 'are'} ${offered.slice(0, 20).join(', ')}.` : 'No target is configured.'}`,
        );
      },
    );

    app.get(
      `${below}/replication/status`,
      {
        config: admin('read replication'),
        schema: { tags, summary: 'Whether there are replicas, and how they are', response: { 200: replicationBody } },
      },
      async () => deps.replication(),
    );

    const bodyOfRecovery = async (report: HealthReport): Promise<z.infer<typeof recoveryHealthBody>> => {
      const graphs = deps.graphs().map((graph) => bodyOfGraph(graph, deps.now()));
      return {
        overall_status: report.status,
        timestamp: isoInstant(report.atMs),
        graphs: Object.fromEntries(
          graphs.map((graph) => [
            graph.graph_id,
            {
              component_id: graph.graph_id,
              component_type: 'graph' as const,
              status: graphWords[graph.status],
              message: graph.reasons.map(({ message }) => message).join(' '),
              last_check: graph.observed_at,
              details: { documents: graph.documents, stuck: graph.stuck?.documents ?? 0 },
            },
          ]),
        ),
        backups: Object.fromEntries(
          report.checks
            .filter(({ name }) => name.startsWith('backup '))
            .map(({ name, result }) => [
              name.slice('backup '.length),
              { status: result.status, message: result.message },
            ]),
        ),
        replication: await deps.replication(),
      };
    };

    app.post(
      '/api/v1/backup-replication/recovery/health-check',
      {
        config: { ...admin('check health'), onlyLooks: true },
        schema: {
          tags,
          summary: 'Look at everything now: graphs, backups, replication',
          response: { 200: recoveryHealthBody },
        },
      },
      async () => bodyOfRecovery(await health.freshReport()),
    );

    app.get(
      '/api/v1/backup-replication/recovery/health',
      {
        config: admin('read recovery health'),
        schema: {
          tags,
          summary: 'Graphs, backups and replication, as they were seen last',
          response: { 200: recoveryHealthBody },
        },
      },
      async () => bodyOfRecovery(health.report()),
    );
  };

const graphWords = { HEALTHY: 'healthy', DEGRADED: 'degraded', OFFLINE: 'offline', UNKNOWN: 'unknown' } as const;
