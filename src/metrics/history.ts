import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type ReconcilerState } from '../platform/reconciler.ts';
import { type Block, type BlockSeries, decodeBlock, encodeBlock } from './block.ts';
import { createBlockStore } from './block-store.ts';
import { createOpenBlock, type OpenBlock } from './open-block.ts';
import type { MetricRegistry } from './registry.ts';

export type SeriesSamples = {
  readonly instance: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: BlockSeries['type'];
  /** In the order of time; instants without a value are missing, so a gap stays a gap. */
  readonly samples: readonly { readonly atMs: number; readonly value: number }[];
};

export type MetricHistory = Part & {
  /**
   * Samples of every series of this name whose labels hold the given ones, both ends of the range included. A histogram is kept as
   * `<name>_count` and `<name>_sum`. What is not flushed yet is part of the answer.
   */
  readSeries(
    name: string,
    labels: Readonly<Record<string, string>> | undefined,
    fromMs: number,
    toMs: number,
  ): Promise<readonly SeriesSamples[]>;
  /** Takes one sample of everything now. */
  sampleOnce(): Promise<void>;
  /** Writes what is not on disk yet; rejects when that fails. */
  flushOnce(): Promise<void>;
  jobs(): readonly ReconcilerState[];
  /** While paused nothing is written: samples wait in memory for an hour at most, then the oldest are given up and counted. */
  pause(paused: boolean): void;
};

const blockMs = 600_000;
/** While the store cannot be written so many blocks wait, an hour; then the oldest is given up and counted. */
const mostWaiting = 6;
const deletedPerRun = 200;
const tier = 'raw';

/**
 * The registry over time: sampled into blocks of at most ten minutes, flushed every ten seconds, which is what a kill can lose. A
 * block begins with its first sample, so a restart begins another block and never writes over the one before.
 */
export function createMetricHistory(options: {
  registry: MetricRegistry;
  db: Database;
  clock: Clock;
  log: Logger;
  instance: string;
  sampleIntervalMs?: number;
  flushIntervalMs?: number;
  /** Default 7 days. */
  retentionMs?: number;
}): MetricHistory {
  const { registry, clock, log, instance, retentionMs = 7 * 86_400_000 } = options;
  const store = createBlockStore(options.db);
  const waiting: { readonly block: OpenBlock; flushedRows: number }[] = [];
  const damaged = new Set<string>();
  const damagedBlocks = registry.counter({
    name: 'ragwarden_metrics_damaged_blocks_total',
    help: 'Stored blocks of samples that could not be read and were left out.',
  });
  const lostSamples = registry.counter({
    name: 'ragwarden_metrics_lost_samplings_total',
    help: 'Samplings that were given up because they could not be stored.',
  });

  const sampleOnce = async (): Promise<void> => {
    await registry.collect();
    const nowMs = clock.now();
    const current = waiting.at(-1)?.block;
    // A clock that was set back begins a block too: times in a block ascend.
    const fits = current !== undefined && nowMs > current.lastMs && nowMs < current.startMs + blockMs;
    const block = fits ? current : createOpenBlock(nowMs);
    if (!fits) waiting.push({ block, flushedRows: 0 });
    block.add(nowMs, registry.families());
    while (waiting.length > mostWaiting) {
      const given = waiting.shift();
      if (given !== undefined) lostSamples.inc(given.block.rows - given.flushedRows);
    }
  };

  let paused = false;
  const flushOnce = async (): Promise<void> => {
    if (paused) return;
    for (const entry of [...waiting]) {
      const { block } = entry;
      const rows = block.rows;
      if (rows > entry.flushedRows) {
        await store.put(tier, { instance, startMs: block.startMs, payload: await encodeBlock(block.snapshot()) });
        entry.flushedRows = rows;
      }
      if (entry !== waiting.at(-1) && entry.flushedRows === block.rows) {
        const at = waiting.indexOf(entry);
        if (at >= 0) waiting.splice(at, 1);
      }
    }
    await store.deleteBefore(tier, clock.now() - retentionMs, deletedPerRun);
  };

  const readBlock = async (of: string, startMs: number, payload: Uint8Array): Promise<Block | undefined> => {
    try {
      return await decodeBlock(payload);
    } catch (err) {
      const key = `${of} ${startMs}`;
      if (!damaged.has(key)) {
        damaged.add(key);
        damagedBlocks.inc();
        log.warn({ instance: of, startMs, err }, 'a stored block of samples is damaged and left out');
      }
      return undefined;
    }
  };

  const sampling = createReconciler({
    name: 'metric sampling',
    intervalMs: options.sampleIntervalMs ?? 5_000,
    clock,
    log,
    run: sampleOnce,
  });
  const flushing = createReconciler({
    name: 'metric flush',
    intervalMs: options.flushIntervalMs ?? 10_000,
    runAtStart: false,
    clock,
    log,
    run: flushOnce,
  });

  return {
    name: 'metric history',
    async start(signal) {
      await sampling.start?.(signal);
      await flushing.start?.(signal);
    },
    async stop() {
      await sampling.stop?.();
      await flushing.stop?.();
      try {
        if (waiting.some((entry) => entry.block.rows > entry.flushedRows)) await flushOnce();
      } catch (err) {
        log.warn({ err }, 'the last samples could not be stored');
      }
    },
    sampleOnce,
    flushOnce,
    jobs: () => [sampling.state(), flushing.state()],
    pause(wanted) {
      paused = wanted;
    },
    async readSeries(name, labels, fromMs, toMs) {
      const found = new Map<
        string,
        { head: BlockSeries; instance: string; samples: { atMs: number; value: number }[] }
      >();
      const take = (of: string, block: Block): void => {
        for (const series of block.series) {
          if (series.name !== name || !holds(series.labels, labels)) continue;
          const key = JSON.stringify([of, Object.entries(series.labels).sort()]);
          const known = found.get(key) ?? { head: series, instance: of, samples: [] };
          found.set(key, known);
          series.values.forEach((value, i) => {
            const atMs = block.times[i]!;
            if (value !== undefined && atMs >= fromMs && atMs <= toMs) known.samples.push({ atMs, value });
          });
        }
      };
      const open = new Map(waiting.map(({ block }) => [block.startMs, block.snapshot()]));
      for (const stored of await store.between(tier, fromMs - blockMs, toMs)) {
        if (stored.instance === instance && open.has(stored.startMs)) continue;
        const block = await readBlock(stored.instance, stored.startMs, stored.payload);
        if (block !== undefined) take(stored.instance, block);
      }
      for (const block of open.values()) take(instance, block);
      return [...found.values()]
        .filter(({ samples }) => samples.length > 0)
        .map(({ head, instance: of, samples }) => ({
          instance: of,
          name,
          labels: head.labels,
          type: head.type,
          samples: samples.sort((a, b) => a.atMs - b.atMs),
        }));
    },
  };
}

const holds = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean => Object.entries(wanted ?? {}).every(([label, value]) => labels[label] === value);
