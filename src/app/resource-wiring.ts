import type { HostSampler } from '../host/index.ts';
import type { Recorder } from '../metrics/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import {
  createLeakScan,
  createResourceMetrics,
  createResourceRegistry,
  type LeakChange,
  type ResourceRegistry,
  resourceRoutes,
} from '../resources/index.ts';
import type { Ground } from './ground.ts';

export type ResourceWiring = {
  readonly resources: ResourceRegistry;
  readonly resourceRoutes: RoutePlugin;
  readonly leakScan: Reconciler;
};

/** What programs register, and the search for what nobody seems to hold. */
export function createResourceWiring(
  ground: Ground,
  { recorder, sampler }: { recorder: Recorder; sampler: Pick<HostSampler, 'latest'> },
): ResourceWiring {
  const { live, clock, db, events, registry, logOf } = ground;
  const mostTracked = (): number => live.config().resources.maxTracked;
  const memoryAtStart = process.memoryUsage.rss();
  // The scan tells what the registry finds, and is made from it.
  let note: (change: LeakChange) => void = () => undefined;
  const resources = createResourceRegistry({ clock, mostTracked, onLeak: (change) => note(change) });
  const scan = createLeakScan({
    ...{ resources, db, events, clock },
    intervalMs: live.config().resources.leakCheckIntervalMs,
    log: logOf('resources'),
  });
  note = scan.note;
  live.onChange((now) => scan.job.setIntervalMs(now.resources.leakCheckIntervalMs));
  createResourceMetrics({ recorder, registry, resources });
  return {
    resources,
    leakScan: scan.job,
    resourceRoutes: resourceRoutes({
      ...{ resources, mostTracked, db, events },
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
