import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import type { NewEvent } from '../events/index.ts';
import type { Bounded } from '../platform/bounded.ts';
import type { Database } from '../platform/database/index.ts';
import { createFakeClock } from '../platform/fake-clock.ts';
import { silentLogger } from '../platform/logging.ts';
import { createLowDisk } from './low-disk-jobs.ts';

test('what a full disk has no room for in the events is told when there is room again, once, with when it was seen', async () => {
  const clock = createFakeClock();
  const told: NewEvent[] = [];
  let full = true;
  let percent = 100;
  const empty = { measure: async () => 0, trim: async () => 0 } as unknown as Bounded;
  const disk = createLowDisk({
    dataDir: tmpdir(),
    limits: () => ({
      ...{ warnPercent: percent, warnBytes: 1e18, actPercent: percent, actBytes: 1e18, hysteresisPercent: 0 },
    }),
    ...{ drills: { running: () => 0, stopAll: async () => 0 }, staging: empty, samples: undefined },
    ...{ idle: async () => true, pauseSamples: () => undefined, clock, log: silentLogger },
    db: {
      async unit(work: (tx: never) => Promise<void>) {
        if (full) throw new Error('database or disk is full');
        await work(undefined as never);
      },
    } as unknown as Database,
    events: { record: async (_tx: unknown, event: NewEvent) => void told.push(event) } as never,
  });
  const seenAt = new Date(clock.now()).toISOString();
  await disk.runOnce();
  await clock.advance(60_000);
  await disk.runOnce();
  expect([disk.status().level, told]).toEqual(['very-low', []]);
  full = false;
  percent = 0;
  await disk.runOnce();
  await disk.runOnce();
  const types = told.map(({ type }) => type);
  expect(types).toEqual(['system.disk-very-low', 'system.disk-very-low', 'system.disk-enough']);
  expect(Date.parse(String(told[0]?.data?.seen_at))).toBe(Date.parse(seenAt));
});
