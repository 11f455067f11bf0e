/** What is known of a shard of the former state, after the new state of the file was cut. */
export type ShardUse = {
  readonly bytes: number;
  /** Bytes of pieces that the file has no more. */
  readonly deadBytes: number;
  /** As in its frame; 0 when nothing of it was dead before. */
  readonly deadSinceDay: number;
};

export type ShardFate =
  | { readonly keep: true; readonly deadSinceDay: number }
  | { readonly keep: false; readonly reason: 'unused' | 'mostly dead' | 'dead too long' | 'one of many small ones' };

/** With more than this share of it dead a shard is written anew, so that a point holds at most half as much again as it needs. */
const greatestDeadShare = 1 / 3;
/** What was deleted from the file leaves new points after this many days, however little of a shard it is. */
export const longestDeadDays = 30;
/** So many small shards of about one size are written as one; each step up is a factor of this. */
const fanOut = 8;
const smallBytes = 131_072;
/** The least size that is told apart from smaller ones. */
const leastBytes = 512;

/**
 * Which shards of the former state stay, and why the others are written anew. A kept shard is not touched, so keeping is what
 * makes a point small; writing anew bounds what dead pieces and small shards cost.
 * @param today whole days since 1970, UTC
 */
export function planShards(shards: readonly ShardUse[], today: number): ShardFate[] {
  const fates = shards.map((shard): ShardFate => {
    const { bytes, deadBytes } = shard;
    if (deadBytes >= bytes) return { keep: false, reason: 'unused' };
    if (deadBytes > bytes * greatestDeadShare) return { keep: false, reason: 'mostly dead' };
    if (isDeadTooLong(shard.deadSinceDay, today)) return { keep: false, reason: 'dead too long' };
    return { keep: true, deadSinceDay: deadBytes === 0 ? 0 : shard.deadSinceDay || today };
  });
  const classes = new Map<number, number[]>();
  for (const [at, { bytes }] of shards.entries())
    if (fates[at]?.keep && bytes < smallBytes) {
      const size = Math.floor(Math.log(Math.max(bytes, leastBytes) / leastBytes) / Math.log(fanOut));
      classes.set(size, [...(classes.get(size) ?? []), at]);
    }
  for (const members of classes.values())
    if (members.length >= fanOut)
      for (const at of members) fates[at] = { keep: false, reason: 'one of many small ones' };
  return fates;
}

export const isDeadTooLong = (deadSinceDay: number, today: number): boolean =>
  deadSinceDay > 0 && today - deadSinceDay >= longestDeadDays;
