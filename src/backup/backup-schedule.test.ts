import { describe, expect, test } from 'vitest';
import { decideNextRun } from './backup-schedule.ts';

const hour = 3_600_000;
const nowMs = 1_000 * hour;
const facts = {
  on: true,
  nowMs,
  startedMs: nowMs - 60_000,
  newestMs: null as number | null,
  frequencyMs: 24 * hour,
  atStart: true,
  failures: 0,
  lastFailureMs: null as number | null,
};

describe('when the next point is due', () => {
  test('never while the schedule is off', () => {
    expect(decideNextRun({ ...facts, on: false })).toBeNull();
  });

  test('at once when there is none yet, or an interval after start when that is wanted', () => {
    expect(decideNextRun(facts)).toBe(facts.startedMs);
    expect(decideNextRun({ ...facts, atStart: false })).toBe(facts.startedMs + 24 * hour);
  });

  test('one interval after the newest', () => {
    expect(decideNextRun({ ...facts, newestMs: nowMs - hour })).toBe(nowMs + 23 * hour);
  });

  test('a missed one is due now, once', () => {
    expect(decideNextRun({ ...facts, newestMs: nowMs - 90 * hour })).toBeLessThan(nowMs);
  });

  test('a clock that was set back does not stop the schedule', () => {
    expect(decideNextRun({ ...facts, newestMs: nowMs + 500 * hour })).toBe(nowMs + 24 * hour);
  });

  test('after failures it waits longer each time, never longer than one interval', () => {
    const failed = (failures: number) =>
      decideNextRun({ ...facts, newestMs: nowMs - 90 * hour, failures, lastFailureMs: nowMs }) ?? 0;
    expect(failed(1)).toBe(nowMs + 60_000);
    expect(failed(2)).toBe(nowMs + 120_000);
    expect(failed(50)).toBe(nowMs + 60_000 * 1024);
    expect(
      decideNextRun({ ...facts, newestMs: nowMs - 90 * hour, frequencyMs: hour, failures: 50, lastFailureMs: nowMs }),
    ).toBe(nowMs + hour);
  });
});
