import { expect, test } from 'vitest';
import type { Drill, Timeline, TimelineRun } from '../api/recovery-wire.ts';
import { wordsOf } from '../panels/timeline.tsx';
import { findGaps, laneOf, layTimeline, places } from './timeline.ts';

const hour = 3_600_000;
const startMs = Date.parse('2026-11-22T00:00:00Z');
const at = (hours: number): string => new Date(startMs + hours * hour).toISOString();

const run = (hours: number, more: Partial<TimelineRun> = {}): TimelineRun => ({
  backup_id: `backup_${hours}`,
  timestamp: at(hours),
  status: 'success',
  grade: 'consistent',
  cause: 'scheduled',
  workspace: null,
  pinned: false,
  verified_at: at(hours),
  forgotten_at: null,
  ...more,
});
const timeline = (...items: TimelineRun[]): Timeline => ({
  ...{ target_id: 'sample', from: at(0), to: at(100), left_out: false },
  items,
});
const drill = (hours: number, verdict: Drill['verdict'], target = 'sample'): Drill => ({
  ...{ drill_id: `op_${hours}`, target_id: target, backup_id: 'backup_1', kind: 'restore', finished_at: null },
  ...{ started_at: at(hours), verdict, reasons: [], phases: [], rto_seconds: 1, size_bytes: 1, evidence_sha256: null },
});

test('a run lies in the lane of what it is worth, and what still runs in none', () => {
  expect([
    laneOf(run(1)),
    laneOf(run(1, { grade: 'fuzzy' })),
    laneOf(run(1, { status: 'partial' })),
    laneOf(run(1, { status: 'error', grade: null })),
    laneOf(run(1, { status: 'lost' })),
    laneOf(run(1, { status: 'running', grade: null })),
  ]).toEqual(['consistent', 'fuzzy', 'partial', 'failed', 'failed', undefined]);
});

test('marks lie where their time is, with drills of the same target below them', () => {
  const marks = layTimeline(timeline(run(25), run(50, { pinned: true, verified_at: null })), [
    drill(75, 'failed'),
    drill(80, null),
    drill(80, 'passed', 'other'),
  ]);
  expect(marks.map(({ lane, percent, word }) => [lane, percent, word])).toEqual([
    ['consistent', 25, 'consistent'],
    ['consistent', 50, 'consistent'],
    ['drills', 75, 'failed'],
  ]);
  expect(marks.map(({ verified, pinned }) => [verified, pinned])).toEqual([
    [true, false],
    [false, true],
    [true, false],
  ]);
});

test('what falls on one place is one mark that tells how many, and the worse is never hidden by the better', () => {
  const marks = layTimeline(
    timeline(
      run(10.1),
      run(10.2, { verified_at: null }),
      run(10.3, { status: 'lost' }),
      run(10.4, { status: 'error' }),
    ),
    [],
  );
  expect(marks.map(({ lane, word, count, pointId }) => [lane, word, count, pointId])).toEqual([
    ['consistent', 'consistent', 2, 'backup_10.2'],
    ['failed', 'lost', 1, 'backup_10.3'],
    ['failed', 'error', 1, 'backup_10.4'],
  ]);
  // One that was not read back makes the mark hollow.
  expect(marks[0]?.verified).toBe(false);
});

test('thousands of runs are no more marks than there are places', () => {
  const many = Array.from({ length: 5_000 }, (_, n) => run(n / 50));
  const marks = layTimeline(timeline(...many), []);
  expect(marks.length).toBe(places);
  expect(marks.reduce((sum, mark) => sum + mark.count, 0)).toBe(5_000);
});

test('the objective is missed from the age it allows until the next good point, and until now', () => {
  const gaps = findGaps(timeline(run(10), run(15), run(40)), 20 * hour);
  expect(gaps).toEqual([
    { fromMs: startMs + 35 * hour, toMs: startMs + 40 * hour },
    { fromMs: startMs + 60 * hour, toMs: startMs + 100 * hour },
  ]);
});

test('only a whole point of the whole target that was read back ends a gap', () => {
  const bad = [
    run(30, { status: 'partial' }),
    run(31, { status: 'error', grade: null }),
    run(32, { verified_at: null }),
    run(33, { workspace: 'a' }),
  ];
  expect(findGaps(timeline(run(0), ...bad, run(99)), 20 * hour)).toEqual([
    { fromMs: startMs + 20 * hour, toMs: startMs + 99 * hour },
  ]);
  // Before the time that is shown a good point may lie, which covers its beginning.
  expect(findGaps(timeline(run(5, { verified_at: null }), run(30), run(99)), 80 * hour)).toEqual([]);
  expect(findGaps(timeline(run(50, { verified_at: null }), run(60)), 45 * hour)).toEqual([
    { fromMs: startMs + 50 * hour, toMs: startMs + 60 * hour },
  ]);
  // It was there then, whatever retention did later.
  expect(findGaps(timeline(run(0), run(20, { forgotten_at: at(90) }), run(40)), 60 * hour)).toEqual([]);
  expect(findGaps(timeline(), hour)).toEqual([]);
});

test('a mark says in words what it shows', () => {
  const [mark] = layTimeline(timeline(run(10), run(10.1, { pinned: true })), []);
  expect(mark && wordsOf(mark)).toMatch(/^2 consistent points, the newest of .*, read back, pinned$/);
});
