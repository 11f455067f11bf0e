import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Severity } from './event.ts';
import { analyse, decideBucketMs, rankReasons } from './event-analytics.ts';
import { eventKinds, kindOfType, typesOfKind } from './event-kind.ts';

test('every event is counted once along each way of looking', () => {
  const severity = fc.constantFrom<Severity>('info', 'warning', 'error', 'critical');
  const type = fc.constantFrom('backup.point-taken', 'restore.finished', 'old-area.thing', 'host.threshold');
  const count = fc.record({
    bucketMs: fc.nat({ max: 5 }),
    type,
    severity,
    count: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(count), (counts) => {
      const all = counts.reduce((sum, one) => sum + one.count, 0);
      const { total, byKind, byType, overTime, bySeverity } = analyse(counts);
      const summed = (tally: object): number => Object.values(tally).reduce((sum: number, one: number) => sum + one, 0);
      expect([
        total,
        summed(bySeverity),
        byKind.reduce((sum, one) => sum + one.total, 0),
        byType.reduce((sum, one) => sum + one.count, 0),
        overTime.reduce((sum, one) => sum + summed(one.bySeverity), 0),
        overTime.reduce((sum, one) => sum + summed(one.byKind), 0),
      ]).toEqual([all, all, all, all, all, all]);
    }),
  );
});

test('critical events are classified: each kind has its types, and no type two kinds', () => {
  const types = eventKinds.flatMap((kind) => typesOfKind(kind).map((type) => ({ kind, type })));
  expect(new Set(types.map(({ type }) => type)).size).toBe(types.length);
  for (const { kind, type } of types) expect(kindOfType(type.replace('*', 'x'))).toBe(kind);
  expect(eventKinds.filter((kind) => typesOfKind(kind).length === 0)).toEqual([]);
  expect(kindOfType('elsewhere.thing')).toBeUndefined();
});

test.each([
  ['an hour', 3_600_000, 60_000],
  ['a day', 86_400_000, 900_000],
  ['a week', 7 * 86_400_000, 21_600_000],
  ['three years', 1_095 * 86_400_000, 86_400_000],
])('%s is shown in stretches of a readable width', (_what, spanMs, bucketMs) => {
  expect(decideBucketMs(0, spanMs)).toBe(bucketMs);
});

test('numbers, ids and instants do not make another reason', () => {
  const complaint = (message: string, data = {}, atMs = 1) => ({ type: 'backup.point-failed', message, data, atMs });
  expect(
    rankReasons([
      complaint('Point backup_20260101_000000_ab12 failed after 12 s at 2026-01-01T00:00:00Z.'),
      complaint('Point backup_20260102_000000_cd34 failed after 9.5 s at 2026-01-02T00:00:00Z.', {}, 7),
      complaint('whatever', { error: { code: 'repository/locked' } }),
      complaint('something else', { reason: 'repository/locked' }),
      complaint('a third', { code: 'repository/locked' }),
    ]),
  ).toEqual([
    { type: 'backup.point-failed', reason: 'repository/locked', count: 3, lastAtMs: 1 },
    { type: 'backup.point-failed', reason: 'Point … failed after … s at ….', count: 2, lastAtMs: 7 },
  ]);
});
