import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import type { Access } from './access-control.ts';

const batch = 500;

/** Tells of tokens that come near their end; removes links and sessions a day after they ended, tokens after ninety; bounded per run. */
export function createAccessExpiry(options: { access: Access; clock: Clock; log: Logger }): Reconciler {
  return createReconciler({
    name: 'access-expiry',
    intervalMs: 3_600_000,
    clock: options.clock,
    log: options.log,
    async run(signal) {
      await options.access.warnExpiring(batch);
      for (let i = 0; i < 20 && !signal.aborted; i += 1) if ((await options.access.removeEnded(batch)) < batch) return;
    },
  });
}

/** A use is known at once to the process that saw it, and to the next start after this long at most. */
export function createTokenUseJob(options: { access: Access; clock: Clock; log: Logger }): Reconciler {
  return createReconciler({
    name: 'access-token-use',
    intervalMs: 5 * 60_000,
    runAtStart: false,
    clock: options.clock,
    log: options.log,
    run: () => options.access.writeDownUse(),
  });
}
