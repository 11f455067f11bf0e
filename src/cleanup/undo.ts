import { z } from 'zod';
import type { EventRecorder } from '../events/index.ts';
import type { Idempotency, Operation, Operations, Settlers } from '../operations/index.ts';
import type { Database } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import type { CleanupStore } from './cleanup-store.ts';
import { findReal } from './folder-walk.ts';
import type { Quarantine, QuarantineEntry } from './quarantine.ts';

const mostUndone = 10_000;

export type UndoRequest = { readonly runId?: string | undefined; readonly entryIds?: readonly string[] | undefined };
export type Undo = {
  /** Brings back what a run took away, or single entries. */
  undo(what: UndoRequest, requestedBy: string, idempotency?: Idempotency): Promise<Operation>;
  readonly settle: Settlers[string];
};

export type TargetFolder = { readonly id: string; readonly workspaceRoot: string | undefined };

const undoInput = z.object({ runId: z.string().nullable(), entryIds: z.array(z.string()).nullable() });

/** Whose data are written to when these come back: no restore and no backup may work on them meanwhile. */
async function findTargetOf(
  entries: readonly QuarantineEntry[],
  targets: readonly TargetFolder[],
): Promise<string | undefined> {
  const inStores = entries.find(({ kind }) => kind === 'records' || kind === 'rows');
  if (typeof inStores?.data.target === 'string') return inStores.data.target;
  const roots = new Set(entries.flatMap(({ kind, data }) => (kind === 'files' ? [data.root] : [])));
  for (const { id, workspaceRoot } of targets)
    if (workspaceRoot !== undefined && roots.has(await findReal(workspaceRoot))) return id;
  return undefined;
}

export function createUndo(deps: {
  store: CleanupStore;
  quarantine: Quarantine;
  operations: Operations;
  db: Database;
  events: EventRecorder;
  targets(): readonly TargetFolder[];
}): Undo {
  const { store, quarantine, operations, db, events } = deps;

  const requireHeld = async ({ runId, entryIds }: UndoRequest): Promise<readonly QuarantineEntry[]> => {
    const found =
      entryIds === undefined
        ? await store.listEntries({ runId, state: 'held', limit: mostUndone })
        : await Promise.all(
            entryIds.map(async (id) => {
              const entry = await store.findEntry(id);
              if (entry) return entry;
              throw new AppError(
                'cleanup/unknown-entry',
                `The quarantine holds nothing of the id ${id.slice(0, 100)}.`,
              );
            }),
          );
    if (entryIds === undefined && found.length === 0)
      throw new AppError('cleanup/unknown-entry', `The quarantine holds nothing of run ${runId?.slice(0, 100)}.`);
    const over = found.find(({ state }) => state !== 'held');
    if (over) throw new AppError('conflict/state', `${over.what} is ${over.state} already.`);
    return found;
  };

  return {
    async undo({ runId, entryIds }, requestedBy, idempotency) {
      const found = await requireHeld({ runId, entryIds });
      const targetId = await findTargetOf(found, deps.targets());
      const operation = await operations.start({
        kind: 'cleanup.undo',
        input: { runId: runId ?? null, entryIds: entryIds ? [...entryIds] : null },
        requestedBy,
        ...(idempotency ? { idempotency } : {}),
        ...(targetId === undefined ? {} : { targetId }),
        async run(context) {
          await context.phase('bringing back');
          const { undone, failed } = await quarantine.undo(found, context.signal);
          if (failed.length > 0) context.markPartial();
          if (undone.length > 0)
            await db.unit((tx) =>
              events.record(tx, {
                ...{ type: 'cleanup.undone', operationId: context.id },
                severity: failed.length > 0 ? 'warning' : 'info',
                message: `${undone.length} of ${found.length} came back from the quarantine.`,
                data: { run_id: runId ?? null, undone: undone.length, failed: failed.length },
              }),
            );
          context.signal.throwIfAborted();
          const [first] = failed;
          if (undone.length === 0 && first) throw new AppError('conflict/state', `Nothing came back: ${first.why}`);
          return {
            undone: undone.length,
            failed: failed.slice(0, 100).map(({ entry, why }) => ({ id: entry.id, what: entry.what, why })),
          };
        },
      });
      await db.unit((tx) =>
        events.audit(tx, {
          ...{ actor: requestedBy, action: 'cleanup.undo', object: runId ?? entryIds?.[0] ?? '', outcome: 'done' },
          data: { entries: found.length, operation_id: operation.id },
        }),
      );
      return operation;
    },
    // What came back is known by looking; the next undo finds the rest.
    async settle(operation) {
      const input = undoInput.safeParse(operation.input);
      const entries = input.success
        ? input.data.entryIds
          ? (await Promise.all(input.data.entryIds.map((id) => store.findEntry(id)))).filter((one) => one !== undefined)
          : await store.listEntries({ runId: input.data.runId ?? '', state: 'held', limit: mostUndone })
        : [];
      const held = entries.filter(({ state }) => state === 'held');
      const { undone } = await quarantine.undo(held, AbortSignal.timeout(60_000));
      return {
        message: `Bringing back was interrupted; ${undone.length} of ${held.length} that were left came back now.`,
      };
    },
  };
}
