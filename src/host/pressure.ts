import type { ProcfsReader } from './procfs-reader.ts';

/** Share of the last 10, 60 and 300 s in percent, and all of it in microseconds since boot or since the group was made. */
export type Stall = {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalUs: number;
};

/** `some`: at least one task waited; `full`: nobody got on. Old kernels have no `full` for the CPU. */
export type PressureReading = { readonly some: Stall; readonly full: Stall | undefined };

export const pressureResources = ['cpu', 'memory', 'io'] as const;
export type PressureResource = (typeof pressureResources)[number];

/** A resource that the kernel keeps no account of is undefined. */
export type Pressure = Readonly<Record<PressureResource, PressureReading | undefined>>;

/** `/proc/pressure/*` and `*.pressure` of a control group (Documentation/accounting/psi.rst). Undefined for anything else. */
export function parsePressure(text: string): PressureReading | undefined {
  const stall = (kind: string): Stall | undefined => {
    const found = new RegExp(`^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)`, 'm').exec(text);
    if (found === null) return undefined;
    const [avg10, avg60, avg300, totalUs] = found.slice(1).map(Number);
    return { avg10: avg10 ?? 0, avg60: avg60 ?? 0, avg300: avg300 ?? 0, totalUs: totalUs ?? 0 };
  };
  const some = stall('some');
  return some && { some, full: stall('full') };
}

/** What is not there (no kernel support, switched off at boot, another user's) is looked for again this often, not at each sample. */
const lookAgainMs = 30_000;

/** @param pathOf the file of a resource */
export function createPressureReader(reader: ProcfsReader, pathOf: (resource: PressureResource) => string) {
  let lookedMs = Number.NEGATIVE_INFINITY;
  const absent = new Set<PressureResource>();
  const readOne = (resource: PressureResource): PressureReading | undefined => {
    if (absent.has(resource)) return undefined;
    const text = reader.text(pathOf(resource));
    const pressure = text === undefined ? undefined : parsePressure(text);
    if (pressure === undefined) absent.add(resource);
    return pressure;
  };
  /** Undefined where the kernel tells nothing at all. */
  return (monotonicMs: number): Pressure | undefined => {
    if (monotonicMs - lookedMs >= lookAgainMs) {
      lookedMs = monotonicMs;
      absent.clear();
    }
    if (absent.size === pressureResources.length) return undefined;
    const [cpu, memory, io] = [readOne('cpu'), readOne('memory'), readOne('io')];
    return cpu || memory || io ? { cpu, memory, io } : undefined;
  };
}
