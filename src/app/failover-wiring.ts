import { join } from 'node:path';
import type { Repository } from '../backup/index.ts';
import type { PlaceId, TargetConfig } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { createLeases } from '../platform/leases.ts';
import {
  type CheckpointSchedule,
  checkpointLeaseMs,
  checkpointRoutes,
  createCheckpointMetrics,
  createCheckpointSchedule,
  createCheckpointStore,
  createCheckpoints,
  createFailoverMetrics,
  createFailoverStore,
  createFailovers,
  type FailoverPlace,
  type FailoverSource,
  type FailoverStore,
  type Failovers,
  type FailoverTarget,
  failoverRoutes,
} from '../recovery/index.ts';
import type { Replication } from '../replication/index.ts';
import { askCanaryOnce, createLightragConnection, findFolderMismatches } from '../targets/index.ts';
import type { DocumentWiring } from './document-wiring.ts';
import type { Drilling } from './drilling.ts';
import type { Fronting } from './fronting.ts';
import type { Ground } from './ground.ts';
import type { PlaceAccess } from './place-access.ts';
import type { Protection } from './protection.ts';
import type { Watching } from './watching.ts';

export type FailoverWiring = {
  readonly failovers: Failovers;
  readonly failoverStore: FailoverStore;
  readonly failoverRoutes: RoutePlugin;
  readonly checkpointRoutes: RoutePlugin;
  readonly checkpointSchedule: CheckpointSchedule;
};

/** Bringing the target up at its other place, and back. Nothing of it runs yet. */
export function createFailoverWiring(
  ground: Ground,
  slices: {
    readonly watching: Watching;
    readonly protection: Pick<Protection, 'backup' | 'points' | 'guarded' | 'repository'>;
    readonly drilling: Pick<Drilling, 'drills' | 'drillStore'>;
    readonly fronting: Fronting;
    readonly canaries: DocumentWiring['canaries'];
    /** Where copies of points lie. */
    readonly replication: Pick<Replication, 'replicas' | 'openRepository' | 'openPacked'>;
    step(name: string): void | Promise<void>;
  },
): FailoverWiring {
  const { config, db, events, operations, clock, random, logOf } = ground;
  const { watching, protection, fronting } = slices;
  const { backup, points, guarded } = protection;
  const store = createFailoverStore(db);
  const metrics = createFailoverMetrics(ground.registry);
  const target = targetOf(ground, slices);
  const showPlace = (): void => {
    if (target) metrics.live(target.targetId, target.active());
  };
  if (target) metrics.begin(target.targetId);
  showPlace();
  const own: FailoverSource = {
    ...{ id: 'own', kind: 'repository' },
    title: `the repository at ${backup.location}`,
    open: async (): Promise<Repository> => protection.repository,
  };
  const requireTarget = (id: string): FailoverTarget => {
    if (target?.targetId !== id)
      throw new AppError('target/unknown', `There is no target "${id}". \`ragwarden target list\` shows them.`);
    return target;
  };
  const defaultTargetId = (): string => {
    if (!target)
      throw new AppError('target/unknown', 'No target is configured. Set RAGWARDEN_TARGET_URL and WORKING_DIR.');
    return target.targetId;
  };
  const failovers = createFailovers({
    ...{ db, store, points, events, operations, clock, random },
    log: logOf('recovery'),
    scratchDir: join(config.dataDir, 'failover'),
    enabled: () => config.backup.enabled && config.recovery.enabled,
    requireTarget,
    targetIds: () => (target ? [target.targetId] : []),
    sources: async () => [own, ...(await replicasOf(slices.replication))],
    restorerOf: (_, component) => guarded?.restorerOf(component),
    takePoint: (targetId, requestedBy) => backup.take({ targetId, cause: 'manual', requestedBy }),
    step: async (name) => slices.step(name),
    onEnd: (failover) => metrics.count(failover),
  });
  const checkpointStore = createCheckpointStore(db);
  const checkpoints = createCheckpoints({
    ...{ db, points, backup, failovers, operations, events, clock, random },
    ...slices.drilling,
    store: checkpointStore,
    requireGraph: (id) => backup.snapshots.requireGraph(id),
    onChange: () => checkpointSchedule.wake(),
  });
  const checkpointSchedule = createCheckpointSchedule({
    ...{ checkpoints, points, operations, db, clock, failovers: store, store: checkpointStore },
    drillStore: slices.drilling.drillStore,
    leases: createLeases({ db, clock, instance: config.state.instance, ttlMs: checkpointLeaseMs }),
    log: logOf('recovery'),
    targetIds: watching.targets.map((one) => one.target.id),
    off: () =>
      config.backup.enabled && config.recovery.enabled
        ? undefined
        : 'None is made by itself while LIGHTRAG_RECOVERY_ENABLED (recovery.enabled) or BACKUP_ENABLED (backup.enabled) is off.',
    graphs: () => backup.snapshots.graphs(),
    settings: () => {
      const { checkpointIntervalMs, automaticCheckpoints } = ground.config.recovery;
      return { intervalMs: checkpointIntervalMs, keep: automaticCheckpoints };
    },
    onLook: createCheckpointMetrics(ground.registry).show,
  });
  watching.places?.onSwitch(() => {
    fronting.follow();
    showPlace();
  });
  return {
    failovers,
    failoverStore: store,
    checkpointRoutes: checkpointRoutes({
      ...{ checkpoints, store: checkpointStore, schedule: checkpointSchedule, failovers: store, operations },
    }),
    checkpointSchedule,
    failoverRoutes: failoverRoutes({ failovers, store, operations, defaultTargetId, requireTarget }),
  };
}

function targetOf(
  ground: Ground,
  slices: { watching: Watching; fronting: Fronting; canaries: DocumentWiring['canaries'] },
): FailoverTarget | undefined {
  const { watching, fronting } = slices;
  const { places, watch } = watching;
  if (!places || !watch) return undefined;
  const targetId = watch.watched.target.id;
  const known = new Map(places.all.map(({ id }) => [id, placeOf(ground, watch.at(id))]));
  return {
    targetId,
    active: () => places.active(),
    at: (id) => known.get(id),
    whyNone: whyNoSecondPlace(watch.at('home').config),
    async switchTo(id) {
      places.switchTo(id);
      await watch.watched.probe();
    },
    async askThroughGateway(signal) {
      const { gateway } = fronting;
      if (!gateway) return { verdict: 'not-asked', message: `Nobody asked through the gateway: ${fronting.why}` };
      if (ground.config.gateway.requireKey)
        return { verdict: 'not-asked', message: 'Nobody asked through the gateway, which wants a key of everybody.' };
      const { target } = watch.at(places.active());
      const [endpoint] = target.endpoints;
      if (!endpoint) return { verdict: 'not-asked', message: 'Nobody asked: the place answers nowhere.' };
      const connection = createLightragConnection({
        endpoint: { ...endpoint, url: gateway.url() },
        http: ground.http,
        clock: ground.clock,
        timeoutMs: target.probeTimeoutMs,
      });
      const { status } = await connection.call('/health', { signal });
      if (status !== 200)
        return { verdict: 'error', message: `The gateway answers ${status} for the health of the backend.` };
      const answer = ground.config.canary
        ? await askCanaryOnce(connection, ground.config.canary, signal)
        : { verdict: 'passed', message: null };
      // What is shown of the canary is of the new place from now on.
      for (const canary of slices.canaries) canary.wake();
      return answer;
    },
  };
}

/** The settings refuse a second place for the same. */
function whyNoSecondPlace({ id, kind, endpoints }: TargetConfig): string | undefined {
  const instead =
    'When its machine is lost, bring its newest point onto another one with `ragwarden recover`, start the backend there and change the address in the settings: docs/runbooks/lost-machine.md.';
  if (kind === 'graphrag')
    return `${id} is a GraphRAG project, and only a LightRAG is brought up at a second place. ${instead}`;
  if (kind === 'custom')
    return `${id} is a backend of your own, and only a LightRAG is brought up at a second place. ${instead}`;
  if ((endpoints?.length ?? 0) > 0)
    return `${id} has further endpoints, and only a LightRAG of one process is brought up at a second place. ${instead}`;
  return undefined;
}

function placeOf(ground: Ground, access: PlaceAccess): FailoverPlace {
  const { id, target, adapter, backend, connection } = access;
  return {
    id,
    url: target.endpoints[0]?.url ?? null,
    zone: zoneOf(access, id),
    folders: new Map(target.stores.map((store) => [store.name, store.path])),
    // Shared is shared: the place at home uses it as well.
    shared: new Set(access.config.standby?.shared ?? []),
    lifecycle: backend,
    async look(signal) {
      const seen = await adapter.probe(signal);
      const amiss = (await findFolderMismatches(target, seen)).map(({ message }) => message);
      return { seen, amiss: seen.kind === target.kind ? amiss : [`what answers is no ${target.kind}`, ...amiss] };
    },
    async askCanary(signal) {
      const settings = ground.config.canary;
      if (!settings) return { verdict: 'not-asked', message: 'There is no canary: set target.canary.question.' };
      if (!connection) return { verdict: 'not-asked', message: 'The backend is asked no questions.' };
      return askCanaryOnce(connection, settings, signal);
    },
  };
}

const zoneOf = ({ config }: PlaceAccess, id: PlaceId): string | null =>
  id === 'standby' ? (config.standby?.zone ?? null) : null;

/**
 * Also one that is switched off, or usually not attached: whoever needs a copy takes it where it lies. What has to come whole comes
 * last.
 */
async function replicasOf({
  replicas,
  openRepository,
  openPacked,
}: Pick<Replication, 'replicas' | 'openRepository' | 'openPacked'>): Promise<FailoverSource[]> {
  const sources = (await replicas.list()).map(({ id, kind, place }): FailoverSource => {
    const named = { id, title: `the replication target ${id} (${place})` };
    if (kind !== 'ragwarden') return { ...named, kind: 'repository', open: () => openRepository(id) };
    return {
      ...{ ...named, kind: 'packed' },
      list: async (signal) => (await openPacked(id)).list(signal),
      bring: async (pointId, folder, signal) => (await openPacked(id)).bring([pointId], folder, signal),
    };
  });
  return sources.sort((one, other) => Number(one.kind === 'packed') - Number(other.kind === 'packed'));
}
