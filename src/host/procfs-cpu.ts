/** CPU lines of `/proc/stat`, `/proc/loadavg`, `/proc/cpuinfo` as text in, numbers out (proc(5)). */

/** Clock ticks since boot; guest time is part of `user` and is not counted twice. */
export type CpuTicks = {
  readonly user: number;
  readonly nice: number;
  readonly system: number;
  readonly idle: number;
  readonly iowait: number;
  readonly irq: number;
  readonly softirq: number;
  readonly steal: number;
};

export type CpuTimes = {
  readonly total: CpuTicks;
  /** By number of the core; one that is switched off is missing. */
  readonly cores: ReadonlyMap<number, CpuTicks>;
  readonly bootTimeSeconds: number;
};

/** @throws Error when the text is not what the kernel writes */
export function parseCpuTimes(text: string): CpuTimes {
  const cores = new Map<number, CpuTicks>();
  let total: CpuTicks | undefined;
  let at = 0;
  while (text.startsWith('cpu', at)) {
    const end = lineEnd(text, at);
    const fields = text.slice(at, end).split(/ +/);
    const ticks = toTicks(fields);
    if (fields[0] === 'cpu') total = ticks;
    else cores.set(Number(fields[0]!.slice(3)), ticks);
    at = end + 1;
  }
  const boot = text.indexOf('\nbtime ', at - 1);
  const bootTimeSeconds = Number.parseInt(text.slice(boot + 7, boot + 27), 10);
  if (total === undefined || boot < 0 || !Number.isFinite(bootTimeSeconds))
    throw new Error('/proc/stat is not readable');
  return { total, cores, bootTimeSeconds };
}

const lineEnd = (text: string, from: number): number => {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
};

function toTicks(fields: readonly string[]): CpuTicks {
  const field = (i: number): number => {
    const value = Number(fields[i] ?? '0');
    if (!Number.isFinite(value)) throw new Error('/proc/stat is not readable');
    return value;
  };
  return {
    user: field(1),
    nice: field(2),
    system: field(3),
    idle: field(4),
    iowait: field(5),
    irq: field(6),
    softirq: field(7),
    steal: field(8),
  };
}

/**
 * Share of time the CPU did not wait, 0 to 100, as psutil's `cpu_percent`: waiting for a disk counts as idle, stolen time as busy.
 * @returns undefined when no tick passed between the two readings
 */
export function cpuPercent(before: CpuTicks, after: CpuTicks): number | undefined {
  // Single counters may step back a little (iowait does, proc(5)); that is no negative time.
  const passed = (name: keyof CpuTicks): number => Math.max(0, after[name] - before[name]);
  const waited = passed('idle') + passed('iowait');
  const busy = passed('user') + passed('nice') + passed('system') + passed('irq') + passed('softirq') + passed('steal');
  return waited + busy === 0 ? undefined : (100 * busy) / (waited + busy);
}

/** Runnable tasks averaged over 1, 5 and 15 minutes. */
export function parseLoadAverage(text: string): readonly [number, number, number] {
  const [one, five, fifteen] = text.split(' ').map(Number);
  if (one === undefined || five === undefined || fifteen === undefined || Number.isNaN(one + five + fifteen))
    throw new Error('/proc/loadavg is not readable');
  return [one, five, fifteen];
}

/** Physical cores: distinct pairs of socket and core. Undefined where the kernel does not tell (many ARM machines). */
export function parsePhysicalCores(cpuinfo: string): number | undefined {
  const cores = new Set<string>();
  for (const block of cpuinfo.split('\n\n')) {
    const socket = /^physical id\s*: (\d+)$/m.exec(block)?.[1];
    const core = /^core id\s*: (\d+)$/m.exec(block)?.[1];
    if (socket !== undefined && core !== undefined) cores.add(`${socket}:${core}`);
  }
  return cores.size === 0 ? undefined : cores.size;
}

/** Seconds since boot, suspended time included. */
export function parseUptime(text: string): number {
  const seconds = Number.parseFloat(text);
  if (!Number.isFinite(seconds)) throw new Error('/proc/uptime is not readable');
  return seconds;
}
