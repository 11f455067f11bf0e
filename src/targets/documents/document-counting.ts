import { type BackendDocument, outcomeOf } from './document.ts';

/**
 * How far ends of documents were counted, in the backend's own time. Kept in the database together with the counts, so that what
 * ended while nobody looked is counted afterwards, and nothing is counted twice.
 */
export type Counted = {
  /** The newest change that was seen; 0 when there was no document at the first look. */
  readonly upToMs: number;
  /** Ends that were counted and lie so near to `upToMs` that the backend may still write others between them. */
  readonly recent: readonly string[];
};

/** Several documents are worked on at once, and the one that changed first is not always written first. */
export const overlapMs = 60_000;

/** One end: a document that fails, is tried again and succeeds has two. */
const endOf = ({ id, updatedMs }: BackendDocument): string => `${updatedMs} ${id}`;
const timeOf = (end: string): number => Number.parseInt(end, 10);

/** The page is the last that is needed: what follows was counted before. */
export const reachesBack = (before: Counted | undefined, page: readonly BackendDocument[]): boolean =>
  before === undefined || page.some((one) => one.updatedMs < before.upToMs - overlapMs);

/**
 * @param before undefined at the first look: what ended earlier was not seen to end, and is not counted
 * @param seen those that changed last, at least back to `before.upToMs - overlapMs`
 */
export function countEnded(
  before: Counted | undefined,
  seen: readonly BackendDocument[],
): { readonly ended: readonly BackendDocument[]; readonly counted: Counted } {
  const known = new Set(before?.recent);
  const done = new Map(seen.filter((one) => outcomeOf(one) !== undefined).map((one) => [endOf(one), one]));
  const upToMs = Math.max(before?.upToMs ?? 0, ...seen.map((one) => one.updatedMs));
  const ended =
    before === undefined
      ? []
      : [...done].filter(([end]) => timeOf(end) >= before.upToMs - overlapMs && !known.has(end)).map(([, one]) => one);
  const recent = [...new Set([...known, ...done.keys()])].filter((end) => timeOf(end) >= upToMs - overlapMs).sort();
  return { ended, counted: { upToMs, recent } };
}
