/** How far a phase has come. Totals are null while they are not known. */
export type Progress = {
  readonly bytesDone: number;
  readonly bytesTotal: number | null;
  readonly filesDone: number;
  readonly filesTotal: number | null;
  /** Smoothed over the last seconds; null before it was measured. */
  readonly rateBytesPerSecond: number | null;
  readonly remainingSeconds: number | null;
  /** 0 to 100 with one decimal; null without a total. */
  readonly percent: number | null;
};

export type ProgressUpdate = Partial<Pick<Progress, 'bytesDone' | 'bytesTotal' | 'filesDone' | 'filesTotal'>>;

/** What the next update is measured against. Times are monotonic milliseconds. */
export type Meter = {
  readonly progress: Progress;
  readonly sampledAtMs: number;
  readonly sampledBytes: number;
  readonly sampledFiles: number;
  readonly filesPerSecond: number | null;
};

/** Shorter spans measure buffers, not speed. */
const leastSpanMs = 250;
/** The time over which an old speed fades. */
const smoothingMs = 5_000;

export const emptyProgress: Progress = {
  bytesDone: 0,
  bytesTotal: null,
  filesDone: 0,
  filesTotal: null,
  rateBytesPerSecond: null,
  remainingSeconds: null,
  percent: null,
};

export const startMeter = (nowMs: number): Meter => ({
  progress: emptyProgress,
  sampledAtMs: nowMs,
  sampledBytes: 0,
  sampledFiles: 0,
  filesPerSecond: null,
});

/** Pure. With an empty update it lets the speed of a stalled phase fade. */
export function advanceMeter(meter: Meter, update: ProgressUpdate, nowMs: number): Meter {
  const counts = { ...meter.progress, ...update };
  const spanMs = nowMs - meter.sampledAtMs;
  const measured = spanMs >= leastSpanMs;
  const bytesPerSecond = measured
    ? smooth(meter.progress.rateBytesPerSecond, counts.bytesDone - meter.sampledBytes, spanMs)
    : meter.progress.rateBytesPerSecond;
  const filesPerSecond = measured
    ? smooth(meter.filesPerSecond, counts.filesDone - meter.sampledFiles, spanMs)
    : meter.filesPerSecond;
  return {
    progress: {
      ...counts,
      rateBytesPerSecond: bytesPerSecond,
      remainingSeconds:
        remaining(counts.bytesDone, counts.bytesTotal, bytesPerSecond) ??
        remaining(counts.filesDone, counts.filesTotal, filesPerSecond),
      percent: share(counts.bytesDone, counts.bytesTotal) ?? share(counts.filesDone, counts.filesTotal),
    },
    sampledAtMs: measured ? nowMs : meter.sampledAtMs,
    sampledBytes: measured ? counts.bytesDone : meter.sampledBytes,
    sampledFiles: measured ? counts.filesDone : meter.sampledFiles,
    filesPerSecond,
  };
}

function smooth(before: number | null, amount: number, spanMs: number): number {
  const now = (Math.max(0, amount) * 1_000) / spanMs;
  if (before === null) return now;
  const weight = 1 - Math.exp(-spanMs / smoothingMs);
  return before + (now - before) * weight;
}

function remaining(done: number, total: number | null, perSecond: number | null): number | null {
  if (total === null || total === 0 || perSecond === null) return null;
  if (done >= total) return 0;
  // Slower than one byte or a thousandth of a file a second is standing still: no number is better than a wild one.
  return perSecond < 0.001 ? null : Math.ceil((total - done) / perSecond);
}

function share(done: number, total: number | null): number | null {
  if (total === null || total === 0) return null;
  return Math.min(100, Math.max(0, Math.floor((1_000 * done) / total) / 10));
}
