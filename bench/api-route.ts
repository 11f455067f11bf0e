import { mkdirSync, rmdirSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { cpuMs, type Running, startScript } from './processes.ts';
import { adminToken, startOwnProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

type Call = { readonly url: string; readonly headers: Record<string, string> };

/** Sends `count` requests over 32 kept connections and fails on anything but 200. */
async function load({ url, headers }: Call, count: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  let left = count;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      request(url, { agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`${url}: ${answer.statusCode}`)),
        );
      })
        .on('error', reject)
        .end();
    });
  const work = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await one();
    }
  };
  await Promise.all(Array.from({ length: 32 }, work));
  agent.destroy();
}

/** Answers one body to whoever shows the token: what a handler written by hand would do for the same JSON. */
const bareServer = `
const { createServer } = await import('node:http');
const body = process.env.BODY, token = process.env.TOKEN, type = process.env.TYPE;
const value = type === 'application/json' ? JSON.parse(body) : undefined;
const server = createServer((request, response) => {
  if (token && request.headers.authorization !== 'Bearer ' + token) { response.writeHead(401).end(); return; }
  const text = value === undefined ? body : JSON.stringify(value);
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
}).listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port + '/'));`;

type Case = {
  readonly name: string;
  readonly path: string;
  readonly metrics?: boolean;
  readonly admin: boolean;
  readonly limit: number;
};

const cases: readonly Case[] = [
  { name: 'validated JSON route (one user directory)', path: '/api/v1/monitoring/user/USER', admin: true, limit: 3 },
  { name: 'validated JSON route (the whole host)', path: '/api/v1/monitoring/system', admin: true, limit: 3 },
  { name: '/livez', path: '/livez', admin: false, limit: 1.3 },
  { name: '/metrics', path: '/metrics', metrics: true, admin: false, limit: 1.3 },
];

export const apiRoute: Bench = {
  name: 'api-route',
  async run(size) {
    const [rounds, count] = size === 'full' ? [5, 3_000] : [1, 40];
    const sample = await startSample('tiny');
    // Of the kind that storage is told by, so that there is one to ask for; the first walk over the folder has to find it.
    const folder = join(sample.workingDir, 'alice');
    mkdirSync(folder);
    const product = await startOwnProduct(sample, size);
    const admin = { authorization: `Bearer ${adminToken}` };
    const user = await firstUser(product.api, admin);
    const lines: (string | number)[][] = [];
    const figures = [];
    for (const one of cases) {
      const headers: Record<string, string> = one.admin ? admin : {};
      const url = new URL(
        one.path.replace('USER', encodeURIComponent(user)),
        one.metrics ? product.metrics : product.api,
      ).href;
      const answer = await fetch(url, { headers });
      const body = await answer.text();
      if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${body}`);
      const type = answer.headers.get('content-type')?.split(';')[0] ?? 'text/plain';
      const bare: Running = await startScript(bareServer, {
        BODY: body,
        TYPE: type,
        TOKEN: one.admin ? adminToken : '',
      });
      const sides = [
        { pid: product.pid, call: { url, headers }, us: [] as number[] },
        { pid: bare.pid, call: { url: bare.line, headers }, us: [] as number[] },
      ] as const;
      for (const { call } of sides) await load(call, count);
      for (let round = 0; round < rounds; round += 1)
        for (const { pid, call, us } of sides) {
          const before = cpuMs(pid);
          await load(call, count);
          us.push((1_000 * (cpuMs(pid) - before)) / count);
        }
      await bare.stop();
      const [ours, reference] = [median(sides[0].us), median(sides[1].us)];
      lines.push([one.name, ours, reference, ours / reference, body.length]);
      figures.push({ what: one.name, value: ours / reference, limit: one.limit, unit: 'times' });
    }
    await product.stop();
    await sample.stop();
    rmdirSync(folder);
    return {
      row: 'P11, API routes',
      target:
        'a validated JSON route at most 3 times, `/livez` and `/metrics` at most 1.3 times the CPU of bare `node:http`.',
      method: `CPU of the server per request, median of ${rounds} rounds in turn of ${count} requests over 32 connections. Bare \`node:http\` compares the token and serialises the same value; for /metrics it sends the finished text. Ours also has access, headers, limits, log and metrics to care for.`,
      columns: ['route', 'ragwarden, CPU µs', 'bare, CPU µs', 'times', 'bytes'],
      lines,
      figures,
    };
  },
};

/** Waits for the first sample and the first walk over the data folder; a sample without folders has none to ask for. */
async function firstUser(api: string, headers: Record<string, string>): Promise<string> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answer = await fetch(new URL('/api/v1/monitoring/system', api), { headers });
    if (answer.status === 200) {
      const body = (await answer.json()) as { disk?: { data_dir?: { user_directories?: Record<string, number> } } };
      const [user] = Object.keys(body.disk?.data_dir?.user_directories ?? {});
      if (user !== undefined) return user;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('no user directory was measured');
}
