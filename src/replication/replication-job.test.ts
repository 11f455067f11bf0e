import { expect, test } from 'vitest';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import type { Overview } from './overview.ts';
import { freshState } from './replica.ts';
import { createReplicationJob } from './replication-job.ts';

test('a place that is slow holds up no other: those are looked at, and the lag is read, while it copies', async () => {
  const clock = createFakeClock();
  const looked: string[] = [];
  let syncs = 0;
  const place = (id: string, points: number) => ({
    replica: { id, enabled: true, offline: false },
    state: { ...freshState, status: 'healthy', reachedMs: 1 },
    targets: [{ targetId: 'a', copies: 0, points, lagMs: 0, bytes: 0 }],
  });
  let atMs = 0;
  const replication = {
    async overview() {
      atMs += 1;
      return {
        ...{ atMs, enabled: true, paused: null, placement: [] },
        replicas: [place('slow', 1), place('near', 0), place('far', 0)],
      };
    },
    async sync() {
      syncs += 1;
      return { id: 'op' };
    },
    look: async (id: string) => looked.push(id),
  };
  const given = {
    ...{ replication, clock, log: silentLogger, onOverview: (_overview: Overview) => undefined },
    operations: {
      wait: (_id: string, { signal }: { signal: AbortSignal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    },
    settings: () => ({ checkIntervalMs: 1_000, intervalMs: 0, verifyIntervalMs: 0, maxConcurrent: 2 }),
    // Of replication, what the job uses.
  } as unknown as Parameters<typeof createReplicationJob>[0];
  const job = createReplicationJob(given);
  for (const rounds of [1, 2]) {
    await job.runOnce();
    await expect.poll(() => looked.length, { timeout: 30_000 }).toBe(2 * rounds);
  }
  expect(looked).toEqual(['near', 'far', 'near', 'far']);
  expect(syncs).toBe(1);
  expect(job.latest()?.atMs).toBeGreaterThan(2);
  await job.stop?.();
});
