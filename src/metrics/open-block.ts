import type { BlockSeries, SeriesName, SeriesType } from './block.ts';
import { Column, GrowingSamples, RowTimes } from './growing-samples.ts';
import type { PendingSample } from './recorder.ts';
import { type Family, histogramCount, type SeriesHandle } from './series.ts';
import { Interval, type Summary } from './summary.ts';

/** Has a value when it was recorded. */
type Events = SeriesName & { readonly samples: Map<number, number> };
type Intervals = SeriesName & { readonly rows: Map<number, Summary | Interval> };
type OfSeries = { readonly columns: Map<string, Column>; events?: Events; intervals?: Intervals };

/** The block that is being filled: one row per sampling, and what has times of its own. */
export type OpenBlock = {
  readonly startMs: number;
  /** How often everything was sampled into it. */
  readonly samplings: number;
  /** Changes with everything that is added. */
  readonly version: number;
  /** Of the last row. */
  readonly lastMs: number;
  /** Of all rows, ascending. */
  readonly times: readonly number[];
  /** What is sampled of one name, in the order in which it began. Becomes longer, and stays the same array. */
  columnsOf(name: string): readonly Column[];
  add(atMs: number, families: readonly Family[]): void;
  /** Whether something of these was recorded since it was last added. */
  differs(families: readonly Family[]): boolean;
  /** What has a time of its own. */
  addPending(pending: readonly PendingSample[]): void;
  snapshot(): readonly BlockSeries[];
};

export function createOpenBlock(startMs: number): OpenBlock {
  const times: number[] = [];
  let version = 0;
  let samplings = 0;
  // By what stands for a series, since a slot may be taken over by another one within one block.
  const series = new Map<object, OfSeries>();
  const columnsByName = new Map<string, Column[]>();

  const find = (own: SeriesHandle): OfSeries => {
    let found = series.get(own);
    if (found === undefined) {
      found = { columns: new Map() };
      series.set(own, found);
    }
    return found;
  };

  const push = (family: Family, slot: number, name: string, type: SeriesType, value: number, row: number): void => {
    const own = family.seriesAt(slot)!;
    const { columns } = find(own);
    const column = columns.get(name);
    if (column === undefined) {
      const begun = new Column(nameOf(family, own, name, type), row, value);
      columns.set(name, begun);
      const named = columnsByName.get(name);
      if (named === undefined) columnsByName.set(name, [begun]);
      else named.push(begun);
      return;
    }
    const last = column.rows?.at(-1) ?? column.first + column.values.length - 1;
    if (last === row) {
      column.values[column.values.length - 1] = value;
      return;
    }
    if (column.rows === undefined && row !== last + 1) column.rows = column.values.map((_, i) => column.first + i);
    column.rows?.push(row);
    column.values.push(value);
  };

  /** Calls with each column of numbers that is made of a slot. */
  const eachColumn = (
    family: Family,
    slot: number,
    value: (name: string, type: SeriesType, now: number) => void,
  ): void => {
    const { name, storedName, type } = family.definition;
    if (type === 'histogram') {
      value(`${name}_count`, 'counter', histogramCount(family, slot));
      value(`${name}_sum`, 'counter', family.values[slot]!);
    } else value(storedName ?? name, type, family.values[slot]!);
  };

  /** A row before all others. */
  const prepend = (atMs: number): void => {
    times.unshift(atMs);
    for (const { columns } of series.values())
      for (const column of columns.values()) {
        column.first += 1;
        column.rows = column.rows?.map((row) => row + 1);
      }
  };

  /**
   * A counter begins at zero. Without that sample its growth until it was first seen would be lost, so it is put into the row
   * before the one in which it is seen.
   */
  const addBirths = (families: readonly Family[]): void => {
    const row = times.length - 1;
    for (const family of families) {
      if (family.bornCount > 0 && !family.mirrored) {
        if (times.length === 1) {
          prepend(times[0]! - 1);
          addBirths(families);
          return;
        }
        for (const slot of family.slotsInOrder())
          if (family.born[slot] === 1 && family.present[slot] === 1)
            eachColumn(family, slot, (name, type) => push(family, slot, name, type, 0, row - 1));
      }
      family.forgetBirths();
    }
  };

  const eventsOf = (family: Family, own: SeriesHandle): Events => {
    const found = find(own);
    found.events ??= { ...nameOf(family, own, storedName(family), 'gauge'), samples: new Map() };
    return found.events;
  };
  const intervalsOf = (family: Family, own: SeriesHandle): Intervals => {
    const found = find(own);
    found.intervals ??= { ...nameOf(family, own, storedName(family), 'distribution'), rows: new Map() };
    return found.intervals;
  };

  const addKept = (family: Family, atMs: number): void => {
    const { type } = family.definition;
    for (const slot of family.slotsInOrder()) {
      if (type === 'histogram') {
        const taken = family.distributions?.take(slot);
        if (taken === undefined) continue;
        const { rows } = intervalsOf(family, family.seriesAt(slot)!);
        rows.set(freeAt(rows, atMs), taken);
      } else if (family.changed[slot] === 1) {
        family.changed[slot] = 0;
        eventsOf(family, family.seriesAt(slot)!).samples.set(atMs, family.values[slot]!);
      }
    }
  };

  return {
    startMs,
    get samplings() {
      return samplings;
    },
    get version() {
      return version;
    },
    get lastMs() {
      return times.at(-1) ?? Number.NEGATIVE_INFINITY;
    },
    times,
    columnsOf: (name) => columnsByName.get(name) ?? noColumns,
    add(atMs, families) {
      version += 1;
      samplings += 1;
      // The same instant once more: what is known now stands for it.
      if (atMs !== times.at(-1)) times.push(atMs);
      addBirths(families);
      const row = times.length - 1;
      for (const family of families) {
        if (family.definition.keepsEach && family.definition.type !== 'counter') {
          addKept(family, atMs);
          continue;
        }
        for (const slot of family.slotsInOrder())
          if (family.present[slot] !== 0)
            eachColumn(family, slot, (name, type, now) => push(family, slot, name, type, now, row));
      }
    },
    differs(families) {
      for (const family of families) {
        if (family.bornCount > 0) return true;
        const { type } = family.definition;
        for (const slot of family.slotsInOrder()) {
          if (type === 'counter') {
            const known = series.get(family.seriesAt(slot)!)?.columns.get(storedName(family));
            if (known === undefined || known.values.at(-1) !== family.values[slot]) return true;
          } else if (type === 'gauge' ? family.changed[slot] === 1 : (family.distributions?.count(slot) ?? 0) > 0)
            return true;
        }
      }
      return false;
    },
    addPending(pending) {
      if (pending.length > 0) version += 1;
      for (const { handle, atMs, value, told } of pending) {
        const { family, slot } = handle;
        // Of a series that ended meanwhile under its own labels still, or not at all.
        if (slot === 0 && family.labelsOfSeries(handle) === undefined) continue;
        if (family.definition.type === 'gauge') {
          const { samples } = eventsOf(family, handle);
          if (typeof value === 'number' && (!told || samples.get(atMs) !== value)) addNewest(samples, atMs, value);
        } else {
          const { rows } = intervalsOf(family, handle);
          const known = rows.get(atMs);
          const interval = known instanceof Interval ? known : new Interval();
          if (known !== interval) rows.set(freeAt(rows, atMs), interval);
          if (typeof value === 'number') interval.add(value);
          else interval.addBatch(value);
        }
      }
    },
    snapshot() {
      const made: BlockSeries[] = [];
      const rowTimes = new RowTimes(times);
      for (const { columns, events, intervals } of series.values()) {
        for (const column of columns.values()) made.push(new GrowingSamples(column, rowTimes));
        if (events) {
          const { samples, ...name } = events;
          const own = Float64Array.from(samples.keys()).sort();
          made.push({ ...name, kind: 'samples', times: own, values: own.map((at) => samples.get(at)!) });
        }
        if (intervals) {
          const { rows, ...name } = intervals;
          const own = Float64Array.from(rows.keys()).sort();
          made.push({
            ...name,
            kind: 'summaries',
            times: own,
            rows: Array.from(own, (at) => {
              const row = rows.get(at)!;
              return row instanceof Interval ? row.peek() : row;
            }),
          });
        }
      }
      return made.sort(byName);
    },
  };
}

const noColumns: readonly Column[] = [];

const storedName = (family: Family): string => family.definition.storedName ?? family.definition.name;

function nameOf(family: Family, own: SeriesHandle, name: string, type: SeriesType): SeriesName {
  const flat = family.labelsOfSeries(own) ?? [];
  const labels: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) labels[flat[i]!] = flat[i + 1]!;
  return { name, labels, type };
}

/** Neighbouring series have much in common, in their names and often in their numbers. */
const byName = (a: SeriesName, b: SeriesName): number => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1);

const mostMoved = 2_000;

/** Of several values of one instant the last stays there, and those before it move a moment back: none is lost, and their order holds. */
function addNewest(samples: Map<number, number>, atMs: number, value: number): void {
  let carried = value;
  let at = atMs;
  for (let moved = 0; moved < mostMoved; moved += 1) {
    const known = samples.get(at);
    samples.set(at, carried);
    if (known === undefined) return;
    carried = known;
    at -= 1;
  }
}

/** Rows do not merge before they are read: a second one of an instant stands a moment before it. */
function freeAt(rows: ReadonlyMap<number, unknown>, atMs: number): number {
  let free = atMs;
  while (rows.has(free)) free -= 1;
  return free;
}
