import { writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { built, cpuMs, memoryMib, type Running, startProgram, startScript, temporaryFolder } from './processes.ts';
import { type Bench, median } from './report.ts';

/** A backend that does nothing else: a small answer, lines that say when they were written, and a stream that stays open. */
const backend = `
const { createServer } = await import('node:http');
const body = JSON.stringify({ status_counts: { pending: 0, processing: 0, processed: 128, failed: 0, all: 128 } });
createServer((request, response) => {
  if (request.url === '/query/stream') {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    let left = Number(request.headers['x-lines']);
    const timer = setInterval(() => {
      response.write(JSON.stringify({ response: String(performance.timeOrigin + performance.now()) }) + '\\n');
      if (--left === 0) { clearInterval(timer); response.end(); }
    }, 10);
    return;
  }
  if (request.url === '/open') { response.writeHead(200, { 'content-type': 'application/x-ndjson' }); response.write('{}\\n'); return; }
  request.resume();
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body));
}).listen(0, '127.0.0.1', function () { console.log('http://127.0.0.1:' + this.address().port); });`;

const fastifyProxy = `
const { default: fastify } = await import('fastify');
const { default: proxy } = await import('@fastify/http-proxy');
const app = fastify();
await app.register(proxy, { upstream: process.env.UPSTREAM });
await app.listen({ host: '127.0.0.1', port: 0 });
console.log('http://127.0.0.1:' + app.server.address().port);`;

const nodeProxy = `
const { createServer, request, Agent } = await import('node:http');
const to = new URL(process.env.UPSTREAM), agent = new Agent({ keepAlive: true });
createServer((req, res) => {
  const up = request({ agent, host: to.hostname, port: to.port, path: req.url, method: req.method, headers: req.headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(res);
  });
  req.pipe(up);
}).listen(0, '127.0.0.1', function () { console.log('http://127.0.0.1:' + this.address().port); });`;

type Way = { readonly name: string; readonly url: string; readonly pid: number | undefined };
type Call = { readonly path: string; readonly body?: string };
const calls: readonly Call[] = [
  { path: '/documents/status_counts' },
  { path: '/query', body: JSON.stringify({ query: 'When does the early car leave Quay Depot?', mode: 'mix' }) },
];

function ask(agent: Agent, url: string, call: Call, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const method = call.body === undefined ? 'GET' : 'POST';
    const more =
      call.body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(call.body)) };
    request(`${url}${call.path}`, { agent, method, headers: { ...more, ...headers } }, resolve)
      .on('error', reject)
      .end(call.body);
  });
}

async function whole(answer: IncomingMessage): Promise<void> {
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode}`);
  answer.resume();
  await new Promise<void>((resolve, reject) => answer.once('end', resolve).once('error', reject));
}

/** Milliseconds of each of `count` requests, over so many connections. */
async function load(url: string, call: Call, count: number, connections: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const took: number[] = [];
  let left = count;
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const beganMs = performance.now();
      await whole(await ask(agent, url, call));
      took.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: connections }, work));
  agent.destroy();
  return took;
}

/** How long after it was written each line of a stream arrived; milliseconds. */
async function lags(url: string, count: number): Promise<number[]> {
  const agent = new Agent();
  const answer = await ask(
    agent,
    url,
    { path: '/query/stream', body: '{"query":"streamed"}' },
    { 'x-lines': String(count) },
  );
  const found: number[] = [];
  for await (const chunk of answer) {
    const atMs = performance.timeOrigin + performance.now();
    for (const line of String(chunk).trim().split('\n'))
      found.push(atMs - Number((JSON.parse(line) as { response: string }).response));
  }
  return found;
}

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

/** MiB that a proxy grows by while so many answers are under way. */
async function growth({ url, pid }: Way, streams: number): Promise<number> {
  const before = memoryMib(pid ?? 0);
  const agent = new Agent();
  const open = await Promise.all(
    Array.from({ length: streams }, async () => {
      const answer = await ask(agent, url, { path: '/open' });
      await new Promise((resolve) => answer.once('data', resolve));
      return answer;
    }),
  );
  const grown = memoryMib(pid ?? 0) - before;
  for (const answer of open) answer.on('error', () => undefined).destroy();
  agent.destroy();
  return grown;
}

async function startNginx(upstream: string): Promise<(Running & { readonly url: string }) | undefined> {
  const folder = temporaryFolder();
  const port = 20_000 + (process.pid % 20_000);
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr notice;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  upstream up { server ${new URL(upstream).host}; keepalive 64; }
  server { listen 127.0.0.1:${port}; keepalive_requests 1000000;
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }`,
  );
  try {
    const running = await startProgram('nginx', ['-p', folder, '-c', config], { from: 'stderr' });
    return { ...running, url: `http://127.0.0.1:${port}` };
  } catch {
    return undefined;
  }
}

export const gateway: Bench = {
  name: 'gateway',
  async run(size) {
    const [rounds, count, lines, streams] = size === 'full' ? [5, 3_000, 100, 500] : [1, 40, 5, 5];
    const server = await startScript(backend);
    const upstream = server.line;
    const ours = await startProgram(
      process.execPath,
      [
        built('main.js'),
        'serve',
        '--only',
        'gateway',
        '--data-dir',
        join(temporaryFolder(), 'data'),
        '--gateway-port',
        '0',
      ],
      { env: { RAGWARDEN_TARGET_URL: upstream, RAGWARDEN_LOG_LEVEL: 'warning' } },
    );
    const fastify = await startScript(fastifyProxy, { UPSTREAM: upstream });
    const node = await startScript(nodeProxy, { UPSTREAM: upstream });
    const nginx = await startNginx(upstream);
    const ways: Way[] = [
      { name: 'direct', url: upstream, pid: undefined },
      { name: 'ragwarden', url: (JSON.parse(ours.line) as { gateway: string }).gateway, pid: ours.pid },
      { name: '@fastify/http-proxy', url: fastify.line, pid: fastify.pid },
      { name: 'node:http, request and pipe', url: node.line, pid: node.pid },
      ...(nginx ? [{ name: 'nginx, unbuffered', url: nginx.url, pid: undefined }] : []),
    ];
    const cpu = new Map(ways.map(({ name }) => [name, calls.map((): number[] => [])]));
    const alone = new Map(ways.map(({ name }) => [name, [] as number[]]));
    const rate = new Map(ways.map(({ name }) => [name, [] as number[]]));
    const lag = new Map(ways.map(({ name }) => [name, [] as number[]]));
    for (const { url } of ways) for (const call of calls) await load(url, call, count, 64);
    for (let round = 0; round < rounds; round += 1)
      for (const { name, url, pid } of ways) {
        for (const [at, call] of calls.entries()) {
          const before = pid === undefined ? 0 : cpuMs(pid);
          const beganMs = performance.now();
          await load(url, call, count, 64);
          if (at === 0) rate.get(name)?.push((1_000 * count) / (performance.now() - beganMs));
          if (pid !== undefined) cpu.get(name)?.[at]?.push((1_000 * (cpuMs(pid) - before)) / count);
        }
        alone.get(name)?.push(...(await load(url, calls[0] as Call, Math.ceil(count / 4), 1)));
        lag.get(name)?.push(...(await lags(url, lines)));
      }
    const grown = new Map<string, number>();
    // The pool of @fastify/http-proxy has 128 connections unless told otherwise; so many streams would wait for ever.
    for (const way of ways)
      if (way.pid !== undefined && way.name !== '@fastify/http-proxy') grown.set(way.name, await growth(way, streams));
    for (const one of [ours, fastify, node, server, ...(nginx ? [nginx] : [])]) await one.stop();
    const of = (name: string) => ({
      get: median(cpu.get(name)?.[0] ?? []),
      post: median(cpu.get(name)?.[1] ?? []),
      rate: median(rate.get(name) ?? []),
      p50: quantile(alone.get(name) ?? [], 0.5),
      p99: quantile(alone.get(name) ?? [], 0.99),
      lag: quantile(lag.get(name) ?? [], 0.5),
      grown: grown.get(name) ?? Number.NaN,
    });
    const [direct, own, reference] = [of('direct'), of('ragwarden'), of('@fastify/http-proxy')];
    return {
      row: 'P11, the gateway',
      target:
        'with metering at most 0.75 times the CPU per request of @fastify/http-proxy; a line of a stream at most 0.2 ms later than direct.',
      method: `CPU of the proxy's process per request, median of ${rounds} rounds in turn of ${count} requests over 64 connections to a backend that answers 90 bytes; how many of them a second came through, where client, backend and proxy share the cores; time of a request on one connection; how long after it was written each of ${rounds * lines} lines of a stream arrived, 10 ms apart; growth of the process while ${streams} streams are open. Ours reads every exchange with LightRAG's lens and hands over one observation each. ${nginx ? '' : 'nginx is not installed here.'}`,
      columns: [
        'way',
        'GET, CPU µs',
        'POST /query, CPU µs',
        'GET per second at saturation',
        'p50, ms',
        'p99, ms',
        'line lag p50, ms',
        `${streams} streams, MiB`,
      ],
      lines: ways.map(({ name }) => {
        const { get, post, rate: perSecond, p50, p99, lag: late, grown: more } = of(name);
        return [name, get, post, perSecond, p50, p99, late, more];
      }),
      figures: [
        {
          what: 'CPU of a GET against @fastify/http-proxy',
          value: own.get / reference.get,
          limit: 0.75,
          unit: 'times',
        },
        {
          what: 'CPU of a query against @fastify/http-proxy',
          value: own.post / reference.post,
          limit: 0.75,
          unit: 'times',
        },
        { what: 'requests at saturation against @fastify/http-proxy', value: own.rate / reference.rate, unit: 'times' },
        { what: 'requests at saturation against direct', value: own.rate / direct.rate, unit: 'times' },
        { what: 'a line of a stream comes later than direct by', value: own.lag - direct.lag, limit: 0.2, unit: 'ms' },
        { what: 'added to a request on one connection, median', value: own.p50 - direct.p50, unit: 'ms' },
        { what: 'added to a request on one connection, p99', value: own.p99 - direct.p99, unit: 'ms' },
        { what: 'memory for each open stream', value: (own.grown * 1024) / streams, unit: 'KiB' },
      ],
    };
  },
};
