import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, type RunningProxy, type Stub, startProxy, startStub, stateOf, upstreamAt } from './test-gateway.ts';

/** Says what graphrag-api says: 200 whatever went wrong. */
let service: Stub;
let gateway: RunningProxy;
const answers: Readonly<Record<string, unknown>> = {
  '/api/query?query=x&query_type=global': { response: 'An answer.', error: null },
  '/api/query?query=y': { response: 'Query failed: no index', error: 'no index' },
  '/api/index?workspace_id=w': { success: false, message: 'Indexing failed' },
  '/api/graph/entities?limit=1': { entities: [] },
};
beforeAll(async () => {
  service = await startStub((request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answers[request.url ?? ''] ?? {}));
  });
  gateway = await startProxy(stateOf([upstreamAt(service.url, { lens: 'graphrag' })]));
});
afterAll(async () => {
  await gateway.proxy.stop();
  await service.close();
});

test.each([
  ['POST', '/api/query?query=x&query_type=global', { operation: 'query', mode: 'global', outcome: 'ok' }],
  ['POST', '/api/query?query=y', { operation: 'query', mode: 'local', outcome: 'hidden_error', reason: 'error' }],
  ['POST', '/api/index?workspace_id=w', { operation: 'insert', outcome: 'hidden_error' }],
  ['GET', '/api/graph/entities?limit=1', { operation: 'search', outcome: 'ok', route: 'GET /api/graph/entities' }],
  ['DELETE', '/api/workspaces/w', { operation: 'admin', outcome: 'ok', route: 'DELETE /api/workspaces/{id}' }],
])('%s %s of a GraphRAG service is counted as what it was', async (method, path, expected) => {
  const counted = gateway.next();
  const answer = await ask(gateway.url, { method, path });
  expect(JSON.parse(answer.body)).toEqual(answers[path] ?? {});
  expect(await counted).toMatchObject(expected);
});
