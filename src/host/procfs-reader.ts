import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';

/** Small files of the kernel. Everything answers undefined for what is not there, no longer there, or not ours to read. */
export type ProcfsReader = {
  text(path: string): string | undefined;
  bytes(path: string): Buffer | undefined;
  list(path: string): readonly string[] | undefined;
  link(path: string): string | undefined;
  /** Closes what is kept open below this path. */
  forget(prefix: string): void;
  close(): void;
};

/**
 * Reads synchronously, on descriptors that stay open, into one buffer: the kernel makes these files up in memory, so nothing waits
 * for a disk, and a trip through the thread pool would cost several times the read itself. A descriptor of `/proc/<pid>/…` stays with
 * its process: after that one died it reads nothing, even when the pid is used again.
 * @param root what stands before each path; empty for the machine itself
 */
export function createProcfsReader(root = ''): ProcfsReader {
  const kept = new Map<string, number>();
  let buffer = Buffer.allocUnsafe(32_768);

  const drop = (path: string): void => {
    const fd = kept.get(path);
    kept.delete(path);
    if (fd !== undefined) closeSync(fd);
  };

  return {
    text(path) {
      try {
        let fd = kept.get(path);
        if (fd === undefined) {
          fd = openSync(root + path, 'r');
          kept.set(path, fd);
        }
        for (;;) {
          const length = readAll(fd, buffer, path.endsWith('/mountinfo') ? 0 : shortBytes);
          if (length < buffer.length) return buffer.toString('utf8', 0, length);
          buffer = Buffer.allocUnsafe(buffer.length * 2);
        }
      } catch {
        drop(path);
        return undefined;
      }
    },
    bytes: (path) => orUndefined(() => readFileSync(root + path)),
    list: (path) => orUndefined(() => readdirSync(root + path)),
    link: (path) => orUndefined(() => readlinkSync(root + path)),
    forget(prefix) {
      for (const path of [...kept.keys()]) if (path.startsWith(prefix)) drop(path);
    },
    close() {
      for (const path of [...kept.keys()]) drop(path);
    },
  };
}

/**
 * A piece ends where the next record does not fit into the rest of its page, and no record is as long as most of a page: a first piece
 * as short as this is all there is, and need not be asked for more. Only mounts may have records of any length.
 */
const shortBytes = 1_024;

/** Some files (`/proc/net/dev`, `mountinfo`) come in pieces of a page, however large the buffer is. */
function readAll(fd: number, buffer: Buffer, wholeBelow: number): number {
  let length = 0;
  for (;;) {
    const read = readSync(fd, buffer, length, buffer.length - length, length);
    length += read;
    if (read === 0 || length === buffer.length || length < wholeBelow) return length;
  }
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
