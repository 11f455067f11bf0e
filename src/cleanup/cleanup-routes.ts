import { z } from 'zod';
import { idempotencyOf, type Operations, operationAnswers, respondWithOperation } from '../operations/index.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { resourceTypes } from '../resources/index.ts';
import type { Cleanup } from './cleanup.ts';
import {
  entryBody,
  entrySchema,
  givenParams,
  planBody,
  planSchema,
  planSummaryBody,
  planSummarySchema,
  runBody,
  runSchema,
  strategyBody,
  strategySchema,
} from './cleanup-bodies.ts';
import type { CleanupStore } from './cleanup-store.ts';
import type { CleanupScheduler } from './scheduler.ts';
import { storedTaskSchema, taskBody, taskFrom, taskSchema } from './task-bodies.ts';

export type CleanupRoutesDeps = {
  readonly cleanup: Cleanup;
  readonly scheduler: CleanupScheduler;
  readonly store: CleanupStore;
  readonly operations: Operations;
  readonly enabled: boolean;
};

export const cleanupBase = '/api/v1/metrics/cleanup';
const tags = ['cleanup'];
const place = z
  .string()
  .regex(/^\d{1,15}~[\x21-\x7e]{1,120}$/, 'is the `next_cursor` of a page before')
  .optional();
const limit = z.coerce.number().int().min(1).max(200).default(100);
const ofTask = z.object({ task_id: z.string().min(1).max(100) });
const subjectOf = (principal: { readonly subject: string } | undefined): string => principal?.subject ?? 'unknown';

const cursorOf = (text: string | undefined): { atMs: number; id: string } | undefined => {
  if (text === undefined) return undefined;
  const at = text.indexOf('~');
  return { atMs: Number(text.slice(0, at)), id: text.slice(at + 1) };
};

const budgetSchema = z.strictObject({
  items: z.number().int().min(1).optional(),
  bytes: z.number().int().min(1).optional(),
  seconds: z.number().min(0.1).optional(),
  bytes_per_second: z.number().min(1).optional(),
});
const runWishes = {
  only_contained: z
    .boolean()
    .optional()
    .describe('Leaves alone what the newest verified recovery point does not hold.'),
  budget: budgetSchema.optional(),
  timeout_seconds: z.number().min(0.1).max(86_400).optional(),
};
type RunWishes = {
  only_contained?: boolean | undefined;
  budget?: z.infer<typeof budgetSchema> | undefined;
  timeout_seconds?: number | undefined;
};
const wishesOf = ({ only_contained, budget, timeout_seconds }: RunWishes) => ({
  ...(only_contained === undefined ? {} : { onlyContained: only_contained }),
  ...(timeout_seconds === undefined ? {} : { timeoutMs: timeout_seconds * 1_000 }),
  ...(budget === undefined
    ? {}
    : {
        budget: {
          ...{ items: budget.items ?? null, bytes: budget.bytes ?? null, seconds: budget.seconds ?? null },
          bytesPerSecond: budget.bytes_per_second ?? null,
        },
      }),
});

/** Plans, runs, the quarantine; tasks and their history. */
export const cleanupRoutes =
  (deps: CleanupRoutesDeps): RoutePlugin =>
  async (app) => {
    const { cleanup, scheduler, store, operations } = deps;

    app.addHook('onRequest', async (request) => {
      if (!deps.enabled && request.principal && request.method !== 'GET')
        throw new AppError(
          'feature/disabled',
          'Cleanup is switched off by RAGWARDEN_CLEANUP_ENABLED (cleanup.enabled).',
        );
    });

    app.get(
      `${cleanupBase}/strategies`,
      {
        config: { access: 'admin', activity: 'cleanup.strategies' },
        schema: {
          tags,
          summary: 'What can be cleaned up, and why something cannot here',
          response: { 200: z.object({ items: z.array(strategySchema), next_cursor: z.null() }) },
        },
      },
      async () => ({ items: cleanup.strategies.facts().map(strategyBody), next_cursor: null }),
    );

    app.post(
      `${cleanupBase}/plans`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.plan',
          problems: [
            'cleanup/unknown-strategy',
            'feature/disabled',
            'target/in-use',
            'target/unreachable',
            'conflict/state',
          ],
        },
        schema: {
          tags,
          summary: 'Plan a cleanup: what would go, why, how much, and whether a recovery point holds it',
          description:
            'Nothing is touched. The same plan can be carried out within an hour; each item is looked at again then.',
          body: z.strictObject({ strategy: z.string().min(1).max(100), params: givenParams }),
          response: { 201: planSchema },
        },
      },
      async ({ body, principal }, reply) => {
        const plan = await cleanup.plan({
          ...{ strategy: body.strategy, params: body.params, requestedBy: subjectOf(principal) },
        });
        return reply.code(201).send(planBody(plan));
      },
    );

    app.get(
      `${cleanupBase}/plans`,
      {
        config: { access: 'admin', activity: 'cleanup.plans' },
        schema: {
          tags,
          summary: 'Plans, newest first, without their items',
          querystring: z.object({ limit: z.coerce.number().int().min(1).max(100).default(20) }),
          response: { 200: z.object({ items: z.array(planSummarySchema), next_cursor: z.null() }) },
        },
      },
      async ({ query }) => ({ items: (await store.listPlans(query.limit)).map(planSummaryBody), next_cursor: null }),
    );

    app.get(
      `${cleanupBase}/plans/:plan_id`,
      {
        config: { access: 'admin', activity: 'cleanup.plan', problems: ['cleanup/unknown-plan'] },
        schema: {
          tags,
          summary: 'One plan with its items',
          params: z.object({ plan_id: z.string().min(1).max(100) }),
          response: { 200: planSchema },
        },
      },
      async ({ params }) => planBody(await cleanup.requirePlan(params.plan_id)),
    );

    app.post(
      `${cleanupBase}/runs`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.run',
          problems: [
            ...(['cleanup/unknown-strategy', 'cleanup/unknown-plan', 'cleanup/plan-stale', 'conflict/state'] as const),
            ...(['operation/busy', 'feature/disabled'] as const),
          ],
        },
        schema: {
          tags,
          summary: 'Carry out a plan that was shown, or plan and carry out at once',
          body: z.strictObject({
            plan_id: z.string().min(1).max(100).optional(),
            strategy: z.string().min(1).max(100).optional(),
            params: givenParams,
            ...runWishes,
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { body, principal } = request;
        const idempotency = idempotencyOf(request);
        const wishes = { ...wishesOf(body), requestedBy: subjectOf(principal), idempotency };
        if ((body.plan_id === undefined) === (body.strategy === undefined))
          throw new AppError('request/invalid', 'Either `plan_id` or `strategy` says what is to be carried out.', {
            violations: [{ at: 'plan_id', message: 'is needed unless a strategy is named, and not beside it' }],
          });
        const operation =
          body.plan_id === undefined
            ? await cleanup.run({ strategy: body.strategy ?? '', params: body.params }, wishes)
            : await cleanup.runPlan(body.plan_id, wishes);
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.post(
      '/api/v1/metrics/resources/cleanup/:resource_type',
      {
        config: { access: 'admin', activity: 'resources.cleanup', problems: ['operation/busy', 'feature/disabled'] },
        schema: {
          tags,
          summary: 'Clean up the registered resources of a type that nobody holds any more',
          description:
            'Leaked ones, and those not used for a day. What another program holds only that program can free: it stays, and the result says so.',
          params: z.object({ resource_type: z.enum(resourceTypes) }),
          querystring: z.object({
            force: z.stringbool().optional().describe('Also what is in use; audited.'),
            owner: z.string().min(1).max(200).optional(),
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { params, query, principal } = request;
        const { force = false, owner } = query;
        const operation = await cleanup.run(
          {
            strategy: 'resources',
            params: { resource_type: params.resource_type, force, ...(owner === undefined ? {} : { owner }) },
          },
          { requestedBy: subjectOf(principal), idempotency: idempotencyOf(request) },
        );
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.get(
      `${cleanupBase}/history`,
      {
        config: { access: 'admin', activity: 'cleanup.history' },
        schema: {
          tags,
          summary: 'Runs, newest first, and their sums',
          querystring: z.object({
            task_id: z.string().max(100).optional(),
            strategy: z.string().max(100).optional(),
            limit,
            cursor: place,
          }),
          response: {
            200: z.object({
              items: z.array(runSchema),
              next_cursor: z.string().nullable(),
              total: z.number().int().describe('Before the limit.'),
              totals: z.object({
                total_tasks_run: z.number().int(),
                total_successful_runs: z.number().int(),
                total_failed_runs: z.number().int(),
                average_execution_time: z.number().nullable().describe('Seconds.'),
                total_resources_cleaned: z.number().int(),
                total_bytes_freed: z.number(),
                total_tasks: z.number().int(),
                enabled_tasks: z.number().int(),
                running_tasks: z.number().int(),
                queued_tasks: z.number().int(),
                success_rate: z.number().nullable().describe('0 to 1; null until there was a run.'),
              }),
            }),
          },
        },
      },
      async ({ query }) => {
        const before = cursorOf(query.cursor);
        const filter = { taskId: query.task_id, strategy: query.strategy };
        const [found, total, sums, tasks] = await Promise.all([
          store.listRuns({ ...filter, before, limit: query.limit + 1 }),
          store.countRuns(filter),
          store.totals(),
          scheduler.list(),
        ]);
        const page = found.slice(0, query.limit);
        const last = page.at(-1);
        return {
          items: page.map(runBody),
          next_cursor: found.length > query.limit && last ? `${last.startedMs}~${last.id}` : null,
          total,
          totals: {
            ...{ total_tasks_run: sums.runs, total_successful_runs: sums.successful, total_failed_runs: sums.failed },
            average_execution_time: sums.averageMs === null ? null : sums.averageMs / 1_000,
            ...{ total_resources_cleaned: sums.cleaned, total_bytes_freed: sums.bytesFreed, total_tasks: tasks.length },
            enabled_tasks: tasks.filter(({ task }) => task.enabled).length,
            ...{ running_tasks: cleanup.underWay, queued_tasks: cleanup.queued },
            success_rate: sums.runs === 0 ? null : sums.successful / sums.runs,
          },
        };
      },
    );

    app.get(
      `${cleanupBase}/quarantine`,
      {
        config: { access: 'admin', activity: 'cleanup.quarantine' },
        schema: {
          tags,
          summary: 'What was taken away and can be undone, newest first',
          querystring: z.object({
            run_id: z.string().max(100).optional(),
            state: z.enum(['held', 'undone', 'expired', 'all']).default('held'),
            limit,
            cursor: place,
          }),
          response: {
            200: z.object({
              items: z.array(entrySchema),
              next_cursor: z.string().nullable(),
              held_count: z.number().int(),
              held_bytes: z.number(),
            }),
          },
        },
      },
      async ({ query }) => {
        const after = cursorOf(query.cursor);
        const [found, held] = await Promise.all([
          store.listEntries({
            ...{ runId: query.run_id, state: query.state === 'all' ? undefined : query.state, limit: query.limit + 1 },
            after: after && { heldMs: after.atMs, id: after.id },
          }),
          store.heldTotals(),
        ]);
        const page = found.slice(0, query.limit);
        const last = page.at(-1);
        return {
          items: page.map(entryBody),
          next_cursor: found.length > query.limit && last ? `${last.heldMs}~${last.id}` : null,
          ...{ held_count: held.entries, held_bytes: held.bytes },
        };
      },
    );

    app.post(
      `${cleanupBase}/quarantine/undo`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.undo',
          problems: ['cleanup/unknown-entry', 'conflict/state', 'feature/disabled'],
        },
        schema: {
          tags,
          summary: 'Bring back what a run took away, or single entries',
          description:
            'Nothing is overwritten: an entry whose place is taken stays in the quarantine, and the result says so.',
          body: z.strictObject({
            run_id: z.string().min(1).max(100).optional(),
            entry_ids: z.array(z.string().min(1).max(120)).min(1).max(1_000).optional(),
          }),
          response: operationAnswers,
        },
      },
      async (request, reply) => {
        const { run_id: runId, entry_ids: entryIds } = request.body;
        if ((runId === undefined) === (entryIds === undefined))
          throw new AppError('request/invalid', 'Either `run_id` or `entry_ids` says what is to come back.', {
            violations: [{ at: 'run_id', message: 'is needed unless entries are named, and not beside them' }],
          });
        const by = subjectOf(request.principal);
        const operation = await cleanup.undo({ runId, entryIds }, by, idempotencyOf(request));
        return respondWithOperation(operations, request, reply, operation);
      },
    );

    app.get(
      `${cleanupBase}/tasks`,
      {
        config: { access: 'admin', activity: 'cleanup.tasks' },
        schema: {
          tags,
          summary: 'Cleanup tasks',
          response: {
            200: z.object({
              items: z.array(storedTaskSchema),
              next_cursor: z.null(),
              is_running: z.boolean().describe('Whether tasks are begun by themselves.'),
            }),
          },
        },
      },
      async () => ({
        items: (await scheduler.list()).map((one) => taskBody(one, scheduler.isRunning(one.task.id))),
        next_cursor: null,
        is_running: scheduler.state().active,
      }),
    );

    app.post(
      `${cleanupBase}/tasks`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.task-add',
          problems: ['conflict/state', 'cleanup/unknown-strategy', 'feature/disabled'],
        },
        schema: { tags, summary: 'Add a cleanup task', body: taskSchema, response: { 201: storedTaskSchema } },
      },
      async ({ body, principal }, reply) => {
        const made = await scheduler.add(taskFrom(body, 'api'), subjectOf(principal));
        return reply.code(201).send(taskBody(made, false));
      },
    );

    app.get(
      `${cleanupBase}/tasks/:task_id`,
      {
        config: { access: 'admin', activity: 'cleanup.task', problems: ['cleanup/unknown-task'] },
        schema: { tags, summary: 'One cleanup task', params: ofTask, response: { 200: storedTaskSchema } },
      },
      async ({ params }) => taskBody(await scheduler.require(params.task_id), scheduler.isRunning(params.task_id)),
    );

    app.put(
      `${cleanupBase}/tasks/:task_id`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.task-change',
          problems: ['cleanup/unknown-task', 'cleanup/unknown-strategy', 'conflict/state', 'feature/disabled'],
        },
        schema: {
          tags,
          summary: 'Change a cleanup task; its counters stay',
          params: ofTask,
          body: taskSchema.omit({ task_id: true }),
          response: { 200: storedTaskSchema },
        },
      },
      async ({ params, body, principal }) => {
        // A default that was changed is one of the API's from now on.
        const changed = await scheduler.replace(
          taskFrom({ ...body, task_id: params.task_id }, 'api'),
          subjectOf(principal),
        );
        return taskBody(changed, scheduler.isRunning(params.task_id));
      },
    );

    app.delete(
      `${cleanupBase}/tasks/:task_id`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.task-remove',
          problems: ['cleanup/unknown-task', 'conflict/state', 'feature/disabled'],
        },
        schema: { tags, summary: 'Remove a cleanup task', params: ofTask, response: { 204: z.null() } },
      },
      async ({ params, principal }, reply) => {
        await scheduler.remove(params.task_id, subjectOf(principal));
        return reply.code(204).send(null);
      },
    );

    for (const [verb, enabled] of [
      ['enable', true],
      ['disable', false],
    ] as const)
      app.post(
        `${cleanupBase}/tasks/:task_id/${verb}`,
        {
          config: {
            access: 'admin',
            activity: `cleanup.task-${verb}`,
            problems: ['cleanup/unknown-task', 'feature/disabled'],
          },
          schema: {
            tags,
            summary: enabled ? 'Have a task begun by itself again' : 'Have a task begun by hand only',
            params: ofTask,
            response: { 200: storedTaskSchema },
          },
        },
        async ({ params, principal }) =>
          taskBody(
            await scheduler.setEnabled(params.task_id, enabled, subjectOf(principal)),
            scheduler.isRunning(params.task_id),
          ),
      );

    app.post(
      `${cleanupBase}/tasks/:task_id/run`,
      {
        config: {
          access: 'admin',
          activity: 'cleanup.task-run',
          problems: ['cleanup/unknown-task', 'operation/busy', 'feature/disabled'],
        },
        schema: { tags, summary: 'Run a task now', params: ofTask, response: operationAnswers },
      },
      async (request, reply) => {
        const operation = await scheduler.runTask(request.params.task_id, {
          startedBy: subjectOf(request.principal),
          idempotency: idempotencyOf(request),
        });
        return respondWithOperation(operations, request, reply, operation);
      },
    );
  };
