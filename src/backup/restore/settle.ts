import { readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, systemCode } from '../../platform/errors.ts';
import { flush } from './durable.ts';
import {
  coordinatorOf,
  enterState,
  type Journal,
  type JournalState,
  journalIds,
  membersOf,
  ownNames,
  readJournal,
} from './journal.ts';
import { noStep, own, type Step } from './layout.ts';
import { moveBack } from './moves.ts';

/** How an unfinished restore ended: with exactly the old or exactly the new state in all its roots. */
export type SettledSwap = {
  readonly operationId: string;
  readonly outcome: 'old' | 'new';
  /** The state it was found in. */
  readonly found: JournalState;
  readonly roots: readonly string[];
  /** Foreign files that had taken the place of old ones; they lie here now. */
  readonly strays: readonly string[];
};

export type Settlement = {
  readonly settled: readonly SettledSwap[];
  /** Staging and half-discarded folders that belonged to nothing and were removed. */
  readonly removed: readonly string[];
};

export type SettleOptions = {
  /**
   * Asked when all had moved and nobody had confirmed it: `finish` keeps the new state (the default), `undo` brings back
   * the old one, for a new state that does not verify.
   */
  readonly onMoved?: (journal: Journal) => Promise<'finish' | 'undo'>;
  readonly step?: Step;
};

/**
 * Ends every restore that was cut off in these roots, and removes what a cut-off preparation left. To be called at start,
 * with all folders of a target together, by whoever holds its lease, before anything else touches them. Idempotent; may be
 * killed at any point and called again.
 * @param roots folders that restores may have touched; one that does not exist is passed over
 * @throws AppError `conflict/state` when a journal names a folder that is not among them or cannot be understood
 */
export async function settleJournals(roots: readonly string[], options: SettleOptions = {}): Promise<Settlement> {
  const step = options.step ?? noStep;
  const known = await realRoots(roots);
  const settled: SettledSwap[] = [];
  for (const journal of await findJournals(known)) {
    const outcome = await settleOne(journal, known, options, step);
    if (outcome !== undefined) settled.push(outcome);
  }
  const removed: string[] = [];
  for (const root of known) removed.push(...(await removeLeftovers(root, step)));
  return { settled, removed };
}

export async function realRoots(roots: readonly string[]): Promise<string[]> {
  const found = await Promise.all(roots.map((root) => realpath(root).catch(() => undefined)));
  return [...new Set(found.filter((root) => root !== undefined))];
}

/** Every journal that these roots hold or point to, each once. Member files without a journal are removed when harmless. */
export async function findJournals(known: readonly string[]): Promise<Journal[]> {
  const journals = new Map<string, Journal>();
  for (const root of known) {
    for (const operationId of await journalIds(root)) {
      let found = await readJournal(root, operationId);
      if (found?.role === 'member') {
        if (!known.includes(found.coordinator)) throw unknownRoot(found.coordinator, operationId);
        const coordinator = await readJournal(found.coordinator, operationId);
        if (coordinator === undefined) await dropOrphanedMember(root, operationId);
        found = coordinator;
      }
      if (found?.role === 'coordinator') journals.set(`${coordinatorOf(found)}\0${operationId}`, found);
    }
  }
  return [...journals.values()];
}

/** The journal goes last, so a member without one has nothing left to move; if it has, somebody else removed the journal. */
async function dropOrphanedMember(root: string, operationId: string): Promise<void> {
  const left = await readdir(own.undo(root, operationId)).catch(() => []);
  if (left.length > 0)
    throw new AppError(
      'conflict/state',
      `The journal of the restore ${operationId} is gone, and old files still lie in ${own.undo(root, operationId)}. Move back by hand what is wanted, then remove that folder.`,
    );
  await rm(own.journal(root, operationId), { force: true });
}

async function settleOne(
  journal: Journal,
  known: readonly string[],
  options: SettleOptions,
  step: Step,
): Promise<SettledSwap | undefined> {
  const summary = {
    operationId: journal.operationId,
    found: journal.state,
    roots: journal.roots.map(({ root }) => root),
  };
  if (journal.state === 'done') {
    await cleanDone(journal, step);
    return undefined;
  }
  for (const { root } of journal.roots) if (!known.includes(root)) throw unknownRoot(root, journal.operationId);
  switch (journal.state) {
    case 'prepared':
    case 'undone':
      // Nothing has moved yet, or all has come back.
      await cleanUndone(await enterState(journal, 'undone', step), step);
      return { ...summary, outcome: 'old', strays: [] };
    case 'moving':
    case 'undoing':
      return { ...summary, outcome: 'old', strays: await undoJournal(journal, step) };
    case 'moved':
      if ((await options.onMoved?.(journal)) === 'undo')
        return { ...summary, outcome: 'old', strays: await undoJournal(journal, step) };
      await finishJournal(journal, step);
      return { ...summary, outcome: 'new', strays: [] };
  }
}

/** From `moving`, `moved` or `undoing` to the old state. */
export async function undoJournal(journal: Journal, step: Step): Promise<string[]> {
  const undoing = journal.state === 'undoing' ? journal : await enterUndoing(journal, step);
  const strays = await moveBack(undoing, step);
  await cleanUndone(await enterUndone(undoing, step), step);
  return strays;
}

/**
 * A full disk must not keep the old state out. `undoing` only has to be written down to take back a `moved`; where the file
 * still says less, a crash leads to the same moves back anyway.
 */
async function enterUndoing(journal: Journal, step: Step): Promise<Journal> {
  try {
    return await enterState(journal, 'undoing', step);
  } catch (err) {
    const written = await readJournal(coordinatorOf(journal), journal.operationId);
    if (written?.role === 'coordinator' && (written.state === 'prepared' || written.state === 'moving')) return written;
    throw err;
  }
}

/** All old names are back, so what is staged may go to make room for the record. */
async function enterUndone(journal: Journal, step: Step): Promise<Journal> {
  try {
    return await enterState(journal, 'undone', step);
  } catch {
    await cleanDone(journal, step);
    return enterState(journal, 'undone', step);
  }
}

/** From `moved` to `done`. */
export async function finishJournal(journal: Journal, step: Step): Promise<void> {
  await cleanDone(await enterState(journal, 'done', step), step);
}

async function cleanDone(journal: Journal, step: Step): Promise<void> {
  for (const { root } of journal.roots) {
    await step('clean:staged');
    await rm(own.staged(root, journal.operationId), { recursive: true, force: true });
  }
}

async function cleanUndone(journal: Journal, step: Step): Promise<void> {
  for (const { root } of journal.roots) {
    await step('clean:staged');
    await rm(own.staged(root, journal.operationId), { recursive: true, force: true });
    await step('clean:undo');
    await removeEmpty(own.undo(root, journal.operationId));
  }
  for (const { root } of membersOf(journal)) {
    await step('clean:member');
    await rm(own.journal(root, journal.operationId), { force: true });
    await flush(own.base(root));
  }
  await step('clean:journal');
  await rm(own.journal(coordinatorOf(journal), journal.operationId), { force: true });
  await flush(own.base(coordinatorOf(journal)));
  await step('clean:end');
}

/** Only when empty: an old file that is still in there is never thrown away. */
async function removeEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (err) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(systemCode(err) ?? '')) throw err;
  }
}

/** Of no use to anybody once their maker is gone, whatever the journal says. */
const disposable = new Set(['incoming', 'discarding', 'probe']);

/** What a kill before the journal, or while discarding, leaves behind. Undo folders with something in them stay. */
async function removeLeftovers(root: string, step: Step): Promise<string[]> {
  const removed: string[] = [];
  const journals = new Set(await journalIds(root));
  for (const name of await ownNames(root)) {
    const path = join(own.base(root), name);
    const [, kind, operationId = ''] = /^(restore|incoming|undo|discarding|probe)-(.+)$/.exec(name) ?? [];
    const isHalfJournal = /^journal-.+\.json\.new$/.test(name);
    if (!isHalfJournal && (kind === undefined || (!disposable.has(kind) && journals.has(operationId)))) continue;
    await step(`leftover:${name}`);
    if (kind === 'undo') await removeEmpty(path);
    else {
      await rm(path, { recursive: true, force: true });
      removed.push(path);
    }
  }
  for (const name of (await readdir(root)).filter((each) => each.startsWith(probePrefix))) {
    await step('leftover:probe');
    await removeEmpty(join(root, name));
  }
  return removed;
}

/** An empty folder that stands in the root for a moment while it is tried whether names can move there. */
export const probePrefix = '.ragwarden-probe-';

const unknownRoot = (root: string, operationId: string): AppError =>
  new AppError(
    'conflict/state',
    `The unfinished restore ${operationId} also concerns ${root}, which is not one of the folders of this target or is not mounted. Make it reachable and start again.`,
  );
