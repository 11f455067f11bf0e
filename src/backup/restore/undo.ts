import { lstat, rename, rm } from 'node:fs/promises';
import { AppError } from '../../platform/errors.ts';
import { flush, isPresent } from './durable.ts';
import { coordinatorOf, type Journal, ownNames, readJournal } from './journal.ts';
import { noStep, own, requireOperationId, type Step } from './layout.ts';
import { findJournals, realRoots } from './settle.ts';
import { sizeOf } from './survey.ts';

/** The state before a restore, kept until somebody discards it. */
export type UndoFolder = {
  readonly root: string;
  readonly operationId: string;
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** When the restore moved it there, epoch milliseconds; from the journal, else from the folder. */
  readonly createdAtMs: number;
  /** A restore that is not settled still needs it. */
  readonly canBeDiscarded: boolean;
};

/** All undo folders of these roots, oldest first. */
export async function listUndo(roots: readonly string[]): Promise<UndoFolder[]> {
  const found: UndoFolder[] = [];
  for (const root of await realRoots(roots)) {
    for (const name of await ownNames(root)) {
      const operationId = /^undo-(.+)$/.exec(name)?.[1];
      if (operationId === undefined) continue;
      const path = own.undo(root, operationId);
      const journal = await journalOf(root, operationId);
      found.push({
        root,
        operationId,
        path,
        ...(await sizeOf(path)),
        createdAtMs: journal?.createdAtMs ?? Math.floor((await lstat(path)).mtimeMs),
        canBeDiscarded: journal === undefined || journal.state === 'done',
      });
    }
  }
  return found.sort((a, b) => a.createdAtMs - b.createdAtMs);
}

async function journalOf(root: string, operationId: string): Promise<Journal | undefined> {
  const found = await readJournal(root, operationId);
  const journal = found?.role === 'member' ? await readJournal(found.coordinator, operationId) : found;
  return journal?.role === 'coordinator' ? journal : undefined;
}

/**
 * Frees the undo folders of one restore in all its roots, for good. Each is renamed first, so that one half removed is never
 * taken for whole; a kill in between is cleaned up by `settleJournals`, or by calling this again.
 * @param roots all folders of the target
 * @returns bytes freed
 * @throws AppError `conflict/state` while the restore is not settled
 */
export async function discardUndo(roots: readonly string[], operationId: string, step: Step = noStep): Promise<number> {
  requireOperationId(operationId);
  const known = await realRoots(roots);
  const journal = (await findJournals(known)).find((each) => each.operationId === operationId);
  if (journal !== undefined && journal.state !== 'done')
    throw new AppError(
      'conflict/state',
      `The restore ${operationId} is ${journal.state} and still needs its undo folder.`,
    );
  let bytes = 0;
  for (const root of known) {
    const undo = own.undo(root, operationId);
    if (!(await isPresent(undo))) continue;
    bytes += (await sizeOf(undo)).bytes;
    await step('discard:rename');
    await rename(undo, own.discarding(root, operationId));
    await flush(own.base(root));
  }
  const coordinator = journal === undefined ? undefined : coordinatorOf(journal);
  const coordinatorLast = known.toSorted((a, b) => Number(a === coordinator) - Number(b === coordinator));
  for (const root of coordinatorLast) {
    await step('discard:journal');
    await rm(own.journal(root, operationId), { force: true });
  }
  for (const root of known) {
    await step('discard:remove');
    await rm(own.discarding(root, operationId), { recursive: true, force: true });
  }
  return bytes;
}
