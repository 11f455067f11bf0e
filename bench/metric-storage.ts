import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
// Below the door of the slice: what is measured is what lies behind it.
import { encodeBlock, type Samples } from '../src/metrics/block.ts';
import { createBlockReader } from '../src/metrics/block-reader.ts';
import { createBlockStore } from '../src/metrics/block-store.ts';
import { runQuery } from '../src/metrics/query.ts';
import { createMetricRegistry } from '../src/metrics/registry.ts';
import { metricsMigrations } from '../src/migrations/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { migrate, openSqlite } from '../src/platform/database/index.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { cpuMs, isThere, sleep, startServer, temporaryFolder } from './processes.ts';
import { type Bench, median, Skipped } from './report.ts';

type Recorded = {
  readonly times: Float64Array;
  readonly series: readonly { name: string; counter: boolean; values: Float64Array }[];
};

/** 115 series of a machine under mixed work, sampled each second for 20 minutes with the sampler's real time stamps. */
function readRecorded(rows: number): Recorded {
  const text = gunzipSync(readFileSync(join(import.meta.dirname, 'data/host-series.ndjson.gz'))).toString();
  const [head = '', ...lines] = text.trimEnd().split('\n');
  const { names, kinds } = JSON.parse(head) as { names: string[]; kinds: string[] };
  const table = lines.slice(0, rows).map((line) => JSON.parse(line) as number[]);
  return {
    times: Float64Array.from(table, (row) => row[0] ?? 0),
    series: names.map((name, i) => ({
      name,
      counter: kinds[i] === 'c',
      values: Float64Array.from(table, (row) => row[i + 1] ?? 0),
    })),
  };
}

/** The same over and over, while counters go on growing. */
function repeated({ times, series }: Recorded, often: number): Recorded {
  const n = times.length;
  const spanMs = times[n - 1]! - times[0]! + 1_000;
  const at = (i: number): number => Math.floor(i / n);
  return {
    times: Float64Array.from({ length: n * often }, (_, i) => times[i % n]! + at(i) * spanMs),
    // Two metrics, so that one question is about all series of a kind.
    series: series.map(({ counter, values }, id) => {
      const name = `${counter ? 'host_total' : 'host_level'}{id="${id}"}`;
      const grown = counter ? values[n - 1]! - values[0]! : 0;
      return {
        name,
        counter,
        values: Float64Array.from({ length: n * often }, (_, i) => values[i % n]! + at(i) * grown),
      };
    }),
  };
}

function nameOf(written: string): { name: string; labels: Record<string, string> } {
  const [, name = written, inside = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(written) ?? [];
  return {
    name,
    labels: Object.fromEntries(
      [...inside.matchAll(/(\w+)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value]),
    ),
  };
}

const sizeOf = (path: string): number =>
  statSync(path).isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
    : statSync(path).size;

function writeOpenMetrics({ times, series }: Recorded, path: string): void {
  const file = openSync(path, 'w');
  const families = Map.groupBy(series, ({ name }) => nameOf(name).name);
  for (const [family, members] of families) {
    const counter = members[0]?.counter === true && family.endsWith('_total');
    writeSync(
      file,
      `# TYPE ${counter ? family.slice(0, -'_total'.length) : family} ${counter ? 'counter' : 'unknown'}\n`,
    );
    for (const { name, values } of members)
      writeSync(file, Array.from(times, (at, i) => `${name} ${values[i]} ${(at / 1_000).toFixed(3)}\n`).join(''));
  }
  writeSync(file, '# EOF\n');
  closeSync(file);
}

export const metricStorage: Bench = {
  name: 'metric-storage',
  async run(size) {
    if (!isThere('promtool') || !isThere('prometheus')) throw new Skipped('prometheus and promtool are not installed');
    const [rows, often, rounds] = size === 'full' ? [1_200, 8, 11] : [120, 1, 1];
    const folder = temporaryFolder();
    const recorded = readRecorded(rows);
    const samples = recorded.times.length * recorded.series.length;

    // P5: what the database file grew by against the whole block of Prometheus and the data of VictoriaMetrics.
    const store = async (of: Recorded, name: string) => {
      const path = join(folder, `${name}.sqlite`);
      const db = openSqlite({ name: 'metrics', path, synchronous: 'NORMAL', log: silentLogger });
      await migrate(db, metricsMigrations);
      await db.copyTo(join(folder, `${name}.empty.sqlite`));
      const empty = statSync(join(folder, `${name}.empty.sqlite`)).size;
      const blocks = createBlockStore(db);
      for (let from = 0; from < of.times.length; from += 600) {
        const times = of.times.slice(from, from + 600);
        const series = of.series
          .map(
            (one): Samples => ({
              ...nameOf(one.name),
              type: one.counter ? 'counter' : 'gauge',
              kind: 'samples',
              times,
              values: one.values.slice(from, from + 600),
            }),
          )
          .sort((a, b) => (a.name < b.name ? -1 : 1));
        const [firstMs, lastMs] = [times[0]!, times[times.length - 1]!];
        const payload = await encodeBlock(series, 'well');
        await blocks.put('raw', { instance: 'i1', startMs: firstMs, firstMs, lastMs, items: times.length, payload });
      }
      await db.copyTo(join(folder, `${name}.copy.sqlite`));
      return { db, bytes: statSync(join(folder, `${name}.copy.sqlite`)).size - empty };
    };
    const mine = await store(recorded, 'small');
    await mine.db.close();
    writeOpenMetrics(recorded, join(folder, 'small.txt'));
    execFileSync(
      'promtool',
      ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'small.txt'), join(folder, 'small-tsdb')],
      {
        stdio: 'ignore',
      },
    );
    const prometheusBytes = sizeOf(join(folder, 'small-tsdb'));
    let victoriaBytes = Number.NaN;
    const importTo = async (url: string, of: Recorded): Promise<void> => {
      for (const { name, values } of of.series)
        await fetch(`${url}/api/v1/import/prometheus`, {
          method: 'POST',
          body: Array.from(of.times, (at, i) => `${name} ${values[i]} ${at}\n`).join(''),
        });
      await fetch(`${url}/internal/force_flush`);
      await sleep(1_500);
      await fetch(`${url}/internal/force_merge`);
      await sleep(2_500);
    };
    const victoria = (data: string) =>
      startServer(
        'victoria-metrics',
        (port) => [
          `-storageDataPath=${data}`,
          `-httpListenAddr=127.0.0.1:${port}`,
          '-retentionPeriod=100y',
          '-loggerLevel=ERROR',
          '-search.disableCache',
        ],
        '/health',
      );
    const withVictoria = isThere('victoria-metrics');
    if (withVictoria) {
      const server = await victoria(join(folder, 'small-vm'));
      await importTo(server.url, recorded);
      await server.stop();
      victoriaBytes = sizeOf(join(folder, 'small-vm', 'data')) + sizeOf(join(folder, 'small-vm', 'indexdb'));
    }

    // P6: the same question over the same samples; theirs over HTTP, ours from the store, its blocks read anew and as kept.
    const long = repeated(recorded, often);
    const longSamples = long.times.length * long.series.length;
    const { db } = await store(long, 'long');
    const [fromMs, toMs] = [long.times[0]!, long.times[long.times.length - 1]!];
    const wanted = { average: ['host_level', 'host_total'], rate: ['host_total'], p95: ['host_level'] };
    const damagedBlocks = createMetricRegistry({ clock: systemClock }).counter({ name: 'damaged_total', help: 'x' });
    const askOurs = async (aggregation: 'average' | 'p95' | 'rate', caching: boolean): Promise<number> => {
      const blocks = createBlockStore(db);
      const reader = createBlockReader({ store: blocks, log: silentLogger, damagedBlocks, caching });
      const source = {
        read: (tier: 'raw' | '5m' | '1h', from: number, to: number) => reader.read(tier, from, to),
        extent: (tier: 'raw' | '5m' | '1h') => blocks.extent(tier),
      };
      const work = async (): Promise<void> => {
        for (const name of wanted[aggregation]) await runQuery(source, { name, aggregation, fromMs, toMs });
      };
      if (caching) await work();
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1_000;
    };
    mkdirSync(join(folder, 'long-vm'));
    const server = withVictoria ? await victoria(join(folder, 'long-vm')) : await startPrometheus(folder, long);
    if (withVictoria) await importTo(server.url, long);
    const seconds = Math.ceil((toMs - fromMs) / 1_000);
    const functions = { average: 'avg_over_time', p95: 'quantile_over_time', rate: 'rate' } as const;
    const askTheirs = async (aggregation: keyof typeof functions): Promise<number> => {
      const before = cpuMs(server.pid);
      const first = aggregation === 'p95' ? '0.95, ' : '';
      const query = `${functions[aggregation]}(${first}{__name__=~"${wanted[aggregation].join('|')}"}[${seconds}s])`;
      const answer = await fetch(`${server.url}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query, time: String(toMs / 1_000) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${query.slice(0, 80)}: ${answer.status} ${text.slice(0, 200)}`);
      return cpuMs(server.pid) - before;
    };
    const asked = ['average', 'rate', 'p95'] as const;
    const found = new Map<string, number[]>();
    const note = (key: string, value: number): void => void found.set(key, [...(found.get(key) ?? []), value]);
    for (let round = -1; round < rounds; round += 1)
      for (const aggregation of asked) {
        const figures = [
          await askTheirs(aggregation),
          await askOurs(aggregation, true),
          await askOurs(aggregation, false),
        ];
        if (round >= 0) for (const [i, value] of figures.entries()) note(`${aggregation} ${i}`, value);
      }
    await server.stop();
    await db.close();
    const took = (aggregation: string, who: number): number => median(found.get(`${aggregation} ${who}`) ?? []);
    const peer = withVictoria ? 'VictoriaMetrics' : 'Prometheus';
    return {
      row: 'P5 and P6, the store of metrics',
      target:
        'at most 1.0 times the bytes of VictoriaMetrics and 0.4 of Prometheus; averages and rates over a million samples 1/10 of VictoriaMetrics’ CPU, exact percentiles 1.0.',
      method: `${recorded.series.length} recorded series of a machine under work, each second with real time stamps: ${samples} samples in blocks of ten minutes; what the database file grew by, indices and all. Questions over ${longSamples} samples, median of ${rounds} rounds in turn, CPU time; ours with blocks kept from an earlier question, and read anew. Percentiles are of what is no counter.`,
      columns: ['what', 'ragwarden', 'ragwarden, read anew', 'Prometheus', peer === 'Prometheus' ? '' : peer],
      lines: [
        [
          'bytes per sample',
          mine.bytes / samples,
          '',
          prometheusBytes / samples,
          Number.isNaN(victoriaBytes) ? '' : victoriaBytes / samples,
        ],
        ...asked.map((aggregation) => [
          `${aggregation}, CPU ms`,
          took(aggregation, 1),
          took(aggregation, 2),
          withVictoria ? '' : took(aggregation, 0),
          withVictoria ? took(aggregation, 0) : '',
        ]),
      ],
      figures: [
        { what: 'P5: bytes against Prometheus', value: mine.bytes / prometheusBytes, limit: 0.4, unit: 'times' },
        ...(withVictoria
          ? [{ what: 'P5: bytes against VictoriaMetrics', value: mine.bytes / victoriaBytes, limit: 1, unit: 'times' }]
          : []),
        {
          what: `P6: average, against ${peer}`,
          value: took('average', 1) / took('average', 0),
          limit: 0.1,
          unit: 'times',
        },
        { what: `P6: rate, against ${peer}`, value: took('rate', 1) / took('rate', 0), limit: 0.1, unit: 'times' },
        { what: `P6: exact p95, against ${peer}`, value: took('p95', 1) / took('p95', 0), limit: 1, unit: 'times' },
        {
          what: `average, blocks read anew, against ${peer}`,
          value: took('average', 2) / took('average', 0),
          unit: 'times',
        },
      ],
    };
  },
};

async function startPrometheus(folder: string, long: Recorded) {
  writeOpenMetrics(long, join(folder, 'long.txt'));
  const data = join(folder, 'long-tsdb');
  execFileSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'long.txt'), data], {
    stdio: 'ignore',
  });
  const config = join(folder, 'prometheus.yml');
  const file = openSync(config, 'w');
  writeSync(file, 'global: {}\n');
  closeSync(file);
  return startServer(
    'prometheus',
    (port) => [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    '/-/ready',
  );
}
