import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import pg from 'pg';
import { systemSearchPath } from '../src/platform/child-processes/index.ts';
import { startRedis } from '../test/setup/redis-server.ts';
import { bareRepository, bytesBelow, type Step, takePoint } from './backup-steps.ts';
import { fill } from './database-dump.ts';
import { cpuWithChildrenMs } from './processes.ts';
import { startDatabase, startProduct, startSample } from './product.ts';
import { type Bench, median, Skipped } from './report.ts';

/** What an operator would write into a script: a shell joins the two programs, and both must end well. */
async function shell(script: string, env: Record<string, string>): Promise<Step> {
  const [cpu, wall] = [cpuWithChildrenMs('self'), performance.now()];
  const child = spawn('bash', ['-o', 'pipefail', '-c', script], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: systemSearchPath, ...env },
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return { wall: performance.now() - wall, cpu: cpuWithChildrenMs('self') - cpu };
}

const sum = (steps: readonly Step[]): Step => ({
  wall: steps.reduce((all, one) => all + one.wall, 0),
  cpu: steps.reduce((all, one) => all + one.cpu, 0),
});

export const wholePoint: Bench = {
  name: 'whole-point',
  async run(size) {
    const [rounds, workspace, rows, keys] =
      size === 'full' ? ([3, 'medium', 10_000, 20_000] as const) : ([1, 'tiny', 50, 50] as const);
    const [cluster, redis] = await Promise.all([startDatabase(), startRedis()]).catch((err: unknown) => {
      throw new Skipped(`PostgreSQL or Redis cannot be started: ${String(err)}`);
    });
    const sample = await startSample(workspace);
    try {
      const url = new URL(cluster.url(cluster.database));
      const client = new pg.Client({ connectionString: url.href });
      await client.connect();
      await client.query(fill(rows));
      await client.end();
      const cache = new Redis(redis.url());
      for (let from = 0; from < keys; from += 1_000) {
        const batch = cache.pipeline();
        for (let n = from; n < Math.min(from + 1_000, keys); n += 1)
          batch.set(`default_full_docs:doc-${n}`, JSON.stringify({ content: `${n} `.repeat(200) }));
        await batch.exec();
      }
      cache.disconnect();
      const secret = decodeURIComponent(url.password);
      const inSequence: Step[] = [];
      const ours: Step[] = [];
      const again: Step[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const { folder, init, restic, env } = bareRepository(size);
        const database = {
          ...env,
          ...{
            PGHOST: url.hostname,
            PGPORT: url.port,
            PGUSER: url.username,
            PGPASSWORD: secret,
            PGDATABASE: cluster.database,
          },
        };
        inSequence.push(
          sum([
            await init(),
            await restic(['backup', sample.workingDir, sample.inputDir]),
            await shell('pg_dump -Fc -Z0 | restic --quiet backup --stdin --stdin-filename database.dump', database),
            await shell(
              `redis-cli -p ${redis.port} --rdb ${folder}.rdb >/dev/null 2>&1 && restic --quiet backup ${folder}.rdb`,
              env,
            ),
            await restic(['check']),
          ]),
        );
        const product = await startProduct(sample, size, {
          POSTGRES_HOST: url.hostname,
          POSTGRES_PORT: url.port,
          POSTGRES_USER: url.username,
          POSTGRES_PASSWORD: secret,
          POSTGRES_DATABASE: cluster.database,
          REDIS_URI: redis.url(),
        });
        ours.push(await takePoint(product));
        again.push(await takePoint(product));
        await product.stop();
      }
      const mebibytes = (bytesBelow(sample.workingDir) + bytesBelow(sample.inputDir)) / 2 ** 20;
      const of = (steps: readonly Step[], what: keyof Step) => median(steps.map((step) => step[what]));
      return {
        row: 'Whole point of files, PostgreSQL and Redis',
        target: 'No bar: what one proven point costs beside a script of the same programs, one after the other.',
        method: `Median of ${rounds} rounds in turn over ${mebibytes.toFixed(0)} MiB of files, ${rows} rows of text and vectors in PostgreSQL and ${keys} keys in Redis; a new repository each round. The script: restic init, restic of the folders, pg_dump -Fc -Z0 into restic, redis-cli --rdb and restic, restic check. Ours holds the same and unfolds, inspects, audits, counts rows and verifies. CPU of programs and of our process, not of the servers.`,
        columns: ['step', 'wall s', 'CPU s'],
        lines: [
          ['the script', of(inSequence, 'wall') / 1_000, of(inSequence, 'cpu') / 1_000],
          ['ragwarden, first point', of(ours, 'wall') / 1_000, of(ours, 'cpu') / 1_000],
          ['ragwarden, unchanged', of(again, 'wall') / 1_000, of(again, 'cpu') / 1_000],
        ],
        figures: [
          { what: 'first point, wall', value: of(ours, 'wall') / of(inSequence, 'wall'), unit: 'times' },
          { what: 'first point, CPU', value: of(ours, 'cpu') / of(inSequence, 'cpu'), unit: 'times' },
          { what: 'unchanged, wall', value: of(again, 'wall') / of(inSequence, 'wall'), unit: 'times' },
        ],
      };
    } finally {
      await sample.stop();
      await redis.remove();
      await cluster.remove();
    }
  },
};
