import type { OperationContext } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import { newId } from '../platform/ids.ts';
import { statusByFindings } from './place-status.ts';
import { freshState, type LogEntry, type Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';

export type VerifyResult = { readonly target_id: string; readonly sound: true; readonly read_percent: number };

/**
 * Reads a share of what lies at a replica, and says so when it is damaged.
 * @throws AppError `repository/damaged` with the first finding
 */
export async function verifyReplica(
  deps: ReplicationDeps,
  replica: Replica,
  { percent }: { readonly percent: number },
  context: OperationContext,
): Promise<VerifyResult> {
  const { db, store, clock } = deps;
  const call = { signal: context.signal, operationId: context.id };
  const entry: LogEntry = {
    id: newId('repl', clock.now(), deps.random),
    operationId: context.id,
    ...{ replicaId: replica.id, targetId: null, pointId: null, type: 'validate', status: 'in_progress' },
    ...{ startedMs: clock.now(), completedMs: null, bytes: null, dataHash: null, error: null },
    metadata: { percent },
  };
  await db.unit((tx) => store.writeLog(tx, entry));
  try {
    await context.phase('looking');
    const place = await deps.openPlace(replica);
    const before = (await store.states()).get(replica.id) ?? freshState;
    await place.look(before.repositoryId, call);
    await context.phase('reading');
    const copies = await store.copies({ replicaId: replica.id });
    const found = await place.verify(percent, call, new Set(copies.map(({ pointId }) => pointId)));
    const nowMs = clock.now();
    if (!found.ok) {
      await db.unit(async (tx) => {
        await store.changeState(tx, replica.id, {
          ...{ findings: found.findings.slice(0, 50), status: 'degraded', checkedMs: nowMs },
          damageReadMs: percent >= 100 ? nowMs : before.damageReadMs,
          error: `Damaged: ${found.findings[0] ?? 'no finding was named'}`,
        });
        await deps.events.record(tx, {
          type: 'replication.damaged',
          severity: 'critical',
          operationId: context.id,
          message: `What lies at ${replica.id} is damaged: ${found.findings[0] ?? 'no finding was named'}. Heal it from the repository.`,
          data: { replica: replica.id, findings: found.findings.slice(0, 20) },
        });
      });
      throw new AppError(
        'repository/damaged',
        `What lies at ${replica.id} is damaged: ${found.findings[0] ?? 'no finding was named'}.`,
        { context: { findings: found.findings.slice(0, 50) } },
      );
    }
    // A share without damage says nothing of where some was found.
    const findings = percent >= 100 ? [] : before.findings;
    await db.unit(async (tx) => {
      await store.changeState(tx, replica.id, {
        ...{ verifiedMs: nowMs, verifiedPercent: percent, findings, ...statusByFindings({ ...before, findings }) },
        ...(findings.length === 0 ? { damageReadMs: null } : {}),
        ...{ checkedMs: nowMs, reachedMs: nowMs },
      });
      await store.writeLog(tx, { ...entry, status: 'validated', completedMs: nowMs });
    });
    return { target_id: replica.id, sound: true, read_percent: percent };
  } catch (err) {
    const error = err instanceof AppError ? err.detail : 'It ended with an error of another kind.';
    await db.unit((tx) => store.writeLog(tx, { ...entry, status: 'failed', completedMs: clock.now(), error }));
    throw err;
  }
}
