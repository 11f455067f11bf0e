import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { OverrideValues, QueryOverrides } from './ports.ts';
import { largestMended, mendQuery } from './query-overrides.ts';
import { keyOf, type RunningProxy, type Stub, startProxy, startStub, stateOf, upstreamAt } from './test-gateway.ts';

const secret = 'rw_gw_a-key-of-alice';
const digest = createHash('sha256').update(secret).digest('hex');
const state = (url: string, overrides?: QueryOverrides) =>
  stateOf([upstreamAt(url, { lens: 'lightrag' })], {
    keys: [keyOf('alice', digest)],
    ...(overrides === undefined ? {} : { overrides }),
  });
const overrides: QueryOverrides = {
  byUser: { 'local:alice': { top_k: 7, mode: 'naive', enable_rerank: false }, 'local:bob': { top_k: 99 } },
  byUpstream: { 'main/': { top_k: 20, chunk_top_k: 9 } },
};

type Got = { readonly raw: readonly string[]; readonly body: Buffer };
let got: Got[] = [];
let backend: Stub;
let on: RunningProxy;
let off: RunningProxy;

beforeAll(async () => {
  backend = await startStub((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      got.push({ raw: request.rawHeaders, body: Buffer.concat(chunks) });
      if (!request.url?.endsWith('/stream')) {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end('{"response":"an answer"}');
        return;
      }
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write('{"references":[]}\n');
      setImmediate(() => response.end('{"response":"an "}\n{"response":"answer"}\n'));
    });
  });
  on = await startProxy(state(backend.url, overrides));
  off = await startProxy(state(backend.url));
});
afterEach(() => {
  got = [];
});
afterAll(async () => {
  await on.proxy.stop();
  await off.proxy.stop();
  await backend.close();
});

const json = { 'content-type': 'application/json' };
const asAlice = { ...json, 'x-api-key': secret };

/** What the backend got of it, the answer, and what was observed. */
async function send(
  body: string | Buffer,
  headers: Record<string, string> = asAlice,
  { path = '/query', through = on, chunked = false } = {},
) {
  const ended = through.next();
  const answer = await new Promise<string>((resolve, reject) => {
    const length = chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const request = httpRequest(`${through.url}${path}`, { method: 'POST', headers: { ...headers, ...length } });
    request.on('error', reject);
    request.on('response', (response: IncomingMessage) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
    });
    // In pieces, as a slow client sends it.
    const half = Math.floor(body.length / 2);
    request.write(body.slice(0, half));
    request.end(body.slice(half));
  });
  const [arrived] = got.splice(0);
  return { arrived: arrived!, answer, seen: await ended };
}
const headerOf = ({ raw }: Got, name: string): string | undefined =>
  raw[raw.findIndex((one, at) => at % 2 === 0 && one.toLowerCase() === name) + 1];

test('what the caller left open is added, its own counts more than that of the workspace, and the length is right', async () => {
  const { arrived, answer, seen } = await send('{ "query": "who?" }\n');
  expect(arrived.body.toString()).toBe(
    '{ "query": "who?" ,"top_k":7,"chunk_top_k":9,"mode":"naive","enable_rerank":false}\n',
  );
  expect(headerOf(arrived, 'content-length')).toBe(String(arrived.body.length));
  expect(arrived.raw.filter((name) => name.toLowerCase() === 'content-length')).toHaveLength(1);
  expect(answer).toBe('{"response":"an answer"}');
  expect(seen).toMatchObject({
    mode: 'naive',
    added: ['top_k', 'chunk_top_k', 'mode', 'enable_rerank'],
    outcome: 'ok',
  });
  expect(seen.requestBytes).toBe(20);
});

test('a stream is asked with them and comes as it comes', async () => {
  const { arrived, answer, seen } = await send('{"query":"who?","mode":"local"}', asAlice, { path: '/query/stream' });
  expect(JSON.parse(arrived.body.toString())).toEqual({
    ...{ query: 'who?', mode: 'local', top_k: 7, chunk_top_k: 9, enable_rerank: false },
  });
  expect(answer.split('\n').filter(Boolean)).toHaveLength(3);
  expect(seen).toMatchObject({ stream: true, mode: 'local', added: ['top_k', 'chunk_top_k', 'enable_rerank'] });
});

test("who has no key gets what is the workspace's and nobody's own, whatever its token says", async () => {
  const claims = Buffer.from(JSON.stringify({ sub: 'local:alice' })).toString('base64url');
  const { arrived } = await send('{"query":"who?"}', { ...json, authorization: `Bearer e30.${claims}.x` });
  expect(JSON.parse(arrived.body.toString())).toEqual({ query: 'who?', top_k: 20, chunk_top_k: 9 });
});

const large = JSON.stringify({ query: 'x'.repeat(largestMended) });
const untouched: readonly [what: string, body: string | Buffer, headers: Record<string, string>, more?: object][] = [
  ['says all of it', '{"query":"q","top_k":1,"chunk_top_k":null,"mode":"mix","enable_rerank":true}', asAlice],
  ['is no JSON', '{"query": who?}', asAlice],
  ['is half of one', '{"query":"who?"', asAlice],
  ['is a list', '["query"]', asAlice],
  ['is no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), asAlice],
  ['begins with a mark of its order', Buffer.from('\ufeff{"query":"who?"}'), asAlice],
  ['is huge', large, asAlice],
  ['is compressed', gzipSync('{"query":"who?"}'), { ...asAlice, 'content-encoding': 'gzip' }],
  ['is of another type', '{"query":"who?"}', { ...asAlice, 'content-type': 'text/plain' }],
  ['is in another alphabet', '{"query":"who?"}', { ...asAlice, 'content-type': 'application/json; charset=latin1' }],
  ['is signed for', '{"query":"who?"}', { ...asAlice, 'content-digest': 'sha-256=:abc:' }],
  ['comes in chunks', '{"query":"who?"}', asAlice, { chunked: true }],
  ['is for Ollama', '{"model":"m","messages":[]}', asAlice, { path: '/api/chat' }],
  ['is an insert', '{"text":"t"}', asAlice, { path: '/documents/text' }],
];
test.each(untouched)('what %s passes byte by byte', async (_what, body, headers, more = {}) => {
  const { arrived, seen } = await send(body, headers, more);
  const plain = await send(body, headers, { ...more, through: off });
  expect(arrived.body.equals(Buffer.from(body))).toBe(true);
  const withoutVia = ({ raw }: Got) => raw.map((one) => one.replace(/ragwarden-\w+|127\.0\.0\.1:\d+/, 'this'));
  expect(withoutVia(arrived)).toEqual(withoutVia(plain.arrived));
  expect(seen.added).toBeUndefined();
});

test('with the policy off a query passes byte by byte, headers in their order', async () => {
  const { arrived, seen } = await send('{"query":"who?"}', asAlice, { through: off });
  expect(arrived.body.toString()).toBe('{"query":"who?"}');
  expect(seen.added).toBeUndefined();
});

test('one that leaves in the midst of its body reaches nobody and is counted as gone', async () => {
  const ended = on.next();
  const request = httpRequest(`${on.url}/query`, { method: 'POST', headers: { ...asAlice, 'content-length': '100' } });
  request.on('error', () => undefined);
  request.write('{"query"');
  await expect.poll(() => on.proxy.status().exchanges).toBe(1);
  request.destroy();
  expect(await ended).toMatchObject({ outcome: 'client_gone', status: 0 });
  expect(got).toEqual([]);
});

test('new values count from the next query on, and a query after a refused one is whole', async () => {
  on.proxy.update(state(backend.url, { byUser: { 'local:alice': { top_k: 3 } }, byUpstream: {} }));
  expect((await send('{}')).arrived.body.toString()).toBe('{"top_k":3}');
  on.proxy.update(state(backend.url));
  expect((await send('{"query":"who?"}')).arrived.body.toString()).toBe('{"query":"who?"}');
  on.proxy.update(state(backend.url, overrides));
});

test('budgets belong together: who says one of them gets none of the others', () => {
  const budgets = { max_entity_tokens: 10, max_relation_tokens: 20, max_total_tokens: 40, top_k: 5 };
  const mend = (body: string): string => mendQuery(Buffer.from(body), budgets)?.body.toString() ?? '';
  expect(mend('{"max_total_tokens":8}')).toBe('{"max_total_tokens":8,"top_k":5}');
  expect(JSON.parse(mend('{"query":"q"}'))).toEqual({ query: 'q', ...budgets });
  expect(mend('{"t\\u006fp_k":1,"max_total_tokens":1}')).toBe('');
});

test('whatever a query says stays, and what is added is what was left open', () => {
  const values: OverrideValues = { top_k: 7, mode: 'naive' };
  const query = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('top_k', 'mode', '__proto__')), fc.jsonValue());
  fc.assert(
    fc.property(query, fc.constantFrom(0, 2), (said, indent) => {
      const body = Buffer.from(JSON.stringify(said, null, indent));
      const mended = mendQuery(body, values);
      const expected: Record<string, unknown> = { ...values, ...JSON.parse(body.toString()) };
      expect(JSON.parse((mended?.body ?? body).toString())).toEqual(expected);
      expect(mended?.added ?? []).toEqual(Object.keys(values).filter((name) => !Object.hasOwn(said, name)));
    }),
    { numRuns: 300 },
  );
});
