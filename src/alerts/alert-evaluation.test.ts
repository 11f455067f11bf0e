import { afterEach, describe, expect, test } from 'vitest';
import type { AlertRuleBody } from '../config/index.ts';
import { AppError } from '../platform/errors.ts';
import type { ActionRunners } from './action.ts';
import { backtestRule } from './backtest.ts';
import type { Labels } from './reading.ts';
import { openTestAlerts, type TestAlerts, testIntervalMs, testLeaseMs } from './test-alerts.ts';

let made: TestAlerts;
afterEach(() => made.remove());

const high: AlertRuleBody = {
  ...{ name: 'high', metric_name: 'level', condition: 'gt', threshold: 85 },
  ...{ duration_seconds: 60, severity: 'error', tags: { team: 'rag' }, runbook_url: 'docs/runbooks/disk-full.md' },
};
const errorOf = (): string | null => made.alerts.evaluation.job.state().lastError;
const eventTypes = async (): Promise<string[]> =>
  (await made.events.list({ limit: 50, order: 'oldest-first' })).map(({ type }) => type);

test('from a level to what people are told, the log of events and the history', async () => {
  made = await openTestAlerts({ rules: [high] });
  made.set(90);
  expect(await made.tick(2)).toEqual([]);
  expect(await made.tick()).toEqual(['firing alert:high']);
  expect(await made.tick(5)).toEqual([]);
  const [told] = made.told;
  expect(told).toMatchObject({
    ...{ severity: 'error', title: 'high {target="a"}', runbookUrl: 'docs/runbooks/disk-full.md', receivers: null },
    labels: { alertname: 'high', severity: 'error', target: 'a', instance: 'i1', team: 'rag' },
    summary: 'level is above 85 (now 90), held for 60 s.',
  });
  made.set(70);
  expect(await made.tick(3)).toEqual(['resolved alert:high']);
  expect(errorOf()).toBeNull();
  expect(await eventTypes()).toEqual(['alert.firing', 'alert.resolved']);
  const [fired] = await made.alerts.store.history({ limit: 5 });
  expect(fired).toMatchObject({ rule: 'high', worst: 90, value: 70, threshold: 85, severity: 'error' });
  expect(fired?.resolvedReason).toContain('It is no longer so');
  expect((fired?.resolvedAtMs ?? 0) - (fired?.firedAtMs ?? 0)).toBe(8 * 30_000);
});

test('the severity of a rule is that of its alert, its event and what people are told', async () => {
  const severities = ['critical', 'error', 'info', 'warning'] as const;
  const rules = severities.map((severity) => ({ ...high, name: severity, severity, duration_seconds: 0 }));
  made = await openTestAlerts({ rules });
  made.set(90);
  await made.tick();
  const history = await made.alerts.store.history({ limit: 9 });
  expect(history.map(({ rule, severity }) => [rule, severity]).toSorted()).toEqual(severities.map((one) => [one, one]));
  expect(made.told.map(({ severity, labels }) => [severity, labels.severity])).toEqual(
    severities.map((one) => [one, one]),
  );
  const events = await made.events.list({ limit: 9, order: 'oldest-first' });
  expect(events.map(({ type, severity }) => [type, severity])).toEqual(severities.map((one) => ['alert.firing', one]));
  expect((await made.alerts.store.history({ limit: 9, severity: 'critical' })).map(({ rule }) => rule)).toEqual([
    'critical',
  ]);
});

test('a restart while pending goes on with the time that it held', async () => {
  made = await openTestAlerts({ rules: [high] });
  made.set(90);
  await made.tick(2);
  await made.restart();
  await made.clock.advance(3_600_000);
  // Nobody looked for an hour: that it held meanwhile is not known.
  expect(await made.tick()).toEqual([]);
  expect(await made.tick()).toEqual(['firing alert:high']);
});

test('a restart while firing keeps the alert, and nothing is told twice', async () => {
  made = await openTestAlerts({ rules: [high] });
  made.set(90);
  await made.tick(3);
  const [before] = made.alerts.evaluation.alerts().get('high') ?? [];
  await made.restart();
  expect(await made.tick(3)).toEqual([]);
  expect(made.alerts.evaluation.alerts().get('high')?.[0]).toMatchObject({ id: before?.id, phase: 'firing' });
  made.set(10);
  expect(await made.tick(3)).toEqual(['resolved alert:high']);
});

test('what could not be written is told by the next evaluation, once', async () => {
  made = await openTestAlerts({ rules: [{ ...high, duration_seconds: 0 }] });
  made.set(90);
  made.failing.now = true;
  expect(await made.tick(3)).toEqual([]);
  expect(errorOf()).toContain('away');
  made.failing.now = false;
  expect(await made.tick(2)).toEqual(['firing alert:high']);
  expect(await made.alerts.store.history({ limit: 5 })).toHaveLength(1);
});

describe('of two instances on one state', () => {
  const openTwo = async () => {
    made = await openTestAlerts({ rules: [high], leases: true });
    const other = made.another('i2');
    /** Both at once, one of them held up. */
    const both = async (times = 1, only: 'both' | 'other' = 'both') => {
      for (let i = 0; i < times; i += 1) {
        await made.clock.advance(testIntervalMs);
        await made.metrics.metrics.history.sampleOnce();
        await Promise.all([
          only === 'both' ? made.alerts.evaluation.job.runOnce() : undefined,
          other.evaluation.job.runOnce(),
        ]);
      }
    };
    const evaluators = () => [made.alerts, other].map(({ evaluation }) => evaluation.isEvaluator());
    return { other, both, evaluators };
  };

  test('one evaluates, and each change is told once', async () => {
    const { other, both, evaluators } = await openTwo();
    made.set(90);
    await both(5);
    expect(evaluators().toSorted()).toEqual([false, true]);
    made.set(10);
    await both(5);
    expect(made.told.map(({ status }) => status)).toEqual(['firing', 'resolved']);
    expect(await made.alerts.store.history({ limit: 9 })).toHaveLength(1);
    await other.evaluation.job.stop?.();
  });

  test('the other goes on when the lease of one that is held up has ended, with what was pending, and that one writes nothing more', async () => {
    const { other, both, evaluators } = await openTwo();
    made.set(90);
    await made.tick(2);
    await both(1, 'other');
    expect(evaluators()).toEqual([true, false]);
    // Longer than the lease without a renewal; what was held before it counts, the time in between does not.
    await made.clock.advance(testLeaseMs);
    await both(1, 'other');
    expect([evaluators()[1], made.told.length]).toEqual([true, 0]);
    await both(1, 'other');
    expect(made.told.map(({ status }) => status)).toEqual(['firing']);
    made.set(10);
    await both(5);
    expect(evaluators()).toEqual([false, true]);
    expect(made.told.map(({ status }) => status)).toEqual(['firing', 'resolved']);
    // Who ends in order leaves the lease to the other at once.
    await other.evaluation.job.stop?.();
    await made.tick();
    expect(evaluators()[0]).toBe(true);
  });
});

test('an instance that was held up between deciding and writing does not write over what the other decided', async () => {
  made = await openTestAlerts({ rules: [{ ...high, duration_seconds: 0 }], leases: true });
  const other = made.another('i2');
  made.set(90);
  await made.clock.advance(testIntervalMs);
  await made.metrics.metrics.history.sampleOnce();
  const gate = Promise.withResolvers<void>();
  made.held.until = gate.promise;
  const late = made.alerts.evaluation.job.runOnce();
  await expect.poll(() => made.held.reached).toBe(true);
  await made.clock.advance(testLeaseMs);
  await made.metrics.metrics.history.sampleOnce();
  await other.evaluation.job.runOnce();
  gate.resolve();
  await late;
  expect(errorOf()).toContain('Another instance evaluates the alert rules now.');
  expect(made.told.map(({ status }) => status)).toEqual(['firing']);
  expect(await made.alerts.store.history({ limit: 9 })).toHaveLength(1);
  await other.evaluation.job.stop?.();
});

describe('a rule that ends', () => {
  test.each([
    ['was removed', [], 'The rule was removed.'],
    ['was switched off', [{ ...high, enabled: false }], 'The rule was switched off.'],
    ['looks at something else', [{ ...high, labels: { target: 'b' } }], 'The rule was changed.'],
  ] as const)('%s: its alert is resolved once, with the reason', async (_, rules, reason) => {
    made = await openTestAlerts({ rules: [high] });
    made.set(90);
    await made.tick(3);
    await made.restart({ rules });
    expect(await made.tick(3)).toEqual(['resolved alert:high']);
    await made.restart({ rules });
    expect(await made.tick(3)).toEqual([]);
    const history = await made.alerts.store.history({ limit: 5 });
    expect(history.map(({ resolvedReason }) => resolvedReason)).toEqual([reason]);
  });
  test('has another threshold: its alert goes on', async () => {
    made = await openTestAlerts({ rules: [high] });
    made.set(90);
    await made.tick(3);
    await made.restart({ rules: [{ ...high, threshold: 80 }] });
    expect(await made.tick(3)).toEqual([]);
    expect(made.alerts.evaluation.alerts().get('high')).toHaveLength(1);
  });
});

test('a rule of the API that one of the file shelves counts no more, and is told at the start', async () => {
  made = await openTestAlerts({ rules: [] });
  await made.alerts.rules.put({ ...high, threshold: 10 }, 'local:mia');
  await made.alerts.rules.tellShelved();
  expect(await eventTypes()).toEqual([]);
  await made.restart({ rules: [high] });
  await made.alerts.rules.tellShelved();
  const [told] = await made.events.list({ limit: 5 });
  expect(told).toMatchObject({ type: 'alert.rule-shelved', severity: 'warning', data: { rule: 'high' } });
  expect(await made.alerts.rules.require('high')).toMatchObject({
    origin: 'file',
    shelved: ['api'],
    rule: { threshold: 85 },
  });
  made.set(50);
  expect(await made.tick(4)).toEqual([]);
});

test('a rule that makes no sense of its metric is said so, and the others are evaluated', async () => {
  made = await openTestAlerts({
    rules: [{ name: 'bad', metric_name: 'level', aggregation: 'rate', condition: 'gt', threshold: 1 }, high],
  });
  made.set(90);
  expect(await made.tick(3)).toEqual(['firing alert:high']);
  expect(made.alerts.evaluation.status('bad')?.error).toContain('which has no rate');
  expect(made.alerts.evaluation.lastFacts()).toMatchObject({ rules: 2, failed: 1, missed: 0 });
});

test('a rule on a metric that does not exist tells nothing, and its status says that nothing has a value', async () => {
  made = await openTestAlerts({ rules: [{ ...high, metric_name: 'no_such_metric' }] });
  expect(await made.tick(3)).toEqual([]);
  expect(made.alerts.evaluation.status('high')).toMatchObject({ readings: 0, error: null });
});

test('averages, groups, ratios, rates and forecasts are read from the store', async () => {
  const level = { metric_name: 'level', condition: 'gt', duration_seconds: 0 } as const;
  made = await openTestAlerts({
    rules: [
      { name: 'average', ...level, aggregation: 'average', window_seconds: 120, threshold: 49, group_by: [] },
      { name: 'ratio', ...level, labels: { target: 'a' }, threshold: 0.9, divide_by: { metric_name: 'level' } },
      { name: 'faster', ...level, measure: 'change_per_second', window_seconds: 300, threshold: 0.3 },
      { name: 'fills', ...level, measure: 'forecast', window_seconds: 300, forecast_seconds: 60, threshold: 65 },
      { name: 'not', ...level, labels: { target: { not: ['a', 'b'] } }, threshold: 0 },
      { name: 'nothing', metric_name: 'gone', condition: 'absent', duration_seconds: 60 },
    ],
  });
  // Ten more every half minute: a third per second.
  for (const value of [10, 20, 30, 40, 50]) {
    made.set(value);
    made.set(60, 'b');
    await made.tick();
  }
  expect(errorOf()).toBeNull();
  expect(
    made.told.map(({ labels: { alertname, target }, annotations }) => [alertname, target, annotations.value]),
  ).toEqual(
    expect.arrayContaining([
      ['ratio', 'a', '1'],
      ['faster', 'a', expect.stringMatching(/^0\.333/)],
      ['fills', 'a', expect.stringMatching(/^(6|7)\d/)],
      ['nothing', undefined, undefined],
    ]),
  );
  expect(made.told.some(({ labels }) => labels.alertname === 'not')).toBe(false);
  expect(made.told.find(({ labels }) => labels.alertname === 'average')?.labels.target).toBeUndefined();
});

test('what a series never did fires with what was usual, is resolved, and a trial over the past says the same', async () => {
  const strange: AlertRuleBody = {
    ...{ name: 'strange', metric_name: 'level', measure: 'anomaly', condition: 'gt', threshold: 6 },
    ...{ window_seconds: 60, baseline_seconds: 1_800, direction: 'above', duration_seconds: 60 },
    ...{ aggregation: 'average', resolve_duration_seconds: 0 },
  };
  made = await openTestAlerts({ rules: [strange] });
  const fromMs = made.clock.now();
  const values = [...Array.from({ length: 70 }, (_, i) => 100 + (i % 5)), 103, 140, 140, 140, 140, 102, 103, 102, 104];
  const told: string[] = [];
  for (const [at, value] of values.entries()) {
    made.set(value);
    made.set(1_000 + value, 'b');
    // One that has just begun has no past.
    if (at > 60) made.set(at ** 3, 'young');
    told.push(...(await made.tick()));
  }
  expect(errorOf()).toBeNull();
  expect(told).toEqual([
    'firing alert:strange',
    'firing alert:strange',
    'resolved alert:strange',
    'resolved alert:strange',
  ]);
  const [first] = made.told;
  expect(first?.summary).toMatch(
    /^strangeness of average of level over 1 min against its past 30 min, above only, is above 6 \(now \d+(\.\d+)?: 140, usually 102 ± \d+\.\d+\), held for 60 s\.$/,
  );
  const rule = made.alerts.rules.require('strange').then(({ rule }) => rule);
  const tried = await backtestRule(await rule, made.metrics.metrics.history, {
    ...{ fromMs, toMs: made.clock.now(), intervalMs: testIntervalMs },
  });
  const lived = await made.alerts.store.history({ limit: 9 });
  // To one evaluation: what is sampled at the moment of one belongs to the step after it.
  const times = (all: readonly { labels: Labels; firedAtMs: number; resolvedAtMs: number | null }[], laterMs: number) =>
    all
      .map((one) => [one.labels.target, one.firedAtMs + laterMs, (one.resolvedAtMs ?? 0) + laterMs].join(' '))
      .toSorted();
  expect(lived).toHaveLength(2);
  expect([times(lived, 0), times(lived, testIntervalMs)]).toContainEqual(times(tried.firings, 0));
});

test.each([
  // The first alone, all others of them together, and the one that groups.
  ['where other processes have series too, rules that ask the same of single series share one question', true, 3],
  ['where all series are those of this process, what single series measured is read without a question', false, 1],
])('%s, and see what each would see alone', async (_, leases, questions) => {
  const level = {
    metric_name: 'level',
    aggregation: 'max',
    condition: 'gt',
    threshold: 50,
    duration_seconds: 0,
  } as const;
  const labels: AlertRuleBody['labels'][] = [
    ...[{ target: 'a' }, { target: 'b' }, { target: ['a', 'c'] }, { target: { not: 'a' } }, { target: 'none' }],
    ...[undefined, { target: 'c', instance: 'i1' }, { target: 'c', instance: 'other' }],
  ];
  const rules = labels.map((one, i) => ({ ...level, name: `r${i}`, ...(one === undefined ? {} : { labels: one }) }));
  made = await openTestAlerts({ rules: [...rules, { ...level, name: 'grouped', group_by: ['instance'] }], leases });
  for (const [target, value] of Object.entries({ a: 60, b: 40, c: 70, d: 80 })) made.set(value, target);
  const { queries: before } = made.metrics.metrics.history.stats;
  await made.tick();
  expect(made.metrics.metrics.history.stats.queries - before).toBe(questions);
  expect(made.told.map(({ labels: { alertname, target = '-' } }) => `${alertname} ${target}`).toSorted()).toEqual([
    ...['grouped -', 'r0 a', 'r2 a', 'r2 c', 'r3 c', 'r3 d', 'r5 a', 'r5 c', 'r5 d', 'r6 c'],
  ]);
});

test('100 rules are evaluated in less than 100 ms', async () => {
  const rules = Array.from({ length: 100 }, (_, i) => ({ ...high, name: `r${i}`, labels: { target: `t${i % 50}` } }));
  made = await openTestAlerts({ rules });
  for (let i = 0; i < 50; i += 1) made.set(i % 4 === 0 ? 90 : 10, `t${i}`);
  // What fires is written first; after that each evaluation looks at all of them again.
  await made.tick(4);
  expect(made.alerts.evaluation.alerts().get('r0')).toHaveLength(1);
  await made.clock.advance(testIntervalMs);
  await made.metrics.registry.collect();
  // Processor time, and far above what it takes, so that a busy machine does not decide; docs/benchmarks.md has the figures.
  const before = process.cpuUsage();
  await made.alerts.evaluation.job.runOnce();
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(100);
  expect(made.alerts.evaluation.lastFacts()).toMatchObject({ rules: 100, failed: 0 });
});

test('a pager-free night: twelve hours of an input that comes and goes are one notification', async () => {
  made = await openTestAlerts({ rules: [{ name: 'high', metric_name: 'level', condition: 'gt', threshold: 85 }] });
  // Five minutes and more above, at most four below, all night; the numbers are those of a small generator, the same each time.
  let seed = 7;
  const next = (most: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % most;
  };
  let ticks = 0;
  while (ticks < 1_440) {
    const above = 11 + next(10);
    const below = 1 + next(8);
    made.set(95);
    await made.tick(above, { sampled: false });
    made.set(60);
    await made.tick(below, { sampled: false });
    ticks += above + below;
  }
  expect(made.told.map(({ status }) => status)).toEqual(['firing']);
  await made.tick(12);
  expect(made.told.map(({ status }) => status)).toEqual(['firing', 'resolved']);
});

test('an acknowledged alert is told to be so, with who and why', async () => {
  made = await openTestAlerts({ rules: [{ ...high, duration_seconds: 0 }] });
  made.set(90);
  await made.tick();
  const id = made.alerts.evaluation.alerts().get('high')?.[0]?.id ?? '';
  const alert = await made.alerts.acknowledge(id, 'local:mia', 'on it');
  expect(alert.acknowledged).toMatchObject({ by: 'local:mia', note: 'on it' });
  expect(made.acknowledged).toEqual([made.told[0]?.key]);
  made.set(10);
  await made.tick();
  const again = made.alerts.acknowledge(id, 'local:mia', null);
  await expect(again).rejects.toSatisfy((err) => err instanceof AppError && err.code === 'alerts/unknown-alert');
});

describe('an action', () => {
  const point = { kind: 'take-recovery-point', target_id: 'main' } as const;
  const begun: string[] = [];
  const runners: ActionRunners = {
    'take-recovery-point': {
      describe: async ({ targetId }) => `a point of ${targetId}.`,
      async run({ targetId }, why) {
        begun.push(`${targetId}: ${why}`);
        if (begun.length > 1) throw new AppError('backup/unavailable', 'restic is missing');
        return { detail: 'A point is being taken.', operationId: 'op_1' };
      },
    },
  };
  const ticks = async (action: NonNullable<AlertRuleBody['action']>): Promise<(string | undefined)[]> => {
    begun.length = 0;
    made = await openTestAlerts({
      rules: [{ ...high, duration_seconds: 0, action, flap_damping: false }],
      runners,
    });
    for (let i = 0; i < 3; i += 1) {
      made.set(90);
      await made.tick();
      made.set(10);
      await made.tick();
    }
    const history = await made.alerts.store.history({ limit: 9 });
    return history.reverse().map(({ action: outcome }) => `${outcome?.state}: ${outcome?.detail}`);
  };

  test('is dry unless told otherwise: the history says what would be done', async () => {
    expect(await ticks(point)).toEqual(Array(3).fill('dry: Would be done: a point of main.'));
    expect(begun).toEqual([]);
  });
  test('is done no more often than the rule says, and the history tells what became of it', async () => {
    expect(await ticks({ ...point, mode: 'run', at_most_every_seconds: 90 })).toEqual([
      'begun: A point is being taken.',
      'skipped: It was done 60 s ago, and may be done every 90 s.',
      'failed: It failed: restic is missing',
    ]);
    expect(begun[0]).toBe('main: alert high {target="a"}: level is above 85 (now 90).');
    const audit = await made.events.listAudit({ limit: 9 });
    expect(audit.map(({ actor, action, outcome }) => [actor, action, outcome]).reverse()).toEqual([
      ['alert:high', 'alerts.action.take-recovery-point', 'done'],
      ['alert:high', 'alerts.action.take-recovery-point', 'refused'],
      ['alert:high', 'alerts.action.take-recovery-point', 'failed'],
    ]);
  });
  test('that nothing here can do is said to be so', async () => {
    const [first] = await ticks({ kind: 'run-cleanup-task', task_id: 't', mode: 'run' });
    expect(first).toBe('unavailable: run-cleanup-task is not available here.');
  });
  test('that was being begun when the process ended is not begun again', async () => {
    await ticks({ ...point, mode: 'run' });
    const [last] = await made.alerts.store.history({ limit: 1 });
    const { id = '', action } = last ?? {};
    if (action === null || action === undefined) throw new Error('it has no action');
    await made.state.db.unit((tx) => made.alerts.store.setAction(tx, id, { ...action, state: 'running' }));
    await made.restart();
    await made.tick();
    expect((await made.alerts.store.find(id))?.action?.state).toBe('unknown');
    expect(begun).toHaveLength(1);
  });
});
