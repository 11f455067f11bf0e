import type { TargetConfig } from '../config/index.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { HttpClient } from '../platform/http-client.ts';
import {
  createCustomAdapter,
  createGraphragAdapter,
  createGraphragService,
  createLightragAdapter,
  createLightragConnection,
  type LightragConnection,
  type Target,
  type TargetAdapter,
} from '../targets/index.ts';

/** How a target of its kind is looked at, and the connection to a LightRAG server where it is one. */
export function adapterFor(
  from: TargetConfig,
  target: Target,
  ports: { readonly http: HttpClient; readonly clock: Clock; quietMs(): number },
): { readonly adapter: TargetAdapter; readonly connection: LightragConnection | undefined } {
  const { http, clock } = ports;
  const [endpoint] = target.endpoints;
  if (target.kind === 'graphrag') {
    const service =
      endpoint &&
      createGraphragService({
        endpoint,
        http,
        monotonic: () => clock.monotonic(),
        get timeoutMs() {
          return target.probeTimeoutMs;
        },
      });
    return {
      adapter: createGraphragAdapter({ project: from.workingDir, service, clock, quietMs: ports.quietMs }),
      connection: undefined,
    };
  }
  if (target.kind === 'custom' && from.custom)
    return {
      adapter: createCustomAdapter({
        health: from.custom.health,
        apiKey: from.apiKey,
        http,
        clock,
        get timeoutMs() {
          return target.probeTimeoutMs;
        },
      }),
      connection: undefined,
    };
  if (!endpoint) throw new AppError('config/invalid', `Target ${target.id} has no endpoint.`);
  const reaching = {
    endpoint,
    http,
    clock,
    get timeoutMs() {
      return target.probeTimeoutMs;
    },
  };
  const connection = createLightragConnection(reaching);
  const adapter = createLightragAdapter({
    ...reaching,
    get timeoutMs() {
      return target.probeTimeoutMs;
    },
    connection,
  });
  return { adapter, connection };
}
