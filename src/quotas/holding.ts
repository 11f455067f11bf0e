import type { TurnedAway } from './denial.ts';
import { ceilingOf, comesBack, isLevel, type Quota } from './quota.ts';
import { type Slot, slotAt } from './window.ts';

/**
 * What this process has of one quota for one bucket in one slot. `leased` stands in the ledger as held under our name; it is
 * the sum of what is free to give (`slab`), what exchanges under way have (`open`) and what was used and not yet written
 * down (`spent`), as far as those are covered by it.
 */
export type Lease = {
  readonly holding: Holding;
  readonly slot: Slot;
  slab: number;
  open: number;
  spent: number;
  leased: number;
  /** Until then nobody takes it away. */
  expiresMs: number;
  /** Until then it is given from: as long as nobody takes it away and its slot counts. */
  givesUntilMs: number;
  lastUsedMs: number;
  /** A commit failed in a way that leaves open whether it stands: then the lease is left to lapse. */
  doubtful: boolean;
  /** Of `spent` no more, and not in the ledger yet: a flush has it, and gives it back when it fails. */
  writing: number;
  /** Of a slot before in the same window. */
  earlier: Lease | undefined;
};

/** One bucket of one quota, as this process knows it. */
export type Holding = {
  quota: Quota;
  readonly bucket: string;
  lease: Lease | undefined;
  /** What stood in the window when it was last looked at, with what was taken then. */
  standing: number;
  /** Of a sliding window that only counts: of which slots `standing` is made up, the oldest first. It leaves the window with them. */
  seen: readonly SeenSlot[] | undefined;
  /** When all of them were read together for the last time. */
  seenWholeMs: number;
  /** Turned away without asking the ledger until then, unless less is wanted than `refusedFree`. */
  refusedUntilMs: number;
  refusedFree: number;
  /** What was said then to the last who was turned away by this quota alone: whoever asks for the same is told the same for a moment. */
  answer: TurnedAway | undefined;
  /** How many times what is needed is taken at once; it grows while the ledger is asked often. */
  growth: number;
  refilledMs: number;
};

export type SeenSlot = { readonly slotMs: number; readonly amount: number };

export type Part = { readonly holding: Holding; readonly amount: number };

export const newHolding = (quota: Quota, bucket: string): Holding => ({
  quota,
  bucket,
  lease: undefined,
  standing: 0,
  seen: undefined,
  seenWholeMs: 0,
  refusedUntilMs: 0,
  refusedFree: 0,
  answer: undefined,
  growth: 0,
  refilledMs: 0,
});

/** Used up here in this window and not yet in the ledger: few leases to add up, where a sum that is kept would cost each use a write. */
export function unwrittenOf({ lease }: Holding): number {
  let amount = 0;
  for (let one = lease; one !== undefined; one = one.earlier) amount += one.spent + one.writing;
  return amount;
}

/** What is known here of the present window, the newest slot first. */
export function inWindow({ lease }: Holding): Lease[] {
  const all: Lease[] = [];
  for (let one = lease; one !== undefined; one = one.earlier) all.push(one);
  return all;
}

/** Asked again after so long: another process may have given something back. */
const refusalMs = 100;
/** The same where nothing can come back in this window: only when somebody begins it anew. */
const certainMs = 5_000;
const steadyMs = 2_000;
const mostGrowth = 4_096;
/** Of what is left, one process takes so much at most: near the limit that is nothing beyond what it needs. */
const shares = 32;
/** With `local_share`: what one process keeps at hand for the time in which the ledger does not answer. */
const localShare = 0.1;

/** The lease of the slot that counts now; made when there is none. */
export function leaseAt(holding: Holding, nowMs: number): Lease {
  const { lease } = holding;
  if (lease !== undefined && nowMs < lease.slot.untilMs && nowMs >= lease.slot.slotMs) return lease;
  const slot = slotAt(holding.quota, nowMs);
  const made: Lease = {
    // What each use reads and writes lies together.
    slab: 0,
    givesUntilMs: 0,
    spent: 0,
    lastUsedMs: nowMs,
    open: 0,
    leased: 0,
    expiresMs: 0,
    holding,
    slot,
    doubtful: false,
    writing: 0,
    earlier: holding.quota.window === 'sliding' ? earlierInWindow(lease, slot) : undefined,
  };
  // A window that begins anew is empty, and so is a sliding one after a pause of its length; else the last look is the best guess.
  if (holding.quota.window === 'calendar' || (lease !== undefined && made.earlier === undefined)) holding.standing = 0;
  holding.lease = made;
  leaveWindow(holding);
  return made;
}

/** What was looked at slot by slot, of the present window. */
export function noteSeen(holding: Holding, seen: readonly SeenSlot[]): void {
  holding.seen = seen;
  leaveWindow(holding);
}

function leaveWindow(holding: Holding): void {
  const { seen, lease } = holding;
  if (seen === undefined || lease === undefined) return;
  const { fromMs } = lease.slot;
  if (seen[0] !== undefined && seen[0].slotMs < fromMs) holding.seen = seen.filter(({ slotMs }) => slotMs >= fromMs);
  holding.standing = (holding.seen ?? []).reduce((sum, { amount }) => sum + amount, 0);
}

/**
 * Those that count together with this slot: never more than the window has, however long nothing can be written down. Empty
 * ones too, to which a flush under way may give back.
 */
function earlierInWindow(lease: Lease | undefined, { slotMs, fromMs }: Slot): Lease | undefined {
  let latest = lease;
  // After a clock that was set back.
  while (latest !== undefined && latest.slot.slotMs >= slotMs) latest = latest.earlier;
  if (latest === undefined || latest.slot.slotMs < fromMs) return undefined;
  for (let one = latest; one.earlier !== undefined; one = one.earlier)
    if (one.earlier.slot.slotMs < fromMs) {
      one.earlier = undefined;
      break;
    }
  return latest;
}

/** Whether the amount can be given without asking the ledger. */
export function hasAtHand({ lease }: Holding, amount: number, nowMs: number): boolean {
  return lease !== undefined && lease.slab >= amount && nowMs < lease.givesUntilMs && amount >= 0;
}

export function renew(lease: Lease, expiresMs: number): void {
  lease.expiresMs = expiresMs;
  lease.givesUntilMs = Math.min(expiresMs, lease.slot.untilMs);
}

/** Whether the ledger said no a moment ago to as much. */
export const wasRefused = (holding: Holding, amount: number, nowMs: number): boolean =>
  nowMs < holding.refusedUntilMs && amount > holding.refusedFree;

/**
 * @param free what is left
 * @param most what would be left if everything that is only held were given back
 */
export function noteRefusal(
  holding: Holding,
  { free, most, amount }: { readonly free: number; readonly most: number; readonly amount: number },
  nowMs: number,
): void {
  const untilMs = holding.lease?.slot.untilMs ?? slotAt(holding.quota, nowMs).untilMs;
  const isCertain = amount > most && !comesBack(holding.quota) && !isLevel(holding.quota);
  holding.refusedUntilMs = Math.min(nowMs + (isCertain ? certainMs : refusalMs), untilMs);
  holding.refusedFree = isCertain ? most : free;
}

/** What is taken beyond the need, so that the ledger need not be asked each time. Nothing of what never begins anew. */
export function planSlab(holding: Holding, free: number, need: number, nowMs: number): number {
  const { quota } = holding;
  if (quota.period === 'forever' || comesBack(quota)) return 0;
  const sinceMs = nowMs - holding.refilledMs;
  if (sinceMs < steadyMs) holding.growth = Math.min(mostGrowth, Math.max(1, holding.growth * 2));
  // Who comes in waves need not begin at nothing each time.
  else holding.growth = sinceMs < 10 * steadyMs ? holding.growth >> 1 : 0;
  holding.refilledMs = nowMs;
  const left = free - need;
  const extra = Math.min(Math.floor(left / shares), need * holding.growth);
  if (quota.whenLost !== 'local_share') return Math.max(0, extra);
  const kept = Math.floor(ceilingOf(quota) * localShare) - (holding.lease?.slab ?? 0);
  return Math.max(0, extra, Math.min(kept, Math.floor(left / 2)));
}
