import type { EventRecorder } from '../events/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database, Tx } from '../platform/database/index.ts';
import { newId, type RandomSource } from '../platform/ids.ts';
import type { QuotaAlarm } from './alarm.ts';
import { describeAmount } from './denial.ts';
import { type LedgerTables, readStanding, totalOf } from './ledger-store.ts';
import { type Counted, describeBucket, type Quota } from './quota.ts';
import {
  countViolations,
  findOpenViolation,
  listOpenViolations,
  pruneViolations,
  type Violation,
  writeViolation,
} from './violation-store.ts';
import { slotAt } from './window.ts';

/** What was found over a limit, with what was asked for. */
export type Excess = {
  readonly quota: Quota;
  readonly bucket: string;
  /** In the window before. */
  readonly standing: number;
  readonly amount: number;
  readonly exceededBy: number;
  /** What was done about it: the action of the quota, or `none` in shadow mode. */
  readonly action: string;
};

/** What waits to be written down of one bucket. */
export type Noted = {
  readonly first: Excess;
  worst: Excess;
  times: number;
  readonly firstMs: number;
  lastMs: number;
  /** Taken by a flush: it counts no more. */
  taken: boolean;
  readonly found: { count: number };
};

export type Violations = {
  /** Kept in memory until the next flush; never waits. Undefined: there was no place, and only its number is known. */
  note(excess: Excess): Noted | undefined;
  /** The same once more. False: it was written down meanwhile, and is to be noted anew. */
  again(noted: Noted, nowMs: number): boolean;
  /** Above the limit and still allowed. */
  noteWarning(quota: Quota, bucket: string, standing: number): void;
  flush(): Promise<void>;
  /** Those are over whose window has room again. */
  resolve(find: (id: string) => Quota | undefined): Promise<void>;
  /** The oldest resolved ones go. @returns how many went */
  prune(): Promise<number>;
  pending(): boolean;
  onViolation(listener: (violation: Violation) => void): void;
  onWarning(listener: (warning: { quota: Quota; bucket: string; standing: number }) => void): void;
  totals(): { readonly violations: number; readonly warnings: number };
  /** Of these kinds: exceeded now, and found so since the start. */
  countOf(kinds: readonly Counted[]): Promise<{ readonly open: number; readonly total: number }>;
  /** Of every kind: exceeded now, those in shadow mode too. */
  countOpen(): Promise<number>;
  warningsOf(quotaId: string): number;
};

const mostPending = 1_000;
const mostResolved = 1_000;
export const mostViolations = 10_000;
const keptMs = 90 * 86_400_000;
/** Warnings of one bucket are told once in so long. */
const warnAgainMs = 300_000;
const mostWarned = 5_000;

export function createViolations(options: {
  db: Database;
  clock: Pick<Clock, 'now'>;
  random: RandomSource;
  events: Pick<EventRecorder, 'record'>;
  alarm: QuotaAlarm | undefined;
}): Violations {
  const { db, clock, random, events, alarm } = options;
  const pending = new Map<string, Noted>();
  const warned = new Map<string, number>();
  const warningsOf = new Map<string, number>();
  const foundOf = new Map<Counted, { count: number }>();
  const foundOfKind = (counts: Counted): { count: number } => {
    const found = foundOf.get(counts) ?? { count: 0 };
    foundOf.set(counts, found);
    return found;
  };
  let toWarn: { quota: Quota; bucket: string; standing: number }[] = [];
  const listeners: ((violation: Violation) => void)[] = [];
  const warningListeners: ((warning: { quota: Quota; bucket: string; standing: number }) => void)[] = [];
  let violations = 0;
  let warnings = 0;

  const begin = async (tx: Tx, found: Violation, quota: Quota): Promise<void> => {
    const whose = describeBucket(found.bucket);
    const message = `${quota.shadow ? 'Would be over' : 'Over'} the quota "${quota.name}" (${quota.id})${whose === '' ? '' : ` of ${whose}`}: ${describeAmount(quota, found.usage)} with what was asked for, of ${describeAmount(quota, quota.limit)}.`;
    await events.record(tx, {
      type: 'quota.exceeded',
      severity: quota.shadow ? 'info' : 'warning',
      message,
      data: {
        quota_id: quota.id,
        bucket: found.bucket,
        exceeded_by: found.exceededBy,
        action: found.action,
        shadow: quota.shadow,
      },
    });
    if (quota.action === 'escalate' && !quota.shadow) await alarm?.raise(tx, { quota, violation: found, message });
  };

  return {
    note(excess) {
      violations += 1;
      const kind = foundOfKind(excess.quota.counts);
      kind.count += 1;
      const key = `${excess.quota.id} ${excess.bucket}`;
      const nowMs = clock.now();
      const found = pending.get(key);
      if (found) {
        found.times += 1;
        found.lastMs = nowMs;
        if (excess.exceededBy > found.worst.exceededBy) found.worst = excess;
        return found;
      }
      if (pending.size >= mostPending) return undefined;
      const made: Noted = {
        ...{ first: excess, worst: excess, times: 1, firstMs: nowMs, lastMs: nowMs, taken: false, found: kind },
      };
      pending.set(key, made);
      return made;
    },
    again(noted, nowMs) {
      if (noted.taken) return false;
      violations += 1;
      noted.found.count += 1;
      noted.times += 1;
      noted.lastMs = nowMs;
      return true;
    },
    noteWarning(quota, bucket, standing) {
      warnings += 1;
      warningsOf.set(quota.id, (warningsOf.get(quota.id) ?? 0) + 1);
      const key = `${quota.id} ${bucket}`;
      const nowMs = clock.now();
      if (nowMs - (warned.get(key) ?? Number.NEGATIVE_INFINITY) < warnAgainMs) return;
      if (warned.size >= mostWarned) warned.clear();
      warned.set(key, nowMs);
      const warning = { quota, bucket, standing };
      if (toWarn.length < mostPending) toWarn.push(warning);
      for (const listener of warningListeners) listener(warning);
    },
    async flush() {
      if (pending.size + toWarn.length === 0) return;
      const batch = [...pending.values()];
      const tell = toWarn;
      for (const one of batch) one.taken = true;
      pending.clear();
      toWarn = [];
      try {
        const begun = await db.unit(async (tx) => {
          const made: Violation[] = [];
          for (const { first, worst, times, firstMs, lastMs } of batch) {
            const { quota, bucket } = first;
            const open = await findOpenViolation(tx, quota.id, bucket);
            const isWorse = open === undefined || worst.exceededBy >= open.exceededBy;
            const violation: Violation = {
              id: open?.id ?? newId('qv', firstMs, random),
              quotaId: quota.id,
              bucket,
              counts: quota.counts,
              firstMs: open?.firstMs ?? firstMs,
              lastMs,
              times: (open?.times ?? 0) + times,
              usage: isWorse ? worst.standing + worst.amount : open.usage,
              limit: quota.limit,
              exceededBy: isWorse ? worst.exceededBy : open.exceededBy,
              action: worst.action,
              shadow: quota.shadow,
              resolvedMs: null,
            };
            await writeViolation(tx, violation);
            if (open) continue;
            made.push(violation);
            await begin(tx, violation, quota);
          }
          for (const { quota, bucket, standing } of tell) {
            const whose = describeBucket(bucket);
            await events.record(tx, {
              type: 'quota.warned',
              severity: quota.shadow ? 'info' : 'warning',
              message: `The quota "${quota.name}" (${quota.id})${whose === '' ? '' : ` of ${whose}`} is used beyond its limit: ${describeAmount(quota, standing)} of ${describeAmount(quota, quota.limit)}.`,
              data: { quota_id: quota.id, bucket, usage: standing, limit: quota.limit },
            });
          }
          return made;
        });
        for (const one of begun) for (const listener of listeners) listener(one);
      } catch (err) {
        // The next flush tries again, with what came meanwhile.
        for (const one of batch) {
          const key = `${one.first.quota.id} ${one.first.bucket}`;
          const later = pending.get(key);
          if (later) later.times += one.times;
          else {
            one.taken = false;
            pending.set(key, one);
          }
        }
        // A bucket that was warned is not warned anew for minutes: what is lost here nobody would tell.
        toWarn = [...tell, ...toWarn].slice(0, mostPending);
        throw err;
      }
    },
    async resolve(find) {
      const open = await listOpenViolations(db.reader(), mostResolved);
      if (open.length === 0) return;
      const nowMs = clock.now();
      const over: Violation[] = [];
      for (const one of open) {
        const quota = find(one.quotaId);
        if (quota?.enabled) {
          const spot = { quotaId: quota.id, bucket: one.bucket, slot: slotAt(quota, nowMs) };
          if (totalOf(await readStanding(db.reader<LedgerTables>(), spot)) >= quota.limit) continue;
        }
        over.push({ ...one, resolvedMs: nowMs });
      }
      if (over.length === 0) return;
      await db.unit(async (tx) => {
        for (const one of over) {
          await writeViolation(tx, one);
          const quota = find(one.quotaId);
          await events.record(tx, {
            type: 'quota.resolved',
            severity: 'info',
            message: `The quota "${quota?.name ?? one.quotaId}" (${one.quotaId}) has room again.`,
            data: { quota_id: one.quotaId, bucket: one.bucket, times: one.times },
          });
          if (quota?.action === 'escalate' && !one.shadow) await alarm?.resolve(tx, { quota, violation: one });
        }
      });
    },
    prune: () =>
      db.unit((tx) =>
        pruneViolations(tx, { beforeMs: clock.now() - keptMs, newest: mostViolations, limit: mostResolved }),
      ),
    pending: () => pending.size + toWarn.length > 0,
    onViolation: (listener) => void listeners.push(listener),
    onWarning: (listener) => void warningListeners.push(listener),
    totals: () => ({ violations, warnings }),
    countOf: async (kinds) => ({
      open: await countViolations(db.reader(), { kinds, resolved: false }),
      total: kinds.reduce((sum, kind) => sum + (foundOf.get(kind)?.count ?? 0), 0),
    }),
    countOpen: () => countViolations(db.reader(), { resolved: false }),
    warningsOf: (quotaId) => warningsOf.get(quotaId) ?? 0,
  };
}
