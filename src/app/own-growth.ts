import { join } from 'node:path';
import { boundedLogins } from '../access/index.ts';
import { boundedAlertHistory } from '../alerts/index.ts';
import { boundedAnalytics } from '../analytics/index.ts';
import { boundedPointHistory, boundedUndo, type PointStore } from '../backup/index.ts';
import { boundedAudit, boundedEvents, type EventRecorder } from '../events/index.ts';
import { boundedAgents, boundedSamples } from '../metrics/index.ts';
import { boundedDeliveries, boundedSilences } from '../notify/index.ts';
import { boundedIdempotencyKeys, boundedOperations, type Operations } from '../operations/index.ts';
import type { Bounded } from '../platform/bounded.ts';
import type { Clock } from '../platform/clock.ts';
import type { Database } from '../platform/database/index.ts';
import type { Logger } from '../platform/logging.ts';
import { boundedQuotaUsage, boundedReservations, boundedViolations } from '../quotas/index.ts';
import { boundedDrills, type DrillStore, type FailoverStore } from '../recovery/index.ts';
import { boundedReplicationLog } from '../replication/index.ts';
import {
  boundedCache,
  boundedStaging,
  boundedStateCopies,
  createGrowth,
  createLowDisk,
  type DrillsHere,
  type Growth,
  type GrowthCaps,
  type LowDisk,
  type LowDiskLimits,
} from '../system/index.ts';

/** What is given up when the disk of the data folder fills, in its order; see `planLowDisk`. */
export function createOwnLowDisk(options: {
  limits(): LowDiskLimits;
  db: Database;
  metricsDb: Database;
  /** On this machine's disk, not on a database server. */
  samplesHere: boolean;
  pauseSamples(paused: boolean): void;
  /** Ends running drills. */
  drills: DrillsHere;
  events: EventRecorder;
  operations: Operations;
  dataDir: string;
  clock: Clock;
  log: Logger;
}): LowDisk {
  const { limits, db, metricsDb, events, operations, dataDir, clock, log, pauseSamples } = options;
  const idle = async (): Promise<boolean> => (await operations.list({ state: 'running', limit: 1 })).length === 0;
  return createLowDisk({
    dataDir,
    limits,
    staging: boundedStaging(join(dataDir, 'staging'), idle),
    drills: options.drills,
    samples: options.samplesHere ? boundedSamples(metricsDb) : undefined,
    idle,
    pauseSamples,
    db,
    events,
    clock,
    log,
  });
}

/** Every slice hands in what of it grows; one job bounds it all. */
export function createOwnGrowth(options: {
  caps(): GrowthCaps;
  db: Database;
  metricsDb: Database;
  events: EventRecorder;
  operations: Operations;
  points: PointStore;
  drills: DrillStore;
  failovers: FailoverStore;
  dataDir: string;
  /** Folders of the targets, in which restores set former states aside. */
  roots(): readonly string[];
  /** What cleanups leave. */
  cleanup: { readonly 'cleanup-history': Bounded; readonly quarantine: Bounded };
  clock: Clock;
  log: Logger;
}): Growth {
  const { db, metricsDb, events, operations, points, drills, failovers, dataDir, clock, log } = options;
  /** Long work uses cache and staging. */
  const idle = async (): Promise<boolean> => (await operations.list({ state: 'running', limit: 1 })).length === 0;
  return createGrowth({
    caps: options.caps,
    db,
    clock,
    log,
    parts: {
      events: boundedEvents(db),
      audit: boundedAudit({ db, events, clock }),
      operations: boundedOperations(db),
      'idempotency-keys': boundedIdempotencyKeys(db),
      logins: boundedLogins({ db, clock }),
      agents: boundedAgents(metricsDb),
      'point-history': boundedPointHistory({ db, points }),
      drills: boundedDrills({ db, drills, failovers }),
      'replication-log': boundedReplicationLog(db),
      'alert-history': boundedAlertHistory(db),
      analytics: boundedAnalytics(db),
      deliveries: boundedDeliveries(db),
      silences: boundedSilences({ db, clock }),
      'quota-usage': boundedQuotaUsage({ db, now: () => clock.now() }),
      'quota-violations': boundedViolations({ db }),
      'quota-reservations': boundedReservations({ db }),
      samples: boundedSamples(metricsDb),
      'state-copies': boundedStateCopies(dataDir),
      'restic-cache': boundedCache(join(dataDir, 'cache', 'restic'), idle),
      staging: boundedStaging(join(dataDir, 'staging'), idle),
      undo: boundedUndo(options.roots, idle),
      ...options.cleanup,
    },
  });
}
