import type { ErrorCode } from '../platform/errors.ts';
import { hostName } from '../platform/own-host.ts';
import type { GatewayKey, GatewayState, Provider, Upstream } from './ports.ts';

/** Where a request goes; or why it goes nowhere. */
export type Found =
  | { readonly door: 'backend'; readonly upstream: Upstream /** As the upstream gets it. */; readonly path: string }
  | { readonly door: 'llm'; readonly provider: Provider; readonly path: string }
  | { readonly door: 'refused'; readonly code: ErrorCode; readonly detail: string };

export type Hints = {
  /** Canonical. */
  readonly path: string;
  readonly host: string | undefined;
  /** The header `LIGHTRAG-WORKSPACE`; empty counts as not sent. */
  readonly workspace: string | undefined;
  readonly key: GatewayKey | undefined;
};

const llmDoor = '/llm';

const isBelow = (path: string, prefix: string): boolean =>
  path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');

const without = (path: string, prefix: string): string =>
  path.length === prefix.length ? '/' : path.slice(prefix.length);

/**
 * Decides which upstream a request is for. Path prefix, host, header and key each leave only the upstreams that fit them, so
 * two that contradict each other leave none: what is not said unmistakably never reaches somebody else's workspace. Of what
 * is left the first counts, which is the target's own endpoint.
 */
export function findRoute(state: GatewayState, hints: Hints): Found {
  if (isBelow(hints.path, llmDoor)) return findProvider(state, hints);
  let left: readonly Upstream[] = state.upstreams;
  let path = hints.path;
  const prefix = longestPrefix(left, path);
  if (prefix !== undefined) {
    left = left.filter((one) => one.pathPrefix === prefix);
    path = without(path, prefix);
  }
  const host = hostName(hints.host);
  if (host !== undefined && state.upstreams.some((one) => one.hosts.includes(host)))
    left = left.filter((one) => one.hosts.includes(host));
  const { workspace, key } = hints;
  const named = workspace === undefined || workspace === '' ? left : left.filter((one) => one.workspace === workspace);
  const [upstream] = key === undefined ? named : named.filter((one) => opens(key, one));
  // The same answer as for a workspace that does not exist: a key learns nothing about others.
  return upstream === undefined ? unknownWorkspace : { door: 'backend', upstream, path };
}

const opens = (key: GatewayKey, one: Upstream): boolean =>
  one.targetId === key.targetId && (key.workspace === null || key.workspace === one.workspace);

const unknownWorkspace: Found = {
  door: 'refused',
  code: 'gateway/unknown-workspace',
  detail:
    'No workspace that this request may reach has that name. Check `LIGHTRAG-WORKSPACE`, the path, the host and the key that was sent.',
};

function longestPrefix(upstreams: readonly Upstream[], path: string): string | undefined {
  let longest: string | undefined;
  for (const { pathPrefix } of upstreams)
    if (pathPrefix !== null && isBelow(path, pathPrefix) && pathPrefix.length > (longest?.length ?? 0))
      longest = pathPrefix;
  return longest;
}

function findProvider({ providers }: GatewayState, { path }: Hints): Found {
  const below = path.slice(llmDoor.length + 1);
  const end = below.indexOf('/');
  const id = end === -1 ? below : below.slice(0, end);
  const provider = providers.find((one) => one.id === id);
  if (provider === undefined)
    return {
      door: 'refused',
      code: 'request/not-found',
      detail: 'No provider of that name is configured. `gateway.providers` in ragwarden.yaml names them.',
    };
  return { door: 'llm', provider, path: end === -1 ? '/' : below.slice(end) };
}
