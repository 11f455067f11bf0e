import {
  type Analytics,
  analyticsRoutes,
  createAnalytics,
  type Fleet,
  type LeakFact,
  type Machine,
  registerAnalyticsMetrics,
} from '../analytics/index.ts';
import type { HostSampler } from '../host/index.ts';
import type { Metrics } from '../metrics/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { createLeases, type Lease } from '../platform/leases.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import type { Quotas } from '../quotas/index.ts';
import type { ObservedLeakBody } from '../resources/index.ts';
import type { ServiceRegistry } from '../system/index.ts';
import type { Ground } from './ground.ts';
import { readQuotaFacts } from './quota-series.ts';

export type AnalyticsWiring = {
  readonly analytics: Analytics;
  readonly analyticsRoutes: RoutePlugin;
  /** Undefined: switched off, or nothing is kept that could be looked at. */
  readonly analyticsJob: Reconciler | undefined;
};

/** What the series say, with the leaks and the quotas that other parts know of. */
export function createAnalyticsWiring(
  ground: Ground,
  ports: {
    readonly metrics: Pick<Metrics, 'history' | 'recorder'>;
    readonly quotas: Pick<Quotas, 'definitions'>;
    /** Undefined while nothing is looked at. */
    leaks(): readonly ObservedLeakBody[] | undefined;
    readonly sampler: Pick<HostSampler, 'latest'>;
    instances(): ReturnType<ServiceRegistry['list']>;
  },
): AnalyticsWiring {
  const { config, live, clock, db, events, registry, logOf } = ground;
  const enabled = config.analytics.enabled && config.metrics.enabled;
  const analytics = createAnalytics({
    history: ports.metrics.history,
    ports: {
      definitions: () => ports.metrics.recorder.definitions(),
      leaks: () => ports.leaks()?.map(leakFact),
      machine: () => machineOf(ports.sampler.latest()),
      quotas: (window, most) =>
        readQuotaFacts(db, ports.quotas.definitions.all(), window, { nowMs: clock.now(), most }),
    },
    fleet: config.state.place.kind === 'postgres' ? createFleet(ground, ports.instances) : undefined,
    settings: () => live.config().analytics,
    instance: config.state.instance,
    ...{ db, events, clock },
    log: logOf('analytics'),
  });
  live.onChange((now) => analytics.job.setIntervalMs(now.analytics.intervalMs));
  if (enabled) registerAnalyticsMetrics(registry, analytics);
  return {
    analytics,
    analyticsRoutes: analyticsRoutes({
      ...{ analytics, enabled },
      windowHours: () => live.config().analytics.windowMs / 3_600_000,
    }),
    analyticsJob: enabled ? analytics.job : undefined,
  };
}

const leakFact = (leak: ObservedLeakBody): LeakFact => ({
  key: `leak:${leak.subject}/${leak.measure}`,
  ...{ resourceType: leak.resource_type, subject: leak.subject, measure: leak.measure, unit: leak.unit },
  ...{ level: leak.level, confidence: leak.confidence, perHour: leak.growth_per_hour },
  ...{ grownPercent: leak.growth_percent, hours: leak.hours, runs: leak.runs },
  sinceMs: Date.parse(leak.suspected_at),
  seenMs: Date.parse(leak.last_seen),
  ...{ description: leak.description, action: leak.suggested_action, closestHarmless: leak.closest_harmless_story },
});

function machineOf(sample: ReturnType<HostSampler['latest']>): Machine | undefined {
  if (sample === undefined) return undefined;
  const { cpu, memory, dataDisk, rootDisk } = sample;
  return {
    ...{ cores: cpu.logicalCount, memoryBytes: memory.totalBytes },
    diskBytes: (dataDisk ?? rootDisk)?.totalBytes,
  };
}

const leaseName = 'analytics';

/** One of those that share the state speaks of what is one thing; when it is gone another does, within the hour that patterns are held. */
function createFleet({ live, db, clock, config }: Ground, list: ServiceRegistry['list']): Fleet {
  const { instance } = config.state;
  let lease: Lease | undefined;
  const open = () => createLeases({ db, clock, instance, ttlMs: 2 * live.config().analytics.intervalMs + 60_000 });
  return {
    spoke: async () => (await open().holder(leaseName)) === instance,
    instances: async () => new Map((await list()).map((one) => [one.instance, one.toldMs])),
    async speaks() {
      const leases = open();
      if (lease !== undefined && (await leases.renew(lease))) return true;
      // An earlier life of this instance may still hold it.
      lease = (await leases.acquire(leaseName)) ?? (await leases.takeOver(leaseName, instance));
      return lease !== undefined;
    },
  };
}
