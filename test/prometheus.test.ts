import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWarden, type StartedWarden, type Warden } from '../src/app/index.ts';
import { readConfig } from '../src/config/index.ts';
import { createKillableWriter } from '../src/metrics/remote-write/killed-writer.fixture.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { filledIn, namesIn, queriesOf, readDashboards } from './grafana-queries.ts';
import { freePort } from './setup/free-port.ts';
import { memoryFolder } from './setup/memory-folder.ts';
import { hasPart } from './setup/parts.ts';
import { until } from './warden-harness.ts';

const folder = memoryFolder('prometheus');
let warden: Warden;
let started: StartedWarden;
let prometheus: ChildProcess;
let port: number;
let prometheusUrl: string;

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
    port = await freePort();
    prometheusUrl = `http://127.0.0.1:${port}`;
    const env = {
      RAGWARDEN_DATA_DIR: folder,
      RAGWARDEN_PORT: '0',
      LIGHTRAG_METRICS_PORT: '0',
      RAGWARDEN_GATEWAY_ENABLED: 'false',
      RAGWARDEN_INSTANCE: 'writer',
      // Nobody answers there, but what is known of a target is exposed.
      RAGWARDEN_TARGET_URL: 'http://127.0.0.1:9',
      STORE_TOKEN: 'a token that this store does not ask for',
    };
    const content = `metrics:
  remote_write:
    - {name: central, url: '${prometheusUrl}/api/v1/write', bearer_token_env: STORE_TOKEN, interval_seconds: 1, labels: {site: north}}
  read_back: {url: '${prometheusUrl}', match: {job: ragwarden, site: north}, resolution_seconds: 1}
  scrape:
    - {job: prometheus, url: '${prometheusUrl}/metrics', interval_seconds: 1}
`;
    const reading = readConfig({ env, cwd: folder, given: { name: 'settings', content } });
    warden = createWarden({ reading, log: silentLogger, command: 'serve' });
    started = await warden.start();
    const { recorder } = started.recording;
    for (const [name, use] of awkward)
      expect(recorder.record({ name, value: 2_500, use, labels: { path: 'a "quoted"\n\\ path' } })).toBeUndefined();
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: ragwarden
    static_configs: [{targets: ['${new URL(started.metrics ?? '').host}']}]
`,
    );
    prometheus = startPrometheus();
  });
  afterAll(async () => {
    await warden.stop('the test is over');
    await stopPrometheus();
    rmSync(folder, { recursive: true, force: true });
  });

  const startPrometheus = (): ChildProcess =>
    spawn(
      // The part is known by its promtool, which comes with it.
      'prometheus',
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'tsdb')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
        '--log.level=error',
      ],
      { stdio: 'ignore' },
    );
  const stopPrometheus = async (): Promise<void> => {
    if (prometheus.exitCode !== null) return;
    const ended = once(prometheus, 'exit');
    prometheus.kill('SIGTERM');
    await ended;
  };

  /** Every sample of the last hour, by series. */
  const samplesOf = async (
    selector: string,
  ): Promise<{ metric: Record<string, string>; values: [number, string][] }[]> => {
    const answer = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(`${selector}[1h]`)}`);
    return ((await answer.json()) as { data: { result: [] } }).data.result;
  };

  const query = async (text: string): Promise<{ metric: Record<string, string>; value: [number, string] }[]> => {
    const answer = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(text)}`).catch(
      () => undefined,
    );
    if (!answer?.ok) return [];
    return ((await answer.json()) as { data: { result: [] } }).data.result;
  };

  // First, since Prometheus takes five seconds until it begins to scrape.
  test('gets everything that was queued, though whoever writes is killed three times', async () => {
    const script = join(import.meta.dirname, '../src/metrics/remote-write/killed-writer.fixture.ts');
    const queue = join(folder, 'killed');
    const url = `${prometheusUrl}/api/v1/write`;
    await until('Prometheus', async () =>
      (await fetch(`${prometheusUrl}/-/ready`).catch(() => undefined))?.ok ? true : undefined,
    );
    let known = 0;
    for (let life = 0; life < 3; life += 1) {
      const child = spawn(process.execPath, [script, queue, url, String(known)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout })) {
        known = Number(line);
        lines += 1;
        if (lines === 25 + life) child.kill('SIGKILL');
      }
      expect((await exited)[1]).toBe('SIGKILL');
    }
    const { writer } = createKillableWriter(queue, url, known);
    await writer.start?.(new AbortController().signal);
    await until('an empty queue', () =>
      writer.status().segments === 0 && writer.status().lastSuccessMs ? true : undefined,
    );
    await writer.stop?.();
    const [found] = await samplesOf('killed_total{part="a"}');
    const values = new Set(found?.values.map(([, value]) => Number(value)));
    for (let counted = 1; counted <= known; counted += 1) expect(values.has(counted), `sample ${counted}`).toBe(true);
    expect(known).toBeGreaterThanOrEqual(25 + 26 + 27);
  });

  test('scrapes what there is, in OpenMetrics, and has what was recorded in base units', async () => {
    const up = await until('a scrape', async () => {
      const [found] = await query('up{job="ragwarden"}');
      if (found !== undefined) return found;
      return undefined;
    });
    const targets = await (await fetch(`${prometheusUrl}/api/v1/targets`)).json();
    expect(targets).toMatchObject({ data: { activeTargets: [{ lastError: '', health: 'up' }] } });
    expect(up.value[1]).toBe('1');
    const [took] = await query('ragwarden_app_request_duration_seconds_sum{path!="",instance!="writer"}');
    expect(Number(took?.value[1])).toBe(2.5);
    expect(took?.metric.path).toBe('a "quoted"\n\\ path');
    expect(Number((await query('ragwarden_app_jobs_total{instance!="writer"}'))[0]?.value[1])).toBe(2_500);
    const [cpu] = await query('ragwarden_component_health_status');
    expect(Number(cpu?.value[1])).toBeLessThanOrEqual(1);
  });

  test('is scraped itself, every line of it, with its histograms and summaries', async () => {
    const ask = async (name: string, aggregation: 'last' | 'count' | 'sum') => {
      const nowMs = Date.now();
      const { series } = await started.recording.history.query({
        ...{ name, aggregation, match: { job: 'prometheus', instance: `127.0.0.1:${port}` }, groupBy: [] },
        ...{ fromMs: nowMs - 600_000, toMs: nowMs, stepMs: 3_600_000 },
      });
      return series[0]?.values.find((value) => value !== null);
    };
    const counted = await until('two scrapes of Prometheus', async () => {
      const found = await ask('prometheus_http_request_duration_seconds', 'count');
      return found ? found : undefined;
    });
    expect(counted).toBeGreaterThan(0);
    expect(await ask('up', 'last')).toBe(1);
    expect(await ask('scrape_samples_scraped', 'last')).toBeGreaterThan(300);
    expect(await ask('process_cpu_seconds_total', 'count')).toBeGreaterThan(0);
    expect(await ask('go_gc_duration_seconds', 'last')).toBeGreaterThanOrEqual(0);
    expect(started.recording.recorder.stats.refused).toBe(0);
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

  /** Of a store, as ragwarden shows it itself. */
  const shown = async (name: string): Promise<number> => {
    const body = await (await fetch(`${started.metrics}/metrics`)).text();
    return Number(new RegExp(`^ragwarden_remote_write_${name}\\{store="central"\\} (.+)$`, 'm').exec(body)?.[1]);
  };

  test('is written the same series that it scrapes, with the same values, counters from zero on', async () => {
    const own = { instance: 'writer', job: 'ragwarden', site: 'north' };
    const plain = ({ metric: { instance, job, site, ...labels }, value }: Awaited<ReturnType<typeof query>>[number]) =>
      JSON.stringify([Object.entries(labels).sort(), value[1]]);
    const selector = (where: string) => `{__name__=~"ragwarden_app_.*",path!="",${where}}`;
    const written = await until('what was written', async () => {
      const found = await query(selector('instance="writer"'));
      return found.length > 0 ? found : undefined;
    });
    const scraped = await query(selector('instance!="writer"'));
    expect(written.map(plain).sort()).toEqual(scraped.map(plain).sort());
    expect(written.length).toBeGreaterThan(60);
    for (const { metric } of written) expect(metric).toMatchObject(own);
    const [jobs] = await samplesOf('ragwarden_app_jobs_total{instance="writer"}');
    expect(jobs?.values.slice(0, 2).map(([, value]) => value)).toEqual(['0', '2500']);
    // What a store was told of its own queue.
    expect(Number((await query('ragwarden_remote_write_sent_samples_total'))[0]?.value[1])).toBeGreaterThan(60);
    const { checks } = started.health.report();
    expect(checks.find(({ name }) => name === 'remote write central')?.result.status).toBe('healthy');
  });

  test('tells what it was written, under our names and in our units, when a chart asks for it', async () => {
    const token = readFileSync(join(folder, 'local-token'), 'utf8').trim();
    type Found = {
      sources: { tier: string }[];
      series: { labels: Record<string, string>; values: (number | null)[] }[];
      store_error: unknown;
    };
    const ask = async (source: string, query: Record<string, string>, status = 200): Promise<Found> => {
      const search = new URLSearchParams({ step_seconds: '86400', ...query, ...(source === '' ? {} : { source }) });
      const answer = await fetch(`${started.api}/api/v1/metrics/query?${search}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const body = (await answer.json()) as Found;
      expect(answer.status, JSON.stringify(body)).toBe(status);
      return body;
    };
    const lastOf = ({ series }: Found): number => series[0]?.values.findLast((value) => value !== null) ?? Number.NaN;
    for (const [name, aggregation, within] of [
      ['request_duration', 'average', 0],
      ['Latency:p99_ms_total', 'max', 0],
      ['cacheHitPercent', 'last', 0],
      // Buckets and what a store makes of growth are no more exact than that.
      ['request_duration', 'p95', 0.05],
      ['jobs_total', 'increase', 0.2],
      ['kilobytes_read_summary', 'increase', 0.2],
    ] as const) {
      const theirs = await ask('store', { name, aggregation });
      const ours = await ask('own', { name, aggregation });
      expect(theirs.series[0]?.labels, name).toEqual(ours.series[0]?.labels);
      const [their, our] = [lastOf(theirs), lastOf(ours)];
      expect(Math.abs(their / our - 1), `${name}: ${their} and ${our}`).toBeLessThanOrEqual(within + 1e-9);
      expect(theirs.sources.map(({ tier }) => tier)).toEqual(['store']);
      expect(ours.sources.map(({ tier }) => tier)).toEqual(['raw']);
    }
    // What is older than the own tiers is asked for there by itself.
    const from = new Date(Date.now() - 3_600_000).toISOString();
    const both = await ask('', {
      name: 'cacheHitPercent',
      aggregation: 'max',
      from,
      group_by: 'path',
      step_seconds: '600',
    });
    expect(both.sources.map(({ tier }) => tier)).toEqual(['store', 'raw']);
    expect(both.store_error).toBeNull();
    await ask('store', { name: 'jobs_total', aggregation: 'count' }, 422);
  });

  test('understands every query of the Grafana dashboards, and each asks for metrics and labels that there are', async () => {
    const { registry, recording } = started;
    /** Labels of a metric by its name on `/metrics`, those of histograms under the names of their samples. */
    const known = new Map<string, ReadonlySet<string>>();
    for (const { definition } of registry.families()) {
      const recorded =
        definition.storedName === undefined ? undefined : recording.recorder.definition(definition.storedName);
      const labels = ['instance', 'job', ...definition.labelNames, ...(recorded?.tags ?? [])];
      if (definition.type !== 'histogram') known.set(definition.name, new Set(labels));
      else
        for (const end of ['bucket', 'sum', 'count'])
          known.set(`${definition.name}_${end}`, new Set([...labels, 'le']));
    }
    const slips: string[] = [];
    for (const [, dashboard] of readDashboards()) {
      for (const { where, expr, legend } of queriesOf(dashboard)) {
        const { selected, grouped, others } = namesIn(expr);
        for (const other of others) slips.push(`${where}: ${other}`);
        for (const { name, labels } of selected)
          for (const label of ['instance', ...labels])
            if (!known.get(name)?.has(label)) slips.push(`${where}: ${name} has no ${label}`);
        const shown = Array.from(legend.matchAll(/\{\{(\w+)\}\}/g), ([, label = '']) => label);
        const there = selected.map(({ name }) => known.get(name) ?? new Set());
        for (const label of [...grouped, ...shown])
          if (!there.every((labels) => labels.has(label))) slips.push(`${where}: there is no ${label}`);
        if (expr.includes(' by ('))
          for (const label of shown) if (!grouped.includes(label)) slips.push(`${where}: ${label} is summed away`);
        const answer = await fetch(`${prometheusUrl}/api/v1/query?query=${encodeURIComponent(filledIn(expr))}`);
        if (!answer.ok) slips.push(`${where}: ${await answer.text()}`);
      }
      for (const one of dashboard.templating.list)
        if (one.type === 'query') {
          const [, name = '', , label = ''] = /^label_values\((\w+)(\{.*\})?, (\w+)\)$/.exec(one.definition) ?? [];
          if (!known.get(name)?.has(label)) slips.push(`${dashboard.title}: ${one.definition}`);
        }
    }
    expect(slips).toEqual([]);
    const config = spawnSync('promtool', [
      'check',
      'config',
      '--syntax-only',
      join(import.meta.dirname, '../deploy/prometheus.yml'),
    ]);
    expect(config.status).toBe(0);
  });

  test('that was away for a while gets all of it afterwards', async () => {
    await stopPrometheus();
    const marker = started.recording.recorder.gauge({ name: 'outage_marker' }).labels();
    marker.set(41);
    const queued = await until('samples that wait', async () => (await shown('queued_samples')) || undefined);
    await until('more of them', async () => ((await shown('queued_samples')) > queued ? true : undefined));
    marker.set(42);
    prometheus = startPrometheus();
    await until('an empty queue', async () => ((await shown('queued_samples')) === 0 ? true : undefined));
    const values = await until('what was set afterwards', async () => {
      const [found] = await samplesOf('ragwarden_app_outage_marker{instance="writer"}');
      const all = found?.values.map(([, value]) => value);
      return all?.includes('42') ? all : undefined;
    });
    expect(values.indexOf('41')).toBe(0);
    expect([...new Set(values)]).toEqual(['41', '42']);
    expect(await shown('failed_requests_total')).toBeGreaterThan(0);
    const body = await (await fetch(`${started.metrics}/metrics`)).text();
    expect(body).not.toMatch(/^ragwarden_remote_write_dropped_samples_total\{/m);
  });
});
