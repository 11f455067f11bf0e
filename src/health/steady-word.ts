import { type HealthWord, rankOf } from './health-check.ts';

/**
 * What keeps a word from flapping. Worse: the last two looks were, or three of the last eight. Better: the last three were. What went
 * bad three times within an hour is flapping, and gets better only after half an hour without a bad look.
 */
export type Steadiness = {
  /** Undefined before the first look, whose word counts at once. */
  readonly word: HealthWord | undefined;
  readonly sinceMs: number;
  readonly flapping: boolean;
  /** Newest last. */
  readonly recent: readonly HealthWord[];
  /** When it went to a bad word, newest last. */
  readonly worsenedMs: readonly number[];
  /** When a look was last at least as bad as the word. */
  readonly badMs: number;
};

export const unseen: Steadiness = {
  word: undefined,
  sinceMs: 0,
  flapping: false,
  recent: [],
  worsenedMs: [],
  badMs: 0,
};

const looksKept = 8;
const badOfKept = 3;
const goodInARow = 3;
export const flapCount = 3;
export const flapWindowMs = 3_600_000;
export const flapQuietMs = 1_800_000;

export function noteLook(before: Steadiness, looked: HealthWord, nowMs: number): Steadiness {
  const recent = [...before.recent, looked].slice(-looksKept);
  const { word } = before;
  if (word === undefined)
    return {
      ...before,
      ...{ word: looked, sinceMs: nowMs, recent, badMs: nowMs },
      worsenedMs: isBad(looked) ? [nowMs] : [],
    };
  const rank = rankOf(looked);
  if (rank > rankOf(word)) {
    const worse = recent.filter((one) => rankOf(one) > rankOf(word));
    const twice = recent.slice(-2).every((one) => rankOf(one) > rankOf(word));
    if (!twice && worse.length < badOfKept) return { ...before, recent, badMs: nowMs };
    const worsenedMs = before.worsenedMs.filter((atMs) => nowMs - atMs < flapWindowMs);
    // From bad to worse is one outage that grows.
    if (isBad(looked) && !isBad(word)) worsenedMs.push(nowMs);
    const flapping = before.flapping || worsenedMs.length >= flapCount;
    return { word: looked, sinceMs: nowMs, flapping, recent, worsenedMs, badMs: nowMs };
  }
  if (rank === rankOf(word)) return { ...before, recent, badMs: nowMs };
  const lately = recent.slice(-goodInARow);
  const better = lately.length === goodInARow && lately.every((one) => rankOf(one) < rankOf(word));
  if (!better || (before.flapping && nowMs - before.badMs < flapQuietMs)) return { ...before, recent };
  const to = lately.reduce((worst, one) => (rankOf(one) > rankOf(worst) ? one : worst));
  return { ...before, word: to, sinceMs: nowMs, flapping: before.flapping && isBad(to), recent, badMs: nowMs };
}

const isBad = (word: HealthWord): boolean => rankOf(word) >= rankOf('degraded');
