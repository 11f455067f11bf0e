import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { memoryFolder } from '../../test/setup/memory-folder.ts';
import {
  createPointStore,
  createResticRepository,
  type PointStore,
  parseRepositoryLocation,
  type RecoveryPoint,
  type Repository,
  type ResticOptions,
} from '../backup/index.ts';
import { makeLightRepository } from '../backup/repository/light-key.fixture.ts';
import type { ReplicaConfig } from '../config/index.ts';
import { createEventLog, type EventLog } from '../events/index.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import { createOperations, type Operations } from '../operations/index.ts';
import { createChildProcesses } from '../platform/child-processes/index.ts';
import { systemClock } from '../platform/clock.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createHttpClient } from '../platform/http-client.ts';
import { systemRandom } from '../platform/ids.ts';
import { createLeases } from '../platform/leases.ts';
import { silentLogger } from '../platform/logging.ts';
import { createSeal } from '../platform/seal.ts';
import { environmentOf, placeWithCredentials } from './credentials.ts';
import { replicaLeaseMs } from './held-work.ts';
import { createRagwardenPlace } from './places/ragwarden-place.ts';
import { createRepositoryPlace } from './places/repository-place.ts';
import type { Replica } from './replica.ts';
import { createReplicas, type NewReplica } from './replicas.ts';
import { createReplication, type Replication } from './replication.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { createReplicationStore } from './replication-store.ts';

export type TestReplication = {
  readonly folder: string;
  readonly state: TestState;
  readonly clock: FakeClock;
  readonly events: EventLog;
  readonly operations: Operations;
  readonly points: PointStore;
  readonly source: Repository;
  readonly replication: Replication;
  readonly deps: ReplicationDeps;
  readonly transfers: Parameters<ReplicationDeps['onTransfer']>[0][];
  readonly pruned: Parameters<ReplicationDeps['onPruned']>[0][];
  /** What may be changed while it runs. */
  settings: ReturnType<ReplicationDeps['settings']>;
  unsound: string | undefined;
  /** How places are opened from now on. */
  placeOptions: Partial<Pick<ResticOptions, 'patience' | 'caFile' | 'environment'>>;
  onStep: (name: string) => void | Promise<void>;
  /** A point with one file of these bytes, and one stream when told; it exists in repository and catalogue. */
  makePoint(bytes: Buffer, more?: Partial<RecoveryPoint> & { readonly stream?: Buffer }): Promise<RecoveryPoint>;
  /** In a folder beside, with a repository whose key costs nothing to open unless `empty`. */
  register(more: Partial<NewReplica> & { readonly id: string }, empty?: 'empty'): Promise<Replica>;
  /** With `environment` beside what `more` has of it. */
  repositoryAt(
    path: string,
    environment?: Readonly<Record<string, string>>,
    more?: TestReplication['placeOptions'],
  ): Repository;
  remove(): Promise<void>;
};

export const password = 'the password of a repository of tests';

/** Test support: a real repository with real points, and replication over it, with a clock that stands. */
export async function openTestReplication(
  options: { readonly configured?: readonly ReplicaConfig[] } = {},
): Promise<TestReplication> {
  const folder = memoryFolder('replication');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  const state = await openTestState();
  const clock = createFakeClock();
  const { db } = state;
  const events = createEventLog({ db, clock, instance: 'test' });
  const operations = createOperations({ db, clock, log: silentLogger, events, instance: 'test' });
  const children = createChildProcesses({ log: silentLogger, clock: systemClock, recordDir: join(folder, 'children') });
  const repositoryAt: TestReplication['repositoryAt'] = (path, environment = {}, more = {}) =>
    createResticRepository({
      location: parseRepositoryLocation(path, 'file'),
      ...{ passwordFile, cacheDir: join(folder, 'cache'), children, log: silentLogger, clock: systemClock },
      ...more,
      environment: { ...more.environment, ...environment },
    });
  /** What points are packed in, without the seconds that a key of the tool costs. */
  const lightAt = (path: string): Repository => {
    const repository = repositoryAt(path);
    const init = async () => {
      await makeLightRepository(path, password);
      return { id: 'light', formatVersion: 2 };
    };
    return Object.assign(repository, { init });
  };
  const http = createHttpClient();
  const source = repositoryAt(join(folder, 'source'));
  await makeLightRepository(join(folder, 'source'), password);
  const points = createPointStore(db);
  const store = createReplicationStore(db);
  const leases = createLeases({ db, clock, instance: 'test', ttlMs: replicaLeaseMs });
  const replicas = createReplicas({
    ...{ store, db, events, clock, leases, forgetSpool: async () => undefined },
    ...{ configured: options.configured ?? [], maxTargets: 12, living: () => [join(folder, 'source')] },
    seal: createSeal({ given: undefined, file: join(folder, 'seal.key'), random: systemRandom }),
    parseLocation: parseRepositoryLocation,
    readSecret: async (secret) => ('value' in secret ? secret.value : (await readFile(secret.file, 'utf8')).trim()),
    admit: async () => undefined,
  });
  const transfers: TestReplication['transfers'] = [];
  const pruned: TestReplication['pruned'] = [];
  let made = 0;
  const test = {
    ...{ folder, state, clock, events, operations, points, source, transfers, pruned, repositoryAt },
    unsound: undefined as string | undefined,
    placeOptions: {} as TestReplication['placeOptions'],
    onStep: (_name: string): void | Promise<void> => undefined,
    settings: {
      ...{ enabled: true, checkIntervalMs: 300_000, intervalMs: 0, maxTargets: 5, maxConcurrent: 3, limitKiB: 0 },
      ...{ verifyIntervalMs: 86_400_000, verifyPercent: 100, keepForgottenMs: 1_000, placement: undefined },
      pruneIntervalMs: 7 * 86_400_000,
      receive: { enabled: true, maxBytes: 1e9, totalBytes: 1e10, keep: 10 },
    } as TestReplication['settings'],
    async makePoint(bytes: Buffer, { stream, ...more }: Partial<RecoveryPoint> & { stream?: Buffer } = {}) {
      made += 1;
      const id = more.id ?? `backup_20261122_093000_${String(made).padStart(4, '0')}`;
      const tags = [`rp:${id}`, 'target:default'];
      const tree = join(folder, `tree-${made}`);
      await mkdir(tree);
      await writeFile(join(tree, 'data.bin'), bytes);
      if (stream)
        await source.storeStream({
          ...{ name: 'db.dump', tags: [...tags, 'component:db', 'stream:db.db.dump'], host: 'test' },
          from: (async function* () {
            yield stream;
          })(),
        });
      const stored = await source.backup({ cwd: tree, paths: ['.'], tags: [...tags, 'manifest'], host: 'test' });
      const point: RecoveryPoint = {
        ...{ id, targetId: 'default', scope: 'target', workspace: null, cause: 'manual', status: 'success' },
        ...{ grade: 'consistent', takenMs: clock.now(), startedMs: clock.now(), finishedMs: clock.now() },
        ...{ verifiedMs: clock.now(), forgottenMs: null, repositoryId: 'r', treeId: stored.treeId },
        ...{ logicalBytes: bytes.length, storedBytes: stored.bytesAdded, manifest: null, error: null },
        ...{ pinned: false, operationId: null },
        ...more,
      };
      await db.unit((tx) => points.insert(tx, point));
      return point;
    },
    async register(more: Partial<NewReplica> & { readonly id: string }, empty?: 'empty') {
      const beside = join(folder, more.id);
      if (empty === undefined && !('location' in more)) await makeLightRepository(beside, password);
      return replicas.register(
        {
          ...{ name: more.id, location: beside, baseUrl: undefined, credentials: {} },
          ...{ zone: null, offline: false, enabled: true, limitKiB: null, maxConcurrent: null, metadata: {} },
          ...more,
        },
        'local:admin',
      );
    },
    async remove() {
      await operations.stop();
      await http.close();
      await children.stop();
      await state.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
  const deps: ReplicationDeps = {
    ...{ db, store, replicas, points, events, operations, clock, random: systemRandom, log: silentLogger, source },
    leases,
    targetIds: ['default'],
    settings: () => test.settings,
    async openPlace(replica) {
      const credentials = await replicas.credentials(replica);
      if (replica.kind === 'ragwarden')
        return createRagwardenPlace({
          ...{
            baseUrl: replica.place,
            apiKey: credentials.API_KEY ?? '',
            http,
            source,
            children,
            random: systemRandom,
            clock,
          },
          repositoryAt: lightAt,
          spool: join(folder, 'outgoing'),
        });
      const place = placeWithCredentials(replica.kind, replica.place, credentials);
      return createRepositoryPlace({
        source,
        folder: replica.kind === 'folder' ? replica.place : undefined,
        repository: repositoryAt(place, environmentOf(replica.kind, credentials), test.placeOptions),
      });
    },
    sourceUnsound: async () => test.unsound,
    asideDir: join(folder, 'aside'),
    broughtDir: join(folder, 'brought'),
    onTransfer: (facts) => transfers.push(facts),
    onPruned: (facts) => pruned.push(facts),
    onSourceHealed: async () => {
      test.unsound = undefined;
    },
    step: async (name) => test.onStep(name),
  };
  return Object.assign(test, { deps, replication: createReplication(deps) });
}
