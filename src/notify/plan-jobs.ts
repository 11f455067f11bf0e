import type { NotifyConfig } from '../config/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { type AlertTables, deleteAlerts, hasAlerts, selectAlerts } from './alert-store.ts';
import { insertDelivery, selectUndelivered, supersede } from './delivery-store.ts';
import { deleteGroups, type GroupTables, hasGroups, selectGroups, writeGroup } from './group-store.ts';
import { mergeUndelivered, messageAlert } from './message.ts';
import { type Plan, type PlanReceiver, planMessages } from './plan.ts';
import { takesState } from './receiver.ts';
import type { Receivers } from './receivers.ts';
import { readRouting } from './routing.ts';
import { type SilenceTables, selectLiveSilences } from './silence-store.ts';

/** Longest time between two looks while something is told of; another instance may have told it. */
const lookMs = 60_000;
const shortestMs = 50;

/** Puts into the outbox what is due: groups, repeats, escalations, ends. Planned and written in one unit. */
export function createPlanner(options: {
  db: Database;
  config(): NotifyConfig;
  receivers: Receivers;
  clock: Clock;
  random: RandomSource;
  log: Logger;
  /** After the commit of new deliveries. */
  onPlanned(): void;
}): Reconciler {
  const { db, config, receivers, clock, random, log, onPlanned } = options;

  const reconciler = createReconciler({
    name: 'notify plan',
    intervalMs: lookMs,
    clock,
    log,
    async run() {
      if (await isQuiet(db)) return reconciler.setIntervalMs(lookMs);
      // The list reads and unseals outside the unit, in which everybody else's writes wait.
      const usable = await usableReceivers(receivers);
      const { nextMs, planned } = await db.unit((tx) => planOnce(tx, usable));
      if (planned > 0) onPlanned();
      const waitMs = nextMs === null ? lookMs : nextMs - clock.now();
      reconciler.setIntervalMs(Math.min(lookMs, Math.max(shortestMs, waitMs)));
    },
  });

  const planOnce = async (
    tx: Tx,
    usable: readonly PlanReceiver[],
  ): Promise<{ nextMs: number | null; planned: number }> => {
    const nowMs = clock.now();
    const alerts = await selectAlerts(tx.as<AlertTables>());
    const groups = await selectGroups(tx.as<GroupTables>());
    const silences = await selectLiveSilences(tx.as<SilenceTables>(), nowMs);
    const routing = readRouting(config());
    const plan = planMessages({ alerts, groups, silences, receivers: usable, routing }, nowMs);
    const byKey = new Map(alerts.map((alert) => [alert.key, alert]));
    const latest = (key: string) => {
      const alert = byKey.get(key);
      return alert && messageAlert(alert);
    };
    for (const { group, message } of plan.messages) {
      const undelivered = await selectUndelivered(tx, group.receiverId, group.id);
      // What was not heard yet needs no repetition: it is still tried.
      if (message.reason === 'repeat' && undelivered.length > 0) continue;
      const id = newId('msg', nowMs, random);
      await insertDelivery(tx, {
        id,
        receiverId: group.receiverId,
        groupId: group.id,
        state: 'pending',
        message: mergeUndelivered(
          message,
          undelivered.map((one) => one.message),
          latest,
        ),
        createdMs: nowMs,
        sinceMs: Math.min(nowMs, ...undelivered.map((one) => one.sinceMs)),
        nextMs: nowMs,
        failures: Math.max(0, ...undelivered.map((one) => one.failures)),
        attempts: [],
        finishedMs: null,
        supersededBy: null,
      });
      if (undelivered.length > 0)
        await supersede(
          tx,
          undelivered.map((one) => one.id),
          id,
          nowMs,
        );
    }
    await writeGroups(tx, groups, plan);
    await deleteAlerts(tx, plan.forget);
    return { nextMs: plan.nextMs, planned: plan.messages.length };
  };

  return reconciler;
}

/** Nothing was told that is not over, so that nobody else's writes need to wait for a look. */
async function isQuiet(db: Database): Promise<boolean> {
  return !(await hasAlerts(db.reader<AlertTables>())) && !(await hasGroups(db.reader<GroupTables>()));
}

async function usableReceivers(receivers: Receivers): Promise<readonly PlanReceiver[]> {
  const known = await receivers.list();
  return known
    .filter(({ state, broken }) => state.disabledMs === null && broken === null)
    .map(({ receiver }) => ({
      id: receiver.id,
      sendResolved: receiver.sendResolved,
      takesState: takesState(receiver),
    }));
}

async function writeGroups(tx: Tx, before: Awaited<ReturnType<typeof selectGroups>>, plan: Plan): Promise<void> {
  const known = new Map(before.map((group) => [group.id, JSON.stringify(group)]));
  for (const group of plan.groups) {
    if (known.get(group.id) !== JSON.stringify(group)) await writeGroup(tx, group);
    known.delete(group.id);
  }
  await deleteGroups(tx, [...known.keys()]);
}
