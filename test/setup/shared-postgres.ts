import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';

const socketVariable = 'TEST_SHARED_POSTGRES';

/**
 * Vitest calls this once per run. One server is shared by all test files, each with databases of its own; it is started when the
 * first of them asks, so a run that needs none pays nothing.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[socketVariable] !== undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'rw-shared-'));
  const path = join(folder, 'ask');
  let cluster: Promise<PostgresCluster> | undefined;
  const server = createServer((socket) => {
    cluster ??= startPostgresCluster();
    cluster.then(
      (started) => socket.end(started.url('postgres')),
      (err: unknown) => socket.end(`failed: ${String(err)}`),
    );
    socket.on('error', () => undefined);
  });
  server.listen(path);
  await once(server, 'listening');
  process.env[socketVariable] = path;
  return async () => {
    delete process.env[socketVariable];
    server.close();
    await (await cluster?.catch(() => undefined))?.remove();
    rmSync(folder, { recursive: true, force: true });
  };
}

/** URL of database `postgres` on the shared server, as a user who may make others. */
export async function sharedPostgresUrl(): Promise<string> {
  const path = process.env[socketVariable];
  if (path === undefined) throw new Error('the tests were started without test/setup/shared-postgres.ts');
  const answer = await text(connect(path));
  if (!answer.startsWith('postgresql:')) throw new Error(answer);
  return answer;
}
