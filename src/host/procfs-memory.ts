/** Bytes. `used` is everything that is not available (as `free` since procps 4), so that it agrees with `percent`. */
export type MemoryReading = {
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  /** (total − available) / total, as psutil. */
  readonly percent: number;
  readonly swapTotalBytes: number;
  readonly swapUsedBytes: number;
  /** 0 where there is no swap, as psutil. */
  readonly swapPercent: number;
};

/** @throws Error when `/proc/meminfo` lacks what every kernel since 3.14 writes */
export function parseMemory(meminfo: string): MemoryReading {
  const bytes = (name: string): number => {
    const at = meminfo.startsWith(`${name}:`) ? 0 : meminfo.indexOf(`\n${name}:`) + 1;
    const kib =
      at === 0 && !meminfo.startsWith(`${name}:`)
        ? Number.NaN
        : Number.parseInt(meminfo.slice(at + name.length + 1, at + name.length + 32), 10);
    if (!Number.isFinite(kib)) throw new Error(`/proc/meminfo has no ${name}`);
    return kib * 1024;
  };
  const totalBytes = bytes('MemTotal');
  // A container may report more available than it may use in all.
  const availableBytes = Math.min(bytes('MemAvailable'), totalBytes);
  const swapTotalBytes = bytes('SwapTotal');
  const swapUsedBytes = Math.max(0, swapTotalBytes - bytes('SwapFree'));
  const usedBytes = totalBytes - availableBytes;
  return {
    totalBytes,
    availableBytes,
    usedBytes,
    percent: totalBytes === 0 ? 0 : (100 * usedBytes) / totalBytes,
    swapTotalBytes,
    swapUsedBytes,
    swapPercent: swapTotalBytes === 0 ? 0 : (100 * swapUsedBytes) / swapTotalBytes,
  };
}
