import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { type Holding, hasAtHand, inWindow, type Lease, leaseAt, newHolding, renew, wasRefused } from './holding.ts';
import { type Asked, carryAbove, leaseMs, newRound, planRound, type Refusal, type Wish } from './ledger-round.ts';
import {
  addLease,
  addUsed,
  debit,
  mostReaped,
  openSlot,
  type Reaped,
  reapLeases,
  renewLease,
  type Spot,
  settleLease,
} from './ledger-store.ts';
import { type Amounts, type Counted, comesBack, denies, type Quota } from './quota.ts';
import { type Look, lookAgain, noteLook } from './window-look.ts';

/** What was granted of one quota; given back or used up when it is settled. */
export type Taken = {
  readonly lease: Lease;
  readonly amount: number;
  /** Used up already: there is nothing to settle. */
  readonly final: boolean;
};
export type Granted = { readonly granted: true; readonly taken: readonly Taken[] };
export type Acquired = Granted | { readonly granted: false; readonly refusals: readonly Refusal[] };

export type Ledger = {
  holdingOf(quota: Quota, bucket: string): Holding;
  /** The present limit of a quota counts from now on; what was taken under another window is given back. */
  adopt(quotas: readonly Quota[]): void;
  /** What was used of this quota was forgotten, of one bucket or of all: nothing is known of it any more. */
  forgetUsage(quotaId: string, bucket: string | undefined): void;
  /** Of each of these what is asked for, from what is at hand, or nothing of any. Most are used up at once: then nothing is made anew. */
  give(
    asked: readonly Holding[],
    amounts: Amounts,
    final: (kind: Counted) => boolean,
    nowMs: number,
  ): Granted | undefined;
  /** All of it from what is at hand, or nothing. */
  take(wishes: readonly Wish[], nowMs: number): readonly Taken[] | undefined;
  /** What the ledger refused a moment ago, without asking it again. */
  recentRefusals(wishes: readonly Wish[], nowMs: number): readonly Refusal[];
  /**
   * All of it or nothing, over all quotas in one step.
   * @throws AppError `storage/unavailable`, `storage/full`: nothing was taken
   */
  acquire(wishes: readonly Wish[]): Promise<Acquired>;
  /** What it really took; less is given back, more is counted all the same. True: more was used than the ledger knows of. */
  settle(taken: Taken, used: number): boolean;
  /** Counted and never refused; written down with the next flush. */
  count(holding: Holding, amount: number, nowMs: number): void;
  /** Writes down what was used and gives back what lies idle; all of it with `everything`. */
  flush(options?: { readonly everything?: boolean; readonly quotaId?: string }): Promise<void>;
  /** Takes away the leases of the dead; at the start those of an earlier life of this instance too. */
  reap(options?: { readonly atStart: boolean }): Promise<readonly Reaped[]>;
  /** Nothing is held and nothing waits to be written down. */
  isIdle(): boolean;
  /** Somebody may be turned away, or judged, by what another process began anew meanwhile. */
  remembers(): boolean;
  size(): { readonly holdings: number; readonly leases: number };
};

type Waiting = Asked & {
  readonly resolve: (acquired: Acquired) => void;
  readonly reject: (err: unknown) => void;
};

const none: readonly Refusal[] = [];
/** Nothing that is asked for is a matter of any quota. */
export const unconcerned: Granted = { granted: true, taken: [] };
/** What is used up when it is granted is never settled. */
const usedUp: Granted = { granted: true, taken: [] };
/** Nothing was taken from it for so long: others may want it. */
const idleMs = 1_500;
const idleShareMs = 30_000;
/** Wishes that one unit of work answers. */
const mostTogether = 512;
const mostFlushed = 500;
/** Buckets that are remembered; then those with nothing at hand are forgotten. */
const mostHoldings = 20_000;

/**
 * The process's side of the ledger: gives from slabs that were debited before, so that a grant is never made from what is not
 * there, and asks the ledger for many wishes at once.
 */
export function createLedger(options: { db: Database; clock: Pick<Clock, 'now'>; holder: string }): Ledger {
  const { db, clock, holder } = options;
  const holdings = new Map<string, Holding>();
  const leases = new Set<Lease>();
  let waiting: Waiting[] = [];
  let asking = false;
  let flushing: Promise<void> | undefined;
  /** Until then somebody may be turned away by what is remembered. */
  let refusesUntilMs = 0;
  /** What was used there was forgotten: the next flush looks, also where it has nothing to write. */
  const forgotten = new Set<Holding>();

  const holdingOf = (quota: Quota, bucket: string): Holding => {
    const key = `${quota.id} ${bucket}`;
    const found = holdings.get(key);
    if (found) return found;
    if (holdings.size >= mostHoldings) forgetIdle();
    const made = newHolding(quota, bucket);
    holdings.set(key, made);
    return made;
  };
  const forgetIdle = (): void => {
    for (const [key, holding] of holdings) if (!isUnderWay(holding)) holdings.delete(key);
  };
  const isUnderWay = (holding: Holding): boolean => inWindow(holding).some((lease) => leases.has(lease));
  const spotOf = (lease: Lease): Spot => ({
    quotaId: lease.holding.quota.id,
    bucket: lease.holding.bucket,
    slot: lease.slot,
  });

  const take = (wishes: readonly Wish[], nowMs: number): readonly Taken[] | undefined => {
    for (const { holding, amount } of wishes) if (!hasAtHand(holding, amount, nowMs)) return undefined;
    const taken: Taken[] = [];
    for (const { holding, amount, final } of wishes) {
      const lease = holding.lease as Lease; // hasAtHand looked
      lease.slab -= amount;
      if (final) lease.spent += amount;
      else lease.open += amount;
      lease.lastUsedMs = nowMs;
      taken.push({ lease, amount, final });
    }
    return taken;
  };

  const give: Ledger['give'] = (asked, amounts, final, nowMs) => {
    let concerned = false;
    let taken: Taken[] | undefined;
    for (let at = 0; at < asked.length; at += 1) {
      const holding = asked[at] as Holding; // within its length
      const { counts } = holding.quota;
      const amount = amounts[counts];
      if (amount === undefined) continue;
      if (!hasAtHand(holding, amount, nowMs)) {
        if (concerned) takeBack(asked.slice(0, at), amounts, final);
        return undefined;
      }
      concerned = true;
      const lease = holding.lease as Lease; // hasAtHand looked
      lease.slab -= amount;
      lease.lastUsedMs = nowMs;
      if (final(counts)) lease.spent += amount;
      else {
        lease.open += amount;
        taken ??= [];
        taken.push({ lease, amount, final: false });
      }
    }
    if (taken !== undefined) return { granted: true, taken };
    return concerned ? usedUp : unconcerned;
  };
  /** Nothing waited in between: it is as if it had not been given. */
  const takeBack = (from: readonly Holding[], amounts: Amounts, final: (kind: Counted) => boolean): void => {
    for (const { quota, lease } of from) {
      const amount = amounts[quota.counts];
      if (amount === undefined || lease === undefined) continue;
      lease.slab += amount;
      if (final(quota.counts)) lease.spent -= amount;
      else lease.open -= amount;
    }
  };

  const answerTogether = async (): Promise<void> => {
    if (asking) return;
    asking = true;
    try {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, mostTogether);
        waiting = waiting.slice(mostTogether);
        await answer(batch);
      }
    } finally {
      asking = false;
    }
  };

  const answer = async (batch: readonly Waiting[]): Promise<void> => {
    let round = newRound();
    try {
      await db.unit(async (tx) => {
        // It runs again after a conflict.
        round.undo();
        round = newRound();
        await planRound(tx, batch, round, { holder, nowMs: clock.now() });
      });
    } catch (err) {
      round.undo();
      for (const state of round.states.values()) state.lease.doubtful = true;
      for (const one of batch) one.reject(err);
      return;
    }
    for (const state of round.states.values()) {
      const { lease } = state;
      lease.leased += state.held + state.extra;
      lease.slab += state.extra;
      if (state.held + state.extra > 0) renew(lease, state.expiresMs);
      lease.holding.standing = state.standing + state.used + state.held + state.extra;
      if (lease.leased > 0) leases.add(lease);
    }
    for (const one of batch) {
      const outcome = round.outcomes.get(one);
      for (const { holding } of outcome?.refusals ?? [])
        refusesUntilMs = Math.max(refusesUntilMs, holding.refusedUntilMs);
      if (outcome === undefined || outcome.refusals.length > 0) {
        one.resolve({ granted: false, refusals: outcome?.refusals ?? [] });
        continue;
      }
      const taken = outcome.allocated.map(({ wish, lease, fromSlab }): Taken => {
        if (wish.final) lease.spent += fromSlab;
        else lease.open += wish.amount;
        if (lease.spent > 0 || lease.open > 0) leases.add(lease);
        return { lease, amount: wish.amount, final: wish.final };
      });
      one.resolve({ granted: true, taken });
    }
  };

  /** All that is there now, some in each unit of work: what stayed behind would grow where slots are short. */
  const flushAll = async (everything: boolean, quotaId: string | undefined): Promise<void> => {
    const due = [...leases].filter(({ holding }) => quotaId === undefined || holding.quota.id === quotaId);
    for (let at = 0; at < due.length || (at === 0 && forgotten.size > 0); at += mostFlushed)
      await flushSome(due.slice(at, at + mostFlushed), everything);
  };
  const flushSome = async (due: readonly Lease[], everything: boolean): Promise<void> => {
    const nowMs = clock.now();
    const changes: { lease: Lease; used: number; back: number; covered: number; renews: boolean }[] = [];
    const written = new Map<Holding, number>();
    let looks: ReadonlyMap<Holding, Look> = new Map();
    for (const lease of due) {
      const over = nowMs >= lease.slot.untilMs || lease.holding.lease !== lease;
      const idleAfter = lease.holding.quota.whenLost === 'local_share' ? idleShareMs : idleMs;
      const back = everything || over || nowMs - lease.lastUsedMs >= idleAfter ? lease.slab : 0;
      const used = lease.spent;
      const covered = Math.min(lease.leased, used + back);
      const renews = !lease.doubtful && lease.leased - covered > 0 && lease.expiresMs - nowMs < leaseMs / 2;
      if (used + back === 0 && !renews) {
        if (lease.leased === 0 && lease.open === 0) leases.delete(lease);
        continue;
      }
      lease.spent -= used;
      lease.writing = used;
      lease.slab -= back;
      lease.leased -= covered;
      changes.push({ lease, used, back, covered, renews });
      written.set(lease.holding, Math.min(lease.slot.slotMs, written.get(lease.holding) ?? lease.slot.slotMs));
    }
    const again = [...forgotten].slice(0, mostFlushed);
    for (const holding of again) {
      forgotten.delete(holding);
      if (holding.lease && !written.has(holding)) written.set(holding, holding.lease.slot.slotMs);
    }
    if (changes.length === 0 && written.size === 0) return;
    const expiresMs = nowMs + leaseMs;
    try {
      await db.unit(async (tx) => {
        for (const { lease, used, covered, renews } of changes) {
          const spot = spotOf(lease);
          const carry = carryAbove(lease.holding);
          // What is only counted is the most of it, and one statement.
          if (covered === 0 && carry === null) {
            if (used > 0) await addUsed(tx, spot, used);
          } else {
            if (used > covered) await openSlot(tx, spot, carry);
            if (used + covered > 0) await settleLease(tx, holder, spot, { used, covered });
          }
          if (renews && !(await renewLease(tx, holder, spot, expiresMs))) await takeAgain(tx, lease, spot, expiresMs);
        }
        // When all of it is written down.
        looks = await lookAgain(tx, written, nowMs);
      });
    } catch (err) {
      for (const holding of again) forgotten.add(holding);
      for (const { lease, used, back, covered } of changes) {
        lease.spent += used;
        lease.writing = 0;
        lease.slab += back;
        lease.leased += covered;
      }
      throw err;
    }
    for (const [holding, look] of looks) noteLook(holding, look, nowMs);
    for (const { lease, renews } of changes) {
      lease.writing = 0;
      if (renews) renew(lease, expiresMs);
      if (lease.leased === 0 && lease.open === 0 && lease.spent === 0) leases.delete(lease);
    }
  };

  /** Our lease was taken away while we were asleep. What comes back was freed with it, though it is still held here. */
  const takeAgain = async (tx: Tx, lease: Lease, spot: Spot, expiresMs: number): Promise<void> => {
    if (!comesBack(lease.holding.quota) || lease.leased === 0) return;
    await debit(tx, spot, { used: 0, held: lease.leased }, null);
    await addLease(tx, holder, spot, { amount: lease.leased, comesBack: true, expiresMs });
  };

  return {
    holdingOf,
    adopt(quotas) {
      const byId = new Map(quotas.map((quota) => [quota.id, quota]));
      for (const [key, holding] of holdings) {
        const quota = byId.get(holding.quota.id);
        holding.refusedUntilMs = 0;
        holding.seen = undefined;
        if (quota === undefined) {
          holdings.delete(key);
          holding.lease = undefined;
          continue;
        }
        // Given back with the next flush: a slab of the former limit, or of another window.
        if (quota !== holding.quota) holding.lease = undefined;
        holding.quota = quota;
      }
    },
    forgetUsage(quotaId, bucket) {
      for (const holding of holdings.values()) {
        if (holding.quota.id !== quotaId || (bucket !== undefined && holding.bucket !== bucket)) continue;
        holding.standing = 0;
        holding.seen = undefined;
        holding.refusedUntilMs = 0;
        holding.answer = undefined;
        // Of what denies the ledger says it with each answer.
        if (!denies(holding.quota)) forgotten.add(holding);
      }
    },
    give,
    take,
    recentRefusals(wishes, nowMs) {
      let refusals: Refusal[] | undefined;
      for (const { holding, amount, force } of wishes)
        if (!force && wasRefused(holding, amount, nowMs) && denies(holding.quota)) {
          refusals ??= [];
          refusals.push({ holding, amount, standing: holding.standing });
        }
      return refusals ?? none;
    },
    acquire(wishes) {
      return new Promise((resolve, reject) => {
        waiting.push({ wishes, resolve, reject });
        void answerTogether();
      });
    },
    settle({ lease, amount, final }, used) {
      if (final) return false;
      lease.open -= amount;
      lease.lastUsedMs = clock.now();
      leases.add(lease);
      // Something may be free again.
      lease.holding.refusedUntilMs = 0;
      if (comesBack(lease.holding.quota)) {
        lease.slab += amount;
        return false;
      }
      lease.spent += used;
      const left = amount - used;
      // What is missing is taken from the slab, and beyond it from the limit itself.
      if (left >= 0) lease.slab += left;
      else lease.slab -= Math.min(lease.slab, -left);
      return lease.spent + lease.open + lease.slab > lease.leased;
    },
    count(holding, amount, nowMs) {
      const lease = leaseAt(holding, nowMs);
      lease.spent += amount;
      lease.lastUsedMs = nowMs;
      leases.add(lease);
    },
    async flush({ everything = false, quotaId } = {}) {
      // One after the other: two would write the same down.
      while (flushing) await flushing.catch(() => undefined);
      flushing = flushAll(everything, quotaId).finally(() => {
        flushing = undefined;
      });
      await flushing;
    },
    async reap({ atStart } = { atStart: false }) {
      const reaped: Reaped[] = [];
      const earlier = { holderPrefix: holder.slice(0, holder.lastIndexOf(':') + 1), notHolder: holder };
      for (const which of atStart ? [earlier, { expiredMs: clock.now() }] : [{ expiredMs: clock.now() }])
        for (let some = mostReaped; some >= mostReaped; ) {
          const found = await db.unit((tx) => reapLeases(tx, which));
          some = found.length;
          reaped.push(...found);
        }
      return reaped;
    },
    isIdle: () => leases.size === 0,
    remembers: () => forgotten.size > 0 || clock.now() < refusesUntilMs,
    size: () => ({ holdings: holdings.size, leases: leases.size }),
  };
}
