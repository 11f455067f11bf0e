import { type Access, accessRoutes, createAccessTrail, type GatewayKeys, gatewayKeyRoutes } from '../access/index.ts';
import { backupRoutes } from '../backup/index.ts';
import { eventRoutes } from '../events/index.ts';
import { gatewayRoutes } from '../gateway/index.ts';
import { dashboardHealthRoutes, type Health, healthRoutes, systemStatusRoutes } from '../health/index.ts';
import { hostRoutes } from '../host/index.ts';
import { createReadBack, type Metrics, metricRoutes, statusClass } from '../metrics/index.ts';
import { operationRoutes } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { createHttpServer, type HttpServer, type RoutePlugin } from '../platform/http/index.ts';
import type { Jobs } from '../platform/jobs.ts';
import { recoveryRoutes } from '../recovery/index.ts';
import {
  type Growth,
  growthRoutes,
  jobsRoutes,
  type ServiceRegistry,
  type SettingsControl,
  serviceRoutes,
  settingsRoutes,
} from '../system/index.ts';
import { canaryRoutes, documentRoutes, type OrphanSearches, orphanRoutes, targetsRoutes } from '../targets/index.ts';
import type { AdviceWiring } from './advice-wiring.ts';
import type { AlertWiring } from './alert-wiring.ts';
import type { AnalyticsWiring } from './analytics-wiring.ts';
import type { CleanupWiring } from './cleanup-wiring.ts';
import { dashboardRoutes, findDashboard } from './dashboard-files.ts';
import type { DocumentWiring } from './document-wiring.ts';
import type { Drilling } from './drilling.ts';
import type { FailoverWiring } from './failover-wiring.ts';
import type { Fronting } from './fronting.ts';
import type { Ground } from './ground.ts';
import { graphFacts, systemFacts } from './health-facts.ts';
import { openapiRoute } from './openapi-route.ts';
import type { OwnMetrics } from './own-metrics.ts';
import type { Protection } from './protection.ts';
import type { QuotaWiring } from './quota-wiring.ts';
import type { ReplicationWiring } from './replication-wiring.ts';
import type { ResourceWiring } from './resource-wiring.ts';
import type { SystemWiring } from './system-wiring.ts';
import type { TrafficWiring } from './traffic-wiring.ts';
import type { TuningWiring } from './tuning-wiring.ts';
import type { Watching } from './watching.ts';

/** The API's server with the routes of every slice; it listens nowhere yet. */
export async function createApiServer(
  ground: Ground,
  slices: Watching &
    Protection &
    Drilling &
    ReplicationWiring &
    TrafficWiring &
    ResourceWiring &
    AnalyticsWiring &
    TuningWiring &
    AdviceWiring &
    CleanupWiring &
    AlertWiring &
    DocumentWiring &
    FailoverWiring &
    QuotaWiring &
    Pick<SystemWiring, 'systemRoutes'> & {
      readonly metrics: Metrics;
      readonly ownMetrics: OwnMetrics;
      readonly startedMs: number;
      readonly access: Access;
      readonly callers: Pick<Access, 'authenticate'>;
      readonly health: Health;
      readonly settings: SettingsControl;
      readonly jobs: Jobs;
      readonly growth: Growth;
      readonly services: ServiceRegistry;
      readonly fronting: Fronting;
      readonly gatewayKeys: GatewayKeys;
      readonly notifyRoutes: RoutePlugin;
      readonly orphans: OrphanSearches;
    },
): Promise<HttpServer> {
  const { config, clock, db, events, eventLog, operations, logOf, documentMetrics, registry, http } = ground;
  const { access, callers, health, settings, jobs, growth, metrics, ownMetrics, startedMs } = slices;
  const { sampler, targets, inspections, sizes, watch, backup, schedule, points } = slices;
  const dashboard = findDashboard();
  const server = createHttpServer({
    log: logOf('http'),
    clock,
    authenticate: callers.authenticate,
    allowedHosts: () => [config.server.host, ...config.server.publicHosts],
    trustedProxies: config.server.trustedProxies,
    onResponse(facts) {
      const { method, route, status, durationMs } = facts;
      documentMetrics.requestDurationSeconds.labels(method, route, statusClass(status)).observe(durationMs / 1000);
      ownMetrics.answered(facts);
    },
  });
  server.addHook('onResponse', async ({ principal }) => {
    if (principal !== undefined) ownMetrics.asked(principal.subject);
  });
  // Before the routes, since a hook reaches only what is registered after it.
  server.addHook('onResponse', createAccessTrail({ db, clock, log: logOf('access'), events }));
  const defaultTargetId = (): string => {
    const [first] = targets;
    if (!first)
      throw new AppError('target/unknown', 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
    return first.target.id;
  };
  await server.register(healthRoutes({ health, dashboard }));
  const graphs = () => graphFacts(ground, slices);
  await server.register(
    dashboardHealthRoutes({ health, graphs, replication: slices.replicationOverview, now: () => clock.now() }),
  );
  await server.register(systemStatusRoutes({ health, graphs, facts: () => systemFacts(ground, slices) }));
  await server.register(dashboardRoutes(dashboard));
  await server.register(openapiRoute());
  await server.register(accessRoutes({ access, now: () => clock.now() }));
  const requireTarget = (id: string) => {
    const found = targets.find((one) => one.target.id === id);
    if (!found) throw new AppError('target/unknown', `There is no target "${id}".`);
    return found.target;
  };
  await server.register(
    eventRoutes({
      events: eventLog,
      recorder: events,
      ...{ db, clock },
      log: logOf('events'),
      enabled: config.events.enabled,
      requireTarget,
      anchors: slices.auditAnchors,
    }),
  );
  await server.register(
    metricRoutes({
      metrics,
      readBack: config.metrics.readBack && createReadBack({ store: config.metrics.readBack, registry, http }),
      db,
      events,
      clock,
      log: logOf('metrics'),
      startedMs,
      enabled: config.metrics.enabled,
      health: () => health.report(),
      resources: () => slices.resources.totals(),
      quotas: slices.quotaNumbers,
      alerts: async () => (config.alerts.enabled && config.metrics.enabled ? slices.alerts.numbers() : undefined),
    }),
  );
  await server.register(slices.trafficRoutes);
  await server.register(slices.observedRoutes);
  await server.register(slices.resourceRoutes);
  await server.register(slices.analyticsRoutes);
  await server.register(slices.tuningRoutes);
  await server.register(slices.adviceRoutes);
  await server.register(slices.notifyRoutes);
  await server.register(slices.cleanupRoutes);
  await server.register(slices.workspaceCleanupRoutes);
  await server.register(slices.quotaRoutes);
  await server.register(slices.alertRoutes);
  await server.register(settingsRoutes({ settings }));
  await server.register(operationRoutes({ operations, log: logOf('operations') }));
  await server.register(
    hostRoutes({
      sampler,
      clock,
      enabled: config.monitoring.enabled,
      thresholds: () => ground.config.monitoring.thresholds,
      usage: slices.usage,
    }),
  );
  await server.register(
    targetsRoutes({
      targets,
      inspections,
      operations,
      sizes: (id) => sizes.sizes(id),
      lifecycle: () => watch?.backend ?? noLifecycle,
    }),
  );
  const watchedTargets = targets.map((one) => one.target);
  await server.register(
    documentRoutes({
      watched: slices.documents,
      targets: watchedTargets,
      operations,
      policy: () => ground.config.documents.reprocess,
      now: () => clock.now(),
    }),
  );
  const targetIds = watchedTargets.map(({ id }) => id);
  await server.register(orphanRoutes({ orphans: slices.orphans, targetIds, operations }));
  await server.register(canaryRoutes({ canaries: slices.canaries, targets: watchedTargets, operations }));
  await server.register(
    backupRoutes({
      backup,
      schedule,
      points,
      operations,
      enabled: config.backup.enabled,
      defaultTargetId,
      targetIds: targets.map((one) => one.target.id),
      requireTarget,
      now: () => clock.now(),
    }),
  );

  await server.register(
    recoveryRoutes({
      drills: slices.drills,
      store: slices.drillStore,
      operations,
      enabled: config.backup.enabled && config.recovery.enabled,
      targetIds: targets.map((one) => one.target.id),
      defaultTargetId,
      defaultChoice: () => ground.config.drill.choice,
      status: slices.recoveryStatus,
    }),
  );
  await server.register(slices.replicationRoutes);
  await server.register(slices.receiveRoutes);
  await server.register(slices.adoptRoutes);
  await server.register(slices.failoverRoutes);
  await server.register(slices.checkpointRoutes);
  const { fronting } = slices;
  await server.register(gatewayRoutes(fronting));
  await server.register(
    gatewayKeyRoutes({
      keys: slices.gatewayKeys,
      now: () => clock.now(),
      requirePlace: (targetId = defaultTargetId(), workspace) => fronting.requirePlace(targetId, workspace),
    }),
  );
  for (const routes of slices.systemRoutes) await server.register(routes);
  await server.register(jobsRoutes({ jobs, clock }));
  await server.register(serviceRoutes({ registry: slices.services }));
  await server.register(growthRoutes({ growth }));
  return server;
}

const noLifecycle = { automatic: false, describe: { stop: 'nothing to stop', start: 'nothing to start' } };
