import { type Clock, systemClock } from '../src/platform/clock.ts';
import { quietMs } from '../src/targets/lifecycle/backend-lifecycle.ts';

/** The system's clock, but nobody waits seconds to see that folders rest in which only the test itself writes. */
export const impatientClock: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms === quietMs ? 100 : ms, signal),
};
