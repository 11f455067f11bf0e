import { RagwardenError } from './ragwarden-error.ts';
import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  GraphStatus,
  HealthBody,
  HealthComponents,
  HealthMetricsBody,
  HealthStatusBody,
  InstanceBody,
  Page,
  RecoveryHealth,
  ReplicationStatus,
} from './wire.ts';

export type HealthOptions = CallOptions & {
  /** Look at everything now, all at once, instead of telling what was last seen. For admins. */
  readonly fresh?: boolean | undefined;
};

/** How the watched and ragwarden itself are. All but `get` and `ready` is for admins. */
export function createHealthCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  const base = '/api/v1/health-dashboard';
  return {
    /** The overall word; the checks behind it for admins. */
    get: ({ fresh, ...call }: HealthOptions = {}) => send<HealthBody>('/health', { ...call, query: { fresh } }),
    /** Whether it has started and its own parts work; what it watches does not count. */
    ready: async (call?: CallOptions): Promise<boolean> => {
      try {
        await transport.send('/readyz', { ...call, as: 'text' });
        return true;
      } catch (err) {
        if (err instanceof RagwardenError && err.status === 503) return false;
        throw err;
      }
    },
    /** The overall state with its reasons, whether the backend can answer and ingest, and every check. */
    status: ({ fresh, ...call }: HealthOptions = {}) =>
      send<HealthStatusBody>(`${base}/status`, { ...call, query: { fresh } }),
    /** The same by database, cache, system resources, external and application services. */
    components: ({ fresh, ...call }: HealthOptions = {}) =>
      send<HealthComponents>(`${base}/components`, { ...call, query: { fresh } }),
    metrics: (call?: CallOptions) => send<HealthMetricsBody>(`${base}/metrics`, call),
    graphs: (call?: CallOptions) => send<Page<GraphStatus>>(`${base}/graphs`, call),
    /** @throws `target/unknown` */
    graph: async (graphId: string, call?: CallOptions) =>
      send<GraphStatus>(`${base}/graphs/${pathPart(graphId)}/status`, call),
    replication: (call?: CallOptions) => send<ReplicationStatus>(`${base}/replication/status`, call),
    /** Looks at everything now: graphs, backups, replication. */
    recovery: (call?: CallOptions) =>
      send<RecoveryHealth>('/api/v1/backup-replication/recovery/health-check', { ...call, method: 'POST' }),
    /** With the fields of document 002. */
    advanced: ({ fresh, ...call }: HealthOptions = {}) =>
      send<Readonly<Record<string, unknown>>>('/api/system/health/advanced', { ...call, query: { fresh } }),
    enhanced: (call?: CallOptions) => send<Readonly<Record<string, unknown>>>('/api/system/status/enhanced', call),
    /** What runs in this instance and in the others on the same state. */
    services: (call?: CallOptions) => send<Page<InstanceBody>>('/api/v1/system/services', call),
  };
}
