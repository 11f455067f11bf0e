import type { StoredGatewayKey } from '../access/index.ts';
import type { Config, TargetConfig } from '../config/index.ts';
import type { GatewayState, QueryOverrides, Upstream } from '../gateway/index.ts';
import type { Logger } from '../platform/logging.ts';
import { secretOf } from './named-key.ts';

/** What the gateway leads to and whom it lets through, from the settings and the keys that were made. */
export function gatewayState(
  config: Pick<Config, 'gateway'>,
  target: TargetConfig | undefined,
  keys: readonly StoredGatewayKey[],
  log: Logger,
  overrides?: QueryOverrides,
): GatewayState {
  return {
    upstreams: target === undefined ? [] : upstreamsOf(target, log),
    providers: config.gateway.providers.map(({ apiKey, ...rest }) => ({ ...rest, apiKey: secretOf(apiKey, log) })),
    keys: keys.map(({ id, digest, subject, targetId, workspace, expiresMs }) => ({
      ...{ id, digest, subject, targetId, workspace, expiresMs },
    })),
    ...(overrides === undefined ? {} : { overrides }),
  };
}

/** How it is to work, as far as the settings say. */
export function gatewaySettings({ gateway, server }: Pick<Config, 'gateway' | 'server'>) {
  const { providers: _providers, enabled: _enabled, queryOverrides: _overrides, ...settings } = gateway;
  const { publicHosts, trustedProxies } = server;
  return { ...settings, publicHosts, trustedProxies, quotaWaitMs: 250 };
}

function upstreamsOf(target: TargetConfig, log: Logger): Upstream[] {
  const { id: targetId, workspace, url } = target;
  // A project that nobody serves has no requests.
  if (url === undefined) return [];
  const own: Upstream = {
    id: `${targetId}/${workspace}`,
    targetId,
    workspace,
    url,
    apiKey: target.apiKey ?? null,
    ...lensFor(target),
    pathPrefix: null,
    hosts: [],
  };
  const further = (target.endpoints ?? []).map(
    (one): Upstream => ({
      id: `${targetId}/${one.workspace}`,
      targetId,
      workspace: one.workspace,
      url: one.url,
      apiKey: secretOf(one.apiKey, log),
      lens: 'lightrag',
      pathPrefix: one.pathPrefix ?? null,
      hosts: one.hosts,
    }),
  );
  return [own, ...further];
}

function lensFor({ kind, custom }: TargetConfig): Pick<Upstream, 'lens' | 'routes'> {
  switch (kind) {
    case 'lightrag':
    case 'graphrag':
      return { lens: kind };
    case 'custom':
      return { lens: 'mapped', routes: custom?.operations ?? [] };
  }
}
