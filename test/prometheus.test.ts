import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWarden, type StartedWarden, type Warden } from '../src/app/index.ts';
import { readConfig } from '../src/config/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { hasPart } from './setup/parts.ts';
import { until } from './warden-harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'ragwarden-prometheus-'));
let warden: Warden;
let started: StartedWarden;
let prometheus: ChildProcess;
let prometheusUrl: string;

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

/** Names as applications make them, on purpose against every habit of Prometheus. */
const awkward = [
  ['request_duration', 'timer'],
  ['request_duration_ms', 'timer'],
  ['Latency:p99_ms_total', 'gauge'],
  ['cacheHitPercent', 'gauge'],
  ['jobs_total', 'counter'],
  ['jobs', 'counter'],
  ['resource_sum', 'gauge'],
  ['queue_bucket', 'histogram'],
  ['minutes_of_work', 'gauge'],
  ['size_mb_histogram', 'histogram'],
  ['rate_per_minutes', 'rate'],
  ['x_info', 'gauge'],
  ['kilobytes_read_summary', 'counter'],
] as const;

describe.skipIf(!hasPart('prometheus'))('a real Prometheus', () => {
  beforeAll(async () => {
    const env = { RAGWARDEN_DATA_DIR: folder, RAGWARDEN_PORT: '0', LIGHTRAG_METRICS_PORT: '0' };
    warden = createWarden({ reading: readConfig({ env, cwd: folder }), log: silentLogger, command: 'serve' });
    started = await warden.start();
    const { recorder } = started.recording;
    for (const [name, use] of awkward)
      expect(recorder.record({ name, value: 2_500, use, labels: { path: 'a "quoted"\n\\ path' } })).toBeUndefined();
    const port = await freePort();
    prometheusUrl = `http://127.0.0.1:${port}`;
    const config = join(folder, 'prometheus.yml');
    writeFileSync(
      config,
      `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: ragwarden
    static_configs: [{targets: ['${new URL(started.metrics ?? '').host}']}]
`,
    );
    prometheus = spawn(
      // The part is known by its promtool, which comes with it.
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
  });
  afterAll(async () => {
    if (prometheus.exitCode === null) {
      const ended = new Promise((resolve) => prometheus.once('exit', resolve));
      prometheus.kill('SIGTERM');
      await ended;
    }
    await warden.stop('the test is over');
    rmSync(folder, { recursive: true, force: true });
  });

  const query = async (text: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> => {
    const answer = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(text)}`).catch(
      () => undefined,
    );
    if (!answer?.ok) return [];
    return ((await answer.json()) as { data: { result: [] } }).data.result;
  };

  test('scrapes what there is, in OpenMetrics, and has what was recorded in base units', async () => {
    const up = await until('a scrape', async () => {
      const [found] = await query('up{job="ragwarden"}');
      if (found !== undefined) return found;
      return undefined;
    });
    const targets = await (await fetch(`${prometheusUrl}/api/v1/targets`)).json();
    expect(targets).toMatchObject({ data: { activeTargets: [{ lastError: '', health: 'up' }] } });
    expect(up.value[1]).toBe('1');
    const [took] = await query('ragwarden_app_request_duration_seconds_sum{path!=""}');
    expect(Number(took?.value[1])).toBe(2.5);
    expect(took?.metric.path).toBe('a "quoted"\n\\ path');
    expect(Number((await query('ragwarden_app_jobs_total'))[0]?.value[1])).toBe(2_500);
    const [cpu] = await query('ragwarden_component_health_status');
    expect(Number(cpu?.value[1])).toBeLessThanOrEqual(1);
  });

  test('finds nothing to say about the whole exposition, whatever applications call their metrics', async () => {
    const body = await (await fetch(`${started.metrics}/metrics`)).text();
    expect(body.match(/^# TYPE ragwarden_app_/gm)?.length).toBeGreaterThanOrEqual(awkward.length + 13);
    for (const name of [
      'backup_restore_duration_seconds histogram',
      'backup_errors_total counter',
      'replication_operations_total counter',
      'replication_bytes_transferred_total counter',
      'recovery_validations_total counter',
      'recovery_validation_failures_total counter',
      'recovery_failovers_total counter',
      'health_check_duration_seconds histogram',
      'component_health_status gauge',
      'graphs gauge',
      'graph_entities gauge',
      'graph_relations gauge',
    ])
      expect(body.match(new RegExp(`^# TYPE ragwarden_${name}$`, 'gm')), name).toHaveLength(1);
    const said = spawnSync('promtool', ['check', 'metrics'], { input: body, encoding: 'utf8' });
    expect({ status: said.status, said: said.stdout + said.stderr }).toEqual({ status: 0, said: '' });
  });
});
