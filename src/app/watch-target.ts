import type { PlaceId } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { DocumentMetrics } from '../metrics/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { Logger } from '../platform/logging.ts';
import {
  type BackendLifecycle,
  createWatchedTarget,
  type LightragConnection,
  type Observation,
  type TargetAdapter,
  type TargetTimings,
  targetFromConfig,
  type WatchedTarget,
} from '../targets/index.ts';
import type { BackendProcess } from './backend-process.ts';
import { createPlaceAccess, type PlaceAccess } from './place-access.ts';
import type { Places } from './places.ts';
import type { Sample } from './sample.ts';

export type Watch = {
  readonly watched: WatchedTarget;
  readonly backend: BackendLifecycle;
  readonly process: BackendProcess;
  /** Undefined for what is no LightRAG server. */
  readonly connection: LightragConnection | undefined;
  /** The same of one place, whether the target lives there or not. @throws Error for a place that the settings do not have */
  at(place: PlaceId): PlaceAccess;
  /** Called after each probe. */
  onObservation(callback: (seen: Observation) => void): void;
};

/** Puts one target under watch: its adapter, its lifecycle, its process, and what a change of its state means to the others. */
export function watchTarget(options: {
  places: Places;
  /** As the settings are when it is called. */
  timings: () => TargetTimings;
  stuckLimits(): { readonly idleMs: number; readonly noProgressMs: number };
  /** Set for the bundled sample, which is our own child. */
  sample: Sample | undefined;
  children: ChildProcesses;
  http: HttpClient;
  db: Database;
  events: EventRecorder;
  metrics: DocumentMetrics;
  clock: Clock;
  log: Logger;
}): Watch {
  const { places, sample, clock, log, db, events } = options;
  const target = targetFromConfig(places.config, sample !== undefined, options.timings);
  const accesses = new Map(
    places.all.map(({ id, config }) => [
      id,
      createPlaceAccess({
        ...{ id, config, ...options },
        quietMs: () => options.stuckLimits().noProgressMs,
        // Where it lives the look counts for everybody.
        probe: () => (places.active() === id ? watched.probe() : undefined),
      }),
    ]),
  );
  const at = (id: PlaceId): PlaceAccess => {
    const found = accesses.get(id);
    if (!found) throw new Error(`the target has no place ${id}`);
    return found;
  };
  const here = (): PlaceAccess => at(places.active());
  const adapter: TargetAdapter = {
    probe: (signal) => here().adapter.probe(signal),
    answers: (signal) => here().adapter.answers(signal),
  };
  const backendProcess: BackendProcess = { pid: () => here().process.pid(), look: () => here().process.look() };
  // Its first failure is then an increase to whoever scrapes, not the beginning of a series.
  options.metrics.healthCheckFailures.labels(target.id, 'target').inc(0);
  const callbacks: ((seen: Observation) => void)[] = [];
  const backend: BackendLifecycle = {
    get automatic() {
      return here().backend.automatic;
    },
    get describe() {
      return here().backend.describe;
    },
    stop: (signal, progress) => here().backend.stop(signal, progress),
    start: (signal, progress) => here().backend.start(signal, progress),
    findSignOfLife: () => here().backend.findSignOfLife(),
    isExpectedDown: () => here().backend.isExpectedDown(),
    expectUp: () => here().backend.expectUp(),
  };
  const watched = createWatchedTarget({
    target,
    adapter,
    clock,
    log,
    stuckLimits: options.stuckLimits,
    onObservation(seen) {
      for (const callback of callbacks) callback(seen);
      if (seen.reachable) void backendProcess.look();
      if (seen.latencyMs !== undefined)
        options.metrics.healthCheckDurationSeconds.labels(target.id, 'target').observe(seen.latencyMs / 1_000);
      const passed = seen.reachable && seen.faults.length === 0;
      if (!passed && !backend.isExpectedDown()) options.metrics.healthCheckFailures.labels(target.id, 'target').inc();
    },
    async onChange({ before, status }) {
      // Stopped or just being started by ourselves: that it is gone then is no failure.
      const planned = backend.isExpectedDown() && status.word === 'OFFLINE';
      const [first] = status.reasons;
      await db.unit((tx) =>
        events.record(tx, {
          type: 'target.status-changed',
          severity: planned || status.word === 'HEALTHY' ? 'info' : status.word === 'OFFLINE' ? 'error' : 'warning',
          targetId: target.id,
          message: planned
            ? `${target.id} is stopped, or being started, by ragwarden.`
            : `${target.id} is ${status.word}${first ? `: ${first.message}` : '.'}`,
          data: { before, status: status.word, planned, reasons: status.reasons },
        }),
      );
    },
  });
  const { connection } = here();
  return {
    watched,
    backend,
    process: backendProcess,
    connection: connection && forwarded(() => here().connection ?? connection),
    at,
    onObservation: (callback) => callbacks.push(callback),
  };
}

const forwarded = (to: () => LightragConnection): LightragConnection => ({
  send: (path, init) => to().send(path, init),
  call: (path, init) => to().call(path, init),
  prepare: (signal) => to().prepare(signal),
  describeRefusal: () => to().describeRefusal(),
});
