import type { Clock } from '../platform/clock.ts';

export const healthWords = ['healthy', 'unknown', 'degraded', 'unhealthy', 'critical'] as const;
export type HealthWord = (typeof healthWords)[number];

export type CheckResult = {
  readonly status: HealthWord;
  /** One sentence: what was seen. Shown to admins only. */
  readonly message: string;
  /** When it was looked at; undefined when it never was. */
  readonly atMs: number | undefined;
  readonly observedValue?: number | string;
  readonly observedUnit?: string;
};

/** Handed in by a slice. `read` answers from what was last seen and never waits. */
export type HealthCheck = {
  readonly name: string;
  /** `watched`: the backend and its data; `own`: this process. Only `own` decides readiness. */
  readonly about: 'watched' | 'own';
  read(): CheckResult;
};

export type HealthReport = {
  readonly status: HealthWord;
  readonly atMs: number;
  readonly checks: readonly {
    readonly name: string;
    readonly about: 'watched' | 'own';
    readonly result: CheckResult;
  }[];
};

/**
 * The worst of the checks, where an unknown one is worse than a healthy one and better than a bad one. Nothing was checked:
 * unknown.
 */
export function overallWord(words: readonly HealthWord[]): HealthWord {
  if (words.length === 0) return 'unknown';
  return words.reduce((worst, word) => (healthWords.indexOf(word) > healthWords.indexOf(worst) ? word : worst));
}

export type Health = {
  report(): HealthReport;
  /** Starting is over, stopping has not begun, and our own parts work. */
  ready(): boolean;
  setReady(ready: boolean): void;
};

export function createHealth(options: { checks: readonly HealthCheck[]; clock: Clock }): Health {
  let open = false;
  const report = (): HealthReport => {
    const checks = options.checks.map((check) => ({ name: check.name, about: check.about, result: check.read() }));
    // That we ourselves are well says nothing about what is watched; that we are not does.
    const counting = checks.filter((check) => check.about === 'watched' || check.result.status !== 'healthy');
    return { status: overallWord(counting.map((check) => check.result.status)), atMs: options.clock.now(), checks };
  };
  return {
    report,
    ready: () =>
      open &&
      report().checks.every(
        (check) => check.about === 'watched' || !['unhealthy', 'critical'].includes(check.result.status),
      ),
    setReady(ready) {
      open = ready;
    },
  };
}
