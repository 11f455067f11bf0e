import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  AgentRecording,
  MetricAgentBody,
  MetricAggregation,
  MetricCategory,
  MetricDefinitionBody,
  MetricGlobalBody,
  MetricHistoryBody,
  MetricLabels,
  MetricLatestBody,
  MetricPerformanceBody,
  MetricQueryBody,
  MetricRecordedBody,
  MetricRecording,
  MetricResetBody,
  MetricTopBody,
  MetricType,
  MetricTypesBody,
  Page,
  RecordedItemsBody,
} from './wire.ts';

type SeriesChoice = {
  /** Labels that a series must have; `instance` is one of them. */
  readonly match?: MetricLabels;
};
type RangeChoice = SeriesChoice & {
  readonly aggregation?: MetricAggregation;
  /** An hour before `to` unless told. */
  readonly from?: Date;
  /** Now, unless told. */
  readonly to?: Date;
  /** One answer per combination of these labels, one for all when empty; left out, every series by itself. */
  readonly groupBy?: readonly string[];
  readonly limit?: number;
};
export type MetricQuery = RangeChoice & {
  readonly stepSeconds?: number;
  /** The own tiers, or the store that `metrics.read_back` names; left out, the store only for what is older than they are. */
  readonly source?: 'own' | 'store';
};
export type MetricTopQuery = RangeChoice & { readonly order?: 'greatest' | 'least' };
export type MetricHistoryQuery = SeriesChoice & {
  readonly name?: string;
  readonly type?: MetricType;
  readonly agentId?: string;
  readonly workspaceId?: string;
  readonly from?: Date;
  readonly to?: Date;
  /** 1 to 1,000, which is what it is unless told. */
  readonly limit?: number;
  readonly offset?: number;
  readonly cursor?: string;
};
export type MetricDefine = {
  readonly type: MetricType;
  readonly category?: MetricCategory;
  readonly unit?: string;
  readonly description?: string;
  readonly aggregations?: readonly MetricAggregation[];
  readonly tags?: readonly string[];
  /** Off: its values are refused. */
  readonly enabled?: boolean;
};

const base = '/api/v1/metrics';
const matchOf = (match: MetricLabels | undefined): string[] | undefined =>
  match && Object.entries(match).map(([name, value]) => `${name}=${value}`);
const rangeOf = (name: string, { match, aggregation, from, to, groupBy, limit }: RangeChoice) => ({
  name,
  match: matchOf(match),
  aggregation,
  from: from?.toISOString(),
  to: to?.toISOString(),
  group_by: groupBy?.join(','),
  limit,
});

/** What is recorded, and what was. Reading takes a scrape token, recording a service token, single values and reset an admin's. */
export function createMetricCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  return {
    /** Every metric in Prometheus' text format; for scrape and service tokens too. */
    text: (call?: CallOptions) => send<string>('/metrics', { ...call, as: 'text' }),
    /** Records values. Those that are not right are told one by one and keep no other out. At most 10,000 at once. */
    record: (items: readonly MetricRecording[], call?: CallOptions) =>
      send<MetricRecordedBody>(`${base}/record`, { ...call, method: 'POST', body: { items } }),
    /** Tells what agents did; a service token is enough. At most 1,000 at once. */
    recordAgents: (items: readonly AgentRecording[], call?: CallOptions) =>
      send<RecordedItemsBody>(`${base}/agents/record`, { ...call, method: 'POST', body: { items } }),
    /** A metric over time. @throws `request/invalid` for what has no meaning, as percentiles of a counter */
    query: (name: string, query: MetricQuery = {}, call?: CallOptions) =>
      send<MetricQueryBody>(`${base}/query`, {
        ...call,
        query: { ...rangeOf(name, query), step_seconds: query.stepSeconds, source: query.source },
      }),
    /** The latest value of each series. */
    latest: (
      name: string,
      { match, withinSeconds, limit }: SeriesChoice & { withinSeconds?: number; limit?: number } = {},
      call?: CallOptions,
    ) =>
      send<MetricLatestBody>(`${base}/latest`, {
        ...call,
        query: { name, match: matchOf(match), within_seconds: withinSeconds, limit },
      }),
    /** The series with the greatest values. */
    top: (name: string, query: MetricTopQuery = {}, call?: CallOptions) =>
      send<MetricTopBody>(`${base}/top`, { ...call, query: { ...rangeOf(name, query), order: query.order } }),
    types: (call?: CallOptions) => send<MetricTypesBody>(`${base}/types`, call),
    definitions: ({
      category,
      type,
      cursor,
      limit,
      ...call
    }: CallOptions & { category?: MetricCategory; type?: MetricType; cursor?: string; limit?: number } = {}) =>
      send<Page<MetricDefinitionBody>>(`${base}/definitions`, { ...call, query: { category, type, cursor, limit } }),
    /** @throws `request/not-found` */
    definition: async (name: string, call?: CallOptions) =>
      send<MetricDefinitionBody>(`${base}/definitions/${pathPart(name)}`, call),
    /** @throws `conflict/state` when it is recorded as another type or in another unit already */
    define: async (name: string, definition: MetricDefine, call?: CallOptions) =>
      send<MetricDefinitionBody>(`${base}/definitions/${pathPart(name)}`, { ...call, method: 'PUT', body: definition }),
    /** All metrics at a glance. */
    global: (call?: CallOptions) => send<MetricGlobalBody>(`${base}/global`, call),
    /** What an agent did, in all. @throws `request/not-found` */
    agent: async (agentId: string, call?: CallOptions) =>
      send<MetricAgentBody>(`${base}/agents/${pathPart(agentId)}`, call),
    /** Recorded values one by one, newest first. */
    history: (query: MetricHistoryQuery = {}, call?: CallOptions) =>
      send<MetricHistoryBody>(`${base}/history`, {
        ...call,
        query: {
          name: query.name,
          metric_type: query.type,
          agent_id: query.agentId,
          workspace_id: query.workspaceId,
          match: matchOf(query.match),
          from: query.from?.toISOString(),
          to: query.to?.toISOString(),
          limit: query.limit,
          offset: query.offset,
          cursor: query.cursor,
        },
      }),
    /** How agents performed lately. `timeWindowMinutes` 1 to 1,440, 60 unless told. */
    performance: ({ timeWindowMinutes, ...call }: CallOptions & { timeWindowMinutes?: number } = {}) =>
      send<MetricPerformanceBody>(`${base}/performance`, {
        ...call,
        query: { time_window_minutes: timeWindowMinutes },
      }),
    /** Forgets all samples. */
    reset: (call?: CallOptions) => send<MetricResetBody>(`${base}/reset`, { ...call, method: 'DELETE' }),
    /** Forgets the totals of an agent. */
    resetAgent: async (agentId: string, call?: CallOptions) =>
      send<MetricResetBody>(`${base}/reset/${pathPart(agentId)}`, { ...call, method: 'DELETE' }),
  };
}
