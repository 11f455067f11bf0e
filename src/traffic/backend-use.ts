/** What the backend's process took, read again and again. */
export type BackendReading = {
  readonly atMs: number;
  /** Of one core, since the reading before; undefined at the first one of a process. */
  readonly cpuPercent: number | undefined;
  readonly residentBytes: number;
};

export type BackendUse = {
  readonly cpuSeconds: number;
  readonly peakResidentBytes: number;
  /** Of the window, in which readings were taken. */
  readonly coveredMs: number;
};

export type BackendUseLog = {
  add(reading: BackendReading): void;
  /** Undefined when the process was not seen in that time. */
  between(fromMs: number, toMs: number): BackendUse | undefined;
};

/** A reading per five seconds over a day. */
const mostReadings = 17_280;
/** After a longer silence nothing is claimed about what lies between two readings. */
const longestGapMs = 600_000;

export function createBackendUseLog(): BackendUseLog {
  let readings: BackendReading[] = [];
  return {
    add(reading) {
      readings.push(reading);
      // In a batch, so that the list is not moved at each reading.
      if (readings.length > mostReadings * 1.1) readings = readings.slice(-mostReadings);
    },
    between(fromMs, toMs) {
      let cpuSeconds = 0;
      let peakResidentBytes = 0;
      let coveredMs = 0;
      let before: BackendReading | undefined;
      for (const reading of readings) {
        const { atMs, cpuPercent, residentBytes } = reading;
        if (atMs > toMs) break;
        if (atMs >= fromMs) {
          peakResidentBytes = Math.max(peakResidentBytes, residentBytes);
          const overMs = before === undefined ? 0 : atMs - Math.max(before.atMs, fromMs);
          if (cpuPercent !== undefined && overMs > 0 && overMs <= longestGapMs) {
            cpuSeconds += (cpuPercent / 100) * (overMs / 1_000);
            coveredMs += overMs;
          }
        }
        before = reading;
      }
      return coveredMs > 0 ? { cpuSeconds, peakResidentBytes, coveredMs } : undefined;
    },
  };
}
