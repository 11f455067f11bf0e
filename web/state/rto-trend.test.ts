import { expect, test } from 'vitest';
import { layTrend } from './rto-trend.ts';

const drill = (at: string, rto_seconds: number) => ({ at, rto_seconds });

test('drills stand in the order of their time, in equal distance, and those over the objective are told apart', () => {
  const { dots, objectiveY } = layTrend([drill('2026-11-22T02:00:00Z', 40), drill('2026-11-22T01:00:00Z', 20)], 30);
  expect(dots.map(({ x, missed }) => [x, missed])).toEqual([
    [25, false],
    [75, true],
  ]);
  expect(dots[0]?.y).toBeGreaterThan(objectiveY);
  expect(dots[1]?.y).toBeLessThan(objectiveY);
});

test('an objective far above all that was measured is the upper edge, so that the course can be seen', () => {
  const { dots, objectiveY } = layTrend([drill('2026-11-22T01:00:00Z', 1), drill('2026-11-22T02:00:00Z', 0.5)], 300);
  expect(objectiveY).toBe(0);
  expect(Math.abs((dots[0]?.y ?? 0) - (dots[1]?.y ?? 0))).toBeGreaterThan(10);
  expect(layTrend([], 300).dots).toEqual([]);
});
