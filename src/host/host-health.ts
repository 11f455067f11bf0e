import type { HostSample } from './host.ts';

/** Percent, 0 to 100; a value is over a threshold when it is greater, not when it is equal. */
export type HostLimits = { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number };

export type HostThresholds = {
  readonly warning: HostLimits;
  readonly critical: HostLimits;
  /** Of the time in which nobody got on because all waited for memory. */
  readonly memoryPressureWarningPercent: number;
  /** How long CPU and memory must stay over a threshold before it counts (at most an hour); a full disk counts at once. */
  readonly windowMs: number;
};

export const defaultHostThresholds: HostThresholds = {
  warning: { cpuPercent: 80, memoryPercent: 85, diskPercent: 80 },
  critical: { cpuPercent: 90, memoryPercent: 90, diskPercent: 90 },
  // Systems that end processes for pressure do so at 40 to 60 %; at 10 % every answer already takes noticeably longer.
  memoryPressureWarningPercent: 10,
  windowMs: 60_000,
};

/** What is judged, and kept of earlier samples to tell how long something lasted. */
export type HostLoad = {
  readonly takenAtMs: number;
  readonly cpuPercent: number;
  readonly memoryPercent: number;
  readonly memoryPressurePercent: number;
};

/**
 * A container's limit is as final as the machine's memory, and a machine that its neighbours fill is as full as one of our own: of
 * both figures the worse one counts.
 */
export function loadOf({ takenAtMs, cpu, memory, pressure, container }: HostSample): HostLoad {
  return {
    takenAtMs,
    cpuPercent: Math.max(cpu.percent, container?.cpu?.percent ?? 0),
    memoryPercent: Math.max(memory.percent, container?.memory?.percent ?? 0),
    memoryPressurePercent: Math.max(pressure?.memory?.full?.avg10 ?? 0, container?.pressure?.memory?.full?.avg10 ?? 0),
  };
}

export type HostSeverity = 'none' | 'warning' | 'critical';

export type HostCheck = {
  /** `warning` stands for critical too, as the documented field has only these words; `severity` keeps them apart. */
  readonly status: 'healthy' | 'warning' | 'unknown';
  readonly severity: HostSeverity;
  readonly percent: number | undefined;
};

export type HostHealth = {
  readonly overall: 'healthy' | 'degraded' | 'critical' | 'unknown';
  readonly checks: { readonly cpu: HostCheck; readonly memory: HostCheck; readonly disk: HostCheck };
  /** One sentence per check that is not healthy. */
  readonly reasons: readonly string[];
};

const unknownCheck: HostCheck = { status: 'unknown', severity: 'none', percent: undefined };

/**
 * Judges the newest sample. Unknown before the first one and when it is stale; otherwise the worst check decides.
 * @param window earlier samples and the newest, oldest first
 * @param at `staleAfterMs`: a sample older than this says nothing about now
 */
export function decideHostHealth(
  sample: HostSample | undefined,
  thresholds: HostThresholds,
  window: readonly HostLoad[],
  at: { readonly nowMs: number; readonly staleAfterMs: number },
): HostHealth {
  if (sample === undefined || at.nowMs - sample.takenAtMs > at.staleAfterMs)
    return {
      overall: 'unknown',
      checks: { cpu: unknownCheck, memory: unknownCheck, disk: unknownCheck },
      reasons: [sample === undefined ? 'The host was not sampled yet.' : 'The last sample of the host is too old.'],
    };
  const { warning, critical, windowMs } = thresholds;
  const held = (of: (load: HostLoad) => number, limit: number): boolean =>
    lastsMs(window, of, limit, sample.takenAtMs) >= windowMs;
  const { cpuPercent, memoryPercent, memoryPressurePercent } = loadOf(sample);
  const severityOfHeld = (
    percent: number,
    of: (load: HostLoad) => number,
    warn: number,
    crit: number,
  ): HostSeverity => {
    if (percent > crit && held(of, crit)) return 'critical';
    return percent > warn && held(of, warn) ? 'warning' : 'none';
  };
  const fullest = fullestDisk(sample);
  const ofMemory = severityOfHeld(memoryPercent, (l) => l.memoryPercent, warning.memoryPercent, critical.memoryPercent);
  const pressed =
    memoryPressurePercent > thresholds.memoryPressureWarningPercent &&
    held((l) => l.memoryPressurePercent, thresholds.memoryPressureWarningPercent);
  const checks = {
    cpu: check(
      cpuPercent,
      severityOfHeld(cpuPercent, (l) => l.cpuPercent, warning.cpuPercent, critical.cpuPercent),
    ),
    memory: check(memoryPercent, pressed && ofMemory === 'none' ? 'warning' : ofMemory),
    disk:
      fullest === undefined
        ? unknownCheck
        : check(fullest.percent, severityOf(fullest.percent, warning.diskPercent, critical.diskPercent)),
  };
  const reasons: string[] = [];
  const lasting = `for at least ${Math.round(windowMs / 1_000)} s.`;
  const { container } = sample;
  if (checks.cpu.status !== 'healthy')
    reasons.push(
      container?.cpu?.limitCores !== undefined && (container.cpu.percent ?? 0) >= sample.cpu.percent
        ? `CPU at ${round(cpuPercent)} % of the container's limit of ${round(container.cpu.limitCores)} cores ${lasting}`
        : `CPU at ${round(cpuPercent)} % ${lasting}`,
    );
  if (ofMemory !== 'none')
    reasons.push(
      container?.memory?.limitBytes !== undefined && (container.memory.percent ?? 0) >= sample.memory.percent
        ? `Memory at ${round(memoryPercent)} % of the container's limit of ${mebibytes(container.memory.limitBytes)} ${lasting}`
        : `Memory at ${round(memoryPercent)} % ${lasting}`,
    );
  if (pressed)
    reasons.push(`All work waited for memory during ${round(memoryPressurePercent)} % of the time ${lasting}`);
  if (fullest === undefined) reasons.push('No file system could be measured.');
  else if (checks.disk.status !== 'healthy')
    reasons.push(`The file system at ${fullest.path} is ${round(fullest.percent)} % full.`);
  return { overall: overallOf(Object.values(checks)), checks, reasons };
}

/** Of `/`, the data folder and the configured paths, the one with the least room, since each of them stops something when full. */
function fullestDisk(sample: HostSample): { readonly path: string; readonly percent: number } | undefined {
  let fullest: { readonly path: string; readonly percent: number } | undefined;
  for (const disk of [sample.rootDisk, sample.dataDisk, ...sample.disks])
    if (disk !== undefined && (fullest === undefined || disk.percent > fullest.percent)) fullest = disk;
  return fullest;
}

/** For how long, up to now, every sample was over the limit. */
function lastsMs(window: readonly HostLoad[], of: (load: HostLoad) => number, limit: number, nowMs: number): number {
  let since = nowMs;
  for (let i = window.length - 1; i >= 0; i -= 1) {
    const load = window[i]!;
    if (of(load) <= limit) break;
    since = load.takenAtMs;
  }
  return nowMs - since;
}

const severityOf = (percent: number, warning: number, critical: number): HostSeverity =>
  percent > critical ? 'critical' : percent > warning ? 'warning' : 'none';

const check = (percent: number, severity: HostSeverity): HostCheck => ({
  status: severity === 'none' ? 'healthy' : 'warning',
  severity,
  percent,
});

function overallOf(checks: readonly HostCheck[]): HostHealth['overall'] {
  if (checks.some((c) => c.severity === 'critical')) return 'critical';
  if (checks.some((c) => c.severity === 'warning')) return 'degraded';
  return checks.some((c) => c.status === 'unknown') ? 'unknown' : 'healthy';
}

const round = (percent: number): number => Math.round(percent * 10) / 10;
const mebibytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;
