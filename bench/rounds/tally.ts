/** Trials whose right end was known before, by what they were about. */
export type Tally = {
  note(kind: string, wrong: string | undefined, where: string): void;
  readonly trials: number;
  readonly wrong: number;
  /** Of the kinds, in the order in which they came first. */
  lines(): [string, number, number][];
};

export function createTally(): Tally {
  const kinds = new Map<string, { trials: number; wrong: number }>();
  const sum = (of: 'trials' | 'wrong'): number => [...kinds.values()].reduce((total, one) => total + one[of], 0);
  return {
    note(kind, wrong, where) {
      const seen = kinds.get(kind) ?? { trials: 0, wrong: 0 };
      kinds.set(kind, seen);
      seen.trials += 1;
      if (wrong === undefined) return;
      seen.wrong += 1;
      console.error(`WRONG ${where}: ${kind}: ${wrong}`);
    },
    get trials() {
      return sum('trials');
    },
    get wrong() {
      return sum('wrong');
    },
    lines: () => [...kinds].map(([kind, { trials, wrong }]) => [kind, trials, wrong]),
  };
}

/**
 * The share that is right with a certainty of 95 %, in percent: after n trials without a failure it is 0.05 ^ (1/n), about 1 − 3/n.
 * With failures, the share at which so few of them would come once in twenty times (Clopper and Pearson, one-sided).
 */
export function sureShare(trials: number, wrong: number): number {
  if (trials === 0 || wrong >= trials) return 0;
  let [low, high] = [wrong / trials, 1];
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2;
    if (atMost(wrong, trials, middle) > 0.05) low = middle;
    else high = middle;
  }
  return 100 * (1 - high);
}

/** How likely at most `most` of `trials` fail where each does with this chance. */
function atMost(most: number, trials: number, chance: number): number {
  let term = trials * Math.log1p(-chance);
  let sum = 0;
  for (let failed = 0; failed <= most; failed += 1) {
    sum += Math.exp(term);
    term += Math.log((trials - failed) / (failed + 1)) + Math.log(chance) - Math.log1p(-chance);
  }
  return sum;
}
