import { createOperationCalls, type StartOptions } from './operation-calls.ts';
import { type CallOptions, type ClientOptions, createTransport, pathPart } from './transport.ts';
import type {
  BackupResult,
  BackupStatusBody,
  EventBody,
  HealthBody,
  HostHealthBody,
  OperationBody,
  Page,
  RestorePlan,
  ScheduleBody,
  SystemBody,
  TargetBody,
  UserMetricsBody,
} from './wire.ts';

export type EventQuery = {
  /** Types such as `target.status-changed`; `backup.*` is every one that begins so. */
  readonly types?: readonly string[];
  readonly severities?: readonly EventBody['severity'][];
  readonly targetId?: string;
  readonly workspace?: string;
  readonly operationId?: string;
  /** Inclusive. */
  readonly since?: Date;
  /** Exclusive. */
  readonly until?: Date;
  readonly order?: 'newest' | 'oldest';
  readonly cursor?: string;
  /** 1 to 500; 100 unless told. */
  readonly limit?: number;
};

export type RagwardenClient = ReturnType<typeof createClient>;

/**
 * A client of one ragwarden. Nothing is sent, and no timer runs, before a call.
 * Every call rejects with a `RagwardenError`, or with the reason of its signal.
 * @throws TypeError when `url` is no http(s) URL, or has credentials in it
 */
export function createClient(options: ClientOptions) {
  const send = createTransport(options);
  // Answers are checked against their schemas where they are made; a second check here would be a second truth.
  const get = async <T>(path: string, call?: Parameters<typeof send>[1]): Promise<T> => (await send(path, call)) as T;
  const post = <T>(path: string, call: Parameters<typeof send>[1]): Promise<T> =>
    get(path, { ...call, method: 'POST' });
  const point = (backupId: string, verb?: string): string =>
    `/api/v1/backup/points/${pathPart(backupId)}${verb === undefined ? '' : `/${verb}`}`;

  return {
    health: {
      /** The overall word; the checks behind it for admins. */
      get: (call?: CallOptions) => get<HealthBody>('/health', call),
    },
    monitoring: {
      /** CPU, memory, disks, network and processes as last sampled. @throws `host/not-sampled` directly after a start */
      system: (call?: CallOptions) => get<SystemBody>('/api/v1/monitoring/system', call),
      /** Whether CPU, memory and disks are well. */
      health: (call?: CallOptions) => get<HostHealthBody>('/api/v1/monitoring/health', call),
      /** Storage of one user directory. @throws `request/not-found` */
      user: async (userId: string, call?: CallOptions) =>
        get<UserMetricsBody>(`/api/v1/monitoring/user/${pathPart(userId)}`, call),
    },
    targets: {
      /** Everything that is watched, as it was last seen. */
      list: (call?: CallOptions) => get<Page<TargetBody>>('/api/v1/targets', call),
      /** @throws `target/unknown` */
      get: async (id: string, call?: CallOptions) => get<TargetBody>(`/api/v1/targets/${pathPart(id)}`, call),
      /** Looks now instead of telling what was last seen. @throws `target/unknown` */
      probe: async (id: string, call?: CallOptions) =>
        post<TargetBody>(`/api/v1/targets/${pathPart(id)}/probe`, { ...call }),
    },
    backup: {
      status: ({ target, ...call }: CallOptions & { target?: string } = {}) =>
        get<BackupStatusBody>('/api/v1/backup/status', { ...call, query: { target } }),
      /** The last runs, oldest first. `limit` 1 to 100, 10 unless told. */
      history: ({ target, limit, ...call }: CallOptions & { target?: string; limit?: number } = {}) =>
        get<BackupResult[]>('/api/v1/backup/history', { ...call, query: { target, limit } }),
      /** Recovery points that exist, newest first. `limit` 1 to 500, 50 unless told. */
      points: ({
        target,
        limit,
        cursor,
        ...call
      }: CallOptions & { target?: string; limit?: number; cursor?: string } = {}) =>
        get<Page<BackupResult>>('/api/v1/backup/points', { ...call, query: { target, limit, cursor } }),
      /** @throws `backup/unknown-point`, `backup/invalid-id` */
      point: async (backupId: string, call?: CallOptions) => get<BackupResult>(point(backupId), call),
      /** Begins to take a point; its result is a `BackupResult`. @throws `backup/unavailable`, `operation/busy` */
      trigger: ({ target, ...call }: StartOptions & { target?: string } = {}) =>
        post<OperationBody>('/api/v1/backup/trigger', { ...call, body: { target } }),
      /** Begins to read every byte of a point back. */
      verify: async (backupId: string, call?: StartOptions) =>
        post<OperationBody>(point(backupId, 'verify'), { ...call }),
      /** What a restore would do; changes nothing. */
      planRestore: async (backupId: string, call?: CallOptions) =>
        post<RestorePlan>(`/api/v1/backup/restore/${pathPart(backupId)}`, { ...call, body: { plan_only: true } }),
      /**
       * Begins a restore, which replaces the data of the target; a safety point is taken first.
       * @throws `conflict/confirmation-required` without `confirm: true`, `restore/plan-changed`, `restore/blocked`
       */
      restore: async (
        backupId: string,
        { confirm, planId, ...call }: StartOptions & { confirm: boolean; planId?: string },
      ) =>
        post<OperationBody>(`/api/v1/backup/restore/${pathPart(backupId)}`, {
          ...call,
          body: { confirm, plan_id: planId },
        }),
      startSchedule: (call?: CallOptions) => post<ScheduleBody>('/api/v1/backup/start', { ...call }),
      stopSchedule: (call?: CallOptions) => post<ScheduleBody>('/api/v1/backup/stop', { ...call }),
    },
    operations: createOperationCalls(send),
    events: {
      /** What happened, newest first unless told otherwise. */
      list: (query: EventQuery = {}, call?: CallOptions) =>
        get<Page<EventBody>>('/api/v1/events', {
          ...call,
          query: {
            type: query.types?.join(','),
            severity: query.severities?.join(','),
            target_id: query.targetId,
            workspace: query.workspace,
            operation_id: query.operationId,
            since: query.since?.toISOString(),
            until: query.until?.toISOString(),
            order: query.order,
            cursor: query.cursor,
            limit: query.limit,
          },
        }),
    },
  };
}
