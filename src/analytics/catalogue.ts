import { trafficDefinitions } from '../traffic/index.ts';
import type { SeriesKind } from './series.ts';

/** Where the values of one kind of resource lie in the store of metrics. */
export type Source = {
  readonly metric: string;
  readonly type: 'gauge' | 'counter' | 'distribution';
  readonly resourceType: string | ((labels: Labels) => string);
  /** What tells several of one type apart; undefined: there is one. */
  readonly subject?: (labels: Labels) => string;
  readonly by: readonly string[];
  readonly unit: string;
  readonly kind: SeriesKind;
  readonly capacity?: number;
  readonly mayBeSpare?: boolean;
  /** The type, unless told. */
  readonly family?: string;
  /** What is measured is one thing, whichever instance does it: taken together over all of them. */
  readonly isShared?: boolean;
  readonly where?: (labels: Labels) => boolean;
};
export type Labels = Readonly<Record<string, string>>;

const place = (labels: Labels, name: string): string => `${labels.target || '-'}/${labels[name] || '-'}`;
const ofTarget = ({ target = '' }: Labels): string => target || '-';
const plural: Readonly<Record<string, string>> = { query: 'queries', search: 'searches', insert: 'inserts' };
const isWork = ({ operation = '' }: Labels): boolean => operation in plural;

const ofAll = { isShared: true } as const;

/** What the store has of the host, of the backends and of what is registered. */
export const catalogue: readonly Source[] = [
  {
    ...{ metric: 'system_cpu_percent', type: 'gauge', resourceType: 'cpu', by: [], unit: 'percent', kind: 'level' },
    ...{ capacity: 100, mayBeSpare: true },
  },
  {
    ...{ metric: 'system_memory_percent', type: 'gauge', resourceType: 'memory', by: [], unit: 'percent' },
    ...{ kind: 'level', capacity: 100, mayBeSpare: true },
  },
  {
    ...{ metric: 'system_disk_usage_percent', type: 'gauge', resourceType: 'disk', by: [], unit: 'percent' },
    ...{ kind: 'stock', capacity: 100, family: 'disk' },
  },
  {
    ...ofAll,
    ...{ metric: 'ragwarden_target_store_bytes', type: 'gauge', resourceType: 'storage', by: ['target', 'store'] },
    // What a store grows by the disk grows by; that they move together says nothing.
    ...{ subject: (labels) => place(labels, 'store'), unit: 'bytes', kind: 'stock', family: 'disk' },
  },
  {
    ...ofAll,
    ...{ metric: 'ragwarden_target_documents', type: 'gauge', resourceType: 'documents', by: ['target', 'status'] },
    ...{ subject: (labels) => place(labels, 'status'), unit: 'documents', kind: 'stock' },
  },
  {
    ...ofAll,
    ...{ metric: 'backup_size_bytes', type: 'gauge', resourceType: 'backup_size', by: ['target'], subject: ofTarget },
    ...{ unit: 'bytes', kind: 'stock', family: 'disk' },
  },
  {
    ...ofAll,
    ...{
      metric: 'traffic_exchanges',
      type: 'counter',
      by: ['target', 'operation'],
      subject: ofTarget,
      unit: 'requests',
    },
    ...{ resourceType: ({ operation = '' }) => plural[operation] ?? operation, kind: 'flow', where: isWork },
  },
  {
    ...ofAll,
    ...{ metric: 'traffic_duration_ms', type: 'distribution', by: ['target', 'operation'], subject: ofTarget },
    ...{ resourceType: ({ operation = '' }) => `${operation}_latency`, unit: 'ms', kind: 'latency', where: isWork },
    ...{ family: 'latency' },
  },
  {
    ...ofAll,
    ...{ metric: 'ragwarden_target_health_latency_seconds', type: 'gauge', resourceType: 'probe_latency' },
    ...{ by: ['target'], subject: ofTarget, unit: 'seconds', kind: 'latency', family: 'latency' },
  },
  {
    ...ofAll,
    metric: 'llm_calls',
    type: 'counter',
    resourceType: 'llm_calls',
    by: [],
    unit: 'calls',
    kind: 'flow',
    family: 'llm',
  },
  {
    ...ofAll,
    ...{ metric: 'llm_tokens', type: 'counter', resourceType: 'llm_tokens', by: [], unit: 'tokens', kind: 'flow' },
    family: 'llm',
  },
  {
    ...ofAll,
    metric: 'llm_cost_usd',
    type: 'counter',
    resourceType: 'llm_cost',
    by: [],
    unit: 'usd',
    kind: 'flow',
    family: 'llm',
  },
  {
    ...ofAll,
    ...{ metric: 'llm_call_duration_ms', type: 'distribution', resourceType: 'llm_latency', by: [], unit: 'ms' },
    kind: 'latency',
  },
  {
    ...ofAll,
    ...{ metric: 'agent_executions', type: 'counter', resourceType: 'agent_executions', by: [], unit: 'executions' },
    kind: 'flow',
  },
  {
    ...{ metric: 'resource_count', type: 'gauge', by: ['type'], resourceType: ({ type = '' }) => type },
    ...{ subject: () => 'registered', unit: 'resources', kind: 'level' },
  },
  {
    ...{ metric: 'system_open_files', type: 'gauge', resourceType: 'file_handle', by: [], unit: 'files' },
    ...{ subject: () => 'ragwarden', kind: 'level' },
  },
  {
    ...{ metric: 'system_threads', type: 'gauge', resourceType: 'thread', by: [], unit: 'threads' },
    ...{ subject: () => 'ragwarden', kind: 'level' },
  },
  {
    ...{ metric: 'system_network_bytes_sent', type: 'counter', resourceType: 'network', by: [], unit: 'bytes' },
    ...{ subject: () => 'sent', kind: 'flow' },
  },
  {
    ...{ metric: 'system_network_bytes_recv', type: 'counter', resourceType: 'network', by: [], unit: 'bytes' },
    ...{ subject: () => 'received', kind: 'flow' },
  },
];
/** In the catalogue, or of ragwarden's own work, which is no application's. */
const notOfApplications: ReadonlySet<string> = new Set([
  ...catalogue.map(({ metric }) => metric),
  ...trafficDefinitions.map(({ name }) => name),
  ...['system_memory_bytes', 'request_duration_ms', 'request_rate', 'resource_leaks'],
]);

/** Every label set for itself. */
const ofApplications: readonly string[] = ['*'];
export const groupOf = ({ by }: Source): readonly string[] | undefined => (by === ofApplications ? undefined : by);

export type DefinedMetric = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'timer' | 'rate';
  readonly unit: string;
  readonly enabled: boolean;
};

export function sourceOf({ name, type, unit, enabled }: DefinedMetric): Source | undefined {
  if (!enabled || notOfApplications.has(name)) return undefined;
  const shared = { metric: name, resourceType: 'metric', by: ofApplications, unit, family: name };
  if (type === 'counter') return { ...shared, type: 'counter', kind: 'flow' };
  if (type === 'timer' || type === 'histogram') return { ...shared, type: 'distribution', kind: 'latency' };
  return { ...shared, type: 'gauge', kind: 'level', ...(unit === 'percent' ? { capacity: 100 } : {}) };
}

/** An instance that an application told is a part of its name; our own is not. */
export function keyOf(metric: string, labels: Labels, instance: string): string {
  const own = Object.entries(labels).filter(([name, value]) => name !== 'instance' || value !== instance);
  return `metric:${metric}${own.length === 0 ? '' : `{${own.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}}`}`;
}
