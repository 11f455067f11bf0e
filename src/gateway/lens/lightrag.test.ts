import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lightragLens } from './lightrag.ts';
import { readExchange, type SampleExchange } from './test-exchange.ts';

const fixtures = join(import.meta.dirname, '../../../test/fixtures/lightrag-1.5.7');

/** An exchange with the real LightRAG 1.5.7, as its bytes were. */
function recorded(name: string): SampleExchange {
  const { request, response } = JSON.parse(readFileSync(join(fixtures, `http/${name}.json`), 'utf8'));
  const { body } = response;
  const lines = response.headers['content-type']?.startsWith('application/x-ndjson');
  return {
    method: request.method,
    path: request.path.split('?')[0],
    request: Buffer.from(request.raw ?? (request.body === undefined ? '' : JSON.stringify(request.body))),
    status: response.status,
    headers: response.headers,
    answer: Buffer.from(
      lines
        ? body.map((line: unknown) => `${JSON.stringify(line)}\n`).join('')
        : typeof body === 'string'
          ? body
          : JSON.stringify(body),
    ),
  };
}

const readings: readonly (readonly [name: string, reading: string])[] = [
  ...['local', 'global', 'hybrid', 'naive', 'mix'].map((mode) => [`query-${mode}`, `query ${mode} ok`] as const),
  ['query-bypass', 'llm bypass ok'],
  ['query-context-only', 'search mix ok'],
  ['query-prompt-only', 'search naive ok'],
  ['query-cached', 'query mix ok'],
  ['query-nothing-found', 'query mix empty no-context'],
  ['query-empty-workspace', 'query mix empty no-context'],
  ['query-model-refuses', 'query mix hidden_error no-answer'],
  ['query-embedding-refuses', 'query mix hidden_error no-answer'],
  ['query-unknown-mode', 'query other ok'],
  ['query-data-hit', 'search mix ok'],
  ['query-data-hit-naive', 'search naive ok'],
  ['query-data-miss', 'search mix empty no-results'],
  ['query-stream', 'query mix stream ok first'],
  ['query-stream-progress', 'query mix stream ok first'],
  ['query-stream-cached', 'query mix stream ok first'],
  ['query-stream-not-streaming', 'query mix stream ok first'],
  ['query-stream-nothing-found', 'query mix stream empty no-context first'],
  ['query-stream-model-refuses', 'query mix stream hidden_error no-answer first'],
  ['query-stream-model-breaks-off', 'query mix stream hidden_error error-line first'],
  ['api-chat', 'query mix ok'],
  ['api-chat-stream', 'query local stream ok first'],
  ['api-chat-context', 'search mix ok'],
  ['api-chat-bypass', 'llm bypass ok'],
  ['api-chat-nothing-found', 'query naive empty no-context'],
  ['api-chat-model-refuses', 'query mix hidden_error no-answer'],
  ['api-chat-stream-model-breaks-off', 'query mix stream hidden_error error-line first'],
  ['api-generate', 'llm ok'],
  ['api-generate-stream', 'llm stream ok first'],
  ['insert-text', 'insert ok insert_20261122_040728_9b8aa1a8'],
  ['insert-text-duplicate', 'insert ok'],
  ['scan-while-busy', 'insert busy busy'],
  ['delete-document', 'admin ok'],
  ['delete-document-while-busy', 'admin busy busy'],
  ['clear-documents-while-busy', 'admin busy busy'],
  ['cancel-pipeline-not-busy', 'admin ok'],
  ['graphs', 'search ok'],
  ['status-counts-idle', 'read ok'],
  ['health-with-key', 'read ok'],
];

const told = (reading: Awaited<ReturnType<typeof readExchange>>): string =>
  [
    reading.operation,
    reading.mode,
    reading.stream ? 'stream' : null,
    reading.outcome ?? 'ok',
    reading.reason,
    reading.firstContentMs === null ? null : 'first',
    reading.trackId,
  ]
    .filter((word) => word !== null)
    .join(' ');

describe('what a real server said', () => {
  test.each(readings)('%s is read as %s', async (name, expected) => {
    expect(told(await readExchange(lightragLens, recorded(name)))).toBe(expected);
  });

  test('is read the same wherever its bytes are cut, and whether they are compressed or not', async () => {
    const places = fc.array(fc.nat(2_000), { maxLength: 40 });
    const packings = {
      none: (bytes: Uint8Array) => bytes,
      gzip: gzipSync,
      deflate: deflateSync,
      br: brotliCompressSync,
    } as const;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...readings),
        fc.constantFrom(...(Object.keys(packings) as (keyof typeof packings)[])),
        places,
        places,
        async ([name, expected], packing, request, answer) => {
          const exchange = recorded(name);
          const packed = {
            ...exchange,
            headers: { ...exchange.headers, ...(packing === 'none' ? {} : { 'content-encoding': packing }) },
            answer: packings[packing](exchange.answer),
          };
          expect(told(await readExchange(lightragLens, packed, { request, answer }))).toBe(expected);
        },
      ),
      { numRuns: 150 },
    );
    // Every single place, for the one with all kinds of lines.
    const exchange = recorded('query-stream-progress');
    for (let at = 1; at < exchange.answer.length; at += 1)
      expect(told(await readExchange(lightragLens, exchange, { answer: [at] }))).toBe('query mix stream ok first');
  });

  test('never makes an exchange fail: no recording is too strange to be read', async () => {
    for (const file of readdirSync(join(fixtures, 'http'))) {
      const exchange = recorded(file.replace('.json', ''));
      const reading = await readExchange(lightragLens, exchange);
      // What has a status of its own says enough.
      if (exchange.status >= 400) expect(reading.outcome).toBeNull();
    }
  });
});

describe('a route', () => {
  const classify = (method: string, path: string) => lightragLens.classify({ method, path, query: '', headers: {} });

  test('is known for everything that the real server offers', () => {
    const routes = JSON.parse(readFileSync(join(fixtures, 'routes.json'), 'utf8')) as {
      method: string;
      path: string;
    }[];
    for (const { method, path } of routes) {
      const asked = path.replace(/\{\w+\}/g, 'some-id_1');
      const shape = (route: string) => route.replace(/\{\w+\}/g, '{}');
      expect(shape(classify(method, asked).route)).toBe(shape(`${method} ${path}`));
      expect(classify(method, `/site01${asked}`).route).toBe(path === '/' ? 'other' : classify(method, asked).route);
    }
  });

  test.each([
    ['POST', '/query', false],
    ['POST', '/query/data', false],
    ['POST', '/documents/paginated', false],
    ['POST', '/login', false],
    ['OPTIONS', '/documents/text', false],
    ['HEAD', '/anything', false],
    ['POST', '/documents/text', true],
    ['POST', '/documents/text/', true],
    ['DELETE', '/documents', true],
    ['POST', '/documents/reprocess_failed', true],
    ['POST', '/graph/entity/edit', true],
    ['POST', '/documents/query', true],
    ['POST', '/a/b/c/d/e/query', true],
    ['POST', '/QUERY', true],
    ['PUT', '/query', true],
    ['PATCH', '/anything', true],
  ])('%s %s writes: %s', (method, path, writes) => {
    expect(classify(method, path).writes).toBe(writes);
  });
});

describe('a chat', () => {
  const ask = async (content: string, more = {}) => {
    const body = {
      model: 'm',
      messages: [
        { role: 'user', content: 'before' },
        { role: 'user', content },
      ],
      ...more,
    };
    return told(
      await readExchange(lightragLens, {
        ...recorded('api-chat'),
        request: Buffer.from(JSON.stringify(body)),
      }),
    );
  };
  test.each([
    ['What is that?', 'query mix ok'],
    ['/local what?', 'query local ok'],
    ['/context what?', 'search mix ok'],
    ['/hybridcontext what?', 'search hybrid ok'],
    ['/naive[in rhymes] what?', 'query naive ok'],
    ['/bypass what?', 'llm bypass ok'],
    ['/locally made', 'query mix ok'],
    [`### Task:\n${'Give a title. '.repeat(200)}\n<chat_history>\nUSER: hello`, 'llm ok'],
  ])('that begins with %j is a %s', async (content, expected) => {
    expect(await ask(content)).toBe(expected);
  });
});

test('the mark of an empty answer is found wherever the pieces of a stream are cut', async () => {
  const text = 'Sorry.[no-context]';
  for (let at = 1; at < text.length; at += 1) {
    const pieces = [text.slice(0, at), text.slice(at)].map((response) => `${JSON.stringify({ response })}\n`);
    const exchange = { ...recorded('query-stream'), answer: Buffer.from(pieces.join('')) };
    expect(told(await readExchange(lightragLens, exchange))).toBe('query mix stream empty no-context first');
  }
});

test('an answer of any length, with lines of any length, is read in little memory', async () => {
  const piece = Buffer.from(`${JSON.stringify({ response: 'x'.repeat(1_000_000) })}\n`);
  const head = { method: 'POST', path: '/query/stream', query: '', headers: {} };
  const reader = lightragLens.open(head, lightragLens.classify(head));
  reader.answer(200, { 'content-type': 'application/x-ndjson' });
  const before = process.memoryUsage();
  for (let i = 0; i < 100; i += 1) reader.response(piece, i);
  reader.response(Buffer.from('{"response":"[no-context]"}'), 100);
  const after = process.memoryUsage();
  expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(30e6);
  expect(await reader.end()).toMatchObject({ outcome: 'empty', firstContentMs: 0 });
});

test('what cannot be unpacked is not read, and a bomb is left alone', async () => {
  const exchange = recorded('query-nothing-found');
  for (const encoding of ['gzip', 'br', 'zstd', 'compress', 'gzip, br']) {
    const reading = await readExchange(lightragLens, {
      ...exchange,
      headers: { ...exchange.headers, 'content-encoding': encoding },
    });
    expect(reading).toMatchObject({ operation: 'query', outcome: null });
  }
});
