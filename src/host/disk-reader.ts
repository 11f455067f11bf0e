import { type StatsFs, statfs } from 'node:fs';
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
  /** Without a path that is not there, or whose file system does not answer in time and never did. */
  read(paths: readonly string[]): Promise<ReadonlyMap<string, DiskSample>>;
};

/**
 * `statfs` goes through the thread pool because a file system on a dead disk or server never answers: such a path keeps one thread
 * waiting, is not asked again until it answers, and shows its last reading with the time at which it was taken.
 */
export function createDiskReader(options: { clock: Clock; timeoutMs?: number }): DiskReader {
  const { clock, timeoutMs = 500 } = options;
  const pending = new Set<string>();
  const last = new Map<string, DiskSample>();

  const take = (path: string, found: StatsFs | undefined): DiskSample | undefined => {
    pending.delete(path);
    if (found === undefined) {
      last.delete(path);
      return undefined;
    }
    const { bsize, blocks, bfree, bavail } = found;
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
  };

  return {
    read(paths) {
      const found = new Map<string, DiskSample>();
      const show = (path: string, sample: DiskSample | undefined): void => {
        if (sample !== undefined) found.set(path, sample);
      };
      const awaited = new Set<string>();
      return new Promise((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          for (const path of awaited) show(path, last.get(path));
          awaited.clear();
          resolve(found);
        };
        // One for all of them: each of a timer and a promise of its own would cost more than the answer.
        const timer = setTimeout(end, timeoutMs);
        for (const path of new Set(paths)) {
          if (pending.has(path)) {
            show(path, last.get(path));
            continue;
          }
          pending.add(path);
          awaited.add(path);
          statfs(path, (err, stats) => {
            const sample = take(path, err === null ? stats : undefined);
            if (!awaited.delete(path)) return;
            show(path, sample);
            if (awaited.size === 0) end();
          });
        }
        if (awaited.size === 0) end();
      });
    },
  };
}
