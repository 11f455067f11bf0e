import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { heldClock, openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { called, seen } from './test-exchanges.ts';
import { createTraffic, type Traffic } from './traffic.ts';
import { trafficDefinitions } from './traffic-metrics.ts';
import { trafficRoutes } from './traffic-routes.ts';

const start = Date.UTC(2026, 0, 5, 12);
const clock = heldClock(start);
let made: TestMetrics;
let state: TestState;
let events: EventLog;
let traffic: Traffic;
let server: HttpServer;

beforeAll(async () => {
  made = await openMetrics({ clock, own: trafficDefinitions });
  state = await openTestState();
  events = createEventLog({ db: state.db, clock, instance: 'i1' });
  const { recorder } = made.metrics;
  traffic = createTraffic({
    recorder,
    clock,
    log: silentLogger,
    prices: [{ model: 'gpt-4o-mini', inputUsd: 1, outputUsd: 2 }],
  });
  server = createHttpServer({
    log: silentLogger,
    clock,
    allowedHosts: () => [],
    authenticate: async ({ headers }) => ({
      subject: 'somebody',
      role: String(headers['x-role'] ?? 'admin') as Role,
      workspaces: 'all',
      via: 'token',
    }),
  });
  const consumption = {
    between: (fromMs: number, toMs: number) => ({
      ...{ fromMs, toMs, cpuSeconds: 3, readBytes: 0, writtenBytes: 6_000 },
      residentBytes: { average: 100, greatest: 200 },
      openDescriptors: undefined,
    }),
  };
  await server.register(trafficRoutes({ traffic, recorder, db: state.db, events, clock, consumption }));
});
afterAll(async () => {
  await server.close();
  await made.remove();
  await state.remove();
});

const ask = async (method: 'GET' | 'POST', path: string, body?: unknown, role = 'admin') => {
  const answer = await server.inject({
    method,
    url: `/api/v1/${path}`,
    headers: { 'x-role': role, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
};

test('before anything passed, everything is zero or unknown', async () => {
  const { body } = await ask('GET', 'monitoring/lightrag');
  const none = { avg_time: 0, min_time: 0, max_time: 0, p50_time: 0, p95_time: 0, p99_time: 0 };
  expect(body).toMatchObject({
    operations: { query: 0, search: 0, insert: 0, errors: 0 },
    error_rate: null,
    throughput: 0,
    query: { count: 0, ...none },
    insert: { count: 0, ...none },
  });
});

test('operations that are told are counted, with exact percentiles in seconds, and a bad one keeps no other out', async () => {
  const items = [
    ...Array.from({ length: 10 }, (_, i) => ({ operation: 'query', seconds: (i + 1) / 10, user_id: 'alice' })),
    { operation: 'search', seconds: 0.2 },
    { operation: 'insert', seconds: 0.3, workspace: 'w' },
    { operation: 'query', error: true },
    { error: true },
    { operation: 'delete', seconds: 1 },
    { operation: 'query', seconds: -1 },
    { operation: 'query' },
    { operation: 'query', seconds: 1, prompt: 'who?' },
  ];
  const told = await ask('POST', 'monitoring/lightrag/record', { items }, 'service');
  expect(told).toMatchObject({ status: 200, body: { accepted: 14, rejected: 4 } });
  expect(told.body.errors.map(({ index }: { index: number }) => index)).toEqual([14, 15, 16, 17]);
  clock.at = start + 10_000;
  const { body } = await ask('GET', 'monitoring/lightrag');
  expect(body).toMatchObject({
    uptime_seconds: 10,
    operations: { query: 10, search: 1, insert: 1, errors: 2 },
    throughput: 1.2,
    query: { count: 10, min_time: 0.1, max_time: 1, p50_time: 0.5, p95_time: 1, p99_time: 1, errors: 1 },
  });
  expect(body.query.avg_time).toBeCloseTo(0.55);
  expect(body.error_rate).toBeCloseTo(2 / 14);
});

test('the summary tells a window by any name, and what the backend took for it', async () => {
  traffic.observe([
    seen({ atMs: clock.at, subject: 'bob', stream: true, firstContentMs: 45 }),
    called({ role: 'extract' }, { atMs: clock.at, outcome: 'rate_limited', status: 429 }),
    called({ role: 'extract', promptTokens: 1_000_000 }, { atMs: clock.at }),
  ]);
  clock.at += 10_000;
  const { body } = await ask('GET', 'traffic/summary?window=5m&by=role');
  expect(body).toMatchObject({
    ...{ window_seconds: 300, complete: false, by: 'role' },
    total: { requests: 15, llm: { calls: 2, rate_limited: 1, errors: 1, tokens: { completion: 400 } } },
    items: [{ key: 'extract', requests: 0, llm: { calls: 2, calls_without_price: 0 } }],
    backend: { operations: 14, cpu_seconds: 3, peak_rss_bytes: 200, cpu_seconds_per_operation: 3 / 14 },
  });
  expect(body.kept_from).toBe(new Date(start).toISOString());
  expect((await ask('GET', 'traffic/summary?window=20s&user=bob')).body).toMatchObject({
    ...{ complete: true, backend: null },
    total: { requests: 1, first_content_ms: { p50: 45 } },
  });
  expect((await ask('GET', 'traffic/summary?window=soon')).status).toBe(422);
});

test('what is told of the future happened now, and of long ago then', async () => {
  const at = (ms: number) => ({ operation: 'query', seconds: 0, timestamp: new Date(clock.at + ms).toISOString() });
  await ask('POST', 'monitoring/lightrag/record', { items: [at(9_000_000), at(-9_000_000)] });
  const [then, now] = (await ask('GET', 'traffic/recent?limit=2')).body.items;
  expect([now.at, then.at]).toEqual([clock.at, clock.at - 9_000_000].map((ms) => new Date(ms).toISOString()));
  expect((await ask('GET', 'traffic/summary?window=1s')).body.total.requests).toBe(1);
});

test('the latest exchanges are told without what nobody should see', async () => {
  const { body } = await ask('GET', 'traffic/recent?door=llm&limit=1');
  expect(body.items).toHaveLength(1);
  expect(body.items[0]).toMatchObject({ door: 'llm', outcome: 'ok', llm: { model: 'gpt-4o-mini', cost_usd: 1.0004 } });
  expect(JSON.stringify(body)).not.toContain('digest');
  const failed = await ask('GET', 'traffic/recent?failed=true&limit=500');
  expect(failed.body.items.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
    ...['rate_limited', 'hidden_error', 'hidden_error'],
  ]);
});

test('what agents did is told in their words, and priced where they name a model', async () => {
  const agent = { agent_id: 'a1', workspace_id: 'w' };
  const told = await ask('POST', 'metrics/agents/record', {
    items: [
      { kind: 'execution', ...agent, duration_ms: 100 },
      { kind: 'execution', ...agent, duration_ms: 300, status: 'timeout' },
      { kind: 'llm_usage', ...agent, model: 'gpt-4o-mini', prompt_tokens: 1_000_000, completion_tokens: 500_000 },
      { kind: 'llm_usage', ...agent, tokens: 7, cost_usd: 0.5, tier: 'small', latency_ms: 20 },
      { kind: 'tool_usage', ...agent, tool: 'search', duration_ms: 5 },
      { kind: 'error', ...agent, type: 'parse' },
      { kind: 'llm_usage', ...agent },
      { kind: 'dream', ...agent },
    ],
  });
  expect(told.body).toMatchObject({ accepted: 6, rejected: 2 });
  const [totals] = await made.metrics.agents.find('a1');
  expect(totals).toMatchObject({ executions: 2, successes: 1, executionMs: 400, tokens: 1_500_007, costUsd: 2.5 });
});

test('a reset begins everything anew and is in the audit trail', async () => {
  expect((await ask('POST', 'monitoring/lightrag/reset', undefined, 'service')).status).toBe(403);
  expect((await ask('POST', 'monitoring/lightrag/reset')).status).toBe(200);
  clock.at += 1_000;
  const { body } = await ask('GET', 'monitoring/lightrag');
  expect(body).toMatchObject({
    uptime_seconds: 1,
    operations: { query: 0, errors: 0 },
    query: { count: 0, max_time: 0 },
  });
  expect((await ask('GET', 'traffic/recent')).body.items).toEqual([]);
  const [entry] = await events.listAudit({ limit: 1 });
  expect(entry).toMatchObject({ actor: 'somebody', action: 'traffic.reset', data: { query: 13, errors: 2 } });
});
