import type { Aggregation, MetricHistory } from '../metrics/index.ts';
import { trafficDefinitions } from '../traffic/index.ts';
import type { ResourceSeries, SeriesKind } from './series.ts';

/** Where the values of one kind of resource lie in the store of metrics. */
type Source = {
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
  readonly where?: (labels: Labels) => boolean;
};
type Labels = Readonly<Record<string, string>>;

const place = (labels: Labels, name: string): string => `${labels.target || '-'}/${labels[name] || '-'}`;
const ofTarget = ({ target = '' }: Labels): string => target || '-';
const plural: Readonly<Record<string, string>> = { query: 'queries', search: 'searches', insert: 'inserts' };
const isWork = ({ operation = '' }: Labels): boolean => operation in plural;

/** What the store has of the host, of the backends and of what is registered. */
const catalogue: readonly Source[] = [
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
    ...{ metric: 'ragwarden_target_store_bytes', type: 'gauge', resourceType: 'storage', by: ['target', 'store'] },
    // What a store grows by the disk grows by; that they move together says nothing.
    ...{ subject: (labels) => place(labels, 'store'), unit: 'bytes', kind: 'stock', family: 'disk' },
  },
  {
    ...{ metric: 'ragwarden_target_documents', type: 'gauge', resourceType: 'documents', by: ['target', 'status'] },
    ...{ subject: (labels) => place(labels, 'status'), unit: 'documents', kind: 'stock' },
  },
  {
    ...{ metric: 'backup_size_bytes', type: 'gauge', resourceType: 'backup_size', by: ['target'], subject: ofTarget },
    ...{ unit: 'bytes', kind: 'stock', family: 'disk' },
  },
  {
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
    ...{ metric: 'traffic_duration_ms', type: 'distribution', by: ['target', 'operation'], subject: ofTarget },
    ...{ resourceType: ({ operation = '' }) => `${operation}_latency`, unit: 'ms', kind: 'latency', where: isWork },
    ...{ family: 'latency' },
  },
  {
    ...{ metric: 'ragwarden_target_health_latency_seconds', type: 'gauge', resourceType: 'probe_latency' },
    ...{ by: ['target'], subject: ofTarget, unit: 'seconds', kind: 'latency', family: 'latency' },
  },
  {
    metric: 'llm_calls',
    type: 'counter',
    resourceType: 'llm_calls',
    by: [],
    unit: 'calls',
    kind: 'flow',
    family: 'llm',
  },
  {
    ...{ metric: 'llm_tokens', type: 'counter', resourceType: 'llm_tokens', by: [], unit: 'tokens', kind: 'flow' },
    family: 'llm',
  },
  {
    metric: 'llm_cost_usd',
    type: 'counter',
    resourceType: 'llm_cost',
    by: [],
    unit: 'usd',
    kind: 'flow',
    family: 'llm',
  },
  {
    ...{ metric: 'llm_call_duration_ms', type: 'distribution', resourceType: 'llm_latency', by: [], unit: 'ms' },
    kind: 'latency',
  },
  {
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

/** Of what a metric has one series per label set; more of one are not looked at. */
const mostOfOneMetric = 50;
export const minuteMs = 60_000;
const hourMs = 3_600_000;

export type WindowOfSeries = { readonly fromMs: number; readonly toMs: number; readonly stepMs: number };

/** Whole steps that are over; finer ones where less is known, so that there is something to say after some minutes. */
export function windowOf(nowMs: number, windowMs: number, beginMs: number | undefined): WindowOfSeries {
  const known = Math.min(windowMs, nowMs - (beginMs ?? nowMs));
  const stepMs = (known <= 6 * hourMs ? 1 : known <= 48 * hourMs ? 5 : 60) * minuteMs;
  const toMs = Math.floor(nowMs / stepMs) * stepMs - 1;
  const fromMs = Math.ceil((nowMs - Math.max(known, 10 * stepMs)) / stepMs) * stepMs;
  return { fromMs: Math.min(fromMs, toMs + 1 - stepMs), toMs, stepMs };
}

export type DefinedMetric = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram' | 'timer' | 'rate';
  readonly unit: string;
  readonly enabled: boolean;
};

/** So much is asked of all metrics before the next: its blocks then lie at hand, and each is unpacked once. Longer than what is read in full. */
const sliceMs = 8 * hourMs;

function* slicesOf({ fromMs, toMs, stepMs }: WindowOfSeries): Generator<WindowOfSeries> {
  const span = toMs + 1 - fromMs;
  const slices = Math.max(1, Math.floor(span / sliceMs));
  const eachMs = Math.ceil(span / slices / stepMs) * stepMs;
  for (let at = fromMs; at <= toMs; at += eachMs) yield { fromMs: at, toMs: Math.min(toMs, at + eachMs - 1), stepMs };
}

type Read = { readonly labels: Labels; readonly values: (number | null)[]; highest: number | null };

/**
 * Series over the window: those of the catalogue, then what applications recorded, up to the bound.
 * @param options.view of one slice: all of its questions see the same samples, which are put together once
 */
export async function readSeries(options: {
  view(): Pick<MetricHistory, 'query'>;
  definitions: readonly DefinedMetric[];
  instance: string;
  window: WindowOfSeries;
  most: number;
  /** Between two metrics, so that others have their turn. */
  breathe(): Promise<void>;
}): Promise<{ readonly series: ResourceSeries[]; readonly leftOut: number }> {
  const { instance, window, most, breathe } = options;
  const sources = [...catalogue, ...options.definitions.flatMap((one) => sourceOf(one) ?? [])];
  const read = sources.map(() => new Map<string, Read>());
  const { stepMs } = window;
  const steps = Math.round((window.toMs + 1 - window.fromMs) / stepMs);
  for (const slice of slicesOf(window)) {
    const view = options.view();
    for (const [at, source] of sources.entries()) {
      await breathe();
      const asked = { name: source.metric, match: { instance }, where: source.where, groupBy: groupOf(source) };
      const range = { fromMs: slice.fromMs, toMs: slice.toMs };
      const found = read[at] as Map<string, Read>; // made above, one for each
      const readOf = (labels: Labels): Read => {
        const key = JSON.stringify(Object.entries(labels).sort());
        const known = found.get(key) ?? { labels, values: new Array<null>(steps).fill(null), highest: null };
        found.set(key, known);
        return known;
      };
      const aggregation: Aggregation = source.type === 'counter' ? 'increase' : 'average';
      const means = await view.query({ ...asked, ...range, aggregation, stepMs });
      for (const { labels, values } of means.series) {
        const one = readOf(labels);
        const first = Math.round((slice.fromMs - window.fromMs) / stepMs);
        for (const [i, value] of values.entries()) one.values[first + i] = value;
      }
      if (source.type !== 'gauge' || means.series.length === 0) continue;
      for (const { labels, values } of (await view.query({ ...asked, ...range, aggregation: 'max' })).series) {
        const [top = null] = values;
        const one = readOf(labels);
        if (top !== null) one.highest = Math.max(one.highest ?? top, top);
      }
    }
  }
  const times = Array.from({ length: steps }, (_, i) => window.fromMs + i * stepMs);
  const all = sources.flatMap((source, at) => {
    const ofOne = [...(read[at]?.entries() ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    return ofOne.map(([, one], place) => ({ source, one, isKept: place < mostOfOneMetric }));
  });
  const kept = all.filter(({ isKept }) => isKept).slice(0, most);
  return {
    series: kept.map(({ source, one }) => seriesFrom(source, one, times, stepMs)),
    leftOut: all.length - kept.length,
  };
}

function seriesFrom(
  source: Source,
  { labels, values, highest }: Read,
  times: number[],
  stepMs: number,
): ResourceSeries {
  const { kind, unit, metric, capacity = null, mayBeSpare = false } = source;
  const resourceType = typeof source.resourceType === 'string' ? source.resourceType : source.resourceType(labels);
  const subject = source.subject?.(labels);
  const typed = subject ? `${resourceType}:${subject}` : resourceType;
  return {
    key: source.by === ofApplications ? keyOf(metric, labels) : typed,
    ...{ resourceType, metric, unit, kind, capacity, mayBeSpare, stepMs, times, highest },
    family: source.family ?? (kind === 'flow' ? resourceType : typed),
    values: kind === 'flow' ? paceOf(values, hourMs / stepMs) : values,
  };
}

/** In units per hour. The first step after a gap has what passed in all of the gap, so it says nothing of its own time. */
const paceOf = (values: readonly (number | null)[], perHour: number): (number | null)[] =>
  values.map((value, i) => (value === null || values[i - 1] === null ? null : value * perHour));

/** Every label set for itself. */
const ofApplications: readonly string[] = ['*'];
const groupOf = ({ by }: Source): readonly string[] | undefined => (by === ofApplications ? undefined : by);

function sourceOf({ name, type, unit, enabled }: DefinedMetric): Source | undefined {
  if (!enabled || notOfApplications.has(name)) return undefined;
  const shared = { metric: name, resourceType: 'metric', by: ofApplications, unit, family: name };
  if (type === 'counter') return { ...shared, type: 'counter', kind: 'flow' };
  if (type === 'timer' || type === 'histogram') return { ...shared, type: 'distribution', kind: 'latency' };
  return { ...shared, type: 'gauge', kind: 'level', ...(unit === 'percent' ? { capacity: 100 } : {}) };
}

function keyOf(metric: string, labels: Labels): string {
  const own = Object.entries(labels).filter(([name]) => name !== 'instance');
  return `metric:${metric}${own.length === 0 ? '' : `{${own.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}}`}`;
}
