import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { systemClock } from '../platform/clock.ts';
import { createDocumentMetrics, statusClass } from './document-metrics.ts';
import { chooseExposition, renderExposition } from './exposition.ts';
import { createMetricsHandler } from './metrics-routes.ts';
import { createProcessMetrics, setBuildInfo } from './process-metrics.ts';
import { createMetricRegistry, type MetricRegistry } from './registry.ts';

const newRegistry = (): MetricRegistry => createMetricRegistry({ clock: systemClock });
const text = 'text/plain; version=0.0.4; charset=utf-8';
const openmetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

test.each([
  [undefined, 'text'],
  ['', 'text'],
  ['*/*', 'text'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'text'],
  ['text/plain;version=0.0.4', 'text'],
  ['application/openmetrics-text', 'openmetrics'],
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  ['application/openmetrics-text; version=0.0.1', 'text'],
  ['application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;q=0.7', 'text'],
  ['application/openmetrics-text;q=0', 'text'],
  ['application/openmetrics-text;q=nonsense', 'text'],
])('Accept %s gives %s', (accept, format) => {
  expect(chooseExposition(accept)).toBe(format);
});

test('a family is written once, with its samples in the order of their labels', () => {
  const registry = newRegistry();
  const runs = registry.counter({ name: 'runs_total', help: 'Runs.', labels: ['target'] });
  runs.labels('b').inc(2);
  runs.labels('a').inc();
  expect(renderExposition([runs.family], 'text')).toBe(
    '# HELP runs_total Runs.\n# TYPE runs_total counter\nruns_total{target="a"} 1\nruns_total{target="b"} 2\n',
  );
  expect(renderExposition([runs.family], 'openmetrics')).toBe(
    '# HELP runs Runs.\n# TYPE runs counter\nruns_total{target="a"} 1\nruns_total{target="b"} 2\n# EOF\n',
  );
});

test('label values and help are escaped', () => {
  const registry = newRegistry();
  const level = registry.gauge({ name: 'level', help: 'a\\b\n"c"', labels: ['x'] });
  level.labels('q"\\\n').set(1);
  expect(renderExposition([level.family], 'text')).toBe(
    '# HELP level a\\\\b\\n"c"\n# TYPE level gauge\nlevel{x="q\\"\\\\\\n"} 1\n',
  );
  expect(renderExposition([level.family], 'openmetrics')).toContain('# HELP level a\\\\b\\n\\"c\\"\n');
});

test.each([
  [Number.NaN, 'NaN'],
  [Infinity, '+Inf'],
  [-Infinity, '-Inf'],
  [0.1, '0.1'],
  [1e21, '1e+21'],
  [1_234_567_890, '1234567890'],
])('the value %d is spelled %s', (value, spelled) => {
  const level = newRegistry().gauge({ name: 'level', help: 'x' });
  level.set(value);
  expect(renderExposition([level.family], 'text')).toContain(`\nlevel ${spelled}\n`);
});

test('a histogram has cumulative buckets, sum and count, a value on a bound belonging to it', () => {
  const took = newRegistry().histogram({ name: 'took_seconds', help: 'x', unit: 'seconds', buckets: [0.5, 1] });
  for (const value of [0.5, 0.75, 3, Number.NaN, -1]) took.observe(value);
  expect(took.count()).toBe(3);
  expect(renderExposition([took.family], 'text')).toBe(
    '# HELP took_seconds x\n# TYPE took_seconds histogram\ntook_seconds_bucket{le="0.5"} 1\ntook_seconds_bucket{le="1"} 2\n' +
      'took_seconds_bucket{le="+Inf"} 3\ntook_seconds_sum 4.25\ntook_seconds_count 3\n',
  );
  expect(renderExposition([took.family], 'openmetrics')).toContain(
    '# UNIT took_seconds seconds\ntook_seconds_bucket{le="0.5"} 1\ntook_seconds_bucket{le="1.0"} 2\n',
  );
});

test('the seven families of the document are there before anything happened, with true types and no invented sample', async () => {
  const registry = newRegistry();
  createDocumentMetrics(registry);
  const { body } = await createMetricsHandler(registry)(undefined);
  for (const [name, type] of [
    ['backup_snapshots_total', 'counter'],
    ['backup_size_bytes', 'gauge'],
    ['replication_lag_seconds', 'gauge'],
    ['replication_errors_total', 'counter'],
    ['recovery_points_total', 'untyped'],
    ['health_check_failures_total', 'counter'],
    ['request_duration_seconds', 'histogram'],
  ] as const) {
    expect(body.match(new RegExp(`^# HELP ${name} .+$`, 'gm'))).toHaveLength(1);
    expect(body.match(new RegExp(`^# TYPE ${name} ${type}$`, 'gm'))).toHaveLength(1);
    expect(body).not.toMatch(new RegExp(`^${name}`, 'm'));
  }
});

const filled = (): MetricRegistry => {
  const registry = newRegistry();
  const document = createDocumentMetrics(registry);
  document.backupSnapshots.labels('default', 'success').inc();
  document.backupSizeBytes.labels('default').set(1_048_576);
  document.replicationErrors.labels('default', 'far "away"\n').inc();
  document.setRecoveryPoints('default', 3);
  document.healthCheckFailures.labels('default', 'pipeline').inc();
  document.requestDurationSeconds.labels('GET', '/api/v1/x', statusClass(204)).observe(0.2);
  setBuildInfo(registry, '0.1.0');
  return registry;
};

test('the handler answers in the format that was asked for, with its exact content type', async () => {
  const handle = createMetricsHandler(filled());
  expect((await handle(undefined)).contentType).toBe(text);
  const open = await handle('application/openmetrics-text;version=1.0.0');
  expect(open.contentType).toBe(openmetrics);
  expect(open.body.endsWith('# EOF\n')).toBe(true);
  expect(open.body).toContain('# TYPE recovery_points_total unknown\nrecovery_points_total{target="default"} 3\n');
});

const promtool = spawnSync('promtool', ['--version'], { stdio: 'ignore' });
test.skipIf(promtool.error !== undefined && process.env.CI !== 'true')('promtool has nothing to say', async () => {
  const registry = filled();
  const part = createProcessMetrics(registry);
  await part.start?.(new AbortController().signal);
  const { body } = await createMetricsHandler(registry)(undefined);
  await part.stop?.();
  const result = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
  expect({ status: result.status, said: result.stdout + result.stderr }).toEqual({ status: 0, said: '' });
});

test('the process is measured, not guessed', async () => {
  const registry = newRegistry();
  const part = createProcessMetrics(registry);
  await part.start?.(new AbortController().signal);
  const { body } = await createMetricsHandler(registry)(undefined);
  await part.stop?.();
  await part.stop?.();
  const value = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(body)?.[1]);
  const used = process.cpuUsage();
  expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect(value('process_cpu_seconds_total')).toBeLessThanOrEqual((used.user + used.system) / 1e6);
  expect(value('process_virtual_memory_bytes')).toBeGreaterThan(value('process_resident_memory_bytes'));
  expect(value('process_open_fds')).toBeGreaterThan(2);
  expect(value('process_max_fds')).toBeGreaterThan(value('process_open_fds'));
  expect(value('process_start_time_seconds')).toBeLessThan(Date.now() / 1_000);
  expect(body).toContain(`nodejs_version_info{version="${process.version}"`);
});
