import { parameters } from './catalogue/index.ts';
import { type Consequence, foresee, type IndexFacts } from './consequence.ts';
import type { Parameter, TuningValue } from './parameter.ts';
import { type Change, type SetValues, scopeKey, withChanges } from './revision.ts';
import type { Values } from './rules.ts';

/** Where an effective value comes from. `setting`: environment or file of ragwarden; `built-in`: the backend's own or the promised one. */
export type Origin = 'user' | 'workspace' | 'default' | 'setting' | 'built-in';

export type EffectiveValue = {
  readonly parameter: Parameter;
  /** Null: nobody set it and the backend has none either. */
  readonly value: TuningValue | null;
  readonly origin: Origin;
};

/** Whose values count; without either those of everybody. */
export type Place = { readonly subject?: string | undefined; readonly graphId?: string | undefined };

/** What counts at a place, of every parameter, in the order of the catalogue. */
export function layerValues(set: SetValues, first: Values, { subject, graphId }: Place): EffectiveValue[] {
  const layers: readonly (readonly [Origin, Values | undefined])[] = [
    ['user', subject === undefined ? undefined : set.get(scopeKey({ kind: 'user', subject }))],
    ['workspace', graphId === undefined ? undefined : set.get(scopeKey({ kind: 'workspace', graphId }))],
    ['default', set.get('default')],
    ['setting', first],
  ];
  return parameters.map((parameter) => {
    for (const [origin, values] of layers) {
      const value = values?.[parameter.name];
      if (value !== undefined) return { parameter, value, origin };
    }
    return { parameter, value: parameter.fallback, origin: 'built-in' };
  });
}

/**
 * What changes do to each index. A value that is taken away is nobody's wish any more, so nothing follows from it; what a user set
 * reaches no backend.
 */
export function consequencesOf(
  set: SetValues,
  changes: readonly Change[],
  first: Values,
  indexes: readonly IndexFacts[],
): Consequence[] {
  const after = withChanges(set, changes);
  return indexes.flatMap((facts) => {
    const before = layerValues(set, first, { graphId: facts.graphId });
    const changed = layerValues(after, first, { graphId: facts.graphId }).flatMap(
      ({ parameter, value, origin }, at) => {
        const old = before[at]?.value ?? null;
        return origin === 'built-in' || value === old ? [] : { parameter: parameter.name, before: old, after: value };
      },
    );
    return foresee(changed, facts);
  });
}
