import { execFileSync, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import protobuf from 'protobufjs/light.js';
// Below the door of the slice: requests are made as others make them, from the same description.
import { otlpDescriptor } from '../src/metrics/otlp/otlp-messages.ts';
import { encodeWriteRequest } from '../src/metrics/remote-write/write-request.ts';
import { cpuMs, sleep, startScript, temporaryFolder } from './processes.ts';
import { adminToken, startProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

type Call = {
  readonly url: string;
  readonly headers: Record<string, string>;
  body(round: number): Uint8Array | string;
};
type Side = { readonly name: string; readonly pid: number; readonly call: Call; readonly us: number[] };

const requests = protobuf.Root.fromJSON(otlpDescriptor).lookupType('Request');

/** So many series, each with four labels, as one process that answers questions has them. */
const labelsOf = (i: number): Record<string, string> => ({
  'http.request.method': i % 3 === 0 ? 'POST' : 'GET',
  'http.route': `/api/v1/things/${Math.floor(i / 6)}`,
  'http.response.status_code': String(200 + (i % 6)),
  'server.address': 'one.example',
});
const attributesOf = (labels: Record<string, string>) =>
  Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } }));

const startNano = Date.now() * 1e6;

function otlpOf(series: number, atMs: number, value: number): Uint8Array {
  const nano = atMs * 1e6;
  const dataPoints = Array.from({ length: series }, (_, i) => ({
    ...{ startTimeUnixNano: startNano, timeUnixNano: nano, asInt: value + i, attributes: attributesOf(labelsOf(i)) },
  }));
  const sum = { dataPoints, aggregationTemporality: 2, isMonotonic: true };
  const resource = { attributes: attributesOf({ 'service.name': 'bench', 'service.instance.id': 'one' }) };
  const metrics = [{ name: 'bench.requests', unit: '{request}', sum }];
  return requests.encode({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] }).finish();
}

const plainLabels = (i: number): Record<string, string> =>
  Object.fromEntries(Object.entries(labelsOf(i)).map(([name, value]) => [name.replaceAll('.', '_'), value]));

function recordOf(series: number): string {
  const items = Array.from({ length: series }, (_, i) => ({
    ...{ name: 'bench_recorded', value: 1, type: 'counter', labels: plainLabels(i) },
  }));
  return JSON.stringify({ items });
}

const remoteOf = (series: number, atMs: number, value: number): Uint8Array =>
  encodeWriteRequest(
    Array.from({ length: series }, (_, i) => ({
      ...{ name: 'bench_requests_total', labels: Object.entries(plainLabels(i)).flat() },
      samples: [{ atMs, value: value + i }],
    })),
    { job: 'bench', instance: 'one' },
  );

const isThere = (program: string): boolean =>
  (process.env.PATH ?? '').split(':').some((folder) => existsSync(join(folder, program)));

/** Decodes what comes, and answers: what is left to whoever takes it in. */
const bareServer = `
const { createServer } = await import('node:http');
const { readFileSync } = await import('node:fs');
const protobuf = (await import(process.env.PROTOBUF)).default;
const requests = protobuf.Root.fromJSON(JSON.parse(readFileSync(process.env.DESCRIPTOR))).lookupType('Request');
const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  requests.decode(Buffer.concat(chunks));
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
}).listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port + '/'));`;

async function startPrometheus(): Promise<{ url: string; pid: number; stop(): Promise<void> }> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'prometheus.yml'), 'global: {}\n');
  const port = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'tsdb')}`,
      ...[`--web.listen-address=127.0.0.1:${port}`, '--web.enable-remote-write-receiver', '--log.level=error'],
    ],
    { stdio: 'ignore' },
  );
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      (answer) => answer.ok,
      () => false,
    );
  for (let i = 0; i < 200 && !(await isReady()); i += 1) await sleep(50);
  return {
    ...{ url, pid: child.pid ?? 0 },
    async stop() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Nothing in protobuf, and nothing rejected in JSON: anything else would be fast for the wrong reason. */
const isWhole = (answer: string): boolean => answer === '' || answer.includes('"rejected":0');

const post = (agent: Agent, { url, headers }: Call, body: Uint8Array | string): Promise<void> =>
  new Promise((resolve, reject) => {
    request(
      url,
      { agent, method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) } },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('latin1');
        });
        answer.on('end', () =>
          (answer.statusCode ?? 500) < 300 && isWhole(text)
            ? resolve()
            : reject(new Error(`${url}: ${answer.statusCode} ${text.slice(0, 200)}`)),
        );
      },
    )
      .on('error', reject)
      .end(body);
  });

/** Bytes of the heap per series, in a process of its own. */
function bytesPerSeries(
  series: number,
  what: 'ragwarden' | 'prom-client',
): { counter: number; timer: number } | undefined {
  const script = `
import { createRequire } from 'node:module';
const heap = () => { for (let i = 0; i < 5; i += 1) gc(); const { heapUsed, arrayBuffers } = process.memoryUsage(); return heapUsed + arrayBuffers; };
const labelsOf = (i) => ({ method: 'GET', route: '/api/' + i, status: '200' });
const found = {}, kept = [];
${
  what === 'ragwarden'
    ? `const { createRecorder } = await import(${JSON.stringify(join(import.meta.dirname, '../src/metrics/recorder.ts'))});
const { createMetricRegistry } = await import(${JSON.stringify(join(import.meta.dirname, '../src/metrics/registry.ts'))});
const { systemClock } = await import(${JSON.stringify(join(import.meta.dirname, '../src/platform/clock.ts'))});
const registry = createMetricRegistry({ clock: systemClock, maxSeriesPerMetric: 1e6 });
const recorder = createRecorder({ registry, clock: systemClock, maxSeries: 1e6 });
const metrics = { counter: recorder.counter({ name: 'runs' }), timer: recorder.timer({ name: 'took_ms' }) };
kept.push(registry, recorder);
const use = { counter: (i) => metrics.counter.labels(labelsOf(i)).inc(), timer: (i) => metrics.timer.labels(labelsOf(i)).observe(i) };`
    : `const prom = createRequire(${JSON.stringify(import.meta.url)})('prom-client');
const labelNames = ['method', 'route', 'status'];
const metrics = { counter: new prom.Counter({ name: 'runs_total', help: 'x', labelNames }), timer: new prom.Histogram({ name: 'took_seconds', help: 'x', labelNames }) };
kept.push(metrics);
const use = { counter: (i) => metrics.counter.inc(labelsOf(i)), timer: (i) => metrics.timer.observe(labelsOf(i), i) };`
}
for (const kind of ['counter', 'timer']) {
  const before = heap();
  for (let i = 0; i < ${series}; i += 1) use[kind](i);
  found[kind] = (heap() - before) / ${series};
}
console.log(JSON.stringify({ ...found, kept: kept.length }));`;
  const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  return JSON.parse(output) as { counter: number; timer: number };
}

function hasPromClient(): boolean {
  try {
    createRequire(import.meta.url).resolve('prom-client');
    return true;
  } catch {
    return false;
  }
}

export const metricIntake: Bench = {
  name: 'metric-intake',
  async run(size) {
    const [rounds, count, series, many] = size === 'full' ? [7, 60, 900, 100_000] : [1, 2, 50, 200];
    const sample = await startSample('tiny');
    const product = await startProduct(sample, size);
    const authorization = `Bearer ${adminToken}`;
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'otlp.json'), JSON.stringify(otlpDescriptor));
    const bare = await startScript(bareServer, {
      DESCRIPTOR: join(folder, 'otlp.json'),
      PROTOBUF: createRequire(import.meta.url).resolve('protobufjs/light.js'),
    });
    const prometheus = isThere('prometheus') ? await startPrometheus() : undefined;
    let at = Date.now();
    const otlp = { authorization, 'content-type': 'application/x-protobuf' };
    const remote = {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-write-version': '0.1.0',
    };
    const proto = (url: string, headers: Record<string, string>): Call => ({
      ...{ url, headers, body: (round) => otlpOf(series, at, round) },
    });
    const side = (name: string, pid: number, call: Call): Side => ({ name, pid, call, us: [] });
    const sides: Side[] = [
      side('OTLP, protobuf', product.pid, proto(`${product.api}/v1/metrics`, otlp)),
      side('OTLP, protobuf in gzip', product.pid, {
        ...{ url: `${product.api}/v1/metrics`, headers: { ...otlp, 'content-encoding': 'gzip' } },
        body: (round) => gzipSync(otlpOf(series, at, round)),
      }),
      side('/api/v1/metrics/record', product.pid, {
        ...{
          url: `${product.api}/api/v1/metrics/record`,
          headers: { authorization, 'content-type': 'application/json' },
        },
        body: () => recordOf(series),
      }),
      side('bare node:http that decodes OTLP', bare.pid, proto(bare.line, otlp)),
      ...(prometheus
        ? [
            side('Prometheus, remote write', prometheus.pid, {
              ...{ url: `${prometheus.url}/api/v1/write`, headers: remote },
              body: (round) => remoteOf(series, at, round),
            }),
          ]
        : []),
    ];
    let value = 0;
    for (let round = -1; round < rounds; round += 1)
      for (const { pid, call, us } of sides) {
        const bodies = Array.from({ length: count }, () => {
          at += 1;
          value += 1;
          return call.body(value);
        });
        // A server may have closed what was kept since the last round.
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        const before = cpuMs(pid);
        for (const body of bodies) await post(agent, call, body);
        agent.destroy();
        // The first round warms up.
        if (round >= 0) us.push((1_000 * (cpuMs(pid) - before)) / (count * series));
      }
    const took = (name: string): number => median(sides.find((one) => one.name === name)?.us ?? []);
    const [mine, plain, theirs] = [
      took('OTLP, protobuf'),
      took('bare node:http that decodes OTLP'),
      took('Prometheus, remote write'),
    ];
    await bare.stop();
    await prometheus?.stop();
    await product.stop();
    await sample.stop();
    const own = bytesPerSeries(many, 'ragwarden')!;
    const reference = hasPromClient() ? bytesPerSeries(many, 'prom-client') : undefined;
    return {
      row: 'P11 and more, what comes in from others',
      target: 'intake of OTLP at most 1.3 times the CPU of bare `node:http` that decodes the same messages.',
      method: `Requests of ${series} counters with four labels, one after the other; CPU of the server per sample, median of ${rounds} rounds in turn of ${count} requests. Prometheus takes the same samples over remote write, since the one of Debian does not know OTLP. Memory: heap per series of ${many} with three labels, in processes of their own.`,
      columns: ['what', 'CPU µs per sample', 'samples per CPU second'],
      lines: [
        ...sides.map(({ name, us }) => [name, median(us), 1e6 / median(us)]),
        ['heap bytes per counter', own.counter, reference?.counter ?? ''],
        ['heap bytes per timer', own.timer, reference?.timer ?? ''],
      ],
      figures: [
        { what: 'P11: OTLP against bare node:http', value: mine / plain, limit: 1.3, unit: 'times' },
        ...(prometheus
          ? [{ what: 'OTLP against remote write of Prometheus', value: mine / theirs, unit: 'times' }]
          : []),
        ...(reference
          ? [
              {
                what: 'heap per counter against prom-client',
                value: own.counter / reference.counter,
                limit: 0.75,
                unit: 'times',
              },
              {
                what: 'heap per timer against prom-client’s histogram',
                value: own.timer / reference.timer,
                unit: 'times',
              },
            ]
          : [{ what: 'heap per counter (no prom-client here)', value: own.counter, unit: 'bytes' }]),
      ],
    };
  },
};
