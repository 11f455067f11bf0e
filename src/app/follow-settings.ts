import type { Config, LiveConfig } from '../config/index.ts';
import type { HostSampler } from '../host/index.ts';
import type { MetricHistory } from '../metrics/index.ts';
import type { LogLevels } from '../platform/logging.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import type { WatchedTarget } from '../targets/index.ts';
import { targetTimings } from './target-timings.ts';

/** Hands every change of a runtime setting to the work it concerns; what reads its setting at each run needs only waking. */
export function followSettings(deps: {
  live: LiveConfig;
  sample: boolean;
  sampler: HostSampler;
  sizes: Reconciler;
  metrics: Pick<MetricHistory, 'set'>;
  targets: readonly WatchedTarget[];
  heartbeat: Pick<Reconciler, 'setIntervalMs'> | undefined;
  /** Jobs that look at a limit or a date at each run. */
  wakes: readonly Pick<Reconciler, 'wake'>[];
  setLogLevels(levels: LogLevels): void;
}): void {
  deps.live.onChange((now, before) => {
    deps.sampler.setIntervalMs(now.monitoring.sampleIntervalMs);
    deps.sampler.setDirectoriesIntervalMs(now.monitoring.directorySizesIntervalMs);
    deps.sizes.setIntervalMs(now.metrics.collectionIntervalMs);
    deps.metrics.set(now.metrics.history);
    const { probeIntervalMs } = targetTimings(deps.live, deps.sample);
    for (const target of deps.targets) target.setIntervalMs(probeIntervalMs);
    if (now.heartbeat) deps.heartbeat?.setIntervalMs(now.heartbeat.intervalMs);
    for (const job of deps.wakes) job.wake();
    if (haveOtherLevels(now, before)) deps.setLogLevels(levelsOf(now));
  });
}

export const levelsOf = ({ logLevel, logLevels }: Config): LogLevels => ({ level: logLevel, levels: logLevels });

export const haveOtherLevels = (one: Config, other: Config): boolean =>
  JSON.stringify(levelsOf(one)) !== JSON.stringify(levelsOf(other));
