import { encodeBlock } from './block.ts';
import type { BlockReader, FoundBlock } from './block-reader.ts';
import type { BlockStore } from './block-store.ts';
import type { Packing } from './frame.ts';
import { createRollup, joinBlocks } from './rollup.ts';
import { type RollupTier, rollupTiers, settledAfterMs } from './tiers.ts';

/** Samples arrive and are flushed a little after their time. */
const graceMs = 15_000;
/** How far back the sample is looked for on which a counter goes on. */
const lookbackMs = 600_000;
/** Windows of one tier per run, so that a run after a long pause stays short. */
const mostWindows = 96;
/** After a start; earlier ones were joined by earlier lives. */
const lookedBackSpans = 14;

export type Rollups = {
  /** Makes the windows that are over and are not made yet, or changed since; joins those that are settled. */
  runOnce(nowMs: number): Promise<void>;
  /** A value came with a time that may lie in a window that is made already. */
  touch(atMs: number): void;
};

/** Of this instance: what others sampled they roll up themselves. */
export function createRollups(options: {
  store: BlockStore;
  reader: BlockReader;
  instance: string;
  packing: () => Packing;
}): Rollups {
  const { store, reader, instance, packing } = options;
  /** Per tier, the end of what is made; known once it was looked up. */
  const madeUntil = new Map<string, number>();
  const joinedUntil = new Map<string, number>();
  const touched = new Map<string, Set<number>>(rollupTiers.map(({ name }) => [name, new Set()]));

  const makeWindows = async (tier: RollupTier, fromMs: number, toMs: number): Promise<void> => {
    const { windowMs } = tier;
    const rollup = createRollup(windowMs, fromMs, toMs);
    const backMs = tier.from === 'raw' ? lookbackMs : 0;
    for await (const { block } of reader.read(tier.from, fromMs - backMs, toMs - 1, { instance }))
      rollup.add(await block.series());
    for (let startMs = fromMs; startMs < toMs; startMs += windowMs) {
      const series = rollup.take(startMs);
      if (series.length === 0) continue;
      const payload = await encodeBlock(series, packing() === 'none' ? 'none' : 'quick');
      await store.put(tier.name, {
        instance,
        startMs,
        firstMs: startMs,
        lastMs: startMs + windowMs - 1,
        items: series.length,
        payload,
      });
    }
  };

  const joinSettled = async (tier: RollupTier, nowMs: number): Promise<void> => {
    const { name, spanMs } = tier;
    const settledMs = nowMs - settledAfterMs - tier.windowMs;
    let startMs = joinedUntil.get(name);
    if (startMs === undefined) {
      const extent = await store.extent(name, instance);
      if (extent === undefined) return;
      startMs = Math.max(extent.firstMs, settledMs - lookedBackSpans * spanMs);
    }
    startMs = Math.floor(startMs / spanMs) * spanMs;
    for (; startMs + spanMs <= settledMs; startMs += spanMs) {
      const blocks: FoundBlock[] = [];
      for await (const found of reader.read(name, startMs, startMs + spanMs - 1, { instance })) blocks.push(found);
      if (blocks.length < 2) continue;
      const series = await joinBlocks(blocks.map(({ block }) => block));
      const times = series.flatMap((one) => [one.times[0]!, one.times.at(-1)!]);
      const starts = blocks.map((found) => found.startMs);
      // A damaged block was not read, so it is not among those that are replaced.
      await store.put(
        name,
        {
          instance,
          startMs: Math.min(...starts),
          firstMs: Math.min(...times),
          lastMs: Math.max(...times) + tier.windowMs - 1,
          items: series.reduce((sum, one) => sum + one.times.length, 0),
          payload: await encodeBlock(series, packing()),
        },
        starts,
      );
    }
    joinedUntil.set(name, startMs);
  };

  const makeTier = async (tier: RollupTier, readyMs: number): Promise<void> => {
    const { name, windowMs } = tier;
    let from = madeUntil.get(name);
    if (from === undefined) {
      const made = await store.extent(name, instance);
      const source = made === undefined ? await store.extent(tier.from, instance) : undefined;
      const begin = made === undefined ? source?.firstMs : made.lastMs + 1;
      if (begin === undefined) return;
      from = Math.floor(begin / windowMs) * windowMs;
    }
    const until = Math.floor(readyMs / windowMs) * windowMs;
    const to = Math.min(until, from + mostWindows * windowMs);
    if (to > from) await makeWindows(tier, from, to);
    const again = touched.get(name)!;
    for (const startMs of [...again]) {
      if (startMs + windowMs > to) continue;
      again.delete(startMs);
      if (startMs < from) await makeWindows(tier, startMs, startMs + windowMs);
    }
    madeUntil.set(name, Math.max(from, to));
  };

  return {
    async runOnce(nowMs) {
      let readyMs = nowMs - graceMs;
      for (const tier of rollupTiers) {
        await makeTier(tier, readyMs);
        await joinSettled(tier, nowMs);
        const made = madeUntil.get(tier.name);
        if (made === undefined) return;
        readyMs = made;
      }
    },
    touch(atMs) {
      for (const { name, windowMs } of rollupTiers) touched.get(name)!.add(Math.floor(atMs / windowMs) * windowMs);
    },
  };
}
