import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import {
  createPostgresSource,
  createResticRepository,
  ensurePasswordFile,
  parseRepositoryLocation,
} from '../src/backup/index.ts';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { createChildProcesses, findProgram, systemSearchPath } from '../src/platform/child-processes/index.ts';
import { systemClock } from '../src/platform/clock.ts';
import { systemRandom } from '../src/platform/ids.ts';
import { silentLogger } from '../src/platform/logging.ts';
import { cpuWithChildrenMs, temporaryFolder } from './processes.ts';
import { startDatabase } from './product.ts';
import { type Bench, median, Skipped } from './report.ts';

type Step = { readonly wall: number; readonly cpu: number; readonly bytes: number };

const bytesBelow = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

/** Wall and CPU of the clients; what the server does for a dump is the same for each. */
async function timed(work: () => Promise<number>): Promise<Step> {
  const [cpu, wall] = [cpuWithChildrenMs('self'), performance.now()];
  const bytes = await work();
  return { wall: performance.now() - wall, cpu: cpuWithChildrenMs('self') - cpu, bytes };
}

async function program(name: string, args: readonly string[], env: Record<string, string>): Promise<void> {
  const child = spawn(name, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: systemSearchPath, ...env } });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${name} ended with ${code}`);
}

/** Text as language is, and vectors as they are printed: what LightRAG's tables are made of. */
export const fill = (rows: number): string => `
  create table lightrag_doc_chunks (workspace varchar, id varchar, full_doc_id varchar, tokens int, content text, primary key (workspace, id));
  create table lightrag_vdb_chunks_bench_512d (workspace varchar, id varchar, content_vector real[], primary key (workspace, id));
  create table words as select i, md5(i::text) || '' as hash, substr(translate(md5(i::text), '0123456789', 'etaoinshrd'), 1, 2 + i % 9) as word from generate_series(0, 2999) i;
  insert into lightrag_doc_chunks
    select 'default', 'chunk-' || md5(i::text), 'doc-' || (i / 10), 1200,
      (select string_agg(word, ' ') from words where words.i in (select (random() * random() * 3000 + i * 0)::int from generate_series(1, 700)))
    from generate_series(1, ${rows}) i;
  insert into lightrag_vdb_chunks_bench_512d
    select 'default', 'chunk-' || md5(i::text), (select array_agg((random() - 0.5 + d * 0 + i * 0)::real) from generate_series(1, 512) d) from generate_series(1, ${rows}) i;
  drop table words`;

export const databaseDump: Bench = {
  name: 'database-dump',
  async run(size) {
    if (!findProgram('restic', systemSearchPath) || !findProgram('pg_dump', systemSearchPath))
      throw new Skipped('restic or pg_dump is missing');
    const [rounds, rows] = size === 'full' ? [3, 40_000] : [1, 200];
    const cluster = await startDatabase().catch((err: unknown) => {
      throw new Skipped(`no PostgreSQL can be started: ${String(err)}`);
    });
    const folder = temporaryFolder();
    const children = createChildProcesses({
      log: silentLogger,
      clock: systemClock,
      recordDir: join(folder, 'records'),
    });
    try {
      const url = new URL(cluster.url(cluster.database));
      const client = new pg.Client({ connectionString: url.href });
      client.on('error', () => undefined);
      await client.connect();
      await client.query(fill(rows));
      await client.query('vacuum analyze');
      const answer = await client.query<{ bytes: string }>(
        'select pg_database_size(current_database())::text as bytes',
      );
      await client.end();
      const connection = {
        host: url.hostname,
        port: Number(url.port),
        user: url.username,
        password: decodeURIComponent(url.password),
        database: cluster.database,
      };
      const env = {
        PGHOST: connection.host,
        PGPORT: `${connection.port}`,
        PGUSER: connection.user,
        PGPASSWORD: connection.password,
        PGDATABASE: cluster.database,
      };
      const repositoryIn = async (place: string) => {
        mkdirSync(place);
        const passwordFile = join(place, 'password');
        await ensurePasswordFile(passwordFile, systemRandom);
        if (size === 'tiny')
          await makeLightRepository(join(place, 'repository'), readFileSync(passwordFile, 'utf8').trim());
        const repository = createResticRepository({
          location: parseRepositoryLocation(join(place, 'repository'), 'environment'),
          passwordFile,
          cacheDir: join(place, 'cache'),
          environment: {},
          children,
          log: silentLogger,
          clock: systemClock,
        });
        if (size === 'full') await repository.init();
        return repository;
      };
      const usual: Step[] = [];
      const ours: Step[] = [];
      const parallel: Step[] = [];
      const again: Step[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const place = join(folder, `round-${round}`);
        mkdirSync(place);
        const file = join(place, 'usual');
        usual.push(
          await timed(async () => {
            await program('pg_dump', ['-Fc', `--file=${file}`], env);
            return statSync(file).size;
          }),
        );
        const repository = await repositoryIn(join(place, 'ours'));
        const dump = (label: string) =>
          timed(async () => {
            const source = createPostgresSource({ name: 'database', connection, children, dump: 'database' });
            const { signal } = new AbortController();
            const capture = await source.capture(join(place, 'component'), { signal, clock: systemClock });
            if (!('complete' in capture)) throw new Error(capture.notes.join('; '));
            await capture.complete({
              signal,
              clock: systemClock,
              operationId: label,
              async storeStream(name, producer) {
                const stored = await repository.storeStream({
                  name,
                  tags: ['bench'],
                  host: 'bench',
                  from: producer.by === 'bytes' ? producer.chunks : producer,
                  signal,
                  operationId: label,
                });
                return { name, bytes: stored.bytes, sha256: stored.sha256, tree: stored.treeId };
              },
            });
            await capture.release();
            return bytesBelow(join(place, 'ours', 'repository'));
          });
        ours.push(await dump('first'));
        again.push(await dump('again'));
        const other = await repositoryIn(join(place, 'parallel'));
        parallel.push(
          await timed(async () => {
            await program('pg_dump', ['-Fd', '-Z0', '-j2', `--file=${join(place, 'folder')}`], env);
            await other.backup({ cwd: place, paths: ['folder'], tags: ['bench'], host: 'bench' });
            return bytesBelow(join(place, 'parallel', 'repository'));
          }),
        );
      }
      const of = (steps: readonly Step[], what: keyof Step): number => median(steps.map((step) => step[what]));
      const line = (name: string, steps: readonly Step[]) => [
        name,
        of(steps, 'wall') / 1_000,
        of(steps, 'cpu') / 1_000,
        of(steps, 'bytes') / 2 ** 20,
      ];
      return {
        row: 'P14, database dump',
        target: 'at most a fifth of the CPU of `pg_dump -Fc` as it comes, at most 1.0 times its size.',
        method: `Median of ${rounds} rounds in turn on a generated database of ${(Number(answer.rows[0]?.bytes) / 2 ** 20).toFixed(0)} MiB, text and vectors of 512 dimensions; new repositories each round. CPU of the clients, restic and our own process among them, without the server. Ours fixes a moment, counts, dumps and encrypts; the size is that of the repository.`,
        columns: ['step', 'wall s', 'CPU s', 'MiB'],
        lines: [
          line('`pg_dump -Fc` into a file', usual),
          line('ragwarden, one stream `-Fc -Z0` into a new repository', ours),
          line('the same once more, grown to', again),
          line('`pg_dump -Fd -Z0 -j2` into a folder, stored in a new repository', parallel),
        ],
        figures: [
          { what: 'CPU', value: of(ours, 'cpu') / of(usual, 'cpu'), limit: 0.2, unit: 'times' },
          { what: 'size', value: of(ours, 'bytes') / of(usual, 'bytes'), limit: 1, unit: 'times' },
          { what: 'CPU once more', value: of(again, 'cpu') / of(usual, 'cpu'), unit: 'times' },
          { what: 'wall', value: of(ours, 'wall') / of(usual, 'wall'), unit: 'times' },
          { what: 'CPU by a folder of parallel parts', value: of(parallel, 'cpu') / of(usual, 'cpu'), unit: 'times' },
        ],
      };
    } finally {
      await children.stop();
      await cluster.remove();
    }
  },
};
