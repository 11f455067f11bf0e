import type { Bounded } from '../platform/bounded.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import { describeError } from '../platform/errors.ts';
import type { Logger } from '../platform/logging.ts';
import { createReconciler, type Reconciler } from '../platform/reconciler.ts';
import { createFactStore } from './fact-store.ts';

export type GrowthKindName = keyof typeof growthKinds;
export type GrowthUnit = 'entries' | 'bytes';

/**
 * Everything of ours that grows with time. What stands here is what is measured, trimmed, shown and documented. A cap of 0 is none.
 * What is not here does not grow: it has one file, or as many as there are targets.
 */
export const growthKinds = {
  events: { what: 'events of the log; the oldest go', unit: 'entries', setting: 'growth.events' },
  audit: {
    what: 'entries of the audit trail; the oldest go by whole segments, whose closing hash stays',
    unit: 'entries',
    setting: 'growth.audit_entries',
  },
  operations: { what: 'ended operations; those that ended first go', unit: 'entries', setting: 'growth.operations' },
  'idempotency-keys': {
    what: 'keys of repeated requests; the oldest go',
    unit: 'entries',
    setting: 'growth.idempotency_keys',
  },
  logins: { what: 'sessions and login links; only those that are over go', unit: 'entries', setting: 'growth.logins' },
  agents: {
    what: 'totals of agents, by workspace; those not heard of for longest go',
    unit: 'entries',
    setting: 'growth.agents',
  },
  'point-history': {
    what: 'rows of failed runs and forgotten points; the oldest go, points that exist never',
    unit: 'entries',
    setting: 'growth.point_history',
  },
  drills: {
    what: 'ended drills with their evidence; the oldest go, the last that passed never',
    unit: 'entries',
    setting: 'growth.drills',
  },
  'replication-log': {
    what: 'entries of the replication log; the oldest that ended go',
    unit: 'entries',
    setting: 'growth.replication_log',
  },
  deliveries: {
    what: 'notifications that were sent or given up; the oldest go, what waits to be sent never',
    unit: 'entries',
    setting: 'growth.deliveries',
  },
  silences: { what: 'silences; the oldest that are over go', unit: 'entries', setting: 'growth.silences' },
  'quota-usage': {
    what: 'rows of the ledger of quotas; those of windows that are over go, the oldest first',
    unit: 'entries',
    setting: 'growth.quota_usage',
  },
  'quota-violations': {
    what: 'violations of quotas; the oldest that are over go',
    unit: 'entries',
    setting: 'growth.quota_violations',
  },
  'quota-reservations': {
    what: 'ended reservations of quotas; those that ended first go',
    unit: 'entries',
    setting: 'growth.quota_reservations',
  },
  samples: { what: 'stored samples of metrics; the oldest go', unit: 'bytes', setting: 'growth.samples_bytes' },
  'state-copies': {
    what: 'copies of the databases from before a change of their schema; the oldest go',
    unit: 'entries',
    setting: 'growth.state_copies',
  },
  'restic-cache': {
    what: 'cache of the repository; what was not used longest goes, while nothing is under way',
    unit: 'bytes',
    setting: 'growth.restic_cache_bytes',
  },
  staging: {
    what: 'staging trees; scratch goes first, then whole trees, while nothing is under way: the next point reads everything again',
    unit: 'bytes',
    setting: 'growth.staging_bytes',
  },
  analytics: {
    what: 'patterns that have ended and recommendations that resolved themselves; the oldest go, what is open or dismissed never',
    unit: 'entries',
    setting: 'growth.analytics',
  },
  'alert-history': {
    what: 'alerts that are over; the oldest go, those that fire never',
    unit: 'entries',
    setting: 'growth.alert_history',
  },
  undo: {
    what: 'former states that restores set aside in the folders of a target; the oldest go',
    unit: 'bytes',
    setting: 'growth.undo_bytes',
  },
  'cleanup-history': {
    what: 'plans, ended cleanups and what left the quarantine; the oldest go',
    unit: 'entries',
    setting: 'growth.cleanup_history',
  },
  quarantine: {
    what: 'what cleanups took away and can undo; the oldest goes, before its window is over',
    unit: 'bytes',
    setting: 'growth.quarantine_bytes',
  },
} as const satisfies Record<string, { what: string; unit: GrowthUnit; setting: string }>;

export type GrowthCaps = Readonly<Record<GrowthKindName, number>>;

export type GrowthLine = {
  readonly kind: GrowthKindName;
  readonly what: string;
  readonly unit: GrowthUnit;
  readonly setting: string;
  /** Null before the first look, or when it could not be measured. */
  readonly used: number | null;
  /** 0: none. */
  readonly cap: number;
  readonly measuredAtMs: number | null;
  readonly lastTrimmedAtMs: number | null;
  readonly lastTrimmed: number | null;
  readonly error: string | null;
};

export type Growth = Reconciler & { lines(): Promise<readonly GrowthLine[]> };

const batch = 1_000;
/** Of one kind in one run; a backlog is worked off in several, and other work goes on in between. */
const mostBatches = 50;
const names = Object.keys(growthKinds) as GrowthKindName[];

/**
 * Measures each kind and trims what is above its cap, in bounded batches. A kind that fails is told and skips none of the others.
 * @param caps read at each run, since they may be changed while running
 */
export function createGrowth(options: {
  parts: Readonly<Partial<Record<GrowthKindName, Bounded>>>;
  caps(): GrowthCaps;
  db: Database;
  clock: Clock;
  log: Logger;
  intervalMs?: number;
}): Growth {
  const { parts, caps, db, clock, log } = options;
  const facts = createFactStore(db);
  const seen = new Map<GrowthKindName, { used: number | null; atMs: number; error: string | null }>();

  const tend = async (name: GrowthKindName, part: Bounded, signal: AbortSignal): Promise<void> => {
    const cap = caps()[name];
    let used = await part.measure();
    let trimmed = 0;
    for (let round = 0; cap > 0 && used > cap && round < mostBatches && !signal.aborted; round += 1) {
      const gone = await part.trim(cap, batch);
      if (gone === 0) break;
      trimmed += gone;
      used = await part.measure();
    }
    if (trimmed > 0) {
      const nowMs = clock.now();
      await db.unit((tx) => facts.write(tx, `trimmed:${name}`, String(trimmed), nowMs));
      log.info({ kind: name, trimmed, used, cap }, 'what had grown above its cap was trimmed');
    }
    seen.set(name, { used, atMs: clock.now(), error: null });
  };

  const reconciler = createReconciler({
    name: 'growth',
    intervalMs: options.intervalMs ?? 3_600_000,
    clock,
    log,
    async run(signal) {
      for (const name of names) {
        const part = parts[name];
        if (!part || signal.aborted) continue;
        try {
          await tend(name, part, signal);
        } catch (err) {
          const error = describeError(err);
          log.warn({ kind: name, reason: error }, 'what grows could not be measured or trimmed');
          seen.set(name, { used: seen.get(name)?.used ?? null, atMs: clock.now(), error });
        }
      }
    },
  });

  return {
    ...reconciler,
    lines: () =>
      Promise.all(
        names
          .filter((name) => parts[name])
          .map(async (name) => {
            const { what, unit, setting } = growthKinds[name];
            const known = seen.get(name);
            const trimmed = await facts.read(`trimmed:${name}`);
            return {
              kind: name,
              what,
              unit,
              setting,
              used: known?.used ?? null,
              cap: caps()[name],
              measuredAtMs: known?.atMs ?? null,
              lastTrimmedAtMs: trimmed?.atMs ?? null,
              lastTrimmed: trimmed ? Number(trimmed.value) : null,
              error: known?.error ?? null,
            };
          }),
      ),
  };
}
