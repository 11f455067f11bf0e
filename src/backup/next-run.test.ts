import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideJitter, decideLastRun, decideNextRun } from './next-run.ts';

const hour = 3_600_000;
const nowMs = 1_000 * hour;
const facts = {
  on: true,
  nowMs,
  startedMs: nowMs - 60_000,
  newestMs: null as number | null,
  frequencyMs: 24 * hour,
  atStart: true,
  jitterMs: 0,
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
    expect(decideNextRun({ ...facts, newestMs: nowMs })).toBe(nowMs + 24 * hour);
  });

  test('many that begin together are spread, and so are the missed ones that all of them make up for', () => {
    const jitterMs = 20_000;
    expect(decideNextRun({ ...facts, jitterMs, newestMs: nowMs - hour })).toBe(nowMs + 23 * hour + jitterMs);
    expect(decideNextRun({ ...facts, jitterMs, newestMs: nowMs - 90 * hour })).toBe(facts.startedMs + jitterMs);
    expect(decideNextRun({ ...facts, jitterMs })).toBe(facts.startedMs);
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(), fc.nat(), (seed, pointId, mostMs, frequencyMs) => {
        const late = decideJitter({ seed, pointId, mostMs, frequencyMs });
        return late >= 0 && late <= mostMs && late <= frequencyMs / 10;
      }),
    );
    const of = (seed: string) => decideJitter({ seed, pointId: 'p', mostMs: 30_000, frequencyMs: hour });
    expect(of('one')).toBe(of('one'));
    expect(new Set(['one', 'two', 'three', 'four'].map(of)).size).toBe(4);
  });

  test('a clock that was set back neither stops the schedule nor doubles it', () => {
    const back = { nowMs, newestMs: nowMs + 500 * hour, newestPastMs: null, noticedMs: nowMs - hour };
    expect(decideLastRun(back)).toBe(nowMs - hour);
    // What was taken since is what counts.
    expect(decideLastRun({ ...back, newestPastMs: nowMs - 60_000 })).toBe(nowMs - 60_000);
    // Set back once more, after it was noticed.
    expect(decideLastRun({ ...back, noticedMs: nowMs + hour })).toBe(nowMs);
    expect(decideLastRun({ ...back, newestMs: nowMs - 5 })).toBe(nowMs - 5);
    expect(decideLastRun({ ...back, newestMs: null })).toBeNull();
  });

  test('what happened that a point is wanted of at once waits for nothing but a failure', () => {
    const now = { ...facts, dueNow: true, newestMs: nowMs, jitterMs: 5_000 };
    expect(decideNextRun(now)).toBe(nowMs);
    expect(decideNextRun({ ...now, failures: 1, lastFailureMs: nowMs })).toBe(nowMs + 60_000);
    expect(decideNextRun({ ...now, on: false })).toBeNull();
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
