/** What is recorded: the words of document 003. */
export const recordedTypes = ['counter', 'gauge', 'histogram', 'timer', 'rate'] as const;
export type RecordedType = (typeof recordedTypes)[number];

export const metricCategories = [
  'system',
  'performance',
  'business',
  'security',
  'reliability',
  'resource',
  'user',
  'agent',
] as const;
export type MetricCategory = (typeof metricCategories)[number];

export const aggregations = [
  'sum',
  'average',
  'min',
  'max',
  'last',
  'count',
  'rate',
  'increase',
  'p50',
  'p90',
  'p95',
  'p99',
] as const;
export type Aggregation = (typeof aggregations)[number];

export type MetricDefinition = {
  readonly name: string;
  readonly category: MetricCategory;
  readonly type: RecordedType;
  /** As it was told, `unknown` where nobody did. */
  readonly unit: string;
  readonly description: string;
  /** Those that make sense to begin with; every other one can be asked for too. */
  readonly aggregations: readonly Aggregation[];
  /** Labels that its series are expected to have. */
  readonly tags: readonly string[];
  readonly enabled: boolean;
  /** `use`: nobody defined it, it was recorded. */
  readonly definedBy: 'definition' | 'use';
};

export type GivenDefinition = Pick<MetricDefinition, 'name' | 'type'> &
  Partial<Omit<MetricDefinition, 'name' | 'type' | 'definedBy'>>;

/** Of what ragwarden itself records: no application's, so on `/metrics` it stands under `ragwarden_…`, in base units. */
export type OwnDefinition = GivenDefinition & { readonly exposedAs: string };

/** As Prometheus has it. */
export const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/;
const longestName = 200;
const longestLabelValue = 1_024;
const mostLabels = 32;

export type Labels = Readonly<Record<string, string>>;

/** What is wrong with a name, against the grammar of Prometheus; undefined when nothing is. */
export function findNameProblem(name: string): string | undefined {
  if (name.length > longestName) return `a name has at most ${longestName} characters`;
  if (!metricName.test(name)) return 'a name has letters, digits, _ and : and does not begin with a digit';
  return undefined;
}

/** The same for labels. The values may hold anything that is text. */
export function findLabelsProblem(labels: Labels): string | undefined {
  const names = Object.keys(labels);
  if (names.length > mostLabels) return `a series has at most ${mostLabels} labels`;
  for (const name of names) {
    if (name.length > longestName || !labelName.test(name) || name === 'le' || name === 'quantile')
      return `${JSON.stringify(name.slice(0, 50))} is no label name: letters, digits and _, not beginning with a digit or __, nor le or quantile`;
    const value = labels[name];
    if (typeof value !== 'string') return `the value of ${name} is no text`;
    if (value.length > longestLabelValue) return `the value of ${name} is longer than ${longestLabelValue} characters`;
  }
  return undefined;
}

/** How a metric was used that nobody defined: by `recordMetric`, or by a call that says what it is. */
export type FirstUse = 'value' | RecordedType;

const distributed = /(^|_)(duration|latency|elapsed|time|took)(_|$)/;
const unitWords: readonly (readonly [RegExp, string])[] = [
  [/_(ms|millis|milliseconds)$/, 'ms'],
  [/_(s|sec|secs|seconds)$/, 'seconds'],
  [/_bytes(_sent|_recv|_received|_total)?$/, 'bytes'],
  [/_(kb|kilobytes)$/, 'kb'],
  [/_(mb|megabytes)$/, 'mb'],
  [/_(gb|gigabytes)$/, 'gb'],
  [/_(percent|percentage|pct)$/, 'percent'],
  [/_ratio$/, 'ratio'],
  [/_usd$/, 'usd'],
];
const categoryWords: readonly (readonly [RegExp, MetricCategory])[] = [
  [/^(system|host|cpu|memory|disk|network|process)(_|$)/, 'system'],
  [/(^|_)agents?(_|$)/, 'agent'],
  [/(^|_)(auth|login|security|token_denied|forbidden)(_|$)/, 'security'],
  [/(^|_)(errors?|failures?|failed|timeouts?|uptime|availability)(_|$)/, 'reliability'],
  [/(^|_)(cost|usd|revenue|price)(_|$)/, 'business'],
  [/(^|_)users?(_|$)/, 'user'],
  [/(^|_)(resources?|leaks?|connections?|handles?)(_|$)/, 'resource'],
  [/(^|_)(requests?|query|queries|duration|latency|rate|processed|time|ms)(_|$)/, 'performance'],
];
const find = <T>(words: readonly (readonly [RegExp, T])[], name: string): T | undefined =>
  words.find(([pattern]) => pattern.test(name))?.[1];

/** What a metric is taken for that nobody defined, from its name and how it was first used. */
export function inferDefinition(name: string, use: FirstUse): MetricDefinition {
  const unit = find(unitWords, name);
  const type = use !== 'value' ? use : unit === 'ms' || distributed.test(name) ? 'timer' : 'gauge';
  return completeDefinition(
    {
      name,
      type,
      category: find(categoryWords, name) ?? 'system',
      unit: unit ?? (use === 'timer' ? 'ms' : 'unknown'),
      description: 'Recorded without a definition.',
    },
    'use',
  );
}

const usualAggregations: Readonly<Record<RecordedType, readonly Aggregation[]>> = {
  counter: ['sum', 'count', 'rate'],
  gauge: ['average', 'min', 'max', 'last'],
  histogram: ['average', 'p50', 'p95', 'p99', 'max', 'count'],
  timer: ['average', 'p50', 'p95', 'p99', 'max', 'count'],
  rate: ['average', 'max'],
};

export const completeDefinition = (
  given: GivenDefinition,
  definedBy: MetricDefinition['definedBy'],
): MetricDefinition => ({
  name: given.name,
  type: given.type,
  category: given.category ?? find(categoryWords, given.name) ?? 'system',
  unit: given.unit ?? find(unitWords, given.name) ?? (given.type === 'timer' ? 'ms' : 'unknown'),
  description: given.description ?? '',
  aggregations: given.aggregations ?? usualAggregations[given.type],
  tags: given.tags ?? [],
  enabled: given.enabled ?? true,
  definedBy,
});
