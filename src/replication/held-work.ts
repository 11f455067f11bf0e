import type { Operation, OperationContext, Operations } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import type { Lease, Leases } from '../platform/leases.ts';

/** Longer than anything but the death of its holder delays a renewal. */
export const replicaLeaseMs = 60_000;
/** How soon a renewal that failed is tried again. */
const retryMs = replicaLeaseMs / 12;
export const leaseOf = (replicaId: string): string => `replica:${replicaId}`;

/** What one piece of work has for itself, and how somebody is told who wants it meanwhile. */
export type Hold = { readonly lease: string; readonly busy: string };
export const holdOf = (replicaId: string): Hold => ({
  lease: leaseOf(replicaId),
  busy: `Somebody works on the replication target ${replicaId} already. Wait for it, or cancel it.`,
});
/** Of our own repository, when points are put into it from elsewhere. */
export const ownRepository: Hold = {
  lease: 'repository:own',
  busy: 'Points are brought into the repository already. Wait for it, or cancel it.',
};

export type Started = {
  readonly requestedBy: string;
  readonly idempotency?: Parameters<Operations['start']>[0]['idempotency'];
};

/** What a process that is known to be dead still held; the same work may begin again at once. */
export async function releaseOfDead(leases: Leases, names: readonly string[], deadInstance: string): Promise<void> {
  for (const name of names) {
    const left = await leases.takeOver(name, deadInstance);
    if (left) await leases.release(left);
  }
}

/**
 * One piece of work per replica at a time, over all instances: the lease is renewed as long as the work goes on, and when it is lost,
 * or could not be renewed for so long that it may be, the work ends.
 */
export async function whileHeld<Result>(
  { leases, clock }: { readonly leases: Leases; readonly clock: Clock },
  lease: Lease,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const over = new AbortController();
  const lost = new AbortController();
  let renewedMs = clock.now();
  const renewing = (async () => {
    let waitMs = replicaLeaseMs / 3;
    while (!lost.signal.aborted) {
      await clock.sleep(waitMs, over.signal);
      const nowMs = clock.now();
      const renewed = await leases.renew(lease).catch(() => undefined);
      if (renewed) renewedMs = nowMs;
      waitMs = renewed ? replicaLeaseMs / 3 : retryMs;
      if (renewed === false)
        lost.abort(new AppError('operation/lease-lost', 'Another instance took the work on this replica over.'));
    }
    // Ended by the signal, when the work is over.
  })().catch(() => undefined);
  // Beside it, since a renewal may hang as well as fail.
  const expiring = (async () => {
    for (;;) {
      const leftMs = renewedMs + replicaLeaseMs - retryMs - clock.now();
      if (leftMs <= 0) break;
      await clock.sleep(leftMs, over.signal);
    }
    lost.abort(new AppError('operation/lease-lost', 'The lease of this replica could not be renewed in time.'));
  })().catch(() => undefined);
  try {
    return await work(signal ? AbortSignal.any([signal, lost.signal]) : lost.signal);
  } finally {
    over.abort();
    await expiring;
    // Not while a renewal is under way, which would take back what is released. One that hangs is left to itself: the lease runs out.
    const tired = new AbortController();
    const released = renewing
      .then(() => leases.release(lease))
      .catch(() => undefined)
      .finally(() => tired.abort());
    await Promise.race([released, clock.sleep(retryMs, tired.signal).catch(() => undefined)]);
  }
}

/**
 * The same as an operation that can be followed and cancelled.
 * @param request.holds taken in this order
 * @throws AppError `operation/busy` while somebody has one of them
 */
export async function startHeld<Result>(
  deps: { readonly operations: Operations; readonly leases: Leases; readonly clock: Clock },
  request: Started & {
    readonly kind: string;
    readonly holds: readonly Hold[];
    readonly input: object;
    run(context: OperationContext): Promise<Result>;
  },
): Promise<Operation> {
  const { kind, holds, input, requestedBy, idempotency } = request;
  const taken: Lease[] = [];
  let begun = false;
  try {
    for (const { lease: name, busy } of holds) {
      const lease = await deps.leases.acquire(name);
      if (!lease) throw new AppError('operation/busy', busy);
      taken.push(lease);
    }
    return await deps.operations.start<unknown, Result>({
      kind,
      exclusive: false,
      input,
      requestedBy,
      idempotency,
      run: (context) => {
        begun = true;
        const held = taken.reduceRight<(signal: AbortSignal) => Promise<Result>>(
          (work, lease) => (signal) => whileHeld(deps, lease, signal, work),
          (signal) => request.run({ ...context, signal }),
        );
        return held(context.signal);
      },
    });
  } finally {
    // Also after a repeated request, which found the operation of the first one.
    if (!begun) for (const lease of taken) await deps.leases.release(lease);
  }
}
