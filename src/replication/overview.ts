import { believedMs, type RecoveryPoint } from '../backup/index.ts';
import { measureLag, type ReplicaLag } from './lag.ts';
import { decidePlacement, type PlacementVerdict } from './placement.ts';
import { freshState, type Replica, type ReplicaState } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import { wantedPoints } from './wanted-points.ts';

export type ReplicaOfTarget = ReplicaLag & { readonly targetId: string; readonly copies: number };

export type ReplicaOverview = {
  readonly replica: Replica;
  readonly state: ReplicaState;
  readonly targets: readonly ReplicaOfTarget[];
};

export type Overview = {
  readonly atMs: number;
  readonly enabled: boolean;
  readonly replicas: readonly ReplicaOverview[];
  /** Why nothing is copied now, whatever the replicas are like. */
  readonly paused: string | null;
  readonly refused: readonly { readonly pointId: string; readonly reason: string }[];
  readonly newest: readonly {
    readonly targetId: string;
    readonly pointId: string | null;
    readonly takenMs: number | null;
  }[];
  /** By target; empty where no rule is set. */
  readonly placement: readonly (PlacementVerdict & { readonly targetId: string })[];
};

/** Everything as it stands in the database; nothing is looked at. */
export async function readOverview(deps: ReplicationDeps, ofTarget?: string): Promise<Overview> {
  const { store, clock } = deps;
  const nowMs = clock.now();
  const { enabled, placement: rule, pruneIntervalMs } = deps.settings();
  const [replicas, states, copies, unsound] = await Promise.all([
    deps.replicas.list(),
    store.states(),
    store.copies(),
    deps.sourceUnsound(),
  ]);
  const { wanted, refused } = await wantedPoints(deps, ofTarget);
  const targetIds = ofTarget === undefined ? deps.targetIds : [ofTarget];
  const pointsOf = (targetId: string): RecoveryPoint[] => wanted.filter((point) => point.targetId === targetId);
  const overviews = replicas.map((replica) => {
    const seen = states.get(replica.id) ?? freshState;
    // Where nothing is freed any more, that it failed is over.
    const known = pruneIntervalMs > 0 ? seen : { ...seen, pruneFailures: 0 };
    const missing = new Set<string>();
    const targets = targetIds.map((targetId) => {
      const there = copies.filter((one) => one.replicaId === replica.id && one.targetId === targetId);
      // What it would not keep is not missing there.
      const asked = pointsOf(targetId).slice(0, known.keep ?? undefined);
      const ids = new Set(there.map(({ pointId }) => pointId));
      for (const { id } of asked) if (!ids.has(id)) missing.add(id);
      return { targetId, copies: there.length, ...measureLag(asked, there, nowMs) };
    });
    // One that was forgotten here meanwhile, or is there by another way, is not stuck.
    const state = { ...known, stuck: known.stuck.filter(({ pointId }) => missing.has(pointId)) };
    return { replica, state, targets };
  });
  // One whose age nobody knows does not hide the others that lie there.
  const newestThere = (replicaId: string, targetId: string): number | null => {
    const known = new Map(pointsOf(targetId).map((point) => [point.id, point]));
    const believed = copies
      .filter((one) => one.replicaId === replicaId && one.targetId === targetId)
      .map((one) => believedMs(known.get(one.pointId) ?? one, nowMs));
    return believed.length === 0 ? null : Math.max(...believed);
  };
  return {
    atMs: nowMs,
    enabled,
    replicas: overviews,
    paused: unsound ?? null,
    refused: refused
      .filter(({ point }) => point.verifiedMs !== null)
      .map(({ point, reason }) => ({ pointId: point.id, reason })),
    newest: targetIds.map((targetId) => {
      const [newest] = pointsOf(targetId);
      return { targetId, pointId: newest?.id ?? null, takenMs: newest?.takenMs ?? null };
    }),
    placement: rule
      ? targetIds.map((targetId) => ({
          targetId,
          ...decidePlacement(
            rule,
            {
              takenMs: pointsOf(targetId).map((point) => believedMs(point, nowMs)),
              sourceSound: unsound === undefined,
              replicas: overviews.map(({ replica, state }) => ({
                ...{ replicaId: replica.id, zone: replica.zone, offline: replica.offline },
                newestTakenMs: newestThere(replica.id, targetId),
                sound: replica.enabled && isSound(replica, state),
              })),
            },
            nowMs,
          ),
        }))
      : [],
  };
}

/** What is offline is believed until something was found wrong with it. */
export const isSound = ({ offline }: Pick<Replica, 'offline'>, state: ReplicaState): boolean =>
  state.findings.length === 0 && state.conflict === null && (offline || state.status === 'healthy');
