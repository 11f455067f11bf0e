import { AppError, describeError, systemCode } from '../../platform/errors.ts';
import { foldTree } from './fold.mjs';

export type FoldedTree = {
  /** Files that were put back together, and others that are as they were captured. */
  readonly folded: number;
  readonly checked: number;
  /** A sentence for each file that is not. */
  readonly faults: readonly string[];
};

/**
 * Folds what restic alone restored, in its place. May be called again: what is there and agrees stays.
 * @param folder what restic was given as target
 * @throws AppError `request/not-found` when no point was restored there, `restore/unsafe-entry` when its lists cannot be believed
 */
export function foldRestored(folder: string): FoldedTree {
  const faults: string[] = [];
  try {
    const { folded, checked } = foldTree(folder, (fault) => faults.push(fault));
    return { folded, checked, faults };
  } catch (err) {
    if (systemCode(err) === 'ENOENT')
      throw new AppError(
        'request/not-found',
        `${folder} does not hold a recovery point: manifest.json or a list that it names is missing. Name the folder that restic restored into.`,
        { cause: err },
      );
    throw new AppError('restore/unsafe-entry', `${folder} cannot be folded: ${describeError(err)}.`, { cause: err });
  }
}
