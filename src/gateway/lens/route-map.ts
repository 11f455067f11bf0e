import type { RouteReading } from '../lens.ts';
import type { OperationClass } from '../observation.ts';

/** One route of an API: parts in braces are any one part, `/*` at the end is anything below. Plain data: it crosses a thread. */
export type MappedRoute = {
  readonly method: string;
  readonly path: string;
  readonly operation: OperationClass;
  readonly writes: boolean;
};

type Entry = { readonly method: string; readonly pattern: RegExp; readonly reading: RouteReading };

const harmless: RouteReading = { operation: 'read', route: 'other', writes: false };
/** What nobody knows counts as what costs most. */
const unknown: RouteReading = { operation: 'insert', route: 'other', writes: true };

/**
 * Finds what a request is by a list of routes. A path that is written out goes before one with braces, and that before what
 * stands below a path; HEAD is what GET is.
 * @returns a function of method and canonical path
 */
export function mapRoutes(rows: readonly MappedRoute[]): (method: string, path: string) => RouteReading {
  const exact = new Map<string, RouteReading>();
  const patterns: Entry[] = [];
  const below: (Entry & { readonly length: number })[] = [];
  for (const { method, path, operation, writes } of rows) {
    const route = `${method} ${path}`;
    const reading = { operation, route, writes };
    if (path.endsWith('/*')) {
      const base = path.slice(0, -2);
      below.push({ method, pattern: new RegExp(`^${regex(base)}(/.*)?$`), reading, length: base.length });
    } else if (path.includes('{')) patterns.push({ method, pattern: new RegExp(`^${regex(path)}$`), reading });
    else if (!exact.has(route)) exact.set(route, reading);
  }
  below.sort((a, b) => b.length - a.length);
  const all: readonly Entry[] = [...patterns, ...below];
  return (method, path) => {
    const asked = method === 'HEAD' ? 'GET' : method;
    const found =
      exact.get(`${asked} ${path}`) ?? all.find((one) => one.method === asked && one.pattern.test(path))?.reading;
    return found ?? (asked === 'GET' || asked === 'OPTIONS' ? harmless : unknown);
  };
}

const regex = (path: string): string =>
  path
    .split(/(\{\w+\})/)
    .map((part) => (part.startsWith('{') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('');
