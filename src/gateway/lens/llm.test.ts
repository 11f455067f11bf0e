import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStandInLlm } from '../../../test/lightrag/stand-in-llm.mjs';
import { createLlmLens } from './llm.ts';
import { readExchange, type SampleExchange } from './test-exchange.ts';

const lens = createLlmLens('openai');
const json = { 'content-type': 'application/json; charset=utf-8' };
const events = { 'content-type': 'text/event-stream; charset=utf-8' };
const lines = { 'content-type': 'application/x-ndjson' };

const call = (
  path: string,
  request: unknown,
  headers: SampleExchange['headers'],
  answer: string,
  more: Partial<SampleExchange> = {},
): SampleExchange => ({
  ...{ method: 'POST', path, request: Buffer.from(JSON.stringify(request)), status: 200, headers },
  answer: Buffer.from(answer),
  ...more,
});
const sse = (...chunks: unknown[]): string => chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('');
const ndjson = (...chunks: unknown[]): string => chunks.map((chunk) => `${JSON.stringify(chunk)}\n`).join('');
const delta = (content: string, finish: string | null = null) => ({
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { content }, finish_reason: finish }],
});
const usage = {
  ...{ prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 },
  prompt_tokens_details: { cached_tokens: 100, audio_tokens: 0 },
};
const vector = Array.from({ length: 1_536 }, (_, i) => Math.sin(i));
const base64 = Buffer.from(Float32Array.from(vector).buffer).toString('base64');
const chat = { model: 'gpt-4o-mini', messages: [{ role: 'user', content: '"model":"no","stream":true' }] };

/** Name, exchange, what is read of `llm`, and of the rest. */
const cases: readonly (readonly [string, SampleExchange, object, object])[] = [
  [
    'a chat',
    call(
      '/v1/chat/completions',
      chat,
      json,
      JSON.stringify({ choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }], usage }),
    ),
    {
      call: 'chat',
      model: 'gpt-4o-mini',
      promptTokens: 120,
      completionTokens: 30,
      cachedTokens: 100,
      firstTokenMs: null,
    },
    { outcome: null, reason: null, stream: false, operation: 'llm' },
  ],
  [
    'a stream with usage at its end',
    call(
      '/v1/chat/completions',
      { ...chat, stream: true, stream_options: { include_usage: true } },
      events,
      `: keep-alive\n\n${sse(delta(''), delta('he'), delta('llo'), delta('', 'stop'), { choices: [], usage })}data: [DONE]\n\n`,
    ),
    { promptTokens: 120, completionTokens: 30, cachedTokens: 100, firstTokenMs: 1 },
    { outcome: null, stream: true, firstContentMs: 1 },
  ],
  [
    'a stream that tells no usage, with carriage returns and without blanks',
    call(
      '/openai/deployments/d/chat/completions',
      chat,
      events,
      sse(delta('a'), delta('', 'length')).replaceAll('data: ', 'data:').replaceAll('\n', '\r\n'),
    ),
    { promptTokens: null, completionTokens: null, firstTokenMs: 1 },
    { outcome: null, reason: 'length' },
  ],
  [
    'a stream that ends before it is done',
    call('/v1/chat/completions', chat, events, sse(delta('a'), delta('b'))),
    { firstTokenMs: 1 },
    { outcome: 'upstream_broken', reason: 'unfinished' },
  ],
  [
    'an error in the middle of a stream',
    call('/v1/chat/completions', chat, events, sse(delta('a'), { error: { message: 'overloaded', code: 502 } })),
    { firstTokenMs: 1 },
    { outcome: 'hidden_error', reason: 'error-body' },
  ],
  [
    'an error with status 200',
    call('/v1/chat/completions', chat, json, '{"error":{"message":"no credits","code":402}}'),
    { promptTokens: null },
    { outcome: 'hidden_error', reason: 'error-body' },
  ],
  [
    'a refusal for now',
    call('/v1/chat/completions', chat, { ...json, 'retry-after': '20' }, '{"error":{"message":"slow down"}}', {
      status: 429,
    }),
    { retryAfterMs: 20_000, promptTokens: null, model: 'gpt-4o-mini' },
    { outcome: null, stream: false },
  ],
  [
    'embeddings as numbers',
    call(
      '/v1/embeddings',
      { model: 'e', input: ['a', 'b'] },
      json,
      JSON.stringify({
        data: [{ embedding: vector }, { embedding: vector }],
        usage: { prompt_tokens: 8, total_tokens: 8 },
      }),
    ),
    { call: 'embeddings', dimension: 1_536, promptTokens: 8, completionTokens: null },
    { outcome: null },
  ],
  [
    'embeddings as base64',
    call(
      '/v1/embeddings',
      { model: 'e' },
      json,
      JSON.stringify({
        data: [{ object: 'embedding', index: 0, embedding: base64 }],
        usage: { prompt_tokens: 4, total_tokens: 4 },
      }),
    ),
    { dimension: 1_536, promptTokens: 4 },
    { outcome: null },
  ],
  [
    'a rerank that tells one number',
    call(
      '/v1/rerank',
      { model: 'r', query: 'q', documents: [] },
      json,
      '{"results":[{"index":0,"relevance_score":0.9}],"usage":{"total_tokens":815}}',
    ),
    { call: 'rerank', promptTokens: 815, completionTokens: null, dimension: null },
    { outcome: null },
  ],
  [
    'a response of the newer API, streamed',
    call(
      '/v1/responses',
      { model: 'gpt-5', stream: true, input: 'x' },
      events,
      `event: response.created\n${sse({ type: 'response.created', response: { status: 'in_progress' } })}event: response.output_text.delta\n${sse({ type: 'response.output_text.delta', delta: 'hi' })}event: response.completed\n${sse({ type: 'response.completed', response: { status: 'completed', usage: { input_tokens: 9, output_tokens: 3, input_tokens_details: { cached_tokens: 2 } } } })}`,
    ),
    { call: 'other', promptTokens: 9, completionTokens: 3, cachedTokens: 2, firstTokenMs: 1 },
    { outcome: null, stream: true },
  ],
  [
    "Ollama's chat, streamed",
    call(
      '/api/chat',
      { model: 'llama3' },
      lines,
      ndjson(
        { message: { content: 'a' }, done: false },
        { message: { content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 26, eval_count: 298 },
      ),
    ),
    { call: 'chat', model: 'llama3', promptTokens: 26, completionTokens: 298, firstTokenMs: 1 },
    { outcome: null, stream: true },
  ],
  [
    "Ollama's generate, whole",
    call(
      '/api/generate',
      { model: 'llama3', stream: false },
      json,
      JSON.stringify({ response: 'a', done: true, done_reason: 'stop', prompt_eval_count: 5, eval_count: 7 }),
    ),
    { call: 'completion', promptTokens: 5, completionTokens: 7, firstTokenMs: null },
    { outcome: null, stream: false },
  ],
  [
    "Ollama's error in a stream",
    call(
      '/api/chat',
      { model: 'llama3' },
      lines,
      ndjson({ message: { content: 'a' }, done: false }, { error: 'out of memory' }),
    ),
    {},
    { outcome: 'hidden_error', reason: 'error-body' },
  ],
  [
    "Ollama's embeddings",
    call(
      '/api/embed',
      { model: 'e' },
      json,
      JSON.stringify({ embeddings: [vector.slice(0, 384), vector.slice(0, 384)], prompt_eval_count: 8 }),
    ),
    { call: 'embeddings', dimension: 384, promptTokens: 8 },
    { outcome: null },
  ],
  [
    "Ollama's older embeddings",
    call('/api/embeddings', { model: 'e' }, json, JSON.stringify({ embedding: vector.slice(0, 768) })),
    { call: 'embeddings', dimension: 768, promptTokens: null },
    { outcome: null },
  ],
  [
    'a list of models',
    call('/v1/models', {}, json, '{"object":"list","data":[]}', { method: 'GET', request: Buffer.of() }),
    { call: 'other', model: null, digest: null },
    { operation: 'read', writes: false, outcome: null },
  ],
  [
    'something that nobody knows',
    call('/api/pull', { model: 'llama3' }, lines, ndjson({ status: 'pulling' })),
    { call: 'other', digest: null },
    { operation: 'llm', route: 'other', writes: true },
  ],
];

test.each(cases)('%s is read', async (_, exchange, llm, rest) => {
  expect(await readExchange(lens, exchange)).toMatchObject({ ...rest, llm: { provider: 'openai', ...llm } });
});

test('reads the same wherever the bytes are cut, and whether they are compressed or not', async () => {
  const places = fc.array(fc.nat(4_000), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...cases),
      fc.boolean(),
      places,
      places,
      async ([, exchange, llm, rest], packed, request, answer) => {
        const sent = packed
          ? {
              ...exchange,
              headers: { ...exchange.headers, 'content-encoding': 'gzip' },
              answer: gzipSync(exchange.answer),
            }
          : exchange;
        const { firstTokenMs: _first, ...expected } = llm as { firstTokenMs?: number | null };
        const { firstContentMs: _content, ...others } = rest as { firstContentMs?: number };
        const reading = await readExchange(lens, sent, { request, answer });
        expect(reading).toMatchObject({ ...others, llm: { ...expected, provider: 'openai' } });
        expect(typeof reading.llm?.firstTokenMs).toBe(
          typeof _first === 'number' ? 'number' : _first === undefined ? typeof reading.llm?.firstTokenMs : 'object',
        );
      },
    ),
    { numRuns: 200 },
  );
});

test('the same request has the same digest however it arrives, and another one another', async () => {
  const exchange = cases[0]![1];
  const { llm } = await readExchange(lens, exchange);
  const again = await readExchange(lens, exchange, { request: [1, 7, 30] });
  const other = await readExchange(lens, { ...exchange, request: Buffer.from(JSON.stringify({ ...chat, seed: 1 })) });
  expect(again.llm?.digest).toBe(llm?.digest);
  expect(other.llm?.digest).not.toBe(llm?.digest);
});

test('the role is what the caller said, when it is a word', async () => {
  const roleOf = async (said: string) =>
    (await readExchange(lens, { ...cases[0]![1], requestHeaders: { 'x-ragwarden-role': said } })).llm?.role;
  expect(await roleOf('Extract')).toBe('extract');
  expect(await roleOf('a role\nof mine')).toBeNull();
  expect(await roleOf('x'.repeat(33))).toBeNull();
});

describe('the stand-in model', () => {
  let llm: Awaited<ReturnType<typeof startStandInLlm>>;
  beforeAll(async () => {
    llm = await startStandInLlm({ dim: 16 });
  });
  afterAll(() => llm.stop());

  const ask = async (path: string, body: unknown) => {
    const answer = await fetch(llm.url + path, { method: 'POST', body: JSON.stringify(body) });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const headers = Object.fromEntries(answer.headers);
    return readExchange(lens, { ...call(`/v1${path}`, body, headers, ''), status: answer.status, answer: bytes });
  };

  test('is read as it answers: tokens in and out of streams, first token, dimension', async () => {
    const messages = [{ role: 'user', content: 'one two three' }];
    const whole = await ask('/chat/completions', { model: 'fake', messages });
    expect(whole.llm).toMatchObject({ promptTokens: 3, completionTokens: 6 });
    const streamed = await ask('/chat/completions', {
      model: 'fake',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(streamed).toMatchObject({
      stream: true,
      outcome: null,
      llm: { promptTokens: 3, completionTokens: 6, firstTokenMs: 1 },
    });
    const untold = await ask('/chat/completions', { model: 'fake', messages, stream: true });
    expect(untold.llm).toMatchObject({ promptTokens: null, completionTokens: null, firstTokenMs: 1 });
    for (const encoding_format of ['float', 'base64'])
      expect((await ask('/embeddings', { model: 'e', input: ['a b', 'c'], encoding_format })).llm).toMatchObject({
        dimension: 16,
        promptTokens: 3,
      });
  });
});
