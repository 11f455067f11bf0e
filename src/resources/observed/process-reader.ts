import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { MeasureName } from './measure.ts';

/** Reading a link costs some microseconds; beyond this many descriptors only their number is told. */
const mostLinks = 4_096;
const mostThreads = 64;
const mostNamespaces = 50;
/** A table of sockets beyond this is left: joining it would cost more than it tells. Bytes. */
const largestSocketTable = 2_097_152;

export type ProcessLook = {
  /** Seconds since it began. */
  readonly upSeconds: number;
  readonly values: Readonly<Partial<Record<MeasureName, number>>>;
  /** TCP sockets by state, in the kernel's words. */
  readonly socketStates: Readonly<Record<string, number>>;
};

export type ProcessReader = {
  /** Undefined where there is no such process, or none that may be looked at. */
  read(pid: number, temporaryFolder?: string): ProcessLook | undefined;
};

/** The kernel walks all its sockets for these tables, which takes it tens of milliseconds: they are read this often, once for all. */
const socketTableEveryMs = 60_000;

/** What one process holds, as `/proc` tells it (proc(5)). Everything that cannot be read is left out, never zero. */
export function createProcessReader({
  root = '/proc',
  monotonic = () => performance.now(),
}: {
  root?: string;
  monotonic?: () => number;
} = {}): ProcessReader {
  const pageBytes = 4_096;
  const ticksPerSecond = 100;
  /** State by inode, of each network namespace. */
  const tables = new Map<string, { readonly atMs: number; readonly states: SocketStates }>();
  /** Undefined where they cannot be told. */
  const statesOf = (folder: string, inodes: readonly string[]): Record<string, number> | undefined => {
    const counts: Record<string, number> = {};
    if (inodes.length === 0) return counts;
    const namespace = linkOf(`${folder}/ns/net`) ?? folder;
    let table = tables.get(namespace);
    if (table === undefined || monotonic() - table.atMs >= socketTableEveryMs) {
      const states = readSocketStates(folder);
      if (states === undefined) return undefined;
      table = { atMs: monotonic(), states };
      if (tables.size >= mostNamespaces) tables.clear();
      tables.set(namespace, table);
    }
    if (table.states === 'too many') return undefined;
    for (const inode of inodes) {
      const word = table.states.get(inode);
      if (word !== undefined) counts[word] = (counts[word] ?? 0) + 1;
    }
    return counts;
  };
  return {
    read(pid, temporaryFolder) {
      const folder = `${root}/${pid}`;
      const stat = textOf(`${folder}/stat`);
      const uptime = Number.parseFloat(textOf(`${root}/uptime`) ?? '');
      if (stat === undefined || Number.isNaN(uptime)) return undefined;
      // The name stands in parentheses and may itself hold spaces and parentheses.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const field = (number: number): number => Number(fields[number - 3]);
      const upSeconds = Math.max(0, uptime - field(22) / ticksPerSecond);
      const values: Partial<Record<MeasureName, number>> = {
        memory: residentBytes(textOf(`${folder}/status`)) ?? field(24) * pageBytes,
        threads: field(20),
      };
      const children = countChildren(folder);
      if (children !== undefined) values.children = children;
      const numbers = namesIn(`${folder}/fd`);
      let socketStates: Record<string, number> = {};
      if (numbers !== undefined) {
        values.descriptors = numbers.length;
        const links = numbers.slice(0, mostLinks).flatMap((number) => linkOf(`${folder}/fd/${number}`) ?? []);
        const sockets = links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
        values.sockets = sockets.length;
        const states = statesOf(folder, sockets);
        if (states !== undefined) {
          socketStates = states;
          values.sockets_close_wait = states.close_wait ?? 0;
        }
        values.temporary_files = links.filter(isTemporary).length;
      }
      if (temporaryFolder !== undefined) {
        const lying = namesIn(temporaryFolder);
        if (lying !== undefined) values.temporary_files = lying.length;
      }
      return { upSeconds, values, socketStates };
    },
  };
}

const temporaryFolders = [`${tmpdir()}/`, '/tmp/', '/var/tmp/'];
/** Open below a folder of temporary files, or deleted and still held. Shared memory and the like is neither. */
const isTemporary = (link: string): boolean => {
  if (temporaryFolders.some((folder) => link.startsWith(folder))) return true;
  return (
    link.startsWith('/') && link.endsWith(' (deleted)') && !link.startsWith('/dev/') && !link.startsWith('/memfd:')
  );
};

/** Without what it shares with others through files: their pages come and go with the cache of the system. */
function residentBytes(status: string | undefined): number | undefined {
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status ?? '')?.[1]);
  const own = kilobytes('RssAnon') + kilobytes('RssShmem');
  return Number.isNaN(own) ? undefined : own * 1_024;
}

/** Children of each of its threads; undefined where the kernel does not tell them. */
function countChildren(folder: string): number | undefined {
  const threads = namesIn(`${folder}/task`);
  if (threads === undefined) return undefined;
  let count = 0;
  for (const thread of threads.slice(0, mostThreads)) {
    const text = textOf(`${folder}/task/${thread}/children`);
    if (text === undefined) continue;
    count += text.trim() === '' ? 0 : text.trim().split(' ').length;
  }
  return count;
}

/** include/net/tcp_states.h */
const tcpStates: Readonly<Record<string, string>> = {
  '01': 'established',
  '02': 'syn_sent',
  '03': 'syn_recv',
  '04': 'fin_wait1',
  '05': 'fin_wait2',
  '06': 'time_wait',
  '08': 'close_wait',
  '09': 'last_ack',
  '0A': 'listen',
  '0B': 'closing',
};

/** By inode. */
type SocketStates = ReadonlyMap<string, string> | 'too many';

/** Undefined where the process went meanwhile: the others of its network may still be told. */
function readSocketStates(folder: string): SocketStates | undefined {
  const states = new Map<string, string>();
  const texts = ['tcp', 'tcp6'].map((table) => textOf(`${folder}/net/${table}`));
  // One may be absent: a machine without IPv6.
  if (texts.every((text) => text === undefined)) return undefined;
  if (texts.includes(undefined) && textOf(`${folder}/stat`) === undefined) return undefined;
  for (const text of texts) {
    if (text === undefined) continue;
    if (text.length > largestSocketTable) return 'too many';
    for (const line of text.split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/);
      const [state, inode] = [columns[3], columns[9]];
      if (state !== undefined && inode !== undefined) states.set(inode, tcpStates[state] ?? 'other');
    }
  }
  return states;
}

const textOf = (path: string): string | undefined => orUndefined(() => readFileSync(path, 'utf8'));
const namesIn = (path: string): string[] | undefined => orUndefined(() => readdirSync(path));
const linkOf = (path: string): string | undefined => orUndefined(() => readlinkSync(path));

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
