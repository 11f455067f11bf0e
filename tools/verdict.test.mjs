import { expect, test } from 'vitest';
import { countTests, summary } from './verdict.mjs';

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
  ['an unhandled error', report, 1, '3 passed, 1 failed'],
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
