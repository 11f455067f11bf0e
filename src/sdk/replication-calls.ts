import type { WorkOptions } from './graph-calls.ts';
import type { StartOptions } from './operation-calls.ts';
import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  BegunReplication,
  GraphReplicationBody,
  OperationBody,
  Page,
  ReceivedBody,
  ReplicaBody,
  ReplicaHealth,
  ReplicationLogBody,
  ReplicationLogStatus,
  ReplicationLogType,
} from './wire.ts';

/** A place that points are copied to; either `baseUrl` with `apiKey`, or `location` with what its store asks for. */
export type NewReplica = {
  readonly name: string;
  /** Made from the name unless told. */
  readonly targetId?: string;
  /** Of another ragwarden. */
  readonly baseUrl?: string;
  /** Taken once, kept sealed, never shown. */
  readonly apiKey?: string;
  /** A repository: an absolute folder, `s3:`, `azure:`, `gs:`, `rest:` or `sftp:`. */
  readonly location?: string;
  /** As the key. By the names that the store’s own tools read, such as `AWS_SECRET_ACCESS_KEY`. */
  readonly credentials?: Readonly<Record<string, string>>;
  readonly zone?: string | null;
  readonly offline?: boolean;
  readonly enabled?: boolean;
  /** KiB per second; 0 is none. */
  readonly limitKibPerSecond?: number | null;
  /** It is begun while fewer targets than this are worked on; 1 is alone. */
  readonly maxConcurrent?: number | null;
  readonly metadata?: Readonly<Record<string, unknown>>;
};
export type ReplicaChange = Omit<Partial<NewReplica>, 'targetId' | 'baseUrl' | 'location'>;

/** `complete` is false only where the caller named how long it waits, and the same call goes on then. */
export type ReceivedVerification = {
  readonly points: number;
  readonly findings: readonly string[];
  readonly complete: boolean;
  readonly read_bytes: number;
};

export type ReplicationLogQuery = {
  readonly targetId?: string;
  readonly graphId?: string;
  readonly backupId?: string;
  readonly operationType?: ReplicationLogType;
  readonly status?: ReplicationLogStatus;
  /** 1 to 500; 100 unless told. */
  readonly limit?: number;
  readonly cursor?: string;
};

export function createReplicationCalls({ send }: Transport) {
  // The server checks every answer against the schema that these types are made of.
  const ask = async <T>(path: string, call?: Call): Promise<T> => (await send(path, call)) as T;
  const below = '/api/v1/backup-replication/replication';
  const sent = '/api/v1/backup-replication/backup/snapshots';
  const target = (id: string, verb?: string): string =>
    `${below}/targets/${pathPart(id)}${verb === undefined ? '' : `/${verb}`}`;
  const bodyOf = ({ targetId, baseUrl, apiKey, limitKibPerSecond, maxConcurrent, ...rest }: Partial<NewReplica>) => ({
    ...rest,
    target_id: targetId,
    base_url: baseUrl,
    api_key: apiKey,
    limit_kib_per_second: limitKibPerSecond,
    max_concurrent: maxConcurrent,
  });
  return {
    /** Places that points are copied to, and how they are. */
    targets: async ({ enabledOnly, ...call }: CallOptions & { enabledOnly?: boolean } = {}) =>
      ask<Page<ReplicaBody>>(`${below}/targets`, { ...call, query: { enabled_only: enabledOnly } }),
    /** @throws RagwardenError `request/invalid`, `repository/invalid-location`, `conflict/state`, `outgoing/refused-address` */
    register: async (replica: NewReplica, call?: CallOptions) =>
      ask<ReplicaBody>(`${below}/targets`, { ...call, method: 'POST', body: bodyOf(replica) }),
    /** @throws RagwardenError `replication/unknown-target` */
    target: async (targetId: string, call?: CallOptions) => ask<ReplicaBody>(target(targetId), call),
    /** @throws RagwardenError `replication/unknown-target`, `conflict/state` for one of the settings file */
    change: async (targetId: string, change: ReplicaChange, call?: CallOptions) =>
      ask<ReplicaBody>(target(targetId), { ...call, method: 'PATCH', body: bodyOf(change) }),
    /** Copies there no more; what lies there stays. */
    remove: async (targetId: string, call?: CallOptions) =>
      ask<{ readonly status: 'success'; readonly message: string }>(target(targetId), { ...call, method: 'DELETE' }),
    /** `fresh`: looks now. */
    health: async (targetId: string, { fresh, ...call }: CallOptions & { fresh?: boolean } = {}) =>
      ask<ReplicaHealth>(target(targetId, 'health'), { ...call, query: { fresh } }),
    /** Begins to copy what is missing there. @throws RagwardenError `feature/disabled`, `operation/busy` */
    replicate: async (targetId: string, call?: StartOptions) =>
      ask<OperationBody>(target(targetId, 'replicate'), { ...call, method: 'POST' }),
    /** Begins to read a share of what lies there. */
    verify: async (targetId: string, { percent, ...call }: StartOptions & { percent?: number } = {}) =>
      ask<OperationBody>(target(targetId, 'verify'), { ...call, method: 'POST', body: { percent } }),
    /**
     * Begins to mend a damaged repository from the good one.
     * @throws RagwardenError `conflict/confirmation-required` without `confirm: true`
     */
    heal: async (
      targetId: string,
      { damaged, confirm, ...call }: StartOptions & { damaged: 'target' | 'source'; confirm: boolean },
    ) => ask<OperationBody>(target(targetId, 'heal'), { ...call, method: 'POST', body: { damaged, confirm } }),
    /** Begins to free what nothing refers to there. @throws RagwardenError `feature/disabled`, `operation/busy` */
    prune: async (targetId: string, call?: StartOptions) =>
      ask<OperationBody>(target(targetId, 'prune'), { ...call, method: 'POST' }),
    /** Begins to copy the points of one graph to every target that is switched on, or to those that are named. */
    replicateGraph: async (
      graphId: string,
      { targetIds, ...call }: WorkOptions & { targetIds?: readonly string[] } = {},
    ) =>
      ask<BegunReplication>(`${below}/graphs/${pathPart(graphId)}/replicate`, {
        ...call,
        method: 'POST',
        body: { target_ids: targetIds },
      }),
    /** What other installations sent here; of the caller alone unless an admin asks. */
    received: async ({
      signal,
      graphId,
      backupId,
      dataHash,
    }: CallOptions & { graphId?: string; backupId?: string; dataHash?: string } = {}) =>
      ask<Page<ReceivedBody> & { readonly received_bytes: number | null; readonly keep: number }>(`${sent}/received`, {
        signal,
        query: { graph_id: graphId, backup_id: backupId, data_hash: dataHash },
      }),
    /** A part of what the caller sent, from `offset` on; `size_bytes` of the list tells where the last one ends. */
    receivedContent: ({
      signal,
      graphId,
      backupId,
      dataHash,
      offset,
    }: CallOptions & { graphId: string; backupId: string; dataHash: string; offset?: number }) =>
      send(`${sent}/received/content`, {
        signal,
        as: 'bytes',
        query: { graph_id: graphId, backup_id: backupId, data_hash: dataHash, offset },
      }) as Promise<Uint8Array>,
    /** Reads a share of what was sent here against its digests. */
    verifyReceived: async ({ percent, ...call }: CallOptions & { percent?: number } = {}) =>
      ask<ReceivedVerification>(`${sent}/received/verify`, {
        ...call,
        method: 'POST',
        body: { percent },
      }),
    /**
     * Begins to make a received point, the newest unless named, one of the points here, with the password of its sender's recovery kit.
     * @throws RagwardenError `backup/unknown-point`, `conflict/state` when several senders or graphs are meant
     */
    adoptReceived: async ({
      password,
      backupId,
      graphId,
      sender,
      ...call
    }: StartOptions & { password: string; backupId?: string; graphId?: string; sender?: string }) =>
      ask<OperationBody>(`${sent}/received/adopt`, {
        ...call,
        method: 'POST',
        body: { password, backup_id: backupId, graph_id: graphId, sender },
      }),
    graph: async (graphId: string, call?: CallOptions) =>
      ask<GraphReplicationBody>(`${below}/graphs/${pathPart(graphId)}/status`, call),
    /** What was copied, verified and healed, newest first. */
    logs: async ({ signal, ...query }: CallOptions & ReplicationLogQuery = {}) =>
      ask<Page<ReplicationLogBody>>(`${below}/logs`, {
        signal,
        query: {
          target_id: query.targetId,
          graph_id: query.graphId,
          backup_id: query.backupId,
          operation_type: query.operationType,
          status: query.status,
          limit: query.limit,
          cursor: query.cursor,
        },
      }),
  };
}
