import { type HealthWord, rankOf } from './health-check.ts';

/** What was read so far of a check that its slice looks at by itself. */
export type SeenWord = {
  readonly word: HealthWord;
  /** When it was first read so; whatever stood before has been read as something else. */
  readonly sinceMs: number;
  readonly looks: number;
  /** Of these, how often it was degraded or worse. That nobody knows is no failure. */
  readonly failures: number;
};

export type SeenWords = {
  note(name: string, word: HealthWord, nowMs: number): void;
  /** Undefined before it was read for the first time. */
  of(name: string): SeenWord | undefined;
};

/** The health watch notes here what it reads, so that the views can tell since when and how often. */
export function createSeenWords(): SeenWords {
  const seen = new Map<string, SeenWord>();
  return {
    note(name, word, nowMs) {
      const before = seen.get(name);
      const bad = rankOf(word) >= rankOf('degraded');
      seen.set(name, {
        word,
        sinceMs: before?.word === word ? before.sinceMs : nowMs,
        looks: (before?.looks ?? 0) + 1,
        failures: (before?.failures ?? 0) + (bad ? 1 : 0),
      });
    },
    of: (name) => seen.get(name),
  };
}
