import type { TuningValue } from './parameter.ts';

/** Whom a value is for. What is more special counts more: the default, a workspace, a user. */
export type Scope =
  | { readonly kind: 'default' }
  | { readonly kind: 'workspace'; readonly graphId: string }
  | { readonly kind: 'user'; readonly subject: string };

/** As it stands in the tables: `default`, `workspace:<graph id>`, `user:<subject>`. */
export const scopeKey = (scope: Scope): string =>
  scope.kind === 'default' ? 'default' : scope.kind === 'user' ? `user:${scope.subject}` : `workspace:${scope.graphId}`;

/** Null: nothing was set. */
export type Change = {
  readonly scope: string;
  readonly parameter: string;
  readonly before: TuningValue | null;
  readonly after: TuningValue | null;
};

export type Revision = {
  /** From 1, without gaps, in the order of commits. */
  readonly number: number;
  readonly atMs: number;
  readonly actor: string;
  readonly what: 'set' | 'reset' | 'reset-all' | 'rollback';
  readonly reason: string | null;
  readonly changes: readonly Change[];
  /** The revision whose state this one brought back. */
  readonly rolledBackTo: number | null;
};

/** Scope → parameter → value: all that somebody set. */
export type SetValues = ReadonlyMap<string, Readonly<Record<string, TuningValue>>>;

/** What has to change so that a scope has these values; a null takes one away. Nothing for what is so already. */
export function changesTo(
  current: Readonly<Record<string, TuningValue>>,
  scope: string,
  wanted: Readonly<Record<string, TuningValue | null>>,
): Change[] {
  return Object.entries(wanted).flatMap(([parameter, after]) => {
    const before = current[parameter] ?? null;
    return before === after ? [] : { scope, parameter, before, after };
  });
}

/**
 * The changes that bring back the state after a revision, from those that came later.
 * @param later newest first
 * @param known parameters that still exist; others are left as they are
 */
export function changesBack(
  later: readonly Revision[],
  known: (parameter: string) => boolean,
): { readonly changes: readonly Change[]; readonly leftOut: readonly string[] } {
  const net = new Map<string, Change>();
  for (const revision of later)
    for (const change of [...revision.changes].reverse()) {
      const key = JSON.stringify([change.scope, change.parameter]);
      const seen = net.get(key);
      // The newest says what is there now, the oldest what was there then.
      net.set(key, { ...change, before: seen ? seen.before : change.after, after: change.before });
    }
  const changes = [...net.values()].filter(({ before, after }) => before !== after);
  const leftOut = [...new Set(changes.filter((one) => !known(one.parameter)).map((one) => one.parameter))];
  return { changes: changes.filter((one) => known(one.parameter)), leftOut };
}

/** What is set once these are made. */
export function withChanges(set: SetValues, changes: readonly Change[]): SetValues {
  const after = new Map([...set].map(([scope, values]) => [scope, { ...values }]));
  for (const { scope, parameter, after: value } of changes) {
    const values = after.get(scope) ?? {};
    if (value === null) delete values[parameter];
    else values[parameter] = value;
    after.set(scope, values);
  }
  return after;
}
