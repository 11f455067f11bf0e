// Runs the checks and the tests, and counts.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { run } from './child.mjs';

/** The quick checks, each a program of node_modules or a file of ours. */
const CHECKS = [
  { name: 'types', program: 'node_modules/typescript/bin/tsc', args: ['-p', 'tsconfig.json'] },
  { name: 'lint and format', program: 'node_modules/@biomejs/biome/bin/biome', args: ['check', '.'] },
  { name: 'layers', program: 'tools/layers.mjs', args: [] },
  { name: 'dead code', program: 'node_modules/knip/bin/knip.js', args: ['--no-progress', '--no-config-hints'] },
];

/** @returns {Promise<string[]>} names of the checks that failed; all run, so that one call shows everything */
export async function runChecks(root, env, say) {
  const failed = [];
  for (const { name, program, args } of CHECKS) {
    const started = performance.now();
    const code = await run(process.execPath, [path.join(root, program), ...args], { cwd: root, env });
    say(`${code === 0 ? 'passed' : 'FAILED'}: ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
    if (code !== 0) failed.push(name);
  }
  return failed;
}

/**
 * Runs Vitest with its usual output and reads the counts from a second, machine-readable one.
 * @returns {Promise<{passed: number, failed: number, skipped: number}>}
 */
export async function runTests(root, env, args) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ragwarden-test-'));
  const report = path.join(folder, 'report.json');
  const vitest = path.join(root, 'node_modules', 'vitest', 'vitest.mjs');
  try {
    const told = path.join(root, 'test', 'setup', 'second-attempts.ts');
    const options = [
      'run',
      '--reporter=default',
      `--reporter=${told}`,
      '--reporter=json',
      `--outputFile.json=${report}`,
    ];
    const code = await run(process.execPath, [vitest, ...options, ...args], { cwd: root, env });
    return countTests(existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : undefined, code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Counts of a run. A file that could not be loaded counts as one failure, and so does a run that ended badly without
 * naming one (an unhandled error, no test found, a crash).
 */
export function countTests(report, exitCode) {
  const broken = (report?.testResults ?? []).filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = (report?.numFailedTests ?? 0) + broken;
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
