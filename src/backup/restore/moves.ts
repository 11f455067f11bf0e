import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, systemCode } from '../../platform/errors.ts';
import { ownFolder } from '../sources/tree.ts';
import { flush, isPresent } from './durable.ts';
import type { Journal, JournalRoot } from './journal.ts';
import { own, type Step } from './layout.ts';
import { topNames } from './survey.ts';

/** Asked before every move: the reason why the restore must not go on (the backend is back), or undefined. */
export type Guard = () => Promise<string | undefined>;

/** The places a unit of one root can be in. */
function places(journal: Journal, { root }: JournalRoot, name: string): { live: string; staged: string; undo: string } {
  return {
    live: join(root, name),
    staged: join(own.staged(root, journal.operationId), name),
    undo: join(own.undo(root, journal.operationId), name),
  };
}

/**
 * State `moving`: every old name of every root leaves, then every new name comes in. Between the two the folders are empty
 * rather than mixed. Throws at the first thing that is not as planned; the caller then moves back.
 */
export async function moveForward(journal: Journal, guard: Guard, step: Step, signal?: AbortSignal): Promise<void> {
  const check = async (): Promise<void> => {
    signal?.throwIfAborted();
    const reason = await guard();
    if (reason !== undefined) throw reappeared(reason);
  };
  for (const root of journal.roots) {
    for (const unit of root.units.filter(({ old }) => old)) {
      const { live, undo } = places(journal, root, unit.name);
      await check();
      await step(`out:${unit.name}`);
      await moveOrExplain(live, undo);
    }
    await step('out:flush');
    await flush(root.root);
    await flush(own.undo(root.root, journal.operationId));
  }
  for (const root of journal.roots) {
    for (const unit of root.units.filter((each) => each.new)) {
      const { live, staged } = places(journal, root, unit.name);
      await check();
      if (await isPresent(live)) throw reappeared(`"${unit.name}" was written anew in ${root.root}`);
      await step(`in:${unit.name}`);
      await moveOrExplain(staged, live);
    }
    await step('in:flush');
    await flush(root.root);
    await flush(own.staged(root.root, journal.operationId));
  }
  await check();
  for (const root of journal.roots) {
    const expected = new Set([
      ownFolder,
      ...root.keep,
      ...root.units.filter((each) => each.new).map(({ name }) => name),
    ]);
    const strange = (await topNames(root.root)).find((name) => !expected.has(name));
    if (strange !== undefined) throw reappeared(`"${strange}" was written in ${root.root}`);
  }
}

/**
 * State `undoing`: brings back exactly the old names, from any point a forward or backward move was cut off at; may itself
 * be cut off and called again. A foreign file that took the place of an old name meanwhile is put into the stray folder.
 * @returns the foreign files that were put aside
 */
export async function moveBack(journal: Journal, step: Step): Promise<string[]> {
  const strays: string[] = [];
  for (const root of journal.roots) {
    // Either may be gone when a crash of the machine lost what was not flushed; they are only places to move to.
    await mkdir(own.staged(root.root, journal.operationId), { recursive: true, mode: 0o700 });
    await mkdir(own.undo(root.root, journal.operationId), { recursive: true, mode: 0o700 });
    for (const unit of root.units.toReversed()) {
      const { live, staged, undo } = places(journal, root, unit.name);
      if (!unit.new || (await isPresent(staged)) || !(await isPresent(live))) continue;
      // An old name that is not in the undo folder is still, or again, in its place: what lies there is not ours to move.
      if (unit.old && !(await isPresent(undo))) continue;
      await step(`back:${unit.name}`);
      await rename(live, staged);
    }
    await step('back:flush');
    await flush(root.root);
    await flush(own.staged(root.root, journal.operationId));
  }
  for (const root of journal.roots) {
    for (const unit of root.units.toReversed()) {
      const { live, undo } = places(journal, root, unit.name);
      if (!unit.old || !(await isPresent(undo))) continue;
      if (await isPresent(live)) strays.push(await putAside(journal, root, unit.name, step));
      await step(`return:${unit.name}`);
      await rename(undo, live);
    }
    await step('return:flush');
    await flush(root.root);
    await flush(own.undo(root.root, journal.operationId));
  }
  return strays;
}

async function putAside(journal: Journal, root: JournalRoot, name: string, step: Step): Promise<string> {
  const folder = own.stray(root.root, journal.operationId);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let place = join(folder, name);
  for (let n = 2; await isPresent(place); n += 1) place = join(folder, `${n}-${name}`);
  await step(`stray:${name}`);
  await rename(join(root.root, name), place);
  return place;
}

const reappeared = (reason: string): AppError =>
  new AppError(
    'restore/server-reappeared',
    `The restore was undone because the backend came back: ${reason}. Stop it, make sure that nothing starts it again, and retry.`,
  );

async function moveOrExplain(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (err) {
    const code = systemCode(err);
    if (code === 'ENOENT')
      throw new AppError('restore/plan-changed', `${from} is no longer there. The restore was undone; plan it again.`, {
        cause: err,
      });
    throw new AppError('restore/blocked', `${from} cannot be moved (${code}). The restore was undone.`, { cause: err });
  }
}
