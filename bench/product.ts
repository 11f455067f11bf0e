import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { type PostgresCluster, startPostgresCluster } from '../test/setup/postgres-cluster.ts';
import { shortLife } from '../test/setup/product-programs.ts';
import { built, type Running, sleep, startProgram, temporaryFolder } from './processes.ts';
import type { Size } from './report.ts';

export const adminToken = 'bench-token-of-an-administrator';

export type Sample = {
  readonly workingDir: string;
  readonly inputDir: string;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
};

/** What benches have in common in a run whose figures nobody reads: to start it is most of what such a bench costs. */
let common: { sample?: Promise<Sample>; product?: Promise<Product>; postgres?: Promise<PostgresCluster> } | undefined;
const notStopped = async (): Promise<void> => {};

/** From here on a tiny sample, the server of PostgreSQL, and the product of those who set nothing, are the same for all. @returns what ends both */
export function shareAmongBenches(): () => Promise<void> {
  const mine: NonNullable<typeof common> = {};
  common = mine;
  return async () => {
    // What did not start was told by the bench that asked for it.
    for (const one of [mine.product, mine.sample]) await (await one?.catch(() => undefined))?.stop();
    await (await mine.postgres?.catch(() => undefined))?.remove();
  };
}

/** A real workspace and a server with LightRAG's HTTP API over it. */
export async function startSample(size: 'tiny' | 'small' | 'medium'): Promise<Sample> {
  if (!common || size !== 'tiny') return startOwnSample(size);
  common.sample ??= startOwnSample(size);
  return { ...(await common.sample), stop: notStopped };
}

async function startOwnSample(size: 'tiny' | 'small' | 'medium'): Promise<Sample> {
  const folder = temporaryFolder();
  const workingDir = join(folder, 'rag_storage');
  const inputDir = join(folder, 'inputs');
  execFileSync(process.execPath, [
    built('generate-workspace.js'),
    ...['--dir', workingDir, '--input-dir', inputDir, '--size', size],
  ]);
  const server = await startProgram(process.execPath, [
    built('sample-backend.js'),
    ...['--working-dir', workingDir, '--input-dir', inputDir],
  ]);
  const { url } = JSON.parse(server.line) as { url: string };
  return { workingDir, inputDir, url, pid: server.pid, stop: server.stop };
}

/** A server of PostgreSQL, and on it an empty database. */
export async function startDatabase(): Promise<
  Pick<PostgresCluster, 'url' | 'remove'> & { readonly database: string }
> {
  if (!common) {
    const { url, remove } = await startPostgresCluster();
    return { url, remove, database: 'postgres' };
  }
  common.postgres ??= startPostgresCluster();
  const { url } = await common.postgres;
  const database = `bench_${randomUUID().replaceAll('-', '')}`;
  const client = new pg.Client({ connectionString: url('postgres') });
  await client.connect();
  await client.query(`create database ${database}`).finally(() => client.end());
  return { url, database, remove: notStopped };
}

export type Product = Running & { readonly api: string; readonly metrics: string; readonly dataDir: string };

/**
 * The built product, watching the sample, sampling each second; backups wait until they are asked for. Without a sample it has one
 * of its own, with a second place.
 */
export async function startProduct(
  sample: Sample | undefined,
  size: Size,
  settings: Record<string, string> = {},
): Promise<Product> {
  if (!common || !sample || Object.keys(settings).length > 0) return startOwnProduct(sample, size, settings);
  common.product ??= startOwnProduct(sample, size);
  return { ...(await common.product), stop: notStopped };
}

/** One of its own in any run. In `tiny` it finds a repository whose key costs nothing to open, instead of making one. */
export async function startOwnProduct(
  sample: Sample | undefined,
  size: Size,
  settings: Record<string, string> = {},
): Promise<Product> {
  const dataDir = join(temporaryFolder(), 'data');
  mkdirSync(dataDir, { mode: 0o700 });
  if (size === 'tiny') {
    const password = 'the password of a tiny bench';
    writeFileSync(join(dataDir, 'repository-password'), `${password}\n`, { mode: 0o600 });
    await makeLightRepository(join(dataDir, 'repository'), password);
  }
  const command = sample ? 'serve' : 'up';
  const running = await startProgram(
    process.execPath,
    [
      ...(size === 'tiny' ? shortLife : []),
      ...[built('main.js'), command, '--data-dir', dataDir],
      ...['--port', '0', '--metrics-port', '0', '--gateway-port', '0'],
    ],
    {
      env: {
        RAGWARDEN_ADMIN_TOKEN: adminToken,
        ...(sample && {
          RAGWARDEN_TARGET_URL: sample.url,
          WORKING_DIR: sample.workingDir,
          INPUT_DIR: sample.inputDir,
        }),
        RAGWARDEN_SAMPLE_INTERVAL: '1',
        RAGWARDEN_BACKUP_AT_START: 'false',
        RAGWARDEN_LOG_LEVEL: 'warning',
        ...settings,
      },
    },
  );
  const { api, metrics } = JSON.parse(running.line) as { api: string; metrics: string };
  return { ...running, api, metrics, dataDir };
}

/** A call of the API as an administrator; `waitSeconds`: for the end of what it begins. @throws where it answers with an error */
export async function call(
  api: string,
  method: 'GET' | 'POST',
  path: string,
  body?: object,
  waitSeconds?: number,
): Promise<Record<string, unknown>> {
  const answer = await fetch(new URL(path, api), {
    method,
    headers: {
      authorization: `Bearer ${adminToken}`,
      ...(body && { 'content-type': 'application/json' }),
      ...(waitSeconds && { prefer: `wait=${waitSeconds}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** The same, asked again while other work holds what it needs. */
export async function callWhenFree(api: string, path: string, body: object, waitSeconds: number) {
  for (;;)
    try {
      return await call(api, 'POST', path, body, waitSeconds);
    } catch (err) {
      if (!String(err).includes('answers 409')) throw err;
      await sleep(200);
    }
}
