import { readdirSync, readFileSync } from 'node:fs';

/** A process by one of three signs; which it is may change with each restart. */
export type NamedProcess = {
  readonly name: string;
  readonly pidFile?: string | undefined;
  readonly port?: number | undefined;
  /** Of its command line; `*` stands for anything. */
  readonly command?: string | undefined;
  /** Where it keeps temporary files; entries of it are counted. */
  readonly temporaryFolder?: string | undefined;
};

/** A look over all processes costs a read each, so one that is not there is looked for no more often than this. */
const searchEveryMs = 60_000;

/** @param portHolder who listens on a port of this machine */
export function createProcessFinder(options: {
  of: NamedProcess;
  portHolder(port: number): Promise<{ readonly pid: number } | undefined>;
  monotonic(): number;
  root?: string;
}): () => Promise<number | undefined> {
  const { of, portHolder, monotonic, root = '/proc' } = options;
  let known: { pid: number; began: string } | undefined;
  let searchedMs = Number.NEGATIVE_INFINITY;

  const search = async (): Promise<number | undefined> => {
    if (of.pidFile !== undefined) return pidIn(of.pidFile);
    if (of.port !== undefined) return (await portHolder(of.port))?.pid;
    return of.command === undefined ? undefined : oldestWith(root, patternOf(of.command));
  };
  return async () => {
    // A pid alone proves nothing: it may belong to somebody else by now.
    if (known && beganAt(root, known.pid) === known.began) return known.pid;
    known = undefined;
    if (monotonic() - searchedMs < searchEveryMs) return undefined;
    searchedMs = monotonic();
    const pid = await search();
    const began = pid === undefined ? undefined : beganAt(root, pid);
    if (pid === undefined || began === undefined) return undefined;
    searchedMs = Number.NEGATIVE_INFINITY;
    known = { pid, began };
    return pid;
  };
}

function pidIn(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

const patternOf = (command: string): RegExp =>
  new RegExp(
    command
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*'),
  );

/** Of several the one that was there first: workers are the children of it. */
function oldestWith(root: string, pattern: RegExp): number | undefined {
  let oldest: { pid: number; began: number } | undefined;
  for (const name of readdirSync(root)) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const began = beganAt(root, pid);
    if (began === undefined || !pattern.test(commandLine(root, pid))) continue;
    if (oldest === undefined || Number(began) < oldest.began) oldest = { pid, began: Number(began) };
  }
  return oldest?.pid;
}

function commandLine(root: string, pid: number): string {
  try {
    return readFileSync(`${root}/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 4_096);
  } catch {
    return '';
  }
}

/** Ticks after boot: with the pid it names a process for good. */
function beganAt(root: string, pid: number): string | undefined {
  try {
    const stat = readFileSync(`${root}/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
