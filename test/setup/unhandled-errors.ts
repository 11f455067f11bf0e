import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

/** Writes how many errors no test took to the file that `RAGWARDEN_TEST_UNHANDLED` names. */
export default class UnhandledErrors implements Reporter {
  onTestRunEnd(_modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env.RAGWARDEN_TEST_UNHANDLED;
    if (file !== undefined && unhandled.length > 0) writeFileSync(file, String(unhandled.length));
  }
}
