import { type ExpositionFormat, renderFamily } from './exposition.ts';
import type { Family } from './series.ts';

/** Of a family as it was written last. */
type Kept = {
  readonly text: string;
  /** Another array as soon as a series began or ended. */
  readonly order: readonly number[];
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly buckets: Float64Array;
};

/** Larger ones change with each look, and would double what they take. */
const longestKept = 128 * 1024;

/** Writes a family, or finds the text of the last time when every number in it is what it was: most stand still between two looks. */
export function createKeptExposition(): (family: Family, format: ExpositionFormat) => string {
  const kept = { text: new WeakMap<Family, Kept>(), openmetrics: new WeakMap<Family, Kept>() };
  return (family, format) => {
    const before = kept[format].get(family);
    // Counts what waits to be counted, so before the numbers are looked at.
    const order = family.slotsInOrder();
    const { values, present, buckets } = family;
    if (
      before !== undefined &&
      before.order === order &&
      isSame(before.values, values) &&
      isSame(before.present, present) &&
      isSame(before.buckets, buckets)
    )
      return before.text;
    const text = renderFamily(family, format);
    if (text.length > longestKept) kept[format].delete(family);
    else
      kept[format].set(family, {
        ...{ text, order, values: values.slice(), present: present.slice() },
        buckets: buckets.slice(),
      });
    return text;
  };
}

/** Bit for bit would be too strict for nothing: NaN is NaN, and both zeros are written alike. */
function isSame(before: ArrayLike<number>, now: ArrayLike<number>): boolean {
  if (before.length !== now.length) return false;
  for (let i = 0; i < now.length; i += 1) {
    const [a, b] = [before[i]!, now[i]!];
    if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) return false;
  }
  return true;
}
