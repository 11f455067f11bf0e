import { expect, test } from 'vitest';
import type { NewEvent } from '../events/index.ts';
import type { ContainerSample, HostSample } from '../host/index.ts';
import type { Tx } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { recordOomKills } from './host-events.ts';

const container = (path: string, newOomKills: number): ContainerSample => ({
  path,
  version: 2,
  memory: {
    limitBytes: 1_024,
    usedBytes: 1_000,
    percent: 98,
    swapLimitBytes: undefined,
    swapUsedBytes: undefined,
    ooms: undefined,
    oomKills: 7,
    newOomKills,
  },
  cpu: undefined,
  processes: undefined,
  pressure: undefined,
});

test('a process that the kernel ended is an event of its own, told once', () => {
  const told: NewEvent[] = [];
  let sampled: (sample: HostSample) => void = () => undefined;
  recordOomKills({
    sampler: {
      onSample(callback) {
        sampled = callback;
        return () => undefined;
      },
    },
    // The store is not the point here: units run at once, and the recorder keeps what it is told.
    db: { unit: async (work) => work({} as Tx) },
    events: {
      record: async (_tx, event) => told.push(event),
    },
    log: silentLogger,
  });
  const see = (own: number, its: number): void =>
    // Only the two groups are read.
    sampled({ container: container('/own', own), targetContainer: container('/its', its) } as HostSample);
  see(0, 0);
  expect(told).toEqual([]);
  see(0, 2);
  see(0, 0);
  see(1, 0);
  expect(told.map(({ type, severity, message, data }) => [type, severity, message, data])).toEqual([
    [
      'host.oom-kill',
      'error',
      "The kernel ended 2 processes in the backend's container for want of memory.",
      { killed: 2, limit_bytes: 1_024, cgroup: '/its' },
    ],
    [
      'host.oom-kill',
      'error',
      "The kernel ended a process in ragwarden's container for want of memory.",
      { killed: 1, limit_bytes: 1_024, cgroup: '/own' },
    ],
  ]);
});
