import { readdirSync, readFileSync } from 'node:fs';
import { systemCode } from '../errors.ts';

/** What `/proc/<pid>/stat` says of one process; the fields of proc(5) that tell processes and their families apart. */
type ProcessFacts = {
  readonly state: string;
  readonly group: number;
  readonly session: number;
  /** Field 22: clock ticks since boot at which the process began. With the pid it names one process for as long as the machine runs. */
  readonly startTicks: number;
};

/** The name of a program may hold spaces and brackets, so fields are counted from the last closing bracket. */
export function parseProcessStat(stat: string): ProcessFacts | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, , group, session] = fields;
  const startTicks = Number(fields[19]);
  if (state === undefined || !Number.isSafeInteger(startTicks)) return undefined;
  return { state, group: Number(group), session: Number(session), startTicks };
}

function readFacts(pid: number | string): ProcessFacts | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** Zombies run no more: they only wait for a parent that may never come (containers whose first process reaps nobody). */
const isAlive = (facts: ProcessFacts): boolean => !['Z', 'X', 'x'].includes(facts.state);

/** Start ticks of the living process with this pid; undefined when there is none, or when the system has no `/proc`. */
export function runningProcess(pid: number): number | undefined {
  const facts = readFacts(pid);
  return facts && isAlive(facts) ? facts.startTicks : undefined;
}

/**
 * As `runningProcess`, and 0 for one that lives and is not shown: of another user under `hidepid` or `ProtectProc`, or where the
 * system has no `/proc`. That a number is taken is not hidden by those.
 */
export function seenOrHidden(pid: number): number | undefined {
  const facts = readFacts(pid);
  // Zero and less would ask for whole groups.
  if (facts || pid < 1) return facts && isAlive(facts) ? facts.startTicks : undefined;
  try {
    process.kill(pid, 0);
    return 0;
  } catch (err) {
    return systemCode(err) === 'EPERM' ? 0 : undefined;
  }
}

/** The name of the program that a process runs, cut at 15 characters. Undefined where there is none, or no `/proc`. */
export function programOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Bytes that a process has read and written by now, of files, pipes and the net. Undefined where the system does not show it. */
function bytesOf(pid: number): { readonly read: number; readonly written: number } | undefined {
  try {
    const [, read, written] = /^rchar: (\d+)\nwchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1')) ?? [];
    return read === undefined ? undefined : { read: Number(read), written: Number(written) };
  } catch {
    return undefined;
  }
}

export function bytesMoved(pid: number): number | undefined {
  const bytes = bytesOf(pid);
  return bytes && bytes.read + bytes.written;
}

export const bytesWritten = (pid: number): number | undefined => bytesOf(pid)?.written;

/** Living processes of the session that `leaderPid` began, the leader included. Empty where there is no `/proc`. */
export function sessionMembers(leaderPid: number): number[] {
  let entries: string[];
  try {
    entries = readdirSync('/proc');
  } catch {
    return [];
  }
  return entries
    .filter((entry) => /^\d+$/.test(entry))
    .filter((entry) => {
      const facts = readFacts(entry);
      return facts !== undefined && facts.session === leaderPid && isAlive(facts);
    })
    .map(Number);
}

/** Changes with every boot, so a pid and start ticks written before it mean nothing after it. Empty where there is no `/proc`. */
export function readBootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '';
  }
}

/** Sends to one process (positive) or a whole group (negative); one that is already gone is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (err) {
    const code = err instanceof Error && 'code' in err ? err.code : undefined;
    if (code !== 'ESRCH' && code !== 'EPERM') throw err;
  }
}
