import type { NotifyConfig } from '../config/index.ts';
import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { Logger } from '../platform/logging.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import type { Seal } from '../platform/seal.ts';
import { type AttemptSeen, type Courier, createCourier } from './delivery-jobs.ts';
import type { Notifier } from './notification.ts';
import { createNotifier } from './notifier.ts';
import { createOutbox, type Outbox } from './outbox.ts';
import { createPlanner } from './plan-jobs.ts';
import { createReceivers, type Receivers } from './receivers.ts';
import { createWays } from './send-delivery.ts';
import { createSilences, type Silences } from './silences.ts';

export type Notify = {
  readonly notifier: Notifier;
  readonly receivers: Receivers;
  readonly silences: Silences;
  readonly outbox: Outbox;
  /** Decides what is sent to whom, and when. */
  readonly planner: Reconciler;
  /** Sends it. */
  readonly courier: Courier;
};

/** Telling people outside: from what is told inside, over who is to hear of it, to what became of it. Nothing of it runs yet. */
export function createNotify(options: {
  db: Database;
  config(): NotifyConfig;
  http: HttpClient;
  seal: Seal;
  events: EventRecorder;
  instance: string;
  clock: Clock;
  random: RandomSource;
  log: Logger;
  onAttempt?(seen: AttemptSeen): void;
}): Notify {
  const { db, config, http, seal, events, instance, clock, random, log } = options;
  // Each wakes the next; they are made in the other direction.
  const wakePlanner = (): void => planner.wake();
  const receivers = createReceivers({ config, db, seal, events, clock, onChange: wakePlanner });
  const ways = createWays({ http, allowPrivate: () => config().allowPrivate, clock });
  const courier = createCourier({
    ...{ db, config, receivers, ways, events, instance, clock, random, log },
    ...(options.onAttempt ? { onAttempt: options.onAttempt } : {}),
    onGone: wakePlanner,
  });
  const planner = createPlanner({
    ...{ db, config, receivers, clock, random, log },
    onPlanned: () => courier.wake(),
  });
  return {
    notifier: createNotifier({ db, clock, onTold: wakePlanner }),
    receivers,
    silences: createSilences({ db, events, clock, random, onChange: wakePlanner }),
    outbox: createOutbox({ db, receivers, courier, events, clock, random }),
    planner,
    courier,
  };
}
