import type { Block, BlockSeries } from './block.ts';
import { type Family, histogramCount } from './series.ts';

type Column = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly type: BlockSeries['type'];
  readonly values: (number | undefined)[];
};

/** The block that is being filled: one row per sampling, one column per series that had a value in it. */
export type OpenBlock = {
  readonly startMs: number;
  readonly rows: number;
  readonly lastMs: number;
  add(atMs: number, families: readonly Family[]): void;
  snapshot(): Block;
};

export function createOpenBlock(startMs: number): OpenBlock {
  const times: number[] = [];
  // A slot may be taken over by another series within one block; the list of label values is made anew for each series.
  const columns = new Map<readonly string[], Map<string, Column>>();

  const push = (family: Family, slot: number, name: string, type: BlockSeries['type'], value: number): void => {
    const labelValues = family.labelValues[slot]!;
    let ofSeries = columns.get(labelValues);
    if (ofSeries === undefined) {
      ofSeries = new Map();
      columns.set(labelValues, ofSeries);
    }
    let column = ofSeries.get(name);
    if (column === undefined) {
      const labels = Object.fromEntries(family.definition.labelNames.map((label, i) => [label, labelValues[i] ?? '']));
      column = { name, labels, type, values: [] };
      ofSeries.set(name, column);
    }
    pad(column.values, times.length - 1);
    column.values.push(value);
  };

  return {
    startMs,
    get rows() {
      return times.length;
    },
    get lastMs() {
      return times.at(-1) ?? Number.NEGATIVE_INFINITY;
    },
    add(atMs, families) {
      times.push(atMs);
      for (const family of families) {
        const { name, type } = family.definition;
        for (const slot of family.slotsInOrder()) {
          if (family.present[slot] === 0) continue;
          if (type === 'histogram') {
            push(family, slot, `${name}_count`, 'counter', histogramCount(family, slot));
            push(family, slot, `${name}_sum`, 'counter', family.values[slot]!);
          } else push(family, slot, name, type, family.values[slot]!);
        }
      }
    },
    snapshot() {
      const series: BlockSeries[] = [];
      for (const ofSeries of columns.values())
        for (const column of ofSeries.values()) {
          const values = [...column.values];
          pad(values, times.length);
          series.push({ ...column, values });
        }
      return { times: [...times], series };
    },
  };
}

const pad = (values: (number | undefined)[], length: number): void => {
  while (values.length < length) values.push(undefined);
};
