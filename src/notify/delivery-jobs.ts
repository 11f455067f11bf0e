import type { NotifyConfig } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { RandomSource } from '../platform/ids.ts';
import { createLeases, type Lease } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { type AlertTables, selectAlerts } from './alert-store.ts';
import { type Delivery, decideAfterAttempt, type SendResult } from './delivery.ts';
import { type DeliveryTables, killPending, nextDueMs, selectDue, updateDelivery } from './delivery-store.ts';
import { type GroupTables, selectGroups } from './group-store.ts';
import { messageAlert } from './message.ts';
import type { Receiver, ReceiverState } from './receiver.ts';
import { writeState } from './receiver-store.ts';
import type { KnownReceiver, Receivers } from './receivers.ts';
import type { Ways } from './send-delivery.ts';
import { resendMs } from './senders/alertmanager.ts';

/** What became of one attempt, for counters. */
export type AttemptSeen = {
  readonly receiverId: string;
  readonly kind: Receiver['kind'];
  readonly outcome: 'sent' | 'failed' | 'dead';
  readonly latencyMs: number;
};

export type Courier = Reconciler & {
  /** One attempt outside the order of the outbox, written down like any other. */
  attempt(known: KnownReceiver, delivery: Delivery, signal: AbortSignal): Promise<Delivery>;
  /** Everybody who is told, as of the last look; undefined before the first. */
  receivers(): { readonly known: readonly KnownReceiver[]; readonly atMs: number } | undefined;
};

const leaseName = 'notify.delivery';
/** Longer than any attempt may take. */
const leaseTtlMs = 90_000;
const lookMs = 60_000;
const shortestMs = 50;
const mostAtOnce = 200;
const mostReceiversAtOnce = 8;
/** From so many failures in a row on, people are told that a receiver takes nothing. */
const failingAfter = 3;

/**
 * Sends what is due. One receiver gets one at a time, in the order in which it was decided; receivers do not wait for each other. Over all
 * instances one sends: it holds a lease and looks at it right before each attempt.
 */
export function createCourier(options: {
  db: Database;
  config(): NotifyConfig;
  receivers: Receivers;
  ways: Ways;
  events: EventRecorder;
  instance: string;
  clock: Clock;
  random: RandomSource;
  log: Logger;
  onAttempt?(seen: AttemptSeen): void;
  /** After a commit that switched a receiver off. */
  onGone(): void;
}): Courier {
  const { db, config, receivers, ways, events, instance, clock, random, log } = options;
  const leases = createLeases({ db, clock, instance, ttlMs: leaseTtlMs });
  /** When state was last pushed to those that forget; another life has pushed to nobody. */
  const pushedMs = new Map<string, number>();
  let tookOver = false;
  let seen: { known: readonly KnownReceiver[]; atMs: number } | undefined;

  const takeLease = async (): Promise<Lease | undefined> => {
    // The first time an earlier life of this instance may still stand there.
    const lease = tookOver ? await leases.acquire(leaseName) : await leases.takeOver(leaseName, instance);
    tookOver = true;
    return lease;
  };

  /** Writes down what became of it, with whatever follows from that. */
  const settle = async (
    known: KnownReceiver,
    delivery: Delivery,
    result: SendResult,
    at: { startedMs: number; nowMs: number; latencyMs: number },
  ): Promise<Delivery> => {
    const { receiver } = known;
    const after = decideAfterAttempt(delivery, result, at, { giveUpMs: config().giveUpMs, random });
    const { state, crossed } = stateAfter(known.state, result, at.nowMs);
    await db.unit(async (tx) => {
      // A test is written down as given up before its one attempt, so that a kill leaves nothing that waits.
      await updateDelivery(tx, after, delivery.groupId === null ? ['pending', 'dead'] : ['pending']);
      await writeState(tx, state);
      if (result.outcome === 'gone') {
        await killPending(tx, receiver.id, at.nowMs);
        tx.afterCommit(options.onGone);
      }
      const event = describeTurn(receiver, crossed, result);
      if (event) await events.record(tx, event);
      if (after.state === 'dead' && delivery.groupId !== null)
        await events.record(tx, {
          type: 'notify.delivery-dead',
          severity: 'error',
          message: `A notification for ${receiver.id} was given up: ${result.error ?? 'it was not taken'}.`,
          data: { receiver: receiver.id, delivery_id: delivery.id, failures: after.failures },
        });
    });
    known.state = state;
    const outcome = after.state === 'dead' ? 'dead' : result.outcome === 'sent' ? 'sent' : 'failed';
    options.onAttempt?.({ receiverId: receiver.id, kind: receiver.kind, outcome, latencyMs: at.latencyMs });
    if (outcome !== 'sent')
      log.warn({ receiver: receiver.id, delivery: delivery.id, reason: result.error }, 'a notification was not taken');
    return after;
  };

  const attempt = async (known: KnownReceiver, delivery: Delivery, signal: AbortSignal): Promise<Delivery> => {
    const startedMs = clock.now();
    const begun = clock.monotonic();
    const result = await ways.send(known.receiver, delivery, signal);
    const latencyMs = Math.round(clock.monotonic() - begun);
    return settle(known, delivery, result, { startedMs, nowMs: clock.now(), latencyMs });
  };

  /** False when the lease is lost: somebody else sends now. */
  const hold = (lease: Lease): (() => Promise<boolean>) => {
    let renewedMs = clock.monotonic();
    return async () => {
      if (clock.monotonic() - renewedMs < leaseTtlMs / 3)
        return leases.check(lease).then(
          () => true,
          () => false,
        );
      renewedMs = clock.monotonic();
      return leases.renew(lease);
    };
  };

  /** One receiver's share, in order. One that cannot be reached is not asked again for each of them. */
  const sendAll = async (
    known: KnownReceiver | undefined,
    due: readonly Delivery[],
    holds: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<void> => {
    if (!known) return buryAll(due, 'there is no such receiver any more');
    if (known.state.disabledMs !== null) return buryAll(due, 'the receiver is switched off');
    if (known.broken !== null) return postpone(known, due);
    let postponedUntilMs: number | undefined;
    for (const delivery of due) {
      if (signal.aborted || !(await holds())) return;
      if (postponedUntilMs !== undefined) {
        const nextMs = postponedUntilMs;
        await db.unit((tx) => updateDelivery(tx, { ...delivery, nextMs }));
        continue;
      }
      const after = await attempt(known, delivery, signal);
      // Its kind of failure is not about this one message: nobody answered.
      if (after.state === 'pending' && after.attempts.at(-1)?.status === null)
        postponedUntilMs = after.nextMs ?? undefined;
      if (known.state.disabledMs !== null) return;
    }
  };

  /** Of receivers that take nothing any more. */
  const buryAll = async (due: readonly Delivery[], error: string): Promise<void> => {
    const nowMs = clock.now();
    const attempt = { atMs: nowMs, outcome: 'failed' as const, status: null, error, latencyMs: 0 };
    await db.unit(async (tx) => {
      for (const delivery of due)
        await updateDelivery(tx, {
          ...delivery,
          attempts: [...delivery.attempts, attempt],
          state: 'dead',
          nextMs: null,
          finishedMs: nowMs,
        });
    });
  };

  /** Its secrets cannot be opened: told like any other failure. */
  const postpone = async (known: KnownReceiver, due: readonly Delivery[]): Promise<void> => {
    for (const delivery of due) {
      const nowMs = clock.now();
      const result: SendResult = { outcome: 'failed', status: null, error: known.broken };
      await settle(known, delivery, result, { startedMs: nowMs, nowMs, latencyMs: 0 });
    }
  };

  const pushState = async (
    known: readonly KnownReceiver[],
    holds: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<void> => {
    const [alerts, groups] = await Promise.all([
      selectAlerts(db.reader<AlertTables>()),
      selectGroups(db.reader<GroupTables>()),
    ]);
    for (const { receiver } of known) {
      if (receiver.kind !== 'alertmanager' || !isPushDue(receiver.id)) continue;
      const told = new Set(
        groups.flatMap((group) => (group.receiverId === receiver.id ? Object.keys(group.notified) : [])),
      );
      const firing = alerts.filter(({ key, status }) => status === 'firing' && told.has(key)).map(messageAlert);
      if (firing.length > 0) {
        if (!(await holds())) return;
        const result = await ways.push(receiver, firing, signal);
        if (result.outcome !== 'sent')
          log.warn({ receiver: receiver.id, reason: result.error }, 'what fires could not be pushed again');
      }
      pushedMs.set(receiver.id, clock.monotonic());
    }
  };

  const isPushDue = (id: string): boolean => {
    const last = pushedMs.get(id);
    return last === undefined || clock.monotonic() - last >= resendMs;
  };

  /** @returns when something is due next, in milliseconds from now */
  const sendDue = async (signal: AbortSignal): Promise<number> => {
    const reader = () => db.reader<DeliveryTables>();
    const known = await receivers.list();
    seen = { known, atMs: clock.now() };
    const forgetful = known.filter(
      ({ receiver, state }) => receiver.kind === 'alertmanager' && state.disabledMs === null,
    );
    const pushes = forgetful.some(({ receiver }) => isPushDue(receiver.id));
    let due = await selectDue(reader(), clock.now(), mostAtOnce);
    if (due.length > 0 || pushes) {
      const lease = await takeLease();
      // Somebody else sends; if they are dead, their lease ends in time.
      if (!lease) return 1_000;
      try {
        const holds = hold(lease);
        while (due.length > 0 && !signal.aborted && (await holds())) {
          await sendRound(known, due, holds, signal);
          due = await selectDue(reader(), clock.now(), mostAtOnce);
        }
        await pushState(forgetful, holds, signal);
      } finally {
        await leases.release(lease);
      }
    }
    const nextMs = await nextDueMs(reader());
    const waitMs = nextMs === undefined ? lookMs : nextMs - clock.now();
    return Math.min(lookMs, Math.max(shortestMs, waitMs));
  };

  const sendRound = async (
    known: readonly KnownReceiver[],
    due: readonly Delivery[],
    holds: () => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<void> => {
    const shares = [...Map.groupBy(due, ({ receiverId }) => receiverId)];
    const next = async (): Promise<void> => {
      for (let share = shares.shift(); share; share = shares.shift()) {
        const [id, deliveries] = share;
        await sendAll(
          known.find(({ receiver }) => receiver.id === id),
          deliveries,
          holds,
          signal,
        );
      }
    };
    await Promise.all(Array.from({ length: mostReceiversAtOnce }, next));
  };

  const reconciler = createReconciler({
    name: 'notify delivery',
    intervalMs: lookMs,
    // Hanging receivers take their time limit each.
    runLimitMs: 1_800_000,
    clock,
    log,
    async run(signal) {
      reconciler.setIntervalMs(lookMs);
      reconciler.setIntervalMs(await sendDue(signal));
    },
  });
  return { ...reconciler, attempt, receivers: () => seen };
}

type Turn = 'failing' | 'recovered' | 'gone' | undefined;

/** The receiver after one attempt, and whether it turned. */
export function stateAfter(
  before: ReceiverState,
  result: SendResult,
  nowMs: number,
): { state: ReceiverState; crossed: Turn } {
  if (result.outcome === 'sent')
    return {
      state: { ...before, failures: 0, lastSuccessMs: nowMs, disabledMs: null, disabledReason: null },
      crossed: before.failures >= failingAfter || before.disabledMs !== null ? 'recovered' : undefined,
    };
  const failures = before.failures + 1;
  const failed = { ...before, failures, lastErrorMs: nowMs, lastError: result.error };
  if (result.outcome === 'gone') {
    const disabled = { ...failed, disabledMs: before.disabledMs ?? nowMs, disabledReason: result.error };
    return { state: disabled, crossed: before.disabledMs === null ? 'gone' : undefined };
  }
  return { state: failed, crossed: failures === failingAfter ? 'failing' : undefined };
}

function describeTurn(receiver: Receiver, turn: Turn, result: SendResult) {
  const data = { receiver: receiver.id, kind: receiver.kind };
  const { id } = receiver;
  const why = result.error ?? 'no reason given';
  switch (turn) {
    case 'failing':
      return {
        type: 'notify.receiver-failing',
        severity: 'error',
        message: `The receiver ${id} takes no notifications: ${why}. It is tried further.`,
        data,
      } as const;
    case 'gone':
      return {
        type: 'notify.receiver-gone',
        severity: 'critical',
        message: `The receiver ${id} is gone (${why}) and was switched off; others hear of what it would have. \`ragwarden alerts receivers test ${id}\` takes it into use again once it answers.`,
        data,
      } as const;
    case 'recovered':
      return {
        type: 'notify.receiver-recovered',
        severity: 'info',
        message: `The receiver ${id} takes notifications again.`,
        data,
      } as const;
    case undefined:
      return undefined;
  }
}
