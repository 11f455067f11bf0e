import { systemClock } from '../../src/platform/clock.ts';
import { createResourceRegistry } from '../../src/resources/index.ts';
import { type Bench, median } from '../report.ts';

const idOf = (n: number): string => `worker-${n % 64}/connection-${n}`;

function fill(count: number) {
  let aheadMs = 0;
  const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + aheadMs };
  const resources = createResourceRegistry({ clock, mostTracked: () => count });
  const register = (n: number): void => {
    resources.register(
      {
        ...{ id: idOf(n), type: 'database_connection', owner: `worker-${n % 64}`, workspaceId: null, parentId: null },
        ...{ sizeBytes: 1_024, ttlMs: null, leaseMs: null, metadata: {} },
      },
      'bench',
    );
  };
  const pass = (ms: number): void => {
    aheadMs += ms;
  };
  return { resources, register, pass };
}

/** Resources are registered over this time, so that a hundredth of them comes due in each hundredth of it. */
const spreadMs = 150_000;

const cpuMs = (since: NodeJS.CpuUsage): number => {
  const used = process.cpuUsage(since);
  return (used.user + used.system) / 1_000;
};

/** One column of numbers and three conditions: what a scan cannot be quicker than by much. */
function scanColumns(
  columns: { created: Float64Array; used: Float64Array; limit: Float64Array },
  nowMs: number,
): number {
  const { created, used, limit } = columns;
  let leaks = 0;
  for (let at = 0; at < created.length; at += 1) {
    const most = limit[at] ?? 0;
    if (most > 0 && nowMs - (created[at] ?? 0) > most && nowMs - (used[at] ?? 0) > most / 2) leaks += 1;
  }
  return leaks;
}

export const resourceScan: Bench = {
  name: 'resource-scan',
  async run(size) {
    const [counts, rounds] = size === 'full' ? [[10_000, 100_000, 1_000_000], 7] : [[1_000], 1];
    const lines: (string | number)[][] = [];
    const scans: number[] = [];
    const bytes: number[] = [];
    for (const count of counts) {
      globalThis.gc?.();
      const before = process.memoryUsage().heapUsed;
      const { resources, register, pass } = fill(count);
      let cpu = process.cpuUsage();
      for (let n = 0; n < count; n += 1) {
        if (n % (count / 100) === 0) pass(spreadMs / 100);
        register(n);
      }
      const registerUs = (1_000 * cpuMs(cpu)) / count;
      globalThis.gc?.();
      bytes.push((process.memoryUsage().heapUsed - before) / count);
      cpu = process.cpuUsage();
      for (let n = 0; n < count; n += 1) {
        if (n % (count / 100) === 0) pass(spreadMs / 100);
        resources.access(idOf(n), 'bench');
      }
      const accessUs = (1_000 * cpuMs(cpu)) / count;
      const scanMs: number[] = [];
      const columnMs: number[] = [];
      const columns = {
        created: new Float64Array(count),
        used: new Float64Array(count),
        limit: new Float64Array(count).fill(300_000),
      };
      for (let round = -1; round < rounds; round += 1) {
        cpu = process.cpuUsage();
        await resources.scan();
        const took = cpuMs(cpu);
        cpu = process.cpuUsage();
        scanColumns(columns, round);
        const columnTook = cpuMs(cpu);
        if (round < 0) continue;
        scanMs.push(took);
        columnMs.push(columnTook);
      }
      // Each time a hundredth becomes idle.
      const dueMs: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        pass(spreadMs / 100);
        cpu = process.cpuUsage();
        await resources.scan();
        dueMs.push(cpuMs(cpu));
      }
      cpu = process.cpuUsage();
      for (let n = 0; n < count; n += 1) resources.release(idOf(n));
      const releaseUs = (1_000 * cpuMs(cpu)) / count;
      scans.push(median(scanMs));
      lines.push([
        count,
        registerUs,
        accessUs,
        releaseUs,
        median(scanMs),
        median(dueMs),
        median(columnMs),
        bytes.at(-1) ?? Number.NaN,
      ]);
    }
    return {
      row: 'P8 and F460 to F463, resources and the search for leaks',
      target: 'registering below 1 ms, a search of 10,000 below 50 ms; of a million below 5 ms of CPU.',
      method: `Each number of resources in a registry of its own; median of ${rounds} searches, CPU time of the process: while nothing comes due, and while a hundredth of all becomes idle each time. The columns are three arrays of numbers with the same conditions.`,
      columns: [
        ...['resources', 'register, µs', 'access, µs', 'release, µs'],
        ...['search, CPU ms', 'a hundredth due, CPU ms', 'columns, CPU ms', 'heap bytes each'],
      ],
      lines,
      figures: [
        {
          what: 'registering, the greatest',
          value: Math.max(...lines.map((line) => Number(line[1]))),
          limit: 1_000,
          unit: 'µs',
        },
        { what: `search of ${counts[0]}`, value: scans[0] ?? Number.NaN, limit: 50, unit: 'ms' },
        { what: `search of ${counts.at(-1)}`, value: scans.at(-1) ?? Number.NaN, limit: 5, unit: 'ms' },
        {
          what: `search of ${counts.at(-1)} beside the columns`,
          value: (scans.at(-1) ?? Number.NaN) / Math.max(Number(lines.at(-1)?.[6]), 0.001),
          limit: 0.5,
          unit: 'times',
        },
        { what: 'heap of one resource, the greatest', value: Math.max(...bytes), unit: 'bytes' },
      ],
    };
  },
};
