import type { HostSampler } from '../host/index.ts';
import { type MetricRegistry, type Recorder, statusClass } from '../metrics/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { ResponseFacts } from '../platform/http/index.ts';

const activeMs = 300_000;
const mostSubjects = 10_000;

/** Records the metrics that are there from the start: the host's from its sampler, requests as they are answered. */
export type OwnMetrics = {
  answered(facts: ResponseFacts): void;
  /** Somebody with credentials asked for something. */
  asked(subject: string): void;
};

export function createOwnMetrics(options: {
  recorder: Recorder;
  registry: MetricRegistry;
  sampler: HostSampler;
  clock: Clock;
}): OwnMetrics {
  const { recorder, registry, sampler, clock } = options;
  const gauge = (name: string) => recorder.gauge({ name }).labels();
  const cpu = gauge('system_cpu_percent');
  const memory = gauge('system_memory_percent');
  const memoryBytes = gauge('system_memory_bytes');
  const disk = gauge('system_disk_usage_percent');
  const threads = gauge('system_threads');
  const files = gauge('system_open_files');
  const users = gauge('active_users');
  const rate = recorder.rate({ name: 'request_rate' }).labels();
  const sent = recorder.counter({ name: 'system_network_bytes_sent' });
  const received = recorder.counter({ name: 'system_network_bytes_recv' });
  const durations = recorder.timer({ name: 'request_duration_ms' });
  const lastAsked = new Map<string, number>();
  let answeredCount = 0;
  let countedSinceMs = clock.monotonic();
  let hostSeenMs = 0;

  const setHost = (): void => {
    const sample = sampler.latest();
    if (sample === undefined || sample.takenAtMs === hostSeenMs) return;
    hostSeenMs = sample.takenAtMs;
    cpu.set(sample.cpu.percent);
    memory.set(sample.memory.percent);
    memoryBytes.set(sample.memory.usedBytes);
    const of = sample.dataDisk ?? sample.rootDisk;
    if (of !== undefined) disk.set(of.percent);
    if (sample.process.threads !== undefined) threads.set(sample.process.threads);
    if (sample.process.openDescriptors !== undefined) files.set(sample.process.openDescriptors);
    if (sample.network === undefined) return;
    // Not before they are seen: a counter that is there has counted nothing yet.
    sent.labels().mirror(sample.network.total.bytesSent);
    received.labels().mirror(sample.network.total.bytesReceived);
  };

  registry.collector({
    name: 'own metrics',
    // Written by handles that keep each value: what was not set again is still what was last seen.
    sets: [],
    collect() {
      setHost();
      const nowMs = clock.now();
      for (const [subject, atMs] of lastAsked) if (atMs < nowMs - activeMs) lastAsked.delete(subject);
      users.set(lastAsked.size);
      const sinceMs = clock.monotonic() - countedSinceMs;
      // A scrape directly after another has too little behind it for a rate.
      if (sinceMs < 1_000) return;
      rate.set((answeredCount * 1_000) / sinceMs);
      answeredCount = 0;
      countedSinceMs += sinceMs;
    },
  });

  return {
    answered({ method, route, status, durationMs }) {
      answeredCount += 1;
      durations.labels({ method, route, status: statusClass(status) }).observe(durationMs);
    },
    asked(subject) {
      if (lastAsked.size < mostSubjects || lastAsked.has(subject)) lastAsked.set(subject, clock.now());
    },
  };
}
