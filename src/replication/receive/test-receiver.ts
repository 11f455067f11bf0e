import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEventLog, type EventLog } from '../../events/index.ts';
import { openTestState } from '../../migrations/test-state.ts';
import { createFakeClock, type FakeClock } from '../../platform/fake-clock.ts';
import { createHttpServer, type HttpServer } from '../../platform/http/index.ts';
import { systemRandom } from '../../platform/ids.ts';
import { silentLogger } from '../../platform/logging.ts';
import { createReplicationStore, type ReplicationStore } from '../replication-store.ts';
import { receiveRoutes } from './receive-routes.ts';
import { createReceivedStore } from './received-store.ts';
import { createReceiver, type Receiver } from './receiver.ts';

export type TestReceiver = {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly server: HttpServer;
  readonly events: EventLog;
  readonly log: ReplicationStore;
  limits: { enabled: boolean; maxBytes: number; totalBytes: number; keep: number };
  remove(): Promise<void>;
};

/** Test support: another installation, as far as it takes points. The name of a service is its token; `admin` is one. */
export async function openTestReceiver(more: Partial<Receiver> = {}): Promise<TestReceiver> {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-received-'));
  const state = await openTestState();
  const clock = createFakeClock();
  const { db } = state;
  const events = createEventLog({ db, clock, instance: 'other' });
  const log = createReplicationStore(db);
  const server = createHttpServer({
    ...{ log: silentLogger, clock, allowedHosts: () => ['127.0.0.1', 'localhost'] },
    async authenticate({ headers }) {
      const name = headers.authorization?.replace('Bearer ', '');
      if (name === undefined || name === 'wrong') return undefined;
      return {
        subject: `local:${name}`,
        role: name === 'admin' ? 'admin' : 'service',
        workspaces: 'all',
        via: 'token',
      };
    },
  });
  const test = {
    ...{ folder, clock, server, events, log },
    limits: { enabled: true, maxBytes: 1e9, totalBytes: 1e10, keep: 100 },
    async remove() {
      await server.close();
      await state.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const receiver = createReceiver({
    ...{ db, events, clock, random: systemRandom, store: createReceivedStore(db), log, folder, instance: 'other' },
    limits: () => test.limits,
  });
  await server.register(receiveRoutes({ receiver: { ...receiver, ...more }, enabled: () => test.limits.enabled }));
  return test;
}
