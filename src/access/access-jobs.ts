import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Access } from './access-control.ts';

const batch = 500;

/** Removes login links and sessions a day after they ended, tokens after ninety days; bounded per run. */
export function createAccessExpiry(options: { access: Access; clock: Clock; log: Logger }): Reconciler {
  return createReconciler({
    name: 'access-expiry',
    intervalMs: 3_600_000,
    clock: options.clock,
    log: options.log,
    async run(signal) {
      for (let i = 0; i < 20 && !signal.aborted; i += 1) if ((await options.access.removeEnded(batch)) < batch) return;
    },
  });
}
