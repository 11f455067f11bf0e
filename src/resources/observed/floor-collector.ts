import type { Floor } from './growth.ts';
import type { MeasureKind } from './stories.ts';

/** Three days of quarters of an hour: a leak of half a percent an hour shows within one, and a day is seen three times. */
export const mostFloors = 288;
/** Of counts the lowest is chance; of memory it is what was left after a collection. */
const countQuantile = 0.3;

/** Turns samples into floors, one per period, and keeps the last of them. */
export type FloorCollector = {
  /** @returns whether a floor was completed */
  add(value: number, upSeconds: number, nowMs: number): boolean;
  floors(): readonly Floor[];
};

export function createFloorCollector(options: {
  kind: MeasureKind;
  floorMs: number;
  kept?: readonly Floor[];
}): FloorCollector {
  const { kind, floorMs } = options;
  let floors = [...(options.kept ?? [])];
  let values: number[] = [];
  let sinceMs = 0;
  let lastUp = Number.POSITIVE_INFINITY;
  return {
    add(value, upSeconds, nowMs) {
      // What began before a restart says nothing of the process after it; and a long gap is no period.
      if (upSeconds < lastUp || nowMs - sinceMs > 2 * floorMs) {
        values = [];
        sinceMs = nowMs;
      }
      lastUp = upSeconds;
      values.push(value);
      if (nowMs - sinceMs < floorMs) return false;
      values.sort((a, b) => a - b);
      const floor = values[kind === 'bytes' ? 0 : Math.floor(values.length * countQuantile)] ?? value;
      floors = [...floors, { atMs: nowMs, upSeconds, value: floor }].slice(-mostFloors);
      values = [];
      sinceMs = nowMs;
      return true;
    },
    floors: () => floors,
  };
}
