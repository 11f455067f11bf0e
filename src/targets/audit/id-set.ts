/**
 * Ids as 53-bit hashes in one growing typed array: 8 bytes per id outside the JavaScript heap, whatever the ids' length.
 * Two different ids share a hash with a chance of n² / 2^54 over a whole set (1 in 18,000 for a million ids); a difference
 * may then go unseen, never the reverse.
 */
export type IdSet = {
  add(id: string): void;
  /** Sorts what was added. Nothing is added afterwards. */
  seal(): SealedIds;
};

export type SealedIds = {
  /** Different ids. */
  readonly size: number;
  /** How often an id came that was there before. */
  readonly duplicates: number;
  /** True when more ids came than are kept: then nothing can be said about any of them. */
  readonly isOverfull: boolean;
  has(id: string): boolean;
  hasHash(hash: number): boolean;
  /** How many of these ids `other` does not have. */
  countMissingIn(other: SealedIds): number;
};

/** 8 bytes each: 128 MiB for one set. */
export const maxIds = 16_777_216;

export function createIdSet(limit = maxIds): IdSet {
  const hashes = createNumbers(limit);
  return {
    add: (id) => hashes.push(hashOf(id)),
    seal() {
      const sorted = hashes.values().sort();
      let size = 0;
      for (let at = 0; at < sorted.length; at += 1) {
        if (at > 0 && sorted[at] === sorted[size - 1]) continue;
        sorted[size] = sorted[at] ?? 0;
        size += 1;
      }
      const distinct = sorted.subarray(0, size);
      const hasHash = (hash: number): boolean => {
        let low = 0;
        let high = size;
        while (low < high) {
          const middle = (low + high) >>> 1;
          if ((distinct[middle] ?? 0) < hash) low = middle + 1;
          else high = middle;
        }
        return distinct[low] === hash;
      };
      return {
        size,
        duplicates: sorted.length - size,
        isOverfull: hashes.isOverfull(),
        has: (id) => hasHash(hashOf(id)),
        hasHash,
        countMissingIn(other) {
          let missing = 0;
          for (const hash of distinct) if (!other.hasHash(hash)) missing += 1;
          return missing;
        },
      };
    },
  };
}

export type Numbers = {
  push(value: number): void;
  /** A view of what was pushed, at most `limit` values. */
  values(): Float64Array;
  isOverfull(): boolean;
};

export function createNumbers(limit = maxIds): Numbers {
  let kept = new Float64Array(1024);
  let length = 0;
  let overfull = false;
  return {
    push(value) {
      if (length === limit) {
        overfull = true;
        return;
      }
      if (length === kept.length) {
        const grown = new Float64Array(Math.min(limit, kept.length * 2));
        grown.set(kept);
        kept = grown;
      }
      kept[length] = value;
      length += 1;
    },
    values: () => kept.subarray(0, length),
    isOverfull: () => overfull,
  };
}

/** cyrb53 over UTF-16 code units: not for secrets, only for telling ids apart. */
export function hashOf(id: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let at = 0; at < id.length; at += 1) {
    const unit = id.charCodeAt(at);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 4_294_967_296 * (2_097_151 & b) + (a >>> 0);
}
