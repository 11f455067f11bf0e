import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decideDiskLevel, type LowDiskFacts, type LowDiskLimits, planLowDisk } from './low-disk.ts';

const gib = 1024 ** 3;
const limits: LowDiskLimits = {
  warnPercent: 10,
  warnBytes: gib,
  actPercent: 5,
  actBytes: gib / 2,
  hysteresisPercent: 50,
};
const facts = (change: Partial<LowDiskFacts>): LowDiskFacts => ({
  freeBytes: 100 * gib,
  totalBytes: 1_000 * gib,
  before: 'enough',
  drills: 0,
  stagingBytes: 0,
  sampleBytes: 0,
  idle: true,
  samplesPaused: false,
  ...change,
});
const actions = (change: Partial<LowDiskFacts>): string[] =>
  planLowDisk(facts(change), limits).steps.map((step) => step.action);

test.each<[string, number, number, LowDiskFacts['before'], string]>([
  ['a large disk with 2 % free but many bytes', 20, 1_000, 'enough', 'enough'],
  ['a large disk below the bytes', 0.9, 1_000, 'enough', 'low'],
  ['a small disk below its share', 0.19, 2, 'enough', 'low'],
  ['a small disk above its share and below the bytes', 0.3, 2, 'enough', 'enough'],
  ['below the limit of acting', 0.4, 1_000, 'enough', 'very-low'],
  ['a little above it again', 0.6, 1_000, 'very-low', 'very-low'],
  ['half as much again', 0.75, 1_000, 'very-low', 'low'],
  ['above the warning, not yet half as much again', 1.2, 1_000, 'low', 'low'],
  ['far above the warning', 1.5, 1_000, 'low', 'enough'],
])('%s: %d of %d GiB, before %s, is %s', (_, free, total, before, level) => {
  expect(decideDiskLevel({ freeBytes: free * gib, totalBytes: total * gib, before }, limits)).toBe(level);
});

test('first drills stop, then staging goes, then the oldest samples and no more than needed; in use, staging is passed over', () => {
  const freeBytes = gib / 4;
  expect(actions({ freeBytes, stagingBytes: 5, sampleBytes: 5 })).toEqual(['drop-staging']);
  expect(actions({ freeBytes, stagingBytes: 5, sampleBytes: 5, idle: false })).toEqual([
    'pause-samples',
    'drop-samples',
  ]);
  expect(actions({ freeBytes, drills: 1, stagingBytes: 5, sampleBytes: 5, idle: false })).toEqual(['stop-drills']);
  expect(actions({ freeBytes, samplesPaused: true })).toEqual([]);
  const [, drop] = planLowDisk(facts({ freeBytes, sampleBytes: 9 * gib }), limits).steps;
  expect(drop).toMatchObject({ action: 'drop-samples', bytes: gib / 2 });
});

test('with space again samples are stored again', () => {
  expect(actions({ samplesPaused: true, before: 'very-low' })).toEqual(['resume-samples']);
});

test('nothing is given up while there is enough, and giving up never goes to and fro', () => {
  const amount = fc.integer({ min: 0, max: 2_000 * gib });
  const level = fc.constantFrom('enough', 'low', 'very-low' as const);
  fc.assert(
    fc.property(
      amount,
      amount,
      level,
      amount,
      amount,
      fc.boolean(),
      (freeBytes, more, before, stagingBytes, sampleBytes, idle) => {
        const totalBytes = freeBytes + more + 1;
        const now = facts({
          freeBytes,
          totalBytes,
          before: before as LowDiskFacts['before'],
          stagingBytes,
          sampleBytes,
          idle,
        });
        const plan = planLowDisk(now, limits);
        if (plan.level !== 'very-low') expect(plan.steps).toEqual([]);
        // A level that was decided is decided again while nothing changes.
        expect(planLowDisk({ ...now, before: plan.level }, limits).level).toBe(plan.level);
        const order = ['drop-staging', 'pause-samples', 'drop-samples'];
        const at = plan.steps.map((step) => order.indexOf(step.action));
        expect(at).toEqual([...at].sort());
        if (at.includes(2) && stagingBytes > 0) expect(idle).toBe(false);
      },
    ),
  );
});
