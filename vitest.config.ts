import { realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/setup/longest-first.ts';

// What lies below a link has two names, and the kernel tells tests the other one.
process.env.TMPDIR = realpathSync(tmpdir());

const ignored = ['**/node_modules/**', '**/dist/**', '**/.cache/**'];

export default defineConfig({
  // JSX of the dashboard, as tools/build.mjs sets it.
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    pool: 'forks',
    // A process runs one file after the other and keeps the modules it has read: to read them anew for each file was a tenth of
    // the whole. A file leaves nothing behind in `process`, therefore, and mocks no module.
    isolate: false,
    globalSetup: ['test/setup/shared-postgres.ts', 'test/setup/product-programs.ts', 'test/setup/thread-programs.ts'],
    // Its own test imports it from beside it, and has the real one: as it is written there, and by its whole path later.
    alias: [
      {
        find: /^\.\.\/(\.\.\/)*platform\/workers\.ts$/,
        replacement: `${import.meta.dirname}/test/setup/thread-url.ts`,
      },
    ],
    // Tests of real processes wait half of their time, so two cores carry four of them.
    maxWorkers: 4,
    // Of those that a file lets run beside each other: each is the product, its sample and restic.
    maxConcurrency: 2,
    // How long a condition is awaited: what a slow machine needs is no fault, and a quick one does not wait for it.
    expect: { poll: { timeout: 60_000 } },
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/setup/answers.ts', 'test/setup/patience.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'web/**/*.test.{ts,tsx}', 'tools/**/*.test.{ts,mjs}', 'examples/**/*.test.ts'],
          // `*.slow.test.*` start many processes; they run with the system tests, so that the quick check stays quick.
          exclude: [...ignored, '**/*.slow.test.*'],
          // Longer than a condition is awaited, so that what was missing is told.
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/**/*.test.ts', '{src,tools,examples}/**/*.slow.test.{ts,mjs}'],
          exclude: ignored,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
