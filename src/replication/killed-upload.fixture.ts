/** Run by a test as processes of their own, to be killed: who receives points prints its address, who sends one how far it is. */
import { writeSync } from 'node:fs';
import type { RecoveryPoint, Repository } from '../backup/index.ts';
import { createEventLog } from '../events/index.ts';
import { stateMigrations } from '../migrations/index.ts';
import type { ChildProcesses } from '../platform/child-processes/index.ts';
import { systemClock } from '../platform/clock.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { createHttpServer } from '../platform/http/index.ts';
import { createHttpClient, type HttpRequester } from '../platform/http-client.ts';
import { systemRandom } from '../platform/ids.ts';
import { silentLogger } from '../platform/logging.ts';
import { createRagwardenPlace } from './places/ragwarden-place.ts';
import { receiveRoutes } from './receive/receive-routes.ts';
import { createReceivedStore } from './receive/received-store.ts';
import { createReceiver } from './receive/receiver.ts';
import { createReplicationStore } from './replication-store.ts';

/** A place for a point that is packed already. */
export const placeFor = (baseUrl: string, spool: string, http: HttpRequester) =>
  createRagwardenPlace({
    ...{ baseUrl, apiKey: 'far', spool, http, random: systemRandom, clock: systemClock, partBytes: 64 * 1024 },
    // Of what is packed already neither is asked.
    ...{ source: {} as Repository, repositoryAt: () => ({}) as Repository, children: {} as ChildProcesses },
  });
export const item = {
  // Of a point, what a transfer looks at.
  point: { id: 'p1', targetId: 'default', takenMs: 1 } as RecoveryPoint,
  ...{ streams: [], manifest: 'm', treeId: 'a'.repeat(64) },
};

async function receive(statePath: string, folder: string): Promise<void> {
  const db = openSqlite({ name: 'state', path: statePath, synchronous: 'FULL', log: silentLogger });
  await migrate(db, stateMigrations);
  const clock = systemClock;
  const receiver = createReceiver({
    ...{ db, clock, random: systemRandom, folder, instance: 'other', store: createReceivedStore(db) },
    ...{ log: createReplicationStore(db), events: createEventLog({ db, clock, instance: 'other' }) },
    limits: () => ({ enabled: true, maxBytes: 1e9, totalBytes: 1e10, keep: 10 }),
  });
  await receiver.sweep();
  const server = createHttpServer({
    ...{ log: silentLogger, clock, allowedHosts: () => ['127.0.0.1'] },
    authenticate: async () => ({ subject: 'local:far', role: 'service', workspaces: 'all', via: 'token' }),
  });
  await server.register(receiveRoutes({ receiver, enabled: () => true }));
  writeSync(1, `${await server.listen({ host: '127.0.0.1', port: 0 })}\n`);
}

const [, script, role, first = '', second = ''] = process.argv;
if (script?.endsWith('killed-upload.fixture.ts')) {
  if (role === 'receive') await receive(first, second);
  else
    await placeFor(first, second, createHttpClient()).bring(item, 0, {
      signal: new AbortController().signal,
      onProgress({ bytesDone }) {
        writeSync(1, `${bytesDone}\n`);
        // Stands still in the middle until it is killed, however fast the machine.
        if (bytesDone >= 500_000) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
      },
    });
}
