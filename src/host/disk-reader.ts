import { statfs } from 'node:fs/promises';
import type { Clock } from '../platform/clock.ts';

/** Bytes, as `df` has them. */
export type DiskSample = {
  readonly path: string;
  readonly totalBytes: number;
  readonly usedBytes: number;
  /** What an ordinary user may still write; blocks kept for root are neither used nor free. */
  readonly freeBytes: number;
  /** used / (used + free), as `df` and psutil, so that 100 means that nobody but root can write. */
  readonly percent: number;
  readonly readAtMs: number;
};

export type DiskReader = {
  /** Undefined when the path is not there, or its file system does not answer in time and never did. */
  read(path: string): Promise<DiskSample | undefined>;
};

/**
 * `statfs` goes through the thread pool because a file system on a dead disk or server never answers: such a path keeps one thread
 * waiting, is not asked again until it answers, and shows its last reading with the time at which it was taken.
 */
export function createDiskReader(options: { clock: Clock; timeoutMs?: number }): DiskReader {
  const { clock, timeoutMs = 500 } = options;
  const pending = new Map<string, Promise<DiskSample | undefined>>();
  const last = new Map<string, DiskSample>();

  const ask = async (path: string): Promise<DiskSample | undefined> => {
    try {
      const { bsize, blocks, bfree, bavail } = await statfs(path);
      const usedBytes = (blocks - bfree) * bsize;
      const freeBytes = bavail * bsize;
      const sample: DiskSample = {
        path,
        totalBytes: blocks * bsize,
        usedBytes,
        freeBytes,
        percent: usedBytes + freeBytes === 0 ? 0 : (100 * usedBytes) / (usedBytes + freeBytes),
        readAtMs: clock.now(),
      };
      last.set(path, sample);
      return sample;
    } catch {
      last.delete(path);
      return undefined;
    } finally {
      pending.delete(path);
    }
  };

  return {
    async read(path) {
      if (pending.has(path)) return last.get(path);
      const asked = ask(path);
      pending.set(path, asked);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<DiskSample | undefined>((resolve) => {
        timer = setTimeout(() => resolve(last.get(path)), timeoutMs);
      });
      try {
        return await Promise.race([asked, late]);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
