import type { Quota } from './quota.ts';
import { periodMs, slotAt } from './window.ts';

export type Forecast = {
  /** At the pace of this window: what will be used at its end. */
  readonly atEnd: number;
  /** When the limit is reached at that pace; null: not in this window. */
  readonly exhaustedAtMs: number | null;
};

/** Shares of a window that must have passed before its pace means anything. */
const leastShare = 0.05;

/** Undefined while too little is known: early in a window, of what never begins anew, of a sliding one, of what comes back. */
export function forecastUse(
  quota: Pick<Quota, 'period' | 'window' | 'limit'>,
  used: number,
  nowMs: number,
): Forecast | undefined {
  if (quota.period === 'forever' || quota.window === 'sliding') return undefined;
  const { slotMs, untilMs } = slotAt(quota, nowMs);
  const passedMs = nowMs - slotMs;
  if (passedMs < (untilMs - slotMs) * leastShare || periodMs[quota.period] < 60_000) return undefined;
  const perMs = used / passedMs;
  const atEnd = Math.round(perMs * (untilMs - slotMs));
  const reachedMs = perMs === 0 ? Number.POSITIVE_INFINITY : slotMs + quota.limit / perMs;
  return { atEnd, exhaustedAtMs: reachedMs < untilMs ? Math.max(nowMs, Math.round(reachedMs)) : null };
}
