import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEventLog, type EventLog } from '../events/index.ts';
import { createMetricsHandler } from '../metrics/index.ts';
import { openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { isoInstant } from '../platform/clock.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createHttpServer, type HttpServer, type Role } from '../platform/http/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createClient, ResourceAnalyzer } from '../sdk/index.ts';
import { type Analytics, createAnalytics } from './analytics.ts';
import { boundedAnalytics } from './analytics-growth.ts';
import { registerAnalyticsMetrics } from './analytics-metrics.ts';
import { analyticsRoutes } from './analytics-routes.ts';
import type { LeakFact } from './leak-fact.ts';

const hourMs = 3_600_000;
const minuteMs = 60_000;
const clock = createFakeClock();
let made: TestMetrics;
let state: TestState;
let events: EventLog;
let analytics: Analytics;
let server: HttpServer;
let windowMs = 168 * hourMs;
let leaks: LeakFact[] | undefined = [];

beforeAll(async () => {
  made = await openMetrics({ clock });
  state = await openTestState();
  events = createEventLog({ db: state.db, clock, instance: 'i1' });
  analytics = createAnalytics({
    history: made.metrics.history,
    ports: {
      definitions: () => made.metrics.recorder.definitions(),
      leaks: () => leaks,
      machine: () => undefined,
      quotas: async () => ({ series: [], forecasts: [], leftOut: 0 }),
    },
    settings: () => ({ windowMs, intervalMs: 900_000, maxSeries: 100 }),
    ...{ instance: 'i1', fleet: undefined, db: state.db, events, clock, log: silentLogger },
  });
  registerAnalyticsMetrics(made.registry, analytics);
  server = createHttpServer({
    ...{ log: silentLogger, clock, allowedHosts: () => [] },
    authenticate: async ({ headers }) => ({
      ...{ subject: 'somebody', workspaces: 'all', via: 'token' },
      role: String(headers['x-role'] ?? 'admin') as Role,
    }),
  });
  await server.register(analyticsRoutes({ analytics, enabled: true, windowHours: () => windowMs / hourMs }));
});
afterAll(async () => {
  await server.close();
  await made.remove();
  await state.remove();
});

const base = '/api/v1/metrics/analytics';
const ask = async (path: string, post?: unknown, role = 'admin') => {
  const answer = await server.inject({
    method: post === undefined ? 'GET' : 'POST',
    url: `${base}${path}`,
    headers: { 'x-role': role, ...(post === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(post === undefined ? {} : { payload: JSON.stringify(post) }),
  });
  return { status: answer.statusCode, body: answer.json() };
};
/** What the store is told between two moments, every five minutes. */
async function live(hours: number, tell: (hour: number) => void): Promise<void> {
  for (let minute = 0; minute < hours * 60; minute += 5) {
    tell(clock.now() / hourMs);
    await made.metrics.history.sampleOnce();
    await clock.advance(5 * minuteMs);
    // What is not flushed within an hour is given up.
    if (minute % 30 === 0) await made.metrics.history.rollUpOnce();
  }
}
const wave = (hour: number): number => Math.sin(hour * 7.3) + Math.sin(hour * 3.1);
let begunHour: number;

test('with nothing recorded nothing is said, and no number is made of nothing', async () => {
  const { status, body } = await ask('/profiles');
  expect(status).toBe(200);
  expect(body).toMatchObject({ time_window_hours: 168, profiles: {}, left_out: 0 });
  const nothing = { items: [], next_cursor: null, looked_at: isoInstant(clock.now()) };
  expect((await ask('/patterns')).body).toEqual({ ...nothing, total: 0 });
  expect((await ask('/recommendations')).body).toEqual({ ...nothing, total: 0 });
  expect((await ask('/forecasts')).body).toEqual(nothing);
});

describe('after thirty hours', () => {
  beforeAll(async () => {
    const { recorder } = made.metrics;
    const cpu = recorder.gauge({ name: 'system_cpu_percent' }).labels();
    const disk = recorder.gauge({ name: 'system_disk_usage_percent' }).labels();
    const memory = recorder.gauge({ name: 'system_memory_percent' }).labels();
    const worker = recorder.gauge({ name: 'queue_depth' }).labels({ instance: 'app-7:9100' });
    const young = recorder.gauge({ name: 'young_thing', unit: 'bytes' });
    const work = recorder.counter({ name: 'agent_executions' }).labels();
    begunHour = clock.now() / hourMs;
    await live(30, (hour) => {
      cpu.set(8 + wave(hour));
      disk.set(70 + 0.4 * (hour - begunHour) + 0.05 * wave(hour));
      memory.set(40 + 0.1 * (hour - begunHour) + 0.02 * wave(hour));
      worker.set(5 + wave(hour));
      work.inc(2.5);
      if (hour - begunHour > 29.5) young.labels().set(1);
    });
  });

  test('each resource has a profile with every field filled', async () => {
    const { body } = await ask('/profiles');
    expect(Object.keys(body.profiles).sort()).toEqual([
      ...['agent_executions', 'cpu', 'disk', 'memory', 'metric:queue_depth{instance="app-7:9100"}'],
    ]);
    const { cpu, disk, agent_executions: work } = body.profiles;
    expect(cpu).toMatchObject({ resource_type: 'cpu', unit: 'percent', provided: 100, provided_basis: 'capacity' });
    expect(cpu.average_usage).toBeCloseTo(8, 0);
    expect(cpu.efficiency_score).toBeCloseTo(cpu.average_usage / 100, 10);
    expect(cpu.waste_percentage).toBeCloseTo(100 - cpu.p95_usage, 10);
    expect(cpu.peak_usage).toBeGreaterThan(cpu.p95_usage);
    expect(cpu.usage_variance).toBeGreaterThan(0);
    expect(cpu.total_usage).toBeCloseTo((cpu.average_usage * cpu.samples * cpu.step_seconds) / 3_600, 6);
    expect(disk.growth_rate).toBeCloseTo(0.4, 1);
    // So many every five minutes, as a flow.
    expect(work).toMatchObject({ kind: 'flow', total_unit: 'executions' });
    expect(work.average_usage).toBeCloseTo(30, 0);
    expect(disk.patterns.map((one: { pattern_type: string }) => one.pattern_type)).toContain('gradual_growth');
    expect(disk.recommendations).toHaveLength(1);
    expect(body.unprofiled).toEqual([
      expect.objectContaining({ resource: 'metric:young_thing', samples: expect.any(Number) }),
    ]);
    expect(body.unprofiled[0].samples).toBeLessThan(10);
    expect((await ask('/profiles?resource_type=cpu')).body.profiles).toEqual({ cpu });
  });

  test('the window is a parameter', async () => {
    const { body } = await ask('/profiles?window_hours=6');
    expect(body.time_window_hours).toBe(6);
    expect(body.profiles.cpu.time_window_hours).toBeLessThanOrEqual(6);
    expect(body.profiles.disk.average_usage).toBeGreaterThan(80);
  });

  test('patterns are told by their confidence, with figures, and can be asked for by type', async () => {
    const { body } = await ask('/patterns');
    const confidences = body.items.map(({ confidence }: { confidence: number }) => confidence);
    expect(confidences).toEqual([...confidences].sort((a, b) => b - a));
    expect(body.total).toBe(body.items.length);
    const growth = (await ask('/patterns?pattern_type=gradual_growth&resource_type=disk')).body.items[0];
    expect(growth).toMatchObject({ resource: 'disk', ended_at: null });
    expect(growth.metrics.slope_per_hour).toBeCloseTo(0.4, 1);
    expect(Date.parse(growth.time_window_end)).toBeGreaterThan(Date.parse(growth.time_window_start));
    const idle = (await ask('/patterns?pattern_type=underutilization')).body.items[0];
    expect(idle.metrics).toMatchObject({ capacity: 100 });
    expect(idle.metrics.utilization_ratio).toBeLessThan(0.1);
    expect((await ask('/patterns?pattern_type=memory_leak')).body.total).toBe(0);
  });

  test('pages go on where they ended', async () => {
    const first = (await ask('/patterns?limit=1')).body;
    const second = (await ask(`/patterns?limit=1&cursor=${first.next_cursor}`)).body;
    expect(first.total).toBe(second.total);
    expect(second.items[0].pattern_id).not.toBe(first.items[0].pattern_id);
    for (const query of ['limit=101', 'limit=0', 'cursor=', 'pattern_type=other'])
      expect((await ask(`/patterns?${query}`)).status, query).toBe(422);
    expect((await ask('/profiles?window_hours=1000')).status).toBe(422);
  });

  test('a disk that fills is told with an interval, and how the same method did before', async () => {
    const { body } = await ask('/forecasts');
    const disk = body.items[0];
    expect(disk).toMatchObject({ resource: 'disk', state: 'fills', limit: 100, unit: 'percent', basis: 'trend' });
    const inHours = (at: string): number => (Date.parse(at) - clock.now()) / hourMs;
    const left = (100 - (70 + 0.4 * 30)) / 0.4;
    expect(inHours(disk.earliest)).toBeLessThan(left + 0.5);
    expect(inHours(disk.latest)).toBeGreaterThan(left - 0.5);
    expect(inHours(disk.reached_at)).toBeCloseTo(left, -1);
    expect(disk.hold_out.error).toBeLessThan(disk.hold_out.error_of_no_change);
    const cpu = body.items.find(({ resource }: { resource: string }) => resource === 'cpu');
    expect(cpu).toMatchObject({ state: 'no_trend', reached_at: null, per_hour: null });
    expect(cpu.message).toContain('No trend');
  });

  test('what to do rests on a pattern and comes with figures and steps, the gravest first', async () => {
    const { body } = await ask('/recommendations');
    const [disk, memory] = body.items;
    expect(disk).toMatchObject({ optimization_type: 'cleanup', priority: 'high', resource: 'disk', state: 'open' });
    expect(disk.estimated_savings.amount).toBeCloseTo(0.4 * 720 - (100 - 82), -1);
    expect(disk.estimated_savings).toMatchObject({ unit: 'percent', basis: expect.stringContaining('30 days') });
    expect(memory).toMatchObject({ optimization_type: 'architecture', priority: 'medium', resource: 'memory' });
    // Thirty idle hours are no reason to buy a smaller machine.
    expect(body.total).toBe(2);
    const known = (await ask('/patterns')).body.items.map(({ pattern_id: id }: { pattern_id: string }) => id);
    for (const { evidence, steps } of body.items) {
      expect(known).toEqual(expect.arrayContaining(evidence));
      expect(evidence).not.toEqual([]);
      expect(steps.length).toBeGreaterThan(1);
    }
    expect((await ask('/recommendations?priority=medium')).body.items).toEqual([memory]);
    expect((await ask('/recommendations?optimization_type=caching')).body.total).toBe(0);
  });

  test('what is sure is told as an event once, however often it is looked for', async () => {
    expect((await ask('/run', {})).status).toBe(200);
    expect((await ask('/run', {})).body).toMatchObject({ series: 6, patterns: 3 });
    const told = await events.list({ types: ['metrics.pattern-found'], limit: 10 });
    expect(told.map(({ data }) => (data as { resource: string }).resource).sort()).toEqual(['cpu', 'disk', 'memory']);
  });

  test('and shows on /metrics', async () => {
    const { body: text } = await createMetricsHandler(made.registry)(undefined);
    expect(text).toContain('ragwarden_analytics_patterns{pattern_type="gradual_growth"} 2');
    expect(text).toContain('ragwarden_analytics_recommendations{priority="high"} 1');
    expect(text).toContain('ragwarden_analytics_series 6');
  });

  test('somebody dismisses one with a reason, which is in the trail; it stays so until it is reopened', async () => {
    const find = async (state: string) =>
      (await ask(`/recommendations?state=${state}&resource_type=memory`)).body.items[0];
    const { recommendation_id: id } = await find('open');
    expect((await ask(`/recommendations/${id}/dismiss`, {})).status).toBe(422);
    expect((await ask(`/recommendations/${id}/dismiss`, { reason: 'r' }, 'service')).status).toBe(403);
    const { body } = await ask(`/recommendations/${id}/dismiss`, { reason: 'drills need the cores' });
    expect(body).toMatchObject({ state: 'dismissed', dismissed: { by: 'somebody', reason: 'drills need the cores' } });
    // Before the next look.
    const { body: text } = await createMetricsHandler(made.registry)(undefined);
    expect(text).toContain('ragwarden_analytics_recommendations{priority="medium"} 0');
    await ask('/run', {});
    expect(await find('open')).toBeUndefined();
    expect(await find('dismissed')).toMatchObject({ recommendation_id: id });
    const trail = await events.listAudit({ limit: 10 });
    expect(trail.find(({ action }) => action === 'analytics.dismiss')).toMatchObject({ object: id, actor: 'somebody' });
    expect((await ask(`/recommendations/${id}/reopen`, {})).body).toMatchObject({ state: 'open', dismissed: null });
    expect((await ask(`/recommendations/${id}/reopen`, {})).status).toBe(409);
    expect((await ask('/recommendations/rc_none/dismiss', { reason: 'r' })).status).toBe(404);
  });

  test('the library asks for the same', async () => {
    const options = {
      ...{ url: 'http://localhost', token: 't' },
      fetch: (async (input, init) => {
        const { pathname, search } = new URL(String(input));
        const answer = await server.inject({
          method: (init?.method ?? 'GET') as 'GET',
          url: pathname + search,
          headers: init?.headers as Record<string, string>, // a plain object is what the client makes
        });
        return new Response(answer.payload, { status: answer.statusCode, headers: answer.headers as HeadersInit });
      }) as typeof fetch,
    };
    const analyzer = new ResourceAnalyzer(options);
    expect((await analyzer.getResourceProfiles()).disk?.resource_type).toBe('disk');
    expect((await analyzer.getPatterns({ patternType: 'gradual_growth' }))[0]?.resource).toBe('disk');
    expect((await analyzer.getRecommendations())[0]?.resource).toBe('disk');
    expect((await createClient(options).analytics.forecasts()).items[0]?.state).toBe('fills');
  });
});

describe('when causes are gone', () => {
  test('a leak is told as the search for leaks tells it, and ends with it', async () => {
    leaks = [
      {
        ...{ key: 'leak:backend/memory', resourceType: 'memory', subject: 'backend', measure: 'memory', unit: 'bytes' },
        ...{ level: 'confirmed', confidence: 0.99, perHour: 1e6, grownPercent: 40, hours: 20, runs: 1 },
        ...{ sinceMs: clock.now() - 20 * hourMs, seenMs: clock.now(), description: 'It grows.', action: 'Restart it.' },
        closestHarmless: 'warm-up',
      },
    ];
    await ask('/run', {});
    const { items } = (await ask('/patterns?pattern_type=memory_leak')).body;
    expect(items).toEqual([
      expect.objectContaining({ resource: 'leak:backend/memory', confidence: 0.99, description: 'It grows.' }),
    ]);
    const { body } = await ask('/recommendations?optimization_type=cleanup&resource_type=memory');
    expect(body.items[0]).toMatchObject({ priority: 'high', estimated_savings: { amount: 20e6, unit: 'bytes' } });
    expect(body.items[0].steps.join()).toContain("ragwarden leaks evidence 'backend' memory");
    // A leak has events of its own.
    expect(await events.list({ types: ['metrics.pattern-found'], limit: 10 })).toHaveLength(3);
  });

  test('patterns end and recommendations resolve themselves an hour later; what nobody looked at does not', async () => {
    leaks = [];
    const disk = made.metrics.recorder.gauge({ name: 'system_disk_usage_percent' }).labels();
    const cpu = made.metrics.recorder.gauge({ name: 'system_cpu_percent' }).labels();
    const memory = made.metrics.recorder.gauge({ name: 'system_memory_percent' }).labels();
    windowMs = 8 * hourMs;
    await live(8, (hour) => {
      disk.set(50 + 0.1 * wave(hour));
      cpu.set(60 + wave(hour));
      memory.set(50 + 5 * wave(hour));
    });
    await ask('/run', {});
    expect((await ask('/recommendations')).body.items).toEqual([]);
    const resolved = (await ask('/recommendations?state=resolved')).body.items;
    expect(resolved.map((one: { resource: string }) => one.resource).sort()).toEqual([
      ...['disk', 'leak:backend/memory', 'memory'],
    ]);
    expect(resolved[0].resolved_at).not.toBeNull();
    expect((await ask('/patterns?ended=true')).body.total).toBe(4);
    expect((await ask('/patterns')).body.total).toBe(0);
    const { recommendation_id: id } = resolved[0];
    expect((await ask(`/recommendations/${id}/dismiss`, { reason: 'late' })).status).toBe(409);
  });

  test('what is over goes beyond its cap', async () => {
    const bounded = boundedAnalytics(state.db);
    expect(await bounded.measure()).toBe(7);
    expect(await bounded.trim(2, 100)).toBe(5);
    expect(await bounded.measure()).toBe(2);
    expect(await bounded.trim(2, 100)).toBe(0);
  });
});
