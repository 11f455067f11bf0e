import { createHash } from 'node:crypto';
import type { Pattern } from './pattern.ts';

/** A pattern with its name, and the instance that has it; null: all that share the state. */
export type FoundPattern = Pattern & { readonly id: string; readonly instance: string | null };

/** The same, and how long it is known. */
export type KnownPattern = FoundPattern & {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Not found any more since. */
  readonly endedMs: number | null;
  /** When an event told it; null: it was never that sure. */
  readonly toldMs: number | null;
};

/** As sure as this, an event tells it. */
const sureEnough = 0.9;
/** Figures sway around a threshold; what was found is over when it was not found for an hour. */
const holdMs = 3_600_000;
/** Of what nobody could look at in between nothing is over sooner: no data is no sign that a cause is gone. */
const unseenMs = 7 * 86_400_000;
/** What comes back within a day is told no second time. */
export const forgottenMs = 86_400_000;

export type Look = {
  readonly nowMs: number;
  /** Whether there was enough of it to find something. */
  judged(key: string): boolean;
};

export const isOver = (
  { key, lastSeenMs }: { readonly key: string; readonly lastSeenMs: number },
  { nowMs, judged }: Look,
): boolean => nowMs - lastSeenMs >= (judged(key) ? holdMs : unseenMs);

export const hashOf = (...words: readonly string[]): string =>
  createHash('sha256').update(words.join('\u0000')).digest('hex').slice(0, 12);

/** The same for the same thing of the same resource, whenever it is seen, and by whomever where it is one thing for all. */
export const patternId = (instance: string | null, { type, key, metadata }: Pattern): string =>
  `pt_${hashOf(instance ?? '', type, key, String(metadata.leader ?? ''), String(metadata.measure ?? ''))}`;

export type PatternChange = {
  readonly pattern: KnownPattern;
  readonly change: 'found' | 'kept' | 'ended';
  /** For the first time it is as sure as that somebody is to be told. */
  readonly tells: boolean;
};

/**
 * What this look means for what is known. A pattern is kept as long as it is found, and an hour more; then it has ended. Only what changed is
 * returned.
 * @param known those that have not ended, and those that ended within the last day
 */
export function decidePatterns(
  known: readonly KnownPattern[],
  found: readonly FoundPattern[],
  look: Look,
): PatternChange[] {
  const { nowMs } = look;
  const before = new Map(known.map((one) => [one.id, one]));
  const changes = found.map((one): PatternChange => {
    const last = before.get(one.id);
    const isNew = last === undefined || last.endedMs !== null;
    const comesBack = last !== undefined && nowMs - last.lastSeenMs < forgottenMs;
    const toldMs = isNew && !comesBack ? null : (last?.toldMs ?? null);
    const tells = toldMs === null && one.confidence >= sureEnough;
    return {
      ...{ change: isNew ? 'found' : 'kept', tells },
      pattern: {
        ...{ ...one, firstSeenMs: isNew ? nowMs : last.firstSeenMs, lastSeenMs: nowMs, endedMs: null },
        toldMs: tells ? nowMs : toldMs,
      },
    };
  });
  const seen = new Set(found.map(({ id }) => id));
  for (const one of known)
    if (one.endedMs === null && !seen.has(one.id) && isOver(one, look))
      changes.push({ change: 'ended', tells: false, pattern: { ...one, endedMs: nowMs } });
  return changes;
}

/** What an instance found that is gone for an hour, or that looked for a week no more: nobody sees any more whether it is so. */
export function endOfGone<Known extends { readonly instance: string | null; readonly lastSeenMs: number }>(
  known: readonly Known[],
  instances: ReadonlyMap<string, number>,
  nowMs: number,
): Known[] {
  return known.filter(
    ({ instance, lastSeenMs }) =>
      instance !== null &&
      (nowMs - Math.max(lastSeenMs, instances.get(instance) ?? 0) >= holdMs || nowMs - lastSeenMs >= unseenMs),
  );
}
