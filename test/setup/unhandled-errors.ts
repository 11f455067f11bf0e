import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Writes the errors no test took to the file that `RAGWARDEN_TEST_UNHANDLED` names: `[{file, message}]`, the file if known. */
export default class UnhandledErrors implements Reporter {
  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const path = process.env.RAGWARDEN_TEST_UNHANDLED;
    if (path === undefined || unhandled.length === 0) return;
    const told = unhandled.map(({ VITEST_TEST_PATH: file, name, message }) => ({
      ...(typeof file === 'string' && { file }),
      message: `${name}: ${message}`,
    }));
    writeFileSync(path, JSON.stringify(told));
  }
}
