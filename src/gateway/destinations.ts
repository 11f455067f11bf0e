import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { type Breaker, createBreaker } from './breaker.ts';
import { lensOf, lensOfProvider } from './lens/lenses.ts';
import type { Lens } from './lens.ts';
import type { GatewayKey, GatewayState, Provider, Upstream } from './ports.ts';

/** An upstream or a provider, with what is needed to call it. */
export type Destination = {
  /** `target/workspace`, or `llm/provider`. */
  readonly id: string;
  readonly url: string;
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** As it stands in `Host`. */
  readonly host: string;
  /** Before every path; empty, or begins with a slash and ends without one. */
  readonly basePath: string;
  readonly lens: Lens;
  readonly breaker: Breaker;
  /** Put in for whoever may use it, as name and value; empty when there is none. */
  readonly keyHeader: readonly string[];
  /** The header that tells the workspace; where several workspaces share one address it is the only thing that does. */
  readonly sharesAddress: boolean;
};

export type Table = {
  readonly state: GatewayState;
  readonly keys: ReadonlyMap<string, GatewayKey>;
  of(found: { upstream: Upstream } | { provider: Provider }): Destination;
  readonly all: readonly Destination[];
};

/** @param before what was known: breakers of those that stay keep what they know */
export function createTable(state: GatewayState, before?: Table): Table {
  const breakers = new Map(before?.all.map((one) => [`${one.id} ${one.url}`, one.breaker]));
  const addresses = new Map<string, number>();
  for (const { url } of state.upstreams) addresses.set(url, (addresses.get(url) ?? 0) + 1);
  const build = (
    id: string,
    url: string,
    rest: Pick<Destination, 'lens' | 'keyHeader' | 'sharesAddress'>,
  ): Destination => {
    const parsed = new URL(url);
    const secure = parsed.protocol === 'https:';
    return {
      id,
      url: url.replace(/\/+$/, ''),
      secure,
      hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
      port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
      host: parsed.host,
      basePath: parsed.pathname.replace(/\/+$/, ''),
      breaker: breakers.get(`${id} ${url.replace(/\/+$/, '')}`) ?? createBreaker(),
      ...rest,
    };
  };
  const upstreams = new Map(
    state.upstreams.map((one) => [
      one,
      build(one.id, one.url, {
        lens: lensOf(one),
        keyHeader: one.apiKey === null ? [] : ['X-API-Key', one.apiKey],
        sharesAddress: (addresses.get(one.url) ?? 0) > 1,
      }),
    ]),
  );
  const providers = new Map(
    state.providers.map((one) => [
      one,
      build(`llm/${one.id}`, one.url, {
        lens: lensOfProvider(one),
        keyHeader: one.apiKey === null ? [] : ['Authorization', `Bearer ${one.apiKey}`],
        sharesAddress: false,
      }),
    ]),
  );
  return {
    state,
    keys: new Map(state.keys.map((key) => [key.digest, key])),
    all: [...upstreams.values(), ...providers.values()],
    of(found) {
      const one = 'upstream' in found ? upstreams.get(found.upstream) : providers.get(found.provider);
      if (one === undefined) throw new Error('a route leads to an upstream that the table does not hold');
      return one;
    },
  };
}

export type Agents = {
  of(destination: Destination): HttpAgent;
  /** Opens a connection of its own, for a second try after a kept one turned out to be closed. */
  fresh(destination: Destination): HttpAgent;
  close(): void;
};

/**
 * Kept connections are given up before the usual servers do it (uvicorn: 5 s): a request that meets the very moment in which
 * the other side closes is lost.
 */
const keptMs = 4_000;

export function createAgents(): Agents {
  const kept = { keepAlive: true, timeout: keptMs, maxFreeSockets: 256, scheduling: 'lifo' } as const;
  const agents = { http: new HttpAgent(kept), https: new HttpsAgent(kept) };
  const fresh = { http: new HttpAgent(), https: new HttpsAgent() };
  return {
    of: ({ secure }) => (secure ? agents.https : agents.http),
    fresh: ({ secure }) => (secure ? fresh.https : fresh.http),
    close() {
      for (const agent of [...Object.values(agents), ...Object.values(fresh)]) agent.destroy();
    },
  };
}
