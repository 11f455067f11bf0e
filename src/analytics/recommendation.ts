import type { Forecast } from './forecast.ts';
import type { KnownPattern } from './known-pattern.ts';
import type { LeakFact } from './leak-fact.ts';
import { sayAmount, sayHours, shortly } from './say.ts';

export const optimizationTypes = [
  'cleanup',
  'quota_adjustment',
  'scheduling',
  'caching',
  'pooling',
  'compression',
  'architecture',
] as const;
export type OptimizationType = (typeof optimizationTypes)[number];
export const priorities = ['low', 'medium', 'high', 'critical'] as const;
export type Priority = (typeof priorities)[number];
export const efforts = ['low', 'medium', 'high'] as const;

export type State = Readonly<Record<string, string | number | null>>;

/** What to do about a pattern, with the figures that it rests on. */
export type Recommendation = {
  /** Of the rule and of what it is about: the same cause has the same one. */
  readonly rule: string;
  readonly key: string;
  readonly resourceType: string;
  readonly title: string;
  readonly description: string;
  readonly optimizationType: OptimizationType;
  readonly priority: Priority;
  /** `amount` null: it cannot be told in figures, and `basis` says why. */
  readonly savings: { readonly amount: number | null; readonly unit: string; readonly basis: string };
  readonly effort: (typeof efforts)[number];
  readonly currentState: State;
  readonly recommendedState: State;
  readonly steps: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  /** Ids of patterns; never empty. */
  readonly evidence: readonly string[];
};

const hoursOfMonth = 720;
const dayMs = 86_400_000;
/** What is provided beyond the peaks that were seen. */
const headroom = 1.5;

/** Every rule over what was found; nothing is recommended without a pattern. */
export function recommend(options: {
  patterns: readonly KnownPattern[];
  forecasts: readonly Forecast[];
  leaks: readonly LeakFact[];
  nowMs: number;
}): Recommendation[] {
  const { patterns, forecasts, leaks, nowMs } = options;
  return patterns.flatMap((pattern) => {
    const forecast = forecasts.find(({ key }) => key === pattern.key);
    const leak = leaks.find(({ key }) => key === pattern.key);
    const found = recommendFor(pattern, forecast, leak, nowMs);
    return found ? [found] : [];
  });
}

function recommendFor(
  pattern: KnownPattern,
  forecast: Forecast | undefined,
  leak: LeakFact | undefined,
  nowMs: number,
): Recommendation | undefined {
  switch (pattern.type) {
    case 'gradual_growth':
      return fills(pattern, forecast, nowMs) ?? grows(pattern);
    case 'memory_leak':
      return leak && leaksAway(pattern, leak);
    case 'periodic_spikes':
      return spikes(pattern);
    case 'underutilization':
      return spare(pattern);
    case 'cross_resource':
      return follows(pattern);
  }
}

const about = (pattern: KnownPattern) => ({
  key: pattern.key,
  resourceType: pattern.resourceType,
  evidence: [pattern.id],
  tags: { pattern: pattern.type },
});
const figure = (pattern: KnownPattern, name: string): number => pattern.metrics[name] ?? 0;

/** A limit comes nearer: within a month it is worth doing something. */
function fills(pattern: KnownPattern, forecast: Forecast | undefined, nowMs: number): Recommendation | undefined {
  if (forecast?.state !== 'fills' || forecast.reachedAtMs === null || forecast.perHour === null) return undefined;
  const leftMs = forecast.reachedAtMs - nowMs;
  if (leftMs > 30 * dayMs) return undefined;
  const priority: Priority = leftMs < dayMs ? 'critical' : leftMs < 7 * dayMs ? 'high' : 'medium';
  const { unit, limit, now } = forecast;
  const isQuota = pattern.key.startsWith('quota:');
  const isDisk = pattern.resourceType === 'disk';
  const id = pattern.key.replace(/^quota:/, '');
  const hours = leftMs / 3_600_000;
  return {
    ...about(pattern),
    ...{ rule: 'fills', priority, effort: isQuota ? 'low' : 'medium' },
    optimizationType: isQuota ? 'quota_adjustment' : isDisk ? 'cleanup' : 'architecture',
    title: `${pattern.key} is full in ${sayHours(hours)}`,
    description: `${forecast.message} ${pattern.description}`,
    savings: {
      amount: forecast.perHour.mid * hoursOfMonth,
      unit,
      basis: 'What it grows by in 30 days at the present pace.',
    },
    currentState: { now, limit, growth_per_day: forecast.perHour.mid * 24, full_at: instant(forecast.reachedAtMs) },
    recommendedState: { full_at: 'not within 30 days' },
    steps: isQuota
      ? [
          `Look who uses it: \`ragwarden quota show ${id}\`.`,
          `Try the new limit on what passed: \`ragwarden quota replay ${id} --limit N\`.`,
          `Set it: \`ragwarden quota set ${id} --limit N\`.`,
        ]
      : isDisk
        ? [
            'See what ragwarden itself keeps: `ragwarden growth`.',
            'See what would go: `ragwarden cleanup plan orphans`, `ragwarden cleanup plan llm-cache`, `ragwarden cleanup plan temporary-files`.',
            'Carry out what you agree with: `ragwarden cleanup run STRATEGY`; it can be undone.',
            'Keep fewer days of points: `ragwarden settings set backup.retention_days=N`, then `ragwarden repo prune`.',
            'If it goes on growing, move the repository or the target to a larger disk.',
          ]
        : [
            'See what holds it: `ragwarden resources observed`, and `ragwarden leaks list` for what never gives back.',
            'See what the backend could do with less: `ragwarden tune advise`.',
            'Otherwise provide more of it before the date above.',
          ],
  };
}

/** What piles up without a limit that is known. */
function grows(pattern: KnownPattern): Recommendation | undefined {
  const perHour = figure(pattern, 'slope_per_hour');
  const unit = String(pattern.metadata.unit ?? '');
  if (pattern.resourceType === 'storage')
    return {
      ...about(pattern),
      ...{ rule: 'storage-grows', priority: 'low', effort: 'low', optimizationType: 'cleanup' },
      title: `${pattern.key} grows by ${sayAmount(perHour * 24, unit)} a day`,
      description: pattern.description,
      savings: {
        amount: null,
        unit,
        basis: 'Not known before a plan is made: `ragwarden cleanup plan` says how many bytes would go.',
      },
      currentState: { growth_per_day: perHour * 24, unit },
      recommendedState: { growth_per_day: 'that of new documents alone' },
      steps: [
        'See what belongs to nothing any more: `ragwarden target orphans`.',
        'See what of the cache is stale: `ragwarden cleanup plan llm-cache`.',
        'Carry out what you agree with: `ragwarden cleanup run STRATEGY`.',
      ],
    };
  if (!pattern.resourceType.endsWith('_latency')) return undefined;
  return {
    ...about(pattern),
    ...{ rule: 'slower', priority: 'medium', effort: 'medium', optimizationType: 'caching' },
    title: `${pattern.key} becomes longer`,
    description: pattern.description,
    savings: {
      amount: perHour * figure(pattern, 'samples') === 0 ? null : perHour * hoursOfMonth,
      unit,
      basis: 'What it becomes longer by in 30 days at the present pace.',
    },
    currentState: { longer_per_day: perHour * 24, unit },
    recommendedState: { longer_per_day: 0, unit },
    steps: [
      'See which operations and models are slow: `ragwarden traffic summary`.',
      'See what the figures suggest to change of the backend: `ragwarden tune advise`.',
      'If the index grew, compare with `ragwarden target inspect`.',
    ],
  };
}

function leaksAway(pattern: KnownPattern, leak: LeakFact): Recommendation {
  const isConnection = ['database_connection', 'network_connection'].includes(leak.resourceType);
  const confirmed = leak.level === 'confirmed';
  return {
    ...about(pattern),
    ...{ rule: 'leak', effort: 'high', optimizationType: isConnection ? 'pooling' : 'cleanup' },
    priority: confirmed ? (leak.grownPercent > 100 ? 'critical' : 'high') : 'low',
    title: `${leak.measure} of ${leak.subject} ${confirmed ? 'leaks' : 'may leak'}`,
    description: leak.description,
    savings: {
      amount: leak.perHour * leak.hours,
      unit: leak.unit,
      basis: 'What it grew by since it began, which a restart gives back.',
    },
    currentState: { level: leak.level, growth_per_hour: leak.perHour, grown_percent: leak.grownPercent },
    recommendedState: { growth_per_hour: 0 },
    steps: [
      `Look at the evidence: \`ragwarden leaks evidence '${leak.subject}' ${leak.measure}\`.`,
      leak.action,
      'Restart the process at a quiet hour until it is mended.',
    ],
  };
}

function spikes(pattern: KnownPattern): Recommendation | undefined {
  const [height, usual] = [figure(pattern, 'typical_spike'), figure(pattern, 'usual')];
  const unit = String(pattern.metadata.unit ?? '');
  const isShare = unit === 'percent';
  // A spike that is small beside what is provided, or beside what is usual, costs nobody anything.
  if (isShare ? height < 50 : height < 2 * usual) return undefined;
  const next = String(pattern.metadata.next_expected ?? '');
  return {
    ...about(pattern),
    ...{ rule: 'spikes', effort: 'low', optimizationType: 'scheduling' },
    priority: isShare && height >= 90 ? 'high' : isShare && height >= 75 ? 'medium' : 'low',
    title: `${pattern.key} spikes ${String(pattern.metadata.period)}`,
    description: pattern.description,
    savings: {
      amount: height - usual,
      unit,
      basis: 'The height of a typical spike above what is usual, for which one must provide.',
    },
    currentState: {
      typical_spike: height,
      usual,
      period_seconds: figure(pattern, 'period_seconds'),
      next_expected: next,
    },
    recommendedState: { typical_spike: usual, how: 'the work behind it at another time, or spread' },
    steps: [
      `See what begins then: \`ragwarden jobs\`, \`ragwarden backup schedule\`, \`ragwarden cleanup tasks\`; the next one is due about ${next}.`,
      'See which requests come then: `ragwarden traffic summary --by operation`.',
      'If it is the backup, move it: `ragwarden settings set backup.frequency_seconds=N`; if it is a job of yours, spread it with a random delay.',
    ],
  };
}

function spare(pattern: KnownPattern): Recommendation | undefined {
  const isQuota = pattern.key.startsWith('quota:');
  const id = pattern.key.replace(/^quota:/, '');
  const [capacity, p95] = [figure(pattern, 'capacity'), figure(pattern, 'p95_usage')];
  const wanted = Math.min(capacity, Math.max(figure(pattern, 'peak_usage'), headroom * p95));
  // Hardly less than there is would be a recommendation of nothing.
  if (wanted > 0.9 * capacity) return undefined;
  const unit = String(pattern.metadata.unit ?? '');
  return {
    ...about(pattern),
    ...{ rule: 'spare', priority: 'low', effort: isQuota ? 'low' : 'high' },
    optimizationType: isQuota ? 'quota_adjustment' : 'architecture',
    title: `${pattern.key} is used to ${shortly(100 * figure(pattern, 'utilization_ratio'))} % on average`,
    description: pattern.description,
    savings: {
      amount: capacity - wanted,
      unit,
      basis: `What is provided less the greater of the highest peak and ${headroom} times what 95 of 100 steps stay below.`,
    },
    currentState: { capacity, peak: figure(pattern, 'peak_usage'), p95, unit },
    recommendedState: { capacity: isQuota ? Math.ceil(wanted) : wanted, unit },
    steps: isQuota
      ? [
          `See how it was used: \`ragwarden quota show ${id}\`.`,
          `Try it on what passed: \`ragwarden quota replay ${id} --limit ${Math.ceil(wanted)}\`.`,
          `Set it: \`ragwarden quota set ${id} --limit ${Math.ceil(wanted)}\`.`,
        ]
      : [
          'Wait for a whole busy week: `ragwarden analytics profiles --window 168`.',
          'Consider that restores and drills need memory and cores of their own: `ragwarden drill list`.',
          'Then give the machine or the container less, or more work.',
        ],
  };
}

/** Only where somebody can do something about what leads. */
function follows(pattern: KnownPattern): Recommendation | undefined {
  const leader = String(pattern.metadata.leader ?? '');
  const leaderType = String(pattern.metadata.leader_type ?? '');
  if (!pattern.resourceType.endsWith('_latency') || figure(pattern, 'rank_correlation') < 0) return undefined;
  const way =
    leaderType === 'inserts'
      ? ({ type: 'scheduling', title: `${pattern.key} rises with inserts` } as const)
      : leaderType === 'llm_latency' || leaderType.startsWith('llm_')
        ? ({ type: 'caching', title: `${pattern.key} rises with calls of models` } as const)
        : leaderType === 'memory' || leaderType === 'cpu'
          ? ({ type: 'architecture', title: `${pattern.key} rises with ${leader}` } as const)
          : undefined;
  if (!way) return undefined;
  const steps = {
    scheduling: [
      'Compare both: `ragwarden traffic summary --by operation`.',
      'Insert in bulk at quiet hours, or hold inserts to a pace: `ragwarden quota set insert-pace --counts documents --period minute --limit N --action queue`.',
      'See what the figures suggest of parallelism: `ragwarden tune advise`.',
    ],
    caching: [
      'See which models are slow or limited: `ragwarden traffic summary --by model`.',
      'See whether answers are cached, and what the figures suggest: `ragwarden tune advise`.',
    ],
    architecture: [
      'See what holds it: `ragwarden resources observed`, `ragwarden leaks list`.',
      'See what the backend could do with less: `ragwarden tune advise`.',
      'Otherwise give the backend more of it, or a machine of its own.',
    ],
  }[way.type];
  return {
    ...about(pattern),
    ...{ rule: `follows ${leader}`, priority: 'medium', effort: way.type === 'architecture' ? 'high' : 'medium' },
    optimizationType: way.type,
    title: way.title,
    description: pattern.description,
    savings: {
      amount: null,
      unit: 'ms',
      basis: 'Not known: that they move together does not say by how much less of the one shortens the other.',
    },
    currentState: {
      rank_correlation: figure(pattern, 'rank_correlation'),
      lag_seconds: figure(pattern, 'lag_seconds'),
    },
    recommendedState: { rank_correlation: 'none that is told' },
    steps,
  };
}

const instant = (atMs: number): string => new Date(atMs).toISOString();
