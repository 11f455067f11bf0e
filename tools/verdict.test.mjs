import { describe, expect, test } from 'vitest';
import { countTests, failedFiles, mergedCounts, summary, toldBySecond } from './verdict.mjs';

const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] };
const file = (status, ...tests) => ({ status, assertionResults: tests.map((each) => ({ status: each })) });

test.each([
  ['all passed', report, 0, '3 passed, 0 failed'],
  ['some skipped', { ...report, numPendingTests: 1, numTodoTests: 1 }, 0, '3 passed, 0 failed, 2 skipped'],
  ['one failed', { ...report, numFailedTests: 1, testResults: [file('failed', 'failed')] }, 1, '3 passed, 1 failed'],
  [
    'a file that cannot be loaded',
    { ...report, testResults: [file('failed'), file('passed', 'passed')] },
    1,
    '3 passed, 1 failed',
  ],
  ['an unhandled error', { ...report, unhandledErrors: [{ message: 'a' }, { message: 'b' }] }, 1, '3 passed, 2 failed'],
  ['a run that ended badly and says nothing', report, 1, '3 passed, 1 failed'],
  ['no report at all', undefined, 1, '0 passed, 1 failed'],
])('counts %s', (_, given, code, line) => {
  expect(summary([], countTests(given, code)).line).toBe(line);
});

test('counts each failed check as a failure', () => {
  expect(summary(['types', 'layers'], { passed: 3, failed: 1, skipped: 0 })).toEqual({
    line: '3 passed, 3 failed',
    ok: false,
  });
  expect(summary([], { passed: 0, failed: 0, skipped: 1 })).toEqual({
    line: '0 passed, 0 failed, 1 skipped',
    ok: true,
  });
});

describe('what is tried again', () => {
  const named = (name, ...tests) => ({
    name,
    status: tests.some(([, status]) => status === 'failed') || tests.length === 0 ? 'failed' : 'passed',
    assertionResults: tests.map(([fullName, status, why]) => ({
      fullName,
      status,
      failureMessages: why === undefined ? [] : [`${why}\n    at somewhere`],
    })),
  });
  const first = {
    numPassedTests: 4,
    numFailedTests: 2,
    numPendingTests: 1,
    numTodoTests: 0,
    testResults: [
      named('/repo/good.test.ts', ['a', 'passed'], ['b', 'passed'], ['c', 'passed']),
      named('/repo/race.test.ts', ['a', 'failed', 'Error: too late'], ['b', 'passed'], ['c', 'skipped']),
      named('/repo/bad.test.ts', ['a', 'failed', 'Error: wrong']),
      named('/repo/unreadable.test.ts'),
    ],
  };
  const second = {
    numPassedTests: 4,
    numFailedTests: 1,
    numPendingTests: 1,
    numTodoTests: 0,
    testResults: [
      named('/repo/race.test.ts', ['a', 'passed'], ['b', 'passed'], ['c', 'skipped']),
      named('/repo/bad.test.ts', ['a', 'failed', 'Error: wrong']),
      named('/repo/unreadable.test.ts', ['a', 'passed'], ['b', 'passed']),
    ],
  };

  test('is the files that failed, those that could not be loaded too', () => {
    expect(failedFiles(first)).toEqual(['/repo/bad.test.ts', '/repo/race.test.ts', '/repo/unreadable.test.ts']);
    expect(failedFiles(undefined)).toEqual([]);
  });

  test('counts as it ended then, and what failed twice has failed', () => {
    const counts = mergedCounts(countTests(first, 1), first, countTests(second, 1));
    expect(counts).toEqual({ passed: 7, failed: 1, skipped: 1 });
    // An error that no test took, and of which nobody knows the file, is not taken back by a second run of others.
    const nowhere = { ...first, unhandledErrors: [{ message: 'Error: lost' }] };
    expect(mergedCounts(countTests(nowhere, 1), nowhere, { passed: 5, failed: 0, skipped: 1 }).failed).toBe(1);
    // A second run that could not even begin is a failure.
    expect(mergedCounts(countTests(first, 1), first, countTests(undefined, 1)).failed).toBe(1);
  });

  test('is a file that left an error no test took as well, however its tests ended', () => {
    const uneasy = {
      ...report,
      numPassedTests: 4,
      testResults: [named('/repo/calm.test.ts', ['a', 'passed']), named('/repo/late.test.ts', ['a', 'passed'])],
      unhandledErrors: [{ file: '/repo/late.test.ts', message: 'Error: nobody waited\nmore' }],
    };
    expect(countTests(uneasy, 1)).toEqual({ passed: 4, failed: 1, skipped: 0 });
    expect(failedFiles(uneasy)).toEqual(['/repo/late.test.ts']);
    const calm = { ...report, numPassedTests: 1, testResults: [named('/repo/late.test.ts', ['a', 'passed'])] };
    expect(mergedCounts(countTests(uneasy, 1), uneasy, countTests(calm, 0))).toEqual({
      passed: 4,
      failed: 0,
      skipped: 0,
    });
    expect(toldBySecond('/repo', uneasy, calm)).toEqual([
      '',
      '1 passed only at the second attempt:',
      '  late.test.ts, an error that no test took: Error: nobody waited',
    ]);
    // Once more, and it has failed.
    const again = { ...calm, unhandledErrors: uneasy.unhandledErrors };
    expect(mergedCounts(countTests(uneasy, 1), uneasy, countTests(again, 1)).failed).toBe(1);
    expect(toldBySecond('/repo', uneasy, again)).toEqual([]);
    expect(toldBySecond('/repo', uneasy, undefined)).toEqual([]);
  });

  test('is told by name, with what it failed on first', () => {
    expect(toldBySecond('/repo', first, second)).toEqual([
      '',
      '1 passed only at the second attempt:',
      '  race.test.ts > a: Error: too late',
    ]);
    expect(toldBySecond('/repo', second, second)).toEqual([]);
  });
});
