import type { GivenDefinition } from './metric-definition.ts';
import type { Recorder } from './recorder.ts';

/** The metrics that are there from the start, under the names of document 003; of the host, not of this process. */
export const defaultMetrics: readonly GivenDefinition[] = [
  {
    name: 'system_cpu_percent',
    type: 'gauge',
    category: 'system',
    unit: 'percent',
    description: 'Share of CPU time of the host that was not idle.',
    aggregations: ['average', 'max'],
  },
  {
    name: 'system_memory_percent',
    type: 'gauge',
    category: 'system',
    unit: 'percent',
    description: 'Used share of the memory of the host.',
    aggregations: ['average', 'max'],
  },
  {
    name: 'system_disk_usage_percent',
    type: 'gauge',
    category: 'system',
    unit: 'percent',
    description: 'Used share of the file system that holds the data.',
    aggregations: ['average'],
  },
  {
    name: 'request_duration_ms',
    type: 'timer',
    category: 'performance',
    unit: 'ms',
    description: 'Time from a request to the end of its answer.',
    aggregations: ['average', 'p95', 'p99'],
    tags: ['method', 'route', 'status'],
  },
  {
    name: 'request_rate',
    type: 'rate',
    category: 'performance',
    unit: 'per second',
    description: 'Requests per second.',
    aggregations: ['average', 'max'],
  },
  {
    name: 'active_users',
    type: 'gauge',
    category: 'business',
    unit: 'users',
    description: 'Subjects that sent a request in the last five minutes.',
    aggregations: ['average', 'max'],
  },
  {
    name: 'agent_executions',
    type: 'counter',
    category: 'agent',
    unit: 'executions',
    description: 'Runs of agents.',
    aggregations: ['sum', 'count'],
    tags: ['agent_id', 'workspace_id', 'status'],
  },
  {
    name: 'resource_count',
    type: 'gauge',
    category: 'resource',
    unit: 'resources',
    description: 'Resources that are registered.',
    aggregations: ['average', 'max'],
    tags: ['type'],
  },
  {
    name: 'resource_leaks',
    type: 'gauge',
    category: 'resource',
    unit: 'resources',
    description: 'Resources without a live owner.',
    aggregations: ['sum'],
    tags: ['type'],
  },
  {
    name: 'system_memory_bytes',
    type: 'gauge',
    category: 'system',
    unit: 'bytes',
    description: 'Used memory of the host.',
  },
  { name: 'system_threads', type: 'gauge', category: 'system', unit: 'threads', description: 'Threads of ragwarden.' },
  {
    name: 'system_open_files',
    type: 'gauge',
    category: 'system',
    unit: 'files',
    description: 'Open file descriptors of ragwarden.',
  },
  {
    name: 'system_network_bytes_sent',
    type: 'counter',
    category: 'system',
    unit: 'bytes',
    description: 'Bytes that the host sent, over all interfaces but the loopback.',
  },
  {
    name: 'system_network_bytes_recv',
    type: 'counter',
    category: 'system',
    unit: 'bytes',
    description: 'Bytes that the host received, over all interfaces but the loopback.',
  },
];

export function defineDefaultMetrics(recorder: Recorder): void {
  for (const definition of defaultMetrics) recorder.define(definition);
}
