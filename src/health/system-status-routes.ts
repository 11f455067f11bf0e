import { z } from 'zod';
import { isoInstant } from '../platform/clock.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { freshQuery, reportFor, wantsFresh } from './dashboard-routes.ts';
import type { GraphFacts } from './graph-status.ts';
import type { Health, HealthReport } from './health.ts';
import { type CheckKind, type HealthWord, healthWords } from './health-check.ts';
import { overallWord } from './verdict.ts';

/** What the routes of document 002 tell beside the checks. Undefined: nobody knows. */
export type SystemFacts = {
  readonly version: string;
  readonly environment: string;
  readonly uptimeSeconds: number;
  readonly resources:
    | { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number | undefined }
    | undefined;
  /** A folder of the backend is under watch. */
  readonly folderConfigured: boolean;
  readonly entities: number | undefined;
  readonly relations: number | undefined;
  /** Of GraphRAG; LightRAG has none. */
  readonly communities: number | undefined;
  readonly queries: number | undefined;
  /** Long work that has ended and is kept, whatever came of it. */
  readonly operations: number;
  readonly recentOperations: readonly {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly atMs: number;
    readonly targetId: string | null;
  }[];
};

export type SystemStatusDeps = {
  readonly health: Health;
  graphs(): readonly GraphFacts[];
  facts(): Promise<SystemFacts>;
};

const word = z.enum(healthWords);
const number = z.number().nullable();

const providerBody = z
  .object({
    name: z.string(),
    healthy: z.boolean().nullable(),
    models: number,
    error: z.string().nullable(),
    metadata: z.record(z.string(), z.unknown()),
  })
  .nullable()
  .describe('The first of `health.models`; null where none is named.');

const advancedBody = z.object({
  status: word,
  timestamp: z.string(),
  components: z.object({ api: word, workspace_manager: word, indexing_manager: word, graph_operations: word }),
  provider: providerBody,
  graphrag: z.object({ available: z.boolean().nullable(), provider_connected: z.boolean().nullable() }),
  workspaces: z.object({ total: z.number(), active: z.number() }),
  graph_data: z.object({
    path_configured: z.boolean(),
    entities_available: z.boolean().nullable(),
    relationships_available: z.boolean().nullable(),
  }),
  system_resources: z
    .object({ cpu_percent: z.number(), memory_percent: z.number(), disk_usage_percent: number, status: word })
    .nullable(),
  database: z.object({ connected: z.boolean().nullable().describe('Null: none is configured, or nobody looked.') }),
  cache: z.object({ available: z.boolean().nullable().describe('Null: none is configured, or nobody looked.') }),
});

const enhancedBody = z.object({
  version: z.string(),
  environment: z.string(),
  uptime_seconds: z.number(),
  provider_info: providerBody,
  graph_metrics: z.object({
    total_entities: number,
    total_relationships: number,
    total_communities: number,
    queries_processed: number,
    exports_generated: number,
  }),
  indexing_metrics: z.object({
    total_jobs: number,
    active_jobs: number,
    queued_jobs: number,
    completed_jobs: number,
    failed_jobs: number,
  }),
  query_metrics: z.object({ total_queries: number }),
  workspace_metrics: z.object({ total_workspaces: z.number(), operations_performed: z.number() }),
  recent_operations: z.array(
    z.object({
      type: z.string(),
      timestamp: z.string(),
      details: z.object({ id: z.string(), state: z.string(), target_id: z.string().nullable() }),
    }),
  ),
});

/** The two routes that the service of document 002 had about itself; what nobody knows is null, never 0. */
export const systemStatusRoutes =
  (deps: SystemStatusDeps): RoutePlugin =>
  async (app) => {
    const tags = ['health'];
    const config = { access: 'admin', activity: 'read system status' } as const;

    app.get(
      '/api/system/health/advanced',
      {
        config,
        schema: {
          tags,
          summary: 'The state with the fields of document 002',
          querystring: freshQuery,
          response: { 200: advancedBody },
        },
      },
      async (request) => {
        const report = await reportFor(deps.health, wantsFresh(request.query));
        const facts = await deps.facts();
        const graphs = deps.graphs();
        const provider = providerOf(report);
        const { resources } = facts;
        const words = graphs.map(({ status }) => graphWords[status]);
        return {
          status: report.status,
          timestamp: isoInstant(report.atMs),
          components: {
            // That this is answered is what there is to say of it; what serves it is not well when our own parts are not.
            api: deps.health.ready() ? ('healthy' as const) : ('unhealthy' as const),
            workspace_manager: overallWord(words),
            indexing_manager: overallWord(graphs.map((graph) => (graph.stuck ? 'degraded' : graphWords[graph.status]))),
            graph_operations: abilityWord(report.answer.can),
          },
          provider,
          graphrag: { available: report.answer.can ?? null, provider_connected: provider?.healthy ?? null },
          workspaces: {
            total: graphs.length,
            active: graphs.filter(({ status }) => status === 'HEALTHY' || status === 'DEGRADED').length,
          },
          graph_data: {
            path_configured: facts.folderConfigured,
            entities_available: facts.entities === undefined ? null : facts.entities > 0,
            relationships_available: facts.relations === undefined ? null : facts.relations > 0,
          },
          system_resources:
            resources === undefined
              ? null
              : {
                  ...{ cpu_percent: resources.cpuPercent, memory_percent: resources.memoryPercent },
                  disk_usage_percent: resources.diskPercent ?? null,
                  status: wordOfKind(report, 'system'),
                },
          database: { connected: reachable(report, 'database') },
          cache: { available: reachable(report, 'cache') },
        };
      },
    );

    app.get(
      '/api/system/status/enhanced',
      {
        config,
        schema: {
          tags,
          summary: 'Version, counts, and the latest operations, with the fields of document 002',
          response: { 200: enhancedBody },
        },
      },
      async () => {
        const facts = await deps.facts();
        const graphs = deps.graphs();
        const documents = graphs.map((graph) => graph.documents);
        const known = documents.some((counts) => counts !== undefined);
        const count = (...statuses: readonly string[]): number | null =>
          known
            ? documents.reduce((sum, counts) => sum + statuses.reduce((all, one) => all + (counts?.[one] ?? 0), 0), 0)
            : null;
        const working = ['parsing', 'analyzing', 'processing'] as const;
        return {
          ...{ version: facts.version, environment: facts.environment, uptime_seconds: facts.uptimeSeconds },
          provider_info: providerOf(deps.health.report()),
          graph_metrics: {
            total_entities: facts.entities ?? null,
            total_relationships: facts.relations ?? null,
            total_communities: facts.communities ?? null,
            // No backend makes exports that anybody counts.
            queries_processed: facts.queries ?? null,
            exports_generated: null,
          },
          indexing_metrics: {
            total_jobs: count('pending', ...working, 'preprocessed', 'processed', 'failed'),
            active_jobs: count(...working),
            queued_jobs: count('pending', 'preprocessed'),
            completed_jobs: count('processed'),
            failed_jobs: count('failed'),
          },
          query_metrics: { total_queries: facts.queries ?? null },
          workspace_metrics: { total_workspaces: graphs.length, operations_performed: facts.operations },
          recent_operations: facts.recentOperations.map(({ id, kind, state, atMs, targetId }) => ({
            type: kind,
            timestamp: isoInstant(atMs),
            details: { id, state, target_id: targetId },
          })),
        };
      },
    );
  };

const graphWords: Readonly<Record<GraphFacts['status'], HealthWord>> = {
  HEALTHY: 'healthy',
  DEGRADED: 'degraded',
  OFFLINE: 'unhealthy',
  UNKNOWN: 'unknown',
};

const abilityWord = (can: boolean | undefined): HealthWord =>
  can === undefined ? 'unknown' : can ? 'healthy' : 'unhealthy';

const wordOfKind = (report: HealthReport, kind: CheckKind): HealthWord =>
  overallWord(
    report.checks.filter((view) => view.kind === kind && view.about === 'watched').map(({ result }) => result.status),
  );

/** Of the backend's: it was looked at, and let us in. */
function reachable(report: HealthReport, kind: CheckKind): boolean | null {
  const found = report.checks.find((view) => view.kind === kind && view.about === 'watched');
  if (!found || found.result.status === 'unknown') return null;
  return found.result.checks?.connection?.status !== 'unhealthy' && found.result.status !== 'unhealthy';
}

function providerOf(report: HealthReport): z.input<typeof providerBody> {
  const found = report.checks.find(({ name }) => name.startsWith('llm ') || name.startsWith('embedding '));
  if (!found) return null;
  const { status, message, details } = found.result;
  const models = details?.models;
  return {
    name: found.name,
    healthy: status === 'unknown' ? null : status === 'healthy' || status === 'degraded',
    models: typeof models === 'number' ? models : null,
    error: status === 'healthy' ? null : message,
    metadata: { ...details },
  };
}
