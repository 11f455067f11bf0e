import type { WriteBarrier } from '../backup/index.ts';
import {
  type AcceptedInsert,
  type Canary,
  createCanary,
  createDocumentStore,
  createDocumentWatch,
  createIngestMetrics,
  createLightragDocuments,
  createLightragRetrieval,
  createReprocessing,
  type DocumentPlace,
  type Inspections,
  type LightragConnection,
  type Observation,
  type WatchedDocuments,
  type WatchedTarget,
} from '../targets/index.ts';
import type { Ground } from './ground.ts';
import { watchEndpoint } from './watch-endpoint.ts';
import type { Watch } from './watch-target.ts';

export type DocumentWiring = {
  /** The further workspaces of the target: each is a process of its own, which is probed like the first. */
  readonly endpoints: readonly WatchedTarget[];
  readonly documents: readonly WatchedDocuments[];
  readonly canaries: readonly Canary[];
  /** What a gateway saw the backend accept. One that belongs to no workspace under watch is passed over. */
  followInsert(place: DocumentPlace, insert: AcceptedInsert): void;
  /** What a model was seen to give for this target. */
  noteEmbeddingDimension(targetId: string, dimension: number): void;
};

/** Inserts wait while the backend is looked at and asked; both take moments. */
const longestHoldMs = 15_000;

/** One process of the backend, with the workspace that it serves. */
type Served = {
  readonly watched: WatchedTarget;
  readonly place: DocumentPlace;
  readonly connection: LightragConnection;
  onObservation(callback: (seen: Observation) => void): void;
  /** Nobody has stopped it on purpose. */
  isUp(): boolean;
  indexDimension(): number | undefined;
};

/** What becomes of documents, and whether the graph answers: what stands on the watching of a target. Nothing of it runs yet. */
export function wireDocuments(
  ground: Ground,
  watch: Watch | undefined,
  inspections: Inspections,
  barrier: WriteBarrier,
): DocumentWiring {
  const served = watch === undefined ? [] : servedBy(ground, watch, inspections);
  const metrics = createIngestMetrics(ground.registry);
  const wired = served.map((one) => ({
    ...one,
    ...wireWorkspace(ground, one, metrics, barrier),
  }));
  const canaries = wired.flatMap(({ canary }) => canary ?? []);
  return {
    endpoints: served.slice(1).map(({ watched }) => watched),
    documents: wired.map(({ documents }) => documents),
    canaries,
    followInsert({ targetId, workspace }, insert) {
      const found = wired.find(({ place }) => place.targetId === targetId && place.workspace === workspace);
      found?.documents.watch.follow(insert);
    },
    noteEmbeddingDimension(targetId, dimension) {
      for (const canary of canaries) if (canary.place.targetId === targetId) canary.noteEmbeddingDimension(dimension);
    },
  };
}

function servedBy(ground: Ground, watch: Watch, inspections: Inspections): Served[] {
  const { watched, connection, backend, onObservation } = watch;
  // What is no LightRAG server is not asked for its documents.
  if (connection === undefined) return [];
  const { id: targetId, workspaces } = watched.target;
  const isUp = (): boolean => !backend.isExpectedDown();
  const first: Served = {
    watched,
    place: { targetId, workspace: workspaces[0] ?? '' },
    connection,
    onObservation,
    isUp,
    indexDimension: () => inspections.last(targetId)?.dimension.files[0]?.dimension,
  };
  const further = (ground.config.target?.endpoints ?? []).map((endpoint): Served => {
    const place = { targetId, workspace: endpoint.workspace };
    // Its files are not inspected: the folder of the target is looked into for the first workspace alone.
    return { ...watchEndpoint(ground, watched, endpoint), place, isUp, indexDimension: () => undefined };
  });
  return [first, ...further];
}

function wireWorkspace(
  ground: Ground,
  served: Served,
  metrics: ReturnType<typeof createIngestMetrics>,
  barrier: WriteBarrier,
): { documents: WatchedDocuments; canary: Canary | undefined } {
  const { db, events, operations, registry, clock } = ground;
  const { watched, place, connection } = served;
  const log = ground.logOf('targets');
  const documents = createLightragDocuments(connection);
  const shared = { place, documents, db, events, clock, log };
  const watch = createDocumentWatch({
    ...shared,
    store: createDocumentStore(db),
    metrics,
    stuck: watched.stuck,
    limits: () => ground.config.documents.follow,
  });
  served.onObservation((seen) => watch.noteObservation(seen));
  const reprocessing = createReprocessing({
    ...shared,
    operations,
    probe: () => watched.probe(),
    stuck: watched.stuck,
    async holdInserts(signal) {
      const reason = 'stuck documents are taken up again';
      const held = await barrier.hold({ targetId: place.targetId, maxMs: longestHoldMs, reason, signal });
      return async () => held.held && (await held.release());
    },
    policy: () => ground.config.documents.reprocess,
  });
  const settings = ground.config.canary;
  if (settings === undefined) return { documents: { watch, reprocessing }, canary: undefined };
  const canary = createCanary({
    ...shared,
    settings: () => ground.config.canary ?? settings,
    intervalMs: settings.intervalMs,
    retrieve: createLightragRetrieval(connection),
    answers: () => watched.observation()?.reachable === true && served.isUp(),
    indexDimension: served.indexDimension,
    onFinding: (finding) => watched.noteFinding('canary', finding),
    operations,
    registry,
  });
  // Asked as soon as somebody answers, not only after the first interval.
  served.onObservation((seen) => {
    if (seen.reachable && canary.report().last === null) canary.wake();
  });
  ground.live.onChange((now) => {
    if (now.canary) canary.setIntervalMs(now.canary.intervalMs);
  });
  return { documents: { watch, reprocessing }, canary };
}
