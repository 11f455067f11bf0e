import { z } from 'zod';
import { isoInstant, isoInstantOrNull } from '../platform/clock.ts';
import type { PlanSummary } from './cleanup-store.ts';
import { bytesOf, type CleanupPlan, risks } from './plan.ts';
import type { QuarantineEntry } from './quarantine.ts';
import { type CleanupRun, runCauses } from './run.ts';
import type { StrategyFacts } from './strategy-list.ts';

const count = z.number().int();
const fact = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const facts = z.record(z.string(), fact);
export const givenParams = z.record(z.string().min(1).max(60), fact).optional();

const planFacts = {
  plan_id: z.string(),
  strategy: z.string(),
  params: facts,
  created_at: z.iso.datetime(),
  requested_by: z.string(),
  item_count: count,
  size_bytes: z.number().describe('Of the items whose size is known.'),
  complete: z.boolean().describe('False: there is more than one plan holds; the next run takes the rest.'),
  undo: z.enum(['quarantine', 'none']),
  run_id: z.string().nullable().describe('The operation that carried it out.'),
};

export const planSummarySchema = z.object(planFacts).meta({ id: 'CleanupPlanSummary' });
export const planSchema = z
  .object({
    ...planFacts,
    items: z
      .array(
        z.object({
          what: z.string(),
          why: z.string(),
          size_bytes: z.number().nullable(),
          risk: z.enum(risks),
          contained: z
            .object({ state: z.enum(['contained', 'missing', 'unknown', 'not-data']), reason: z.string() })
            .describe('Whether the newest verified recovery point holds it.'),
        }),
      )
      .describe('The first thousand.'),
    kept: z
      .array(z.object({ what: z.string(), why: z.string() }))
      .describe('What was looked at and stays; the first hundred.'),
  })
  .meta({ id: 'CleanupPlan' });
export type CleanupPlanBody = z.infer<typeof planSchema>;
export type CleanupPlanSummaryBody = z.infer<typeof planSummarySchema>;
const shownItems = 1_000;

const factsOf = (plan: PlanSummary): CleanupPlanSummaryBody => ({
  ...{ plan_id: plan.id, strategy: plan.strategy, params: { ...plan.params }, created_at: isoInstant(plan.createdMs) },
  ...{ requested_by: plan.requestedBy, item_count: plan.itemCount, size_bytes: plan.bytes, complete: plan.complete },
  ...{ undo: plan.undo, run_id: plan.runId },
});
export const planSummaryBody = factsOf;
export const planBody = (plan: CleanupPlan): CleanupPlanBody => ({
  ...factsOf({ ...plan, itemCount: plan.items.length, bytes: bytesOf(plan.items) }),
  items: plan.items.slice(0, shownItems).map(({ what, why, bytes, risk, contained }) => ({
    ...{ what, why, size_bytes: bytes, risk, contained: { ...contained } },
  })),
  kept: plan.kept.map((one) => ({ ...one })),
});

export const runSchema = z
  .object({
    run_id: z.string(),
    task_id: z.string().nullable(),
    strategy: z.string(),
    plan_id: z.string().nullable(),
    trigger_type: z.enum(runCauses),
    started_by: z.string(),
    started_at: z.iso.datetime(),
    completed_at: z.iso.datetime().nullable(),
    outcome: z.enum(['running', 'success', 'partial', 'error', 'cancelled']),
    success: z.boolean().nullable().describe('Null while it runs.'),
    message: z.string(),
    resources_cleaned: count,
    skipped: count.describe('Changed since the plan, or in use: they stay.'),
    failed: count,
    left_over: count.describe('Handed back, because the budget was spent or it was stopped.'),
    bytes_freed: z.number(),
    error: z.string().nullable(),
    execution_time_seconds: z.number().nullable(),
    retry_attempt: count.describe('0 is the first try.'),
  })
  .meta({ id: 'CleanupRun' });
export type CleanupRunBody = z.infer<typeof runSchema>;

export const runBody = (run: CleanupRun): CleanupRunBody => ({
  ...{ run_id: run.id, task_id: run.taskId, strategy: run.strategy, plan_id: run.planId, trigger_type: run.cause },
  ...{
    started_by: run.startedBy,
    started_at: isoInstant(run.startedMs),
    completed_at: isoInstantOrNull(run.finishedMs),
  },
  ...{ outcome: run.outcome ?? 'running', success: run.outcome === null ? null : run.outcome === 'success' },
  ...{ message: run.message, resources_cleaned: run.cleaned, skipped: run.skipped, failed: run.failed },
  ...{ left_over: run.leftOver, bytes_freed: run.bytesFreed, error: run.error, retry_attempt: run.attempt - 1 },
  execution_time_seconds: run.finishedMs === null ? null : Math.max(0, run.finishedMs - run.startedMs) / 1_000,
});

export const entrySchema = z
  .object({
    entry_id: z.string(),
    run_id: z.string(),
    strategy: z.string(),
    what: z.string(),
    size_bytes: z.number().nullable(),
    held_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
    state: z.enum(['held', 'undone', 'expired']),
    ended_at: z.iso.datetime().nullable(),
    note: z.string().nullable().describe('Why it could not come back the last time.'),
    allowed_actions: z.array(z.enum(['undo'])),
  })
  .meta({ id: 'QuarantineEntry' });
export type QuarantineEntryBody = z.infer<typeof entrySchema>;

export const entryBody = (entry: QuarantineEntry): QuarantineEntryBody => ({
  ...{ entry_id: entry.id, run_id: entry.runId, strategy: entry.strategy, what: entry.what, size_bytes: entry.bytes },
  ...{ held_at: isoInstant(entry.heldMs), expires_at: isoInstant(entry.expiresMs), state: entry.state },
  ...{ ended_at: isoInstantOrNull(entry.endedMs), note: entry.note },
  allowed_actions: entry.state === 'held' ? ['undo'] : [],
});

export const strategySchema = z
  .object({
    name: z.string(),
    about: z.string(),
    undo: z.enum(['quarantine', 'none']),
    no_undo_reason: z.string().nullable(),
    available: z.boolean(),
    missing: z.string().nullable().describe('Why it cannot work here.'),
    added: z.boolean().describe('Added by a program that uses the library.'),
  })
  .meta({ id: 'CleanupStrategy' });
export type CleanupStrategyBody = z.infer<typeof strategySchema>;

export const strategyBody = (one: StrategyFacts): CleanupStrategyBody => ({
  ...{ name: one.name, about: one.about, undo: one.undo, no_undo_reason: one.noUndo },
  ...{ available: one.missing === null, missing: one.missing, added: one.added },
});
