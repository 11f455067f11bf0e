import type { PlaceId, TargetConfig } from '../config/index.ts';
import {
  type Consumption,
  createConsumptionLog,
  createHostSampler,
  type HostSampler,
  registerHostMetrics,
} from '../host/index.ts';
import {
  createFolderSizes,
  createInspections,
  createInspector,
  type FolderSizes,
  type Inspections,
  type Inspector,
  type WatchedTarget,
} from '../targets/index.ts';
import { followRuns } from './follow-runs.ts';
import type { Ground } from './ground.ts';
import { recordOomKills } from './host-events.ts';
import { createPlaces, type Places } from './places.ts';
import { prepareSample, type Sample, type SampleSize } from './sample.ts';
import { registerTargetMetrics } from './target-metrics.ts';
import { targetTimings } from './target-timings.ts';
import { type Watch, watchTarget } from './watch-target.ts';

export type Watching = {
  /** Set while the bundled sample stands for a backend. */
  readonly sample: Sample | undefined;
  /** As it is at the place where it lives now. */
  readonly targetConfig: TargetConfig | undefined;
  readonly places: Places | undefined;
  readonly watch: Watch | undefined;
  readonly targets: readonly WatchedTarget[];
  readonly inspector: Inspector;
  readonly inspections: Inspections;
  readonly sampler: HostSampler;
  readonly sizes: FolderSizes;
  /** What the process of a target took between two instants; undefined where it is not of this machine or was not seen twice. */
  consumptionBetween(targetId: string, fromMs: number, toMs: number): Consumption | undefined;
};

/** What is looked at: the machine, and the target or the sample that stands for one. Nothing of it runs yet. */
export async function createWatching(
  ground: Ground,
  options: {
    wantsSample: boolean;
    sampleSize: SampleSize | undefined;
    /** Where a target lived when ragwarden ended. */
    activePlace(targetId: string): Promise<PlaceId>;
  },
): Promise<Watching> {
  const { config, live, clock, logOf, children, http, db, events, documentMetrics, registry } = ground;
  const sample =
    config.target === undefined && options.wantsSample
      ? await prepareSample({
          dataDir: config.dataDir,
          size: options.sampleSize ?? 'small',
          timings: targetTimings(live, true),
          children,
          log: logOf('targets'),
        })
      : undefined;
  const given = config.target ?? sample?.config;
  const places = given && createPlaces(given, await options.activePlace(given.id));
  const targetConfig = places?.config;
  const inspector = createInspector({ log: logOf('targets'), clock });
  const watch =
    places &&
    watchTarget({
      places,
      timings: () => targetTimings(live, sample !== undefined),
      stuckLimits: () => ({
        idleMs: ground.config.documents.stuckAfterMs,
        noProgressMs: ground.config.documents.noProgressAfterMs,
      }),
      sample,
      children,
      http,
      db,
      events,
      metrics: documentMetrics,
      clock,
      log: logOf('targets'),
    });
  const targets = watch ? [watch.watched] : [];

  const sampler = createHostSampler({
    clock,
    log: logOf('host'),
    intervalMs: config.monitoring.sampleIntervalMs,
    directoriesIntervalMs: config.monitoring.directorySizesIntervalMs,
    dataDir: targetConfig?.userDataDir,
    diskPaths: [config.dataDir],
    targetPid: () => watch?.process.pid(),
  });
  registerHostMetrics(registry, sampler, clock);
  const consumption = createConsumptionLog();
  sampler.onSample((one) => consumption.note(one));
  recordOomKills({ sampler, db, events, log: logOf('host') });
  const sizes = createFolderSizes({
    targets: targets.map((one) => one.target),
    intervalMs: config.metrics.collectionIntervalMs,
    clock,
    log: logOf('targets'),
  });

  const inspections = createInspections({ targets, inspector, clock, log: logOf('targets') });
  registerTargetMetrics(registry, { targets, sizes, inspections, clock });
  if (watch)
    followRuns(ground, watch, () => {
      // A run that ended has written other tables.
      inspections.wake();
    });
  places?.onSwitch(() => inspections.wake());
  return {
    sample,
    targetConfig,
    places,
    watch,
    targets,
    inspector,
    inspections,
    sampler,
    sizes,
    consumptionBetween: (targetId, fromMs, toMs) =>
      targetId === watch?.watched.target.id ? consumption.between(fromMs, toMs) : undefined,
  };
}
