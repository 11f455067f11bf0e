import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import type { QuotaAlarm } from './alarm.ts';
import { type Bookings, createBookings, slowRate } from './bookings.ts';
import { createDefinitions, type Definitions } from './definitions.ts';
import { byGravity, Denial, TurnedAway } from './denial.ts';
import { type Holding, hasAtHand, unwrittenOf, wasRefused } from './holding.ts';
import { createLedger, type Ledger, type Taken, unconcerned } from './ledger.ts';
import type { Refusal, Wish } from './ledger-round.ts';
import { clearUsage, type Reaped, type Spot, setLevel } from './ledger-store.ts';
import { createLostLedger, type LostLedger } from './lost-ledger.ts';
import {
  type Amounts,
  type Counted,
  comesBack,
  denies,
  isAsked,
  isLevel,
  judge,
  type Place,
  type Quota,
} from './quota.ts';
import { createResets, resetAction, type TrailReader } from './resets.ts';
import { createViolations, type Violations } from './violations.ts';
import { createSlowLane, createWaitingRoom, type WaitingRoom } from './waiting-room.ts';
import { slotAt } from './window.ts';

/** What became of a use that was asked for in this process. */
export type Spent =
  | { readonly granted: true; readonly taken: readonly Taken[] }
  | {
      readonly granted: false;
      /** The gravest first. Empty: the ledger does not answer, and a quota says that nothing passes then. */
      readonly denials: readonly Denial[];
      readonly detail: string;
    };

export type QuotaTotals = {
  readonly checks: number;
  readonly blocks: number;
  readonly throttles: number;
  readonly queued: number;
  readonly resets: number;
  /** Granted or refused by policy, because the ledger did not answer. */
  readonly unguarded: number;
  readonly refusedBlind: number;
};

export type Quotas = {
  readonly definitions: Definitions;
  readonly bookings: Bookings;
  readonly violations: Violations;
  readonly ledger: Ledger;
  readonly lost: LostLedger;
  /** Reads the definitions and takes back what an earlier life held. @returns what that was */
  open(): Promise<readonly Reaped[]>;
  /**
   * Takes a use from what is at hand, or from the ledger. Asked are quotas that can deny, and those of what comes back. Only what waits
   * for something is a promise: what is at hand, and who was turned away a moment ago, is answered at once. `hold` is told when it waits.
   * @param final kinds that are used up when they are granted
   */
  spend(
    place: Place,
    amounts: Amounts,
    final: (kind: Counted) => boolean,
    hold?: (maxMs: number) => void,
  ): Spent | Promise<Spent>;
  /** What was taken was used up to this amount; kinds that are not named were used as granted. */
  settle(taken: readonly Taken[], used: Amounts): void;
  /** Of quotas that only count: after the fact. `unasked`: of all others too, since nobody could be asked before. */
  count(place: Place, amounts: Amounts, how?: { readonly unasked: boolean }): void;
  /** Sets what was measured elsewhere, of quotas that never begin anew. Of one workspace: of those that are by workspace. */
  noteLevel(place: Place, counts: Counted, level: number): Promise<void>;
  /** Begins anew. @throws AppError `quota/unknown` */
  reset(id: string, bucket: string | undefined, actor: string): Promise<void>;
  /** Writes down what waits, and forgets what another process began anew. */
  flush(): Promise<void>;
  readonly waitingRoom: WaitingRoom;
  /** Told when something waits to be written down. */
  onUse(listener: () => void): void;
  totals(): QuotaTotals;
};

export function createQuotas(options: {
  db: Database;
  clock: Clock;
  random: RandomSource;
  log: Logger;
  events: TrailReader;
  instance: string;
  fromFile: readonly Quota[];
  alarm?: QuotaAlarm | undefined;
}): Quotas {
  const { db, clock, random, log, events } = options;
  const holder = `${options.instance}:${random(9).toString('base64url')}`;
  const ledger = createLedger({ db, clock, holder });
  const definitions = createDefinitions({ db, clock, events, ledger, fromFile: options.fromFile });
  const violations = createViolations({ db, clock, random, events, alarm: options.alarm });
  const resets = createResets(events, ledger);
  const waitingRoom = createWaitingRoom(clock);
  const slowLane = createSlowLane(() => clock.now());
  const lost = createLostLedger({ db, clock, events, log });
  let wake: () => void = () => undefined;
  const bookings = createBookings({
    ...{ db, clock, random, definitions, ledger, violations, slowLane },
    onUse: () => wake(),
    onChecked(outcome) {
      counters.checks += 1;
      if (outcome === 'denied') counters.blocks += 1;
      if (outcome === 'slowed') counters.throttles += 1;
    },
  });
  const counters = { checks: 0, blocks: 0, throttles: 0, queued: 0, resets: 0, unguarded: 0, refusedBlind: 0 };

  const wishesOf = (asked: readonly Holding[], amounts: Amounts, final: (kind: Counted) => boolean): Wish[] => {
    const wishes: Wish[] = [];
    for (const holding of asked) {
      const { counts } = holding.quota;
      const amount = amounts[counts];
      if (amount !== undefined) wishes.push({ holding, amount, final: final(counts) });
    }
    return wishes;
  };

  /** From what is at hand, else from the ledger; when that is lost, as each quota says. */
  const acquire = async (wishes: readonly Wish[]): Promise<Spent> => {
    const nowMs = clock.now();
    const atHand = wishes.some(({ force }) => force) ? undefined : ledger.take(wishes, nowMs);
    if (atHand) return { granted: true, taken: atHand };
    const known = ledger.recentRefusals(wishes, nowMs);
    return known.length > 0 ? deny(known, nowMs) : ask(wishes, nowMs);
  };
  const ask = async (wishes: readonly Wish[], nowMs: number): Promise<Spent> => {
    if (lost.shouldAsk(nowMs)) {
      try {
        const acquired = await ledger.acquire(wishes);
        lost.answered();
        if (!acquired.granted) return deny(acquired.refusals, clock.now());
        wake();
        for (const wish of wishes) noteStanding(wish);
        return acquired;
      } catch (err) {
        lost.failed(err);
      }
    }
    return withoutLedger(wishes, clock.now());
  };
  const noteStanding = ({ holding: { quota, bucket, standing }, amount }: Wish): void => {
    const { verdict, exceededBy } = judge(quota, standing, 0);
    if (verdict === 'warned') violations.noteWarning(quota, bucket, standing);
    // Of what is held and never denied; of others the slow lane has told it.
    if (verdict === 'over' && !denies(quota))
      violations.note({ quota, bucket, standing: standing - amount, amount, exceededBy, action: doneBy(quota) });
  };

  const withoutLedger = (wishes: readonly Wish[], nowMs: number): Spent => {
    const short = wishes.filter(({ holding, amount }) => !hasAtHand(holding, amount, nowMs));
    const closed = short.find(({ holding: { quota } }) => denies(quota) && quota.whenLost !== 'open');
    if (closed) {
      counters.refusedBlind += 1;
      const { quota } = closed.holding;
      const why = quota.whenLost === 'closed' ? 'lets nothing pass meanwhile' : 'has no share left at hand';
      return {
        granted: false,
        denials: [],
        detail: `The ledger of the quotas does not answer, and the quota "${quota.name}" (${quota.id}) ${why}. Try again in a moment.`,
      };
    }
    counters.unguarded += 1;
    const taken = ledger.take(
      wishes.filter((one) => !short.includes(one)),
      nowMs,
    );
    // Written down when the ledger is back: used, though nobody could look whether there was room.
    // What comes back is not: nobody would give back what the ledger never saw.
    for (const { holding, amount } of short) if (!comesBack(holding.quota)) ledger.count(holding, amount, nowMs);
    wake();
    return { granted: true, taken: taken ?? [] };
  };

  const deny = (refusals: readonly Refusal[], nowMs: number): TurnedAway =>
    new TurnedAway(
      byGravity(
        refusals.map(
          ({ holding: { quota, bucket }, standing, amount }) => new Denial(quota, bucket, standing, amount, nowMs),
        ),
      ),
      nowMs,
    );

  /** What the actions of those that said no make of it: turned away, slowed down or kept waiting. */
  const act = (wishes: readonly Wish[], denied: TurnedAway, hold: (maxMs: number) => void): Spent | Promise<Spent> => {
    note(denied);
    if (!denied.denials.some(({ quota }) => turnsAway(quota))) return delay(wishes, denied, hold);
    const [only, ...others] = denied.denials;
    if (others.length === 0)
      for (const { holding } of wishes) if (holding.quota === only?.quota) holding.answer = denied;
    return turnedAway(denied);
  };
  /** The same answer as a moment ago, when one quota alone turned as much away and turns it away still. */
  const answerAgain = (asked: readonly Holding[], amounts: Amounts, nowMs: number): Spent | undefined => {
    let refusing: Holding | undefined;
    for (const holding of asked) {
      const amount = amounts[holding.quota.counts];
      if (amount === undefined || !wasRefused(holding, amount, nowMs)) continue;
      if (refusing !== undefined) return undefined;
      refusing = holding;
    }
    const answer = refusing?.answer;
    if (refusing === undefined || answer === undefined) return undefined;
    const { quota, standing } = refusing;
    if (!answer.answers(quota, standing, amounts[quota.counts] ?? 0, nowMs)) return undefined;
    if (answer.noted === undefined || !violations.again(answer.noted, nowMs)) return undefined;
    wake();
    return turnedAway(answer);
  };
  const delay = async (wishes: readonly Wish[], denied: TurnedAway, hold: (maxMs: number) => void): Promise<Spent> => {
    const all = denied.denials;
    const nowMs = clock.now();
    const refusing = all.map(({ quota }) => quota);
    const waitMs = Math.min(...refusing.map(({ waitSeconds }) => waitSeconds)) * 1_000;
    const [first] = all;
    if (first === undefined || waitMs <= 0) return turnedAway(denied);
    const line = `${first.quota.id} ${first.bucket}`;
    const waits = refusing.some((quota) => quota.action === 'queue' || quota.type === 'hard');
    if (waits) {
      counters.queued += 1;
      hold(waitMs);
      let latest = denied as Spent;
      await waitingRoom.wait(
        line,
        async () => {
          latest = await acquire(wishes);
          return latest.granted || latest.denials.length === 0;
        },
        waitMs,
      );
      return latest.granted ? latest : turnedAway(latest);
    }
    counters.throttles += 1;
    const atMs = Math.max(
      ...all.map(({ quota, bucket, amount }) => {
        const perMinute = slowRate(quota);
        return slowLane.enter(`${quota.id} ${bucket}`, perMinute, amount, nowMs + waitMs) ?? Number.POSITIVE_INFINITY;
      }),
    );
    if (!Number.isFinite(atMs)) return turnedAway(denied);
    if (atMs > nowMs) {
      hold(atMs - nowMs);
      await clock.sleep(atMs - nowMs);
    }
    const slowed = new Set(refusing.map(({ id }) => id));
    return acquire(wishes.map((wish) => (slowed.has(wish.holding.quota.id) ? { ...wish, force: true } : wish)));
  };
  const turnedAway = (spent: Spent): Spent => {
    counters.blocks += 1;
    return spent;
  };
  const note = (denied: TurnedAway): void => {
    wake();
    for (const { quota, bucket, standing, amount } of denied.denials) {
      const { exceededBy } = judge(quota, standing, amount);
      denied.noted = violations.note({ quota, bucket, standing, amount, exceededBy, action: quota.action });
    }
  };

  return {
    definitions,
    bookings,
    violations,
    ledger,
    lost,
    waitingRoom,
    async open() {
      await definitions.load();
      await resets.open();
      return ledger.reap({ atStart: true });
    },
    // No async function: what is at hand, and who was refused a moment ago, waits for nothing.
    spend(place, amounts, final, hold = holdsNothing) {
      const nowMs = clock.now();
      const asked = definitions.asked(place, nowMs);
      const given = ledger.give(asked, amounts, final, nowMs);
      if (given === unconcerned) return given;
      counters.checks += 1;
      if (given !== undefined) return given;
      const again = answerAgain(asked, amounts, nowMs);
      if (again !== undefined) return again;
      const wishes = wishesOf(asked, amounts, final);
      const known = ledger.recentRefusals(wishes, nowMs);
      if (known.length > 0) return act(wishes, deny(known, nowMs), hold);
      return ask(wishes, nowMs).then((spent) => (spent instanceof TurnedAway ? act(wishes, spent, hold) : spent));
    },
    settle(taken, used) {
      let beyond = false;
      for (const one of taken) {
        const { counts } = one.lease.holding.quota;
        if (ledger.settle(one, used[counts] ?? one.amount)) beyond = true;
      }
      // Used beyond what the ledger knows of: a kill must not forget it.
      if (beyond) ledger.flush().catch((err: unknown) => lost.failed(err));
      wake();
    },
    count(place, amounts, { unasked } = { unasked: false }) {
      const nowMs = clock.now();
      const all = definitions.applied(place, nowMs).filter(({ quota }) => amounts[quota.counts] !== undefined);
      // Whoever was asked before it has counted it as looked at.
      if (all.length > 0 && (unasked || !all.some(({ quota }) => isAsked(quota)))) counters.checks += 1;
      for (const holding of all) {
        const { quota, bucket } = holding;
        const amount = amounts[quota.counts] ?? 0;
        // A level is measured, and what comes back is held.
        const others = unasked ? isLevel(quota) || comesBack(quota) : isAsked(quota);
        if (amount === 0 || others) continue;
        ledger.count(holding, amount, nowMs);
        const standing = holding.standing + unwrittenOf(holding) - amount;
        const { verdict, exceededBy } = judge(quota, standing, amount);
        if (verdict === 'over')
          violations.note({ quota, bucket, standing, amount, exceededBy, action: doneAfterwards(quota) });
        else if (verdict === 'warned') violations.noteWarning(quota, bucket, standing + amount);
        wake();
      }
    },
    async noteLevel(place, counts, level) {
      const nowMs = clock.now();
      const levels = definitions
        .applied(place, nowMs)
        .filter(({ quota }) => quota.counts === counts && quota.period === 'forever')
        .filter(
          ({ quota }) => place.workspace === null || quota.of.workspace !== null || quota.per.includes('workspace'),
        );
      if (levels.length === 0) return;
      await db.unit(async (tx) => {
        for (const { quota, bucket } of levels) await setLevel(tx, spotOf(quota, bucket, nowMs), level);
      });
      for (const holding of levels) {
        const { quota, bucket } = holding;
        holding.standing = level;
        holding.refusedUntilMs = 0;
        const { verdict, exceededBy } = judge(quota, level, 0);
        if (verdict === 'over')
          violations.note({ quota, bucket, standing: level, amount: 0, exceededBy, action: doneAfterwards(quota) });
        else if (verdict === 'warned') violations.noteWarning(quota, bucket, level);
      }
      wake();
    },
    async reset(id, bucket, actor) {
      const quota = definitions.require(id);
      await ledger.flush({ everything: true, quotaId: id });
      let seq = 0;
      await db.unit(async (tx) => {
        await clearUsage(tx, id, bucket);
        const data = { bucket: bucket ?? null };
        seq = await events.audit(tx, { actor, action: resetAction, object: id, outcome: 'done', data });
        await events.record(tx, {
          type: 'quota.reset',
          severity: 'info',
          message: `What was used of the quota "${quota.name}" (${id}) begins anew, by ${actor}.`,
          data: { quota_id: id, ...data },
        });
      });
      resets.own(seq);
      counters.resets += 1;
      ledger.forgetUsage(id, bucket);
      wake();
    },
    async flush() {
      try {
        // Before: what is forgotten is looked at with the same flush.
        await resets.learn();
        await ledger.flush();
        await violations.flush();
        lost.answered();
      } catch (err) {
        lost.failed(err);
      }
    },
    onUse(listener) {
      wake = listener;
    },
    totals: () => ({ ...counters }),
  };
}

const holdsNothing = (): void => undefined;

const turnsAway = ({ action }: Quota): boolean => action === 'block' || action === 'escalate';

/** What a quota that turned nothing away did. */
const doneBy = (quota: Quota): string => (quota.shadow ? 'none' : quota.action);

/** People are told of what was found afterwards; nothing was turned away, but who asks for more will be. */
const doneAfterwards = (quota: Quota): string =>
  denies(quota) && quota.action !== 'escalate' ? 'none' : doneBy(quota);

const spotOf = (quota: Quota, bucket: string, nowMs: number): Spot => ({
  quotaId: quota.id,
  bucket,
  slot: slotAt(quota, nowMs),
});
