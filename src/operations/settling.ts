import type { EventRecorder, Severity } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Leases } from '../platform/leases.ts';
import type { Logger } from '../platform/logging.ts';
import { type Operation, operationError } from './operation.ts';
import { claimHalfDone, selectHalfDone, writeEnd } from './operation-store.ts';

/** What stands now, after a half-done operation was dealt with. */
export type SettledOutcome = {
  /** One sentence: which state stands, the old or the new one. Becomes the event and the operation's error detail. */
  readonly message: string;
  readonly severity?: Severity;
  /** Becomes the operation's result. */
  readonly data?: Readonly<Record<string, unknown>>;
};

/** By kind: completes or undoes what such an operation left behind. Runs again when it fails or is killed itself. */
export type Settlers = Readonly<Record<string, (operation: Operation) => Promise<SettledOutcome>>>;

/**
 * Takes over each half-done operation, has its kind settle it and marks it `interrupted`. One whose settling fails stays
 * `running`, so its target stays closed to other exclusive work until a later round succeeds.
 * @returns the operations that are settled now
 */
export async function settleHalfDone(options: {
  db: Database;
  clock: Clock;
  log: Logger;
  events: EventRecorder;
  leases: Leases;
  settlers: Settlers;
  own: { instance: string; epoch: number };
  isLive(id: string): boolean;
  silentSinceMs: number;
}): Promise<readonly Operation[]> {
  const { db, log, own } = options;
  const settled: Operation[] = [];
  for (const left of await selectHalfDone(db, own, options.silentSinceMs)) {
    if (options.isLive(left.id)) continue;
    try {
      const operation = await settleOne(left, options);
      if (operation) settled.push(operation);
    } catch (err) {
      log.error({ operation: left.id, kind: left.kind, err }, 'a half-done operation could not be settled');
      await db.unit((tx) =>
        options.events.record(tx, {
          type: 'operation.settle-failed',
          severity: 'critical',
          targetId: left.targetId ?? undefined,
          operationId: left.id,
          message: `${left.kind} was interrupted and could not be settled: ${operationError(err).detail} Its target stays closed to other work.`,
          data: { kind: left.kind, phase: left.phase },
        }),
      );
    }
  }
  return settled;
}

async function settleOne(
  left: Operation,
  options: Parameters<typeof settleHalfDone>[0],
): Promise<Operation | undefined> {
  const { db, clock, events, leases, own, log } = options;
  const lease =
    left.exclusive && left.targetId !== null
      ? await leases.takeOver(`target:${left.targetId}`, left.instance)
      : undefined;
  if (left.exclusive && left.targetId !== null && !lease) return undefined;
  if (!(await db.unit((tx) => claimHalfDone(tx, left, own, clock.now())))) return undefined;

  const settle = options.settlers[left.kind];
  const outcome = (await settle?.(left)) ?? {
    message: `${left.kind} was interrupted in phase ${left.phase}; nothing of it is left to be settled.`,
  };
  const nowMs = clock.now();
  const end = {
    state: 'interrupted' as const,
    result: outcome.data ?? null,
    error: operationError(new AppError('operation/interrupted', outcome.message)),
  };
  await db.unit(async (tx) => {
    await writeEnd(tx, { ...left, ...own }, { ...end, nowMs });
    if (lease) await leases.release(lease, tx);
    await events.record(tx, {
      type: 'operation.settled',
      severity: outcome.severity ?? 'warning',
      targetId: left.targetId ?? undefined,
      operationId: left.id,
      message: outcome.message,
      data: { kind: left.kind, phase: left.phase, ...outcome.data },
    });
  });
  log.info({ operation: left.id, kind: left.kind }, `half-done operation settled: ${outcome.message}`);
  return { ...left, ...own, ...end, heartbeatMs: nowMs, finishedMs: nowMs };
}
