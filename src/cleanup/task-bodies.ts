import { z } from 'zod';
import { isoInstantOrNull } from '../platform/clock.ts';
import { AppError } from '../platform/errors.ts';
import { givenParams } from './cleanup-bodies.ts';
import {
  type CleanupTask,
  parseCondition,
  priorities,
  strategyOfTags,
  type TaskTrigger,
  taskId,
  triggerTypes,
} from './task.ts';
import type { StoredTask } from './task-store.ts';

const seconds = (most: number) => z.number().min(0).max(most);
const words = ['healthy', 'unknown', 'degraded', 'unhealthy', 'critical'] as const;

const threshold = z.strictObject({
  metric: z.string().min(1).max(200),
  match: z.record(z.string().min(1).max(100), z.string().max(200)).optional(),
  aggregation: z.enum(['last', 'average', 'max', 'min', 'sum', 'rate']).default('average'),
  window_seconds: z.number().min(10).max(604_800).default(60),
  direction: z.enum(['above', 'below']).default('above'),
  value: z.number(),
  clear: z.number().optional().describe('Beyond it the task may fire again; unless told, five percent away.'),
});

/** A task as document 003 has it, and as the settings file does. */
export const taskSchema = z
  .strictObject({
    task_id: taskId,
    name: z.string().min(1).max(200).optional(),
    description: z.string().max(1_000).optional(),
    trigger_type: z
      .enum(triggerTypes)
      .optional()
      .describe('Unless told, what the fields below say; without any, manual.'),
    priority: z.enum(priorities).default('medium'),
    enabled: z.boolean().default(true),
    schedule_expression: z.string().max(100).optional().describe('Five fields: minute, hour, day, month, weekday.'),
    time_zone: z.string().max(100).default('UTC'),
    missed: z.enum(['skip', 'once']).default('once').describe('What becomes of times at which nobody was there.'),
    threshold_condition: z.string().max(300).optional().describe('Such as `memory_usage_percent > 85`.'),
    threshold: threshold.optional(),
    event_types: z
      .array(z.string().regex(/^[a-z]+(\.[a-z-]+)*(\.\*)?$/))
      .min(1)
      .max(50)
      .optional(),
    health: z
      .strictObject({
        check: z.string().min(1).max(200).optional().describe('Unless told, all together.'),
        becomes: z.array(z.enum(words)).min(1).default(['degraded', 'unhealthy', 'critical']),
      })
      .optional(),
    cleanup_type: z
      .string()
      .min(1)
      .max(100)
      .optional()
      .describe('A strategy; or `resource`, `metrics`, `cache` by tag.'),
    params: givenParams,
    only_contained: z
      .boolean()
      .default(false)
      .describe('Leaves alone what the newest verified recovery point does not hold.'),
    budget: z
      .strictObject({
        items: z.number().int().min(1).optional(),
        bytes: z.number().int().min(1).optional(),
        seconds: z.number().min(0.1).optional(),
        bytes_per_second: z.number().min(1).optional(),
      })
      .optional(),
    timeout_seconds: z.number().min(0.1).max(86_400).default(300),
    retry_count: z.number().int().min(0).max(100).default(3),
    retry_delay_seconds: seconds(86_400).default(30),
    tags: z.record(z.string().min(1).max(100), z.string().max(300)).default({}),
  })
  .meta({ id: 'CleanupTaskDefinition' });
export type TaskInput = z.infer<typeof taskSchema>;

const invalid = (at: string, message: string): AppError =>
  new AppError('request/invalid', `${at} ${message}.`, { violations: [{ at, message }] });

/** @throws AppError `request/invalid` when the parts do not fit together */
export function taskFrom(given: TaskInput, origin: CleanupTask['origin']): CleanupTask {
  const ofTags = strategyOfTags({ ...given.tags, ...(given.cleanup_type ? { cleanup_type: given.cleanup_type } : {}) });
  if (!ofTags) throw invalid('cleanup_type', 'names what is to be cleaned up, here or in tags');
  const { budget } = given;
  return {
    ...{ id: given.task_id, name: given.name ?? given.task_id, description: given.description ?? '' },
    ...{ trigger: triggerFrom(given), priority: given.priority, enabled: given.enabled },
    ...{
      strategy: ofTags.strategy,
      params: { ...ofTags.params, ...given.params },
      onlyContained: given.only_contained,
    },
    budget: {
      ...{ items: budget?.items ?? null, bytes: budget?.bytes ?? null, seconds: budget?.seconds ?? null },
      bytesPerSecond: budget?.bytes_per_second ?? null,
    },
    ...{ timeoutMs: given.timeout_seconds * 1_000, retries: given.retry_count },
    ...{ retryDelayMs: given.retry_delay_seconds * 1_000, tags: given.tags, origin },
  };
}

function triggerFrom(given: TaskInput): TaskTrigger {
  const type =
    given.trigger_type ??
    (given.schedule_expression !== undefined
      ? 'scheduled'
      : given.threshold !== undefined || given.threshold_condition !== undefined
        ? 'threshold_based'
        : given.event_types !== undefined
          ? 'event_driven'
          : given.health !== undefined
            ? 'health_check'
            : 'manual');
  switch (type) {
    case 'scheduled':
      if (given.schedule_expression === undefined)
        throw invalid('schedule_expression', 'is needed for a scheduled task');
      return { type, cron: given.schedule_expression, timeZone: given.time_zone, missed: given.missed };
    case 'threshold_based': {
      if (given.threshold) {
        const { metric, match, aggregation, window_seconds, direction, value } = given.threshold;
        const gap = Math.abs(value) * 0.05;
        const clear = given.threshold.clear ?? (direction === 'above' ? value - gap : value + gap);
        if (direction === 'above' ? clear > value : clear < value)
          throw invalid('threshold.clear', 'lies on the side of the threshold that fires');
        return {
          type,
          threshold: {
            metric,
            match: match ?? {},
            aggregation,
            windowMs: window_seconds * 1_000,
            direction,
            value,
            clear,
          },
        };
      }
      const parsed = parseCondition(given.threshold_condition ?? '');
      if (!parsed) throw invalid('threshold_condition', 'is written like `memory_usage_percent > 85`');
      return { type, threshold: parsed };
    }
    case 'event_driven':
      if (!given.event_types) throw invalid('event_types', 'are needed for a task that events begin');
      return { type, eventTypes: given.event_types };
    case 'health_check':
      return {
        ...{ type, check: given.health?.check ?? null },
        words: given.health?.becomes ?? ['degraded', 'unhealthy', 'critical'],
      };
    case 'manual':
      return { type };
  }
}

export const storedTaskSchema = z
  .object({
    task_id: z.string(),
    name: z.string(),
    description: z.string(),
    trigger_type: z.enum(triggerTypes),
    priority: z.enum(priorities),
    enabled: z.boolean(),
    origin: z.enum(['file', 'api', 'default']),
    schedule_expression: z.string().nullable(),
    time_zone: z.string().nullable(),
    missed: z.enum(['skip', 'once']).nullable(),
    threshold_condition: z.string().nullable(),
    threshold: z
      .object({
        metric: z.string(),
        match: z.record(z.string(), z.string()),
        aggregation: z.string(),
        window_seconds: z.number(),
        direction: z.string(),
        value: z.number(),
        clear: z.number(),
      })
      .nullable(),
    event_types: z.array(z.string()).nullable(),
    health: z.object({ check: z.string().nullable(), becomes: z.array(z.string()) }).nullable(),
    cleanup_type: z.string().describe('The strategy.'),
    params: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    only_contained: z.boolean(),
    timeout_seconds: z.number(),
    retry_count: z.number().int(),
    retry_delay_seconds: z.number(),
    tags: z.record(z.string(), z.string()),
    last_run: z.iso.datetime().nullable(),
    next_run: z.iso.datetime().nullable().describe('By its schedule; null for every other trigger, or while disabled.'),
    run_count: z.number().int(),
    success_count: z.number().int(),
    failure_count: z.number().int(),
    average_duration_seconds: z.number().nullable(),
    success_rate: z.number().nullable().describe('0 to 1; null until there was a run.'),
    is_running: z.boolean(),
    allowed_actions: z.array(z.enum(['run', 'enable', 'disable', 'change', 'remove'])),
  })
  .meta({ id: 'CleanupTask' });
export type CleanupTaskBody = z.infer<typeof storedTaskSchema>;

export function taskBody({ task, state }: StoredTask, isRunning: boolean): CleanupTaskBody {
  const { trigger } = task;
  const scheduled = trigger.type === 'scheduled' ? trigger : undefined;
  const limit = trigger.type === 'threshold_based' ? trigger.threshold : undefined;
  return {
    ...{ task_id: task.id, name: task.name, description: task.description, trigger_type: trigger.type },
    ...{ priority: task.priority, enabled: task.enabled, origin: task.origin },
    ...{ schedule_expression: scheduled?.cron ?? null, time_zone: scheduled?.timeZone ?? null },
    missed: scheduled?.missed ?? null,
    threshold_condition: limit ? `${limit.metric} ${limit.direction === 'above' ? '>' : '<'} ${limit.value}` : null,
    threshold: limit
      ? {
          ...{ metric: limit.metric, match: { ...limit.match }, aggregation: limit.aggregation, value: limit.value },
          ...{ window_seconds: limit.windowMs / 1_000, direction: limit.direction, clear: limit.clear },
        }
      : null,
    event_types: trigger.type === 'event_driven' ? [...trigger.eventTypes] : null,
    health: trigger.type === 'health_check' ? { check: trigger.check, becomes: [...trigger.words] } : null,
    ...{ cleanup_type: task.strategy, params: { ...task.params }, only_contained: task.onlyContained },
    ...{ timeout_seconds: task.timeoutMs / 1_000, retry_count: task.retries, tags: { ...task.tags } },
    retry_delay_seconds: task.retryDelayMs / 1_000,
    last_run: isoInstantOrNull(state.lastRunMs),
    next_run: task.enabled ? isoInstantOrNull(state.dueMs) : null,
    ...{ run_count: state.runs, success_count: state.successes, failure_count: state.failures },
    average_duration_seconds: state.runs === 0 ? null : state.totalMs / state.runs / 1_000,
    success_rate: state.runs === 0 ? null : state.successes / state.runs,
    is_running: isRunning,
    allowed_actions: [
      ...(isRunning ? [] : (['run'] as const)),
      task.enabled ? 'disable' : 'enable',
      ...(task.origin === 'file' ? [] : (['change'] as const)),
      ...(task.origin === 'api' ? (['remove'] as const) : []),
    ],
  };
}
