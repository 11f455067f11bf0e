import { type Backup, newestFirstAt, type PointStore } from '../backup/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Drill } from './drill.ts';
import { type DrillHistory, decideNextDrill, decideOverdueSince } from './drill-due.ts';
import type { DrillStore } from './drill-store.ts';
import { decideRpo, decideRto, type RpoState, type RtoState } from './objectives.ts';

/** How well a target could be brought back now. */
export type TargetRecovery = {
  readonly targetId: string;
  readonly rpo: RpoState;
  readonly workspaces: readonly { readonly workspace: string; readonly rpo: RpoState }[];
  readonly rto: RtoState;
  readonly drill: DrillHistory & {
    readonly last: Drill | null;
    /** Null: drills are off, or there is nothing to rehearse yet. */
    readonly nextMs: number | null;
    readonly overdueSinceMs: number | null;
    readonly frequencyMs: number;
  };
};

export type RecoveryObjectives = {
  readonly frequencyMs: number;
  readonly rtoMs: number;
};

const trendLength = 52;

/** Puts together what is known; asks the catalogue and the drills, never the repository. */
export async function readRecovery(
  deps: {
    readonly points: PointStore;
    readonly drills: DrillStore;
    readonly backup: Pick<Backup, 'policy'>;
    readonly clock: Clock;
    objectives(): RecoveryObjectives;
    /** In [0, 1), the same for the same target at every start. */
    jitterOf(targetId: string): number;
  },
  targetId: string,
): Promise<TargetRecovery> {
  const { points, drills, backup, clock } = deps;
  const nowMs = clock.now();
  const { frequencyMs, rtoMs } = deps.objectives();
  const { rpoMs } = backup.policy;
  const [newest, newestGood, oldest, workspaces, history, recent] = await Promise.all([
    points.newest(targetId),
    points.newest(targetId, 'good'),
    points.oldestTakenMs(targetId),
    points.workspaces(targetId),
    drills.history(targetId),
    drills.list({ targetId, kind: 'restore', limit: trendLength }),
  ]);
  const ofWorkspaces = await Promise.all(
    workspaces.map(async (workspace) => {
      const own = await points.newest(targetId, 'good', workspace);
      const [best] = [own, newestGood].filter((one) => one !== undefined).sort(newestFirstAt(nowMs));
      return { workspace, rpo: decideRpo(best, rpoMs, nowMs) };
    }),
  );
  const whole: DrillHistory = { ...history, possibleSinceMs: oldest ?? null };
  return {
    targetId,
    rpo: decideRpo(newestGood, rpoMs, nowMs),
    workspaces: ofWorkspaces,
    rto: decideRto(recent, rtoMs, newest?.logicalBytes ?? null),
    drill: {
      ...whole,
      last: recent.find((drill) => drill.verdict !== null) ?? null,
      nextMs: decideNextDrill(whole, { frequencyMs, jitter: deps.jitterOf(targetId), nowMs }),
      overdueSinceMs: decideOverdueSince(whole, { frequencyMs, nowMs }),
      frequencyMs,
    },
  };
}
