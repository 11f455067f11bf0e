import { readdir } from 'node:fs/promises';
import type { Clock } from '../../platform/clock.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { RandomSource } from '../../platform/ids.ts';
import type { Part } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logging.ts';
import type { ReconcilerState } from '../../platform/reconciler.ts';
import type { MetricRegistry } from '../registry.ts';
import { createRemoteWriteMetrics } from './remote-write-metrics.ts';
import { createRemoteWriter, type RemoteStore, type StoreStatus } from './remote-writer.ts';

/** Every store that gets the metrics, each with a queue and a sender of its own. */
export type RemoteWrite = Part & {
  stores(): readonly StoreStatus[];
  /** While paused nothing more is queued on disk. */
  pause(paused: boolean): void;
  jobs(): readonly ReconcilerState[];
};

/** @param options.folder where the queues lie, one folder per store */
export function createRemoteWrite(options: {
  stores: readonly RemoteStore[];
  /** Of this process; put on every series, as a scraper would. */
  instance: string;
  folder: string;
  registry: MetricRegistry;
  http: HttpRequester;
  clock: Clock;
  random: RandomSource;
  log: Logger;
}): RemoteWrite {
  const { stores, instance, ...deps } = options;
  const metrics = stores.length === 0 ? undefined : createRemoteWriteMetrics(deps);
  const writers = stores.map((store) =>
    createRemoteWriter({
      ...deps,
      store: { ...store, labels: { job: 'ragwarden', instance, ...store.labels } },
      // There is one as soon as there is a store.
      metrics: metrics!(store.name),
    }),
  );
  return {
    name: 'remote write',
    async start(signal) {
      const names = new Set(stores.map(({ name }) => name));
      for (const left of await readdir(deps.folder).catch(() => []))
        if (!names.has(left))
          deps.log.warn(
            { store: left, folder: deps.folder },
            'samples wait for a remote store that no setting names any more; name it again, or remove its folder',
          );
      for (const writer of writers) await writer.start?.(signal);
    },
    async stop() {
      await Promise.all(writers.map((writer) => writer.stop?.()));
    },
    stores: () => writers.map((writer) => writer.status()),
    pause(paused) {
      for (const writer of writers) writer.pause(paused);
    },
    jobs: () => writers.flatMap((writer) => writer.jobs()),
  };
}
