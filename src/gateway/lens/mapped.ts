import type { Lens } from '../lens.ts';
import { plainReader } from './plain.ts';
import { type MappedRoute, mapRoutes } from './route-map.ts';

/** What the operator says of the routes of a backend of their own. Reads nothing of what passes. */
export function createMappedLens(routes: readonly MappedRoute[]): Lens {
  const find = mapRoutes(routes);
  return { classify: ({ method, path }) => find(method, path), open: (_head, { operation }) => plainReader(operation) };
}
