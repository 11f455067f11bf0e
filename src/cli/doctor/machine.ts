import { readFile, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { formatBytes, formatDuration } from '../format.ts';
import { type Check, fail, ok, skipped, warn } from './check.ts';

const readText = (path: string): Promise<string | undefined> =>
  readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What tells that a service keeps the clock right; none of them is visible inside most containers. */
const timeServices = [
  ['/run/systemd/timesync/synchronized', 'systemd-timesyncd has set it'],
  ['/run/chrony/chronyd.pid', 'chronyd keeps it'],
  ['/run/chronyd.pid', 'chronyd keeps it'],
  ['/run/ntpd.pid', 'ntpd keeps it'],
] as const;

/** Points are named and kept by time and tokens end by it, so a clock that was never set would spoil all of them. */
export const clockCheck: Check = {
  id: 'clock',
  what: 'clock',
  async look({ nowMs }) {
    const now = new Date(nowMs).toISOString();
    if (new Date(nowMs).getUTCFullYear() < 2026) return fail(`it says ${now}`, 'timedatectl set-ntp true');
    for (const [path, words] of timeServices) if (await exists(path)) return ok(`${now}; ${words}`);
    if (await exists('/run/systemd/timesync'))
      return warn(`${now}; systemd-timesyncd runs and has not set it yet`, 'timedatectl timesync-status');
    return ok(`${now}; what keeps it right cannot be seen from here`);
  },
};

const scarceMemoryBytes = 256 * 1024 * 1024;

/** The least of what the machine and each enclosing control group leave. */
export const memoryCheck: Check = {
  id: 'memory',
  what: 'memory',
  async look() {
    const meminfo = await readText('/proc/meminfo');
    const available = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo ?? '')?.[1];
    if (available === undefined) return skipped('this system does not tell it');
    const machine = Number(available) * 1024;
    const limit = Number((await readText('/sys/fs/cgroup/memory.max')) ?? Number.NaN);
    const used = Number((await readText('/sys/fs/cgroup/memory.current')) ?? Number.NaN);
    const group = Number.isFinite(limit) && Number.isFinite(used) ? Math.max(0, limit - used) : undefined;
    const left = Math.min(machine, group ?? machine);
    const detail = `${formatBytes(left)} left${group === undefined ? '' : ` of the ${formatBytes(limit)} this control group may use`}; ${availableParallelism()} processors`;
    return left < scarceMemoryBytes
      ? warn(detail, 'Give it more memory: restic and the backend share what is there.')
      : ok(detail);
  },
};

const leastOpenFiles = 1024;

export const openFilesCheck: Check = {
  id: 'open-files',
  what: 'open files',
  async look() {
    const limits = await readText('/proc/self/limits');
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits ?? '')?.[1];
    if (soft === undefined) return skipped('this system does not tell the limit');
    return soft !== 'unlimited' && Number(soft) < leastOpenFiles
      ? warn(`at most ${soft}`, 'ulimit -n 65536 (LimitNOFILE= in a systemd unit)')
      : ok(`up to ${soft}`);
  },
};

const smallSkewMs = 5_000;
const greatSkewMs = 300_000;

/**
 * @param told what the other side's clock said, epoch milliseconds, told in whole seconds
 * @param between when it was asked and when it had answered by our clock
 */
export function judgeSkew(told: number, between: readonly [askedMs: number, answeredMs: number]) {
  const [askedMs, answeredMs] = between;
  // It may have looked at its clock at any moment between, and cut off up to a second.
  const aheadMs = told - answeredMs;
  const behindMs = askedMs - (told + 999);
  const skewMs = Math.max(aheadMs, behindMs, 0);
  const words =
    skewMs < 1_000
      ? 'both agree'
      : `its clock is ${formatDuration(skewMs)} ${aheadMs > behindMs ? 'ahead of' : 'behind'} this machine’s`;
  return skewMs >= greatSkewMs
    ? fail(words, 'Let NTP set both clocks: timedatectl set-ntp true')
    : skewMs >= smallSkewMs
      ? warn(words, 'Let NTP set both clocks: timedatectl set-ntp true')
      : ok(words);
}
