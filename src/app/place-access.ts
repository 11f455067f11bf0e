import type { PlaceId, TargetConfig } from '../config/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { Logger } from '../platform/logging.ts';
import {
  type BackendLifecycle,
  createBackendLifecycle,
  createConfiguredDriver,
  type LightragConnection,
  nothingToStop,
  type Observation,
  type Target,
  type TargetAdapter,
  type TargetTimings,
  targetFromConfig,
} from '../targets/index.ts';
import { adapterFor } from './adapter-for.ts';
import { type BackendProcess, findBackendProcess, noProcess } from './backend-process.ts';
import type { Sample } from './sample.ts';

/** One place of a target: how it is looked at, stopped and started there. */
export type PlaceAccess = {
  readonly id: PlaceId;
  readonly config: TargetConfig;
  readonly target: Target;
  readonly adapter: TargetAdapter;
  /** Undefined for what is no LightRAG server. */
  readonly connection: LightragConnection | undefined;
  readonly backend: BackendLifecycle;
  readonly process: BackendProcess;
};

export function createPlaceAccess(options: {
  id: PlaceId;
  config: TargetConfig;
  timings: () => TargetTimings;
  quietMs(): number;
  /** The look of those who watch the target, where it lives; undefined at another place. */
  probe(): Promise<Observation | undefined> | undefined;
  /** Set for the bundled sample, which is our own child at each of its places. */
  sample: Sample | undefined;
  children: ChildProcesses;
  http: HttpClient;
  clock: Clock;
  log: Logger;
}): PlaceAccess {
  const { id, config, sample, http, clock, log, children } = options;
  const target = targetFromConfig(config, sample !== undefined, options.timings);
  const { adapter, connection } = adapterFor(config, target, { http, clock, quietMs: options.quietMs });
  const driver =
    sample?.drivers[id] ??
    (config.lifecycle === undefined && config.url === undefined ? nothingToStop : undefined) ??
    (config.lifecycle &&
      createConfiguredDriver({
        lifecycle: config.lifecycle,
        children,
        http,
        get stopTimeoutMs() {
          return target.stopTimeoutMs;
        },
        get startTimeoutMs() {
          return target.startTimeoutMs;
        },
        environment: config.commandEnvironment,
      }));
  const backend = createBackendLifecycle({
    target,
    driver,
    answers: (signal) => adapter.answers(signal),
    healthy: async () => {
      const seen = await (options.probe() ?? adapter.probe(new AbortController().signal));
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
    ...{ id, config, target, adapter, connection, backend },
    process: config.url === undefined ? noProcess : findBackendProcess(config.url),
  };
}
