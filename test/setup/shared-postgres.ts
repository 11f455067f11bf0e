import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';

const portVariable = 'TEST_SHARED_POSTGRES';

/**
 * Vitest calls this once per run. One server is shared by all test files, each with databases of its own; it is started when the
 * first of them asks, so a run that needs none pays nothing.
 */
export async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env[portVariable] !== undefined) return undefined;
  let cluster: Promise<PostgresCluster> | undefined;
  const server = createServer((socket) => {
    cluster ??= startPostgresCluster();
    cluster.then(
      (started) => socket.end(started.url('postgres')),
      (err: unknown) => socket.end(`failed: ${String(err)}`),
    );
    socket.on('error', () => undefined);
  });
  // No socket in a folder: the name of one may be a hundred characters long, and that of a temporary folder longer.
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.env[portVariable] = String((server.address() as AddressInfo).port); // listening on a port, so never a string
  return async () => {
    delete process.env[portVariable];
    server.close();
    await (await cluster?.catch(() => undefined))?.remove();
  };
}

/** URL of database `postgres` on the shared server, as a user who may make others. */
export async function sharedPostgresUrl(): Promise<string> {
  const port = process.env[portVariable];
  if (port === undefined) throw new Error('the tests were started without test/setup/shared-postgres.ts');
  const answer = await text(connect(Number(port), '127.0.0.1'));
  if (!answer.startsWith('postgresql:')) throw new Error(answer);
  return answer;
}
