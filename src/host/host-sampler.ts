import type { Clock } from '../platform/clock.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../platform/reconciler.ts';
import { measureFolders } from './folder-sizes.ts';
import type { HostSample, UserDirectorySizes } from './host.ts';
import { type HostLoad, loadOf } from './host-health.ts';
import type { HostReader } from './host-reader.ts';
import { createLibraryHostReader, type SystemLibrary } from './library-host-reader.ts';
import { createProcfsHostReader } from './procfs-host-reader.ts';

export type HostSampler = Part & {
  /** Undefined until the host was read twice, which is what a share of CPU time takes. */
  latest(): HostSample | undefined;
  /** A sample older than this says nothing about now: two minutes, or three intervals where that is longer. */
  staleAfterMs(): number;
  /** Load of the last hour, oldest first, the latest sample included. */
  recent(): readonly HostLoad[];
  /** Undefined until the first walk is over, and without a data folder. */
  userDirectories(): UserDirectorySizes | undefined;
  /** Why nothing can be sampled on this machine; undefined where it can. */
  unavailable(): string | undefined;
  /** Called after each sample; the returned function ends that. */
  onSample(callback: (sample: HostSample) => void): () => void;
  /** Takes one sample now. Undefined when it was the first reading. */
  sampleOnce(): Promise<HostSample | undefined>;
  measureDirectoriesOnce(): Promise<void>;
  setIntervalMs(ms: number): void;
  setDirectoriesIntervalMs(ms: number): void;
  /** State of the two background jobs. */
  jobs(): readonly ReconcilerState[];
};

export type HostSamplerOptions = {
  clock: Clock;
  log: Logger;
  /** Default 1 s: a sample costs a fifth of a millisecond. */
  intervalMs?: number;
  /** The target's data folder; its first-level folders are what users' storage is told by. */
  dataDir?: string | undefined;
  /** Folders whose file systems are watched besides the mounted ones (repository, own data). */
  diskPaths?: readonly string[];
  /** How often user directories are walked; default 5 min. */
  directoriesIntervalMs?: number;
  /** The backend's process, where it is known. */
  targetPid?: () => number | undefined;
  platform?: NodeJS.Platform;
  /** What reads machines other than Linux; loaded only there. */
  loadLibrary?: () => Promise<SystemLibrary>;
};

/** So soon after the baseline comes the first sample: long enough for 25 ticks per core. */
const firstSampleMs = 250;
const keptLoadMs = 3_600_000;

/** Samples in the background; whoever asks reads what was last seen, so that asking costs nothing. */
export function createHostSampler(options: HostSamplerOptions): HostSampler {
  const { clock, log, dataDir, intervalMs = 1_000, platform = process.platform } = options;
  const callbacks = new Set<(sample: HostSample) => void>();
  const loads: HostLoad[] = [];
  let wantedIntervalMs = intervalMs;
  let latest: HostSample | undefined;
  let directories: UserDirectorySizes | undefined;
  let reader: HostReader | undefined;
  let reason: string | undefined;

  const newReader = async (): Promise<HostReader | undefined> => {
    if (platform === 'linux') return createProcfsHostReader(options);
    try {
      // In a file of its own in dist/, so that nothing of it stands in memory on Linux.
      const load = options.loadLibrary ?? (async () => (await import('systeminformation')).default);
      const created = createLibraryHostReader({ ...options, library: await load() });
      reason = undefined;
      return created;
    } catch (err) {
      reason = `Host figures of ${platform} are read through the package systeminformation, which cannot be loaded.`;
      log.warn({ err }, reason);
      return undefined;
    }
  };

  const sampleOnce = async (): Promise<HostSample | undefined> => {
    reader ??= await newReader();
    if (reader === undefined) return undefined;
    const sample = await reader.read();
    if (sample === undefined) return undefined;
    latest = sample;
    loads.push(loadOf(sample));
    while (loads[0] !== undefined && sample.takenAtMs - loads[0].takenAtMs > keptLoadMs) loads.shift();
    for (const callback of callbacks)
      try {
        callback(sample);
      } catch (err) {
        log.error({ err }, 'a listener of host samples failed');
      }
    return sample;
  };

  const sampling = createReconciler({
    name: 'host sampler',
    intervalMs: Math.min(intervalMs, firstSampleMs),
    clock,
    log,
    async run() {
      if ((await sampleOnce()) !== undefined || reason !== undefined) sampling.setIntervalMs(wantedIntervalMs);
    },
  });
  const walking = createReconciler({
    name: 'user directories',
    intervalMs: options.directoriesIntervalMs ?? 300_000,
    clock,
    log,
    async run(signal) {
      if (dataDir !== undefined) directories = await measureFolders(dataDir, clock, signal);
    },
  });

  return {
    name: 'host sampler',
    async start(signal) {
      if (dataDir !== undefined) await walking.start?.(signal);
      await sampling.start?.(signal);
    },
    async stop() {
      await Promise.all([sampling.stop?.(), walking.stop?.()]);
      reader?.close();
      reader = undefined;
    },
    latest: () => latest,
    staleAfterMs: () => Math.max(120_000, 3 * wantedIntervalMs),
    recent: () => loads,
    userDirectories: () => directories,
    unavailable: () => reason,
    onSample(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    sampleOnce,
    measureDirectoriesOnce: () => walking.runOnce(),
    setIntervalMs(ms) {
      wantedIntervalMs = ms;
      if (latest !== undefined) sampling.setIntervalMs(ms);
    },
    setDirectoriesIntervalMs: (ms) => walking.setIntervalMs(ms),
    jobs: () => [sampling.state(), walking.state()],
  };
}
