import { createNotifier, type Notifier } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';

export type NotifyWiring = { readonly notifier: Notifier };

/** What is told to people outside. */
export function createNotifyWiring({ db, clock }: { db: Database; clock: Clock }): NotifyWiring {
  return { notifier: createNotifier({ db, clock, onTold: () => undefined }) };
}
