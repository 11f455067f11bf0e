import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeLightRepository } from '../src/backup/repository/light-key.fixture.ts';
import { bareRepository, bytesBelow, type Step, takePoint } from './backup-steps.ts';
import { cpuWithChildrenMs, sleep, temporaryFolder } from './processes.ts';
import { call, type Product, startProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';
import { editWorkspace } from './scattered-edits.ts';

const targets = '/api/v1/backup-replication/replication/targets';

type Lag = { lag_seconds: number | null; missing_points: number; copies: number };

/** Until every point is there; the CPU is that of the product and its children since `from`. */
async function untilCopied(product: Product, points: number, from: { wall: number; cpu: number }): Promise<Step> {
  for (;;) {
    const { items } = (await call(product.api, 'GET', targets)) as {
      items: { lag: Lag[]; error: string | null }[];
    };
    const [lag] = items[0]?.lag ?? [];
    if (lag?.copies === points && lag.missing_points === 0 && lag.lag_seconds === 0) break;
    await sleep(50);
  }
  return { wall: performance.now() - from.wall, cpu: cpuWithChildrenMs(product.pid) - from.cpu };
}

export const replication: Bench = {
  name: 'replication',
  async run(size) {
    const [rounds, workspace] = size === 'full' ? ([3, 'medium'] as const) : ([1, 'tiny'] as const);
    const sample = await startSample(workspace);
    editWorkspace(sample.workingDir, 0);
    const bare = { first: [] as Step[], again: [] as Step[] };
    const ours = { first: [] as Step[], again: [] as Step[] };
    const bytes: number[] = [];
    const stored: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const product = await startProduct(sample, size, { LIGHTRAG_REPLICATION_ENABLED: 'true' });
      const source = join(product.dataDir, 'repository');
      const from = ['--from-repo', source, '--from-password-file', join(product.dataDir, 'repository-password')];
      const { folder, init, restic } = bareRepository(size);
      const now = () => ({ wall: performance.now(), cpu: cpuWithChildrenMs(product.pid) });
      await takePoint(product);

      const place = join(temporaryFolder(), 'copies');
      if (size === 'tiny') {
        mkdirSync(place);
        await makeLightRepository(place, 'the password of a tiny bench');
      }
      const first = now();
      await call(product.api, 'POST', targets, { name: 'copies', location: place });
      ours.first.push(await untilCopied(product, 1, first));
      bytes.push(bytesBelow(source) / 2 ** 20);
      const begin = size === 'full' ? await restic(['init', '--copy-chunker-params', ...from]) : await init();
      const copied = await restic(['copy', ...from]);
      bare.first.push({ wall: begin.wall + copied.wall, cpu: begin.cpu + copied.cpu });

      editWorkspace(sample.workingDir, round + 1);
      await takePoint(product);
      // It begins by itself as soon as the point is verified, which is when the point is told to be there.
      ours.again.push(await untilCopied(product, 2, now()));
      bare.again.push(await restic(['copy', ...from]));
      stored.push(bytesBelow(place) / bytesBelow(folder));
      await product.stop();
    }
    await sample.stop();
    const of = (steps: readonly Step[], what: keyof Step) => median(steps.map((step) => step[what]));
    const line = (name: string, steps: readonly Step[], mebibytes: number | undefined) => [
      name,
      of(steps, 'wall') / 1_000,
      of(steps, 'cpu') / 1_000,
      mebibytes === undefined ? '' : (mebibytes * 1_000) / of(steps, 'wall'),
    ];
    return {
      row: 'F476.4, copies to another place',
      target: 'a fresh point is there within 30 s of being verified.',
      method: `Median of ${rounds} rounds in turn: a point of a workspace (${median(bytes).toFixed(0)} MiB as stored) goes to a new place, then a second one with every hundredth record changed. Ours registers the place, makes the repository, compares what is here and there, copies, looks again and keeps the log; bare restic copies from the same repository. CPU with all child processes; of the second copy only what came after the point was told to be taken.`,
      columns: ['step', 'wall s', 'CPU s', 'MiB/s'],
      lines: [
        line('bare restic, init and copy', bare.first, median(bytes)),
        line('ragwarden, new place and copy', ours.first, median(bytes)),
        line('bare restic, the next point', bare.again, undefined),
        line('ragwarden, the next point', ours.again, undefined),
      ],
      figures: [
        { what: 'first copy, wall', value: of(ours.first, 'wall') / of(bare.first, 'wall'), unit: 'times' },
        { what: 'first copy, CPU', value: of(ours.first, 'cpu') / of(bare.first, 'cpu'), unit: 'times' },
        { what: 'next point, CPU', value: of(ours.again, 'cpu') / of(bare.again, 'cpu'), unit: 'times' },
        { what: 'a fresh point is there after', value: of(ours.again, 'wall') / 1_000, limit: 30, unit: 's' },
        { what: 'bytes there, of both points', value: median(stored), unit: 'times' },
      ],
    };
  },
};
