import type { RouteReading } from '../lens.ts';
import type { OperationClass } from '../observation.ts';

/** What of an answer tells more than its status. */
export type AnswerShape = 'query' | 'data' | 'chat' | 'insert' | 'admin' | 'none';

export type LightragRoute = RouteReading & { readonly answer: AnswerShape };

type Row = readonly [operation: OperationClass, route: string, answer?: AnswerShape];

/**
 * The routes of LightRAG 1.4 and 1.5 (`routes.json` of the recordings, and the older ones). Parts in braces are any one part.
 * What works on documents or graph writes; a query may add to the cache of answers, which counts as reading.
 */
const rows: readonly Row[] = [
  ['query', 'POST /query', 'query'],
  ['query', 'POST /query/stream', 'query'],
  ['search', 'POST /query/data', 'data'],

  ['insert', 'POST /documents/text', 'insert'],
  ['insert', 'POST /documents/texts', 'insert'],
  ['insert', 'POST /documents/upload', 'insert'],
  ['insert', 'POST /documents/scan', 'insert'],
  ['insert', 'POST /documents/file', 'insert'],
  ['insert', 'POST /documents/file_batch', 'insert'],
  ['insert', 'POST /documents/batch', 'insert'],
  ['read', 'GET /documents'],
  ['read', 'POST /documents/paginated'],
  ['read', 'GET /documents/status_counts'],
  ['read', 'GET /documents/pipeline_status'],
  ['read', 'GET /documents/supported_file_types'],
  ['read', 'GET /documents/scan/status/{track_id}'],
  ['read', 'GET /documents/scan-progress'],
  ['read', 'GET /documents/track_status/{track_id}'],
  ['read', 'GET /documents/source_conflicts'],
  ['admin', 'POST /documents/source_conflicts/repair', 'admin'],
  ['admin', 'POST /documents/reprocess_failed', 'admin'],
  ['admin', 'POST /documents/cancel_pipeline', 'admin'],
  ['admin', 'POST /documents/clear_cache', 'admin'],
  ['admin', 'POST /documents/recovery/force_reset', 'admin'],
  ['admin', 'DELETE /documents', 'admin'],
  ['admin', 'DELETE /documents/delete_document', 'admin'],
  ['admin', 'DELETE /documents/delete_entity', 'admin'],
  ['admin', 'DELETE /documents/delete_relation', 'admin'],

  ['read', 'GET /graph/label/list'],
  ['read', 'GET /graph/label/popular'],
  ['search', 'GET /graph/label/search'],
  ['search', 'GET /graphs'],
  ['read', 'GET /graph/entity/exists'],
  ['insert', 'POST /graph/entity/create', 'admin'],
  ['insert', 'POST /graph/relation/create', 'admin'],
  ['admin', 'POST /graph/entity/edit', 'admin'],
  ['admin', 'POST /graph/relation/edit', 'admin'],
  ['admin', 'POST /graph/entities/merge', 'admin'],
  ['admin', 'DELETE /graph/entity/delete', 'admin'],
  ['admin', 'DELETE /graph/relation/delete', 'admin'],

  ['query', 'POST /api/chat', 'chat'],
  ['llm', 'POST /api/generate', 'chat'],
  ['read', 'GET /api/version'],
  ['read', 'GET /api/tags'],
  ['read', 'GET /api/ps'],

  ['read', 'GET /'],
  ['read', 'GET /health'],
  ['read', 'GET /auth-status'],
  ['read', 'GET /auth/verify'],
  ['read', 'POST /login'],
  ['read', 'GET /ui/customization'],
  ['read', 'GET /ui/customization/assets/{hash}/{id}'],
  ['read', 'GET /docs'],
  ['read', 'GET /redoc'],
  ['read', 'GET /openapi.json'],
];

const exact = new Map<string, LightragRoute>();
const patterns: { readonly pattern: RegExp; readonly found: LightragRoute }[] = [];
for (const [operation, route, answer = 'none'] of rows) {
  const found = { operation, route, writes: operation === 'insert' || operation === 'admin', answer };
  if (route.includes('{')) patterns.push({ pattern: new RegExp(`^${route.replace(/\{\w+\}/g, '[^/]+')}$`), found });
  else exact.set(route, found);
}
const webui: LightragRoute = { operation: 'read', route: 'GET /webui/*', writes: false, answer: 'none' };
const harmless: LightragRoute = { operation: 'read', route: 'other', writes: false, answer: 'none' };
/** What nobody knows counts as what costs most. */
const unknown: LightragRoute = { operation: 'insert', route: 'other', writes: true, answer: 'none' };

/** First parts of LightRAG's own paths: none of them is a prefix under which the whole of it is served. */
const ownParts = new Set(rows.map(([, route]) => /\/([^/{]*)/.exec(route)?.[1] ?? ''));
const longestPrefixParts = 4;

/**
 * @param path canonical
 * What stands below `LIGHTRAG_API_PREFIX` is the same route: the backend knows nothing else below it.
 */
export function findLightragRoute(method: string, path: string): LightragRoute {
  const asked = method === 'HEAD' ? 'GET' : method;
  let rest = path;
  for (let parts = 0; parts <= longestPrefixParts; parts += 1) {
    const route = `${asked} ${rest}`;
    const found = exact.get(route) ?? patterns.find(({ pattern }) => pattern.test(route))?.found;
    if (found !== undefined && (parts === 0 || rest !== '/')) return found;
    if (asked === 'GET' && (rest === '/webui' || rest.startsWith('/webui/'))) return webui;
    const [, first = ''] = rest.split('/', 2);
    const at = rest.indexOf('/', 1);
    if (at < 0 || ownParts.has(first)) break;
    rest = rest.slice(at);
  }
  // Asks what may be sent, and is answered before any route is looked for.
  return asked === 'GET' || asked === 'OPTIONS' ? harmless : unknown;
}
