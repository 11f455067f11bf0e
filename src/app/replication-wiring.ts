import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createResticRepository,
  parseRepositoryLocation,
  type Repository,
  type RepositoryLocation,
  requireGraph,
} from '../backup/index.ts';
import type { HealthCheck } from '../health/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { createLeases } from '../platform/leases.ts';
import type { Part } from '../platform/lifecycle.ts';
import { createSeal } from '../platform/seal.ts';
import {
  adoptKind,
  adoptRoutes,
  bodyOfOverview,
  createAdoption,
  createRagwardenPlace,
  createReceivedStore,
  createReceiver,
  createReplicas,
  createReplication,
  createReplicationJob,
  createReplicationMetrics,
  createReplicationStore,
  createRepositoryPlace,
  judgeOverview,
  type Packed,
  placeWithCredentials,
  type Replica,
  type Replication,
  type ReplicationJob,
  receiveRoutes,
  replicaLeaseMs,
  replicationRoutes,
} from '../replication/index.ts';
import type { Ground } from './ground.ts';
import { foldersOfPlaces } from './places.ts';
import type { Protection } from './protection.ts';
import { readStoreSecret, storeEnvironment } from './repository-options.ts';
import type { Watching } from './watching.ts';

export type ReplicationWiring = {
  readonly replication: Replication;
  readonly replicationJob: ReplicationJob;
  readonly replicationRoutes: RoutePlugin;
  readonly receiveRoutes: RoutePlugin;
  readonly adoptRoutes: RoutePlugin;
  /** What an end in the middle left of what others send goes at start. */
  readonly receiving: Part;
  readonly replicationSettlers: Replication['settlers'];
  readonly replicationCheck: HealthCheck;
  /** Everything about replicas, as the API tells it. */
  replicationOverview(): Promise<ReturnType<typeof bodyOfOverview>>;
};

/** Copies of points elsewhere. Nothing of it runs yet. */
export function createReplicationWiring(
  ground: Ground,
  watching: Watching,
  protection: Protection,
  ports: { step(name: string): void | Promise<void> },
): ReplicationWiring {
  const { config, clock, random, logOf, children, db, events, operations, http, registry, documentMetrics } = ground;
  const { targets } = watching;
  const { backup, points, repository, guarded } = protection;
  const log = logOf('replication');
  const store = createReplicationStore(db);
  const metrics = createReplicationMetrics(registry, documentMetrics);
  const allowed = http.forUntrusted({ allowPrivate: true });
  const leases = createLeases({ db, clock, instance: config.state.instance, ttlMs: replicaLeaseMs });
  const spoolOf = (replica: Replica): string => join(config.dataDir, 'outgoing', replica.id);
  const replicas = createReplicas({
    ...{ store, db, events, clock, leases },
    forgetSpool: (replica) => rm(spoolOf(replica), { recursive: true, force: true }),
    seal: createSeal({ given: config.access.sealKey, file: join(config.dataDir, 'seal.key'), random }),
    configured: config.replication.targets,
    maxTargets: config.replication.maxTargets,
    living: () => [
      config.dataDir,
      config.backup.location,
      ...targets.flatMap((one) => one.target.stores.map((place) => place.path)),
      // Also where it does not live now: a failover puts aside what lies there.
      ...foldersOfPlaces(watching),
    ],
    parseLocation: parseRepositoryLocation,
    readSecret: readStoreSecret,
    admit: (host, port) => allowed.admit(host, port),
  });

  const repositoryAt = (folder: string, passwordFile: string): Repository =>
    createResticRepository({
      ...{ location: parseRepositoryLocation(folder, 'file'), passwordFile },
      ...{ cacheDir: join(config.dataDir, 'cache', 'restic'), environment: {}, children, log, clock },
    });
  /** By the address of another ragwarden: what was too large for it. */
  const tooLarge = new Map<string, Map<string, Packed>>();
  const openPlace = async (replica: Replica) => {
    const credentials = await replicas.credentials(replica);
    if (replica.kind === 'ragwarden') {
      const refused = tooLarge.get(replica.place) ?? new Map<string, Packed>();
      tooLarge.set(replica.place, refused);
      return createRagwardenPlace({
        ...{ baseUrl: replica.place, apiKey: credentials.API_KEY ?? '', source: repository, children },
        http: replica.origin === 'file' ? http : allowed,
        spool: spoolOf(replica),
        tooLarge: refused,
        random,
        clock,
        ours: async (ids) => {
          const known = await Promise.all(ids.map(async (id) => ((await points.find(id)) ? [id] : [])));
          return new Set(known.flat());
        },
        repositoryAt: (folder) => repositoryAt(folder, config.backup.passwordFile),
      });
    }
    const written = placeWithCredentials(replica.kind, replica.place, credentials);
    const location: RepositoryLocation = parseRepositoryLocation(written, replica.origin === 'file' ? 'file' : 'api');
    return createRepositoryPlace({
      source: repository,
      folder: replica.kind === 'folder' ? location.resticArgument : undefined,
      repository: createResticRepository({
        location,
        passwordFile: replica.passwordFile ?? config.backup.passwordFile,
        cacheDir: join(config.dataDir, 'cache', 'restic'),
        environment: storeEnvironment(location.kind, credentials, config),
        caFile: replica.caFile ?? config.replication.caFile,
        ...{ children, log, clock },
      }),
    });
  };

  const settings = () => ({ ...ground.config.replication, pruneIntervalMs: ground.config.backup.pruneIntervalMs });
  const replication = createReplication({
    ...{ db, store, replicas, points, events, operations, clock, random, log, openPlace },
    leases,
    source: repository,
    targetIds: targets.map((one) => one.target.id),
    settings,
    async sourceUnsound() {
      const check = (await backup.upkeep.states()).find(({ kind }) => kind === 'check');
      const failed = check?.lastFailureMs != null && check.lastFailureMs > (check.lastSuccessMs ?? 0);
      return failed && /damaged/.test(check.lastError ?? '') ? (check.lastError ?? undefined) : undefined;
    },
    asideDir: join(config.dataDir, 'damaged-packs'),
    broughtDir: join(config.dataDir, 'brought-back'),
    onTransfer: ({ replicaId, point, outcome, bytes }) =>
      metrics.count({ targetId: point.targetId, replicaId, outcome, bytes }),
    onPruned: (facts) => metrics.countPruned(facts),
    onSourceHealed: () => backup.upkeep.noteSound(),
    step: async (name) => ports.step(name),
  });
  const job = createReplicationJob({
    ...{ replication, operations, clock, log, db, events },
    settings,
    onOverview: (overview) => metrics.show(overview),
  });
  ground.live.onChange((now) => {
    job.setIntervalMs(now.replication.checkIntervalMs);
    job.wake();
  });
  protection.onPoint(() => job.wake());
  const receiver = createReceiver({
    ...{ db, events, clock, random, store: createReceivedStore(db), log: store },
    folder: join(config.dataDir, 'received'),
    instance: config.state.instance,
    limits: () => ground.config.replication.receive,
  });
  const adoption = createAdoption({
    ...{ receiver, db, events, operations, leases, clock, children, repositoryAt },
    targetIds: targets.map((one) => one.target.id),
    scratchDir: join(config.dataDir, 'adopting'),
    takeIn: (request, context) => backup.takeIn(request, context),
    step: async (name) => ports.step(name),
  });
  return {
    replication,
    receiving: {
      name: 'received points',
      async start() {
        // With what is left it works as well.
        if (ground.config.replication.receive.enabled)
          await receiver.sweep().catch((err: unknown) => log.warn({ err }, 'what others sent was not swept'));
      },
    },
    replicationSettlers: { ...replication.settlers, [adoptKind]: adoption.settler },
    adoptRoutes: adoptRoutes({ adoption, operations }),
    receiveRoutes: receiveRoutes({ receiver, enabled: () => ground.config.replication.receive.enabled }),
    replicationJob: job,
    replicationRoutes: replicationRoutes({
      ...{ replication, operations },
      requireGraph: (id) =>
        requireGraph(id, (targetId) => (guarded?.target.id === targetId ? guarded.workspaces() : undefined)),
      wake: () => job.wake(),
    }),
    replicationCheck: {
      name: 'replication',
      kind: 'application',
      about: 'watched',
      read() {
        const overview = job.latest();
        if (!overview) return { status: 'unknown', message: 'Not looked at yet.', atMs: undefined };
        const { status, message } = judgeOverview(overview);
        // Who asked for no copies lacks none.
        const word = status === 'not configured' || (status === 'unknown' && !overview.enabled) ? 'healthy' : status;
        return { status: word, message, atMs: overview.atMs };
      },
    },
    replicationOverview: async () => bodyOfOverview(await replication.overview()),
  };
}
