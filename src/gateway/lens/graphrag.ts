import type { ExchangeReader, Lens, Reading, RequestHead, RouteReading } from '../lens.ts';
import { type AnswerReader, createAnswerReader, framingOf } from './answer-reader.ts';
import { createDecodedBody, type DecodedBody } from './decoded-body.ts';
import { headerOf } from './header-of.ts';
import { type Picked, planPicks } from './json-picker.ts';
import { type MappedRoute, mapRoutes } from './route-map.ts';

type Row = readonly [operation: MappedRoute['operation'], route: string];

/**
 * The routes of graphrag-api, a service that others put before GraphRAG. A query by GraphQL may also change things and cannot be told
 * apart by its path, so it counts as what costs most.
 */
const rows: readonly Row[] = [
  ['query', 'POST /api/query'],
  ['query', 'POST /api/query/stream'],
  ['search', 'POST /api/graph/query'],
  ['search', 'POST /api/graph/semantic-search'],
  ['search', 'GET /api/graph/entities'],
  ['search', 'GET /api/graph/relationships'],
  ['search', 'GET /api/graph/communities'],
  ['search', 'GET /api/graph/statistics'],
  ['search', 'GET /api/graph/visualization'],
  ['search', 'POST /api/graph/visualization'],
  ['search', 'GET /api/graph/export'],
  ['search', 'POST /api/graph/export'],
  ['search', 'GET /api/graph/*'],

  ['insert', 'POST /api/index'],
  ['insert', 'POST /api/indexing/jobs'],
  ['insert', 'POST /api/indexing/jobs/{id}/retry'],
  ['admin', 'DELETE /api/indexing/jobs/{id}'],
  ['read', 'GET /api/indexing/jobs'],
  ['read', 'GET /api/indexing/jobs/{id}'],
  ['read', 'GET /api/indexing/workspaces/{id}/jobs'],
  ['read', 'GET /api/indexing/stats'],
  ['read', 'GET /api/status'],

  ['read', 'GET /api/workspaces'],
  ['read', 'GET /api/workspaces/{id}'],
  ['read', 'GET /api/workspaces/{id}/config'],
  ['read', 'GET /api/workspaces/cleanup/stats'],
  ['admin', 'POST /api/workspaces'],
  ['admin', 'PUT /api/workspaces/{id}'],
  ['admin', 'PATCH /api/workspaces/{id}'],
  ['admin', 'DELETE /api/workspaces/{id}'],
  ['admin', 'POST /api/workspaces/{id}/cleanup'],
  ['admin', 'POST /api/workspaces/cleanup/run'],

  ['read', 'GET /api/cache/statistics'],
  ['admin', 'POST /api/cache/clear'],
  ['read', 'GET /api/system/cache/stats'],
  ['admin', 'DELETE /api/system/cache'],
  ['read', 'GET /api/system/*'],
  ['read', 'POST /api/system/config/validate'],
  ['admin', 'POST /api/system/provider/switch'],
  ['admin', 'POST /api/provider/switch'],

  ['read', 'POST /auth/login'],
  ['read', 'POST /auth/refresh'],
  ['read', 'POST /auth/logout'],
  ['admin', 'POST /auth/register'],
  ['read', 'GET /auth/*'],
  ['admin', 'POST /auth/*'],
  ['admin', 'PUT /auth/*'],
  ['admin', 'DELETE /auth/*'],

  ['read', 'GET /'],
  ['read', 'GET /api/health'],
  ['read', 'GET /api/info'],
  ['read', 'GET /health'],
  ['read', 'GET /health/live'],
  ['read', 'GET /health/ready'],
  ['read', 'GET /health/metrics'],
  ['read', 'GET /docs'],
  ['read', 'GET /redoc'],
  ['read', 'GET /openapi.json'],
  ['insert', 'POST /graphql'],
  ['insert', 'POST /graphql/playground'],
];

const find = mapRoutes(
  rows.map(([operation, route]) => {
    const [method = '', path = ''] = route.split(' ');
    return { method, path, operation, writes: operation === 'insert' || operation === 'admin' };
  }),
);

/** It answers 200 whatever went wrong: an error stands in the body. */
const answerPlan = planPicks(['error', 'success', 'response']);
const modes: ReadonlySet<string> = new Set(['local', 'global', 'drift', 'basic']);
const defaultMode = 'local';

/** What graphrag-api does and says. */
export const graphragLens: Lens = {
  classify: ({ method, path }) => find(method, path),
  open: (head, route) => openReader(head, route),
};

function openReader(head: RequestHead, { operation, route }: RouteReading): ExchangeReader {
  const reads = operation === 'query' || route === 'POST /api/index';
  const written = new URLSearchParams(head.query.replace(/^\?/, '')).get('query_type')?.toLowerCase();
  const mode =
    operation !== 'query' ? null : written === undefined ? defaultMode : modes.has(written) ? written : 'other';
  let reader: AnswerReader | undefined;
  let body: DecodedBody | undefined;
  let nowMs = 0;
  let stream = false;
  let firstContentMs: number | null = null;
  let failed = false;
  return {
    request: () => undefined,
    answer(status, headers) {
      const framing = framingOf(headerOf(headers, 'content-type'));
      stream = framing === 'lines' || framing === 'events';
      if (!reads || framing === undefined || status >= 300) return;
      reader = createAnswerReader(framing, answerPlan, (picked, sinceMs) => {
        if (saysFailed(picked)) failed = true;
        if ((picked.get('response')?.size ?? 0) > 0) firstContentMs ??= sinceMs;
      });
      body = createDecodedBody(headerOf(headers, 'content-encoding'), (chunk) => reader?.write(chunk, nowMs));
    },
    response(chunk, sinceMs) {
      nowMs = sinceMs;
      body?.write(chunk);
    },
    end() {
      const conclude = (): Reading => {
        reader?.end(nowMs);
        return {
          ...{ operation, mode, stream, trackId: null, llm: null },
          outcome: failed ? 'hidden_error' : null,
          reason: failed ? 'error' : null,
          firstContentMs: stream ? firstContentMs : null,
        };
      };
      const finished = body?.end() ?? true;
      return typeof finished === 'boolean' ? conclude() : finished.then(conclude);
    },
  };
}

function saysFailed(picked: ReadonlyMap<string, Picked>): boolean {
  const error = picked.get('error');
  return (error !== undefined && error.kind !== 'null') || picked.get('success')?.kind === 'false';
}
