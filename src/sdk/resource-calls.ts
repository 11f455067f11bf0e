import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  LeakEvidenceBody,
  LeakSeverity,
  MeasureName,
  ObservedSeriesBody,
  Page,
  ResourceBody,
  ResourceLeaksBody,
  ResourceStatus,
  ResourceSummaryBody,
  ResourceTypeName,
} from './wire.ts';

export type ResourceRegistration = {
  /** One id over all programs. */
  readonly resourceId: string;
  readonly resourceType: ResourceTypeName;
  readonly owner?: string;
  readonly workspaceId?: string;
  /** The resource that it is a part of. */
  readonly parentId?: string;
  readonly sizeBytes?: number;
  /** A leak when it is still there after this time, used or not. */
  readonly ttlSeconds?: number;
  /** A leak when no sign of life came for this time. */
  readonly leaseSeconds?: number;
  readonly metadata?: Readonly<Record<string, string | number | boolean | null>>;
};

export type ResourceQuery = {
  readonly resourceType?: ResourceTypeName;
  readonly status?: ResourceStatus;
  readonly owner?: string;
  readonly workspaceId?: string;
  readonly cursor?: string;
  /** 1 to 1,000, 100 unless told. */
  readonly limit?: number;
};

const base = '/api/v1/metrics/resources';
const one = (id: string, what = ''): string => `${base}/${pathPart(id)}${what}`;

/** What programs hold; a service token is enough. Ids that are not registered, also after a restart, are `resource/unknown`. */
export function createResourceCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  const post = { method: 'POST' } as const;
  return {
    /** The same id once more is a sign of life. @throws `resource/too-many`; `conflict/state` when the id is somebody else's */
    register: (given: ResourceRegistration, call?: CallOptions) =>
      send<ResourceBody>(base, {
        ...{ ...call, ...post },
        body: {
          resource_id: given.resourceId,
          resource_type: given.resourceType,
          owner: given.owner,
          workspace_id: given.workspaceId,
          parent_id: given.parentId,
          size_bytes: given.sizeBytes,
          ttl_seconds: given.ttlSeconds,
          lease_seconds: given.leaseSeconds,
          metadata: given.metadata,
        },
      }),
    /** In the order of registration. */
    list: ({ resourceType, status, owner, workspaceId, cursor, limit, ...call }: CallOptions & ResourceQuery = {}) =>
      send<Page<ResourceBody>>(base, {
        ...call,
        query: { resource_type: resourceType, status, owner, workspace_id: workspaceId, cursor, limit },
      }),
    get: async (id: string, call?: CallOptions) => send<ResourceBody>(one(id), call),
    /** It is used. */
    access: async (id: string, call?: CallOptions) => send<ResourceBody>(one(id, '/access'), { ...call, ...post }),
    /** A sign of life, which is no use of it. */
    touch: async (
      id: string,
      {
        sizeBytes,
        ttlSeconds,
        leaseSeconds,
        ...call
      }: CallOptions & Pick<ResourceRegistration, 'sizeBytes' | 'ttlSeconds' | 'leaseSeconds'> = {},
    ) =>
      send<ResourceBody>(one(id, '/touch'), {
        ...{ ...call, ...post },
        body: { size_bytes: sizeBytes, ttl_seconds: ttlSeconds, lease_seconds: leaseSeconds },
      }),
    /** It was freed; or could not be, for the reason in `error`, and stays. */
    release: async (id: string, { error, ...call }: CallOptions & { error?: string } = {}) =>
      send<ResourceBody>(one(id, '/release'), { ...{ ...call, ...post }, body: { error } }),
    /** Forgets it. */
    unregister: async (id: string, call?: CallOptions) => send<ResourceBody>(one(id), { ...call, method: 'DELETE' }),
    summary: (call?: CallOptions) => send<ResourceSummaryBody>(`${base}/summary`, call),
    /** The gravest first. `limit` 1 to 100, 50 unless told. */
    leaks: ({
      severity,
      limit,
      cursor,
      ...call
    }: CallOptions & { severity?: LeakSeverity; limit?: number; cursor?: string } = {}) =>
      send<ResourceLeaksBody>(`${base}/leaks`, { ...call, query: { severity, limit, cursor } }),
    /** What is looked at of processes and servers. @throws `feature/disabled` */
    observed: (call?: CallOptions) =>
      send<Page<ObservedSeriesBody> & { readonly unseen: readonly { source: string; reason: string }[] }>(
        `${base}/observed`,
        call,
      ),
    /** One measure over the last three days, and what it shows. @throws `resource/unknown` */
    evidence: (subject: string, measure: MeasureName, call?: CallOptions) =>
      send<LeakEvidenceBody>(`${base}/observed/evidence`, { ...call, query: { subject, measure } }),
  };
}
