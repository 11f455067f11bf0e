import type { HostSample, ProcessSample } from './host.ts';

/** What the backend's process took between two readings. Figures that the system does not tell are undefined, never zero. */
export type Consumption = {
  /** Of the readings that were used: the first and the last inside the window that was asked for. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly cpuSeconds: number | undefined;
  readonly readBytes: number | undefined;
  readonly writtenBytes: number | undefined;
  readonly residentBytes: { readonly average: number; readonly greatest: number };
  readonly openDescriptors: { readonly greatest: number } | undefined;
};

export type ConsumptionLog = {
  /** Called with each sample; one without the backend's process is passed over. */
  note(sample: Pick<HostSample, 'takenAtMs' | 'targetProcess'>): void;
  /** Undefined while fewer than two readings lie in the window. Both ends are inclusive, epoch milliseconds. */
  between(fromMs: number, toMs: number): Consumption | undefined;
};

type Totals = Record<'cpuSeconds' | 'readBytes' | 'writtenBytes', number | undefined>;
/** Totals since the first reading, over every process that was the backend, so that readings in between may be dropped. */
type Reading = Totals & {
  readonly atMs: number;
  readonly residentBytes: number;
  /** Since the reading before. */
  greatestResidentBytes: number;
  greatestDescriptors: number | undefined;
};

const fineMs = 15 * 60_000;
const coarseStepMs = 60_000;
const keptMs = 24 * 3_600_000;
const counted = ['cpuSeconds', 'readBytes', 'writtenBytes'] as const;

/** Keeps each reading for a quarter of an hour, then one a minute for a day: about 1,600 of them. */
export function createConsumptionLog(): ConsumptionLog {
  let coarse: Reading[] = [];
  let fine: Reading[] = [];
  let before: ProcessSample | undefined;

  const thin = (nowMs: number): void => {
    let moved = 0;
    for (const reading of fine) {
      if (nowMs - reading.atMs <= fineMs) break;
      moved += 1;
      const last = coarse.at(-1);
      const next = fine[moved];
      if (last === undefined || reading.atMs - last.atMs >= coarseStepMs || next === undefined) coarse.push(reading);
      else {
        // What is dropped leaves its peaks to the reading after it.
        next.greatestResidentBytes = Math.max(next.greatestResidentBytes, reading.greatestResidentBytes);
        next.greatestDescriptors = greater(next.greatestDescriptors, reading.greatestDescriptors);
      }
    }
    if (moved > 0) fine = fine.slice(moved);
    const old = coarse.findIndex((reading) => nowMs - reading.atMs <= keptMs);
    if (old !== 0) coarse = old < 0 ? [] : coarse.slice(old);
  };

  return {
    note({ takenAtMs, targetProcess }) {
      if (targetProcess === undefined) return;
      const last = fine.at(-1) ?? coarse.at(-1);
      const same =
        before !== undefined && before.pid === targetProcess.pid && before.startedAtMs === targetProcess.startedAtMs;
      const totals = Object.fromEntries(
        counted.map((name) => [name, totalOf(last?.[name], same ? before?.[name] : 0, targetProcess[name], last)]),
      ) as Totals; // of the three names
      fine.push({
        ...totals,
        atMs: takenAtMs,
        residentBytes: targetProcess.residentBytes,
        greatestResidentBytes: targetProcess.residentBytes,
        greatestDescriptors: targetProcess.openDescriptors,
      });
      before = targetProcess;
      thin(takenAtMs);
    },
    between(fromMs, toMs) {
      const inside = [...coarse, ...fine].filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
      const [first] = inside;
      const last = inside.at(-1);
      if (first === undefined || last === undefined || first === last) return undefined;
      const grown = (name: (typeof counted)[number]): number | undefined =>
        last[name] === undefined || first[name] === undefined ? undefined : last[name] - first[name];
      const descriptors = inside.reduce<number | undefined>(
        (most, one) => greater(most, one.greatestDescriptors),
        undefined,
      );
      return {
        fromMs: first.atMs,
        toMs: last.atMs,
        cpuSeconds: grown('cpuSeconds'),
        readBytes: grown('readBytes'),
        writtenBytes: grown('writtenBytes'),
        residentBytes: {
          average: inside.reduce((sum, one) => sum + one.residentBytes, 0) / inside.length,
          greatest: Math.max(...inside.map((one) => one.greatestResidentBytes)),
        },
        openDescriptors: descriptors === undefined ? undefined : { greatest: descriptors },
      };
    },
  };
}

/** The first reading is where counting begins; a new process has done all that it did since the reading before. */
function totalOf(
  total: number | undefined,
  earlier: number | undefined,
  now: number | undefined,
  last: Reading | undefined,
): number | undefined {
  if (now === undefined) return undefined;
  if (last === undefined) return 0;
  if (total === undefined || earlier === undefined) return total;
  return total + Math.max(0, now - earlier);
}

const greater = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
