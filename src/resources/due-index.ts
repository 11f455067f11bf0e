/** Where something waits; written by the index alone. -1: nowhere. */
export type Waiting = { bucket: number; place: number };
export const nowhere: Waiting = { bucket: -1, place: -1 };

/** What waits until a time, in buckets: adding and taking out cost the same however much waits. */
export type DueIndex<Item extends Waiting> = {
  /** Waits until `dueMs` from now on; moves it when it waits already. Infinity: it waits for nothing. */
  put(item: Item, dueMs: number): void;
  /** Never later than what it was put in for; Infinity when it waits for nothing. */
  dueMsOf(item: Item): number;
  drop(item: Item): void;
  /** Takes out everything whose bucket has begun by `nowMs`, which may be up to a bucket early. */
  take(nowMs: number): Item[];
};

/** @param widthMs of a bucket @param fromMs nothing is due before it */
export function createDueIndex<Item extends Waiting>({
  widthMs,
  fromMs,
}: {
  widthMs: number;
  fromMs: number;
}): DueIndex<Item> {
  const buckets = new Map<number, Item[]>();
  /** Buckets before it are empty. */
  let first = 0;
  // From `fromMs` on, so that numbers stay small: engines keep those in place.
  const bucketOf = (ms: number): number => Math.max(0, Math.floor((ms - fromMs) / widthMs));

  const drop = (item: Item): void => {
    const { bucket, place } = item;
    const there = buckets.get(bucket);
    if (there === undefined) return;
    const last = there.pop();
    if (last !== undefined && last !== item) {
      there[place] = last;
      last.place = place;
    }
    if (there.length === 0) buckets.delete(bucket);
    item.bucket = nowhere.bucket;
    item.place = nowhere.place;
  };

  return {
    put(item, dueMs) {
      if (item.bucket >= 0) drop(item);
      if (!Number.isFinite(dueMs)) return;
      const bucket = bucketOf(dueMs);
      if (bucket < first) first = bucket;
      let there = buckets.get(bucket);
      if (there === undefined) {
        there = [];
        buckets.set(bucket, there);
      }
      item.bucket = bucket;
      item.place = there.length;
      there.push(item);
    },
    dueMsOf: ({ bucket }) => (bucket < 0 ? Number.POSITIVE_INFINITY : fromMs + bucket * widthMs),
    drop,
    take(nowMs) {
      const last = bucketOf(nowMs);
      const due: Item[] = [];
      const empty = (bucket: number): void => {
        for (const item of buckets.get(bucket) ?? []) {
          item.bucket = nowhere.bucket;
          item.place = nowhere.place;
          due.push(item);
        }
        buckets.delete(bucket);
      };
      // After a long time without a look there are fewer buckets than times.
      if (last - first > buckets.size)
        for (const bucket of [...buckets.keys()].filter((one) => one <= last).sort((a, b) => a - b)) empty(bucket);
      else for (let bucket = first; bucket <= last; bucket += 1) empty(bucket);
      first = last;
      return due;
    },
  };
}
