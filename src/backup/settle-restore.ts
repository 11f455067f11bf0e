import type { Operation, SettledOutcome } from '../operations/index.ts';
import { describeError } from '../platform/errors.ts';
import type { BackupDeps, ProtectedTarget } from './backup-deps.ts';
import { prepareRestore } from './prepare-restore.ts';
import { listUndo, settleJournals, verifyRestored } from './restore/index.ts';

/** After a kill in the middle: the old or the new state, complete, decided by the journal; then the backend is started. */
export async function settleRestore(deps: BackupDeps, operation: Operation): Promise<SettledOutcome> {
  const guarded = deps.requireTarget(operation.targetId ?? '');
  const folders = guarded.target.stores.map((store) => store.path);
  const unfinished = operation.phase === 'moving' || operation.phase === 'checking';
  if (unfinished && (await guarded.lifecycle.findSignOfLife()) !== undefined)
    await guarded.lifecycle.stop(AbortSignal.timeout(guarded.target.stopTimeoutMs + 5_000));
  const { settled } = await settleJournals(folders, { onMoved: () => decideMoved(deps, guarded, operation) });
  const own = settled.find((one) => one.operationId === operation.id);
  const finished = (await listUndo(folders)).some((one) => one.operationId === operation.id);
  const state = own?.outcome ?? (finished ? 'new' : 'old');
  const wasStopped = ![
    '',
    'queued',
    'planning',
    'preparing',
    'capturing',
    'inspecting',
    'uploading',
    'verifying',
  ].includes(operation.phase);
  let backend = '';
  if (wasStopped && guarded.lifecycle.automatic)
    backend = await guarded.lifecycle
      .start(AbortSignal.timeout(guarded.target.startTimeoutMs))
      .then(() => ' The backend was started again.')
      .catch((err: unknown) => ` The backend did not start: ${describeError(err)}`);
  return {
    message:
      state === 'new'
        ? `The restore was interrupted after the decisive record: ${guarded.target.id} stands as in the recovery point.${backend}`
        : `The restore was interrupted before the decisive record: ${guarded.target.id} stands as before it.${backend}`,
    severity: 'warning',
    data: { state, point: pointOf(operation.input) },
  };
}

/** All had moved, but nobody had compared the digests yet: that is done now, and decides. */
async function decideMoved(
  deps: BackupDeps,
  guarded: ProtectedTarget,
  operation: Operation,
): Promise<'finish' | 'undo'> {
  const pointId = pointOf(operation.input);
  if (typeof pointId !== 'string') return 'finish';
  const prepared = await prepareRestore(deps, { id: pointId, targetId: guarded.target.id });
  try {
    for (const one of prepared.placed)
      await verifyRestored(one.folder, prepared.entries.get(one.component.name) ?? [], {
        keep: one.keep.map(({ name }) => name),
      });
    return 'finish';
  } catch (err) {
    deps.log.error({ err, operation: operation.id }, 'what was restored does not verify and is undone');
    return 'undo';
  }
}

const pointOf = (input: unknown): unknown =>
  typeof input === 'object' && input !== null && 'pointId' in input ? input.pointId : null;
