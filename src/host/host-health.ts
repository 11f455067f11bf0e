import type { HostSample } from './host.ts';

/** Percent, 0 to 100; a value is over a threshold when it is greater, not when it is equal. */
export type HostLimits = { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number };

export type HostThresholds = {
  readonly warning: HostLimits;
  readonly critical: HostLimits;
  /** How long CPU and memory must stay over a threshold before it counts (at most an hour); a full disk counts at once. */
  readonly windowMs: number;
};

export const defaultHostThresholds: HostThresholds = {
  warning: { cpuPercent: 80, memoryPercent: 85, diskPercent: 80 },
  critical: { cpuPercent: 90, memoryPercent: 90, diskPercent: 90 },
  windowMs: 60_000,
};

/** What is kept of earlier samples to tell how long something lasted. */
export type HostLoad = { readonly takenAtMs: number; readonly cpuPercent: number; readonly memoryPercent: number };

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
  const cpuPercent = sample.cpu.percent;
  const memoryPercent = sample.memory.percent;
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
  const checks = {
    cpu: check(
      cpuPercent,
      severityOfHeld(cpuPercent, (l) => l.cpuPercent, warning.cpuPercent, critical.cpuPercent),
    ),
    memory: check(
      memoryPercent,
      severityOfHeld(memoryPercent, (l) => l.memoryPercent, warning.memoryPercent, critical.memoryPercent),
    ),
    disk:
      fullest === undefined
        ? unknownCheck
        : check(fullest.percent, severityOf(fullest.percent, warning.diskPercent, critical.diskPercent)),
  };
  const reasons: string[] = [];
  const seconds = Math.round(windowMs / 1_000);
  if (checks.cpu.status !== 'healthy') reasons.push(`CPU at ${round(cpuPercent)} % for at least ${seconds} s.`);
  if (checks.memory.status !== 'healthy')
    reasons.push(`Memory at ${round(memoryPercent)} % for at least ${seconds} s.`);
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
