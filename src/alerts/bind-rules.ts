import type { CurrentValues } from '../metrics/index.ts';
import { noState, type RuleState } from './alert.ts';
import type { AlertRule } from './alert-rule.ts';
import type { AlertStore } from './alert-store.ts';
import type { AlertChange } from './decide-alerts.ts';
import { createRuleReader, type RuleReader } from './read-rule.ts';
import { selectionOf } from './rule-body.ts';
import type { KnownRule } from './rule-catalogue.ts';

/** A rule that is evaluated, with where its values come from and what is known of its alerts. */
export type BoundRule = {
  readonly rule: AlertRule;
  readonly known: KnownRule;
  readonly reader: RuleReader;
  readonly selection: string;
  state: RuleState;
  /** As it is on disk. */
  stored: RuleState;
  /** When it was last evaluated; null when never. */
  lastMs: number | null;
  /** Sets of labels that had a value then. */
  readings: number;
  error: string | null;
};

/** What there was of a rule that is not evaluated as it was: its alerts end. */
export type EndedRule = {
  readonly rule: AlertRule;
  readonly selection: string;
  readonly state: RuleState;
  readonly changes: readonly AlertChange[];
};

/**
 * Rules as they are now, with the state that they had: in this process, or on disk when it begins. A rule that was removed, switched off
 * or that looks at something else has its alerts ended, each once and with the reason.
 */
export async function bindRules(
  deps: { store: Pick<AlertStore, 'states' | 'find'>; current: CurrentValues | undefined },
  rules: readonly KnownRule[],
  before: readonly BoundRule[] | undefined,
): Promise<{ readonly bound: readonly BoundRule[]; readonly ended: readonly EndedRule[] }> {
  const earlier = new Map<string, Pick<BoundRule, 'selection' | 'state' | 'lastMs'> & { rule?: AlertRule }>(
    before === undefined
      ? (await deps.store.states()).map(({ rule, selection, ...state }) => [rule, { selection, state, lastMs: null }])
      : before.map((one) => [one.rule.name, one]),
  );
  const kept = new Map(before?.map((one) => [one.known, one]));
  const bound: BoundRule[] = [];
  const ended: EndedRule[] = [];
  for (const known of rules) {
    const { rule } = known;
    const same = kept.get(known);
    const was = earlier.get(rule.name);
    earlier.delete(rule.name);
    if (same !== undefined) {
      bound.push(same);
      continue;
    }
    const selection = selectionOf(rule);
    const goesOn = rule.enabled && was?.selection === selection;
    if (was !== undefined && !goesOn)
      ended.push(
        endOf(rule, selection, was.state, rule.enabled ? 'The rule was changed.' : 'The rule was switched off.'),
      );
    if (!rule.enabled) continue;
    const state = goesOn && was !== undefined ? was.state : noState;
    bound.push({
      ...{ rule, known, selection, reader: createRuleReader(rule, deps.current), state, stored: state },
      ...{ lastMs: goesOn ? (was?.lastMs ?? null) : null, readings: 0, error: null },
    });
  }
  for (const [name, was] of earlier)
    ended.push(
      endOf(
        was.rule ?? (await goneRule(deps.store, name, was.state)),
        was.selection,
        was.state,
        'The rule was removed.',
      ),
    );
  return { bound, ended };
}

function endOf(rule: AlertRule, selection: string, state: RuleState, reason: string): EndedRule {
  const changes = state.alerts.flatMap((alert): AlertChange[] =>
    alert.phase === 'firing' ? [{ kind: 'resolved', alert, reason }] : [],
  );
  return {
    ...{ rule, selection, state: noState },
    changes: state.capped ? [...changes, { kind: 'uncapped', matching: 0, reason }] : changes,
  };
}

/** As much of a rule that was removed while nobody ran as what is told of the end of its alerts needs. */
async function goneRule(store: Pick<AlertStore, 'find'>, name: string, state: RuleState): Promise<AlertRule> {
  const firing = state.alerts.find(({ phase }) => phase === 'firing');
  const fired = firing && (await store.find(firing.id));
  return {
    ...{ name, description: '', labels: {}, aggregation: 'last', windowMs: 0, groupBy: undefined, divideBy: undefined },
    ...{
      measure: 'value',
      forecastMs: 0,
      anomaly: undefined,
      durationMs: 0,
      resolveThreshold: undefined,
      resolveDurationMs: 0,
    },
    ...{ noData: 'keep', dampsFlapping: true, enabled: false, runbookUrl: undefined, receivers: undefined },
    ...{
      metricName: fired?.metricName ?? '',
      condition: fired?.condition ?? 'absent',
      threshold: fired?.threshold ?? 0,
    },
    ...{ severity: fired?.severity ?? 'info', tags: fired?.tags ?? {}, action: undefined },
  };
}
