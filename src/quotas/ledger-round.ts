import type { Tx } from '../platform/database/index.ts';
import { type Holding, type Lease, leaseAt, noteRefusal, type Part, planSlab } from './holding.ts';
import {
  addLease,
  debit,
  type LedgerTables,
  openSlot,
  readStanding,
  reapLeases,
  type Spot,
  totalOf,
} from './ledger-store.ts';
import { ceilingOf, comesBack, denies } from './quota.ts';

export type Wish = Part & {
  /** Used up when it is granted. */
  readonly final: boolean;
  /** Beyond the limit too: it was slowed down instead. */
  readonly force?: boolean;
};
export type Refusal = { readonly holding: Holding; readonly amount: number; readonly standing: number };

/** Wishes of which all or none are granted. */
export type Asked = { readonly wishes: readonly Wish[] };

export const leaseMs = 30_000;

/** What one unit of work takes from the ledger for one holding. */
type State = {
  readonly lease: Lease;
  readonly spot: Spot;
  standing: number;
  /** Of it: what nothing gives back in this window. */
  readonly settled: number;
  /** Debited and used up. */
  used: number;
  /** Debited for exchanges that settle later. */
  held: number;
  /** Debited in advance. */
  extra: number;
  expiresMs: number;
  /** Whether leases of the dead were looked for. */
  reaped: boolean;
};
type Allocated = { readonly wish: Wish; readonly lease: Lease; readonly fromSlab: number };
export type Round = {
  readonly states: Map<Holding, State>;
  readonly outcomes: Map<Asked, { refusals: readonly Refusal[]; allocated: readonly Allocated[] }>;
  readonly undoing: (() => void)[];
  undo(): void;
};

export function newRound(): Round {
  const undoing: (() => void)[] = [];
  return {
    states: new Map(),
    outcomes: new Map(),
    undoing,
    undo() {
      for (const one of undoing.splice(0)) one();
    },
  };
}

/** Decides every wish in the order in which they came, against what stands in the ledger now, and debits what they take together. */
export async function planRound(
  tx: Tx,
  batch: readonly Asked[],
  round: Round,
  { holder, nowMs }: { holder: string; nowMs: number },
): Promise<void> {
  const stateOf = async (holding: Holding): Promise<State> => {
    const found = round.states.get(holding);
    if (found) return found;
    const lease = leaseAt(holding, nowMs);
    const spot = { quotaId: holding.quota.id, bucket: holding.bucket, slot: lease.slot };
    // Then what was carried over is seen.
    if (carryAbove(holding) !== null) await openSlot(tx, spot, carryAbove(holding));
    const stood = await readStanding(tx.as<LedgerTables>(), spot);
    const standing = totalOf(stood);
    const settled = stood.used + stood.carried;
    const expiresMs = nowMs + leaseMs;
    const made: State = { lease, spot, standing, settled, used: 0, held: 0, extra: 0, expiresMs, reaped: false };
    round.states.set(holding, made);
    return made;
  };
  const freeOf = ({ lease, standing, used, held }: State): number =>
    ceilingOf(lease.holding.quota) - standing - used - held;

  for (const one of batch) {
    for (const { holding } of one.wishes) await stateOf(holding);
    let refusals = findRefusals(one.wishes, round, freeOf);
    // Room that the dead hold is looked for before anybody is turned away.
    const held = refusals.flatMap(({ holding }) => round.states.get(holding) ?? []).filter(({ reaped }) => !reaped);
    if (held.length > 0 && refusals.every(({ holding }) => comesBack(holding.quota))) {
      for (const state of held) {
        state.reaped = true;
        for (const { amount, comesBack: back } of await reapLeases(tx, { expiredMs: nowMs }, state.spot))
          if (back) state.standing -= amount;
      }
      refusals = findRefusals(one.wishes, round, freeOf);
    }
    if (refusals.length > 0) {
      for (const { holding, amount } of refusals) {
        const state = round.states.get(holding);
        if (state) {
          const most = ceilingOf(holding.quota) - state.settled - state.used;
          noteRefusal(holding, { free: freeOf(state) + state.lease.slab, most, amount }, nowMs);
        }
        if (state) holding.standing = state.standing + state.used + state.held;
      }
      round.outcomes.set(one, { refusals, allocated: [] });
      continue;
    }
    const allocated = one.wishes.map((wish): Allocated => {
      const state = round.states.get(wish.holding) as State; // made above
      const { lease } = state;
      const fromSlab = Math.min(lease.slab, wish.amount);
      lease.slab -= fromSlab;
      round.undoing.push(() => {
        lease.slab += fromSlab;
      });
      if (wish.final) state.used += wish.amount - fromSlab;
      else state.held += wish.amount - fromSlab;
      lease.lastUsedMs = nowMs;
      return { wish, lease, fromSlab };
    });
    round.outcomes.set(one, { refusals: [], allocated });
  }

  const forced = new Set(batch.flatMap(({ wishes }) => wishes.flatMap((one) => (one.force ? [one.holding] : []))));
  for (const [holding, state] of round.states) {
    if (state.used + state.held === 0) continue;
    const limited = denies(holding.quota) && !forced.has(holding);
    if (limited)
      state.extra = planSlab(holding, freeOf(state) + state.used + state.held, state.used + state.held, nowMs);
    await openSlot(tx, state.spot, carryAbove(holding));
    const take = { used: state.used, held: state.held + state.extra };
    if (!(await debit(tx, state.spot, take, limited ? ceilingOf(holding.quota) : null)))
      throw new Error('the ledger changed inside a unit of work');
    if (take.held > 0)
      await addLease(tx, holder, state.spot, {
        amount: take.held,
        comesBack: comesBack(holding.quota),
        expiresMs: state.expiresMs,
      });
  }
}

/** What a burst had above its limit is taken off the next window. */
export const carryAbove = ({ quota }: Holding): number | null => (quota.type === 'burst' ? quota.limit : null);

/** Those of the quotas that would be exceeded. */
const findRefusals = (wishes: readonly Wish[], { states }: Round, freeOf: (state: State) => number): Refusal[] =>
  wishes.flatMap(({ holding, amount, force }) => {
    const state = states.get(holding);
    if (state === undefined || force || !denies(holding.quota)) return [];
    return amount <= state.lease.slab + freeOf(state)
      ? []
      : [{ holding, amount, standing: state.standing + state.used + state.held }];
  });
