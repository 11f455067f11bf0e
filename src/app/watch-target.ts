import type { TargetConfig } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { DocumentMetrics } from '../metrics/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { Logger } from '../platform/logging.ts';
import {
  type BackendLifecycle,
  createBackendLifecycle,
  createConfiguredDriver,
  createWatchedTarget,
  type LightragConnection,
  nothingToStop,
  type Observation,
  type TargetTimings,
  targetFromConfig,
  type WatchedTarget,
} from '../targets/index.ts';
import { adapterFor } from './adapter-for.ts';
import { type BackendProcess, findBackendProcess, noProcess } from './backend-process.ts';
import type { Sample } from './sample.ts';

export type Watch = {
  readonly watched: WatchedTarget;
  readonly backend: BackendLifecycle;
  readonly process: BackendProcess;
  /** Undefined for what is no LightRAG server. */
  readonly connection: LightragConnection | undefined;
  /** Called after each probe. */
  onObservation(callback: (seen: Observation) => void): void;
};

/** Puts one target under watch: its adapter, its lifecycle, its process, and what a change of its state means to the others. */
export function watchTarget(options: {
  from: TargetConfig;
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
  const { from, sample, http, clock, log, db, events } = options;
  const target = targetFromConfig(from, sample !== undefined, options.timings);
  const backendProcess = from.url === undefined ? noProcess : findBackendProcess(from.url);
  const { adapter, connection } = adapterFor(from, target, {
    http,
    clock,
    quietMs: () => options.stuckLimits().noProgressMs,
  });
  // Its first failure is then an increase to whoever scrapes, not the beginning of a series.
  options.metrics.healthCheckFailures.labels(target.id, 'target').inc(0);
  const callbacks: ((seen: Observation) => void)[] = [];
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
  const driver =
    sample?.driver ??
    (from.lifecycle === undefined && from.url === undefined ? nothingToStop : undefined) ??
    (from.lifecycle &&
      createConfiguredDriver({
        lifecycle: from.lifecycle,
        children: options.children,
        http,
        get stopTimeoutMs() {
          return target.stopTimeoutMs;
        },
        get startTimeoutMs() {
          return target.startTimeoutMs;
        },
        environment: from.commandEnvironment,
      }));
  const backend = createBackendLifecycle({
    target,
    driver,
    answers: (signal) => adapter.answers(signal),
    healthy: async () => {
      const seen = await watched.probe();
      return (
        seen?.reachable === true &&
        seen.kind === target.kind &&
        !seen.faults.some(({ kind }) => kind === 'server-error' || kind === 'says-unhealthy')
      );
    },
    clock,
    log,
    ownPids: () => new Set([process.pid]),
  });
  return {
    watched,
    backend,
    process: backendProcess,
    connection,
    onObservation: (callback) => callbacks.push(callback),
  };
}
