// What document 003 promises of the cost of resources. Processor time, not time that passed, and bounds far above what it takes, so
// that a busy machine does not decide; docs/benchmarks.md has the figures.

import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { createResourceRegistry } from './resource-registry.ts';

function filled(count: number) {
  const clock = createFakeClock();
  const resources = createResourceRegistry({ clock, mostTracked: () => count });
  const before = process.cpuUsage();
  for (let n = 0; n < count; n += 1)
    resources.register(
      {
        ...{ id: `worker-${n % 64}/connection-${n}`, type: 'database_connection', owner: `worker-${n % 64}` },
        ...{ workspaceId: null, parentId: null, sizeBytes: 1_048_576, ttlMs: null, leaseMs: null, metadata: {} },
      },
      'local:app',
    );
  return { clock, resources, cpuMs: cpuMsSince(before) };
}
const cpuMsSince = (before: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
};

/**
 * How many times slower than where its bounds were set this machine is just now, at least 1: by a pass over as many records, which
 * grows with whatever a search grows with. A bound in milliseconds alone would be one of the machine.
 */
function slownessNow(): number {
  const took = Array.from({ length: 5 }, () => {
    const records = new Map<string, { at: number; owner: string }>();
    const before = process.cpuUsage();
    for (let n = 0; n < 30_000; n += 1) records.set(`connection-${n}`, { at: n, owner: `worker-${n % 64}` });
    const kept = [...records.values()].filter(({ owner }) => owner.endsWith('7')).sort((a, b) => b.at - a.at);
    return kept.length === 0 ? 0 : cpuMsSince(before);
  });
  return Math.max(1, Math.min(...took) / passMs);
}
const passMs = 6;

test('registering a resource takes less than 1 ms', () => {
  expect(filled(2_000).cpuMs / 2_000).toBeLessThan(1);
});

test('a search of 10,000 resources that all leak takes less than 50 ms each, and finds every one', async () => {
  // A neighbour may take the caches away for a while; the claim is of the code, so that the best of some attempts counts.
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5 && best >= 50; attempt += 1) {
    const { clock, resources } = filled(10_000);
    await clock.advance(301_000);
    const slowness = slownessNow();
    // Compiling is in the first; what is promised is what it takes while it runs.
    for (let round = 0; round < 3; round += 1) {
      const before = process.cpuUsage();
      await resources.scan();
      best = Math.min(best, cpuMsSince(before) / slowness);
      expect(resources.totals().leaks).toBe(10_000);
      await clock.advance(300_000);
    }
  }
  expect(best).toBeLessThan(50);
});

test('what is kept of a resource is less than a hundredth of a megabyte that it stands for', () => {
  const count = 20_000;
  const before = process.memoryUsage().heapUsed;
  const { resources } = filled(count);
  const each = (process.memoryUsage().heapUsed - before) / count;
  expect(resources.totals().tracked).toBe(count);
  expect(each).toBeLessThan(1_048_576 / 100);
});
