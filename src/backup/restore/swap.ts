import { lstat, mkdir, rename, rm, rmdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { AppError } from '../../platform/errors.ts';
import { flush, flushTree, isPresent } from './durable.ts';
import {
  coordinatorOf,
  enterState,
  type Journal,
  journalIds,
  newJournal,
  readJournal,
  writeMembers,
} from './journal.ts';
import { blockedBy, makeOwnFolder, noStep, own, requireOperationId, requireRoot, type Step } from './layout.ts';
import { type Guard, moveForward } from './moves.ts';
import { decideUnits, mountBlockers } from './plan.ts';
import { findJournals, finishJournal, probePrefix, realRoots, undoJournal } from './settle.ts';
import { mountPointsBelow, obstaclesOf, topNames } from './survey.ts';

export type SwapRoot = {
  readonly root: string;
  /** Top-level names that are never touched. */
  readonly keep: readonly string[];
};

export type SwapOptions = {
  readonly operationId: string;
  /** All folders of one restore; one journal decides over all of them. */
  readonly roots: readonly SwapRoot[];
  readonly nowMs: number;
  readonly guard?: Guard;
  readonly step?: Step;
  readonly signal?: AbortSignal;
};

/**
 * Exchanges the contents of the roots for what lies staged in them (checked before by `checkStaged`). On return the new
 * state is in place in all roots and the journal says `moved`; `finishSwap` or `undoSwap` has the last word. On any error,
 * cancellation included, the old state is back before this throws.
 * @throws AppError `restore/blocked` or `conflict/state` before anything moved; `restore/server-reappeared`,
 *   `restore/plan-changed`, `restore/blocked` or the signal's reason after it was undone
 */
export async function swapIn(options: SwapOptions): Promise<Journal> {
  const step = options.step ?? noStep;
  const operationId = requireOperationId(options.operationId);
  const roots = await Promise.all(
    options.roots.map(async ({ root, keep }) => ({ root: await requireRoot(root), keep: [...keep] })),
  );
  requireApart(roots);
  for (const { root, keep } of roots) await requireMovable(root, keep, operationId, step);

  const planned: Journal['roots'] = [];
  for (const { root, keep } of roots) {
    const staged = own.staged(root, operationId);
    await flushTree(staged, options.signal);
    planned.push({ root, keep, units: decideUnits(await topNames(root), await topNames(staged), keep) });
  }
  let journal = await prepare(newJournal(operationId, options.nowMs, planned), step);
  try {
    await writeMembers(journal, step);
    journal = await enterState(journal, 'moving', step);
    await moveForward(journal, options.guard ?? (async () => undefined), step, options.signal);
    return await enterState(journal, 'moved', step);
  } catch (err) {
    // From `prepared` the moves back find nothing to do; after a failed write of `moved` they find everything.
    await undoJournal(journal, step).catch((undoError: unknown) => {
      throw new AppError(
        'restore/blocked',
        `The restore failed and could not be undone at once: the folders of ${operationId} are not complete. Keep the backend stopped, mend what the log says, and restart ragwarden, which settles the journal.`,
        { cause: new AggregateError([err, undoError]) },
      );
    });
    throw err;
  }
}

/** Everything until the first record is on the disk; when that fails, nothing of it stays. */
async function prepare(journal: Journal, step: Step): Promise<Journal> {
  const { operationId, roots } = journal;
  try {
    for (const { root } of roots) {
      await step('undo-folder');
      await mkdir(own.undo(root, operationId), { mode: 0o700 });
      await flush(own.base(root));
      await flush(root);
    }
    return await enterState(journal, 'prepared', step);
  } catch (err) {
    for (const { root } of roots) {
      await rm(own.journal(root, operationId), { force: true });
      await rm(`${own.journal(root, operationId)}.new`, { force: true });
      await rmdir(own.undo(root, operationId)).catch(() => {});
    }
    throw blockedBy(err, `the restore of ${coordinatorOf(journal)} cannot be written down`);
  }
}

/** The new state was verified: it stays, and the old one waits in the undo folders. */
export async function finishSwap(roots: readonly string[], operationId: string, step: Step = noStep): Promise<void> {
  const journal = await requireJournal(roots, operationId);
  if (journal.state !== 'moved' && journal.state !== 'done') throw wrongState(journal);
  await finishJournal(journal, step);
}

/** Whether the record that ends a restore is on the disk: from then on the new state stands, whatever else fails. */
export async function isSwapDone(roots: readonly string[], operationId: string): Promise<boolean> {
  const journals = await findJournals(await realRoots(roots));
  return journals.some((journal) => journal.operationId === operationId && journal.state === 'done');
}

/** The new state did not verify: the old one comes back in all roots. @returns foreign files that were put aside */
export async function undoSwap(roots: readonly string[], operationId: string, step: Step = noStep): Promise<string[]> {
  const journal = await requireJournal(roots, operationId);
  if (journal.state !== 'moved' && journal.state !== 'undoing') throw wrongState(journal);
  return undoJournal(journal, step);
}

async function requireJournal(roots: readonly string[], operationId: string): Promise<Journal> {
  requireOperationId(operationId);
  const journals = await findJournals(await realRoots(roots));
  const found = journals.find((journal) => journal.operationId === operationId);
  if (found !== undefined) return found;
  throw new AppError('conflict/state', `There is no journal of the restore ${operationId} in these folders.`);
}

const wrongState = (journal: Journal): AppError =>
  new AppError(
    'conflict/state',
    `The restore ${journal.operationId} in ${coordinatorOf(journal)} is ${journal.state}; this is no longer possible.`,
  );

/** One root below another is a part of it, unless the outer one keeps it. */
function requireApart(roots: readonly SwapRoot[]): void {
  if (roots.length === 0) throw new AppError('restore/blocked', 'There is no folder to restore into.');
  for (const [i, outer] of roots.entries()) {
    for (const [j, inner] of roots.entries()) {
      if (i === j) continue;
      const [first = ''] = relative(outer.root, inner.root).split('/', 1);
      if (first !== '..' && (first === '' || !outer.keep.includes(first)))
        throw new AppError(
          'restore/blocked',
          `${inner.root} is a part of ${outer.root}; they cannot both be restored.`,
        );
    }
  }
}

/** Everything that can be known to go wrong, before anything moves; a real name is moved in and out to try it. */
async function requireMovable(root: string, keep: readonly string[], operationId: string, step: Step): Promise<void> {
  for (const id of await journalIds(root)) {
    const found = await readJournal(root, id);
    const journal = found?.role === 'member' ? await readJournal(found.coordinator, id) : found;
    if (id === operationId || journal?.role !== 'coordinator' || journal.state !== 'done')
      throw new AppError(
        'conflict/state',
        `The restore ${id} in ${root} is not settled. Restart ragwarden, which settles it.`,
      );
  }
  const staged = await lstat(own.staged(root, operationId)).catch(() => undefined);
  if (!staged?.isDirectory())
    throw new AppError('conflict/state', `Nothing is staged in ${root} for the restore ${operationId}.`);
  if (await isPresent(own.undo(root, operationId)))
    throw new AppError(
      'conflict/state',
      `${own.undo(root, operationId)} is already there. Restore under a new operation.`,
    );

  await makeOwnFolder(root);
  await tryMove(root, operationId, step);
  const keptAreStaged = (await topNames(own.staged(root, operationId))).filter((name) => keep.includes(name));
  const blockers = [
    ...(await obstaclesOf(root, new Set(keep))),
    ...mountBlockers(
      await mountPointsBelow(root),
      keep.map((name) => ({ name })),
    ),
    ...keptAreStaged.map((name) => `"${name}" is staged and must be left alone`),
  ];
  if (blockers.length > 0)
    throw new AppError('restore/blocked', `Nothing was changed in ${root}: ${blockers.slice(0, 5).join('; ')}.`);
}

async function tryMove(root: string, operationId: string, step: Step): Promise<void> {
  const inside = join(own.base(root), `probe-${operationId}`);
  const outside = join(root, `${probePrefix}${operationId}`);
  try {
    await mkdir(inside, { recursive: true, mode: 0o700 });
    await step('probe:out');
    await rename(inside, outside);
    await step('probe:in');
    await rename(outside, inside);
    await step('probe:remove');
    await rmdir(inside);
  } catch (err) {
    await rm(inside, { recursive: true, force: true }).catch(() => {});
    throw blockedBy(err, `names cannot be moved within ${root}`);
  }
}
