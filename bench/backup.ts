import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemSearchPath } from '../src/platform/child-processes/index.ts';
import { cpuWithChildrenMs, memoryMib, temporaryFolder } from './processes.ts';
import { adminToken, type Product, startProduct, startSample } from './product.ts';
import { type Bench, median, Skipped } from './report.ts';

type Step = { readonly wall: number; readonly cpu: number };

/** restic as one would call it by hand; CPU in milliseconds from the account of ended children. */
async function restic(args: readonly string[], env: Record<string, string>): Promise<Step> {
  const [cpu, wall] = [cpuWithChildrenMs('self'), performance.now()];
  const child = spawn('restic', ['--quiet', ...args], { stdio: ['ignore', 'ignore', 'inherit'], env });
  const [code] = await once(child, 'exit').catch((err: unknown) => {
    throw new Skipped(`restic cannot be started: ${String(err)}`);
  });
  if (code !== 0) throw new Error(`restic ${args.join(' ')} ended with ${code}`);
  return { wall: performance.now() - wall, cpu: cpuWithChildrenMs('self') - cpu };
}

async function trigger(product: Product): Promise<Step> {
  const [cpu, wall] = [cpuWithChildrenMs(product.pid), performance.now()];
  const answer = await fetch(new URL('/api/v1/backup/trigger', product.api), {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, prefer: 'wait=300', 'content-type': 'application/json' },
    body: '{}',
  });
  const body = await answer.text();
  if (!answer.ok || !body.includes('"success"')) throw new Error(`the backup failed: ${answer.status} ${body}`);
  return { wall: performance.now() - wall, cpu: cpuWithChildrenMs(product.pid) - cpu };
}

const bytesBelow = (folder: string): number =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

export const backup: Bench = {
  name: 'backup',
  async run(size) {
    const [rounds, workspace] = size === 'full' ? ([3, 'medium'] as const) : ([1, 'tiny'] as const);
    const sample = await startSample(workspace);
    const mebibytes = (bytesBelow(sample.workingDir) + bytesBelow(sample.inputDir)) / 2 ** 20;
    const bare = { first: [] as Step[], again: [] as Step[] };
    const ours = { first: [] as Step[], again: [] as Step[], rss: [] as number[], grown: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'password'), 'bench');
      const env = {
        PATH: systemSearchPath,
        RESTIC_REPOSITORY: join(folder, 'repository'),
        RESTIC_PASSWORD_FILE: join(folder, 'password'),
        RESTIC_CACHE_DIR: join(folder, 'cache'),
      };
      const begin = await restic(['init'], env);
      const tree = [sample.workingDir, sample.inputDir];
      const first = await restic(['backup', ...tree], env);
      bare.first.push({ wall: begin.wall + first.wall, cpu: begin.cpu + first.cpu });
      bare.again.push(await restic(['backup', ...tree], env));

      const product = await startProduct(sample);
      const before = memoryMib(product.pid, 'VmHWM');
      ours.first.push(await trigger(product));
      ours.again.push(await trigger(product));
      ours.rss.push(memoryMib(product.pid, 'VmHWM'));
      ours.grown.push(memoryMib(product.pid, 'VmHWM') - before);
      await product.stop();
    }
    await sample.stop();
    const of = (steps: readonly Step[], what: keyof Step) => median(steps.map((step) => step[what]));
    const line = (name: string, steps: readonly Step[]) => [name, of(steps, 'wall') / 1_000, of(steps, 'cpu') / 1_000];
    return {
      row: 'P13, files backup',
      target:
        "unchanged at most 1.1 times bare restic's wall time; first at most 1.3 times its CPU; our own part at most 80 MiB of memory beside it.",
      method: `Median of ${rounds} rounds in turn on a generated workspace of ${mebibytes.toFixed(0)} MiB; new repository each round, the key of restic as it comes. Ours holds the pipeline, captures, proves that nothing moved, stores, verifies and writes the manifest; bare restic reads the folders. CPU with all child processes.`,
      columns: ['step', 'wall s', 'CPU s'],
      lines: [
        line('bare restic, init and first', bare.first),
        line('ragwarden, first point', ours.first),
        line('bare restic, unchanged', bare.again),
        line('ragwarden, unchanged', ours.again),
        ['ragwarden, highest RSS of its own process', `${median(ours.rss).toFixed(1)} MiB`, ''],
      ],
      figures: [
        { what: 'unchanged, wall', value: of(ours.again, 'wall') / of(bare.again, 'wall'), limit: 1.1, unit: 'times' },
        { what: 'unchanged, CPU', value: of(ours.again, 'cpu') / of(bare.again, 'cpu'), unit: 'times' },
        { what: 'first, CPU', value: of(ours.first, 'cpu') / of(bare.first, 'cpu'), limit: 1.3, unit: 'times' },
        { what: 'first, wall', value: of(ours.first, 'wall') / of(bare.first, 'wall'), unit: 'times' },
        { what: 'memory a backup adds to our process', value: median(ours.grown), limit: 80, unit: 'MiB' },
      ],
    };
  },
};
