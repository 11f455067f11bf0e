import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { memoryFolder } from './setup/memory-folder.ts';

const root = join(import.meta.dirname, '..');
const notBenches = new Set([
  'main.ts',
  'report.ts',
  'written-page.ts',
  'processes.ts',
  'product.ts',
  'backup-steps.ts',
]);

// Times say nothing here, where everything runs at once: only that each file still runs and finds its reference.
test.skipIf(process.platform !== 'linux')('each bench runs, and tells figures', { timeout: 300_000 }, () => {
  const folder = memoryFolder('bench');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // A server of PostgreSQL runs as another user.
  chmodSync(folder, 0o711);
  const output = execFileSync(process.execPath, [join(root, 'bench/main.ts'), '--tiny'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TMPDIR: folder },
  });
  const ran = output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map(
      (line) => JSON.parse(line) as { bench: string; size: string; figures?: { value: number }[]; skipped?: string },
    );
  const inFolders = ['leak-detection', 'resource-scan', 'recovery-rounds', 'failover-rounds', 'health-rounds'];
  const files = [...readdirSync(join(root, 'bench')), ...inFolders.map((name) => `${name}.ts`)].filter(
    (file) => file.endsWith('.ts') && !notBenches.has(file),
  );
  expect(ran.map(({ bench }) => `${bench}.ts`).sort()).toEqual(files.sort());
  for (const { size, figures = [], skipped } of ran) {
    // Without its reference; where everything has to be there, nothing may be left out.
    if (skipped !== undefined && process.env.CI !== 'true') continue;
    expect(size).toBe('tiny');
    expect(figures.length).toBeGreaterThan(0);
    // JSON has no word for what is not a number: it writes null. Below nothing is what two tiny times differ by.
    for (const { value } of figures) expect(value).toBeTypeOf('number');
  }
});
