import type { StartOptions } from './operation-calls.ts';
import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  CleanupPlanBody,
  CleanupPlanSummaryBody,
  CleanupPriorityName,
  CleanupRunBody,
  CleanupStrategyBody,
  CleanupTaskBody,
  CleanupTotalsBody,
  CleanupTriggerTypeName,
  OperationBody,
  Page,
  QuarantineEntryBody,
  ResourceTypeName,
  WorkspaceCleanupBody,
  WorkspaceCleanupStatsBody,
} from './wire.ts';

export type CleanupParams = Readonly<Record<string, string | number | boolean | null>>;

export type CleanupBudget = {
  readonly items?: number;
  readonly bytes?: number;
  readonly seconds?: number;
  readonly bytesPerSecond?: number;
};

export type CleanupWish = {
  /** Leaves alone what the newest verified recovery point does not hold. */
  readonly onlyContained?: boolean;
  readonly budget?: CleanupBudget;
  readonly timeoutSeconds?: number;
};

export type CleanupTaskWish = {
  readonly name?: string;
  readonly description?: string;
  readonly triggerType?: CleanupTriggerTypeName;
  readonly priority?: CleanupPriorityName;
  readonly enabled?: boolean;
  /** Five fields: minute, hour, day, month, weekday. */
  readonly scheduleExpression?: string;
  /** `UTC` unless told. */
  readonly timeZone?: string;
  readonly missed?: 'skip' | 'once';
  /** Such as `memory_usage_percent > 85`. */
  readonly thresholdCondition?: string;
  readonly threshold?: {
    readonly metric: string;
    readonly match?: Readonly<Record<string, string>>;
    readonly aggregation?: 'last' | 'average' | 'max' | 'min' | 'sum' | 'rate';
    readonly windowSeconds?: number;
    readonly direction?: 'above' | 'below';
    readonly value: number;
    readonly clear?: number;
  };
  readonly eventTypes?: readonly string[];
  readonly health?: { readonly check?: string; readonly becomes?: readonly string[] };
  /** A strategy; or by the tag `cleanup_type`: `resource`, `metrics`, `cache`. */
  readonly cleanupType?: string;
  readonly params?: CleanupParams;
  readonly onlyContained?: boolean;
  readonly budget?: CleanupBudget;
  readonly timeoutSeconds?: number;
  readonly retryCount?: number;
  readonly retryDelaySeconds?: number;
  readonly tags?: Readonly<Record<string, string>>;
};

const base = '/api/v1/metrics/cleanup';
const task = (id: string, what = ''): string => `${base}/tasks/${pathPart(id)}${what}`;
const budgetOf = (budget: CleanupBudget | undefined) =>
  budget && {
    items: budget.items,
    bytes: budget.bytes,
    seconds: budget.seconds,
    bytes_per_second: budget.bytesPerSecond,
  };

const taskOf = (wish: CleanupTaskWish) => ({
  ...{ name: wish.name, description: wish.description, trigger_type: wish.triggerType, priority: wish.priority },
  ...{ enabled: wish.enabled, schedule_expression: wish.scheduleExpression, time_zone: wish.timeZone },
  ...{ missed: wish.missed, threshold_condition: wish.thresholdCondition, event_types: wish.eventTypes },
  threshold: wish.threshold && {
    ...{ metric: wish.threshold.metric, match: wish.threshold.match, aggregation: wish.threshold.aggregation },
    ...{ window_seconds: wish.threshold.windowSeconds, direction: wish.threshold.direction },
    ...{ value: wish.threshold.value, clear: wish.threshold.clear },
  },
  ...{ health: wish.health, cleanup_type: wish.cleanupType, params: wish.params, only_contained: wish.onlyContained },
  ...{ budget: budgetOf(wish.budget), timeout_seconds: wish.timeoutSeconds, retry_count: wish.retryCount },
  ...{ retry_delay_seconds: wish.retryDelaySeconds, tags: wish.tags },
});

/** Plans, runs, tasks and the quarantine; an admin's token is needed. */
export function createCleanupCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  const post = { method: 'POST' } as const;
  return {
    strategies: (call?: CallOptions) => send<Page<CleanupStrategyBody>>(`${base}/strategies`, call),
    /** Looks and tells what would go; nothing is touched. @throws `cleanup/unknown-strategy`, `feature/disabled` */
    plan: (strategy: string, { params, ...call }: CallOptions & { params?: CleanupParams } = {}) =>
      send<CleanupPlanBody>(`${base}/plans`, { ...call, ...post, body: { strategy, params } }),
    /** Newest first, without their items. */
    plans: ({ limit, ...call }: CallOptions & { limit?: number } = {}) =>
      send<Page<CleanupPlanSummaryBody>>(`${base}/plans`, { ...call, query: { limit } }),
    getPlan: async (planId: string, call?: CallOptions) =>
      send<CleanupPlanBody>(`${base}/plans/${pathPart(planId)}`, call),
    /**
     * Begins to carry out a plan that was shown, or plans and carries out; the result is a `CleanupResult`.
     * @throws `cleanup/plan-stale`, `operation/busy` while the same is under way
     */
    run: (
      what: { planId: string } | { strategy: string; params?: CleanupParams },
      { onlyContained, budget, timeoutSeconds, ...call }: StartOptions & CleanupWish = {},
    ) =>
      send<OperationBody>(`${base}/runs`, {
        ...{ ...call, ...post },
        body: {
          ...('planId' in what ? { plan_id: what.planId } : { strategy: what.strategy, params: what.params }),
          ...{ only_contained: onlyContained, budget: budgetOf(budget), timeout_seconds: timeoutSeconds },
        },
      }),
    /** Registered resources of a type that nobody holds any more; with `force` those in use too. */
    resources: async (
      type: ResourceTypeName,
      { force, owner, ...call }: StartOptions & { force?: boolean; owner?: string } = {},
    ) =>
      send<OperationBody>(`/api/v1/metrics/resources/cleanup/${pathPart(type)}`, {
        ...{ ...call, ...post },
        query: { force, owner },
      }),
    /** Runs, newest first, and their sums. `limit` 1 to 200, 100 unless told. */
    history: ({
      taskId,
      strategy,
      limit,
      cursor,
      ...call
    }: CallOptions & { taskId?: string; strategy?: string; limit?: number; cursor?: string } = {}) =>
      send<Page<CleanupRunBody> & { readonly total: number; readonly totals: CleanupTotalsBody }>(`${base}/history`, {
        ...call,
        query: { task_id: taskId, strategy, limit, cursor },
      }),
    quarantine: ({
      runId,
      state,
      limit,
      cursor,
      ...call
    }: CallOptions & {
      runId?: string;
      state?: QuarantineEntryBody['state'] | 'all';
      limit?: number;
      cursor?: string;
    } = {}) =>
      send<Page<QuarantineEntryBody> & { readonly held_count: number; readonly held_bytes: number }>(
        `${base}/quarantine`,
        { ...call, query: { run_id: runId, state, limit, cursor } },
      ),
    /** Begins to bring back what a run took away, or single entries. Nothing is overwritten. @throws `cleanup/unknown-entry` */
    undo: (what: { runId: string } | { entryIds: readonly string[] }, call?: StartOptions) =>
      send<OperationBody>(`${base}/quarantine/undo`, {
        ...{ ...call, ...post },
        body: 'runId' in what ? { run_id: what.runId } : { entry_ids: what.entryIds },
      }),
    tasks: (call?: CallOptions) =>
      send<Page<CleanupTaskBody> & { readonly is_running: boolean }>(`${base}/tasks`, call),
    task: async (id: string, call?: CallOptions) => send<CleanupTaskBody>(task(id), call),
    /** @throws `conflict/state` when there is one of that id, `request/invalid` for a schedule nobody can follow */
    addTask: ({ taskId, ...wish }: CleanupTaskWish & { readonly taskId: string }, call?: CallOptions) =>
      send<CleanupTaskBody>(`${base}/tasks`, { ...call, ...post, body: { task_id: taskId, ...taskOf(wish) } }),
    /** Its counters stay. */
    changeTask: async (id: string, wish: CleanupTaskWish, call?: CallOptions) =>
      send<CleanupTaskBody>(task(id), { ...call, method: 'PUT', body: taskOf(wish) }),
    /** @throws `conflict/state` for one of the settings file or one that comes with the product */
    removeTask: async (id: string, call?: CallOptions): Promise<void> => {
      await transport.send(task(id), { ...call, method: 'DELETE' });
    },
    enableTask: async (id: string, call?: CallOptions) =>
      send<CleanupTaskBody>(task(id, '/enable'), { ...call, ...post }),
    disableTask: async (id: string, call?: CallOptions) =>
      send<CleanupTaskBody>(task(id, '/disable'), { ...call, ...post }),
    /** Begins it now, whatever its trigger. @throws `operation/busy` while it runs */
    runTask: async (id: string, call?: StartOptions) => send<OperationBody>(task(id, '/run'), { ...call, ...post }),
    workspaces: {
      /** `workspace`, or `target:workspace`. @throws `cleanup/workspace-busy`, forced or not */
      cleanUp: async (workspace: string, { force, ...call }: StartOptions & { force?: boolean } = {}) =>
        send<WorkspaceCleanupBody>(`/api/workspaces/${pathPart(workspace)}/cleanup`, {
          ...{ ...call, ...post },
          query: { force },
        }),
      /** All that are past their time, idle or too large. */
      cleanUpAll: (call?: StartOptions) =>
        send<WorkspaceCleanupBody>('/api/workspaces/cleanup/run', { ...call, ...post }),
      stats: (call?: CallOptions) => send<WorkspaceCleanupStatsBody>('/api/workspaces/cleanup/stats', call),
    },
  };
}
