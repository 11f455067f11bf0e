import type { Clock } from '../platform/clock.ts';
import type { BlockReader } from './block-reader.ts';
import type { BlockStore } from './block-store.ts';
import type { Packing } from './frame.ts';
import type { Labels } from './metric-definition.ts';
import { encodeValues, type RecordedValue, type ValueLog } from './value-log.ts';

export type ValueQuery = {
  readonly name?: string | undefined;
  readonly type?: string | undefined;
  readonly labels?: Labels | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly limit: number;
  readonly offset?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: ValueCursor | undefined;
};

/** The place of a value among all: its time, then where it lies. */
export type ValueCursor = {
  readonly atMs: number;
  readonly instance: string;
  readonly startMs: number;
  readonly index: number;
};

export type ValuePage = { readonly items: readonly RecordedValue[]; readonly next: ValueCursor | undefined };

type Placed = ValueCursor & { readonly value: RecordedValue };

const mostPerBlock = 5_000;
const blockMs = 600_000;
/** Of all instants that a date can be. */
const latest = 8.64e15;

/** Recorded values one by one, in blocks like the samples; the newest of each metric up to a number. */
export function createValueHistory(options: {
  store: BlockStore;
  reader: BlockReader;
  instance: string;
  clock: Clock;
  packing(whole: boolean): Packing;
  log: ValueLog | undefined;
  maxValues(): number;
}) {
  const { store, reader, instance, clock, packing, log, maxValues } = options;
  /** Of the block that is open; all of it is written again while it grows. */
  let startMs = 0;
  let open: RecordedValue[] = [];
  let flushed = 0;
  /** Full blocks that could not be written yet. */
  let full: { startMs: number; values: RecordedValue[] }[] = [];

  const take = (): void => {
    const taken = log?.take() ?? [];
    if (taken.length === 0) return;
    for (const value of taken) {
      if (open.length >= mostPerBlock || (open.length > 0 && clock.now() >= startMs + blockMs)) close();
      if (open.length === 0) startMs = Math.max(startMs + 1, clock.now());
      open.push(value);
    }
  };
  const close = (): void => {
    full.push({ startMs, values: open });
    // As with samples: what cannot be stored waits, but not without bound.
    if (full.length > 20) full.shift();
    open = [];
    flushed = 0;
  };
  const write = async (at: number, values: readonly RecordedValue[], whole: boolean): Promise<void> => {
    const times = values.map((value) => value.atMs);
    await store.put('values', {
      instance,
      startMs: at,
      firstMs: times.reduce((a, b) => Math.min(a, b)),
      lastMs: times.reduce((a, b) => Math.max(a, b)),
      items: values.length,
      payload: await encodeValues(values, packing(whole)),
    });
  };

  /** Those of one block that are asked for, in the order of the answer. */
  const choose = (of: string, at: number, values: readonly RecordedValue[], query: ValueQuery): Placed[] => {
    const placed: Placed[] = [];
    values.forEach((value, index) => {
      const { atMs } = value;
      if (query.name !== undefined && value.name !== query.name) return;
      if (query.type !== undefined && value.type !== query.type) return;
      if (atMs < (query.fromMs ?? 0) || atMs > (query.toMs ?? Infinity)) return;
      if (!Object.entries(query.labels ?? {}).every(([name, wanted]) => value.labels[name] === wanted)) return;
      const one = { atMs, instance: of, startMs: at, index, value };
      if (query.cursor === undefined || newestFirst(query.cursor, one) < 0) placed.push(one);
    });
    return placed.sort(newestFirst);
  };

  return {
    async flush(): Promise<void> {
      take();
      for (const block of [...full]) {
        await write(block.startMs, block.values, true);
        full = full.filter((one) => one !== block);
      }
      if (open.length <= flushed) return;
      const count = open.length;
      await write(startMs, open.slice(0, count), false);
      flushed = count;
    },
    async count(): Promise<number> {
      take();
      const unwritten = full.reduce((sum, block) => sum + block.values.length, 0) + open.length - flushed;
      return (await store.items('values')) + unwritten;
    },
    forget(): void {
      log?.take();
      open = [];
      full = [];
      flushed = 0;
    },
    async read(query: ValueQuery): Promise<ValuePage> {
      take();
      const most = query.limit + 1 + (query.offset ?? 0);
      const inMemory = [...full, { startMs, values: open }];
      let found: Placed[] = inMemory.flatMap((block) => choose(instance, block.startMs, block.values, query));
      const known = new Set(inMemory.map((block) => block.startMs));
      const toMs = Math.min(query.toMs ?? Infinity, query.cursor?.atMs ?? Infinity);
      const perMetric = maxValues();
      const counted = new Map<string, number>();
      for await (const { instance: of, startMs: at, lastMs, block } of reader.readValues(
        query.fromMs ?? 0,
        Math.min(toMs, latest),
      )) {
        // Nothing of this block, or of those that follow, can stand before what is here.
        if (found.length >= most && oldestOf(found) > lastMs) break;
        if (of === instance && known.has(at)) continue;
        if (query.name !== undefined && block.counts[query.name] === undefined) continue;
        if (query.name !== undefined) {
          const before = counted.get(query.name) ?? 0;
          if (before >= perMetric) break;
          counted.set(query.name, before + (block.counts[query.name] ?? 0));
        }
        found.push(...choose(of, at, await block.values(), query));
        found = found.sort(newestFirst).slice(0, Math.max(most, 1));
      }
      const page = found.sort(newestFirst).slice(query.offset ?? 0);
      const items = page.slice(0, query.limit);
      const last = items.at(-1);
      const next =
        page.length > query.limit && last !== undefined
          ? { atMs: last.atMs, instance: last.instance, startMs: last.startMs, index: last.index }
          : undefined;
      return { items: items.map(({ value }) => value), next };
    },
    /** Deletes blocks of which every metric has its number in younger blocks already. */
    async trim(): Promise<void> {
      const counted = new Map<string, number>();
      const most = maxValues();
      for await (const { instance: of, startMs: at, block } of reader.readValues(0, latest)) {
        if (of !== instance) continue;
        const counts = Object.entries(block.counts);
        if (counts.every(([name]) => (counted.get(name) ?? 0) >= most)) await store.delete('values', instance, at);
        for (const [name, count] of counts) counted.set(name, (counted.get(name) ?? 0) + count);
      }
    },
  };
}

const oldestOf = (found: readonly Placed[]): number => found.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY;

/** By time, the newest first; then by place, the latest first. */
function newestFirst(a: ValueCursor, b: ValueCursor): number {
  if (a.atMs !== b.atMs) return b.atMs - a.atMs;
  if (a.startMs !== b.startMs) return b.startMs - a.startMs;
  if (a.instance !== b.instance) return a.instance < b.instance ? 1 : -1;
  return b.index - a.index;
}
