import type { BlockSeries, ReadBlock, SeriesName } from './block.ts';
import { Sketch } from './sketch.ts';
import { addToTotal, emptyTotal, growth, mergeSummary, type Summary, type Total } from './summary.ts';

/** Series told apart by what makes them one: name, type and labels in whatever order. */
export const seriesKey = (one: SeriesName): string =>
  `${one.type} ${one.name} ${JSON.stringify(Object.entries(one.labels).sort((a, b) => (a[0] < b[0] ? -1 : 1)))}`;

type Window = { readonly total: Total; readonly sketch: Sketch | undefined; lastAtMs: number };
type Rolled = { readonly name: SeriesName; readonly windows: Map<number, Window>; before: number | undefined };

/** Takes series in the order of time and makes one row per series and window of them. */
export type Rollup = {
  /** Samples before `fromMs` only say where counters stood. */
  add(series: readonly BlockSeries[]): void;
  /** The rows of one window, as series of a block of their own. */
  take(windowStartMs: number): BlockSeries[];
};

/**
 * Windows begin at whole multiples of their width. Growth of a counter belongs to the window of its later sample. Counters have no
 * percentiles: those of a number that only grows say nothing.
 */
export function createRollup(windowMs: number, fromMs: number, toMs: number): Rollup {
  const rolled = new Map<string, Rolled>();
  const windowOf = (one: Rolled, atMs: number): Window => {
    const start = Math.floor(atMs / windowMs) * windowMs;
    let window = one.windows.get(start);
    if (window === undefined) {
      const sketch = one.name.type === 'counter' ? undefined : new Sketch();
      window = { total: emptyTotal(), sketch, lastAtMs: Number.NEGATIVE_INFINITY };
      one.windows.set(start, window);
    }
    return window;
  };

  return {
    add(series) {
      for (const one of series) {
        const key = seriesKey(one);
        let into = rolled.get(key);
        if (into === undefined) {
          into = {
            name: { name: one.name, labels: one.labels, type: one.type },
            windows: new Map(),
            before: undefined,
          };
          rolled.set(key, into);
        }
        for (let i = 0; i < one.times.length; i += 1) {
          const atMs = one.times[i]!;
          if (atMs >= toMs) break;
          if (one.kind === 'summaries') {
            if (atMs < fromMs) continue;
            const window = windowOf(into, atMs);
            const row = one.rows[i]!;
            const { last } = window.total;
            mergeSummary(window.total, row);
            if (atMs < window.lastAtMs) window.total.last = last;
            else window.lastAtMs = atMs;
            if (row.sketch) window.sketch?.mergePacked(row.sketch);
            continue;
          }
          const value = one.values[i]!;
          const increase = one.type === 'counter' ? growth(into.before, value) : 0;
          if (!Number.isNaN(value)) into.before = value;
          if (atMs < fromMs) continue;
          const window = windowOf(into, atMs);
          const { last } = window.total;
          addToTotal(window.total, value, increase);
          if (!Number.isNaN(value)) window.sketch?.add(value);
          if (atMs < window.lastAtMs) window.total.last = last;
          else window.lastAtMs = atMs;
        }
      }
    },
    take(windowStartMs) {
      const times = Float64Array.of(windowStartMs);
      const made: BlockSeries[] = [];
      for (const { name, windows } of rolled.values()) {
        const window = windows.get(windowStartMs);
        if (window === undefined || window.total.count === 0) continue;
        const row: Summary = { ...window.total, sketch: window.sketch?.pack() };
        made.push({ ...name, kind: 'summaries', times, rows: [row] });
      }
      return made.sort((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1));
    },
  };
}

/** Blocks of rows, in the order of time, as one. */
export async function joinBlocks(blocks: readonly ReadBlock[]): Promise<BlockSeries[]> {
  const joined = new Map<string, { name: SeriesName; times: number[]; rows: Summary[] }>();
  for (const block of blocks)
    for (const one of await block.series()) {
      if (one.kind !== 'summaries') continue;
      const key = seriesKey(one);
      let into = joined.get(key);
      if (into === undefined) {
        into = { name: { name: one.name, labels: one.labels, type: one.type }, times: [], rows: [] };
        joined.set(key, into);
      }
      for (let i = 0; i < one.times.length; i += 1) {
        into.times.push(one.times[i]!);
        into.rows.push(one.rows[i]!);
      }
    }
  return [...joined.values()].map(({ name, times, rows }) => ({
    ...name,
    kind: 'summaries',
    times: Float64Array.from(times),
    rows,
  }));
}
