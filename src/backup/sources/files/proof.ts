import type { Proof } from '../source.ts';
import { type LiveEntry, type Stamp, sameStamp } from './scan.ts';

/** How the backend writes: by renaming a finished file over the old one, or into the file itself. */
export type Writer = 'atomic' | 'in-place';

/** Paths that appeared, vanished or changed between two looks. Folders count by presence: their times move with siblings. */
export function movedPaths(before: ReadonlyMap<string, Stamp>, after: readonly LiveEntry[]): string[] {
  const moved: string[] = [];
  const seen = new Set<string>();
  for (const entry of after) {
    seen.add(entry.path);
    const earlier = before.get(entry.path);
    if (earlier === undefined) moved.push(entry.path);
    else if (entry.kind === 'dir' ? earlier.ino !== entry.stamp.ino : !sameStamp(earlier, entry.stamp))
      moved.push(entry.path);
  }
  for (const path of before.keys()) if (!seen.has(path)) moved.push(path);
  return moved.sort();
}

export type ProofFacts = {
  readonly moved: readonly string[];
  readonly writer: Writer;
  readonly idleBefore: boolean | undefined;
  readonly idleAfter: boolean | undefined;
  /** What files are while the backend works: what it takes up again afterwards, or a mixture of old and new ones. */
  readonly whileBusy?: 'resumed' | 'mixed';
  /** The names that must come first did come first. */
  readonly orderKept: boolean;
  /** Files that never held still while they were copied. */
  readonly torn: readonly string[];
  /** Files seen to be written in place although the writer was said to be atomic. */
  readonly belied: readonly string[];
};

/**
 * The grade of a capture, from what was seen and from nothing else.
 * *consistent*: nothing moved and the pipeline was not seen at work, so the files are of one moment.
 * *crash-consistent*: each file is whole, and the state is one the backend also finds after a power cut.
 * *fuzzy*: neither can be shown.
 */
export function decideProof(facts: ProofFacts): Proof {
  const reasons: string[] = [];
  if (facts.torn.length > 0) reasons.push(`changed during every attempt to copy: ${listed(facts.torn)}`);
  if (facts.belied.length > 0)
    reasons.push(`written in place although the backend was said to replace files: ${listed(facts.belied)}`);
  if (facts.whileBusy === 'mixed' && (facts.idleBefore === false || facts.idleAfter === false))
    reasons.push('a run was writing its tables, so old and new ones are mixed');
  if (!facts.orderKept) reasons.push('the document status appeared after other files had been captured');
  if (reasons.length > 0) return { grade: 'fuzzy', reasons };

  if (facts.moved.length > 0) {
    const moved = `moved during the capture: ${listed(facts.moved)}`;
    return facts.writer === 'atomic'
      ? { grade: 'crash-consistent', reasons: [moved, 'every file is whole and the document status was taken first'] }
      : { grade: 'fuzzy', reasons: [moved, 'the backend writes into its files'] };
  }
  if (facts.idleBefore === false || facts.idleAfter === false)
    return {
      grade: 'crash-consistent',
      reasons: ['nothing moved, but the pipeline was at work: documents in flight are taken up again after a restore'],
    };
  return {
    grade: 'consistent',
    reasons: [
      facts.idleBefore === true && facts.idleAfter === true
        ? 'nothing moved during the capture and the pipeline rested'
        : 'nothing moved during the capture; whether the pipeline rested is not known',
    ],
  };
}

function listed(paths: readonly string[]): string {
  const shown = paths.slice(0, 20).join(', ');
  return paths.length > 20 ? `${shown} and ${paths.length - 20} more` : shown;
}
