import { formatBound } from '../exposition.ts';
import type { Family } from '../series.ts';
import { histogramCount } from '../series.ts';
import type { WrittenSeries } from './write-request.ts';

/** What was there at the last sampling, by what stands for a series as long as it lasts. */
type Alive = { readonly family: Family; readonly labels: readonly string[] };

/** Lines of the exposition, one sampling after the other, with where series began and ended. */
export type ExposedSeries = {
  /** Every series as it stands at `atMs`, and the end of each that was there before and is gone. Taken while one reads on. */
  sample(families: readonly Family[], atMs: number): Generator<WrittenSeries>;
  /** The end of everything. */
  end(atMs: number): Generator<WrittenSeries>;
};

export function createExposedSeries(): ExposedSeries {
  let alive = new Map<object, Alive>();
  let previousMs = Number.NEGATIVE_INFINITY;

  return {
    *sample(families, atMs) {
      const before = alive;
      // A clock that was set back has no room between two samplings.
      const birthMs = previousMs < atMs - 1 ? Math.max(previousMs + 1, atMs - longestBirthMs) : atMs - 1;
      const first = previousMs === Number.NEGATIVE_INFINITY;
      alive = new Map();
      previousMs = atMs;
      for (const family of families)
        for (const slot of family.slotsInOrder()) {
          const series = family.seriesAt(slot);
          if (series === undefined || family.present[slot] === 0) continue;
          const known = before.get(series);
          const labels = known?.labels ?? family.labelsOf(slot);
          alive.set(series, known ?? { family, labels });
          before.delete(series);
          yield* linesOf(family, slot, labels, atMs, known === undefined ? (first ? atMs - 1 : birthMs) : undefined);
        }
      if (before.size === 0) return;
      // One that ended and was begun again meanwhile goes on.
      const here = new Set(Array.from(alive.values(), keyOf));
      for (const one of before.values()) if (!here.has(keyOf(one))) yield* endOf(one, atMs);
    },
    *end(atMs) {
      for (const one of alive.values()) yield* endOf(one, atMs);
      alive = new Map();
    },
  };
}

const keyOf = ({ family, labels }: Alive): string => [family.definition.name, ...labels].join('\0');

/** Longer ago is another stretch of life: the process was stopped, or its clock was set. */
const longestBirthMs = 60_000;

/**
 * A counter begins at zero, and stores see growth only between two samples: the first one therefore brings its zero along. Totals
 * that are counted elsewhere did not begin when we saw them first.
 */
function* linesOf(
  family: Family,
  slot: number,
  labels: readonly string[],
  atMs: number,
  bornMs: number | undefined,
): Generator<WrittenSeries> {
  const { name, type, bounds, scale = 1 } = family.definition;
  const counts = type === 'counter' || type === 'histogram';
  const zeroMs = counts && !family.mirrored ? bornMs : undefined;
  const line = (lineName: string, lineLabels: readonly string[], value: number): WrittenSeries => ({
    name: lineName,
    labels: lineLabels,
    samples:
      zeroMs === undefined || value === 0
        ? [{ atMs, value }]
        : [
            { atMs: zeroMs, value: 0 },
            { atMs, value },
          ],
  });
  if (type !== 'histogram') {
    yield line(name, labels, family.values[slot]! * scale);
    return;
  }
  // Read as one, before whoever reads on may wait: bucket, sum and count belong together.
  const width = bounds.length + 1;
  const buckets = family.buckets.slice(slot * width, (slot + 1) * width);
  const sum = family.values[slot]! * scale;
  const count = histogramCount(family, slot);
  let cumulative = 0;
  for (let i = 0; i < width; i += 1) {
    cumulative += buckets[i]!;
    yield line(`${name}_bucket`, [...labels, 'le', boundAt(bounds, i)], cumulative);
  }
  yield line(`${name}_sum`, labels, sum);
  yield line(`${name}_count`, labels, count);
}

function* endOf({ family, labels }: Alive, atMs: number): Generator<WrittenSeries> {
  const { name, type, bounds } = family.definition;
  const samples = [{ atMs, value: 'stale' }] as const;
  if (type !== 'histogram') {
    yield { name, labels, samples };
    return;
  }
  for (let i = 0; i <= bounds.length; i += 1)
    yield { name: `${name}_bucket`, labels: [...labels, 'le', boundAt(bounds, i)], samples };
  yield { name: `${name}_sum`, labels, samples };
  yield { name: `${name}_count`, labels, samples };
}

/** As OpenMetrics writes it, which is what Prometheus asks for when it scrapes: both ways then make one series. */
const boundAt = (bounds: readonly number[], index: number): string =>
  index < bounds.length ? formatBound(bounds[index]!, true) : '+Inf';
