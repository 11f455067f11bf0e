import type { Operation, SettledOutcome } from '../operations/index.ts';
import type { BackupDeps } from './backup-deps.ts';
import { factsOfTags, noteFacts } from './catalogue/index.ts';
import { isRestorable } from './point.ts';
import { findManifestSnapshot } from './verify-point.ts';

/** A point exists exactly when the repository holds its manifest, whatever the catalogue got to write. */
export async function settleTakenPoint(deps: BackupDeps, operation: Operation): Promise<SettledOutcome> {
  const rows = await deps.points.list({ targetId: operation.targetId ?? undefined, withForgotten: true, limit: 1000 });
  const row = rows.find((point) => point.operationId === operation.id && point.status === 'running');
  const done = rows.find((point) => point.operationId === operation.id && isRestorable(point));
  if (!row && done)
    return {
      message: `Recovery point ${done.id} exists and was verified before ragwarden ended.`,
      severity: 'info',
      data: { id: done.id, exists: true },
    };
  if (!row) return { message: 'The backup ended with the process before it began; nothing was stored.' };
  const opened = await deps.repository.open();
  if (opened.state === 'ok') await deps.repository.removeOwnStaleLocks();
  const found = opened.state === 'ok' ? await findManifestSnapshot(deps, row.id) : undefined;
  if (!found) {
    await deps.db.unit((tx) =>
      deps.points.update(tx, row.id, {
        status: 'error',
        finishedMs: deps.clock.now(),
        error: 'ragwarden ended before the point existed',
      }),
    );
    return {
      message: `Recovery point ${row.id} does not exist: ragwarden ended before its manifest was stored.`,
      data: { id: row.id, exists: false },
    };
  }
  const { manifest, snapshot } = found;
  // What the run itself noted in the repository, if it came that far: it was verified then.
  const { facts } = factsOfTags(snapshot.tags);
  const settled = {
    status: manifest.partial ? ('partial' as const) : ('success' as const),
    grade: manifest.grade,
    takenMs: Date.parse(manifest.taken_at),
    finishedMs: facts.finishedMs ?? deps.clock.now(),
    verifiedMs: facts.verifiedMs,
    storedBytes: facts.storedBytes,
    treeId: snapshot.tree,
    logicalBytes: manifest.components.reduce((sum, one) => sum + one.bytes, 0),
    manifest,
  };
  await deps.db.unit((tx) => deps.points.update(tx, row.id, settled));
  await noteFacts(deps, { ...row, ...settled }, {}, snapshot);
  return {
    message: `Recovery point ${row.id} exists: its manifest was stored before ragwarden ended. It is ${facts.verifiedMs === null ? 'not verified yet' : 'verified'}.`,
    severity: 'info',
    data: { id: row.id, exists: true },
  };
}
