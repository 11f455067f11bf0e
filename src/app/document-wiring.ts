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
  type InsertEnd,
  type Inspections,
  type WatchedDocuments,
} from '../targets/index.ts';
import type { Ground } from './ground.ts';
import type { Watch } from './watch-target.ts';

export type DocumentWiring = {
  readonly documents: readonly WatchedDocuments[];
  readonly canaries: readonly Canary[];
  /** What a gateway saw the backend accept. One that belongs to no workspace under watch is passed over. */
  followInsert(place: DocumentPlace, insert: AcceptedInsert): void;
  /** Told of each insert that has ended; the returned function ends that. */
  onInsertEnd(callback: (place: DocumentPlace, end: InsertEnd) => void): () => void;
  /** What a model was seen to give for this target. */
  noteEmbeddingDimension(targetId: string, dimension: number): void;
};

/** What becomes of documents, and whether the graph answers: what stands on the watching of a target. Nothing of it runs yet. */
export function wireDocuments(ground: Ground, watch: Watch | undefined, inspections: Inspections): DocumentWiring {
  const { clock, db, events, operations, registry, logOf } = ground;
  const log = logOf('targets');
  const callbacks = new Set<(place: DocumentPlace, end: InsertEnd) => void>();
  const onInsertEnd: DocumentWiring['onInsertEnd'] = (callback) => {
    callbacks.add(callback);
    return () => callbacks.delete(callback);
  };
  if (watch === undefined)
    return {
      documents: [],
      canaries: [],
      followInsert: () => undefined,
      onInsertEnd,
      noteEmbeddingDimension: () => undefined,
    };
  const { watched, connection, backend } = watch;
  const place = { targetId: watched.target.id, workspace: watched.target.workspaces[0] ?? '' };
  const documents = createLightragDocuments(connection);
  const documentWatch = createDocumentWatch({
    place,
    documents,
    store: createDocumentStore(db),
    metrics: createIngestMetrics(registry),
    db,
    events,
    clock,
    log,
    stuck: watched.stuck,
    limits: () => ground.config.documents.follow,
    onInsertEnd(where, end) {
      for (const callback of callbacks) callback(where, end);
    },
  });
  watch.onObservation((seen) => documentWatch.noteObservation(seen));
  const reprocessing = createReprocessing({
    place,
    documents,
    operations,
    events,
    db,
    clock,
    log,
    probe: () => watched.probe(),
    stuck: watched.stuck,
    policy: () => ground.config.documents.reprocess,
  });
  const canarySettings = ground.config.canary;
  const canary =
    canarySettings &&
    createCanary({
      place,
      settings: () => ground.config.canary ?? canarySettings,
      intervalMs: canarySettings.intervalMs,
      retrieve: createLightragRetrieval(connection),
      documents,
      answers: () => watched.observation()?.reachable === true && !backend.isExpectedDown(),
      indexDimension: () => inspections.last(place.targetId)?.dimension.files[0]?.dimension,
      onFinding: (finding) => watched.noteFinding('canary', finding),
      operations,
      events,
      registry,
      db,
      clock,
      log,
    });
  if (canary) {
    // Asked as soon as somebody answers, not only after the first interval.
    watch.onObservation((seen) => {
      if (seen.reachable && canary.report().last === null) canary.wake();
    });
    ground.live.onChange((now) => {
      if (now.canary) canary.setIntervalMs(now.canary.intervalMs);
    });
  }
  return {
    documents: [{ watch: documentWatch, reprocessing }],
    canaries: canary ? [canary] : [],
    followInsert({ targetId, workspace }, insert) {
      if (targetId === place.targetId && workspace === place.workspace) documentWatch.follow(insert);
    },
    onInsertEnd,
    noteEmbeddingDimension(targetId, dimension) {
      if (targetId === place.targetId) canary?.noteEmbeddingDimension(dimension);
    },
  };
}
