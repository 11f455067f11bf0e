import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { AppError } from '../platform/errors.ts';
import { findParameter, promisedParameters } from './catalogue/index.ts';
import type { Consequence, IndexFacts } from './consequence.ts';
import { consequencesOf, type EffectiveValue, layerValues, type Place } from './effective.ts';
import type { TuningValue } from './parameter.ts';
import {
  type Change,
  changesBack,
  changesTo,
  type Revision,
  type Scope,
  type SetValues,
  scopeKey,
  withChanges,
} from './revision.ts';
import { type Contradiction, findContradictions, findViolations, type Values, type Violation } from './rules.ts';
import {
  insertRevision,
  newestRevision,
  selectLaterRevisions,
  selectRevision,
  selectRevisions,
  selectValues,
  selectValuesInside,
} from './tuning-store.ts';

export type Asking = {
  readonly actor: string;
  readonly reason: string | null;
  /** Given the entity tag of what is there now; throws when the caller has not seen it. */
  admit?(etagSource: string): void;
  /** What an index would suffer was seen, and is meant. */
  readonly confirm?: boolean;
};

export type Changed = {
  readonly revision: Revision | null;
  readonly warnings: readonly Contradiction[];
  /** For each index that is known; without those of users, which no backend takes. */
  readonly consequences: readonly Consequence[];
};

export type Tuning = {
  /** What counts for a caller, of every parameter; those without a scope: the default. */
  effective(of: Place): Promise<readonly EffectiveValue[]>;
  /** What somebody set, by scope. */
  setValues(): Promise<SetValues>;
  /** The text that the entity tag of a scope is made from. */
  etagSource(scope: Scope): Promise<string>;
  /**
   * Sets some parameters of a scope and leaves the others; a null takes one away.
   * @throws AppError `request/invalid` with every violation; `conflict/confirmation-required` with what an index would suffer;
   *   whatever `admit` throws
   */
  set(scope: Scope, values: Readonly<Record<string, unknown>>, asking: Asking): Promise<Changed>;
  /** Takes all of a scope away. The default: that of every user and workspace as well. */
  reset(scope: Scope, asking: Asking): Promise<Changed>;
  /** What a change would do wrong, without making it. */
  check(
    scope: Scope,
    values: Readonly<Record<string, unknown>>,
  ): Promise<{
    violations: readonly { parameter: string; message: string }[];
    contradictions: readonly Contradiction[];
    consequences: readonly Consequence[];
  }>;
  revisions(page: { readonly limit: number; readonly before?: number | undefined }): Promise<Revision[]>;
  /** @throws AppError `tuning/unknown-revision` */
  revision(number: number): Promise<Revision>;
  /**
   * The state after a revision comes back, as a new revision; 0 is before the first.
   * @param only of what changed since then; all of it unless told
   */
  rollback(
    number: number,
    asking: Asking,
    only?: (change: Change) => boolean,
  ): Promise<Changed & { readonly leftOut: readonly string[] }>;
  /** What differs between the state after two revisions. */
  diff(from: number, to: number): Promise<readonly Change[]>;
};

/**
 * @param firstValues what environment and file say; counts more than the built-in default and less than anything set here
 */
export function createTuning(options: {
  readonly db: Database;
  readonly events: EventRecorder;
  readonly clock: Clock;
  firstValues(): Values;
  /** Every index that could be looked at. */
  indexes(): readonly IndexFacts[];
  /** Before a change is weighed: looks again at what reading took so far, where that was long ago. */
  lookBack?(): Promise<void>;
  /** Told once a change is kept. */
  changed?(): void;
}): Tuning {
  const { db, events, clock } = options;

  /** One unit of work that may change something; told once it is kept. */
  const changing = async <T>(work: (tx: Tx) => Promise<T>): Promise<T> => {
    await options.lookBack?.();
    const done = await db.unit(work);
    options.changed?.();
    return done;
  };

  const layered = (set: SetValues, of: Place): EffectiveValue[] => layerValues(set, options.firstValues(), of);

  const placeOf = (scope: Scope) =>
    scope.kind === 'user' ? { subject: scope.subject } : scope.kind === 'workspace' ? { graphId: scope.graphId } : {};

  /** What is wrong with these values for this scope, alone and together with what is there. */
  const judge = (set: SetValues, scope: Scope, values: Readonly<Record<string, unknown>>) => {
    const violations = findViolations(values);
    for (const name of Object.keys(values)) {
      if (scope.kind === 'user' && findParameter(name)?.perUser === false)
        violations.push({ parameter: name, message: 'is the same for everybody: it cannot be set for a user' });
    }
    if (violations.length > 0) return { violations, contradictions: [], consequences: [] };
    const key = scopeKey(scope);
    // Each is a value of its parameter, or null: that was just judged.
    const changes = changesTo(set.get(key) ?? {}, key, values as Record<string, TuningValue | null>);
    const after = withChanges(set, changes);
    const effective = Object.fromEntries(
      layered(after, placeOf(scope)).flatMap(({ parameter, value }) =>
        value === null ? [] : [[parameter.name, value]],
      ),
    );
    return {
      violations,
      contradictions: findContradictions(effective, new Set(Object.keys(values))),
      consequences: consequencesOf(set, changes, options.firstValues(), options.indexes()),
    };
  };

  const write = async (
    tx: Tx,
    what: Revision['what'],
    set: SetValues,
    changes: readonly Change[],
    asking: Asking,
    rolledBackTo: number | null = null,
  ): Promise<{ revision: Revision | null; consequences: readonly Consequence[] }> => {
    if (changes.length === 0) return { revision: null, consequences: [] };
    const consequences = consequencesOf(set, changes, options.firstValues(), options.indexes());
    if (asking.confirm !== true) requireNoHarm(consequences);
    const revision = { atMs: clock.now(), actor: asking.actor, what, reason: asking.reason, changes, rolledBackTo };
    const number = await insertRevision(tx, revision);
    const names = [...new Set(changes.map((one) => one.parameter))];
    const data = { revision: number, what, parameters: names, scopes: [...new Set(changes.map((one) => one.scope))] };
    await events.record(tx, {
      type: 'tuning.changed',
      severity: 'info',
      message: `Revision ${number} of the tuning: ${asking.actor} changed ${names.slice(0, 8).join(', ')}${names.length > 8 ? ' and more' : ''}.`,
      data,
    });
    await events.audit(tx, {
      actor: asking.actor,
      action: `tuning.${what}`,
      object: String(number),
      outcome: 'done',
      data,
    });
    return { revision: { ...revision, number }, consequences };
  };

  const textOf = (set: SetValues, scope: Scope): string =>
    JSON.stringify(layered(set, placeOf(scope)).map(({ parameter, value, origin }) => [parameter.name, value, origin]));

  return {
    effective: async (of) => layered(await selectValues(db), of),
    setValues: () => selectValues(db),
    etagSource: async (scope) => textOf(await selectValues(db), scope),
    async check(scope, values) {
      await options.lookBack?.();
      return judge(await selectValues(db), scope, values);
    },

    set: (scope, values, asking) =>
      changing(async (tx) => {
        const set = await selectValuesInside(tx);
        asking.admit?.(textOf(set, scope));
        const { violations, contradictions } = judge(set, scope, values);
        const errors = contradictions.filter(({ severity }) => severity === 'error');
        refuse(violations, errors);
        const key = scopeKey(scope);
        const changes = changesTo(set.get(key) ?? {}, key, values as Record<string, TuningValue | null>);
        return { ...(await write(tx, 'set', set, changes, asking)), warnings: contradictions };
      }),

    reset: (scope, asking) =>
      changing(async (tx) => {
        const set = await selectValuesInside(tx);
        asking.admit?.(textOf(set, scope));
        const keys = scope.kind === 'default' ? [...set.keys()] : [scopeKey(scope)];
        const changes = keys.flatMap((key) => {
          const current = set.get(key) ?? {};
          return changesTo(current, key, Object.fromEntries(Object.keys(current).map((name) => [name, null])));
        });
        const what = scope.kind === 'default' ? 'reset-all' : 'reset';
        return { ...(await write(tx, what, set, changes, asking)), warnings: [] };
      }),

    revisions: (page) => selectRevisions(db, page),
    async revision(number) {
      const found = await selectRevision(db, number);
      if (!found) throw unknownRevision(number);
      return found;
    },

    rollback: (number, asking, only = () => true) =>
      changing(async (tx) => {
        const later = await laterThan(tx, number);
        const { changes: all, leftOut } = changesBack(later, (name) => findParameter(name) !== undefined);
        const changes = all.filter(only);
        const wrong = changes.flatMap(({ parameter, after }) =>
          after === null ? [] : findViolations({ [parameter]: after }),
        );
        refuse(wrong, []);
        const set = await selectValuesInside(tx);
        return { ...(await write(tx, 'rollback', set, changes, asking, number)), warnings: [], leftOut };
      }),

    diff: (from, to) =>
      db.unit(async (tx) => {
        const [older, newer] = from <= to ? [from, to] : [to, from];
        await laterThan(tx, newer);
        const between = (await laterThan(tx, older)).filter((one) => one.number <= newer);
        const { changes } = changesBack(between, () => true);
        // Those lead from the newer to the older.
        return from <= to ? changes.map((one) => ({ ...one, before: one.after, after: one.before })) : changes;
      }),
  };

  async function laterThan(tx: Tx, number: number): Promise<Revision[]> {
    const later = await selectLaterRevisions(tx, number);
    const newest = later[0]?.number ?? (await newestRevision(db));
    if (number > newest) throw unknownRevision(number);
    return later;
  }
}

/** @throws AppError `request/invalid` with every one of them */
function refuse(violations: readonly Violation[], contradictions: readonly Contradiction[]): void {
  const all = [
    ...violations.map(({ parameter, message }) => ({ at: `/${parameter}`, message })),
    ...contradictions.map(({ of, message }) => ({ at: `/${of[0] ?? ''}`, message })),
  ];
  if (all.length === 0) return;
  const told = [
    ...violations.map(({ parameter, message }) => `${parameter} ${message}`),
    ...contradictions.map(({ message }) => message),
  ];
  throw new AppError('request/invalid', `These values cannot be set: ${told.join('; ')}.`, { violations: all });
}

/** @throws AppError `conflict/confirmation-required` with the numbers */
function requireNoHarm(consequences: readonly Consequence[]): void {
  const harm = consequences.filter(({ destructive }) => destructive);
  if (harm.length === 0) return;
  throw new AppError(
    'conflict/confirmation-required',
    `${harm.map(({ parameter, message }) => `${parameter}: ${message}`).join(' ')} Nothing was changed. Repeat it with \`confirm\` if that is meant.`,
  );
}

const unknownRevision = (number: number): AppError =>
  new AppError('tuning/unknown-revision', `There is no revision ${number}. \`ragwarden tune history\` shows them.`);

/** The six that were promised, in their order. */
export const promisedNames: readonly string[] = promisedParameters.map(({ name }) => name);
