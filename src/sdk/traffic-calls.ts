import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  HostHealthBody,
  LightragMonitorBody,
  LightragRecording,
  Page,
  RecordedItemsBody,
  SystemBody,
  TrafficExchangeBody,
  TrafficGrouping,
  TrafficSummaryBody,
  UserMetricsBody,
} from './wire.ts';

export type TrafficFilter = {
  readonly target?: string;
  /** Empty: the unnamed one. */
  readonly workspace?: string;
  readonly user?: string;
};

/** The machine, and what the backend was asked for since the start. */
export function createMonitoringCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  const base = '/api/v1/monitoring';
  return {
    /** CPU, memory, disks, network and processes as last sampled. @throws `host/not-sampled` directly after a start */
    system: (call?: CallOptions) => send<SystemBody>(`${base}/system`, call),
    /** Whether CPU, memory and disks are well. */
    health: (call?: CallOptions) => send<HostHealthBody>(`${base}/health`, call),
    /** Storage of one user directory, and what that user asked for. @throws `request/not-found` */
    user: async (userId: string, call?: CallOptions) => send<UserMetricsBody>(`${base}/user/${pathPart(userId)}`, call),
    /** Queries, searches and inserts since the start, or since they were reset. */
    lightrag: (call?: CallOptions) => send<LightragMonitorBody>(`${base}/lightrag`, call),
    /** Begins to count them anew. */
    resetLightrag: (call?: CallOptions) =>
      send<{ readonly message: string }>(`${base}/lightrag/reset`, { ...call, method: 'POST' }),
    /** Tells operations that did not pass the gateway; a service token is enough. At most 1,000 at once. */
    recordLightrag: (items: readonly LightragRecording[], call?: CallOptions) =>
      send<RecordedItemsBody>(`${base}/lightrag/record`, { ...call, method: 'POST', body: { items } }),
  };
}

/** What passed the gateway, and what was told. */
export function createTrafficCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  return {
    /** Over a window such as `15m`, `24h`, or a number of seconds; an hour unless told. */
    summary: ({
      window,
      by,
      limit,
      target,
      workspace,
      user,
      ...call
    }: CallOptions & TrafficFilter & { window?: string; by?: TrafficGrouping; limit?: number } = {}) =>
      send<TrafficSummaryBody>('/api/v1/traffic/summary', {
        ...call,
        query: { window, by, limit, target, workspace, user },
      }),
    /** The latest exchanges, the newest first. `limit` 1 to 500, 50 unless told. */
    recent: ({
      limit,
      failed,
      door,
      target,
      workspace,
      user,
      ...call
    }: CallOptions & TrafficFilter & { limit?: number; failed?: boolean; door?: 'backend' | 'llm' } = {}) =>
      send<Page<TrafficExchangeBody>>('/api/v1/traffic/recent', {
        ...call,
        query: { limit, failed, door, target, workspace, user },
      }),
  };
}
