import type { EndpointConfig } from '../config/index.ts';
import {
  createLightragAdapter,
  createLightragConnection,
  createWatchedTarget,
  type LightragConnection,
  type Observation,
  type WatchedTarget,
} from '../targets/index.ts';
import type { Ground } from './ground.ts';
import { secretOf } from './named-key.ts';

/**
 * A further process of a target, which serves a workspace of its own: probed like the first, and what is wrong with it is a
 * reason of the target's state.
 */
export function watchEndpoint(
  ground: Ground,
  first: WatchedTarget,
  config: EndpointConfig,
): {
  readonly watched: WatchedTarget;
  readonly connection: LightragConnection;
  onObservation(callback: (seen: Observation) => void): void;
} {
  const { clock, db, events, http } = ground;
  const log = ground.logOf('targets');
  const { workspace } = config;
  const targetId = first.target.id;
  const endpoint = {
    url: config.url,
    workspace,
    apiKey: secretOf(config.apiKey, log) ?? undefined,
    username: undefined,
    password: undefined,
  };
  const reaching = {
    endpoint,
    http,
    clock,
    get timeoutMs() {
      return first.target.probeTimeoutMs;
    },
  };
  const connection = createLightragConnection(reaching);
  const callbacks: ((seen: Observation) => void)[] = [];
  const { probeIntervalMs, probeTimeoutMs, stopTimeoutMs, startTimeoutMs } = first.target;
  const watched = createWatchedTarget({
    target: {
      id: `${targetId}:${workspace}`,
      kind: first.target.kind,
      kindFrom: first.target.kindFrom,
      sample: false,
      endpoints: [endpoint],
      stores: [],
      workspaces: [workspace],
      userDataDir: undefined,
      paths: {},
      probeIntervalMs,
      probeTimeoutMs,
      stopTimeoutMs,
      startTimeoutMs,
    },
    adapter: createLightragAdapter({
      ...reaching,
      get timeoutMs() {
        return first.target.probeTimeoutMs;
      },
      connection,
    }),
    clock,
    log,
    stuckLimits: () => ({
      idleMs: ground.config.documents.stuckAfterMs,
      noProgressMs: ground.config.documents.noProgressAfterMs,
    }),
    onObservation(seen) {
      for (const callback of callbacks) callback(seen);
    },
    async onChange({ before, status }) {
      const [reason] = status.reasons;
      const message = `Workspace ${workspace} is ${status.word}${reason ? `: ${reason.message}` : '.'}`;
      first.noteFinding(
        `workspace ${workspace}`,
        status.word === 'HEALTHY' ? undefined : { code: `workspace-${status.word.toLowerCase()}`, message },
      );
      await db.unit((tx) =>
        events.record(tx, {
          type: 'target.workspace-changed',
          severity: status.word === 'HEALTHY' ? 'info' : status.word === 'OFFLINE' ? 'error' : 'warning',
          targetId,
          workspace,
          message,
          data: { before, status: status.word, reasons: status.reasons },
        }),
      );
    },
  });
  return { watched, connection, onObservation: (callback) => callbacks.push(callback) };
}
