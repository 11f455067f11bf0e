import type { EventRecorder } from '../../events/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/database/index.ts';
import type { Part } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../../platform/reconciler.ts';
import type { LightragDocuments } from '../lightrag/lightrag-documents.ts';
import { type Observation, unfinishedDocuments, unfinishedStatuses } from '../observation.ts';
import { describeStuckWork, type StuckWork } from '../stuck-work.ts';
import { type BackendDocument, causeOf, outcomeOf } from './document.ts';
import { type Counted, countEnded, reachesBack } from './document-counting.ts';
import { type DocumentPlace, type DocumentStore, type DocumentTotal, nameOfPlace } from './document-store.ts';
import type { IngestMetrics } from './ingest-metrics.ts';
import { type AcceptedInsert, createInsertFollowing, type InsertEnd } from './insert-following.ts';
import { createLatencies, type LatencySummary } from './latencies.ts';

/** While nothing seems to change: counts may be the same although one document came and another went. */
const lookAtLeastEveryMs = 300_000;
/** Of 200 documents each. More changes than that between two looks are told as not counted. */
const mostPages = 50;
const mostListed = 200;
const mostInserts = 100;

/** What is known of the documents of one workspace. Null: the backend does not tell, or nobody looked yet. */
export type DocumentReport = DocumentPlace & {
  readonly lookedMs: number | null;
  readonly counts: Readonly<Record<string, number>> | null;
  readonly inFlight: number | null;
  readonly stuck: (StuckWork & { readonly listed: readonly BackendDocument[] }) | null;
  /** Those that failed last, duplicates aside. */
  readonly failed: readonly BackendDocument[];
  /** Since `countedSinceMs`. */
  readonly ended: readonly DocumentTotal[];
  readonly countedSinceMs: number | null;
  readonly latency: LatencySummary | null;
  readonly insertsFollowed: number;
  /** Those that ended last, of this life of ragwarden; the newest first. */
  readonly inserts: readonly (InsertEnd & { readonly endedMs: number })[];
};

/** Keeps an eye on the documents of one workspace: counts ends, follows inserts, notices what stands still. */
export type DocumentWatch = Part & {
  readonly place: DocumentPlace;
  /** Called with each probe: what it saw decides whether the documents are looked at. */
  noteObservation(observation: Observation): void;
  /** An insert that the backend took a moment ago. Never throws, never waits. */
  follow(insert: AcceptedInsert): void;
  /** Looks now. Rejects when the backend does not answer. */
  look(): Promise<void>;
  /** Asks for the inserts that are due. */
  followOnce(): Promise<void>;
  report(): DocumentReport;
  jobs(): readonly ReconcilerState[];
};

export function createDocumentWatch(options: {
  place: DocumentPlace;
  documents: LightragDocuments;
  store: DocumentStore;
  metrics: IngestMetrics;
  db: Database;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  stuck(): StuckWork | undefined;
  limits(): { readonly most: number; readonly longestMs: number };
}): DocumentWatch {
  const { place, documents, store, metrics, db, events, clock, log } = options;
  const latencies = createLatencies();
  let seen: Observation | undefined;
  let looked: { readonly atMs: number; readonly counts: string } | undefined;
  let counted: Counted | undefined;
  let countedSinceMs: number | undefined;
  let isRead = false;
  let totals: readonly DocumentTotal[] = [];
  let failed: readonly BackendDocument[] = [];
  let stuckListed: readonly BackendDocument[] = [];
  let saidStuck: StuckWork['cause'] | undefined;
  let unsupported = false;
  const inserts: (InsertEnd & { readonly endedMs: number })[] = [];

  const following = createInsertFollowing({
    documents,
    clock,
    limits: options.limits,
    onEnd(end) {
      metrics.insertEnded(place, end);
      inserts.unshift({ ...end, endedMs: clock.now() });
      inserts.splice(mostInserts);
      // Its documents ended: they are counted soon, not only when a probe notices.
      looked = undefined;
      looking.wake();
    },
  });

  /** What an earlier life counted, and the latencies that it measured: read back from the backend, not counted again. */
  const readBack = async (signal: AbortSignal): Promise<void> => {
    const known = await store.read(place);
    counted = known?.counted;
    countedSinceMs = known?.sinceMs;
    totals = known?.totals ?? [];
    // The last ones of before; those that ended since then are noted when they are counted.
    const page = await documents.newest(1, ['processed'], signal);
    for (const one of page?.documents.toReversed() ?? [])
      if (known === undefined || one.updatedMs <= known.counted.upToMs) latencies.note(one.updatedMs - one.createdMs);
    // What an earlier life followed is found again by what is unfinished.
    const open = await documents.newest(1, unfinishedStatuses, signal);
    for (const { trackId, createdMs } of open?.documents.toReversed() ?? [])
      if (trackId !== null) followNow({ trackId, acceptedMs: createdMs, subject: null });
    isRead = true;
  };

  const followNow = (insert: AcceptedInsert): void => {
    if (!following.follow(insert)) metrics.insertNotFollowed(place);
    askSoon();
  };

  const countOnce = async (signal: AbortSignal): Promise<void> => {
    const all: BackendDocument[] = [];
    for (let page = 1; ; page += 1) {
      const found = await documents.newest(page, [], signal);
      if (found === undefined) {
        unsupported = true;
        return;
      }
      all.push(...found.documents);
      if (!found.more || reachesBack(counted, found.documents)) break;
      if (page === mostPages) {
        log.warn(
          { ...place, documents: all.length },
          'more documents changed than are looked at; some are not counted',
        );
        break;
      }
    }
    // What is in the first list ended before it came; whatever ends afterwards is counted.
    countedSinceMs ??= clock.now();
    const { ended, counted: now } = countEnded(counted, all);
    failed = all.filter((one) => outcomeOf(one) === 'failed').slice(0, mostListed);
    if (counted === undefined || ended.length > 0 || now.upToMs !== counted.upToMs) {
      const more = sumUp(ended);
      await db.unit((tx) => store.write(tx, place, now, more, countedSinceMs ?? clock.now()));
      totals = addUp(totals, more);
    }
    counted = now;
    for (const one of ended) {
      metrics.documentEnded(place, one);
      if (one.status === 'processed') latencies.note(one.updatedMs - one.createdMs);
    }
    metrics.setTotals(place, totals);
  };

  const noteStuck = async (signal: AbortSignal): Promise<void> => {
    const stuck = options.stuck();
    stuckListed = stuck === undefined ? [] : ((await documents.newest(1, unfinishedStatuses, signal))?.documents ?? []);
    if (stuck?.cause === saidStuck) return;
    await db.unit((tx) =>
      events.record(tx, {
        type: stuck === undefined ? 'ingest.moving-again' : 'ingest.stuck',
        severity: stuck === undefined ? 'info' : 'warning',
        targetId: place.targetId,
        workspace: place.workspace,
        message: stuck === undefined ? 'The work of the backend moves again.' : describeStuckWork(stuck, clock.now()),
        data: stuck === undefined ? {} : { cause: stuck.cause, documents: stuck.documents },
      }),
    );
    saidStuck = stuck?.cause;
  };

  const looking = createReconciler({
    name: `documents ${nameOfPlace(place)}`,
    intervalMs: lookAtLeastEveryMs,
    runAtStart: false,
    clock,
    log,
    async run(signal) {
      if (seen?.reachable !== true || seen.kind !== 'lightrag' || seen.documents === undefined) return;
      const counts = JSON.stringify(seen.documents);
      const inFlight = unfinishedDocuments(seen.documents);
      const changed = looked === undefined || looked.counts !== counts || inFlight > 0;
      if (!unsupported && (changed || clock.now() - (looked?.atMs ?? 0) >= lookAtLeastEveryMs)) {
        if (!isRead) await readBack(signal);
        await countOnce(signal);
        looked = { atMs: clock.now(), counts };
      }
      if (!unsupported) await noteStuck(signal);
    },
  });

  const asking = createReconciler({
    name: `inserts ${nameOfPlace(place)}`,
    intervalMs: idleMs,
    runAtStart: false,
    clock,
    log,
    async run(signal) {
      try {
        await following.run(signal);
      } finally {
        askSoon();
      }
    },
  });
  const askSoon = (): void => asking.setIntervalMs(Math.max(200, Math.min(idleMs, following.nextInMs() ?? idleMs)));

  const report = (): DocumentReport => {
    const stuck = options.stuck();
    const counts = seen?.reachable === true ? seen.documents : undefined;
    return {
      ...place,
      lookedMs: looked?.atMs ?? null,
      counts: counts ?? null,
      inFlight: counts === undefined ? null : unfinishedDocuments(counts),
      stuck: stuck === undefined ? null : { ...stuck, listed: stuckListed },
      failed,
      ended: totals,
      countedSinceMs: countedSinceMs ?? null,
      latency: latencies.summary() ?? null,
      insertsFollowed: following.count(),
      inserts,
    };
  };
  metrics.watch(report);

  return {
    name: `documents of ${nameOfPlace(place)}`,
    place,
    async start(signal) {
      await looking.start?.(signal);
      await asking.start?.(signal);
    },
    async stop() {
      await Promise.all([looking.stop?.(), asking.stop?.()]);
    },
    noteObservation(observation) {
      seen = observation;
      looking.wake();
    },
    follow: followNow,
    async look() {
      looked = undefined;
      await looking.runOnce();
    },
    followOnce: () => asking.runOnce(),
    report,
    jobs: () => [looking.state(), asking.state()],
  };
}

/** How long nothing may be due; a run without work costs nothing. */
const idleMs = 30_000;

function sumUp(ended: readonly BackendDocument[]): readonly DocumentTotal[] {
  return addUp(
    [],
    ended.flatMap((one) => {
      const outcome = outcomeOf(one);
      return outcome === undefined ? [] : [{ outcome, cause: causeOf(one), documents: 1 }];
    }),
  );
}

function addUp(totals: readonly DocumentTotal[], more: readonly DocumentTotal[]): readonly DocumentTotal[] {
  const sums = new Map<string, DocumentTotal>();
  for (const one of [...totals, ...more]) {
    const key = `${one.outcome} ${one.cause}`;
    sums.set(key, { ...one, documents: one.documents + (sums.get(key)?.documents ?? 0) });
  }
  return [...sums.values()];
}
