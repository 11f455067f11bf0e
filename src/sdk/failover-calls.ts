import type { StartOptions } from './operation-calls.ts';
import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  CheckpointBody,
  DoneBody,
  FailoverBody,
  FailoverPlanBody,
  FailoverStatusBody,
  OperationBody,
  Page,
  RecoveryHealth,
  RecoveryStatusBody,
} from './wire.ts';

export type FailoverWish = StartOptions & {
  readonly target?: string;
  /** Of the plan that was looked at: another one is refused. */
  readonly planId?: string;
  readonly confirm: boolean;
  /** Go on although the place that is left cannot be stopped, or the canary fails at the other one. */
  readonly force?: boolean;
};

/** Bringing a target up at its other place, and named sets of verified points. */
export function createFailoverCalls({ send }: Transport) {
  // The server checks every answer against the schema that these types are made of.
  const ask = async <T>(path: string, call?: Call): Promise<T> => (await send(path, call)) as T;
  const below = '/api/v1/backup-replication/recovery';
  const checkpoint = (id: string): string => `${below}/checkpoints/${pathPart(id)}`;
  return {
    /** Where a target lives, where else it could, and how the last failover went. */
    failoverStatus: ({ target, ...call }: CallOptions & { target?: string } = {}) =>
      ask<FailoverStatusBody>('/api/v1/recovery/failover', { ...call, query: { target } }),
    /** What a failover would do now. @throws `recovery/no-standby` */
    planFailover: ({ target, backupId, ...call }: CallOptions & { target?: string; backupId?: string } = {}) =>
      ask<FailoverPlanBody>('/api/v1/recovery/failover/plan', {
        ...call,
        method: 'POST',
        body: { target, backup_id: backupId },
      }),
    /**
     * Begins a failover; its result is a `FailoverResult`.
     * @throws `recovery/no-standby`, `restore/plan-changed`, `restore/blocked`, `operation/busy`
     */
    failover: ({ target, backupId, planId, confirm, force, ...call }: FailoverWish & { backupId?: string }) =>
      ask<OperationBody>('/api/v1/recovery/failover', {
        ...call,
        method: 'POST',
        body: { target, backup_id: backupId, plan_id: planId, confirm, force },
      }),
    /**
     * Begins to fill the place that the target does not live at. @throws `recovery/no-standby`, `operation/busy`,
     * `conflict/state` when it lives at `place` by now
     */
    reseed: ({
      target,
      place,
      confirm,
      ...call
    }: StartOptions & { target?: string; place?: 'home' | 'standby'; confirm: boolean }) =>
      ask<OperationBody>('/api/v1/recovery/reseed', { ...call, method: 'POST', body: { target, place, confirm } }),
    /** Newest first. `limit` 1 to 500, 50 unless told. */
    failovers: ({
      target,
      limit,
      cursor,
      ...call
    }: CallOptions & { target?: string; limit?: number; cursor?: string } = {}) =>
      ask<Page<FailoverBody>>('/api/v1/recovery/failovers', { ...call, query: { target, limit, cursor } }),
    /** @throws `recovery/unknown-failover` */
    failoverReport: async (failoverId: string, call?: CallOptions) =>
      ask<FailoverBody>(`/api/v1/recovery/failovers/${pathPart(failoverId)}`, call),
    /**
     * Names the newest verified point of each graph; they are kept until the checkpoint is removed.
     * @throws `target/unknown`, `conflict/state` for a graph without a verified point
     */
    createCheckpoint: ({
      graphIds,
      description,
      metadata,
      ...call
    }: CallOptions & {
      graphIds: readonly string[];
      description?: string;
      metadata?: Readonly<Record<string, unknown>>;
    }) =>
      ask<CheckpointBody>(`${below}/checkpoints`, {
        ...call,
        method: 'POST',
        body: { graph_ids: graphIds, description, metadata },
      }),
    /** Newest first. `limit` 1 to 500, 50 unless told. */
    checkpoints: ({ limit, cursor, ...call }: CallOptions & { limit?: number; cursor?: string } = {}) =>
      ask<Page<CheckpointBody>>(`${below}/checkpoints`, { ...call, query: { limit, cursor } }),
    /** @throws `recovery/unknown-checkpoint` */
    checkpoint: async (id: string, call?: CallOptions) => ask<CheckpointBody>(checkpoint(id), call),
    /** @throws `recovery/unknown-checkpoint` */
    removeCheckpoint: async (id: string, call?: CallOptions) =>
      ask<DoneBody>(checkpoint(id), { ...call, method: 'DELETE' }),
    /** Begins to restore its points in drills; the result is a `CheckpointValidation`. */
    validateCheckpoint: async (id: string, call?: StartOptions) =>
      ask<OperationBody>(`${checkpoint(id)}/validate`, { ...call, method: 'POST' }),
    /** Begins a failover to its point. @throws as `failover`; `conflict/state` when it is not validated */
    failoverToCheckpoint: async (id: string, { planId, confirm, force, ...call }: Omit<FailoverWish, 'target'>) =>
      ask<OperationBody>(`${checkpoint(id)}/failover`, {
        ...call,
        method: 'POST',
        body: { plan_id: planId, confirm, force },
      }),
    /** How many checkpoints there are, and whether a failover is under way. */
    status: (call?: CallOptions) => ask<RecoveryStatusBody>(`${below}/status`, call),
    /** Graphs, backups and replication, as they were seen last. */
    health: (call?: CallOptions) => ask<RecoveryHealth>(`${below}/health`, call),
  };
}
