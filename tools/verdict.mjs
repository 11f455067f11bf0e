// Runs the checks and the tests, and counts.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './child.mjs';

/**
 * The quick checks, each a program of node_modules or a file of ours. Several checkers of types would each work out what the others
 * have already, and the build has the other core; a compiler that lives for seconds need not tidy its memory up as it goes.
 */
const CHECKS = [
  {
    name: 'types',
    program: 'node_modules/typescript/bin/tsc',
    args: ['-p', 'tsconfig.json', '--checkers', '1'],
    env: { GOGC: '400' },
  },
  { name: 'lint and format', program: 'node_modules/@biomejs/biome/bin/biome', args: ['check', '.'] },
  { name: 'layers', program: 'tools/layers.mjs', args: [] },
  { name: 'dead code', program: 'node_modules/knip/bin/knip.js', args: ['--no-progress', '--no-config-hints'] },
];

/** @returns {Promise<string[]>} names of the checks that failed; all run, so that one call shows everything */
export async function runChecks(root, env, say) {
  const failed = [];
  for (const { name, program, args, env: more } of CHECKS) {
    const started = performance.now();
    const code = await run(process.execPath, [path.join(root, program), ...args], {
      cwd: root,
      env: { ...env, ...more },
    });
    say(`${code === 0 ? 'passed' : 'FAILED'}: ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    if (code !== 0) failed.push(name);
  }
  return failed;
}

/** A race of a test shows in one file or two; where more fail, something is broken. */
const MOST_TRIED_AGAIN = 5;

/**
 * Runs Vitest with its usual output and reads the counts from a second, machine-readable one. Where nobody looks at a failure
 * before it counts (`CI`), the files that failed are run once more, each from its beginning and with the machine to
 * themselves; what passes then is told by name (docs/decisions/0039).
 * @returns {Promise<{passed: number, failed: number, skipped: number}>}
 */
export async function runTests(root, env, args) {
  const first = await runVitest(root, env, args);
  const again = env.CI === undefined ? [] : failedFiles(first.report);
  if (again.length === 0 || again.length > MOST_TRIED_AGAIN) return countTests(first.report, first.code);
  const second = await runVitest(root, env, ['--maxWorkers=1', ...again]);
  for (const line of toldBySecond(root, first.report, second.report)) process.stdout.write(`${line}\n`);
  return mergedCounts(countTests(first.report, first.code), first.report, countTests(second.report, second.code));
}

async function runVitest(root, env, args) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-test-'));
  const file = path.join(folder, 'report.json');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  try {
    const unhandled = path.join(folder, 'unhandled');
    const options = [
      'run',
      '--reporter=default',
      `--reporter=${path.join(root, 'test', 'setup', 'unhandled-errors.ts')}`,
      '--reporter=json',
      `--outputFile.json=${file}`,
    ];
    const code = await run(process.execPath, [vitest, ...options, ...args], {
      cwd: root,
      env: { ...env, RAGWARDEN_TEST_UNHANDLED: unhandled },
    });
    const report = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
    // The report does not know of them.
    if (report && existsSync(unhandled)) report.unhandledErrors = JSON.parse(readFileSync(unhandled, 'utf8'));
    return { code, report };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Absolute paths of the files with a failed test, and of those that left an error no test took. */
export function failedFiles(report) {
  const failed = (report?.testResults ?? []).filter(({ status }) => status === 'failed').map(({ name }) => name);
  return [...new Set([...failed, ...(report?.unhandledErrors ?? []).flatMap(({ file }) => file ?? [])])].sort();
}

/** One line for each test that failed at first and passed then, and for each error no test took then, with what it failed on. */
export function toldBySecond(root, first, second) {
  const passed = new Set();
  for (const { name, assertionResults } of second?.testResults ?? [])
    for (const test of assertionResults) if (test.status === 'passed') passed.add(`${name} ${test.fullName}`);
  const told = (first?.testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter((test) => test.status === 'failed' && passed.has(`${name} ${test.fullName}`))
      .map((test) => {
        const [why = 'no message was kept'] = (test.failureMessages?.[0] ?? '').split('\n').filter(Boolean);
        return `  ${path.relative(root, name)} > ${test.fullName}: ${why}`;
      }),
  );
  const uneasy = new Set((second?.unhandledErrors ?? []).map(({ file }) => file));
  for (const { file, message } of second === undefined ? [] : (first?.unhandledErrors ?? []))
    if (file !== undefined && !uneasy.has(file))
      told.push(`  ${path.relative(root, file)}, an error that no test took: ${message.split('\n')[0]}`);
  return told.length === 0 ? [] : ['', `${told.length} passed only at the second attempt:`, ...told];
}

/** The files that were tried again count as they ended then. */
export function mergedCounts(all, first, second) {
  const tried = new Set(failedFiles(first));
  const files = (first?.testResults ?? []).filter(({ name }) => tried.has(name));
  const before = countTests(
    {
      numPassedTests: countOf(files, 'passed'),
      numFailedTests: countOf(files, 'failed'),
      numPendingTests: countOf(files, 'pending', 'skipped', 'todo'),
      testResults: files,
      unhandledErrors: (first?.unhandledErrors ?? []).filter(({ file }) => file !== undefined),
    },
    0,
  );
  return {
    passed: all.passed - before.passed + second.passed,
    failed: all.failed - before.failed + second.failed,
    skipped: all.skipped - before.skipped + second.skipped,
  };
}

const countOf = (files, ...states) =>
  files.flatMap(({ assertionResults }) => assertionResults).filter(({ status }) => states.includes(status)).length;

/**
 * Counts of a run. A file that could not be loaded counts as one failure, and so does each unhandled error, and a run that
 * ended badly without naming one (no test found, a crash).
 */
export function countTests(report, exitCode) {
  const broken = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = (report?.numFailedTests ?? 0) + broken + (report?.unhandledErrors?.length ?? 0);
  return {
    passed: report?.numPassedTests ?? 0,
    failed: failed === 0 && exitCode !== 0 ? 1 : failed,
    skipped: (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0),
  };
}

/** The closing line. Each failed check counts as one failure. */
export function summary(failedChecks, { passed, failed, skipped }) {
  const all = failed + failedChecks.length;
  return { line: `${passed} passed, ${all} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`, ok: all === 0 };
}
