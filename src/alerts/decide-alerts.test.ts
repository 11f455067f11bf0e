import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { noState, type RuleState } from './alert.ts';
import type { AlertRule } from './alert-rule.ts';
import { type AlertChange, decideAlerts, evaluationStep, mostAlertsPerRule } from './decide-alerts.ts';
import { createRuleReader } from './read-rule.ts';
import type { Reading } from './reading.ts';
import { testRule } from './test-rules.ts';

const intervalMs = 30_000;
const labels = { target: 'a' };
type Look = { readonly atMs: number; readonly readings: readonly Reading[] };

/** Looks one after the other, as the job does. */
function walk(rule: AlertRule, looks: readonly Look[]) {
  let state: RuleState = noState;
  let lastMs: number | null = null;
  const told: { readonly atMs: number; readonly change: AlertChange }[] = [];
  const states: RuleState[] = [];
  for (const { atMs, readings } of looks) {
    const decided = decideAlerts(rule, readings, state, {
      nowMs: atMs,
      stepMs: evaluationStep(lastMs, atMs, intervalMs),
    });
    state = decided.state;
    lastMs = atMs;
    states.push(state);
    for (const change of decided.changes) told.push({ atMs, change });
  }
  return { state, told, states, words: told.map(({ atMs, change }) => `${atMs / 1_000} ${change.kind}`) };
}
/** One value per interval; null is none. */
const values = (list: readonly (number | null)[], beginMs = 0): Look[] =>
  list.map((value, i) => ({ atMs: beginMs + i * intervalMs, readings: value === null ? [] : [{ labels, value }] }));

test('fires once it was seen to hold for the duration, not before, and is resolved the same way', () => {
  const { words, told } = walk(testRule(), values([50, 90, 91, 92, 93, 80, 70, 60, 60]));
  expect(words).toEqual(['30 pending', '90 firing', '210 resolved']);
  expect(told.map(({ change }) => change.reason)).toEqual([
    'level is above 85 (now 90).',
    'level is above 85 (now 92), held for 60 s.',
    'It is no longer so for 60 s that level is above 85 (now 60).',
  ]);
});

test('one sample above the threshold fires nothing', () => {
  expect(walk(testRule(), values([50, 99, 50, 99, 50])).words).toEqual([
    '30 pending',
    '60 cleared',
    '90 pending',
    '120 cleared',
  ]);
});

test('without a duration it fires and is resolved with the first look that sees it', () => {
  const rule = testRule({ duration_seconds: 0 });
  expect(walk(rule, values([90, 80, 90])).words).toEqual(['0 firing', '30 resolved', '60 firing']);
});

test.each([
  ['gt', 85, [86], [85]],
  ['gte', 85, [85, 86], [84]],
  ['lt', 85, [84], [85]],
  ['lte', 85, [85, 84], [86]],
  ['eq', 85, [85], [84, 86]],
] as const)('the condition %s fires where it says against %d, and nowhere else', (condition, threshold, fires, not) => {
  const rule = testRule({ condition, threshold, duration_seconds: 0 });
  for (const value of fires) expect(walk(rule, values([value])).words).toEqual(['0 firing']);
  for (const value of not) expect(walk(rule, values([value])).words).toEqual([]);
});

test('with a threshold of its own to resolve at it holds on between the two', () => {
  const rule = testRule({ resolve_threshold: 70, duration_seconds: 0 });
  expect(walk(rule, values([80, 86, 80, 71, 70, 80])).words).toEqual(['30 firing', '120 resolved']);
});

describe('without a value', () => {
  const base = { duration_seconds: 0, resolve_duration_seconds: 0 };
  test('keep: nothing changes, for a day', () => {
    const rule = testRule({ ...base, no_data: 'keep' });
    expect(walk(rule, values([90, null, null, 90, 80])).words).toEqual(['0 firing', '120 resolved']);
    const looks = [...values([90]), { atMs: 86_400_000, readings: [] }, { atMs: 86_400_001, readings: [] }];
    expect(walk(rule, looks).words).toEqual(['0 firing', '86400.001 resolved']);
  });
  test('keep: time without a value does not count as held', () => {
    expect(walk(testRule({ no_data: 'keep' }), values([90, null, null, null, 90, 90])).words).toEqual([
      '0 pending',
      '150 firing',
    ]);
  });
  test('resolve: it is over', () => {
    expect(walk(testRule({ ...base, no_data: 'resolve' }), values([90, null])).words).toEqual([
      '0 firing',
      '30 resolved',
    ]);
  });
  test('fire: that there is nothing at all fires, and is resolved when there is something', () => {
    const { words, told } = walk(testRule({ ...base, no_data: 'fire' }), values([null, null, 50]));
    expect(words).toEqual(['0 firing', '60 resolved']);
    expect(told[1]?.change.reason).toBe('There is a value again.');
  });
  test('fire: one that fires holds on when its value is gone', () => {
    expect(walk(testRule({ ...base, no_data: 'fire' }), values([90, null, null])).words).toEqual(['0 firing']);
  });
  test('absent: fires while there is none, under the labels that the rule names', () => {
    const rule = testRule({ condition: 'absent', threshold: undefined, labels: { target: 'a', store: ['x', 'y'] } });
    const { words, state } = walk(rule, values([50, null, null, null]));
    expect(words).toEqual(['30 pending', '90 firing']);
    expect(state.alerts[0]?.labels).toEqual({ target: 'a' });
  });
});

test('each set of labels has an alert of its own', () => {
  const of = (target: string, value: number): Reading => ({ labels: { target }, value });
  const { told } = walk(testRule({ duration_seconds: 0 }), [
    { atMs: 0, readings: [of('a', 90), of('b', 80)] },
    { atMs: 30_000, readings: [of('a', 90), of('b', 95)] },
    { atMs: 60_000, readings: [of('a', 10), of('b', 95)] },
  ]);
  expect(told.map(({ change }) => ('alert' in change ? `${change.kind} ${change.alert.labels.target}` : ''))).toEqual([
    'firing a',
    'firing b',
    'resolved a',
  ]);
});

test('a million series make no million alerts, and that is told once', () => {
  const readings = Array.from({ length: 5_000 }, (_, i) => ({ labels: { series: String(i) }, value: 99 }));
  const looks = [0, 1, 2].map((i) => ({ atMs: i * intervalMs, readings }));
  const { state, told } = walk(testRule({ duration_seconds: 0 }), [
    ...looks,
    { atMs: 90_000, readings: readings.slice(0, 50) },
  ]);
  expect(told.filter(({ change }) => change.kind === 'firing')).toHaveLength(mostAlertsPerRule);
  expect(told.filter(({ change }) => change.kind === 'capped')).toHaveLength(1);
  expect(told.filter(({ change }) => change.kind === 'uncapped')).toHaveLength(1);
  expect(state.capped).toBe(false);
});

test('a rule that a million series match asks for as many as one evaluation looks at, and says how many match', async () => {
  const rule = testRule({ duration_seconds: 0, aggregation: 'max' });
  const asked: (number | undefined)[] = [];
  const readings = await createRuleReader(rule, undefined).read(
    {
      // A store that has them all; each would fire.
      async query({ limit = 1_000_000 }) {
        asked.push(limit);
        const series = Array.from({ length: limit }, (_, i) => ({ labels: { series: String(i) }, values: [99] }));
        return { type: 'gauge', times: [0], stepMs: 1, sources: [], series, total: 1_000_000, approximate: false };
      },
    },
    0,
  );
  expect(asked).toEqual([20_000]);
  const { state, changes } = decideAlerts(rule, readings, noState, { nowMs: 0, stepMs: 0 });
  expect(state.alerts).toHaveLength(mostAlertsPerRule);
  expect(changes.at(-1)).toMatchObject({ kind: 'capped', matching: 20_000 });
});

describe('a clock that jumps during the hold', () => {
  const jumped = (firstMs: number): Look[] => [...values([90]), ...values([90, 90, 90, 90], firstMs)];
  test('a day forward: the day does not count as held', () => {
    const day = 86_400_000;
    // What nobody looked at counts for no more than two intervals.
    expect(walk(testRule({ duration_seconds: 120 }), jumped(day)).words).toEqual([
      '0 pending',
      `${(day + 60_000) / 1_000} firing`,
    ]);
  });
  test('backwards: the hold neither ends nor is it shortened', () => {
    expect(walk(testRule({ duration_seconds: 60 }), jumped(-3_600_000)).words).toEqual(['0 pending', '-3540 firing']);
  });
});

describe('what comes and goes', () => {
  test('is one alert while it is over for shorter than the rule wants', () => {
    const wild = Array.from({ length: 1_000 }, (_, i) => (i % 3 === 2 ? 80 : 99));
    const { words } = walk(testRule({ duration_seconds: 30, resolve_duration_seconds: 60 }), values(wild));
    expect(words.filter((word) => word.endsWith('firing'))).toHaveLength(1);
    expect(words.filter((word) => word.endsWith('resolved'))).toHaveLength(0);
  });
  test('is held from the third time within an hour on, until it is calm for half an hour', () => {
    const rule = testRule({ duration_seconds: 0 });
    const wild = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 99 : 80));
    const calm = Array.from({ length: 70 }, () => 80);
    const { words, told } = walk(rule, values([...wild, ...calm]));
    expect(words.filter((word) => word.endsWith('firing'))).toHaveLength(3);
    expect(words.filter((word) => word.endsWith('resolved'))).toHaveLength(3);
    expect(told.at(-2)?.change.reason).toContain('It comes and goes');
    expect(words.at(-1)).toBe(`${199 * 30 + 1_800} resolved`);
    const each = walk(testRule({ duration_seconds: 0, flap_damping: false }), values(wild));
    expect(each.words.filter((word) => word.endsWith('firing'))).toHaveLength(100);
  });
});

test('a rule without anything to tell keeps the very same state', () => {
  const state: RuleState = { alerts: [], remembered: [], capped: false };
  const decided = decideAlerts(testRule(), [{ labels, value: 1 }], state, { nowMs: 0, stepMs: 0 });
  expect(decided.state).toBe(state);
});

/**
 * The naive model looks at the whole past anew at each instant: in which phase it is follows from the runs of looks that held and of those
 * that did not, and from how long each lasted as far as it was seen.
 */
function naivePhases(
  looks: readonly { readonly atMs: number; readonly value: number | null }[],
  rule: AlertRule,
): ('inactive' | 'pending' | 'firing')[] {
  const { durationMs, resolveDurationMs, threshold, resolveThreshold = threshold } = rule;
  const steps = looks.map(({ atMs }, i) =>
    i === 0 ? 0 : Math.min(Math.max(0, atMs - looks[i - 1]!.atMs), 2 * intervalMs),
  );
  return looks.map((_, upTo) => {
    let firing = false;
    /** Indexes of the present run, of holding ones while not firing, of calm ones while firing. */
    let run: number[] = [];
    for (let i = 0; i <= upTo; i += 1) {
      const { value } = looks[i]!;
      if (value === null) {
        if (rule.noData === 'keep') continue;
        if (rule.noData === 'resolve' && !firing) {
          run = [];
          continue;
        }
      }
      const holds: boolean = value === null ? rule.noData === 'fire' : value > (firing ? resolveThreshold : threshold);
      // What was never there is another alert than what is gone.
      if (holds === firing) {
        run = [];
        continue;
      }
      run.push(i);
      const seen = run.slice(1).reduce((sum, at) => sum + steps[at]!, 0);
      if (seen >= (firing ? resolveDurationMs : durationMs)) {
        firing = !firing;
        run = [];
      }
    }
    return firing ? 'firing' : run.length > 0 ? 'pending' : 'inactive';
  });
}

test('agrees with a naive model for any values, durations, clocks and policies', () => {
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(50, 75, 90) },
    { weight: 1, arbitrary: fc.constant(null) },
  );
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 25_000, max: 35_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(-3_600_000, 86_400_000, 0, 600_000) },
  );
  fc.assert(
    fc.property(
      fc.array(fc.record({ value, step }), { maxLength: 40 }),
      fc.constantFrom(0, 30, 60, 90),
      fc.constantFrom(0, 30, 90),
      fc.constantFrom(85, 70, undefined),
      fc.constantFrom('keep' as const, 'resolve' as const),
      (given, duration, resolve, resolveThreshold, noData) => {
        const rule = testRule({
          ...{ duration_seconds: duration, resolve_duration_seconds: resolve, no_data: noData, flap_damping: false },
          ...(resolveThreshold === undefined ? {} : { resolve_threshold: resolveThreshold }),
        });
        let atMs = 1_000_000_000;
        const looks = given.map((one) => {
          atMs += one.step;
          return { atMs, value: one.value };
        });
        // A value that is kept for longer than a day is another story, told above.
        fc.pre(noData !== 'keep' || !looks.some((one, i) => one.value === null && (given[i]?.step ?? 0) > 80_000_000));
        const { states } = walk(
          rule,
          looks.map((one) => ({ atMs: one.atMs, readings: one.value === null ? [] : [{ labels, value: one.value }] })),
        );
        expect(states.map(({ alerts: [alert] }) => alert?.phase ?? 'inactive')).toEqual(naivePhases(looks, rule));
      },
    ),
    { numRuns: 300 },
  );
});
