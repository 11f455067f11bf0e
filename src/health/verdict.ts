import { type Ability, type CheckView, type HealthWord, rankOf } from './health-check.ts';

export type HealthReason = { readonly check: string; readonly status: HealthWord; readonly message: string };

export type Verdict = {
  /** Undefined: nobody knows. */
  readonly can: boolean | undefined;
  /** What stands against it, or why nobody knows; where it can, what it does so in spite of. */
  readonly reasons: readonly HealthReason[];
};

/**
 * The worst of the checks, where an unknown one is worse than a healthy one and better than a bad one. Nothing was checked:
 * unknown.
 */
export function overallWord(words: readonly HealthWord[]): HealthWord {
  if (words.length === 0) return 'unknown';
  return words.reduce((worst, word) => (rankOf(word) > rankOf(worst) ? word : worst));
}

/**
 * What a check puts into the overall word: something outside that nothing is needed for degrades, and never more; else the word of the
 * check.
 */
export const wordInAll = ({ kind, neededFor, result }: CheckView): HealthWord =>
  kind === 'external' && neededFor.length === 0 && rankOf(result.status) > rankOf('degraded')
    ? 'degraded'
    : result.status;

/** That we ourselves are well says nothing about what is watched; that we are not does. */
export const countingChecks = (checks: readonly CheckView[]): readonly CheckView[] =>
  checks.filter((check) => check.about === 'watched' || check.result.status !== 'healthy');

const reasonOf = ({ name, result }: CheckView): HealthReason => ({
  check: name,
  status: result.status,
  message: result.message,
});

/** Everything that is not healthy, the worst first. */
export const findReasons = (checks: readonly CheckView[]): readonly HealthReason[] =>
  checks
    .filter(({ result }) => result.status !== 'healthy')
    .sort((a, b) => rankOf(b.result.status) - rankOf(a.result.status))
    .map(reasonOf);

const blockedBy = ({ result, neededFor }: CheckView, ability: Ability): boolean =>
  (result.blocks ?? (result.status === 'unhealthy' ? neededFor : [])).includes(ability);

/**
 * Not when a check says that it is impossible; unknown when something that is needed was not looked at, or nothing that is needed is
 * looked at at all; else it can, whatever else is wrong.
 */
export function decideVerdict(checks: readonly CheckView[], ability: Ability): Verdict {
  const against = checks.filter((check) => blockedBy(check, ability));
  if (against.length > 0) return { can: false, reasons: findReasons(against) };
  const needed = checks.filter(({ neededFor }) => neededFor.includes(ability));
  const unseen = needed.filter(({ result }) => result.status === 'unknown');
  if (needed.length === 0 || unseen.length > 0) return { can: undefined, reasons: findReasons(unseen) };
  return { can: true, reasons: findReasons(needed) };
}
