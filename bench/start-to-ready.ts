import { cpuMs, memoryMib, startScript } from './processes.ts';
import { startOwnProduct, startSample } from './product.ts';
import { type Bench, median } from './report.ts';

const bareServer =
  "const { createServer } = await import('node:http'); createServer(() => {}).listen(0, '127.0.0.1', () => console.log('up'));";

export const startToReady: Bench = {
  name: 'start-to-ready',
  async run(size) {
    const rounds = size === 'full' ? 11 : 1;
    const sample = await startSample(size === 'full' ? 'small' : 'tiny');
    if (size === 'full') await (await startOwnProduct(sample, size)).stop();
    const ours = { cpu: [] as number[], wall: [] as number[], rss: [] as number[] };
    const bare = { cpu: [] as number[], wall: [] as number[], rss: [] as number[] };
    for (let round = 0; round < rounds; round += 1)
      for (const [into, start] of [
        [bare, () => startScript(bareServer)],
        [ours, () => startOwnProduct(sample, size)],
      ] as const) {
        const running = await start();
        into.cpu.push(cpuMs(running.pid));
        into.wall.push(running.readyMs);
        into.rss.push(memoryMib(running.pid));
        await running.stop();
      }
    await sample.stop();
    const line = (name: string, of: typeof ours) => [name, median(of.cpu), median(of.wall), median(of.rss)];
    return {
      row: 'P16, start to ready',
      target: "at most 10 times bare Node.js's CPU, with everything listening.",
      method: `Median of ${rounds} starts in turn, each into an empty data folder with a target configured; CPU of all threads up to the line that says "ready". One start before them is not counted: it fills the compile cache beside the bundle.`,
      columns: ['process', 'CPU ms', 'wall ms', 'RSS MiB when ready'],
      lines: [line('bare `node:http`, listening', bare), line('ragwarden serve', ours)],
      figures: [
        { what: 'CPU to ready', value: median(ours.cpu) / median(bare.cpu), limit: 10, unit: 'times' },
        { what: 'wall to ready', value: median(ours.wall) / median(bare.wall), unit: 'times' },
      ],
    };
  },
};
