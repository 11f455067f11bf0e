import { effect, type ReadonlySignal } from '@preact/signals';
import type { connection } from './event-feed.ts';
import { createPoll } from './poll.ts';

/**
 * Reads what decides which parts there are whenever a restart may have gone by: most pass between two questions, and no
 * other route tells of one. Without it a part that is on again would be called switched off until the page is loaded anew.
 * @param on.wanted somebody who may read it looks at the page
 */
export function followSwitches(on: {
  read(): Promise<void>;
  readonly wanted: ReadonlySignal<boolean>;
  readonly isLost: ReadonlySignal<boolean>;
  readonly connection: ReadonlySignal<(typeof connection)['value']>;
}): void {
  const poll = createPoll({ load: on.read, everyMs: () => 60_000 });
  effect(() => {
    if (on.wanted.value) poll.start();
    else poll.stop();
  });
  let wasLost = false;
  effect(() => {
    const isLost = on.isLost.value;
    if (wasLost && !isLost) void poll.refresh();
    wasLost = isLost;
  });
  let wasBroken = false;
  effect(() => {
    const now = on.connection.value;
    // On the way back it is `connecting` for a while, and `none` when the event log is off by now.
    const isBroken = now === 'reconnecting' || (wasBroken && now === 'connecting');
    if (wasBroken && !isBroken) void poll.refresh();
    wasBroken = isBroken;
  });
}
