import type { Operation } from '../operations/index.ts';
import { describeError } from '../platform/errors.ts';
import type { BackupDeps } from './backup-deps.ts';
import { unsettledPrefix } from './restore-failure.ts';
import { settleRestore } from './settle-restore.ts';

/**
 * Settles restores that failed and could not bring the former state back at once, as if they had been killed. To be called at start, before anything is served. One that cannot be
 * settled yet stays noted, and the start goes on: its backend must be looked after by hand.
 * @param find the operation, if it is one of this instance
 */
export async function settleUnsettled(
  deps: BackupDeps,
  find: (operationId: string) => Promise<Operation | undefined>,
): Promise<void> {
  for (const { key, value } of await deps.points.readSettings(unsettledPrefix)) {
    const operation = await find(value);
    if (!operation) continue;
    const targetId = key.slice(unsettledPrefix.length);
    try {
      const { message, data } = await settleRestore(deps, operation);
      await deps.db.unit(async (tx) => {
        await deps.points.deleteSetting(tx, key);
        await deps.events.record(tx, {
          type: 'operation.settled',
          severity: 'warning',
          targetId,
          operationId: operation.id,
          message,
          ...(data ? { data } : {}),
        });
      });
    } catch (err) {
      deps.log.error({ err, operation: operation.id }, 'a failed restore could not be settled');
      await deps.db.unit((tx) =>
        deps.events.record(tx, {
          type: 'operation.settle-failed',
          severity: 'critical',
          targetId,
          operationId: operation.id,
          message: `The failed restore of ${targetId} could not be settled yet: ${describeError(err)} Keep its backend stopped; the next start tries again.`,
          data: { kind: operation.kind, phase: operation.phase },
        }),
      );
    }
  }
}
