import type { Logger } from '../platform/logging.ts';
import { type BlockSeries, openBlock, type ReadBlock } from './block.ts';
import type { BlockPlace, BlockStore, TierName } from './block-store.ts';
import type { Counter } from './registry.ts';
import { openValues, type ValueBlock } from './value-log.ts';

/** A block of series with where it came from. */
export type FoundBlock = { readonly instance: string; readonly startMs: number; readonly block: ReadBlock };
export type FoundValues = {
  readonly instance: string;
  readonly startMs: number;
  readonly lastMs: number;
  readonly block: ValueBlock;
};

/** Stored blocks, read: what is damaged is left out, counted and said once; what was read is kept for the next question. */
export type BlockReader = {
  /**
   * In the order of time, one at a time: nobody holds all of a long range.
   * @param options.instance of this one alone
   * @param options.without those that need not be read, since they are at hand
   */
  read(
    tier: Exclude<TierName, 'values'>,
    fromMs: number,
    toMs: number,
    options?: { instance?: string; without?: (place: BlockPlace) => boolean },
  ): AsyncGenerator<FoundBlock>;
  /** By their last value, the newest first. */
  readValues(fromMs: number, toMs: number): AsyncGenerator<FoundValues>;
  /** Nothing is kept from now on, or something again. */
  setCaching(on: boolean): void;
  /** So far, from the database. */
  blocksRead(): number;
};

/** Of a few days of charts at a thousand series. */
const mostKeptBytes = 16 * 1_048_576;
const atOnce = 16;

type Kept = { readonly block: ReadBlock; bytes: number };

export function createBlockReader(options: {
  store: BlockStore;
  log: Logger;
  damagedBlocks: Counter;
  caching?: boolean;
}): BlockReader {
  const { store, log, damagedBlocks } = options;
  const damaged = new Set<string>();
  /** In the order of their last use. */
  const kept = new Map<string, Kept>();
  let keptBytes = 0;
  let caching = options.caching ?? true;
  let blocksRead = 0;

  const left = (key: string, err: unknown, place: BlockPlace): undefined => {
    if (damaged.has(key)) return undefined;
    damaged.add(key);
    damagedBlocks.inc();
    log.warn(
      { instance: place.instance, startMs: place.startMs, err },
      'a stored block of samples is damaged and left out',
    );
    return undefined;
  };

  const drop = (key: string): void => {
    keptBytes -= kept.get(key)?.bytes ?? 0;
    kept.delete(key);
  };

  const keep = (key: string, entry: Kept): void => {
    drop(key);
    if (entry.bytes > mostKeptBytes / 4) return;
    kept.set(key, entry);
    keptBytes += entry.bytes;
    for (const oldest of kept.keys()) {
      if (keptBytes <= mostKeptBytes) break;
      drop(oldest);
    }
  };

  /** Its columns are kept too, once they were read. */
  const remembering = (key: string, block: ReadBlock): ReadBlock => {
    let columns: readonly BlockSeries[] | undefined;
    const entry: Kept = { bytes: 300 * block.entries.length + 500, block: block };
    const remembered: ReadBlock = {
      entries: block.entries,
      async series() {
        if (columns !== undefined) return columns;
        const read = await block.series();
        if (caching && kept.has(key)) {
          columns = read;
          keep(key, { block: remembered, bytes: entry.bytes + columnBytes(read) });
        }
        return read;
      },
    };
    keep(key, { block: remembered, bytes: entry.bytes });
    return remembered;
  };

  return {
    blocksRead: () => blocksRead,
    setCaching(on) {
      caching = on;
      if (on) return;
      kept.clear();
      keptBytes = 0;
    },
    async *read(tier, fromMs, toMs, { instance, without } = {}) {
      const all = await store.overlapping(tier, fromMs, toMs, instance);
      const places = without === undefined ? all : all.filter((place) => !without(place));
      // A block that still grows is another one each time it was written.
      const keyOf = (place: BlockPlace): string =>
        `${tier} ${place.startMs} ${place.lastMs} ${place.bytes} ${place.instance}`;
      for (let at = 0; at < places.length; at += atOnce) {
        const some = places.slice(at, at + atOnce);
        const missing = some.filter((place) => !kept.has(keyOf(place)));
        const payloads = missing.length === 0 ? [] : await store.payloads(tier, missing);
        for (const place of some) {
          const key = keyOf(place);
          const known = kept.get(key);
          let block = known?.block;
          if (known !== undefined) {
            keep(key, known);
          } else {
            blocksRead += 1;
            const payload = payloads[missing.indexOf(place)];
            if (payload === undefined) continue;
            try {
              block = await openBlock(payload);
              if (caching) block = remembering(key, block);
            } catch (err) {
              left(key, err, place);
              continue;
            }
          }
          if (block === undefined) continue;
          const found = block;
          yield {
            instance: place.instance,
            startMs: place.startMs,
            block: {
              entries: found.entries,
              series: () => found.series().catch((err) => left(key, err, place) ?? []),
            },
          };
        }
      }
    },
    async *readValues(fromMs, toMs) {
      const places = [...(await store.overlapping('values', fromMs, toMs))].sort((a, b) => b.lastMs - a.lastMs);
      for (const place of places) {
        const [payload] = await store.payloads('values', [place]);
        if (payload === undefined) continue;
        try {
          const { instance, startMs, lastMs } = place;
          yield { instance, startMs, lastMs, block: await openValues(payload) };
        } catch (err) {
          left(`values ${place.startMs} ${place.instance}`, err, place);
        }
      }
    },
  };
}

const columnBytes = (series: readonly BlockSeries[]): number =>
  series.reduce(
    (sum, one) =>
      sum +
      (one.kind === 'samples'
        ? 16 * one.values.length
        : one.rows.reduce((bytes, row) => bytes + 150 + (row.sketch?.length ?? 0), 0)),
    0,
  );
