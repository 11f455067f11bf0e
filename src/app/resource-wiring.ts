import type { HostSampler } from '../host/index.ts';
import type { Recorder } from '../metrics/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import {
  createClaims,
  createLeakScan,
  createResourceMetrics,
  createResourceRegistry,
  type LeakChange,
  type ObservedLeakBody,
  observedLeakBody,
  observedRoutes,
  type ResourceQuota,
  type ResourceRegistry,
  registerObservedMetrics,
  resourceRoutes,
} from '../resources/index.ts';
import type { Ground } from './ground.ts';
import { createObserving } from './observing.ts';
import type { Watching } from './watching.ts';

export type ResourceWiring = {
  readonly resources: ResourceRegistry;
  readonly resourceRoutes: RoutePlugin;
  readonly observedRoutes: RoutePlugin;
  /** Leaks that are seen from outside; undefined while nothing is looked at. */
  observedLeaks(): readonly ObservedLeakBody[] | undefined;
  /** Background work, in the order in which it starts. */
  readonly resourceParts: readonly Part[];
};

/** What programs register, what is seen of processes, and the search for what nobody seems to hold. */
export function createResourceWiring(
  ground: Ground,
  ports: {
    readonly recorder: Recorder;
    readonly sampler: Pick<HostSampler, 'latest'>;
    readonly watching: Watching;
    readonly quota: ResourceQuota;
  },
): ResourceWiring {
  const { recorder, sampler, watching, quota } = ports;
  const { config, live, clock, db, events, registry, logOf } = ground;
  const mostTracked = (): number => live.config().resources.maxTracked;
  const memoryAtStart = process.memoryUsage.rss();
  // The scan tells what the registry finds, and is made from it.
  let note: (change: LeakChange) => void = () => undefined;
  const resources = createResourceRegistry({
    ...{ clock, mostTracked },
    onLeak: (change) => note(change),
    onGone: (id) => claims.gone(id),
  });
  const claims = createClaims({ resources, quota });
  const scan = createLeakScan({
    ...{ resources, db, events, clock },
    intervalMs: live.config().resources.leakCheckIntervalMs,
    log: logOf('resources'),
  });
  note = scan.note;
  live.onChange((now) => scan.job.setIntervalMs(now.resources.leakCheckIntervalMs));
  createResourceMetrics({ recorder, registry, resources });
  const looks = config.monitoring.enabled && config.resources.observe.enabled;
  const observer = createObserving(ground, watching);
  if (looks) registerObservedMetrics(registry, observer);
  const observedLeaks = () => (looks ? observer.series().flatMap((one) => observedLeakBody(one) ?? []) : undefined);
  return {
    resources,
    observedLeaks,
    resourceParts: [scan.job, ...(looks ? [observer] : [])],
    observedRoutes: observedRoutes({ observer, enabled: looks }),
    resourceRoutes: resourceRoutes({
      observed: observedLeaks,
      ...{ resources, claims, quota, mostTracked, db, events },
      surroundings() {
        const sample = sampler.latest();
        const memoryBytes = process.memoryUsage.rss();
        return {
          memoryBytes,
          memoryPeakBytes: process.resourceUsage().maxRSS * 1_024,
          memoryGrowthBytes: memoryBytes - memoryAtStart,
          memoryPercent: sample?.memory.percent ?? null,
          cpuPercent: sample?.cpu.percent ?? null,
          openFiles: sample?.process.openDescriptors ?? null,
          threads: sample?.process.threads ?? null,
        };
      },
    }),
  };
}
