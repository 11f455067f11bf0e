import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import { createUnchanged, type Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Delivery } from './delivery.ts';
import type { Courier } from './delivery-jobs.ts';
import {
  countPending,
  type DeliveryFilter,
  type DeliveryTables,
  findDelivery,
  insertDelivery,
  selectDeliveries,
  updateDelivery,
} from './delivery-store.ts';
import { composeMessage } from './message.ts';
import type { Receivers } from './receivers.ts';

export type Outbox = {
  /** Newest first. */
  list(filter: DeliveryFilter, limit: number): Promise<Delivery[]>;
  /** @throws AppError `request/not-found` */
  require(id: string): Promise<Delivery>;
  /** What waits to be sent, and since when the oldest does. */
  backlog(): Promise<{ readonly pending: number; readonly oldestMs: number | null }>;
  /**
   * Has a dead letter tried again from now on, and a waiting one at once.
   * @throws AppError `request/not-found`, `conflict/state` for one that arrived or that a later one stands for
   */
  retry(actor: string, id: string): Promise<Delivery>;
  /** Sends one notification now, past the outbox; what came of it is in its one attempt. @throws AppError `request/not-found` */
  test(actor: string, receiverId: string): Promise<Delivery>;
};

export function createOutbox(options: {
  db: Database;
  receivers: Receivers;
  courier: Courier;
  events: EventRecorder;
  clock: Clock;
  random: RandomSource;
}): Outbox {
  const { db, receivers, courier, events, clock, random } = options;
  const reader = () => db.reader<DeliveryTables>();
  const unchanged = createUnchanged(db);
  const requireDelivery = async (id: string): Promise<Delivery> => {
    const found = await findDelivery(reader(), id);
    if (!found) throw new AppError('request/not-found', `There is no delivery ${id}.`);
    return found;
  };
  return {
    list: (filter, limit) => selectDeliveries(reader(), filter, limit),
    require: requireDelivery,
    // Asked with each sampling of the metrics.
    backlog: () => unchanged('backlog', () => countPending(reader())),
    async retry(actor, id) {
      const delivery = await requireDelivery(id);
      if (delivery.state === 'sent') throw new AppError('conflict/state', 'It has arrived already.');
      if (delivery.state === 'superseded')
        throw new AppError('conflict/state', `${delivery.supersededBy} says all of it; retry that one.`);
      const nowMs = clock.now();
      const again: Delivery = { ...delivery, state: 'pending', nextMs: nowMs, finishedMs: null };
      const retried = delivery.state === 'dead' ? { ...again, sinceMs: nowMs, failures: 0 } : again;
      await db.unit(async (tx) => {
        await updateDelivery(tx, retried, ['pending', 'dead']);
        await events.audit(tx, { actor, action: 'notify.retry-delivery', object: id, outcome: 'done' });
        tx.afterCommit(() => courier.wake());
      });
      return retried;
    },
    async test(actor, receiverId) {
      const known = await receivers.find(receiverId);
      if (!known) throw new AppError('request/not-found', `There is no receiver ${receiverId}.`);
      const nowMs = clock.now();
      const labels = { alertname: 'ragwarden-test', severity: 'info' };
      const message = composeMessage('test', labels, [
        {
          key: 'ragwarden:test',
          status: 'firing',
          severity: 'info',
          title: 'A notification to try the way',
          summary: `${actor} had ragwarden send this to see whether it arrives. Nothing is wrong.`,
          labels,
          annotations: {},
          startsAtMs: nowMs,
          endsAtMs: null,
          runbookUrl: null,
          acknowledgedBy: null,
        },
      ]);
      const delivery: Delivery = {
        id: newId('msg', nowMs, random),
        receiverId,
        groupId: null,
        state: 'dead',
        message,
        createdMs: nowMs,
        // Tried once: whoever asked is told.
        sinceMs: 0,
        nextMs: null,
        failures: 0,
        attempts: [],
        finishedMs: nowMs,
        supersededBy: null,
      };
      await db.unit(async (tx) => {
        await insertDelivery(tx, delivery);
        await events.audit(tx, { actor, action: 'notify.test-receiver', object: receiverId, outcome: 'done' });
      });
      return courier.attempt(known, delivery, new AbortController().signal);
    },
  };
}
