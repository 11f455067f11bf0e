import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { describeError } from '../../platform/errors.ts';
import type { HttpRequester } from '../../platform/http-client.ts';
import type { RandomSource } from '../../platform/ids.ts';
import type { Part } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../../platform/reconciler.ts';
import type { MetricRegistry } from '../registry.ts';
import type { StoreEndpoint } from '../store-endpoint.ts';
import { createExposedSeries } from './exposed-series.ts';
import type { StoreMetrics } from './remote-write-metrics.ts';
import { createSegmentQueue, type QueueState } from './segment-queue.ts';
import { sendWriteRequest } from './send-request.ts';
import { encodeWriteRequest, type WrittenMetadata, type WrittenSeries } from './write-request.ts';

/** A Prometheus-compatible store that gets everything. */
export type RemoteStore = {
  /** Of the settings; also of its folder. */
  readonly name: string;
  readonly endpoint: StoreEndpoint;
  /** Put on every series that has no such label itself. */
  readonly labels: Readonly<Record<string, string>>;
  readonly intervalMs: number;
  readonly maxQueueBytes: number;
  /** Samples of one request. */
  readonly batchSamples: number;
};

export type StoreStatus = QueueState & {
  readonly name: string;
  readonly url: string;
  readonly lastSuccessMs: number | null;
  /** Since when nothing got through; null while the last attempt did, or before the first. */
  readonly failingSinceMs: number | null;
  readonly lastError: string | null;
  /** When samples were last lost, and why. */
  readonly lastLoss: { readonly atMs: number; readonly reason: string } | null;
};

export type RemoteWriter = Part & {
  /** Takes one sampling into the queue now. */
  sampleOnce(): Promise<void>;
  /** While paused nothing is queued; what would have been is counted as dropped. */
  pause(paused: boolean): void;
  jobs(): readonly ReconcilerState[];
  status(): StoreStatus;
};

const firstBackoffMs = 1_000;
const longestBackoffMs = 60_000;
const metadataEveryMs = 3_600_000;
/** For what was queued last; what is not sent by then is sent by the next life. */
const farewellMs = 2_000;

/**
 * Samples everything that `/metrics` shows in turns, queues it on disk, and sends it, one request after the other, so that each
 * series keeps its order. Nothing of it waits for the store, and a store that is away costs a bounded queue.
 */
export function createRemoteWriter(options: {
  store: RemoteStore;
  /** Parent of the folder of this store. */
  folder: string;
  registry: MetricRegistry;
  metrics: StoreMetrics;
  http: HttpRequester;
  clock: Clock;
  random: RandomSource;
  log: Logger;
}): RemoteWriter {
  const { store, registry, metrics, http, clock, random, log } = options;
  const exposed = createExposedSeries();
  let paused = false;
  let lastSuccessMs: number | null = null;
  let failingSinceMs: number | null = null;
  let lastError: string | null = null;
  let lastLoss: StoreStatus['lastLoss'] = null;
  let metadataMs = Number.NEGATIVE_INFINITY;
  const saidLosses = new Map<string, number>();

  const noteLoss = (reason: string, samples: number, why: string): void => {
    metrics.dropped(reason, samples);
    lastLoss = { atMs: clock.now(), reason: why };
    // An outage loses with every sampling; that it does is said once in ten minutes.
    if ((saidLosses.get(reason) ?? Number.NEGATIVE_INFINITY) > clock.now() - 600_000) return;
    saidLosses.set(reason, clock.now());
    log.warn({ store: store.name, samples, reason: why }, 'samples for a remote store are lost');
  };
  const losses = {
    'queue-full': 'the queue is full, so the oldest were given up',
    damaged: 'a queued request is damaged and was left out',
  } as const;
  const queue = createSegmentQueue({
    folder: join(options.folder, store.name),
    maxBytes: store.maxQueueBytes,
    onDropped: (reason, { samples }) => noteLoss(reason, samples, losses[reason]),
  });

  const abort = new AbortController();
  let wake: (() => void) | undefined;

  const append = async (series: readonly WrittenSeries[], atMs: number, metadata: WrittenMetadata[]): Promise<void> => {
    const samples = series.reduce((sum, one) => sum + one.samples.length, 0);
    if (paused) return noteLoss('low-disk', samples, 'the disk is nearly full, so nothing is queued');
    try {
      await queue.append(encodeWriteRequest(series, store.labels, metadata), { atMs, samples });
      wake?.();
    } catch (err) {
      noteLoss('not-queued', samples, `they could not be queued: ${describeError(err)}`);
    }
  };

  /** In requests of a bounded size; whoever else has something to do has a turn between two of them. */
  const appendAll = async (lines: Iterable<WrittenSeries>, atMs: number): Promise<void> => {
    let batch: WrittenSeries[] = [];
    let held = 0;
    let metadata: WrittenMetadata[] = [];
    if (clock.now() - metadataMs >= metadataEveryMs) {
      metadataMs = clock.now();
      metadata = registry.shown().map(({ definition: { name, type, help, unit } }) => ({ name, type, help, unit }));
    }
    for (const line of lines) {
      batch.push(line);
      held += line.samples.length;
      if (held < store.batchSamples) continue;
      await append(batch, atMs, metadata);
      [batch, held, metadata] = [[], 0, []];
    }
    if (batch.length > 0) await append(batch, atMs, metadata);
  };

  const sampling = createReconciler({
    name: `remote write ${store.name}`,
    intervalMs: store.intervalMs,
    clock,
    log,
    async run() {
      await registry.collect();
      const atMs = clock.now();
      await appendAll(exposed.sample(registry.shown(), atMs), atMs);
    },
  });

  const noteFailure = (reason: string): void => {
    if (failingSinceMs === null)
      log.warn({ store: store.name, reason }, 'a remote store does not take samples; they wait');
    failingSinceMs ??= clock.now();
    lastError = reason;
  };
  const noteSuccess = (): void => {
    if (failingSinceMs !== null) log.info({ store: store.name }, 'a remote store takes samples again');
    failingSinceMs = null;
    lastError = null;
    lastSuccessMs = clock.now();
    metrics.succeeded(lastSuccessMs);
  };

  /** Half to one and a half of it, so that several instances do not come at once. */
  const jittered = (ms: number): number => ms * (0.5 + random(4).readUInt32LE() / 2 ** 32);

  /** Sends the oldest request. @returns how long to wait before the next, undefined when there was none */
  const sendOldest = async (attempt: number): Promise<number | undefined> => {
    const found = await queue.take();
    if (found === undefined) return undefined;
    const { segment, body } = found;
    const sent = await sendWriteRequest({ http, clock, signal: abort.signal }, store.endpoint, body);
    if (sent.kind === 'later') {
      metrics.failed();
      noteFailure(sent.reason);
      const backoffMs = jittered(Math.min(longestBackoffMs, firstBackoffMs * 2 ** Math.min(attempt, 16)));
      return Math.max(backoffMs, sent.afterMs ?? 0);
    }
    if (sent.kind === 'taken') {
      metrics.sent(segment.samples);
      noteSuccess();
    } else {
      metrics.failed();
      noteLoss('refused', segment.samples, sent.reason);
    }
    await queue.remove(segment);
    return 0;
  };

  const untilWoken = (): Promise<void> =>
    new Promise((resolve) => {
      wake = () => {
        wake = undefined;
        resolve();
      };
      // What came just now was told to nobody.
      if (abort.signal.aborted || stopping || queue.state().segments > 0) wake();
    });

  let stopping = false;
  let loop: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    let attempt = 0;
    while (!abort.signal.aborted) {
      let waitMs: number | undefined;
      try {
        waitMs = await sendOldest(attempt);
      } catch (err) {
        if (abort.signal.aborted) return;
        // A file that cannot be read now may be readable later.
        noteFailure(describeError(err));
        waitMs = longestBackoffMs;
      }
      if (waitMs === undefined) {
        if (stopping) return;
        await untilWoken();
      } else if (waitMs > 0) {
        attempt += 1;
        if (stopping) return;
        await clock.sleep(waitMs, abort.signal).catch(() => undefined);
      } else attempt = 0;
    }
  };

  /** The last values, and that every series ends here; then what can still be sent. */
  const end = async (): Promise<void> => {
    await sampling.stop?.();
    if (loop !== undefined) {
      const atMs = clock.now();
      await appendAll(exposed.sample(registry.shown(), atMs), atMs);
      // A moment later: two values of one instant would be refused.
      await appendAll(exposed.end(atMs + 1), atMs + 1);
    }
    stopping = true;
    wake?.();
    // One that waits for a store that is away has nothing to hope for now.
    if (failingSinceMs !== null) abort.abort();
    const sent = new AbortController();
    clock.sleep(farewellMs, sent.signal).then(
      () => abort.abort(),
      () => undefined,
    );
    await loop;
    sent.abort();
    abort.abort();
  };
  let ended: Promise<void> | undefined;

  metrics.watch(() => queue.state());
  return {
    name: `remote write ${store.name}`,
    async start(signal) {
      await queue.open();
      loop ??= send();
      await sampling.start?.(signal);
    },
    stop() {
      ended ??= end();
      return ended;
    },
    sampleOnce: () => sampling.runOnce(),
    pause(wanted) {
      paused = wanted;
    },
    jobs: () => [sampling.state()],
    status: () => ({
      ...queue.state(),
      name: store.name,
      url: new URL(store.endpoint.url).origin,
      lastSuccessMs,
      failingSinceMs,
      lastError,
      lastLoss,
    }),
  };
}
