import type { Severity } from '../events/index.ts';
import type { Aggregation } from '../metrics/index.ts';
import type { RuleAction } from './action.ts';

export const comparisons = ['gt', 'gte', 'lt', 'lte', 'eq'] as const;
export type Comparison = (typeof comparisons)[number];
export const conditions = [...comparisons, 'absent'] as const;
export type Condition = (typeof conditions)[number];

/** What is compared: the value itself, how fast it changes, where it will be if it goes on so, or how unusual it is. */
export const measures = ['value', 'change_per_second', 'forecast', 'anomaly'] as const;
export type Measure = (typeof measures)[number];

export const noDataPolicies = ['keep', 'fire', 'resolve'] as const;
export type NoDataPolicy = (typeof noDataPolicies)[number];

/** Values that a label may have, or must not have; a label that is missing is empty. */
export type LabelMatcher =
  | { readonly anyOf: readonly string[]; readonly noneOf?: undefined }
  | { readonly noneOf: readonly string[]; readonly anyOf?: undefined };

/** Series of one metric. */
export type SeriesChoice = {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, LabelMatcher>>;
};

/** Whether labels are those of a choice. */
export function wants(choice: SeriesChoice): (labels: Readonly<Record<string, string>>) => boolean {
  const matchers = Object.entries(choice.labels);
  return (labels) =>
    matchers.every(([name, { anyOf, noneOf }]) => {
      const value = labels[name] ?? '';
      return anyOf ? anyOf.includes(value) : !noneOf.includes(value);
    });
}

export const directions = ['both', 'above', 'below'] as const;

/** What a value is compared with where it is asked how unusual it is. */
export type Anomaly = {
  /** How far back its own past goes. */
  readonly baselineMs: number;
  /** Only the same time of earlier seasons counts; undefined: all of the past does. */
  readonly seasonMs: number | undefined;
  readonly direction: (typeof directions)[number];
  /** Differences up to this are none, in the unit of the metric. */
  readonly leastDifference: number;
};

export type AlertRule = SeriesChoice & {
  /** Also its id: it never changes. */
  readonly name: string;
  readonly description: string;
  readonly aggregation: Aggregation;
  /** How far back samples count. */
  readonly windowMs: number;
  /** One alert per combination of these labels; undefined keeps every series apart. */
  readonly groupBy: readonly string[] | undefined;
  /** The value is divided by that of the same labels there. */
  readonly divideBy: SeriesChoice | undefined;
  readonly measure: Measure;
  /** Of a forecast: how far ahead. */
  readonly forecastMs: number;
  /** Of an anomaly. */
  readonly anomaly: Anomaly | undefined;
  readonly condition: Condition;
  /** 0 where the condition is `absent`. */
  readonly threshold: number;
  /** How long the condition must hold before it fires. */
  readonly durationMs: number;
  /** Once it fires it holds on until the value is on the other side of this one. */
  readonly resolveThreshold: number | undefined;
  /** How long it must be over before it is resolved. */
  readonly resolveDurationMs: number;
  readonly noData: NoDataPolicy;
  /** One that comes and goes is held until it is calm. */
  readonly dampsFlapping: boolean;
  readonly severity: Severity;
  readonly enabled: boolean;
  /** Labels that its alerts have beside those of the series. */
  readonly tags: Readonly<Record<string, string>>;
  readonly runbookUrl: string | undefined;
  /** Undefined: the routing of the settings decides. */
  readonly receivers: readonly string[] | undefined;
  readonly action: RuleAction | undefined;
};

/** `file` stands in ragwarden.yaml, `api` was put by somebody, `default` came with ragwarden. The first of a name counts. */
export const ruleOrigins = ['file', 'api', 'default'] as const;
export type RuleOrigin = (typeof ruleOrigins)[number];

const words: Readonly<Record<Comparison, string>> = {
  gt: 'above',
  gte: 'at or above',
  lt: 'below',
  lte: 'at or below',
  eq: 'equal to',
};

export function compare(condition: Comparison, value: number, threshold: number): boolean {
  switch (condition) {
    case 'gt':
      return value > threshold;
    case 'gte':
      return value >= threshold;
    case 'lt':
      return value < threshold;
    case 'lte':
      return value <= threshold;
    case 'eq':
      return value === threshold;
    default:
      return condition satisfies never;
  }
}

/** What the rule asks, as a part of a sentence. */
export function describeCondition(rule: AlertRule): string {
  const of = rule.divideBy === undefined ? rule.metricName : `${rule.metricName} / ${rule.divideBy.metricName}`;
  if (rule.condition === 'absent') return `${of} has no value for ${whole(rule.windowMs)}`;
  const value = rule.aggregation === 'last' ? of : `${rule.aggregation} of ${of} over ${whole(rule.windowMs)}`;
  return `${describeMeasure(rule, of, value)} is ${words[rule.condition]} ${rule.threshold}`;
}

function describeMeasure(rule: AlertRule, of: string, value: string): string {
  switch (rule.measure) {
    case 'value':
      return value;
    case 'change_per_second':
      return `change per second of ${of} over ${whole(rule.windowMs)}`;
    case 'forecast':
      return `${of} in ${whole(rule.forecastMs)}, as it went over ${whole(rule.windowMs)},`;
    case 'anomaly': {
      if (rule.anomaly === undefined) return value;
      const { baselineMs, seasonMs, direction } = rule.anomaly;
      const way = direction === 'both' ? '' : `, ${direction} only,`;
      const season = seasonMs === undefined ? '' : `, at the same time of every ${span(seasonMs)}`;
      return `strangeness of ${value} against its past ${span(baselineMs)}${season}${way}`;
    }
    default:
      return rule.measure satisfies never;
  }
}

const whole = (ms: number): string => (ms % 60_000 === 0 && ms > 0 ? `${ms / 60_000} min` : `${ms / 1_000} s`);
const span = (ms: number): string =>
  ms % 86_400_000 === 0 ? `${ms / 86_400_000} d` : ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : whole(ms);
