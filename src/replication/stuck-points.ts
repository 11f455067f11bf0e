import type { AppError } from '../platform/errors.ts';
import { isHeldBack, type Replica, type ReplicaState, type StuckPoint } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { isConflict } from './tell-failure.ts';

/** Of one place, the latest: what is not remembered is tried again with each copy. */
const mostStuck = 100;

/** While one copy runs: the points that cannot be copied to its place for a reason of their own. */
export type StuckPoints = {
  /** Of this copy, in their order. */
  readonly failures: readonly AppError[];
  /** Those of them that were not told of before. */
  readonly news: readonly AppError[];
  /** Whether it is not its turn yet, for whom is patient. */
  waits(pointId: string): boolean;
  /** When it was tried last; before everything else what never failed. */
  triedMs(pointId: string): number;
  note(pointId: string, err: AppError): Promise<void>;
  /** One that waits for its turn is a conflict still, and no failure of this copy. */
  noteConflict(pointId: string, err: AppError): Promise<void>;
  brought(pointId: string): void;
  /** One that is not missing any more is not stuck. */
  keepOnly(missing: ReadonlySet<string>): void;
  left(): StuckPoint[];
  /** The first one that was found, else the one of before while its point is stuck. */
  conflict(): string | null;
};

/** @param before as it was told when the copy began */
export function openStuckPoints(
  { db, store, clock, settings }: Pick<ReplicationDeps, 'db' | 'store' | 'clock' | 'settings'>,
  replica: Replica,
  before: ReplicaState,
  isPatient: boolean,
): StuckPoints {
  const stuck = new Map(before.stuck.map((one) => [one.pointId, one]));
  const failures: AppError[] = [];
  const news: AppError[] = [];
  let found: string | undefined;
  const left = (): StuckPoint[] => [...stuck.values()].slice(-mostStuck);
  const points: StuckPoints = {
    failures,
    news,
    waits(pointId) {
      const one = stuck.get(pointId);
      return isPatient && one !== undefined && isHeldBack(one, settings().checkIntervalMs, clock.now());
    },
    triedMs: (pointId) => stuck.get(pointId)?.triedMs ?? Number.NEGATIVE_INFINITY,
    async note(pointId, err) {
      failures.push(err);
      const known = stuck.get(pointId);
      if (known?.error !== err.detail) news.push(err);
      // To the end: of many the latest are kept.
      stuck.delete(pointId);
      const tried = (known?.failures ?? 0) + 1;
      stuck.set(pointId, { pointId, error: err.detail, failures: tried, triedMs: clock.now() });
      if (isConflict(err)) found ??= err.detail;
      const conflict = found === undefined ? {} : { conflict: found };
      await db.unit((tx) => store.changeState(tx, replica.id, { stuck: left(), ...conflict }));
    },
    async noteConflict(pointId, err) {
      found ??= err.detail;
      if (stuck.get(pointId)?.error !== err.detail || !points.waits(pointId)) await points.note(pointId, err);
    },
    brought: (pointId) => void stuck.delete(pointId),
    keepOnly(missing) {
      for (const id of stuck.keys()) if (!missing.has(id)) stuck.delete(id);
    },
    left,
    conflict: () => found ?? (left().some(({ error }) => error === before.conflict) ? before.conflict : null),
  };
  return points;
}
