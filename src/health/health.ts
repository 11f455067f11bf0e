import type { Clock } from '../platform/clock.ts';
import type { CheckRunner } from './check-runner.ts';
import { type CheckView, type HealthCheck, type HealthWord, rankOf } from './health-check.ts';
import type { SeenWord, SeenWords } from './seen-words.ts';
import {
  countingChecks,
  decideVerdict,
  findReasons,
  type HealthReason,
  overallWord,
  type Verdict,
  wordInAll,
} from './verdict.ts';

export type HealthReport = {
  readonly status: HealthWord;
  readonly atMs: number;
  readonly checks: readonly CheckView[];
  /** What makes the word, the worst first. */
  readonly reasons: readonly HealthReason[];
  readonly answer: Verdict;
  readonly ingest: Verdict;
};

export type Health = {
  /** From what was last seen; never waits. */
  report(): HealthReport;
  /** After a look at everything, all at once. */
  freshReport(): Promise<HealthReport>;
  /** Starting is over, stopping has not begun, and our own parts work. */
  ready(): boolean;
  setReady(ready: boolean): void;
};

/** A slice that looks now may take so long; what it then tells is what it last saw. */
const refreshLimitMs = 10_000;

export function createHealth(options: {
  checks: readonly HealthCheck[];
  clock: Clock;
  /** Looks at what no slice looks at by itself. */
  runner?: CheckRunner;
  /** What was read of the others so far. */
  seen?: Pick<SeenWords, 'of'>;
}): Health {
  const { clock, runner, seen } = options;
  let open = false;

  const reportOf = (looked: readonly CheckView[]): HealthReport => {
    const checks = [...options.checks.map((check) => viewOfReading(check, seen?.of(check.name))), ...looked];
    const counting = countingChecks(checks);
    return {
      status: overallWord(counting.map(wordInAll)),
      atMs: clock.now(),
      checks,
      reasons: findReasons(checks),
      answer: decideVerdict(checks, 'answer'),
      ingest: decideVerdict(checks, 'ingest'),
    };
  };

  const refresh = async (check: HealthCheck): Promise<void> => {
    if (!check.refresh) return;
    const timer = new AbortController();
    const limit = clock.sleep(refreshLimitMs, timer.signal).catch(() => undefined);
    // What it could not see it says when it is read.
    await Promise.race([check.refresh(timer.signal).catch(() => undefined), limit]);
    timer.abort();
  };

  let fresh: Promise<HealthReport> | undefined;
  const lookNow = async (): Promise<HealthReport> => {
    const [looked] = await Promise.all([runner?.lookNow() ?? [], ...options.checks.map(refresh)]);
    return reportOf(looked);
  };

  const report = (): HealthReport => reportOf(runner?.views() ?? []);
  return {
    report,
    freshReport() {
      fresh ??= lookNow().finally(() => {
        fresh = undefined;
      });
      return fresh;
    },
    ready: () =>
      open &&
      report().checks.every((check) => check.about === 'watched' || rankOf(check.result.status) < rankOf('unhealthy')),
    setReady(ready) {
      open = ready;
    },
  };
}

function viewOfReading(check: HealthCheck, seen: SeenWord | undefined): CheckView {
  const result = check.read();
  return {
    name: check.name,
    kind: check.kind ?? 'application',
    about: check.about,
    neededFor: check.neededFor ?? [],
    targetId: check.targetId,
    result,
    looked: result.status,
    ...{ tookMs: undefined, flapping: false, failures: seen?.failures ?? 0, looks: seen?.looks ?? 0 },
    // A word that was not noted yet is younger than what is known.
    ...{ sinceMs: seen?.word === result.status ? seen.sinceMs : undefined, intervalMs: undefined },
  };
}
