import { expect, test } from 'vitest';
import { graphragLens } from './graphrag.ts';
import { createMappedLens } from './mapped.ts';
import { mapRoutes } from './route-map.ts';

test.each([
  ['POST', '/api/query', 'query', 'POST /api/query', false],
  ['GET', '/api/graph/entities', 'search', 'GET /api/graph/entities', false],
  ['HEAD', '/api/graph/entities', 'search', 'GET /api/graph/entities', false],
  ['GET', '/api/graph/paths/1', 'search', 'GET /api/graph/*', false],
  ['POST', '/api/index', 'insert', 'POST /api/index', true],
  ['POST', '/api/indexing/jobs', 'insert', 'POST /api/indexing/jobs', true],
  ['POST', '/api/indexing/jobs/7/retry', 'insert', 'POST /api/indexing/jobs/{id}/retry', true],
  ['DELETE', '/api/workspaces/w1', 'admin', 'DELETE /api/workspaces/{id}', true],
  ['POST', '/api/workspaces/cleanup/run', 'admin', 'POST /api/workspaces/cleanup/run', true],
  ['POST', '/api/workspaces/w1/cleanup', 'admin', 'POST /api/workspaces/{id}/cleanup', true],
  ['GET', '/api/system/health/advanced', 'read', 'GET /api/system/*', false],
  ['POST', '/api/cache/clear', 'admin', 'POST /api/cache/clear', true],
  ['POST', '/auth/login', 'read', 'POST /auth/login', false],
  ['POST', '/graphql', 'insert', 'POST /graphql', true],
  ['POST', '/api/unheard-of', 'insert', 'other', true],
  ['GET', '/api/unheard-of', 'read', 'other', false],
  ['OPTIONS', '/api/query', 'read', 'other', false],
] as const)('%s %s of graphrag-api is %s', (method, path, operation, route, writes) => {
  expect(graphragLens.classify({ method, path, query: '', headers: {} })).toEqual({ operation, route, writes });
});

const read = async (path: string, query: string, body: unknown, status = 200) => {
  const head = { method: 'POST', path, query, headers: {} };
  const reader = graphragLens.open(head, graphragLens.classify(head));
  reader.answer(status, { 'content-type': 'application/json' });
  for (const byte of Buffer.from(JSON.stringify(body))) reader.response(Uint8Array.of(byte), 1);
  return reader.end();
};

test('an error inside a 200 is none that went well', async () => {
  expect(await read('/api/query', 'query_type=global', { response: 'x', error: null })).toMatchObject({
    outcome: null,
    mode: 'global',
  });
  expect(await read('/api/query', '', { response: 'Query failed', error: 'boom' })).toMatchObject({
    ...{ outcome: 'hidden_error', reason: 'error', mode: 'local' },
  });
  expect(await read('/api/query', '?query_type=odd', { response: 'x' })).toMatchObject({ mode: 'other' });
  expect(await read('/api/index', '', { success: false, message: 'no' })).toMatchObject({ outcome: 'hidden_error' });
  expect(await read('/api/index', '', { success: true })).toMatchObject({ outcome: null, mode: null });
  // What has a status of its own is judged by that.
  expect(await read('/api/query', '', { error: 'x' }, 500)).toMatchObject({ outcome: null });
});

test('routes of one’s own: what is written out goes before braces, and those before what stands below', () => {
  const find = mapRoutes([
    { method: 'GET', path: '/notes/*', operation: 'read', writes: false },
    { method: 'GET', path: '/notes/{id}', operation: 'search', writes: false },
    { method: 'GET', path: '/notes/all', operation: 'query', writes: false },
    { method: 'POST', path: '/ask.v1', operation: 'query', writes: false },
    { method: 'GET', path: '/*', operation: 'admin', writes: true },
  ]);
  expect(find('GET', '/notes/all').operation).toBe('query');
  expect(find('GET', '/notes/7').operation).toBe('search');
  expect(find('GET', '/notes/7/pages/1')).toEqual({ operation: 'read', route: 'GET /notes/*', writes: false });
  expect(find('GET', '/notes').operation).toBe('read');
  expect(find('GET', '/notesx').operation).toBe('admin');
  expect(find('POST', '/ask.v1').operation).toBe('query');
  // A dot is a dot, and what is not said counts as what costs most.
  expect(find('POST', '/askxv1')).toEqual({ operation: 'insert', route: 'other', writes: true });
  expect(createMappedLens([]).classify({ method: 'PUT', path: '/', query: '', headers: {} }).writes).toBe(true);
});
