import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { metricRoutes } from './metric-routes.ts';
import { heldClock, openMetrics, type TestMetrics } from './test-metrics.ts';

const start = Date.UTC(2026, 0, 5, 12);
const clock = heldClock(start);
let made: TestMetrics;
let state: TestState;
let events: EventLog;
let server: HttpServer;
let off: HttpServer;

beforeAll(async () => {
  made = await openMetrics({ clock });
  state = await openTestState();
  events = createEventLog({ db: state.db, clock, instance: 'i1' });
  const serve = async (enabled: boolean): Promise<HttpServer> => {
    const made_ = createHttpServer({
      log: silentLogger,
      clock,
      allowedHosts: () => [],
      // The role is what the token says, and everybody is known.
      authenticate: async ({ headers }) => ({
        subject: 'somebody',
        role: String(headers['x-role'] ?? 'admin') as Role,
        workspaces: 'all',
        via: 'token',
      }),
    });
    await made_.register(
      metricRoutes({
        metrics: made.metrics,
        db: state.db,
        events,
        clock,
        log: silentLogger,
        startedMs: start,
        enabled,
        health: () => ({ atMs: clock.now(), status: 'healthy' }),
      }),
    );
    return made_;
  };
  server = await serve(true);
  off = await serve(false);
});
afterAll(async () => {
  await server.close();
  await off.close();
  await made.remove();
  await state.remove();
});

const ask = async (method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown, role = 'admin') => {
  const answer = await server.inject({
    method,
    url: `/api/v1/metrics/${path}`,
    headers: { 'x-role': role, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
  });
  return { status: answer.statusCode, body: answer.json() };
};
const record = (...items: unknown[]) => ask('POST', 'record', { items }, 'service');
const run = (agent: string, status: string, ms: number, cost: number) => {
  const labels = { agent_id: agent, workspace_id: 'w1' };
  return record(
    { name: 'agent_executions', value: 1, type: 'counter', labels: { ...labels, status } },
    { name: 'agent_execution_duration_ms', value: ms, type: 'timer', labels, metadata: { prompt: 'p' } },
    { name: 'agent_llm_cost_usd', value: cost, type: 'counter', labels },
    { name: 'agent_tokens', value: 100, type: 'counter', labels },
    { name: 'agent_tool_duration_ms', value: 5, type: 'timer', labels },
  );
};

test('before anything was recorded nothing is claimed', async () => {
  const { body } = await ask('GET', 'performance');
  expect(body).toMatchObject({ summary: { success_rate: null }, performance: { average_execution_time_ms: null } });
  expect(body.message).toMatch(/Nothing was recorded/);
  expect((await ask('GET', 'agents/nobody')).status).toBe(404);
  expect((await ask('GET', 'history')).body.items).toEqual([]);
});

test('what agents did is in their totals, in the summary and in the history', async () => {
  await run('a1', 'success', 100, 0.25);
  await run('a1', 'success', 300, 0.25);
  await run('a1', 'error', 200, 0.5);
  await run('a2', 'success', 50, 0);
  clock.at += 1_000;
  expect((await ask('GET', 'agents/a1', undefined, 'scrape')).body).toEqual({
    agent_id: 'a1',
    workspace_id: 'w1',
    total_executions: 3,
    successful_executions: 2,
    failed_executions: 1,
    success_rate: 2 / 3,
    error_rate: 1 - 2 / 3,
    average_execution_time_ms: 200,
    total_tokens_used: 300,
    total_cost_usd: 1,
    last_execution_time: new Date(start).toISOString(),
    created_at: new Date(start).toISOString(),
    updated_at: new Date(start).toISOString(),
  });
  expect((await ask('GET', 'performance?time_window_minutes=5')).body).toMatchObject({
    time_window_minutes: 5,
    total_metrics: 12,
    summary: { success_rate: 0.75 },
    performance: {
      average_execution_time_ms: 162.5,
      total_llm_cost_usd: 1,
      average_tool_time_ms: 5,
      total_executions: 4,
      total_tool_executions: 4,
    },
  });
  const history = (await ask('GET', 'history?agent_id=a1&metric_type=timer&name=agent_execution_duration_ms')).body;
  expect(history.items.map((one: { value: number }) => one.value)).toEqual([200, 300, 100]);
  expect(history.items[0]).toMatchObject({
    ...{ agent_id: 'a1', workspace_id: 'w1', unit: 'ms', category: 'agent', metadata: { prompt: 'p' } },
    timestamp: new Date(start).toISOString(),
  });
  const all = (await ask('GET', 'global')).body;
  expect(all.basic_metrics).toMatchObject({
    ...{ uptime_seconds: 1, uptime_formatted: '0h 0m 1s', total_metrics_recorded: 20, active_agents: 2 },
    metrics_history_size: 20,
  });
  expect(all.basic_metrics.global_counters).toMatchObject({ agent_executions: 4, agent_tokens: 400 });
  expect(all.enhanced_metrics.total_metrics).toBeGreaterThan(14);
  expect(all.system_health).toEqual({ timestamp: new Date(clock.at).toISOString(), overall_status: 'healthy' });
});

test('a page follows the other by cursor, also while values come in and over what is stored', async () => {
  const values = Array.from({ length: 25 }, (_, i) => i);
  for (const value of values)
    await record({ name: 'paged', value, timestamp: new Date(clock.at + value).toISOString() });
  await made.metrics.history.flushOnce();
  const seen: number[] = [];
  let cursor: string | null = null;
  do {
    const page: { items: { value: number }[]; next_cursor: string | null } = (
      await ask('GET', `history?name=paged&limit=10${cursor === null ? '' : `&cursor=${cursor}`}`)
    ).body;
    seen.push(...page.items.map((one) => one.value));
    cursor = page.next_cursor;
    await record({ name: 'paged', value: 1_000, timestamp: new Date(clock.at + 60_000).toISOString() });
  } while (cursor !== null);
  expect(seen).toEqual(values.reverse());
  const offset = (await ask('GET', 'history?name=paged&limit=5&offset=3')).body;
  expect(offset.items.map((one: { value: number }) => one.value)).toEqual([24, 23, 22, 21, 20]);
  expect(offset.pagination).toEqual({ limit: 5, offset: 3, total: 5 });
  expect((await ask('GET', 'history?cursor=nonsense')).status).toBe(422);
});

test('bad values of a batch are told by their place, and keep no other out', async () => {
  const { status, body } = await record(
    { name: 'fine', value: 1, type: 'counter' },
    { name: 'bad-name', value: 1 },
    { name: 'no_value' },
    { name: 'fine', value: 2, type: 'counter' },
    { name: 'fine', value: 'NaN' },
    { name: 'old', value: 1, timestamp: '2020-01-01T00:00:00Z' },
    { name: 'fine', value: 1, surprise: true },
  );
  expect(status).toBe(200);
  expect(body).toMatchObject({ accepted: 2, rejected: 5 });
  expect(body.errors.map(({ index, reason }: { index: number; reason: string }) => [index, reason])).toEqual([
    [1, 'name'],
    [2, 'unreadable'],
    [4, 'unreadable'],
    [5, 'time'],
    [6, 'unreadable'],
  ]);
  clock.at += 1_000;
  const { body: answer } = await ask('GET', 'query?name=fine&aggregation=sum&group_by=&step_seconds=3600');
  expect(answer.series[0].values.at(-1)).toBe(3);
  expect(answer.unit).toBe('unknown');
  expect(answer.sources.at(-1)).toMatchObject({ tier: 'raw', resolution_seconds: 5 });
  expect((await ask('POST', 'record', { items: [] })).status).toBe(422);
  expect((await ask('POST', 'record', { items: [3] })).status).toBe(422);
});

test('metrics are defined, listed and told by name; what contradicts is refused', async () => {
  expect((await ask('PUT', 'definitions/queue', { type: 'gauge', unit: 'documents' }, 'service')).body).toMatchObject({
    ...{ name: 'queue', type: 'gauge', unit: 'documents', defined_by: 'definition', enabled: true },
  });
  expect((await ask('PUT', 'definitions/queue', { type: 'counter' })).status).toBe(409);
  expect((await ask('PUT', 'definitions/a-b', { type: 'counter' })).status).toBe(422);
  expect((await ask('GET', 'definitions/queue')).body.unit).toBe('documents');
  expect((await ask('GET', 'definitions/nothing')).status).toBe(404);
  const first = (await ask('GET', 'definitions?limit=10')).body;
  const second = (await ask('GET', `definitions?limit=1000&cursor=${first.next_cursor}`)).body;
  expect(second.next_cursor).toBeNull();
  const names = [...first.items, ...second.items].map((one: { name: string }) => one.name);
  expect(names).toEqual([...new Set(names)].sort());
  expect(names).toEqual(expect.arrayContaining(['system_cpu_percent', 'resource_leaks', 'fine', 'queue']));
  expect((await ask('GET', 'types')).body.types).toEqual(['counter', 'gauge', 'histogram', 'timer', 'rate']);
});

test('latest values and the greatest are told by series', async () => {
  await record(
    ...[
      ['a', 5],
      ['b', 9],
      ['c', 7],
    ].map(([path, value]) => ({ name: 'latency_ms', value, labels: { path, kind: 'x' } })),
  );
  clock.at += 1_000;
  const top = (await ask('GET', 'top?name=latency_ms&aggregation=max&group_by=path&limit=2')).body;
  expect(top.items).toEqual([
    { labels: { path: 'b' }, value: expect.closeTo(9, 0) },
    { labels: { path: 'c' }, value: expect.closeTo(7, 0) },
  ]);
  expect(top.total_series).toBe(3);
  const latest = (await ask('GET', 'latest?name=latency_ms&match=path=a&match=kind=x')).body;
  expect(latest.items).toEqual([{ labels: { path: 'a', kind: 'x', instance: 'i1' }, value: 5 }]);
  expect((await ask('GET', 'query?name=fine&aggregation=p95')).status).toBe(422);
});

test('who asks until now is told what was recorded while the question was on its way', async () => {
  await record({ name: 'asked', value: 1, type: 'counter' });
  await made.metrics.history.sampleOnce();
  await record({ name: 'asked', value: 2, type: 'counter' });
  const asked = { name: 'asked', aggregation: 'sum', fromMs: clock.at - 60_000, groupBy: [] } as const;
  const toMs = clock.at;
  clock.at += 3;
  expect((await made.metrics.history.query({ ...asked, toMs })).series[0]?.values).toEqual([3]);
});

test('a reset is an admin’s alone, is audited, and forgets what it says', async () => {
  for (const role of ['user', 'service', 'scrape']) {
    expect((await ask('DELETE', 'reset', undefined, role)).status).toBe(403);
    expect((await ask('DELETE', 'reset/a1', undefined, role)).status).toBe(403);
    expect((await ask('GET', 'history', undefined, role)).status).toBe(403);
  }
  expect((await ask('POST', 'record', { items: [{}] }, 'scrape')).status).toBe(403);
  expect((await ask('DELETE', 'reset/a1')).body.series).toBeGreaterThan(0);
  expect((await ask('GET', 'agents/a1')).status).toBe(404);
  expect((await ask('GET', 'agents/a2')).status).toBe(200);
  expect((await ask('DELETE', 'reset')).status).toBe(200);
  expect((await ask('GET', 'agents/a2')).status).toBe(404);
  expect((await ask('GET', 'history')).body.items).toEqual([]);
  expect((await ask('GET', 'performance')).body.performance.total_executions).toBe(0);
  const audit = await events.listAudit({ action: 'metrics.reset', limit: 10 });
  expect(audit.map(({ actor, object }) => [actor, object])).toEqual([
    ['somebody', '*'],
    ['somebody', 'a1'],
  ]);
  await record({ name: 'fine', value: 4, type: 'counter' });
  clock.at += 1_000;
  const { body } = await ask('GET', 'query?name=fine&aggregation=sum&group_by=&step_seconds=3600');
  expect(body.series[0].values.at(-1)).toBe(4);
});

test('switched off, the routes name the setting', async () => {
  const answer = await off.inject({ method: 'GET', url: '/api/v1/metrics/global' });
  expect(answer.statusCode).toBe(409);
  expect(answer.json()).toMatchObject({ code: 'feature/disabled', detail: expect.stringMatching(/metrics\.enabled/) });
  const headers = { 'content-type': 'application/json' };
  const otlp = await off.inject({ method: 'POST', url: '/v1/metrics', headers, payload: '{}' });
  expect(otlp.statusCode).toBe(409);
  // As OpenTelemetry has refusals: 9 is FAILED_PRECONDITION.
  expect(otlp.json()).toMatchObject({ code: 9, details: [{ reason: 'feature/disabled' }] });
});

describe('what is wrong with a request of values', () => {
  const raw = async (payload: string | Buffer, headers: Record<string, string>) => {
    const answer = await server.inject({ method: 'POST', url: '/api/v1/metrics/record', headers, payload });
    return [answer.statusCode, answer.json().code];
  };
  const json = { 'content-type': 'application/json' };

  test.each<[string, string | Buffer, Record<string, string>, number, string]>([
    [
      'a label value of 10 MiB',
      JSON.stringify({ items: [{ name: 'a', value: 1, labels: { l: 'x'.repeat(10 << 20) } }] }),
      json,
      413,
      'request/too-large',
    ],
    // Nothing is unpacked here, so there is nothing to burst.
    [
      'a gzip bomb',
      gzipSync(Buffer.alloc(50 << 20)),
      { ...json, 'content-encoding': 'gzip' },
      400,
      'request/unreadable',
    ],
    [
      'protobuf',
      Buffer.from([10, 0]),
      { 'content-type': 'application/x-protobuf' },
      415,
      'request/unsupported-media-type',
    ],
    ['text', 'a 1', { 'content-type': 'text/plain' }, 415, 'request/unsupported-media-type'],
    ['half of a batch', '{"items":[{"name":"a"', json, 400, 'request/unreadable'],
  ])('%s is told and nothing of it is taken', async (_, payload, headers, status, code) => {
    const before = made.metrics.recorder.stats.recorded;
    expect(await raw(payload, headers)).toEqual([status, code]);
    expect(made.metrics.recorder.stats.recorded).toBe(before);
  });

  test('infinities, repeated and late values, and series without number: the neighbours stay', async () => {
    const at = (ms: number) => new Date(clock.at + ms).toISOString();
    const infinite = `{"items":[{"name":"odd","value":1e999},{"name":"odd","value":7,"timestamp":"${at(-1_000)}"}]}`;
    const answer = await server.inject({
      method: 'POST',
      url: '/api/v1/metrics/record',
      headers: json,
      payload: infinite,
    });
    expect(answer.json()).toMatchObject({ accepted: 1, rejected: 1, errors: [{ index: 0, reason: 'unreadable' }] });
    const late = { name: 'odd', value: 3, timestamp: at(-60_000) };
    expect((await record(late, late, { name: 'odd', value: 9, timestamp: at(-30_000) })).body.accepted).toBe(3);
    const query = 'query?name=odd&group_by=&step_seconds=3600&aggregation=';
    const told = async (aggregation: string) =>
      (await ask('GET', `${query}${aggregation}`)).body.series[0].values.filter((value: unknown) => value !== null);
    // The repeated one is one, and the late ones are not the last.
    const counts: number[] = await told('count');
    expect([counts.reduce((a, b) => a + b), (await told('last')).at(-1)]).toEqual([3, 7]);
    const many = Array.from({ length: 1_500 }, (_, i) => ({
      name: 'many',
      value: 1,
      type: 'counter',
      labels: { id: `${i}` },
    }));
    expect((await record(...many)).body.accepted).toBe(1_500);
    expect(
      (await ask('GET', `query?name=many&group_by=overflow&step_seconds=3600&aggregation=sum`)).body.series,
    ).toMatchObject([
      { labels: { overflow: 'true' }, values: expect.arrayContaining([500]) },
      { labels: {}, values: expect.arrayContaining([1_000]) },
    ]);
  });
});
