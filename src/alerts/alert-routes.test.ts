import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPart } from '../../test/setup/parts.ts';
import { createCurrentValues } from '../metrics/index.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { AlertManager, type AlertRule, createClient, MetricsCollector } from '../sdk/index.ts';
import { alertRoutes } from './alert-routes.ts';
import { openTestAlerts, type TestAlerts, testIntervalMs } from './test-alerts.ts';

let made: TestAlerts;
let server: HttpServer;
let enabled = true;
beforeAll(async () => {
  const old = { metric_name: 'level', condition: 'gt', threshold: 99 } as const;
  made = await openTestAlerts({
    rules: [{ name: 'of_the_file', ...old }],
    defaultRules: [
      { name: 'of_the_file', ...old },
      { name: 'comes_along', ...old },
    ],
  });
  server = createHttpServer({
    log: silentLogger,
    clock: made.clock,
    allowedHosts: () => [],
    authenticate: async ({ headers }) => ({
      ...{ via: 'token', tokenId: 't', workspaces: 'all', expiresMs: null, subject: 'local:mia' },
      role: String(headers.authorization).replace('Bearer ', '') as Role,
    }),
  });
  await server.register(
    alertRoutes({
      ...{ alerts: made.alerts, history: made.metrics.metrics.history, registry: made.metrics.registry },
      current: createCurrentValues({
        registry: made.metrics.registry,
        windows: made.metrics.metrics.history.recent,
        instance: 'i1',
      }),
      ...{ notifier: { silencedBy: async () => [] }, clock: made.clock, intervalMs: () => testIntervalMs },
      get enabled() {
        return enabled;
      },
    }),
  );
  await server.ready();
  made.set(10);
  await made.tick();
});
afterAll(async () => {
  await server.close();
  await made.remove();
});

const base = '/api/v1/metrics/alerts';
async function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
  headers = {},
  role = 'admin',
) {
  const answer = await server.inject({
    ...{ method, url: `${base}${path}`, headers: { authorization: `Bearer ${role}`, ...headers } },
    ...(body === undefined ? {} : { payload: body as Record<string, unknown> }),
  });
  return { status: answer.statusCode, body: answer.json(), headers: answer.headers };
}
/** The library over the routes in process. */
const connection = {
  url: 'http://127.0.0.1',
  token: 'admin',
  fetch: async (input: string | URL | Request, init?: RequestInit) => {
    const url = new URL(String(input));
    const answer = await server.inject({
      method: (init?.method ?? 'GET') as 'GET',
      url: url.pathname + url.search,
      headers: Object.fromEntries(new Headers(init?.headers)),
      ...(init?.body === undefined || init.body === null ? {} : { payload: String(init.body) }),
    });
    return new Response(answer.body, { status: answer.statusCode, headers: { 'content-type': 'application/json' } });
  },
};

const memory = {
  ...{ name: 'high_memory_usage', metric_name: 'level', condition: 'gt', threshold: 85.0 },
  ...{ duration_seconds: 300, severity: 'warning' },
};

test('a rule is made, read, changed only by whoever saw it as it is, and removed', async () => {
  const created = await call('POST', '/rules', memory);
  expect(created.status).toBe(201);
  expect(created.headers.location).toBe(`${base}/rules/high_memory_usage`);
  expect(created.body).toMatchObject({
    ...memory,
    origin: 'api',
    enabled: true,
    says: 'level is above 85',
    revision: 1,
  });
  expect((await call('POST', '/rules', memory)).body.code).toBe('conflict/state');
  const read = await call('GET', '/rules/high_memory_usage', undefined, {}, 'service');
  expect(read.headers.etag).toBe(created.headers.etag);
  const change = { ...memory, threshold: 90 };
  const put = await call('PUT', '/rules/high_memory_usage', change, { 'if-match': String(read.headers.etag) });
  expect([put.status, put.body.threshold, put.body.revision]).toEqual([200, 90, 2]);
  const late = await call('PUT', '/rules/high_memory_usage', memory, { 'if-match': String(read.headers.etag) });
  expect(late.body.code).toBe('request/precondition-failed');
  expect((await call('DELETE', '/rules/high_memory_usage')).status).toBe(200);
  expect((await call('GET', '/rules/high_memory_usage')).body.code).toBe('alerts/unknown-rule');
  const actions = (await made.events.listAudit({ limit: 3 })).map(({ action, actor }) => `${actor} ${action}`);
  expect(actions.reverse()).toEqual([
    'local:mia alerts.create-rule',
    'local:mia alerts.change-rule',
    'local:mia alerts.delete-rule',
  ]);
});

test('a rule of the file wins, one of the API replaces one that came along until it is removed', async () => {
  const other = { metric_name: 'level', condition: 'lt', threshold: 1 };
  expect((await call('PUT', '/rules/of_the_file', other)).body).toMatchObject({ code: 'conflict/state' });
  expect((await call('DELETE', '/rules/of_the_file')).body.code).toBe('conflict/state');
  expect((await call('DELETE', '/rules/comes_along')).body.code).toBe('conflict/state');
  expect((await call('PUT', '/rules/comes_along', { ...other, enabled: false })).body).toMatchObject({
    ...{ origin: 'api', shelved: ['default'], enabled: false, status: null },
  });
  await call('DELETE', '/rules/comes_along');
  const { body } = await call('GET', '/rules');
  expect(
    body.items.map((one: { name: string; origin: string; shelved: string[] }) => [one.name, one.origin, one.shelved]),
  ).toEqual([
    ['comes_along', 'default', []],
    ['of_the_file', 'file', ['default']],
  ]);
});

test.each([
  ['no threshold', { condition: 'gt' }, ['threshold']],
  [
    'absent with what compares',
    { condition: 'absent', threshold: 1, group_by: ['a'], no_data: 'fire' },
    ['threshold', 'group_by', 'no_data'],
  ],
  ['resolved before it begins', { condition: 'gt', threshold: 5, resolve_threshold: 6 }, ['resolve_threshold']],
  ['resolved before it begins, below', { condition: 'lt', threshold: 5, resolve_threshold: 4 }, ['resolve_threshold']],
  ['a forecast without how far', { condition: 'gt', threshold: 5, measure: 'forecast' }, ['forecast_seconds']],
  [
    'a slope of what is no line',
    {
      condition: 'gt',
      threshold: 5,
      measure: 'change_per_second',
      aggregation: 'p95',
      window_seconds: 5,
      forecast_seconds: 9,
    },
    ['forecast_seconds', 'aggregation', 'window_seconds'],
  ],
  [
    'an anomaly that contradicts itself',
    {
      ...{ condition: 'lt', threshold: -4, measure: 'anomaly', baseline_seconds: 600, season_seconds: 86_400 },
      ...{ no_data: 'fire', divide_by: { metric_name: 'level' } },
    },
    ['condition', 'threshold', 'divide_by', 'no_data', 'baseline_seconds', 'season_seconds'],
  ],
  [
    'fields of an anomaly without one',
    {
      condition: 'gt',
      threshold: 4,
      baseline_seconds: 6_000,
      season_seconds: 600,
      direction: 'above',
      least_difference: 1,
    },
    ['baseline_seconds', 'season_seconds', 'direction', 'least_difference'],
  ],
  ['labels of ours', { condition: 'gt', threshold: 5, tags: { severity: 'x', alertname: 'y' } }, ['tags', 'tags']],
  [
    'words that are none',
    { condition: 'above', threshold: '5', severity: 'bad', duration_seconds: -1 },
    ['condition', 'threshold', 'severity', 'duration_seconds'],
  ],
  ['what it does not know', { condition: 'gt', threshold: 5, shell: 'rm -rf /' }, ['shell']],
  ['a rate of a level', { condition: 'gt', threshold: 5, aggregation: 'rate' }, ['aggregation']],
] as const)('%s is refused with all that is wrong', async (_, changes, fields) => {
  const { threshold: _threshold, condition: _condition, ...rest } = memory;
  const { status, body } = await call('POST', '/rules', { ...rest, ...changes });
  expect([status, body.code]).toEqual([422, 'request/invalid']);
  const told = body.errors.map(({ at, message }: { at: string; message: string }) => `${at} ${message}`).join('\n');
  for (const field of fields) expect(told).toContain(field);
});

test('what fires is listed, acknowledged, and kept after it is over; pending ones too', async () => {
  await call('PUT', '/rules/now', {
    metric_name: 'level',
    condition: 'gt',
    threshold: 50,
    duration_seconds: 0,
    severity: 'critical',
  });
  await call('PUT', '/rules/soon', { metric_name: 'level', condition: 'gt', threshold: 50 });
  made.set(60);
  await made.tick();
  const { body } = await call('GET', '/active', undefined, {}, 'service');
  expect(body).toMatchObject({
    firing: 1,
    pending: 1,
    items: [
      { rule_name: 'now', state: 'active' },
      { rule_name: 'soon', state: 'pending', triggered_at: null },
    ],
  });
  const [{ alert_id: id }] = body.items;
  const acknowledged = await call('POST', `/${id}/acknowledge`, { note: 'on it' });
  expect(acknowledged.body).toMatchObject({
    state: 'acknowledged',
    acknowledged_by: 'local:mia',
    acknowledged_note: 'on it',
  });
  expect((await call('POST', '/al_none/acknowledge')).body.code).toBe('alerts/unknown-alert');
  made.set(10);
  await made.tick();
  const { body: history } = await call('GET', '/history?rule=now', undefined, {}, 'service');
  expect(history).toMatchObject({
    total: 1,
    next_cursor: null,
    items: [{ state: 'resolved', current_value: 10, worst_value: 60 }],
  });
  await call('DELETE', '/rules/now');
  await call('DELETE', '/rules/soon');
});

test('the history is read page by page', async () => {
  await call('PUT', '/rules/often', {
    metric_name: 'level',
    condition: 'gt',
    threshold: 50,
    duration_seconds: 0,
    flap_damping: false,
  });
  for (let i = 0; i < 3; i += 1) {
    made.set(60);
    await made.tick(1, { sampled: false });
    made.set(10);
    await made.tick(1, { sampled: false });
  }
  await call('DELETE', '/rules/often');
  const first = await call('GET', '/history?rule=often&limit=2');
  const second = await call('GET', `/history?rule=often&limit=2&cursor=${first.body.next_cursor}`);
  expect([first.body.items.length, second.body.items.length, second.body.next_cursor]).toEqual([2, 1, null]);
  expect((await call('GET', '/history?rule=often&limit=2&offset=2')).body.items).toEqual(second.body.items);
  expect((await call('GET', '/history?from=2030-01-01T00:00:00Z')).body.items).toEqual([]);
});

describe('trying a rule out', () => {
  test('tells when it would have fired and for how long, as it would have in life', async () => {
    const rule = {
      name: 'tried',
      metric_name: 'level',
      labels: { target: 't' },
      condition: 'gt',
      threshold: 85,
      duration_seconds: 60,
    };
    const fromMs = made.clock.now();
    for (const value of [50, 90, 90, 90, 90, 50, 50, 50, 95, 50, 50]) {
      made.set(value, 't');
      await made.tick();
    }
    const range = { from: new Date(fromMs).toISOString() };
    const { status, body } = await call('POST', '/rules/test', { rule, ...range, value: 86 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ fired: 1, pending_only: 1, label_sets: 1, value: { value: 86, matches: true } });
    expect(body.firings[0]).toMatchObject({ labels: { target: 't' }, worst_value: 90, seconds: 120 });
    expect(body.now).toEqual({
      readings: [{ labels: { target: 't', instance: 'i1' }, value: 50, matches: false }],
      label_sets: 1,
      matching: 0,
    });
    expect((await made.alerts.store.history({ rule: 'tried', limit: 1 })).length).toBe(0);
    for (const aggregation of ['average', 'max', 'min', 'count', 'p95'] as const) {
      const of = await call('POST', '/rules/test', { rule: { ...rule, aggregation, window_seconds: 60 }, ...range });
      expect([aggregation, of.status]).toEqual([aggregation, 200]);
      if (aggregation === 'max') expect(of.body.fired_seconds).toBeGreaterThan(body.fired_seconds);
    }
    const line = await call('POST', '/rules/test', {
      rule: { ...rule, measure: 'change_per_second', threshold: 0.1, duration_seconds: 0 },
      ...range,
    });
    expect(line.body.fired).toBeGreaterThan(0);
  });
  test('of a metric that does not exist says so; of a range that ends before it begins, or of two rules, is refused', async () => {
    const { body } = await call('POST', '/rules/test', { rule: { ...memory, metric_name: 'no_such' } });
    expect(body).toMatchObject({ fired: 0, label_sets: 0, notes: ['Nothing of no_such is stored in this range.'] });
    expect((await call('POST', '/rules/test', { rule: memory, rule_name: 'x' })).status).toBe(422);
    expect((await call('POST', '/rules/test', { rule: memory, from: '2030-01-01T00:00:00Z' })).status).toBe(422);
    expect((await call('POST', '/rules/test', { rule_name: 'none' })).body.code).toBe('alerts/unknown-rule');
  });
});

describe.skipIf(!hasPart('prometheus'))('as a rule file for Prometheus', () => {
  test('promtool takes what can be said there, and what cannot is told', async () => {
    const level = { metric_name: 'level', condition: 'gt', threshold: 85 };
    made.metrics.metrics.recorder.timer({ name: 'took_ms' }).labels({ op: 'a"b' }).observe(5);
    made.metrics.metrics.recorder.counter({ name: 'done' }).labels().inc(1);
    const rules: Record<string, object> = {
      plain: level,
      hysteresis: {
        ...level,
        resolve_threshold: 70,
        tags: { team: 'rag' },
        description: 'a {{ brace }}',
        runbook_url: 'https://runbooks.test/a',
      },
      matched: { ...level, labels: { target: ['a.b', 'c'], other: { not: 'x"y' } }, no_data: 'fire' },
      slope: { ...level, measure: 'change_per_second' },
      forecast: { ...level, measure: 'forecast', forecast_seconds: 3_600 },
      ratio: { ...level, divide_by: { metric_name: 'level' } },
      gone: { metric_name: 'level', condition: 'absent' },
      slow: { ...level, metric_name: 'took_ms', aggregation: 'p95', group_by: ['op'], threshold: 250 },
      grows: { ...level, metric_name: 'done', aggregation: 'increase', group_by: [] },
      not_said: { ...level, aggregation: 'p99', group_by: ['target'] },
      off: { ...level, enabled: false },
      strange: { ...level, measure: 'anomaly', threshold: 4 },
    };
    for (const [name, body] of Object.entries(rules))
      expect([name, (await call('PUT', `/rules/${name}`, body)).status]).toEqual([name, 201]);
    const { body } = await call('GET', '/rules/export?origin=api');
    expect(body.left_out.map(({ rule_name: name }: { rule_name: string }) => name)).toEqual([
      'not_said',
      'off',
      'strange',
    ]);
    expect(body.rule_file).toContain('# Not in this file: strange: PromQL has no median distance');
    expect(body.rule_file).toContain('# Not in this file: not_said: ');
    expect(body.rule_file).toContain('ragwarden_app_took_seconds_bucket');
    expect(body.rule_file).toContain('> 0.25');
    const folder = mkdtempSync(join(tmpdir(), 'ragwarden-rules-'));
    const file = join(folder, 'rules.yml');
    writeFileSync(file, body.rule_file);
    const said = execFileSync('promtool', ['check', 'rules', file], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    expect(said).toContain(`${Object.keys(rules).length - 3} rules found`);
    for (const name of Object.keys(rules)) await call('DELETE', `/rules/${name}`);
  });
});

test('the example of the document works as written', async () => {
  const collector = new MetricsCollector(connection);
  const alertRule: AlertRule = {
    name: 'high_memory_usage',
    metricName: 'system_memory_percent',
    condition: 'gt',
    threshold: 85.0,
    durationSeconds: 300, // 5 minutes
    severity: 'warning',
  };
  await collector.addAlertRule(alertRule);
  const alerts = new AlertManager(connection);
  expect((await alerts.getAlertRules()).find(({ name }) => name === 'high_memory_usage')).toMatchObject({
    ...{ metric_name: 'system_memory_percent', duration_seconds: 300, origin: 'api' },
  });
  expect(await collector.getActiveAlerts()).toEqual([]);
  expect(await alerts.getAlertHistory({ rule: 'high_memory_usage' })).toEqual([]);
  expect((await alerts.testAlertRule('high_memory_usage', { value: 86 })).value).toEqual({ value: 86, matches: true });
  await collector.removeAlertRule('high_memory_usage');
  await expect(createClient(connection).alerts.rule('high_memory_usage')).rejects.toMatchObject({
    code: 'alerts/unknown-rule',
  });
});

test('who may read may not write, and switched off they are told to be', async () => {
  expect((await call('POST', '/rules', memory, {}, 'service')).body.code).toBe('access/forbidden');
  expect((await call('GET', '/rules', undefined, {}, 'user')).body.code).toBe('access/forbidden');
  enabled = false;
  expect((await call('GET', '/rules')).body).toMatchObject({ code: 'feature/disabled' });
  expect((await call('GET', '/active')).body).toMatchObject({ code: 'feature/disabled' });
  enabled = true;
});
