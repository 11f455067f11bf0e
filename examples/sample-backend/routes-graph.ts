import type { Backend } from './backend.ts';
import { HttpError, type Route, sendJson } from './http.ts';
import { relationKey } from './records.ts';
import type { StoredEdge } from './store/graph-store.ts';
import { comparePoints } from './text.ts';

const maxGraphNodes = 1000;

/** What is told about the graph. The routes that edit it are not offered. */
export function graphRoutes(backend: Backend): Route[] {
  const { graph } = backend.workspace;

  function labels(): string[] {
    return [...graph.nodes.keys()].sort(comparePoints);
  }

  function popular(limit: number): string[] {
    const degrees = new Map([...graph.nodes.keys()].map((name) => [name, 0]));
    for (const { source, target } of graph.edges.values())
      for (const name of [source, target]) degrees.set(name, (degrees.get(name) ?? 0) + 1);
    return [...degrees]
      .sort((a, b) => b[1] - a[1] || comparePoints(a[0], b[0]))
      .slice(0, limit)
      .map(([name]) => name);
  }

  function around(label: string, maxDepth: number, maxNodes: number): object {
    const chosen = new Set<string>();
    let isTruncated = false;
    let ring = label === '*' ? popular(maxNodes + 1) : graph.nodes.has(label) ? [label] : [];
    for (let depth = 0; ring.length > 0; depth += 1) {
      for (const name of ring) {
        if (chosen.size < maxNodes) chosen.add(name);
        else if (!chosen.has(name)) isTruncated = true;
      }
      if (depth >= maxDepth || label === '*') break;
      ring = ring.flatMap((name) => graph.neighbours(name)).filter((name) => !chosen.has(name));
    }
    const edges = [...graph.edges.values()].filter(({ source, target }) => chosen.has(source) && chosen.has(target));
    return {
      nodes: [...chosen].map((id) => ({ id, labels: [id], properties: { ...graph.nodes.get(id) } })),
      edges: edges.map(describeEdge),
      is_truncated: isTruncated,
    };
  }

  return [
    { method: 'GET', path: '/graph/label/list', handle: ({ response }) => sendJson(response, 200, labels()) },
    {
      method: 'GET',
      path: '/graph/label/popular',
      handle: ({ response, url }) => sendJson(response, 200, popular(integer(url, 'limit', 300, 1000))),
    },
    {
      method: 'GET',
      path: '/graph/label/search',
      handle({ response, url }) {
        const wanted = required(url, 'q').toLowerCase();
        const found = labels().filter((name) => name.toLowerCase().includes(wanted));
        sendJson(response, 200, found.slice(0, integer(url, 'limit', 50, 100)));
      },
    },
    {
      method: 'GET',
      path: '/graphs',
      handle({ response, url }) {
        const depth = integer(url, 'max_depth', 3, Number.MAX_SAFE_INTEGER);
        const nodes = Math.min(integer(url, 'max_nodes', maxGraphNodes, Number.MAX_SAFE_INTEGER), maxGraphNodes);
        sendJson(response, 200, around(required(url, 'label'), depth, nodes));
      },
    },
    {
      method: 'GET',
      path: '/graph/entity/exists',
      handle: ({ response, url }) => sendJson(response, 200, { exists: graph.nodes.has(required(url, 'name')) }),
    },
  ];
}

function describeEdge({ source, target, attributes }: StoredEdge): object {
  const id = relationKey(source, target).replace('<SEP>', '-');
  return { id, type: 'DIRECTED', source, target, properties: { ...attributes } };
}

function required(url: URL, name: string): string {
  const value = url.searchParams.get(name);
  if (value !== null) return value;
  throw new HttpError(422, [{ type: 'missing', loc: ['query', name], msg: 'Field required', input: null }]);
}

function integer(url: URL, name: string, otherwise: number, max: number): number {
  const raw = url.searchParams.get(name);
  if (raw === null) return otherwise;
  const value = Number(raw);
  const at = { loc: ['query', name], input: raw };
  if (!/^-?\d+$/.test(raw)) {
    const msg = 'Input should be a valid integer, unable to parse string as an integer';
    throw new HttpError(422, [{ type: 'int_parsing', msg, ...at }]);
  }
  if (value < 1) {
    const msg = 'Input should be greater than or equal to 1';
    throw new HttpError(422, [{ type: 'greater_than_equal', msg, ...at, ctx: { ge: 1 } }]);
  }
  if (value > max) {
    const msg = `Input should be less than or equal to ${max}`;
    throw new HttpError(422, [{ type: 'less_than_equal', msg, ...at, ctx: { le: max } }]);
  }
  return value;
}
