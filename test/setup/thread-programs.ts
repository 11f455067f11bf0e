import { globSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';

const variable = 'TEST_THREADS';
const root = resolve(import.meta.dirname, '../..');
const folder = join(root, '.cache', 'test', 'workers'); // as in thread-url.ts

/**
 * Vitest calls this once per run: each worker thread of the sources as one file. From the sources themselves a thread would first
 * compile what strips types, which takes several times as long as an inspection.
 */
export async function setup(project: TestProject): Promise<(() => void) | undefined> {
  if (process.env[variable] !== undefined) return undefined;
  process.env[variable] = folder;
  const make = async (): Promise<void> => {
    const entries = globSync('src/**/*.worker.ts', { cwd: root });
    await build({
      absWorkingDir: root,
      entryPoints: Object.fromEntries(entries.map((file) => [basename(file, '.worker.ts'), file])),
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      logLevel: 'warning',
    });
  };
  await make();
  project.onTestsRerun(make);
  return () => {
    delete process.env[variable];
  };
}
