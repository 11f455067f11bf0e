import type { Tx } from '../platform/database/index.ts';
import { type Holding, inWindow, type Lease, noteSeen, type SeenSlot } from './holding.ts';
import { type LedgerTables, readSlots, readStanding, totalOf } from './ledger-store.ts';
import { denies } from './quota.ts';

/**
 * What the ledger says of a bucket that is only counted, which nobody asks it otherwise: a sum; of a sliding window slot by
 * slot, those from `sinceMs` on (0: all), so that it is known when which leaves the window.
 */
export type Look = { readonly at: Lease } & (
  | { readonly total: number }
  | { readonly sinceMs: number; readonly slots: readonly SeenSlot[] }
);

/** All slots are read again after so long: what others wrote late, or took out of older ones, is known then. */
const wholeAgainMs = 60_000;
/** Other processes write into a slot that is over for about a second. */
const lateMs = 5_000;
/** Buckets of which one unit of work reads all slots, up to 61 rows each; the others are with a later one. */
const mostWhole = 50;

/**
 * Looks in the present slot of each.
 * @param written the oldest slot of each that this unit of work wrote into, in milliseconds
 */
export async function lookAgain(
  tx: Tx,
  written: ReadonlyMap<Holding, number>,
  nowMs: number,
): Promise<ReadonlyMap<Holding, Look>> {
  const reader = tx.as<LedgerTables>();
  const looks = new Map<Holding, Look>();
  let whole = 0;
  for (const [holding, oldestMs] of written) {
    const { lease: at, quota, bucket } = holding;
    if (at === undefined || denies(quota)) continue;
    const spot = { quotaId: quota.id, bucket, slot: at.slot };
    const fromMs = quota.window === 'sliding' ? readFrom(holding, nowMs, whole < mostWhole) : undefined;
    if (fromMs === undefined) looks.set(holding, { at, total: totalOf(await readStanding(reader, spot)) });
    else {
      if (fromMs === 0) whole += 1;
      const sinceMs = Math.min(fromMs, oldestMs);
      looks.set(holding, { at, sinceMs, slots: await readSlots(reader, spot, sinceMs) });
    }
  }
  return looks;
}

/** 0: all slots. Undefined: only their sum, since not all can be read now and none are known. */
function readFrom({ seen, seenWholeMs }: Holding, nowMs: number, mayReadAll: boolean): number | undefined {
  const newest = seen?.at(-1);
  if (newest === undefined) return mayReadAll ? 0 : undefined;
  const isDue = nowMs >= seenWholeMs + wholeAgainMs || nowMs < seenWholeMs;
  return isDue && mayReadAll ? 0 : Math.max(0, newest.slotMs - lateMs);
}

/** Of a window that is over, or that the quota had before it was changed, nothing counts now. */
export function noteLook(holding: Holding, look: Look, nowMs: number): void {
  if (!inWindow(holding).includes(look.at)) return;
  if ('total' in look) {
    holding.standing = look.total;
    holding.seen = undefined;
  } else if (look.sinceMs === 0) {
    holding.seenWholeMs = nowMs;
    noteSeen(holding, look.slots);
  } else if (holding.seen !== undefined) {
    // Else it was forgotten meanwhile, and the next look is at all of it.
    noteSeen(holding, [...holding.seen.filter(({ slotMs }) => slotMs < look.sinceMs), ...look.slots]);
  }
}
