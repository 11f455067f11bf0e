import type { Reporter, TestCase } from 'vitest/node';

/** Names each test that passed only when it was tried again, with what it failed on first: a race that waits to be mended. */
export default class SecondAttempts implements Reporter {
  readonly #told: string[] = [];

  onTestCaseResult(test: TestCase): void {
    if (!test.diagnostic()?.flaky) return;
    const first = test.result().errors?.[0]?.message ?? 'no message was kept';
    this.#told.push(`  ${test.module.relativeModuleId} > ${test.fullName}: ${first}`);
  }

  onTestRunEnd(): void {
    if (this.#told.length === 0) return;
    process.stdout.write(`\n${this.#told.length} passed only at the second attempt:\n${this.#told.join('\n')}\n`);
  }
}
