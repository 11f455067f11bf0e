export const healthWords = ['healthy', 'unknown', 'degraded', 'unhealthy', 'critical'] as const;
export type HealthWord = (typeof healthWords)[number];

/** How bad a word is: unknown is worse than healthy and better than anything that is known to be bad. */
export const rankOf = (word: HealthWord): number => healthWords.indexOf(word);

export const checkKinds = ['database', 'cache', 'external', 'system', 'application'] as const;
export type CheckKind = (typeof checkKinds)[number];

/** What a backend is there for. A check says which of it fails with the thing that it looks at. */
export const abilities = ['answer', 'ingest'] as const;
export type Ability = (typeof abilities)[number];

export type CheckFact = number | string | boolean | null;
export type CheckFacts = Readonly<Record<string, CheckFact>>;

export type CheckResult = {
  readonly status: HealthWord;
  /** One sentence: what was seen. Shown to admins only. */
  readonly message: string;
  /** When it was looked at; undefined when it never was. */
  readonly atMs: number | undefined;
  readonly observedValue?: number | string;
  readonly observedUnit?: string;
  /** Whatever else was seen, by names with their unit (`max_memory_mb`). */
  readonly details?: CheckFacts;
  /** Single looks, each with its `status`: `connection`, `query_performance`. */
  readonly checks?: Readonly<Record<string, CheckFacts>>;
  /** Figures by what they are of: `pool`, `storage`, `memory`. */
  readonly metrics?: Readonly<Record<string, CheckFacts>>;
  /** What is impossible now. Unless told: everything that the thing is needed for when it is unhealthy, else nothing. */
  readonly blocks?: readonly Ability[];
};

type Described = {
  /** Of its own among all checks: `database default`, `redis default`, `llm openai`. */
  readonly name: string;
  readonly kind?: CheckKind;
  /** `watched`: the backend and its data; `own`: this process. Only `own` decides readiness. */
  readonly about: 'watched' | 'own';
  readonly neededFor?: readonly Ability[];
  /** The target it looks at, where it is one; a label of its metrics. */
  readonly targetId?: string;
};

/** Handed in by a slice that looks by itself. `read` answers from what was last seen and never waits. */
export type HealthCheck = Described & {
  read(): CheckResult;
  /** Looks now, for who asks for fresh results; what it finds is read afterwards. */
  refresh?(signal: AbortSignal): Promise<unknown>;
  /** Its slice writes the event of a change itself. */
  readonly tellsChanges?: boolean;
};

/** Handed in by a slice that has no life of its own for it: the runner looks, in the background and on demand. */
export type LookingCheck = Described & {
  readonly kind: CheckKind;
  readonly neededFor: readonly Ability[];
  /** Read at each wait, so that it may change while we run. */
  readonly intervalMs: number;
  /** Afterwards nobody waits for it any more and it is unknown; a check that can tell more limits itself to less. */
  readonly timeoutMs: number;
  /** Looks. Rejecting, nonsense or being late is a result too, never thrown further. */
  look(signal: AbortSignal): Promise<Omit<CheckResult, 'atMs'>>;
};

export const isLooking = (check: HealthCheck | LookingCheck): check is LookingCheck => 'look' in check;

/** A check as it stands: the word it is at, and what the last look behind it saw. */
export type CheckView = {
  readonly name: string;
  readonly kind: CheckKind;
  readonly about: 'watched' | 'own';
  readonly neededFor: readonly Ability[];
  readonly targetId: string | undefined;
  readonly result: CheckResult;
  /** What the last look alone says; a single one does not change the word. */
  readonly looked: HealthWord;
  /** How long it took, milliseconds; undefined for what the slices look at by themselves. */
  readonly tookMs: number | undefined;
  /** Since when it is at this word; undefined while nobody knows. */
  readonly sinceMs: number | undefined;
  /** It came and went so often that it stays at the worse word for a while. */
  readonly flapping: boolean;
  /** Looks that failed since the start, and how many there were; of what the slices look at by themselves, readings. */
  readonly failures: number;
  readonly looks: number;
  /** Undefined for what the slices look at by themselves. */
  readonly intervalMs: number | undefined;
};
