import { type ExpositionFormat, expositionEnd, renderFamily } from './exposition.ts';
import type { Family } from './series.ts';

/** Of a family as it was written last. */
type Kept = {
  readonly bytes: Uint8Array;
  /** Another array as soon as a series began or ended. */
  readonly order: readonly number[];
  readonly values: Float64Array;
  readonly present: Uint8Array;
  readonly buckets: Float64Array;
};

/** Larger ones change with each look, and would double what they take. */
const longestKept = 128 * 1024;

/**
 * The exposition as it goes over the wire. A family is written, and put into bytes, only when a number in it is another than the last
 * time: most stand still between two looks.
 */
export function createKeptExposition(): (families: readonly Family[], format: ExpositionFormat) => Buffer {
  const kept = { text: new WeakMap<Family, Kept>(), openmetrics: new WeakMap<Family, Kept>() };
  const bytesOf = (family: Family, format: ExpositionFormat): Uint8Array => {
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
      return before.bytes;
    const bytes = Buffer.from(renderFamily(family, format));
    if (bytes.length > longestKept) kept[format].delete(family);
    else
      kept[format].set(family, {
        ...{ bytes, order, values: values.slice(), present: present.slice() },
        buckets: buckets.slice(),
      });
    return bytes;
  };
  return (families, format) =>
    Buffer.concat([...families.map((family) => bytesOf(family, format)), Buffer.from(expositionEnd[format])]);
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
