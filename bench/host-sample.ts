import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import systeminformation from 'systeminformation';
// Measured alone, below the door of the slice: the sampler around it only waits.
import { createProcfsHostReader } from '../src/host/procfs-host-reader.ts';
import { systemClock } from '../src/platform/clock.ts';
import { cpuMs, sleep, startProgram } from './processes.ts';
import { type Bench, median } from './report.ts';

const exporter = '/usr/bin/prometheus-node-exporter';

const ownCpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

async function timed(
  of: { cpu: number[]; wall: number[] },
  times: number,
  work: () => Promise<unknown>,
): Promise<void> {
  const [cpu, wall] = [ownCpuMs(), performance.now()];
  for (let i = 0; i < times; i += 1) await work();
  of.wall.push((performance.now() - wall) / times);
  of.cpu.push((ownCpuMs() - cpu) / times);
}

/** What a sample of ours holds, asked of the package. Its answers are kept for half a second, so it is asked less often. */
const askLibrary = async (): Promise<void> => {
  await systeminformation.currentLoad();
  await systeminformation.mem();
  await systeminformation.fsSize();
  await systeminformation.networkStats('*');
  await systeminformation.disksIO();
  await systeminformation.processLoad('node');
};

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });

export const hostSample: Bench = {
  name: 'host-sample',
  async run(size) {
    const [rounds, perRound] = size === 'full' ? [9, 300] : [1, 5];
    const reader = createProcfsHostReader({ clock: systemClock });
    await reader.read();
    await sleep(50);
    for (let i = 0; i < perRound; i += 1) await reader.read();
    const ours = { cpu: [] as number[], wall: [] as number[] };
    const library = { cpu: [] as number[], wall: [] as number[] };
    const scrape = { cpu: [] as number[], wall: [] as number[] };
    const withExporter = existsSync(exporter);
    const port = withExporter ? await freePort() : 0;
    const running = withExporter
      ? await startProgram(exporter, [`--web.listen-address=127.0.0.1:${port}`], { from: 'stderr' })
      : undefined;
    await askLibrary();
    for (let round = 0; round < rounds; round += 1) {
      await timed(ours, perRound, () => reader.read());
      await sleep(1_100);
      await timed(library, 1, askLibrary);
      if (running === undefined) continue;
      for (let tries = 0; ; tries += 1) {
        const [cpu, wall] = [cpuMs(running.pid), performance.now()];
        const answer = await fetch(`http://127.0.0.1:${port}/metrics`).then(
          (got) => got.text(),
          () => undefined,
        );
        if (answer === undefined) {
          if (tries > 100) throw new Error('node_exporter does not answer');
          await sleep(50);
          continue;
        }
        const wallMs = performance.now() - wall;
        // It goes on for a moment after the answer: collecting its garbage is part of the price.
        await sleep(60);
        scrape.wall.push(wallMs);
        scrape.cpu.push(cpuMs(running.pid) - cpu);
        break;
      }
    }
    await running?.stop();
    reader.close();
    const line = (name: string, of: typeof ours) => [name, median(of.cpu), median(of.wall)];
    return {
      row: 'P10, one full host sample',
      target: "at most 1/100 of systeminformation's own CPU, at most 1/50 of a node_exporter scrape; at most 0.1 ms.",
      method: `Median of ${rounds} rounds in turn. Ours: CPU, memory, disks, network, own process, control group, pressure (${perRound} samples a round). systeminformation: load, memory, file systems, network, disks, process, its child processes not counted. node_exporter: one scrape.`,
      columns: ['sample', 'CPU ms', 'wall ms'],
      lines: [
        line('ragwarden', ours),
        line('systeminformation', library),
        ...(withExporter ? [line('node_exporter, one scrape', scrape)] : [['node_exporter', 'not installed', '']]),
      ],
      figures: [
        { what: 'CPU of a sample', value: median(ours.cpu), limit: 0.1, unit: 'ms' },
        {
          what: 'against systeminformation',
          value: median(ours.cpu) / median(library.cpu),
          limit: 1 / 100,
          unit: 'times',
        },
        ...(withExporter
          ? [
              {
                what: 'against node_exporter',
                value: median(ours.cpu) / median(scrape.cpu),
                limit: 1 / 50,
                unit: 'times',
              },
            ]
          : []),
      ],
    };
  },
};
