import type { Database } from '../platform/database/index.ts';
import { type Forecast, forecastUse } from './forecast.ts';
import { type LedgerTables, listGreatest, listSlots, type UsageRow } from './ledger-store.ts';
import { ceilingOf, comesBack, type Place, placeOfBucket, type Quota } from './quota.ts';
import { resetAt, slotAt } from './window.ts';

/** How one bucket of one quota stands. */
export type BucketUsage = {
  readonly bucket: string;
  readonly used: number;
  readonly held: number;
  readonly forfeited: number;
  readonly carried: number;
  /** All of them together: what counts against the limit. */
  readonly total: number;
  readonly remaining: number;
  readonly periodStartMs: number;
  readonly resetMs: number | null;
  readonly forecast: Forecast | undefined;
};

export type QuotaUsage = {
  readonly quota: Quota;
  /** Those that used most first; at most so many as were asked for. */
  readonly buckets: readonly BucketUsage[];
  /** In all. */
  readonly bucketCount: number;
};

const mostSlotsRead = 20_000;

/** How a quota stands now, the greatest use first; of those that belong to this place, where one is told. */
export async function readUsage(
  db: Database,
  quota: Quota,
  { nowMs, limit, of }: { readonly nowMs: number; readonly limit: number; readonly of?: Partial<Place> | undefined },
): Promise<QuotaUsage> {
  const slot = slotAt(quota, nowMs);
  const rows = await listSlots(db.reader<LedgerTables>(), quota.id, { fromMs: slot.fromMs, limit: mostSlotsRead });
  const byBucket = new Map<string, UsageRow[]>();
  for (const row of rows) {
    if (!belongs(row.bucket, of)) continue;
    const list = byBucket.get(row.bucket);
    if (list) list.push(row);
    else byBucket.set(row.bucket, [row]);
  }
  const buckets = [...byBucket]
    .map(([bucket, list]) => summed(quota, bucket, list, nowMs))
    .sort((a, b) => b.total - a.total || (a.bucket < b.bucket ? -1 : 1));
  return { quota, buckets: buckets.slice(0, limit), bucketCount: buckets.length };
}

function belongs(bucket: string, of: Partial<Place> | undefined): boolean {
  if (of === undefined) return true;
  const place = placeOfBucket(bucket);
  const fits = (wanted: string | null | undefined, is: string | null): boolean =>
    wanted === undefined || wanted === null || is === null || wanted === is;
  return fits(of.userId, place.userId) && fits(of.workspace, place.workspace) && fits(of.targetId, place.targetId);
}

function summed(quota: Quota, bucket: string, rows: readonly UsageRow[], nowMs: number): BucketUsage {
  const sum = (of: (row: UsageRow) => number): number => rows.reduce((all, row) => all + of(row), 0);
  const [used, held, forfeited, carried] = [
    sum((row) => row.used),
    sum((row) => row.held),
    sum((row) => row.forfeited),
    sum((row) => row.carried),
  ];
  const total = used + held + forfeited + carried;
  return {
    ...{ bucket, used, held, forfeited, carried, total },
    remaining: Math.max(0, ceilingOf(quota) - total),
    periodStartMs: slotAt(quota, nowMs).fromMs,
    resetMs: comesBack(quota) ? null : resetAt(quota, nowMs),
    forecast: comesBack(quota) ? undefined : forecastUse(quota, total, nowMs),
  };
}

export type PastPeriod = { readonly startMs: number; readonly used: number; readonly greatest: number };

/** What was used in the windows before, the newest first, over all buckets; slots of a sliding window each for itself. */
export async function readHistory(db: Database, quota: Quota, limit: number): Promise<readonly PastPeriod[]> {
  const rows = await listSlots(db.reader<LedgerTables>(), quota.id, { fromMs: 0, limit: mostSlotsRead });
  const periods = new Map<number, { used: number; greatest: number }>();
  for (const row of rows) {
    const one = periods.get(row.slotMs) ?? { used: 0, greatest: 0 };
    const used = row.used + row.forfeited;
    periods.set(row.slotMs, { used: one.used + used, greatest: Math.max(one.greatest, used) });
  }
  return [...periods].map(([startMs, one]) => ({ startMs, ...one })).slice(0, limit);
}

const mostWindowsRead = 20_000;

/** Windows that began since and are over, the newest first: the most that one bucket used in each. One that nobody used is missing. */
export const readGreatest = (
  db: Database,
  quota: Pick<Quota, 'id'>,
  { fromMs, nowMs }: { readonly fromMs: number; readonly nowMs: number },
): Promise<readonly Omit<PastPeriod, 'used'>[]> =>
  listGreatest(db.reader<LedgerTables>(), quota.id, { fromMs, endedMs: nowMs, limit: mostWindowsRead });
