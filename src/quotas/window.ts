import type { Quota } from './quota.ts';

/** A part of a window, within which a use is counted; epoch milliseconds. */
export type Slot = {
  readonly slotMs: number;
  /** Exclusive: afterwards the next slot counts. */
  readonly untilMs: number;
  /** The oldest slot that counts together with this one. */
  readonly fromMs: number;
  /** The slot before, whose excess a burst carries over. */
  readonly beforeMs: number;
};

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
export const periodMs = {
  second: 1_000,
  minute: 60_000,
  hour: hourMs,
  day: dayMs,
  week: 7 * dayMs,
  month: 30 * dayMs,
  forever: Number.POSITIVE_INFINITY,
} as const;

const slotsOfWindow = 60;
/** The first Monday after the epoch. */
const firstMondayMs = 4 * dayMs;
/** As far as anybody counts: what never ends ends here. */
export const neverMs = 8.64e15;

/** Where a use at this moment is counted. */
export function slotAt({ period, window }: Pick<Quota, 'period' | 'window'>, nowMs: number): Slot {
  if (period === 'forever') return { slotMs: 0, untilMs: neverMs, fromMs: 0, beforeMs: -1 };
  const length = periodMs[period];
  if (window === 'sliding') {
    const index = Math.floor((nowMs * slotsOfWindow) / length);
    // Of a second a slot is no whole number of milliseconds: it begins with the first that lies in it.
    const beginOf = (slot: number): number => Math.ceil((slot * length) / slotsOfWindow);
    return {
      slotMs: beginOf(index),
      untilMs: beginOf(index + 1),
      // With the slot that the window began in: then no interval of this length ever holds more than the limit.
      fromMs: beginOf(index - slotsOfWindow),
      beforeMs: beginOf(index - 1),
    };
  }
  const slotMs = calendarStart(period, nowMs);
  return { slotMs, untilMs: nextStart(period, slotMs), fromMs: slotMs, beforeMs: calendarStart(period, slotMs - 1) };
}

/** When at the latest everything that is used now no longer counts; null: never. */
export function resetAt(quota: Pick<Quota, 'period' | 'window'>, nowMs: number): number | null {
  if (quota.period === 'forever') return null;
  return quota.window === 'sliding' ? nowMs + periodMs[quota.period] : slotAt(quota, nowMs).untilMs;
}

type Ending = Exclude<Quota['period'], 'forever'>;

function calendarStart(period: Ending, nowMs: number): number {
  if (period === 'week') return Math.floor((nowMs - firstMondayMs) / periodMs.week) * periodMs.week + firstMondayMs;
  if (period !== 'month') return Math.floor(nowMs / periodMs[period]) * periodMs[period];
  const now = new Date(nowMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1);
}

function nextStart(period: Ending, startMs: number): number {
  if (period !== 'month') return startMs + periodMs[period];
  const start = new Date(startMs);
  return Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 1);
}
