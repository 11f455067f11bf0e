import { leastSpan } from './forecast.ts';
import type { LeakFact } from './leak-fact.ts';
import type { Profile } from './profile.ts';
import { fewestHours, type Mover, type Relation } from './relation.ts';
import { findRhythm, leastRhythmPoints, shortestPeriod } from './rhythm.ts';
import { sayAmount, sayHours, shortly } from './say.ts';
import { hourly, instantOf, pointsOf, type ResourceSeries } from './series.ts';

export const patternTypes = [
  'gradual_growth',
  'periodic_spikes',
  'memory_leak',
  'underutilization',
  'cross_resource',
] as const;
export type PatternType = (typeof patternTypes)[number];

/** Something that a resource does, with the figures that show it. */
export type Pattern = {
  readonly type: PatternType;
  /** Of the resource; of a relation the one that follows. */
  readonly key: string;
  readonly resourceType: string;
  /** Of what is one thing for all instances that share a state. */
  readonly isShared: boolean;
  readonly description: string;
  /** 0 to 1; what it is a share of is said by each pattern's own words in docs/analytics.md. */
  readonly confidence: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly metadata: Readonly<Record<string, string | number | null>>;
};

/** Nothing less sure is told. */
export const leastConfidence = 0.7;
/** All series together: chance makes a pattern of any in one of a hundred looks at most. */
const familyError = 0.01;
/** Growth over the window, as a share of what is held usually. */
const leastGrowth = 0.05;
/** Each fourth of the window has had its part in it. */
const leastPart = 0.08;
/** Below this share of what is provided, 95 of 100 steps long, it is used too little. */
const underused = 0.3;
const leastUnderusedHours = 24;
const shortestOfHours = shortestPeriod(1);

const whose = ({ key, resourceType, isShared }: ResourceSeries) => ({ key, resourceType, isShared });

/** @param looked how many series are looked at together, over which chance is spread */
export function findGrowth(profile: Profile, looked: number): Pattern | undefined {
  const { series, trend, fromMs, toMs } = profile;
  if (!trend || trend.perHour <= 0 || trend.spanHours < leastSpan[series.kind]) return undefined;
  const p = Math.min(1, trend.p * Math.max(1, looked));
  const grown = trend.perHour * trend.spanHours;
  const begin = trend.atEnd - grown;
  const share = grown / Math.max(Math.abs(begin), (series.capacity ?? 0) / 20, 1e-12);
  const confidence = ((1 - p) * (1 + trend.tau)) / 2;
  if (p > familyError || share < leastGrowth || trend.leastPart < leastPart || confidence < leastConfidence)
    return undefined;
  const each = series.kind === 'flow' ? `${series.unit} an hour` : series.unit;
  return {
    ...{ type: 'gradual_growth', ...whose(series), confidence, fromMs, toMs },
    description: `${series.key} grows by ${sayAmount(trend.perHour * 24, each)} a day, by ${shortly(100 * share)} % in ${sayHours(trend.spanHours)}.`,
    metrics: {
      slope_per_hour: trend.perHour,
      slope_per_hour_low: trend.perHourLow,
      slope_per_hour_high: trend.perHourHigh,
      growth_rate_percent: 100 * share,
      kendall_tau: trend.tau,
      p_value: p,
      least_quarter_share: trend.leastPart,
      samples: trend.points,
    },
    metadata: { unit: series.unit, metric: series.metric, kind: series.kind },
  };
}

export function findSpikesInRhythm(
  profile: Pick<Profile, 'series' | 'points' | 'fromMs' | 'toMs'>,
  looked: number,
): Pattern | undefined {
  const { series, fromMs, toMs } = profile;
  if (profile.points < leastRhythmPoints || series.kind === 'stock') return undefined;
  const found = rhythmOf(series);
  if (!found) return undefined;
  const { rhythm, of } = found;
  const p = Math.min(1, rhythm.p * found.tries * Math.max(1, looked));
  const confidence = (1 - p) * rhythm.coverage * rhythm.inRhythm;
  if (p > familyError || confidence < leastConfidence) return undefined;
  return {
    ...{ type: 'periodic_spikes', ...whose(series), confidence, fromMs, toMs },
    description: `${series.key} spikes every ${sayHours(rhythm.periodHours)} to ${sayAmount(rhythm.height, series.unit)}, usually ${sayAmount(rhythm.usual, series.unit)}; ${rhythm.spikes.length} times, next about ${new Date(instantOf(rhythm.nextHours)).toISOString()}.`,
    metrics: {
      spike_count: rhythm.spikes.length,
      average_interval: rhythm.periodHours * 3_600,
      period_seconds: rhythm.periodHours * 3_600,
      spike_threshold: rhythm.threshold,
      typical_spike: rhythm.height,
      usual: rhythm.usual,
      coverage: rhythm.coverage,
      in_rhythm: rhythm.inRhythm,
      p_value: p,
    },
    metadata: {
      unit: series.unit,
      metric: series.metric,
      of,
      period: periodWord(rhythm.periodHours),
      next_expected: new Date(instantOf(rhythm.nextHours)).toISOString(),
    },
  };
}

/** Of a closer look at the last days: what comes too often to be seen in steps of an hour. What is rarer is told by the longer one. */
export function findQuickRhythm(series: ResourceSeries, looked: number): Pattern | undefined {
  const { hours } = pointsOf(series);
  const [first, last] = [hours[0], hours.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const half = series.stepMs / 2;
  const span = { fromMs: instantOf(first) - half, toMs: instantOf(last) + half };
  const found = findSpikesInRhythm({ series, points: hours.length, ...span }, looked);
  return found && (found.metrics.period_seconds ?? 0) < shortestOfHours * 3_600 ? found : undefined;
}

/** Of the means of steps, or of the highest value of each, of which what lasts minutes stands out: whichever is more in rhythm. */
function rhythmOf(series: ResourceSeries) {
  const { tops, stepMs } = series;
  const rhythmIn = (values: ResourceSeries['values']) =>
    findRhythm(pointsOf({ ...series, values }), stepMs / 3_600_000);
  const tries = tops ? 2 : 1;
  const found = [
    { of: 'means of steps', rhythm: rhythmIn(series.values), tries },
    { of: 'highest values of steps', rhythm: tops ? rhythmIn(tops) : undefined, tries },
  ].flatMap(({ rhythm, ...one }) => (rhythm ? [{ ...one, rhythm }] : []));
  const sureness = ({ rhythm }: { rhythm: { coverage: number; inRhythm: number } }) =>
    rhythm.coverage * rhythm.inRhythm;
  return found.sort((a, b) => sureness(b) - sureness(a))[0];
}

const periodWord = (hours: number): string =>
  hours === 1 ? 'hourly' : hours === 24 ? 'daily' : hours === 168 ? 'weekly' : `every ${sayHours(hours)}`;

/** Only where it is known what is provided, and could be given back: a peak of last week is no promise. */
export function findUnderuse(profile: Profile): Pattern | undefined {
  const { series, fromMs, toMs, provided } = profile;
  const hours = (toMs - fromMs) / 3_600_000;
  if (!series.mayBeSpare || provided === null || series.capacity === null || hours < leastUnderusedHours)
    return undefined;
  const { values } = pointsOf(series);
  const below = values.filter((value) => value < underused * provided).length / values.length;
  const seen = values.length / series.values.length;
  const confidence = below * seen;
  if (below < 0.95 || confidence < leastConfidence) return undefined;
  return {
    ...{ type: 'underutilization', ...whose(series), confidence, fromMs, toMs },
    description: `${series.key}: ${shortly(100 * below)} % of the time less than ${100 * underused} % of ${sayAmount(provided, series.unit)} is used; 95 of 100 steps stay below ${sayAmount(profile.p95, series.unit)}.`,
    metrics: {
      utilization_ratio: profile.average / provided,
      peak_usage: profile.peak,
      average_usage: profile.average,
      p95_usage: profile.p95,
      capacity: provided,
      share_of_time_below: below,
    },
    metadata: { unit: series.unit, metric: series.metric },
  };
}

/** What the search for leaks found; it is not looked for a second time, so that both say the same. */
export const leakPattern = (leak: LeakFact): Pattern => ({
  ...{ type: 'memory_leak', key: leak.key, resourceType: leak.resourceType, confidence: leak.confidence },
  // Each instance looks at the processes of its own machine.
  isShared: false,
  ...{ description: leak.description, fromMs: leak.sinceMs, toMs: leak.seenMs },
  metrics: {
    growth_per_hour: leak.perHour,
    growth_percent: leak.grownPercent,
    net_change: leak.perHour * leak.hours,
    hours: leak.hours,
    runs: leak.runs,
  },
  metadata: {
    ...{ unit: leak.unit, level: leak.level, subject: leak.subject, measure: leak.measure },
    closest_harmless_story: leak.closestHarmless,
  },
});

/** More are not compared with each other: pairs grow with the square. Those of the catalogue come before those of applications. */
const mostMovers = 32;

/** Those on whole hours that are known for two days. */
export function moversOf(all: readonly ResourceSeries[]): Mover[] {
  return all
    .flatMap((series) => {
      const values = hourly(series);
      const known = values?.filter((value) => value !== null).length ?? 0;
      if (values === undefined || known < fewestHours) return [];
      const kind = series.kind === 'latency' ? 'level' : series.kind;
      return [{ key: series.key, family: series.family, values, kind } satisfies Mover];
    })
    .slice(0, mostMovers);
}

export function relationPattern(relation: Relation, all: readonly ResourceSeries[]): Pattern | undefined {
  const [leader, follower] = [relation.leader, relation.follower].map((key) => all.find((one) => one.key === key));
  const confidence = (1 - relation.p) * relation.holds;
  if (!leader || !follower || confidence < leastConfidence) return undefined;
  const when = relation.lagHours === 0 ? 'in the same hour' : `${sayHours(relation.lagHours)} later`;
  const way = relation.rho > 0 ? 'rises' : 'falls';
  const word = (one: ResourceSeries): string => (one.kind === 'stock' ? `the growth of ${one.key}` : one.key);
  return {
    ...{ type: 'cross_resource', ...whose(follower), confidence, isShared: follower.isShared && leader.isShared },
    description: `When ${word(leader)} rises, ${word(follower)} ${way} ${when}, beyond the rhythm of the day (rank correlation ${relation.rho.toFixed(2)}). That one causes the other is not said.`,
    fromMs: follower.times[0] ?? 0,
    toMs: (follower.times.at(-1) ?? 0) + follower.stepMs,
    metrics: {
      rank_correlation: relation.rho,
      lag_seconds: relation.lagHours * 3_600,
      p_value: relation.p,
      holds_in: relation.holds,
      hours: relation.hours,
    },
    metadata: { leader: leader.key, follower: follower.key, leader_type: leader.resourceType },
  };
}

/** What is found in a series by itself. */
export function findOwnPatterns(profile: Profile, looked: number): Pattern[] {
  return [findGrowth(profile, looked), findSpikesInRhythm(profile, looked), findUnderuse(profile)].filter(
    (one) => one !== undefined,
  );
}
