import { Agent, request } from 'node:http';
import { takePoint } from './backup-steps.ts';
import { cpuMs, sleep } from './processes.ts';
import { adminToken, type Product, startProduct, startSample } from './product.ts';
import type { Bench } from './report.ts';

/** What pages and scripts ask for. */
const asked = [
  '/api/v1/targets',
  '/api/v1/monitoring/system',
  '/api/v1/health-dashboard/status',
  '/api/v1/backup/points?limit=20',
  '/api/v1/events?limit=50',
  '/api/v1/operations?limit=20',
  '/health',
];

/** Milliseconds from the request to the end of its answer. @throws on anything but 200 */
const ask = (agent: Agent, url: URL): Promise<number> =>
  new Promise((resolve, reject) => {
    const beganMs = performance.now();
    request(url, { agent, headers: { authorization: `Bearer ${adminToken}` } }, (answer) => {
      answer.resume();
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(performance.now() - beganMs);
        else reject(new Error(`${url.pathname}: ${answer.statusCode}`));
      });
    })
      .on('error', reject)
      .end();
  });

/** Each user has a connection, asks, and waits about `thinkMs` before the next question. @returns the times of all answers, sorted */
async function visit({ api }: Product, users: number, thinkMs: number, until: () => boolean): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: users });
  const tookMs: number[] = [];
  await Promise.all(
    Array.from({ length: users }, async (_, user) => {
      await sleep((thinkMs * user) / users);
      for (let n = user; !until(); n += 1) {
        tookMs.push(await ask(agent, new URL(asked[n % asked.length] as string, api)));
        await sleep(thinkMs);
      }
    }),
  );
  agent.destroy();
  return tookMs.sort((a, b) => a - b);
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** Answers for a hundred users, while points are taken one after the other and while none is. */
export const manyUsers: Bench = {
  name: 'many-users',
  async run(size) {
    const [users, points, thinkMs] = size === 'full' ? [100, 6, 1_000] : [3, 1, 10];
    const sample = await startSample(size === 'full' ? 'medium' : 'tiny');
    const product = await startProduct(sample, size);
    const lines: (string | number)[][] = [];
    const measure = async (name: string, over: () => boolean): Promise<number[]> => {
      const [cpu, beganMs] = [cpuMs(product.pid), performance.now()];
      const took = await visit(product, users, thinkMs, over);
      const perSecond = (1_000 * took.length) / (performance.now() - beganMs);
      const [half, most, nearlyAll] = [0.5, 0.95, 0.99].map((share) => percentile(took, share));
      lines.push([name, perSecond, half ?? 0, most ?? 0, nearlyAll ?? 0, (cpuMs(product.pid) - cpu) / took.length]);
      return took;
    };
    try {
      // The host is not sampled yet when it is ready.
      const host = new URL('/api/v1/monitoring/system', product.api);
      const headers = { authorization: `Bearer ${adminToken}` };
      while (!(await fetch(host, { headers }).then((answer) => answer.ok))) await sleep(100);
      // Compiled, and the connections' first pages read.
      const warm = performance.now() + (size === 'full' ? 5_000 : 50);
      await visit(product, users, thinkMs, () => performance.now() > warm);
      const end = performance.now() + (size === 'full' ? 20_000 : 50);
      const quiet = await measure('nothing else runs', () => performance.now() > end);
      let taking = true;
      const taken = (async () => {
        for (let n = 0; n < points; n += 1) await takePoint(product);
      })().finally(() => {
        taking = false;
      });
      const busy = await measure('points are taken', () => !taking);
      await taken;
      return {
        row: 'P18, F477: a hundred users',
        target: '95 of 100 answers within 500 ms (aim: 50 ms) with 100 users, while backups run.',
        method: `${users} users, each with a connection of its own, who ask for ${asked.length} things of the API in turn and wait ${thinkMs / 1_000} s between answer and question; client, product and backend share the machine. First with nothing else, then while ${points} points are taken one after the other.`,
        columns: ['', 'answers a second', 'median ms', 'p95 ms', 'p99 ms', 'CPU ms an answer'],
        lines,
        figures: [
          { what: 'p95 while points are taken', value: percentile(busy, 0.95), limit: 500, unit: 'ms' },
          { what: 'p95 with nothing else', value: percentile(quiet, 0.95), limit: 50, unit: 'ms' },
          { what: 'the slowest answer', value: Math.max(busy.at(-1) ?? 0, quiet.at(-1) ?? 0), unit: 'ms' },
        ],
      };
    } finally {
      await product.stop();
      await sample.stop();
    }
  },
};
