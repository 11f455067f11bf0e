import {
  type Health,
  type HttpPlace,
  type LookingCheck,
  lookAtHttp,
  lookAtModel,
  lookAtTcp,
  lookAtVectorStore,
} from '../health/index.ts';
import { endpointHeaders, type StoreEndpoint } from '../metrics/index.ts';
import type { Inspections, WatchedTarget } from '../targets/index.ts';
import type { Ground } from './ground.ts';

const placeOf = (endpoint: StoreEndpoint): HttpPlace => ({
  url: endpoint.url,
  timeoutMs: endpoint.timeoutMs,
  headers: () => endpointHeaders(endpoint),
});

/** A look is over before the runner gives it up, so that it can say why. */
const beyondMs = 2_000;

/** Looks at what `health` of the settings file names. @param indexDimension of the vectors that the backend has, where known */
export function externalChecks(ground: Ground, indexDimension: () => number | undefined): readonly LookingCheck[] {
  const { config, clock, http } = ground;
  const { health } = config;
  const deps = { http, clock };
  type Named = { readonly id: string; readonly intervalMs: number; readonly neededFor: LookingCheck['neededFor'] };
  const check = (
    what: string,
    one: Named,
    /** The same section as the settings are now. */
    section: (health: Ground['config']['health']) => readonly Named[],
    limitMs: number,
    look: LookingCheck['look'],
  ): LookingCheck => ({
    name: `${what} ${one.id}`,
    kind: 'external',
    about: 'watched',
    ...{ neededFor: one.neededFor, timeoutMs: limitMs + beyondMs, look },
    get intervalMs() {
      return section(ground.config.health).find(({ id }) => id === one.id)?.intervalMs ?? one.intervalMs;
    },
  });
  return [
    ...health.models.map((one) =>
      check(
        one.role,
        one,
        ({ models }) => models,
        one.endpoint.timeoutMs,
        (signal) =>
          lookAtModel(
            deps,
            placeOf(one.endpoint),
            { ...one, dimension: () => one.dimension ?? indexDimension() },
            signal,
          ),
      ),
    ),
    ...health.vectorStores.map((one) =>
      check(
        one.kind,
        one,
        ({ vectorStores }) => vectorStores,
        one.endpoint.timeoutMs,
        (signal) => lookAtVectorStore(deps, placeOf(one.endpoint), one, signal),
      ),
    ),
    ...health.http.map((one) =>
      check(
        'http',
        one,
        (now) => now.http,
        one.endpoint.timeoutMs,
        (signal) => lookAtHttp(deps, placeOf(one.endpoint), one, signal),
      ),
    ),
    ...health.tcp.map((one) =>
      check(
        'tcp',
        one,
        ({ tcp }) => tcp,
        one.timeoutMs,
        (signal) => lookAtTcp(clock, one, signal),
      ),
    ),
  ];
}

/** Of the vectors that the backend has: in its files, as the last inspection found them, or in its database. */
export function indexDimension(
  watched: WatchedTarget | undefined,
  inspections: Inspections,
  health: Health,
): number | undefined {
  if (!watched) return undefined;
  const files = inspections.last(watched.target.id)?.dimension.files ?? [];
  const inFiles = files.find(({ rows }) => rows > 0)?.dimension;
  if (inFiles !== undefined) return inFiles;
  const found = health
    .report()
    .checks.map(({ result }) => result.details?.vector_dimension)
    .find((one) => typeof one === 'number');
  return typeof found === 'number' ? found : undefined;
}
