/** What a rule may have done when it fires. Nothing here names a program, a folder or a secret: those come from file or environment. */
export type AlertAction =
  | { readonly kind: 'run-cleanup-task'; readonly taskId: string }
  | { readonly kind: 'take-recovery-point'; readonly targetId: string }
  | { readonly kind: 'pause-inserts'; readonly targetId: string; readonly forSeconds: number }
  | {
      readonly kind: 'throttle-workspace';
      readonly targetId: string;
      readonly workspace: string;
      readonly requestsPerMinute: number;
      readonly forSeconds: number;
    };
export type ActionKind = AlertAction['kind'];

/** Does one kind of action; a port, wired in app/. */
export type RunAlertAction<A extends AlertAction = AlertAction> = {
  /** Says what would be done, without doing it. */
  describe(action: A): Promise<string>;
  /** Begins it (an operation where there is one) and says what was begun. */
  run(action: A, why: string): Promise<{ readonly detail: string; readonly operationId: string | null }>;
};

/** A kind without a runner is not available here, and the history says so. */
export type ActionRunners = {
  readonly [Kind in ActionKind]?: RunAlertAction<Extract<AlertAction, { readonly kind: Kind }>> | undefined;
};

/** The runner of an action, bound to it; undefined where nothing here can do it. */
export function findRunner(
  runners: ActionRunners,
  action: AlertAction,
): { describe(): Promise<string>; run(why: string): ReturnType<RunAlertAction['run']> } | undefined {
  // Each kind has the runner of its own kind, which the union of both cannot tell the compiler.
  const runner = runners[action.kind] as RunAlertAction | undefined;
  return runner && { describe: () => runner.describe(action), run: (why) => runner.run(action, why) };
}

export type RuleAction = {
  readonly action: AlertAction;
  /** `dry` says what would be done and does nothing. */
  readonly mode: 'dry' | 'run';
  /** Between two runs of it for one rule, milliseconds. */
  readonly atMostEveryMs: number;
};

/** What became of the action of an alert, as its history keeps it. */
export type ActionOutcome = {
  readonly kind: ActionKind;
  readonly mode: RuleAction['mode'];
  /**
   * `due` → `running` → `begun` or `failed`; `dry`, `skipped` (done too lately) and `unavailable` do nothing. `unknown`: ragwarden ended
   * while it ran, and it is not run again.
   */
  readonly state: 'due' | 'running' | 'dry' | 'begun' | 'failed' | 'skipped' | 'unavailable' | 'unknown';
  readonly detail: string;
  readonly operationId: string | null;
  readonly atMs: number;
};
