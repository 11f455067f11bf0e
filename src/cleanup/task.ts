import { z } from 'zod';
import { findNextRun } from './cron.ts';
import { type Budget, type Facts, noBudget } from './plan.ts';

export const triggerTypes = ['scheduled', 'threshold_based', 'manual', 'event_driven', 'health_check'] as const;
export type TriggerType = (typeof triggerTypes)[number];
/** From the least to the most urgent. */
export const priorities = ['low', 'medium', 'high', 'critical'] as const;
export type Priority = (typeof priorities)[number];
export const urgencyOf = (priority: Priority): number => priorities.indexOf(priority);

/** Fires once when the value goes past `value`, and again only after it was beyond `clear`: no flapping at the edge. */
export type Threshold = {
  readonly metric: string;
  readonly match: Readonly<Record<string, string>>;
  readonly aggregation: 'last' | 'average' | 'max' | 'min' | 'sum' | 'rate';
  readonly windowMs: number;
  readonly direction: 'above' | 'below';
  readonly value: number;
  readonly clear: number;
};

export type TaskTrigger =
  | { readonly type: 'scheduled'; readonly cron: string; readonly timeZone: string; readonly missed: 'skip' | 'once' }
  | { readonly type: 'threshold_based'; readonly threshold: Threshold }
  /** Types of the event log; `backup.*` is each that begins so. */
  | { readonly type: 'event_driven'; readonly eventTypes: readonly string[] }
  /** The word of a check, or of all together, becomes one of these. */
  | { readonly type: 'health_check'; readonly check: string | null; readonly words: readonly string[] }
  | { readonly type: 'manual' };

export type CleanupTask = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly trigger: TaskTrigger;
  readonly priority: Priority;
  readonly enabled: boolean;
  readonly strategy: string;
  readonly params: Facts;
  readonly onlyContained: boolean;
  readonly budget: Budget;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly retryDelayMs: number;
  readonly tags: Readonly<Record<string, string>>;
  /** `file`: the settings file has it and it cannot be changed here; `default`: came with the product. */
  readonly origin: 'file' | 'api' | 'default';
};

/** What is kept of it beside its definition. */
export type TaskState = {
  /** When it is due next by its schedule; null: by no clock. */
  readonly dueMs: number | null;
  /** Whether crossing its threshold, or its word, would fire it. */
  readonly armed: boolean;
  readonly lastRunMs: number | null;
  readonly runs: number;
  readonly successes: number;
  readonly failures: number;
  readonly totalMs: number;
};
export const freshState: TaskState = {
  ...{ dueMs: null, armed: true, lastRunMs: null, runs: 0, successes: 0, failures: 0, totalMs: 0 },
};

/** Whether a due time that passed is made up for; however many were missed, once. */
export function decideDue(
  trigger: TaskTrigger,
  dueMs: number | null,
  nowMs: number,
): {
  readonly run: boolean;
  readonly nextMs: number | null;
} {
  if (trigger.type !== 'scheduled') return { run: false, nextMs: null };
  if (dueMs === null) return { run: false, nextMs: findNextRun(trigger.cron, trigger.timeZone, nowMs) };
  if (dueMs > nowMs) {
    // The clock was set back by more than one step of the schedule: what was planned lies too far ahead.
    const nextMs = findNextRun(trigger.cron, trigger.timeZone, nowMs);
    return { run: false, nextMs: nextMs !== null && nextMs < dueMs ? nextMs : dueMs };
  }
  const late = nowMs - dueMs > missedAfterMs;
  return { run: !late || trigger.missed === 'once', nextMs: findNextRun(trigger.cron, trigger.timeZone, nowMs) };
}
/** Later than this counts as missed: nobody was there when it was due. */
export const missedAfterMs = 300_000;

/** A value nobody recorded changes nothing. */
export function decideThreshold(
  threshold: Threshold,
  value: number | null,
  armed: boolean,
): { readonly fire: boolean; readonly armed: boolean } {
  if (value === null || Number.isNaN(value)) return { fire: false, armed };
  const sign = threshold.direction === 'above' ? 1 : -1;
  if (sign * value > sign * threshold.value) return { fire: armed, armed: false };
  if (sign * value < sign * threshold.clear || threshold.clear === threshold.value) return { fire: false, armed: true };
  return { fire: false, armed };
}

export function decideHealth(
  trigger: Extract<TaskTrigger, { type: 'health_check' }>,
  word: string | undefined,
  armed: boolean,
): { readonly fire: boolean; readonly armed: boolean } {
  if (word === undefined) return { fire: false, armed };
  const bad = trigger.words.includes(word);
  return { fire: bad && armed, armed: !bad };
}

export const matchesEvent = (types: readonly string[], type: string): boolean =>
  types.some((one) => (one.endsWith('.*') ? type.startsWith(one.slice(0, -1)) : one === type));

const conditionText = /^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?)\s*$/;
/** The name that document 003 has for what is recorded here under another. */
const otherNames: Readonly<Record<string, string>> = { memory_usage_percent: 'system_memory_percent' };

/** `memory_usage_percent > 85`; five percent of the value lie between firing and being armed again. */
export function parseCondition(text: string): Threshold | undefined {
  const found = conditionText.exec(text);
  if (!found) return undefined;
  const [, name = '', sign = '>', number = '0'] = found;
  const value = Number(number);
  const direction = sign.startsWith('>') ? 'above' : 'below';
  const gap = Math.abs(value) * 0.05;
  return {
    ...{ metric: otherNames[name] ?? name, match: {}, aggregation: 'average', windowMs: 60_000, direction, value },
    clear: direction === 'above' ? value - gap : value + gap,
  };
}

const dayParam = (tags: Readonly<Record<string, string>>): Facts =>
  tags.days_to_keep === undefined ? {} : { days_to_keep: Number(tags.days_to_keep) };

/**
 * What the tag `cleanup_type` of document 003 means here: `resource` and `cache` are the registry of resources, `metrics` the stored
 * samples; any other is the name of a strategy.
 */
export function strategyOfTags(
  tags: Readonly<Record<string, string>>,
): { strategy: string; params: Facts } | undefined {
  const { cleanup_type: kind, resource_type: type, ttl_seconds: ttl } = tags;
  if (kind === undefined) return undefined;
  const ofType: Facts = type === undefined || type === 'all' ? {} : { resource_type: type };
  if (kind === 'resource') return { strategy: 'resources', params: ofType };
  if (kind === 'cache')
    return {
      strategy: 'resources',
      params: { resource_type: 'cache', ...(ttl === undefined ? {} : { idle_seconds: Number(ttl) }) },
    };
  if (kind === 'metrics' || kind === 'events' || kind === 'logs') return { strategy: kind, params: dayParam(tags) };
  return { strategy: kind, params: {} };
}

const common = { description: '', budget: noBudget, onlyContained: false, timeoutMs: 300_000, retries: 3 };

/**
 * Those of document 003, under their names. Each succeeds on a fresh install: there is nothing to do then.
 * @param metricDays how long samples are promised to be kept: the default task never takes younger ones
 */
export const defaultTasks = (metricDays: number): readonly CleanupTask[] => [
  {
    ...common,
    ...{ id: 'resource_cleanup_hourly', name: 'Leaked resources', priority: 'medium', enabled: true },
    description: 'Gives up registered resources whose holder is gone.',
    trigger: { type: 'scheduled', cron: '0 * * * *', timeZone: 'UTC', missed: 'skip' },
    ...{ strategy: 'resources', params: {}, retryDelayMs: 30_000, origin: 'default' },
    tags: { cleanup_type: 'resource' },
  },
  {
    ...common,
    ...{ id: 'metrics_cleanup_daily', name: 'Old samples', priority: 'low', enabled: true },
    description:
      'Removes the values of metrics that are kept one by one and are older than seven days, or than they are promised to be kept.',
    trigger: { type: 'scheduled', cron: '0 2 * * *', timeZone: 'UTC', missed: 'once' },
    ...{
      strategy: 'metrics',
      params: { days_to_keep: Math.max(7, metricDays) },
      retryDelayMs: 30_000,
      origin: 'default',
    },
    tags: { cleanup_type: 'metrics', days_to_keep: '7' },
  },
  {
    ...common,
    ...{ id: 'cache_cleanup_6hourly', name: 'Unused caches', priority: 'medium', enabled: true },
    description: 'Gives up registered caches that nobody used for six hours.',
    trigger: { type: 'scheduled', cron: '0 */6 * * *', timeZone: 'UTC', missed: 'skip' },
    strategy: 'resources',
    params: { resource_type: 'cache', idle_seconds: 21_600 },
    ...{ retryDelayMs: 30_000, origin: 'default' },
    tags: { cleanup_type: 'cache', ttl_seconds: '21600' },
  },
  {
    ...common,
    ...{ id: 'memory_cleanup_threshold', name: 'Memory is short', priority: 'high', enabled: true },
    description: 'Gives up registered memory whose holder is gone, when the memory of the machine gets short.',
    trigger: {
      type: 'threshold_based',
      threshold: {
        ...{ metric: 'system_memory_percent', match: {}, aggregation: 'average', windowMs: 60_000 },
        ...{ direction: 'above', value: 85, clear: 80.75 },
      },
    },
    strategy: 'resources',
    params: { resource_type: 'memory' },
    ...{ retryDelayMs: 30_000, origin: 'default' },
    tags: { cleanup_type: 'resource', resource_type: 'memory' },
  },
  {
    ...common,
    ...{ id: 'quarantine_expiry_daily', name: 'Quarantine', priority: 'low', enabled: true },
    description: 'Removes for good what lies in the quarantine longer than its window.',
    trigger: { type: 'scheduled', cron: '30 3 * * *', timeZone: 'UTC', missed: 'once' },
    ...{ strategy: 'quarantine', params: {}, retryDelayMs: 30_000, origin: 'default', tags: {} },
  },
];

export const taskId = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}$/, 'is letters, digits, dots, dashes and underscores, 100 at most');
