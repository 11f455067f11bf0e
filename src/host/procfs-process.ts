/** What `/proc/<pid>/stat` tells about a process. */
export type ProcessStat = {
  readonly pid: number;
  /** User and system time of all its threads, in clock ticks. */
  readonly cpuTicks: number;
  readonly threads: number;
  /** Clock ticks after boot; with the pid it names a process for good. */
  readonly startTicks: number;
  readonly virtualBytes: number;
  readonly residentPages: number;
};

/** @throws Error when the text is not what the kernel writes */
export function parseProcessStat(text: string): ProcessStat {
  // The name stands in parentheses and may itself hold spaces and parentheses.
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const field = (number: number): number => Number(fields[number - 3] ?? Number.NaN);
  const stat = {
    pid: Number.parseInt(text, 10),
    cpuTicks: field(14) + field(15),
    threads: field(20),
    startTicks: field(22),
    virtualBytes: field(23),
    residentPages: field(24),
  };
  if (close < 0 || Object.values(stat).some(Number.isNaN)) throw new Error('/proc/<pid>/stat is not readable');
  return stat;
}

/** Units of the numbers above. */
export type ProcessUnits = { readonly ticksPerSecond: number; readonly pageBytes: number };

/** The auxiliary vector holds both (getauxval(3)): pairs of machine words, AT_PAGESZ is 6, AT_CLKTCK is 17. */
export function parseProcessUnits(auxv: Buffer): ProcessUnits {
  let ticksPerSecond = 100;
  let pageBytes = 4096;
  for (let at = 0; at + 16 <= auxv.length; at += 16) {
    const type = auxv.readBigUInt64LE(at);
    const value = Number(auxv.readBigUInt64LE(at + 8));
    if (type === 6n) pageBytes = value;
    if (type === 17n) ticksPerSecond = value;
  }
  return { ticksPerSecond, pageBytes };
}

export type DescriptorCounts = { readonly files: number; readonly sockets: number };

/** Of what `/proc/<pid>/fd/*` point at: files by path (devices and deleted ones aside), and sockets of every family. */
export function countDescriptors(links: readonly string[]): DescriptorCounts {
  let files = 0;
  let sockets = 0;
  for (const link of links) {
    if (link.startsWith('socket:[')) sockets += 1;
    else if (link.startsWith('/') && !link.startsWith('/dev/') && !link.endsWith(' (deleted)')) files += 1;
  }
  return { files, sockets };
}

export type ProcessIo = { readonly readBytes: number; readonly writtenBytes: number };

/** `/proc/<pid>/io`: what reached a disk, not what a cache answered. Undefined when the text is not what the kernel writes. */
export function parseProcessIo(text: string): ProcessIo | undefined {
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(text)?.[1]);
  const io = { readBytes: field('read_bytes'), writtenBytes: field('write_bytes') };
  return Number.isNaN(io.readBytes + io.writtenBytes) ? undefined : io;
}
