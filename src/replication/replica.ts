import { z } from 'zod';

/** A place that points are copied to: a repository, or another ragwarden. */
export const replicaKinds = ['folder', 's3', 'azure', 'gs', 'rest', 'sftp', 'rclone', 'ragwarden'] as const;
export type ReplicaKind = (typeof replicaKinds)[number];

/** `degraded`: it answers, and something about it is wrong. Nothing is healthy before it was looked at. */
export const replicaStatuses = ['healthy', 'degraded', 'unreachable', 'unknown'] as const;
export type ReplicaStatus = (typeof replicaStatuses)[number];

/** What is registered. Its secrets are elsewhere. */
export type Replica = {
  readonly id: string;
  readonly name: string;
  readonly kind: ReplicaKind;
  /** A location of a repository, or the base URL of another ragwarden; without credentials. */
  readonly place: string;
  readonly zone: string | null;
  /** Usually not attached: that it cannot be reached is no fault. */
  readonly offline: boolean;
  readonly enabled: boolean;
  /** KiB per second; null: as the setting says. */
  readonly limitKiB: number | null;
  /** It is begun while fewer places than this are worked on, 1: alone; null: as the setting says. */
  readonly maxConcurrent: number | null;
  /** Of the repository there; null: the same as here. From the file only. */
  readonly passwordFile: string | null;
  /** Certificates that vouch for it; null: those that hold for all of them. From the file only. */
  readonly caFile: string | null;
  readonly metadata: Readonly<Record<string, z.core.util.JSONType>>;
  readonly origin: 'file' | 'api';
  readonly createdMs: number | null;
};

/** Where a point lies besides its repository. Times are epoch milliseconds. */
export type Copy = {
  readonly replicaId: string;
  readonly pointId: string;
  readonly targetId: string;
  /** Of its manifest: with the id, what a point is known by. */
  readonly treeId: string;
  readonly takenMs: number;
  readonly copiedMs: number;
};

/** Of one place: a point that could not be copied for a reason of its own. The others are. */
const stuckPoint = z.object({
  pointId: z.string(),
  error: z.string(),
  /** In a row. */
  failures: z.number(),
  triedMs: z.number(),
});
export type StuckPoint = z.infer<typeof stuckPoint>;

/** After failures it is waited longer and longer, up to twelve intervals. */
export const patienceMs = (failures: number, intervalMs: number): number =>
  intervalMs * Math.min(2 ** Math.max(0, failures - 1), 12);

/** Each is tried again on a schedule of its own. What was tried in the future was tried before the clock was set back. */
export const isHeldBack = ({ failures, triedMs }: StuckPoint, intervalMs: number, nowMs: number): boolean =>
  triedMs <= nowMs && nowMs - triedMs < patienceMs(failures, intervalMs);

/** What is known of a replica; every number was looked at, none is made up. */
export const replicaState = z.object({
  /** Where all this was seen; null: not written down then. */
  place: z.string().nullable().default(null),
  status: z.enum(replicaStatuses).catch('unknown').default('unknown'),
  checkedMs: z.number().nullable().default(null),
  reachedMs: z.number().nullable().default(null),
  error: z.string().nullable().default(null),
  repositoryId: z.string().nullable().default(null),
  storedBytes: z.number().nullable().default(null),
  /** What others keep there under the same key. */
  otherBytes: z.number().nullable().default(null),
  /** How many points of one target it keeps, the newest; null: all. */
  keep: z.number().nullable().default(null),
  /** The last copy that brought all there was to bring. */
  syncedMs: z.number().nullable().default(null),
  attemptedMs: z.number().nullable().default(null),
  failuresInRow: z.number().default(0),
  /** The last copy failed for nothing but single points. */
  pointsOnly: z.boolean().default(false),
  stuck: z.array(stuckPoint).catch([]).default([]),
  /** Two points of one id that differ. */
  conflict: z.string().nullable().default(null),
  verifiedMs: z.number().nullable().default(null),
  verifiedPercent: z.number().nullable().default(null),
  findings: z.array(z.string()).default([]),
  /** When all of it was read since damage was found; null: not yet. */
  damageReadMs: z.number().nullable().default(null),
  /** When something last became useless there: forgotten, or left by a copy that was cut off. */
  litteredMs: z.number().nullable().default(null),
  /** Begin of the last prune that ended well: what became useless meanwhile is left for the next. */
  prunedMs: z.number().nullable().default(null),
  pruneTriedMs: z.number().nullable().default(null),
  /** In a row; 0 after one that ended well. */
  pruneFailures: z.number().default(0),
});
export type ReplicaState = z.infer<typeof replicaState>;
export const freshState: ReplicaState = replicaState.parse({});

export const logTypes = ['sync', 'validate', 'health_check', 'heal', 'receive', 'forget', 'prune'] as const;
export type LogType = (typeof logTypes)[number];
export const logStatuses = ['pending', 'in_progress', 'completed', 'failed', 'validated'] as const;
export type LogStatus = (typeof logStatuses)[number];

export type LogEntry = {
  readonly id: string;
  readonly operationId: string | null;
  readonly replicaId: string;
  readonly targetId: string | null;
  readonly pointId: string | null;
  readonly type: LogType;
  readonly status: LogStatus;
  readonly startedMs: number;
  readonly completedMs: number | null;
  readonly bytes: number | null;
  readonly dataHash: string | null;
  readonly error: string | null;
  /** What else is known of it. Left out: nothing. */
  readonly metadata?: Readonly<Record<string, z.core.util.JSONType>>;
};
