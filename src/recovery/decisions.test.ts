import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choosePoint } from './choose-point.ts';
import { type Drill, decideVerdict, forecastRtoMs, measuredRtoMs } from './drill.ts';
import { type DrillHistory, decideNextDrill, decideOverdueSince } from './drill-due.ts';
import { type Evidence, isSealIntact, sealEvidence } from './evidence.ts';
import { decideRpo, decideRto } from './objectives.ts';
import { neededBytes, requireRoom } from './scratch.ts';

const day = 86_400_000;
const hour = 3_600_000;

describe('which point is rehearsed', () => {
  type Point = Parameters<typeof choosePoint>[1][number];
  const point = (id: string, takenMs: number, change: Partial<Point> = {}): Point => ({
    id,
    takenMs,
    status: 'success',
    verifiedMs: takenMs,
    coreVersion: '1.4.0',
    ...change,
  });
  const points = [
    point('b', 2),
    point('d', 4, { status: 'partial', coreVersion: '1.5.0' }),
    point('a', 1),
    point('c', 3, { coreVersion: '1.5.0' }),
  ];
  const drilled = (...ids: string[]) => ids.map((pointId) => ({ pointId }));

  test.each<[Parameters<typeof choosePoint>[0], string[], number, string]>([
    ['newest', [], 0, 'c'],
    ['oldest', [], 0, 'a'],
    ['random', [], 0, 'd'],
    ['random', [], 0.999, 'a'],
    ['risk', [], 0, 'c'],
    ['risk', ['c'], 0, 'a'],
    ['risk', ['c', 'a'], 0, 'd'],
    ['risk', ['c', 'a', 'd'], 0, 'b'],
    ['risk', ['a', 'c', 'a', 'd', 'b'], 0, 'c'],
  ])('%s after drills of %j (random %d) is %s', (choice, ids, random, expected) => {
    expect(choosePoint(choice, points, drilled(...ids), random, day).pointId).toBe(expected);
  });

  test('the newest point is taken when none is complete and verified, and says so', () => {
    const doubtful = [point('x', 1, { verifiedMs: null }), point('y', 2, { status: 'partial' })];
    expect(choosePoint('newest', doubtful, [], 0, day)).toEqual({
      pointId: 'y',
      reason: 'the newest point; none is complete and verified',
    });
  });

  test('a point that is dated in the future is the newest only where there is no other', () => {
    const ahead = point('ahead', 10 * day);
    expect(choosePoint('newest', [ahead, ...points], [], 0, day).pointId).toBe('c');
    expect(choosePoint('newest', [ahead], [], 0, day).pointId).toBe('ahead');
  });

  test('without a point there is nothing to rehearse', () => {
    expect(() => choosePoint('risk', [], [], 0, day)).toThrow('backup/unknown-point');
  });
});

describe('when a drill is due', () => {
  const weekly = { frequencyMs: 7 * day, jitter: 0, nowMs: 100 * day };
  const history = (change: Partial<DrillHistory>): DrillHistory => ({
    possibleSinceMs: 90 * day,
    lastPassedMs: null,
    lastFinishedMs: null,
    failuresInRow: 0,
    ...change,
  });

  test.each<[string, Partial<DrillHistory>, number | null]>([
    ['nothing to rehearse', { possibleSinceMs: null }, null],
    ['never drilled: an hour after the first point, which is past', {}, 90 * day + hour],
    ['one interval after the last', { lastPassedMs: 99 * day, lastFinishedMs: 99 * day }, 106 * day],
    ['missed while ragwarden was down: at once', { lastPassedMs: 80 * day, lastFinishedMs: 80 * day }, 87 * day],
    ['a last one in the future, the clock was set back', { lastFinishedMs: 300 * day }, 107 * day],
    ['soon again after one failure', { lastFinishedMs: 99 * day, failuresInRow: 1 }, 99 * day + hour / 4],
    ['later after three', { lastFinishedMs: 99 * day, failuresInRow: 3 }, 99 * day + hour],
    ['never later than an interval', { lastFinishedMs: 99 * day, failuresInRow: 40 }, 106 * day],
  ])('%s', (_, change, expected) => {
    expect(decideNextDrill(history(change), weekly)).toBe(expected);
  });

  test('off is off, and then nothing is overdue', () => {
    const off = { frequencyMs: 0, jitter: 0, nowMs: 1_000 * day };
    expect(decideNextDrill(history({}), off)).toBeNull();
    expect(decideOverdueSince(history({}), off)).toBeNull();
  });

  test('absence is an alarm after two intervals, whether drills failed meanwhile or not', () => {
    const at = (nowMs: number, change: Partial<DrillHistory>) =>
      decideOverdueSince(history(change), { frequencyMs: 7 * day, nowMs });
    expect(at(104 * day, {})).toBeNull();
    expect(at(104 * day + 1, {})).toBe(104 * day);
    expect(at(114 * day, { lastPassedMs: 100 * day, lastFinishedMs: 113 * day, failuresInRow: 9 })).toBeNull();
    expect(at(115 * day, { lastPassedMs: 100 * day, lastFinishedMs: 114 * day, failuresInRow: 9 })).toBe(114 * day);
  });

  test('jitter moves a drill by at most a twentieth of the interval, never before its time', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.integer({ min: 1, max: 365 }), (jitter, days) => {
        const frequencyMs = days * day;
        const next = decideNextDrill(history({ lastFinishedMs: 95 * day }), { frequencyMs, jitter, nowMs: 100 * day });
        const late = (next ?? 0) - 95 * day - frequencyMs;
        expect(late).toBeGreaterThanOrEqual(0);
        expect(late).toBeLessThanOrEqual(frequencyMs / 20);
      }),
    );
  });
});

describe('what a drill says', () => {
  const component = (change: object) => ({
    name: 'workspace',
    kind: 'files',
    folder: '/s',
    files: 1,
    bytes: 1,
    treeSha256: 't',
    counts: null,
    expectedCounts: null,
    facts: {},
    problems: [] as string[],
    notRehearsed: null,
    ...change,
  });

  test.each<[string, object[], string[], string]>([
    ['nothing wrong', [{}], [], 'passed'],
    ['a digest differs', [{ problems: ['x'] }], [], 'failed'],
    ['a part was not rehearsed', [{}, { notRehearsed: 'no server' }], [], 'error'],
    ['damage outweighs what was not rehearsed', [{ problems: ['x'] }, { notRehearsed: 'no server' }], [], 'failed'],
    ['the check command is not satisfied', [{}], ['it ended with 3'], 'failed'],
  ])('%s', (_, components, problems, verdict) => {
    expect(decideVerdict({ components: components.map(component) }, problems).verdict).toBe(verdict);
  });

  const phase = (name: string, ms: number, inRestore: number, growsWithBytes: boolean) => ({
    name,
    component: null,
    ms,
    inRestore,
    growsWithBytes,
  });
  const phases = [phase('open', 500, 1, false), phase('fetch', 2_000, 1, true), phase('check', 300, 2, true)];
  const drill = (change: Partial<Drill>): Drill => ({
    id: 'op_1',
    targetId: 't',
    pointId: 'p',
    kind: 'restore',
    choice: 'newest',
    requestedBy: 'r',
    startedMs: 1,
    finishedMs: 2,
    verdict: 'passed',
    reasons: [],
    phases,
    rtoMs: 3_100,
    bytes: 100,
    files: 1,
    evidenceSha256: null,
    ...change,
  });

  test('RTO counts each phase as often as a restore goes through it, and nothing that only looks', () => {
    expect(measuredRtoMs([...phases, phase('inspect', 9_999, 0, true)])).toBe(3_100);
    expect(forecastRtoMs(drill({}), 200)).toBe(500 + 4_000 + 1_200);
    expect(forecastRtoMs(drill({ bytes: 0 }), 200)).toBeNull();
  });

  test('RTO is met by the forecast for the present size; without a measurement nobody knows', () => {
    expect(decideRto([drill({})], 4_000, 100).met).toBe(true);
    expect(decideRto([drill({})], 4_000, 200)).toMatchObject({ met: false, measuredMs: 3_100, forecastMs: 5_700 });
    expect(decideRto([drill({ verdict: 'failed' })], 4_000, 100)).toMatchObject({ met: null, measuredMs: null });
    const trend = decideRto([drill({ id: 'new', rtoMs: 2 }), drill({ id: 'old', rtoMs: 1 })], 4_000, null).trend;
    expect(trend.map((one) => one.drillId)).toEqual(['old', 'new']);
  });

  test('RPO burns down from the newest good point', () => {
    expect(decideRpo({ id: 'p', takenMs: 1_000 }, 4_000, 2_000)).toEqual({
      objectiveMs: 4_000,
      measuredMs: 1_000,
      pointId: 'p',
      used: 0.25,
      missedAtMs: 5_000,
      met: true,
    });
    expect(decideRpo({ id: 'p', takenMs: 1_000 }, 4_000, 5_001)).toMatchObject({ met: false });
    // By a clock that was wrong: nobody knows how old it is.
    expect(decideRpo({ id: 'p', takenMs: day }, 4_000, 1)).toMatchObject({
      met: false,
      measuredMs: null,
      pointId: 'p',
    });
    expect(decideRpo(undefined, 4_000, 1)).toMatchObject({ met: false, measuredMs: null, used: null });
  });
});

test('a drill is not begun where it would leave too little space', () => {
  const needed = neededBytes([{ bytes: 100 }, { bytes: 10, streams: [{ bytes: 20 }] }]);
  expect(needed).toBe(170);
  const room = { neededBytes: needed, keepFreeBytes: 30, at: '/s' };
  expect(() => requireRoom({ ...room, freeBytes: 200 })).not.toThrow();
  expect(() => requireRoom({ ...room, freeBytes: 199 })).toThrow('storage/full');
});

test('evidence that was changed does not match its seal', () => {
  const evidence = sealEvidence({ drill_id: 'op_1', verdict: 'failed', reasons: ['x'] } as unknown as Evidence);
  expect(isSealIntact(evidence)).toBe(true);
  expect(isSealIntact({ ...evidence, verdict: 'passed' })).toBe(false);
});
