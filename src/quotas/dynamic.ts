import type { Database } from '../platform/database/index.ts';
import type { Definitions } from './definitions.ts';
import { type LedgerTables, listSlots } from './ledger-store.ts';
import type { Quota } from './quota.ts';
import { periodMs, slotAt } from './window.ts';

/** How many whole periods are looked at. */
const periods = 5;
const busyShare = 0.8;
const quietShare = 0.5;
const headroom = 1.2;
/** Never above so many times what was defined, unless `max_limit` says otherwise. */
const mostTimes = 2;

/**
 * The rule of dynamic quotas, over the greatest use of anybody in each of the last five whole periods: when more than 80 % of the
 * limit was used in more than 80 % of them, the limit becomes 120 % of their mean, where that is more, and at most `max_limit`
 * (twice what was defined unless told). When in each of them less than half was used, it goes back to what was defined.
 * @param uses the oldest or the newest first, one for each period; fewer than five: not enough is known
 */
export function decideAdjustment(
  limits: { readonly limit: number; readonly defined: number; readonly most: number | null },
  uses: readonly number[],
): { readonly limit: number; readonly why: string } | undefined {
  if (uses.length < periods) return undefined;
  const { limit, defined } = limits;
  const mean = uses.reduce((sum, use) => sum + use, 0) / uses.length;
  const busy = uses.filter((use) => use > limit * busyShare).length;
  if (busy > uses.length * busyShare) {
    const most = limits.most ?? defined * mostTimes;
    const wanted = Math.min(most, Math.floor(mean * headroom));
    if (wanted <= limit) return undefined;
    return { limit: wanted, why: `${busy} of the last ${uses.length} periods used more than 80 % of it` };
  }
  if (limit > defined && uses.every((use) => use < limit * quietShare))
    return { limit: defined, why: `each of the last ${uses.length} periods used less than half of it` };
  return undefined;
}

/** Looks at every dynamic quota; what changes is told by the definitions. */
export async function adjustDynamic(db: Database, definitions: Definitions, nowMs: number): Promise<void> {
  for (const quota of definitions.all()) {
    if (quota.type !== 'dynamic' || !quota.enabled) continue;
    const uses = await usesOf(db, quota, nowMs);
    const limits = { limit: quota.limit, defined: definitions.baseLimit(quota.id), most: quota.mostLimit };
    const change = decideAdjustment(limits, uses);
    if (change) await definitions.adjust(quota, change.limit, change.why);
  }
}

/** The greatest use of one bucket in each of the last whole calendar periods since the quota is what it is. */
async function usesOf(db: Database, quota: Quota, nowMs: number): Promise<readonly number[]> {
  if (quota.period === 'forever') return [];
  const calendar = { period: quota.period, window: 'calendar' } as const;
  const current = slotAt(calendar, nowMs).slotMs;
  const starts: number[] = [];
  for (let start = current; starts.length < periods; ) {
    start = slotAt(calendar, start - 1).slotMs;
    if (start < quota.updatedMs) return [];
    starts.unshift(start);
  }
  const fromMs = starts[0] ?? current;
  const rows = await listSlots(db.reader<LedgerTables>(), quota.id, { fromMs, limit: 20_000 });
  const most = new Map<number, Map<string, number>>();
  for (const row of rows) {
    const start = slotAt(calendar, row.slotMs).slotMs;
    if (start >= current) continue;
    const ofPeriod = most.get(start) ?? new Map<string, number>();
    ofPeriod.set(row.bucket, (ofPeriod.get(row.bucket) ?? 0) + row.used + row.forfeited);
    most.set(start, ofPeriod);
  }
  return starts.map((start) => Math.max(0, ...(most.get(start)?.values() ?? [])));
}

/** How long slots are kept: for history, for the rule above and for a burst's debt. */
export const keptMsOf = ({ period, window }: Quota): number => {
  if (period === 'forever') return Number.POSITIVE_INFINITY;
  if (window === 'sliding') return Math.max(7 * periodMs[period], 60_000);
  return Math.min(Math.max(1_000 * periodMs[period], 7 * periodMs[period]), 400 * 86_400_000);
};
