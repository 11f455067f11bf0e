import { bareRepository, bytesBelow, type Step, takePoint } from './backup-steps.ts';
import { memoryMib } from './processes.ts';
import { startProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

export const backup: Bench = {
  name: 'backup',
  async run(size) {
    const [rounds, workspace] = size === 'full' ? ([3, 'medium'] as const) : ([1, 'tiny'] as const);
    const sample = await startSample(workspace);
    const mebibytes = (bytesBelow(sample.workingDir) + bytesBelow(sample.inputDir)) / 2 ** 20;
    const bare = { first: [] as Step[], again: [] as Step[] };
    const ours = { first: [] as Step[], again: [] as Step[], rss: [] as number[], grown: [] as number[] };
    for (let round = 0; round < rounds; round += 1) {
      const { init, restic } = bareRepository(size);
      const begin = await init();
      const tree = [sample.workingDir, sample.inputDir];
      const first = await restic(['backup', ...tree]);
      bare.first.push({ wall: begin.wall + first.wall, cpu: begin.cpu + first.cpu });
      bare.again.push(await restic(['backup', ...tree]));

      const product = await startProduct(sample, size);
      const before = memoryMib(product.pid, 'VmHWM');
      ours.first.push(await takePoint(product));
      ours.again.push(await takePoint(product));
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
