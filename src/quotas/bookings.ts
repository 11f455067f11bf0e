import { createHash } from 'node:crypto';
import type { Clock } from '../platform/clock.ts';
import { type Database, isDuplicateKey, type Tx } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Definitions } from './definitions.ts';
import { byGravity, Denial, describeAmount } from './denial.ts';
import type { Ledger } from './ledger.ts';
import { debit, type LedgerTables, openSlot, readStanding, settleHeld, totalOf } from './ledger-store.ts';
import { type Amounts, ceilingOf, comesBack, denies, judge, type Place, type Quota, type Verdict } from './quota.ts';
import {
  countHeld,
  endReservation,
  findReservation,
  findReservationByKey,
  insertReservation,
  listExpired,
  pruneReservations,
  type Reservation,
  type ReservationTables,
  type ReservedPart,
  renewReservation,
} from './reservation-store.ts';
import type { Violations } from './violations.ts';
import type { createSlowLane } from './waiting-room.ts';
import { neverMs, slotAt } from './window.ts';

/** What one quota says to a use. */
export type CheckResult = {
  readonly quota: Quota;
  readonly bucket: string;
  readonly allowed: boolean;
  /** In the window, before this use. */
  readonly standing: number;
  readonly amount: number;
  readonly verdict: Verdict;
  readonly exceededBy: number;
  readonly message: string;
  readonly denial: Denial | undefined;
};
export type Checked = {
  readonly allowed: boolean;
  readonly results: readonly CheckResult[];
  readonly denial: Denial | undefined;
};

export type Bookings = {
  /** Asks all quotas that apply, and with `spend` uses it up in the same step: all of them or none. */
  check(ask: { readonly place: Place; readonly amounts: Amounts; readonly spend: boolean }): Promise<Checked>;
  /**
   * Holds it until it is settled, released or expires. The same key of the same subject gets the same reservation.
   * @throws AppError `quota/exceeded`, `quota/too-many`, `request/idempotency-conflict`
   */
  reserve(ask: {
    readonly place: Place;
    readonly amounts: Amounts;
    readonly subject: string;
    readonly idempotencyKey: string | null;
    readonly ttlMs: number;
    readonly onExpiry: 'release' | 'charge';
  }): Promise<{ readonly reservation: Reservation; readonly repeated: boolean }>;
  /** @throws AppError `quota/unknown-reservation`, `conflict/state` when it ended otherwise */
  settle(id: string, used: Amounts | undefined): Promise<Reservation>;
  release(id: string): Promise<Reservation>;
  renew(id: string, ttlMs: number): Promise<Reservation>;
  require(id: string): Promise<Reservation>;
  /** Ends what nobody settled in time. @returns how many */
  expire(): Promise<number>;
  prune(): Promise<number>;
  held(): Promise<number>;
};

const mostHeld = 10_000;
/** The same key is known so long after the end. */
const rememberedMs = 24 * 3_600_000;
const mostAtOnce = 200;

type Booked = { readonly checked: Checked; readonly parts: readonly ReservedPart[] };

export function createBookings(deps: {
  db: Database;
  clock: Pick<Clock, 'now'>;
  random: RandomSource;
  definitions: Definitions;
  ledger: Ledger;
  violations: Violations;
  slowLane: ReturnType<typeof createSlowLane>;
  /** Told when violations wait to be written down. */
  onUse(): void;
  /** Told of each use that a quota was a matter of: what was asked only was not denied. */
  onChecked(outcome: 'passed' | 'slowed' | 'denied'): void;
}): Bookings {
  const { db, clock, random, definitions, ledger, violations } = deps;

  /** Runs in one unit of work. Nothing is written when one of them denies. */
  const book = async (
    tx: Tx,
    { place, amounts }: { place: Place; amounts: Amounts },
    how: 'ask' | 'use' | 'hold',
    forced: ReadonlySet<string>,
  ): Promise<Booked> => {
    const nowMs = clock.now();
    const results: CheckResult[] = [];
    for (const { quota, bucket } of definitions.applied(place, nowMs)) {
      const amount = amounts[quota.counts];
      if (amount === undefined) continue;
      const spot = { quotaId: quota.id, bucket, slot: slotAt(quota, nowMs) };
      const carryAbove = quota.type === 'burst' ? quota.limit : null;
      if (how !== 'ask' && carryAbove !== null) await openSlot(tx, spot, carryAbove);
      const standing = totalOf(await readStanding(tx.as<LedgerTables>(), spot));
      results.push(decideOne(quota, bucket, standing, amount, nowMs, forced));
    }
    const denials = results.flatMap(({ denial }) => denial ?? []);
    const checked = { allowed: denials.length === 0, results, denial: byGravity(denials)[0] };
    if (!checked.allowed || how === 'ask') return { checked, parts: [] };
    const parts: ReservedPart[] = [];
    for (const { quota, bucket, amount } of results) {
      const slot = slotAt(quota, nowMs);
      const spot = { quotaId: quota.id, bucket, slot };
      await openSlot(tx, spot, quota.type === 'burst' ? quota.limit : null);
      const ceiling = denies(quota) && !forced.has(quota.id) ? ceilingOf(quota) : null;
      // What comes back is held or nothing: to use it up for good would keep it for ever.
      const take = how === 'hold' ? { used: 0, held: amount } : { used: comesBack(quota) ? 0 : amount, held: 0 };
      if (!(await debit(tx, spot, take, ceiling))) throw new Error('the ledger changed inside a unit of work');
      if (how === 'hold')
        parts.push({
          ...{ quotaId: quota.id, bucket, slotMs: slot.slotMs, counts: quota.counts, amount },
          comesBack: comesBack(quota),
        });
    }
    return { checked, parts };
  };

  /** Once more with what lies idle in this process, when it is denied; then in the slow lane, where there is one. */
  const attempt = async <T>(run: (forced: ReadonlySet<string>) => Promise<{ booked: Booked; value: T }>) => {
    let found = await run(new Set());
    let slowed = false;
    const denied = (): readonly Quota[] =>
      found.booked.checked.results.flatMap((one) => (one.denial ? [one.quota] : []));
    if (denied().length > 0 && !ledger.isIdle()) {
      for (const { id } of denied()) await ledger.flush({ everything: true, quotaId: id });
      found = await run(new Set());
    }
    const slow = denied();
    if (slow.length > 0 && slow.every((quota) => quota.action === 'throttle' && quota.type !== 'hard')) {
      const nowMs = clock.now();
      const passes = found.booked.checked.results
        .filter(({ denial }) => denial)
        .every(({ quota, bucket, amount }) => {
          const perMinute = slowRate(quota);
          return deps.slowLane.enter(`${quota.id} ${bucket}`, perMinute, amount, nowMs) !== undefined;
        });
      if (passes) {
        found = await run(new Set(slow.map(({ id }) => id)));
        slowed = true;
      }
    }
    return { ...found, slowed };
  };
  const tell = ({ results, allowed }: Checked, slowed: boolean): void => {
    if (results.length > 0) deps.onChecked(allowed ? (slowed ? 'slowed' : 'passed') : 'denied');
  };
  const noteAll = (checked: Checked): void => {
    if (checked.results.some(({ verdict }) => verdict !== 'within')) deps.onUse();
    for (const one of checked.results) {
      if (one.verdict === 'over') noteOver(one, one.quota.shadow ? 'none' : one.quota.action);
      else if (one.verdict === 'warned') violations.noteWarning(one.quota, one.bucket, one.standing + one.amount);
    }
  };
  const noteOver = (one: CheckResult, action: string): void => {
    const { quota, bucket, standing, amount, exceededBy } = one;
    violations.note({ quota, bucket, standing, amount, exceededBy, action });
    if (quota.type === 'soft') violations.noteWarning(quota, bucket, standing + amount);
  };

  const require = async (id: string): Promise<Reservation> => {
    const found = await findReservation(db.reader<ReservationTables>(), id);
    if (!found) throw new AppError('quota/unknown-reservation', `There is no reservation "${id}".`);
    return found;
  };

  const end = async (
    id: string,
    state: 'settled' | 'released' | 'expired',
    usedOf: (part: ReservedPart) => number,
  ): Promise<Reservation> => {
    const found = await require(id);
    if (found.state !== 'held') {
      // Told once more: nothing happens twice.
      if (found.state === state) return found;
      throw new AppError('conflict/state', `The reservation "${id}" is ${found.state} already.`);
    }
    const endedMs = clock.now();
    await db.unit(async (tx) => {
      if (!(await endReservation(tx, id, state, endedMs))) return;
      for (const part of found.parts) {
        const slot = { slotMs: part.slotMs, fromMs: part.slotMs, untilMs: neverMs, beforeMs: -1 };
        const used = part.comesBack ? 0 : usedOf(part);
        await settleHeld(tx, { quotaId: part.quotaId, bucket: part.bucket, slot }, { used, held: part.amount });
      }
    });
    return require(id);
  };

  return {
    async check({ place, amounts, spend }) {
      const { booked, slowed } = await attempt(async (forced) => ({
        booked: await db.unit((tx) => book(tx, { place, amounts }, spend ? 'use' : 'ask', forced)),
        value: undefined,
      }));
      // Whoever only asks has not passed anything.
      if (spend) noteAll(booked.checked);
      if (spend) tell(booked.checked, slowed);
      else if (booked.checked.results.length > 0) deps.onChecked('passed');
      return booked.checked;
    },
    async reserve({ place, amounts, subject, idempotencyKey, ttlMs, onExpiry }) {
      const digest = createHash('sha256')
        .update(JSON.stringify([place, Object.entries(amounts).sort(), ttlMs, onExpiry]))
        .digest('hex');
      const repeated = async (): Promise<Reservation | undefined> => {
        if (idempotencyKey === null) return undefined;
        const found = await findReservationByKey(db.reader<ReservationTables>(), subject, idempotencyKey);
        if (found && found.digest !== digest)
          throw new AppError(
            'request/idempotency-conflict',
            'This idempotency key was used for a reservation of something else. Choose another one.',
          );
        return found;
      };
      const before = await repeated();
      if (before) return { reservation: before, repeated: true };
      if ((await countHeld(db.reader<ReservationTables>())) >= mostHeld)
        throw new AppError(
          'quota/too-many',
          `${mostHeld} reservations are held, which is as many as may be. Settle or release some.`,
        );
      try {
        const { booked, value, slowed } = await attempt(async (forced) => {
          const id = newId('qr', clock.now(), random);
          return db.unit(async (tx) => {
            const done = await book(tx, { place, amounts }, 'hold', forced);
            if (!done.checked.allowed) return { booked: done, value: undefined };
            const createdMs = clock.now();
            const reservation: Reservation = {
              ...{ id, subject, idempotencyKey, digest, place, amounts, parts: done.parts, state: 'held', onExpiry },
              ...{ createdMs, expiresMs: createdMs + ttlMs, endedMs: null },
            };
            await insertReservation(tx, reservation);
            return { booked: done, value: reservation };
          });
        });
        noteAll(booked.checked);
        tell(booked.checked, slowed);
        if (value) return { reservation: value, repeated: false };
        throw exceeded(booked.checked.denial);
      } catch (err) {
        // Two with the same key at once: the other one made it.
        if (!isDuplicateKey(err)) throw err;
        const made = await repeated();
        if (!made) throw err;
        return { reservation: made, repeated: true };
      }
    },
    settle: (id, used) =>
      end(id, 'settled', ({ counts, amount }) => (used === undefined ? amount : (used[counts] ?? amount))),
    release: (id) => end(id, 'released', () => 0),
    async renew(id, ttlMs) {
      const renewed = await db.unit((tx) => renewReservation(tx, id, clock.now() + ttlMs));
      const found = await require(id);
      if (!renewed) throw new AppError('conflict/state', `The reservation "${id}" is ${found.state} already.`);
      return found;
    },
    require,
    async expire() {
      const lapsed = await listExpired(db.reader<ReservationTables>(), clock.now(), mostAtOnce);
      for (const one of lapsed)
        await end(one.id, 'expired', ({ amount }) => (one.onExpiry === 'charge' ? amount : 0)).catch((err: unknown) => {
          // Settled in the very moment.
          if (!(err instanceof AppError) || err.code !== 'conflict/state') throw err;
        });
      return lapsed.length;
    },
    prune: () => db.unit((tx) => pruneReservations(tx, clock.now() - rememberedMs, mostAtOnce)),
    held: () => countHeld(db.reader<ReservationTables>()),
  };
}

/** A quota's answer to one use, from what stands in its window. */
function decideOne(
  quota: Quota,
  bucket: string,
  standing: number,
  amount: number,
  nowMs: number,
  forced: ReadonlySet<string>,
): CheckResult {
  const { verdict, exceededBy } = judge(quota, standing, amount);
  const denied = verdict === 'over' && denies(quota) && !forced.has(quota.id);
  const denial = denied ? new Denial(quota, bucket, standing, amount, nowMs) : undefined;
  const after = describeAmount(quota, standing + amount);
  const message =
    denial?.detail ??
    (verdict === 'within'
      ? `Within the quota "${quota.name}": ${after} of ${describeAmount(quota, quota.limit)}.`
      : `${quota.shadow ? 'Would be beyond' : 'Beyond'} the quota "${quota.name}" and allowed: ${after} of ${describeAmount(quota, quota.limit)}.`);
  return { quota, bucket, allowed: !denied, standing, amount, verdict, exceededBy, message, denial };
}

/** Beyond the limit, when nobody said otherwise, a tenth of the limit's own rate. */
export function slowRate({ ratePerMinute, limit, period }: Quota): number {
  if (ratePerMinute !== null) return ratePerMinute;
  const minutes = { second: 1 / 60, minute: 1, hour: 60, day: 1_440, week: 10_080, month: 43_200, forever: 43_200 };
  return Math.max(1, limit / minutes[period] / 10);
}

export function exceeded(denial: Denial | undefined): AppError {
  const seconds = denial?.retryAfterSeconds;
  return new AppError(
    'quota/exceeded',
    denial?.detail ?? 'A quota is used up.',
    seconds === null || seconds === undefined ? {} : { retryAfterSeconds: seconds },
  );
}
