import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler, type ReconcilerState } from '../platform/reconciler.ts';
import { blockOf, encodeBlock, type SeriesType } from './block.ts';
import { createBlockReader, type FoundBlock } from './block-reader.ts';
import { createBlockStore, tierNames } from './block-store.ts';
import type { Packing } from './frame.ts';
import { createOpenBlock, type OpenBlock } from './open-block.ts';
import { type QueryAnswer, type QueryBlocks, type QueryRequest, runQuery, type SeriesTier } from './query.ts';
import { createRecentWindows, type RecentWindows } from './recent-windows.ts';
import type { Recorder } from './recorder.ts';
import type { MetricRegistry } from './registry.ts';
import { createRollups } from './rollup-jobs.ts';
import type { Family } from './series.ts';
import { defaultRetention, type Retention } from './tiers.ts';
import { createValueHistory, type ValuePage, type ValueQuery } from './value-history.ts';
import type { ValueLog } from './value-log.ts';

export type SeriesSamples = {
  readonly instance: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: SeriesType;
  /** In the order of time; instants without a value are missing, so a gap stays a gap. */
  readonly samples: readonly { readonly atMs: number; readonly value: number }[];
};

export type MetricHistory = Part & {
  /**
   * Samples of every series of this name whose labels hold the given ones, both ends of the range included. A histogram is kept as
   * `<name>_count` and `<name>_sum`; of a recorded distribution the means are given. What is not flushed yet is part of the answer.
   */
  readSeries(
    name: string,
    labels: Readonly<Record<string, string>> | undefined,
    fromMs: number,
    toMs: number,
  ): Promise<readonly SeriesSamples[]>;
  /** Aggregates over any window, from whichever tiers hold it. */
  query(request: QueryRequest): Promise<QueryAnswer>;
  /** The same for many questions at once: all of them see the same samples, which are put together once. */
  view(): Pick<MetricHistory, 'query'>;
  /** What lies in the block that is being filled, read without a question. */
  readonly recent: RecentWindows;
  /** Recorded values one by one, the newest first, with what was said about them. */
  values(query: ValueQuery): Promise<ValuePage>;
  /** Takes one sample of everything now. */
  sampleOnce(): Promise<void>;
  /** Writes what is not on disk yet; rejects when that fails. */
  flushOnce(): Promise<void>;
  /** Makes the coarser tiers of what is over. */
  rollUpOnce(): Promise<void>;
  /** Deletes what is past its retention or its number. */
  cleanUpOnce(): Promise<void>;
  /** Before this no tier has anything; undefined while there is nothing at all. */
  beginMs(): Promise<number | undefined>;
  readonly stats: HistoryStats;
  /** Recorded values that are kept one by one. */
  countValues(): Promise<number>;
  /** Forgets all samples, also those that are not flushed yet. */
  reset(): Promise<void>;
  jobs(): readonly ReconcilerState[];
  /** While paused nothing is written: samples wait in memory for an hour at most, then the oldest are given up and counted. */
  pause(paused: boolean): void;
  /** What changed while it runs. */
  set(settings: Partial<HistorySettings>): void;
};

export type HistoryStats = {
  queries: number;
  rollUps: number;
  samplingMs: number;
  rollUpMs: number;
  /** From the database, not from memory. */
  readonly blocksRead: number;
};

export type HistorySettings = {
  /** How often the coarser tiers are made. */
  readonly rollUpIntervalMs: number;
  readonly cleanUpIntervalMs: number;
  /** Recorded values that are kept one by one, per metric. */
  readonly maxValues: number;
  readonly compression: boolean;
  readonly caching: boolean;
  readonly retention: Retention;
};

const defaultHistorySettings: HistorySettings = {
  rollUpIntervalMs: 60_000,
  cleanUpIntervalMs: 3_600_000,
  maxValues: 1_000_000,
  compression: true,
  caching: true,
  retention: defaultRetention,
};

const blockMs = 600_000;
/** While the store cannot be written so many blocks of each stream wait, an hour; then the oldest is given up and counted. */
const mostWaiting = 6;
const deletedPerRun = 200;
/** Between a question and its answer. */
const momentMs = 5_000;

/** What is looked up in turns, and what applications record: that can be asked for at once, which the other need not be. */
type Stream = 'looked-up' | 'recorded';

type Waiting = {
  readonly stream: Stream;
  readonly block: OpenBlock;
  flushedVersion: number;
  closed: boolean;
  /** Written since it was closed, so packed well. */
  settled: boolean;
};

/**
 * The registry over time: sampled into blocks of at most ten minutes, flushed every ten seconds, which is what a kill can lose. A
 * block begins with its first sample, so a restart begins another block and never writes over the one before.
 */
export function createMetricHistory(options: {
  registry: MetricRegistry;
  recorder?: Recorder;
  /** Where the recorder puts what is kept one by one. */
  valueLog?: ValueLog;
  db: Database;
  clock: Clock;
  log: Logger;
  instance: string;
  sampleIntervalMs?: number;
  flushIntervalMs?: number;
  settings?: Partial<HistorySettings>;
  /** Written with every flush, so that it is lost by a kill no sooner. */
  flushToo?: () => Promise<void>;
}): MetricHistory {
  const { registry, recorder, clock, log, instance } = options;
  let settings: HistorySettings = { ...defaultHistorySettings, ...options.settings };
  const store = createBlockStore(options.db);
  const reader = createBlockReader({
    store,
    log,
    caching: settings.caching,
    damagedBlocks: registry.counter({
      name: 'ragwarden_metrics_damaged_blocks_total',
      help: 'Stored blocks of samples that could not be read and were left out.',
    }),
  });
  const packing = (whole = true): Packing => (!settings.compression ? 'none' : whole ? 'well' : 'quick');
  const rollups = createRollups({ store, reader, instance, packing });
  const values = createValueHistory({
    store,
    reader,
    instance,
    clock,
    packing,
    log: options.valueLog,
    maxValues: () => settings.maxValues,
  });
  let waiting: Waiting[] = [];
  const stats: HistoryStats = {
    ...{ queries: 0, rollUps: 0, samplingMs: 0, rollUpMs: 0 },
    get blocksRead() {
      return reader.blocksRead();
    },
  };
  const lostSamples = registry.counter({
    name: 'ragwarden_metrics_lost_samplings_total',
    help: 'Samplings that were given up because they could not be stored.',
  });

  /** The latest sample that is in another block than the one that is being filled with what is looked up. */
  let othersUntilMs: number | undefined;
  /** Asked once, when nothing of this life is stored yet; asked later it says more than is so, and windows are asked of the store. */
  const learnOthers = async (): Promise<void> => {
    try {
      othersUntilMs ??= (await store.extent('raw'))?.lastMs ?? Number.NEGATIVE_INFINITY;
    } catch (err) {
      log.debug({ err }, 'the store could not be asked what it holds; it is asked again with the next sample');
    }
  };

  /** What has a time of its own goes into the block that is open now; the block says which stretch of time it holds. */
  const takePending = (): void => {
    const pending = recorder?.takePending() ?? [];
    if (pending.length === 0) return;
    const nowMs = clock.now();
    for (const { atMs } of pending) if (atMs < nowMs - 10_000) rollups.touch(atMs);
    openAt('recorded', nowMs).addPending(pending);
  };

  const openAt = (stream: Stream, nowMs: number): OpenBlock => {
    const current = waiting.findLast((entry) => entry.stream === stream)?.block;
    if (current !== undefined && nowMs >= current.startMs && nowMs < current.startMs + blockMs) return current;
    return begin(stream, nowMs);
  };
  const begin = (stream: Stream, nowMs: number): OpenBlock => {
    const before = waiting.findLast((entry) => entry.stream === stream)?.block;
    if (stream === 'looked-up' && othersUntilMs !== undefined && before !== undefined)
      othersUntilMs = Math.max(othersUntilMs, before.lastMs);
    for (const entry of waiting) if (entry.stream === stream) entry.closed = true;
    // Two blocks of one instant would be one row.
    let startMs = nowMs;
    while (waiting.some((entry) => entry.block.startMs === startMs)) startMs += 1;
    const block = createOpenBlock(startMs);
    waiting.push({ stream, block, flushedVersion: 0, closed: false, settled: false });
    const own = waiting.filter((entry) => entry.stream === stream);
    const [oldest] = own;
    if (own.length > mostWaiting && oldest !== undefined) {
      waiting = waiting.filter((entry) => entry !== oldest);
      if (oldest.flushedVersion !== oldest.block.version) lostSamples.inc(oldest.block.samplings);
    }
    return block;
  };
  const familiesOf = (stream: Stream): readonly Family[] =>
    registry.families().filter(({ definition }) => (definition.keepsEach === true) === (stream === 'recorded'));

  const sample = (stream: Stream, nowMs: number, always: boolean): void => {
    const families = familiesOf(stream);
    const open = openAt(stream, nowMs);
    if (!always && !open.differs(families)) return;
    // A clock that was set back begins a block too: times in a block ascend.
    const block = nowMs >= open.lastMs ? open : begin(stream, nowMs);
    block.add(nowMs, families);
  };

  const sampleOnce = async (): Promise<void> => {
    await registry.collect();
    if (othersUntilMs === undefined) await learnOthers();
    const began = clock.monotonic();
    const nowMs = clock.now();
    takePending();
    sample('looked-up', nowMs, true);
    sample('recorded', nowMs, true);
    stats.samplingMs = clock.monotonic() - began;
  };

  let paused = false;
  const flushOnce = async (): Promise<void> => {
    if (paused) return;
    takePending();
    for (const entry of [...waiting]) {
      const { block } = entry;
      const { version } = block;
      const { closed } = entry;
      if (version !== entry.flushedVersion || (closed && !entry.settled)) {
        const series = block.snapshot();
        let firstMs = Infinity;
        let lastMs = -Infinity;
        let items = 0;
        for (const { times } of series) {
          items += times.length;
          firstMs = Math.min(firstMs, times[0]!);
          lastMs = Math.max(lastMs, times[times.length - 1]!);
        }
        const payload = await encodeBlock(series, packing(closed));
        if (series.length > 0)
          await store.put('raw', { instance, startMs: block.startMs, firstMs, lastMs, items, payload });
        entry.flushedVersion = version;
        entry.settled = closed;
      }
      if (entry.settled && entry.flushedVersion === block.version) waiting = waiting.filter((one) => one !== entry);
    }
    await values.flush();
    await options.flushToo?.();
  };

  const rollUpOnce = async (): Promise<void> => {
    if (paused) return;
    const nowMs = clock.now();
    const began = clock.monotonic();
    await flushOnce();
    await rollups.runOnce(nowMs);
    stats.rollUps += 1;
    stats.rollUpMs = clock.monotonic() - began;
  };

  const cleanUpOnce = async (): Promise<void> => {
    const nowMs = clock.now();
    for (const tier of tierNames) {
      let gone = deletedPerRun;
      while (gone === deletedPerRun)
        gone = await store.deleteBefore(tier, nowMs - settings.retention[tier], deletedPerRun);
    }
    await values.trim();
  };

  const job = (name: string, intervalMs: number, run: () => Promise<void>, runAtStart = false): Reconciler =>
    createReconciler({ name, intervalMs, runAtStart, clock, log, run });
  const sampling = job('metric sampling', options.sampleIntervalMs ?? 5_000, sampleOnce, true);
  const flushing = job('metric flush', options.flushIntervalMs ?? 10_000, flushOnce);
  const rolling = job('metric rollup', settings.rollUpIntervalMs, rollUpOnce);
  const cleaning = job('metric cleanup', settings.cleanUpIntervalMs, cleanUpOnce);
  const jobs = [sampling, flushing, rolling, cleaning];

  /** Stored blocks and those in memory, which stand for their stored versions, in the order of time. */
  async function* readRaw(fromMs: number, toMs: number, open = readOpen()): AsyncGenerator<FoundBlock> {
    const inMemory = new Set(open.map(({ startMs }) => startMs));
    const without = (place: { instance: string; startMs: number }): boolean =>
      place.instance === instance && inMemory.has(place.startMs);
    yield* reader.read('raw', fromMs, toMs, { without });
    yield* open;
  }
  const readOpen = (): readonly FoundBlock[] => {
    takePending();
    // What was recorded a moment ago is part of the answer.
    sample('recorded', clock.now(), false);
    return waiting
      .filter(({ block }) => block.version > 0)
      .map(({ block }) => ({ instance, startMs: block.startMs, block: blockOf(block.snapshot()) }));
  };
  const sourceOf = (open?: readonly FoundBlock[]) => ({
    read: (tier: 'raw' | '5m' | '1h', fromMs: number, toMs: number) =>
      tier === 'raw' ? readRaw(fromMs, toMs, open) : reader.read(tier, fromMs, toMs),
    async extent(tier: 'raw' | '5m' | '1h') {
      const stored = await store.extent(tier);
      const first = tier === 'raw' ? waiting[0]?.block : undefined;
      if (first === undefined || first.version === 0) return stored;
      return { firstMs: Math.min(first.startMs - 1, stored?.firstMs ?? Infinity), lastMs: clock.now() };
    },
  });
  const source = sourceOf();

  return {
    name: 'metric history',
    async start(signal) {
      for (const one of jobs) await one.start?.(signal);
    },
    async stop() {
      for (const one of jobs) await one.stop?.();
      try {
        takePending();
        await flushOnce();
      } catch (err) {
        log.warn({ err }, 'the last samples could not be stored');
      }
    },
    sampleOnce,
    flushOnce,
    rollUpOnce,
    cleanUpOnce,
    jobs: () => jobs.map((one) => one.state()),
    pause(wanted) {
      paused = wanted;
    },
    set(changed) {
      settings = { ...settings, ...changed };
      rolling.setIntervalMs(settings.rollUpIntervalMs);
      cleaning.setIntervalMs(settings.cleanUpIntervalMs);
      reader.setCaching(settings.caching);
    },
    async reset() {
      waiting = [];
      recorder?.takePending();
      values.forget();
      await store.deleteAll();
    },
    stats,
    async beginMs() {
      const extents = await Promise.all((['raw', '5m', '1h'] as const).map((tier) => source.extent(tier)));
      const begins = extents.flatMap((extent) => (extent === undefined ? [] : [extent.firstMs]));
      // The first row of a block may be the zero of counters, a moment before its first sample.
      return begins.length === 0 ? undefined : Math.min(...begins) + 1;
    },
    countValues: () => values.count(),
    query(request) {
      stats.queries += 1;
      const nowMs = clock.now();
      takePending();
      sample('recorded', nowMs, false);
      // Who asks until now means all there is, also what was taken in after the asking began.
      const toMs = request.toMs < nowMs - momentMs ? request.toMs : Math.max(request.toMs, nowMs);
      return runQuery(source, { ...request, toMs });
    },
    view() {
      const open = readOpen();
      const seen = seenOnce(sourceOf(open));
      return {
        query(request) {
          stats.queries += 1;
          return runQuery(seen, request);
        },
      };
    },
    recent: createRecentWindows({
      instance,
      find() {
        const block = waiting.findLast(({ stream }) => stream === 'looked-up')?.block;
        return block && { block, othersUntilMs };
      },
    }),
    values: (query) => values.read(query),
    async readSeries(name, labels, fromMs, toMs) {
      const found = new Map<string, { head: Omit<SeriesSamples, 'samples'>; at: Map<number, number> }>();
      for await (const { instance: of, block } of readRaw(fromMs, toMs)) {
        if (!block.entries.some((entry) => entry.name === name && holds(entry.labels, labels))) continue;
        for (const one of await block.series()) {
          if (one.name !== name || !holds(one.labels, labels)) continue;
          const key = JSON.stringify([of, Object.entries(one.labels).sort()]);
          const known = found.get(key) ?? {
            head: { instance: of, name, labels: one.labels, type: one.type },
            at: new Map<number, number>(),
          };
          found.set(key, known);
          one.times.forEach((atMs, i) => {
            if (atMs < fromMs || atMs > toMs) return;
            known.at.set(atMs, one.kind === 'samples' ? one.values[i]! : one.rows[i]!.sum / one.rows[i]!.count);
          });
        }
      }
      return [...found.values()]
        .filter(({ at }) => at.size > 0)
        .map(({ head, at }) => ({
          ...head,
          samples: [...at].sort((a, b) => a[0] - b[0]).map(([atMs, value]) => ({ atMs, value })),
        }));
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Blocks and extents that many questions ask for, read once. A wider range than before is read anew. */
function seenOnce(source: QueryBlocks): QueryBlocks {
  const kept = new Map<SeriesTier, { fromMs: number; toMs: number; blocks: Promise<FoundBlock[]> }>();
  const extents = new Map<SeriesTier, ReturnType<QueryBlocks['extent']>>();
  return {
    extent(tier) {
      const known = extents.get(tier) ?? source.extent(tier);
      extents.set(tier, known);
      return known;
    },
    async *read(tier, fromMs, toMs) {
      let known = kept.get(tier);
      if (known === undefined || fromMs < known.fromMs || toMs > known.toMs) {
        const range = { fromMs: Math.min(fromMs, known?.fromMs ?? fromMs), toMs: Math.max(toMs, known?.toMs ?? toMs) };
        known = { ...range, blocks: all(source.read(tier, range.fromMs, range.toMs)) };
        kept.set(tier, known);
      }
      yield* await known.blocks;
    },
  };
}

const holds = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean => Object.entries(wanted ?? {}).every(([label, value]) => labels[label] === value);
