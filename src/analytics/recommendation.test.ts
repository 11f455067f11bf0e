import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Forecast } from './forecast.ts';
import { decidePatterns, type KnownPattern, type Look, patternId } from './known-pattern.ts';
import { decideRecommendations, type KnownRecommendation, recommendationId } from './known-recommendation.ts';
import type { LeakFact } from './leak-fact.ts';
import type { Pattern } from './pattern.ts';
import { isProfile, type Profile, profileOf } from './profile.ts';
import { recommend } from './recommend.ts';
import type { Machine, Priority, Recommendation } from './recommendation.ts';
import { seriesOf } from './test-labelled.ts';

const hourMs = 3_600_000;
const nowMs = Date.UTC(2026, 5, 1);
const at = (hours: number, judged = true): Look => ({ nowMs: nowMs + hours * hourMs, judged: () => judged });
const pattern = (given: Partial<KnownPattern>): KnownPattern => ({
  ...{ type: 'gradual_growth', key: 'disk', resourceType: 'disk', description: 'd', confidence: 0.95 },
  ...{ isShared: false, instance: 'i1' },
  ...{ fromMs: nowMs - 168 * hourMs, toMs: nowMs, metrics: {}, metadata: { unit: 'percent' } },
  ...{ id: 'pt_1', firstSeenMs: nowMs, lastSeenMs: nowMs, endedMs: null, toldMs: nowMs },
  ...given,
});
const filling = (hours: number, given: Partial<Forecast> = {}): Forecast => ({
  ...{ key: 'disk', resourceType: 'disk', unit: 'percent', state: 'fills', basis: 'trend', now: 90, limit: 100 },
  ...{ perHour: { low: 0.09, mid: 0.1, high: 0.11 }, reachedAtMs: nowMs + hours * hourMs },
  ...{ earliestMs: null, latestMs: null, holdOut: null, message: 'm' },
  ...given,
});
const leak: LeakFact = {
  ...{ key: 'leak:backend/database_sessions', resourceType: 'database_connection', subject: 'backend' },
  ...{ measure: 'database_sessions', unit: 'count', level: 'confirmed', confidence: 0.9, perHour: 3 },
  ...{ grownPercent: 150, hours: 12, runs: 1, sinceMs: 0, seenMs: 0, description: 'd', action: 'a' },
  closestHarmless: null,
};
const gib = 2 ** 30;
const machine: Machine = { cores: 16, memoryBytes: 64 * gib, diskBytes: 1_000 * gib };
/** A week of one resource. */
const profile = (key: string, perHour: number, level = 1_000): Profile => {
  const made = profileOf(
    seriesOf(
      Array.from({ length: 168 }, (_, hour) => level + perHour * hour),
      {
        key,
        resourceType: key.split(':')[0] as string,
        stepMs: hourMs,
        times: Array.from({ length: 168 }, (_, hour) => hour * hourMs),
      },
    ),
  );
  if (!isProfile(made)) throw new Error(made.reason);
  return made;
};
const slow = profile('query_latency:t', 1);
const recommended = (
  patterns: KnownPattern[],
  trends: Forecast[] = [],
  more: { profiles?: Profile[]; machine?: Machine; leaks?: LeakFact[] } = {},
): Recommendation[] =>
  recommend({ patterns, trends, profiles: [slow], leaks: [leak], machine: undefined, nowMs, ...more });

describe('what to do', () => {
  test.each([
    [12, 'critical'],
    [100, 'high'],
    [400, 'medium'],
  ])('a disk that is full in %i h is %s', (hours, priority) => {
    const [one] = recommended([pattern({})], [filling(hours)]);
    expect(one).toMatchObject({ priority, optimizationType: 'cleanup', evidence: ['pt_1'] });
    // A tenth of a percent an hour, 720 hours long, of which ten are still free.
    expect(one?.savings).toMatchObject({ amount: 62, unit: 'percent' });
  });

  test('where the size of the disk is known, it is told in bytes what must go', () => {
    const [one] = recommended([pattern({})], [filling(100)], { machine });
    expect(one?.savings).toMatchObject({ amount: 620 * gib, unit: 'bytes' });
    expect(one?.currentState).toMatchObject({ now: 900 * gib, limit: 1_000 * gib, growth_per_day: 24 * gib });
    expect(one?.steps.at(-1)).toContain('620 GiB more');
  });

  test('a quota that fills names the limit that lasts a month', () => {
    const [one] = recommended(
      [pattern({ key: 'quota:team', resourceType: 'tokens' })],
      [filling(100, { key: 'quota:team' })],
    );
    expect(one).toMatchObject({ optimizationType: 'quota_adjustment', recommendedState: { limit: 162 } });
    expect(one?.steps.at(-1)).toContain('`ragwarden quota set team --limit 162`');
  });

  test('what fills in a year, or has no pattern, is nobody’s work', () => {
    expect(recommended([pattern({})], [filling(9_000)])).toEqual([]);
    expect(recommended([], [filling(12)])).toEqual([]);
  });

  const quota = pattern({
    ...{ type: 'underutilization', key: 'quota:team', resourceType: 'tokens' },
    metrics: { capacity: 1_000, p95_usage: 100, peak_usage: 120, utilization_ratio: 0.05 },
    metadata: { unit: 'tokens' },
  });
  /** A machine that had nothing to do, a week long unless told. */
  const idle = (key: 'cpu' | 'memory', hours = 168): KnownPattern => ({
    ...{ ...quota, key, resourceType: key, fromMs: nowMs - hours * hourMs, metadata: { unit: 'percent' } },
    metrics: { capacity: 100, p95_usage: 4, peak_usage: 9, utilization_ratio: 0.03 },
  });
  const stored = pattern({
    ...{ key: 'storage:t/files', resourceType: 'storage', metadata: { unit: 'bytes' } },
    metrics: { slope_per_hour: 5, growth_rate_percent: 20 },
  });
  const longer = (perHour: number, percent: number, key = 'query_latency'): KnownPattern =>
    pattern({
      ...{ key: `${key}:t`, resourceType: key, metadata: { unit: 'ms' } },
      metrics: { slope_per_hour: perHour, growth_rate_percent: percent },
    });
  const every = [
    ...recommended([pattern({})], [filling(12)]),
    ...recommended([pattern({ key: 'memory', resourceType: 'memory' })], [filling(12, { key: 'memory' })]),
    ...recommended([pattern({ key: 'quota:team', resourceType: 'tokens' })], [filling(12, { key: 'quota:team' })]),
    ...recommended([quota, idle('cpu'), idle('memory')], [], { machine }),
    ...recommended([stored], [], { profiles: [profile('documents:t/processed', 0.1)] }),
    ...recommended([longer(5, 40)]),
    ...recommended([pattern({ type: 'memory_leak', key: leak.key, resourceType: leak.resourceType })]),
    ...recommended([
      pattern({
        type: 'periodic_spikes',
        key: 'cpu',
        metrics: { typical_spike: 95, usual: 10, period_seconds: 3_600 },
      }),
    ]),
    ...['inserts', 'llm_latency', 'memory'].flatMap((leader) =>
      recommended([
        pattern({
          ...{ type: 'cross_resource', key: 'query_latency:t', resourceType: 'query_latency' },
          ...{ metrics: { rank_correlation: 0.7 }, metadata: { leader, leader_type: leader } },
        }),
      ]),
    ),
  ];

  test('a quota that is not used may be lower, with room above its peak', () => {
    expect(recommended([quota])[0]).toMatchObject({
      ...{ optimizationType: 'quota_adjustment', effort: 'low', savings: { amount: 850, unit: 'tokens' } },
      recommendedState: { limit: 150 },
    });
  });

  test('what touched its limit once is not told to have less of it', () => {
    const touched = { ...quota, metrics: { ...quota.metrics, peak_usage: 990 } };
    expect(recommended([touched])).toEqual([]);
  });

  test('nor is what nobody uses at all', () => {
    expect(recommended([{ ...quota, metrics: { ...quota.metrics, p95_usage: 0 } }])).toEqual([]);
  });

  test('a machine is told to be too large in what one buys, after a week, and never below what the backend wants', () => {
    const [cpu, memory] = recommended([idle('cpu'), idle('memory')], [], { machine });
    expect(cpu).toMatchObject({ savings: { amount: 14, unit: 'cores' }, recommendedState: { provided: 2 } });
    expect(memory).toMatchObject({
      savings: { amount: 58 * gib, unit: 'bytes' },
      recommendedState: { provided: 6 * gib },
    });
    expect(cpu?.steps.join()).toContain('2 cores instead of 16 cores');
    expect(recommended([idle('cpu', 100), idle('memory', 100)], [], { machine })).toEqual([]);
    expect(
      recommended([idle('cpu'), idle('memory')], [], { machine: { ...machine, cores: 2, memoryBytes: 4 * gib } }),
    ).toEqual([]);
    expect(recommended([idle('cpu')])).toEqual([]);
  });

  test('a store that grows with its documents is as it should be; one that grows without them is told, with what is too much', () => {
    const documents = (perHour: number) => [profile('documents:t/processed', perHour)];
    expect(recommended([stored], [], { profiles: documents(1) })).toEqual([]);
    expect(recommended([stored], [], { profiles: [] })).toEqual([]);
    const [one] = recommended([stored], [], { profiles: documents(0.3) });
    // A week of five an hour; the documents grew by a twentieth, the store by a fifth.
    expect(one?.savings.amount).toBeCloseTo(5 * 168 * 0.75, -1);
    expect(one?.currentState.documents_growth_percent).toBeCloseTo(5, 0);
  });

  test('a latency is told when somebody notices, and a probe is nobody’s work', () => {
    expect(recommended([longer(5, 40)])).toHaveLength(1);
    expect(recommended([longer(0.1, 40)])).toEqual([]);
    expect(recommended([longer(5, 10)])).toEqual([]);
    expect(recommended([longer(5, 40, 'probe_latency')])).toEqual([]);
  });

  test.each([
    ['network:sent', 'network', 'bytes', 9e6, 0],
    ['file_handle:ragwarden', 'file_handle', 'files', 90, 0],
    ['query_latency:t', 'query_latency', 'ms', 400, 0],
    ['query_latency:t', 'query_latency', 'ms', 4_000, 1],
    ['cpu', 'cpu', 'percent', 40, 0],
    ['cpu', 'cpu', 'percent', 95, 1],
  ])('spikes of %s (%s) to %s %d are told %i times', (key, resourceType, unit, height, times) => {
    const metrics = { typical_spike: height, usual: height / 10, period_seconds: 3_600 };
    expect(
      recommended([pattern({ type: 'periodic_spikes', key, resourceType, metrics, metadata: { unit } })]),
    ).toHaveLength(times);
  });

  test('a suspicion is no reason to restart anything', () => {
    const suspected = pattern({ type: 'memory_leak', key: leak.key, resourceType: leak.resourceType });
    const [one] = recommended([suspected], [], { leaks: [{ ...leak, level: 'suspected' }] });
    expect(one).toMatchObject({ priority: 'low', title: expect.stringContaining('may leak') });
    expect(one?.steps.join()).not.toContain('Restart');
  });

  test('what follows is told only where it is long enough to be noticed', () => {
    const related = pattern({
      ...{ type: 'cross_resource', key: 'query_latency:t', resourceType: 'query_latency' },
      ...{ metrics: { rank_correlation: 0.7 }, metadata: { leader: 'memory', leader_type: 'memory' } },
    });
    expect(recommended([related])).toHaveLength(1);
    expect(recommended([related], [], { profiles: [profile('query_latency:t', 0, 40)] })).toEqual([]);
  });

  test('sessions that leak want a pool', () => {
    const found = every.find(({ rule }) => rule === 'leak');
    expect(found).toMatchObject({ optimizationType: 'pooling', priority: 'critical', savings: { amount: 36 } });
  });

  test('each has steps, savings with a basis, and evidence', () => {
    expect(every).toHaveLength(13);
    for (const one of every) {
      expect(one.steps.length).toBeGreaterThan(1);
      expect(one.savings.basis).not.toBe('');
      expect(one.evidence).not.toEqual([]);
      expect(Object.keys(one.currentState)).not.toEqual([]);
      expect(Object.keys(one.recommendedState)).not.toEqual([]);
    }
  });

  test('every command that a step names is one of ragwarden’s, and every setting too', () => {
    const docs = join(import.meta.dirname, '../../docs');
    const commands = readFileSync(join(docs, 'cli.md'), 'utf8');
    const settings = readFileSync(join(docs, 'configuration.md'), 'utf8');
    const named = every.flatMap(({ steps }) => steps.flatMap((step) => [...step.matchAll(/`ragwarden ([^`]+)`/g)]));
    expect(named.length).toBeGreaterThan(20);
    for (const [, command = ''] of named) {
      const words = command.split(' ').filter((word) => /^[a-z-]+$/.test(word) && !word.startsWith('--'));
      const known = [3, 2, 1].some((length) => commands.includes(`### ${words.slice(0, length).join(' ')}\n`));
      expect(known, command).toBe(true);
      for (const [flag] of command.matchAll(/--[a-z-]+/g)) expect(commands, command).toContain(`\`${flag}`);
      for (const [, setting = ''] of command.matchAll(/settings set ([a-z_.]+)=/g))
        expect(settings, command).toContain(`\`${setting}\``);
    }
  });
});

describe('what is known of a pattern', () => {
  const seen = (given: Partial<Pattern> = {}) => {
    const { firstSeenMs: _, lastSeenMs: __, endedMs: ___, toldMs: ____, ...one } = pattern(given);
    return { ...one, instance: 'i1', id: patternId('i1', one) };
  };

  test('it has one id wherever it is seen again, and another elsewhere', () => {
    expect(patternId('i1', seen({ confidence: 0.7 }))).toBe(patternId('i1', seen()));
    expect(patternId('i2', seen())).not.toBe(patternId('i1', seen()));
    expect(patternId('i1', seen({ key: 'memory' }))).not.toBe(patternId('i1', seen()));
  });

  test('it is told once when it is sure enough, and ends an hour after it was last found', () => {
    const unsure = decidePatterns([], [seen({ confidence: 0.75 })], at(0));
    expect(unsure).toMatchObject([{ change: 'found', tells: false, pattern: { toldMs: null } }]);
    const sure = decidePatterns([unsure[0]!.pattern], [seen()], at(1));
    expect(sure).toMatchObject([{ change: 'kept', tells: true, pattern: { firstSeenMs: nowMs } }]);
    expect(decidePatterns([sure[0]!.pattern], [seen()], at(2))).toMatchObject([{ tells: false }]);
    expect(decidePatterns([sure[0]!.pattern], [], at(1.5))).toEqual([]);
    const ended = decidePatterns([sure[0]!.pattern], [], at(2.5));
    expect(ended).toMatchObject([{ change: 'ended', pattern: { endedMs: nowMs + 2.5 * hourMs } }]);
    // Back within the day it is told no second time; later it is.
    expect(decidePatterns([ended[0]!.pattern], [seen()], at(5))).toMatchObject([{ change: 'found', tells: false }]);
    expect(decidePatterns([ended[0]!.pattern], [seen()], at(50))).toMatchObject([{ change: 'found', tells: true }]);
  });

  test('no data is no sign that it is over', () => {
    expect(decidePatterns([pattern({})], [], at(24, false))).toEqual([]);
    expect(decidePatterns([pattern({})], [], at(24 * 8, false))).toMatchObject([{ change: 'ended' }]);
  });
});

describe('what is known of a recommendation', () => {
  const found = (priority: Priority) => {
    const [one] = recommended([pattern({})], [filling(priority === 'critical' ? 12 : 400)]);
    return { ...one!, instance: 'i1', id: recommendationId('i1', one!) };
  };
  const open = (): KnownRecommendation => decideRecommendations([], [found('medium')], at(0))[0]!;
  const dismissed = (): KnownRecommendation => ({
    ...{ ...open(), state: 'dismissed' },
    dismissal: { by: 'a', reason: 'r', atMs: nowMs, priority: 'medium' },
  });

  test('it is open, keeps its id and its date, and resolves itself when its cause is gone', () => {
    expect(open()).toMatchObject({ state: 'open', createdMs: nowMs });
    expect(decideRecommendations([open()], [found('critical')], at(3))).toMatchObject([
      { id: open().id, state: 'open', priority: 'critical', createdMs: nowMs },
    ]);
    expect(decideRecommendations([open()], [], at(0.5))).toEqual([]);
    expect(decideRecommendations([open()], [], at(2, false))).toEqual([]);
    expect(decideRecommendations([open()], [], at(2))).toMatchObject([
      { state: 'resolved', resolvedMs: nowMs + 2 * hourMs },
    ]);
  });

  test('dismissed it stays, also when it comes back, unless it becomes graver', () => {
    expect(decideRecommendations([dismissed()], [found('medium')], at(3))).toMatchObject([{ state: 'dismissed' }]);
    const [gone] = decideRecommendations([dismissed()], [], at(3));
    expect(gone?.state).toBe('resolved');
    expect(decideRecommendations([gone!], [found('medium')], at(9))).toMatchObject([{ state: 'dismissed' }]);
    expect(decideRecommendations([dismissed()], [found('critical')], at(3))).toMatchObject([
      { state: 'open', dismissal: null },
    ]);
  });
});

describe('a profile', () => {
  const values = [...Array<number>(90).fill(20), ...Array<number>(10).fill(50)];

  test('of what has a capacity compares with it', () => {
    const profile = profileOf(seriesOf(values, { capacity: 100, highest: 80 }));
    expect(profile).toMatchObject({ average: 23, peak: 80, p95: 50, provided: 100, providedBasis: 'capacity' });
    expect(profile).toMatchObject({ efficiency: 0.23, wastePercent: 50, variance: 81, total: 23 * 25 });
  });

  test('of what has none with its peaks, of which one alone does not count', () => {
    const profile = profileOf(seriesOf([...values.slice(0, 99), 5_000, ...values, ...values]));
    expect(profile).toMatchObject({ peak: 5_000, provided: 50, providedBasis: 'peak', wastePercent: 0 });
  });

  test('below 101 steps its peaks are one peak, and nothing is compared with it', () => {
    expect(profileOf(seriesOf(values))).toMatchObject({
      provided: null,
      providedBasis: null,
      efficiency: null,
      wastePercent: null,
    });
    expect(profileOf(seriesOf([...values, 20]))).toMatchObject({
      provided: 50,
      providedBasis: 'peak',
      wastePercent: 0,
    });
  });

  test('of a latency has no efficiency, and of nothing nothing', () => {
    expect(profileOf(seriesOf(values, { kind: 'latency' }))).toMatchObject({ efficiency: null, wastePercent: null });
    const young = profileOf(seriesOf([1, 2, null, 3]));
    expect(isProfile(young)).toBe(false);
    expect(young).toMatchObject({ points: 3, reason: expect.stringContaining('3 of at least 10') });
  });
});
