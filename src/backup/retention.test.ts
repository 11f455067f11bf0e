import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RecoveryPoint } from './point.ts';
import { planRetention } from './retention.ts';

const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 10, 22, 12);
const policy = { retentionDays: 7, dailyRetentionDays: 30 };

const point = (ageDays: number, more: Partial<RecoveryPoint> = {}): RecoveryPoint => ({
  id: `backup_${String(Math.round(ageDays * 1000)).padStart(8, '0')}`,
  targetId: 'default',
  scope: 'target',
  workspace: null,
  cause: 'scheduled',
  status: 'success',
  grade: 'consistent',
  takenMs: nowMs - ageDays * dayMs,
  startedMs: nowMs - ageDays * dayMs,
  finishedMs: nowMs,
  verifiedMs: nowMs,
  forgottenMs: null,
  repositoryId: 'r',
  treeId: 't',
  logicalBytes: 1,
  storedBytes: 1,
  manifest: null,
  error: null,
  pinned: false,
  operationId: null,
  ...more,
});
const forgotten = (points: RecoveryPoint[], p = policy): string[] =>
  planRetention(points, p, nowMs)
    .filter((item) => item.action === 'forget')
    .map((item) => item.point.id);

describe('what is forgotten', () => {
  test('a young point of one workspace alone replaces no older one of the whole', () => {
    const old = point(90);
    const part = point(1, { scope: 'workspace', workspace: 'tenant' });
    const partBefore = point(80, { scope: 'workspace', workspace: 'tenant' });
    expect(forgotten([old, part, partBefore])).toEqual([partBefore.id]);
  });

  test('a point that is dated in the future stays, and is not taken for the newest good one', () => {
    const [ahead, good] = [point(-400), point(90)];
    expect(forgotten([ahead, good, point(91)])).toEqual([point(91).id]);
    expect(planRetention([ahead, good], policy, nowMs).map((item) => [item.point.id, item.protection])).toEqual([
      [good.id, 'it is the newest that is complete and verified'],
      [ahead.id, undefined],
    ]);
  });

  test('a point that was dated in the future is not the newest good one when its date has come, and goes by that date', () => {
    const [misdated, good, older] = [point(8, { misdated: true }), point(90), point(91)];
    expect(planRetention([misdated, good, older], policy, nowMs)[0]?.point.id).toBe(good.id);
    expect(forgotten([misdated, good, older])).toEqual([older.id]);
    expect(forgotten([{ ...misdated, takenMs: nowMs - 40 * dayMs }, good])).toEqual(['backup_00008000']);
  });

  test('young points all stay', () => {
    expect(forgotten([point(0), point(1), point(1.1), point(6.9)])).toEqual([]);
  });

  test('after the first term the last of each day stays', () => {
    const early = point(10.3);
    const late = point(10.1);
    expect(forgotten([point(0), early, late])).toEqual([early.id]);
  });

  test('after the second term nothing but the newest good one stays', () => {
    expect(forgotten([point(0), point(31)])).toHaveLength(1);
    expect(forgotten([point(31)])).toEqual([]);
    expect(forgotten([point(31), point(45)])).toHaveLength(1);
  });

  test('a newer point that is not verified does not displace the good one', () => {
    expect(forgotten([point(40, { verifiedMs: null }), point(50)])).toEqual([]);
  });

  test('a pinned point stays whatever its age', () => {
    expect(forgotten([point(0), point(400, { pinned: true })])).toEqual([]);
  });

  test('zero days switch retention off', () => {
    expect(forgotten([point(0), point(4000)], { retentionDays: 0, dailyRetentionDays: 30 })).toEqual([]);
  });

  test('a point of one workspace never stands for one of the whole target', () => {
    const [whole, part] = [point(400), point(0, { scope: 'workspace', workspace: 'notes' })];
    expect(forgotten([whole, part])).toEqual([]);
    expect(forgotten([whole, { ...part, workspace: null }])).toHaveLength(1);
  });

  test('runs that failed or were forgotten are not in the plan', () => {
    expect(planRetention([point(0, { status: 'error' }), point(1, { forgottenMs: 1 })], policy, nowMs)).toEqual([]);
  });
});

test('every plan keeps the newest complete and verified point and gives a reason for each item', () => {
  const points = fc.array(
    fc.record({
      age: fc.double({ min: 0, max: 90, noNaN: true }),
      verified: fc.boolean(),
      status: fc.constantFrom('success' as const, 'partial' as const, 'error' as const),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(points, fc.nat(40), fc.nat(80), (ages, retentionDays, dailyRetentionDays) => {
      // However close in time two are, no two have one id.
      const all = ages.map(({ age, verified, status }, n) =>
        point(age, { id: `backup_${n}`, status, verifiedMs: verified ? nowMs : null }),
      );
      const plan = planRetention(all, { retentionDays, dailyRetentionDays }, nowMs);
      const good = plan.find((item) => item.point.status === 'success' && item.point.verifiedMs !== null);
      expect(plan.every((item) => item.reason !== '')).toBe(true);
      if (good) expect(good.action).toBe('keep');
    }),
  );
});
