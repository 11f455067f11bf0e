import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readOptions } from '../examples/sample-backend/options.ts';
import { type SampleBackend, startSampleBackend } from '../examples/sample-backend/server.ts';
import { createWarden } from '../src/app/index.ts';
import { readConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { createClient, type RagwardenClient, type TrafficSummaryBody } from '../src/sdk/index.ts';
import { startStandInLlm } from './lightrag/stand-in-llm.mjs';
import { memoryFolder } from './setup/memory-folder.ts';
import { until } from './warden-harness.ts';

/** The product in this process, before the sample backend and a stand-in for a provider, both real servers on loopback. */
const folder = memoryFolder('traffic');
const adminToken = 'an-admin-token-for-this-test-alone';
let backend: SampleBackend;
let llm: Awaited<ReturnType<typeof startStandInLlm>>;
let warden: ReturnType<typeof createWarden>;
let gateway: string;
let client: RagwardenClient;

beforeAll(async () => {
  const [workingDir, inputDir] = [join(folder, 'w'), join(folder, 'i')];
  const sample = ['--working-dir', workingDir, '--input-dir', inputDir, '--workspace', 'library', '--faults'];
  backend = await startSampleBackend(readOptions(sample), () => undefined);
  llm = await startStandInLlm({ dim: 16 });
  writeFileSync(
    join(folder, 'ragwarden.yaml'),
    [
      'gateway:',
      '  providers:',
      `    - {id: openai, url: ${llm.url.replace('/v1', '')}, api: openai}`,
      'traffic:',
      '  prices:',
      '    - {model: fake, input_usd: 1000, output_usd: 2000}',
    ].join('\n'),
  );
  const env = {
    ...{ RAGWARDEN_ADMIN_TOKEN: adminToken, RAGWARDEN_TARGET_URL: backend.url, WORKSPACE: 'library' },
    ...{ WORKING_DIR: workingDir, INPUT_DIR: inputDir, BACKUP_ENABLED: 'false', RAGWARDEN_SAMPLE_INTERVAL: '0.2' },
    ...{ RAGWARDEN_PROBE_INTERVAL: '0.5', RAGWARDEN_GATEWAY_QUERY_OVERRIDES: 'true' },
  };
  const flags = { 'data-dir': join(folder, 'data'), port: '0', 'metrics-port': '0', 'gateway-port': '0' };
  const reading = readConfig({ env, flags, cwd: folder });
  expect(reading.problems).toEqual([]);
  warden = createWarden({ reading, log: silentLogger, command: 'serve' });
  const started = await warden.start();
  gateway = started.gateway ?? '';
  client = createClient({ url: started.api, token: adminToken });
});
afterAll(async () => {
  await warden.stop('the test is over');
  await backend.close();
  await llm.stop();
  rmSync(folder, { recursive: true });
});

/** Through the gateway, read to the end. */
async function ask(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const answer = await fetch(gateway + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await answer.clone().text();
  return answer;
}

/** What was seen arrives in batches. */
const summaryOf = (
  what: string,
  holds: (summary: TrafficSummaryBody) => boolean,
  query: Parameters<RagwardenClient['traffic']['summary']>[0] = {},
): Promise<TrafficSummaryBody> =>
  until(what, async () => {
    const summary = await client.traffic.summary(query);
    return holds(summary) ? summary : undefined;
  });

describe('what passes the gateway', () => {
  test('is counted as the backend counts it: queries, searches, inserts, what found nothing, what failed', async () => {
    const documents = Array.from({ length: 5 }, (_, i) => ({
      text: `The early car number ${i} leaves Quay Depot before six. It turns at Mill Square.`,
      file_source: `morning-${i}.txt`,
    }));
    for (const document of documents) expect((await ask('/documents/text', document)).status).toBe(200);
    expect((await ask('/documents/text', documents[0])).status).toBe(409);
    await backend.backend.pipeline.idle();

    const question = { query: 'When does the early car leave?' };
    for (const mode of ['mix', 'local', 'naive']) await ask('/query', { ...question, mode });
    for (let i = 0; i < 4; i += 1) await ask('/query/stream', { ...question, query: `${question.query} ${i}` });
    await ask('/query', { query: 'giraffe zebra okapi', mode: 'naive' });
    await ask('/query/data', question);
    await ask('/query/data', { query: 'giraffe' });
    await ask('/query', { ...question, only_need_context: true });
    await ask('/api/chat', { model: 'lightrag', messages: [{ role: 'user', content: `/bypass ${question.query}` }] });
    await ask('/query', { query: 'x' });
    await ask('/health');

    const { items } = await summaryOf('all of it', ({ total }) => total.requests >= 20, { by: 'operation' });
    const rowOf = (key: string) => items.find((one) => one.key === key);
    expect(rowOf('query')).toMatchObject({ requests: 9, done: 8, errors: 0, client_errors: 1, empty: 1 });
    expect(rowOf('search')).toMatchObject({ requests: 3, done: 3, empty: 1 });
    expect(rowOf('insert')).toMatchObject({ requests: 6, done: 5, client_errors: 1 });
    expect(rowOf('llm')).toMatchObject({ requests: 1, done: 1 });
    // As the backend itself tells.
    const counts = (await (await ask('/documents/status_counts')).json()) as { status_counts: { all: number } };
    expect(counts.status_counts.all).toBe(rowOf('insert')?.done);
    // Streams have a first piece before their end; what does not stream has none.
    expect(rowOf('query')?.first_content_ms.count).toBe(4);

    const monitor = await client.monitoring.lightrag();
    expect(monitor.operations).toEqual({ query: 8, search: 3, insert: 5, errors: 0 });
    expect(monitor.query.p50_time).toBeGreaterThan(0);
    expect(monitor.query.p99_time).toBe(monitor.query.max_time);
    const byMode = await client.traffic.summary({ by: 'mode' });
    expect(Object.fromEntries(byMode.items.map(({ key, requests }) => [key, requests]))).toMatchObject({
      ...{ local: 1, naive: 2, bypass: 1 },
    });
  });

  test('of a provider is counted as the provider counts it: calls, tokens, cost, refusals and what was tried again', async () => {
    const messages = [{ role: 'user', content: 'one two three' }];
    const chat = (more: object = {}) =>
      ask('/llm/openai/v1/chat/completions', { model: 'fake', messages, ...more }, { 'x-ragwarden-role': 'query' });
    type Usage = { usage: { prompt_tokens: number; completion_tokens: number } };
    let [prompt, completion] = [0, 0];
    for (let i = 0; i < 5; i += 1) {
      const { usage } = (await (await chat({ seed: i })).json()) as Usage;
      prompt += usage.prompt_tokens;
      completion += usage.completion_tokens;
    }
    await chat({ stream: true, stream_options: { include_usage: true } });
    await chat({ stream: true });
    llm.setFault({ what: 'status', status: 429, kind: 'answer' });
    expect((await chat({ seed: 99 })).status).toBe(429);
    llm.setFault(undefined);
    expect((await chat({ seed: 99 })).status).toBe(200);
    await ask('/llm/openai/v1/embeddings', { model: 'embed', input: ['a b'] });

    const answers = llm.calls.answer;
    const summary = await summaryOf('the calls', ({ total }) => total.llm.calls >= answers + 1, { by: 'model' });
    expect(summary.total.llm.calls).toBe(answers + llm.calls.embedding);
    const fake = summary.items.find(({ key }) => key === 'fake')?.llm;
    // Eight answers of which one stream told nothing, and the one that was refused.
    expect(fake).toMatchObject({ calls: 9, errors: 1, rate_limited: 1, retries: 1, calls_without_tokens: 1 });
    expect(fake?.tokens.prompt).toBe((prompt / 5) * 7);
    expect(fake?.tokens.completion).toBe((completion / 5) * 7);
    expect(fake?.cost_usd).toBeCloseTo(((prompt / 5) * 7 * 1_000 + (completion / 5) * 7 * 2_000) / 1e6);
    expect(fake?.first_token_ms.count).toBe(2);
    expect(summary.unpriced_models).toEqual(['embed']);
    const [embedding] = (await client.traffic.recent({ door: 'llm', limit: 1 })).items;
    expect(embedding?.llm).toMatchObject({ model: 'embed', dimension: 16, cost_usd: null });
    const text = await client.metrics.text();
    expect(text).toMatch(/ragwarden_llm_tokens_total\{[^}]*kind="prompt"[^}]*model="fake"[^}]*role="query"/);
    expect(text).toMatch(/ragwarden_traffic_duration_seconds_bucket\{[^}]*operation="query"/);
  });

  test.each([1, 8, 40])('with %i at a time none is lost and none is counted twice', async (abreast) => {
    await client.monitoring.resetLightrag();
    const times = 80;
    let left = times;
    const work = async () => {
      while (left > 0) {
        left -= 1;
        await ask(left % 2 === 0 ? '/query' : '/query/stream', {
          query: `When does car ${left} leave?`,
          mode: 'naive',
        });
      }
    };
    await Promise.all(Array.from({ length: abreast }, work));
    const { total } = await summaryOf('every query', (summary) => summary.total.requests >= times);
    expect(total).toMatchObject({ requests: times, done: times, errors: 0 });
    const { query, operations, throughput } = await client.monitoring.lightrag();
    expect([operations.query, query.window_count]).toEqual([times, times]);
    expect(throughput).toBeGreaterThan(0);
    expect(query.min_time <= query.p50_time && query.p50_time <= query.p95_time).toBe(true);
    expect(query.p95_time <= query.p99_time && query.p99_time <= query.max_time).toBe(true);
  });

  test('is told with what the process of the backend took for it', async () => {
    await ask('/query', { query: 'When does the early car leave?' });
    const { backend: took } = await summaryOf('two readings', (summary) => (summary.backend?.operations ?? 0) > 0);
    expect(took?.peak_rss_bytes).toBeGreaterThan(10_000_000);
    expect(took?.cpu_seconds).toBeGreaterThan(0);
    expect(took?.cpu_seconds_per_operation).toBeCloseTo(took!.cpu_seconds! / took!.operations);
  });
});

test('a user is told with what was asked for, a stranger is not known', async () => {
  await client.monitoring.recordLightrag([
    { operation: 'query', seconds: 0.5, user_id: 'zoe' },
    { operation: 'search', seconds: 0.1, user_id: 'zoe', error: true },
  ]);
  const { metrics } = await client.monitoring.user('zoe');
  expect(metrics).toMatchObject({ storage: null, usage: { requests: 2, errors: 1, llm_calls: 0, cost_usd: 0 } });
  await expect(client.monitoring.user('nobody')).rejects.toMatchObject({ code: 'request/not-found' });
});

test("what a user set for its queries goes along with them, and nobody else's do, until it is taken back", async () => {
  const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => client.gateway.createKey({ name })));
  const asked = async (key: string | undefined) => {
    const seen = (await client.traffic.recent({ limit: 500 })).items.filter(({ operation }) => operation === 'query');
    const answer = await ask('/query', { query: 'When does the early car leave?' }, { 'x-api-key': key ?? '' });
    expect(answer.status).toBe(200);
    const items = await until('the query to be seen', async () => {
      const now = (await client.traffic.recent({ limit: 500 })).items.filter(({ operation }) => operation === 'query');
      return now.length > seen.length ? now : undefined;
    });
    return items[0];
  };
  await client.tuning.set({ top_k: 3, query_mode: 'naive' }, { user: 'local:alice' });
  await until('the gateway to know of it', async () => {
    const one = await asked(alice?.key);
    return one?.added_parameters.length === 2 ? one : undefined;
  }).then((one) =>
    expect(one).toMatchObject({ user: 'local:alice', mode: 'naive', added_parameters: ['top_k', 'mode'] }),
  );
  expect(await asked(bob?.key)).toMatchObject({ user: 'local:bob', mode: 'mix', added_parameters: [] });
  await client.tuning.reset({ user: 'local:alice' });
  await until('the gateway to forget it', async () => (await asked(alice?.key))?.added_parameters.length === 0);
});
