import { newestFirstAt, type RecoveryPoint } from '../backup/index.ts';
import { AppError } from '../platform/errors.ts';
import type { Drill, DrillChoice } from './drill.ts';

type Candidate = Pick<RecoveryPoint, 'id' | 'status' | 'takenMs' | 'verifiedMs' | 'misdated'> & {
  readonly coreVersion: string | null;
};

export type ChosenPoint = { readonly pointId: string; readonly reason: string };

/**
 * Which point is rehearsed.
 * @param points of one target, restorable ones only, any order
 * @param drills earlier restore drills of the target that came to a verdict about their point (`passed`, `failed`)
 * @param random in [0, 1)
 * @throws AppError `backup/unknown-point` when there is none
 */
export function choosePoint(
  choice: DrillChoice,
  points: readonly Candidate[],
  drills: readonly Pick<Drill, 'pointId'>[],
  random: number,
  nowMs: number,
): ChosenPoint {
  const newestFirst = points.toSorted(newestFirstAt(nowMs));
  const [newest] = newestFirst;
  const oldest = newestFirst.at(-1);
  if (!newest || !oldest)
    throw new AppError(
      'backup/unknown-point',
      'There is no recovery point to rehearse. `ragwarden backup create` takes one.',
    );
  switch (choice) {
    case 'newest': {
      const good = newestFirst.find((one) => one.status === 'success' && one.verifiedMs !== null);
      return good
        ? { pointId: good.id, reason: 'the newest good point' }
        : { pointId: newest.id, reason: 'the newest point; none is complete and verified' };
    }
    case 'oldest':
      return { pointId: oldest.id, reason: 'the oldest point that is kept' };
    case 'random': {
      const one = newestFirst[Math.min(newestFirst.length - 1, Math.floor(random * newestFirst.length))] ?? newest;
      return { pointId: one.id, reason: 'chosen at random' };
    }
    case 'risk':
      return chooseByRisk(newestFirst, drills);
  }
}

/** What nobody has looked at yet, the most doubtful first; when everything was, the one whose last drill is longest ago. */
function chooseByRisk(newestFirst: readonly Candidate[], drills: readonly Pick<Drill, 'pointId'>[]): ChosenPoint {
  const drilled = new Set(drills.map((one) => one.pointId));
  const never = newestFirst.filter((one) => !drilled.has(one.id));
  const afterChange = never.find((one) => {
    const before = newestFirst[newestFirst.indexOf(one) + 1];
    return before !== undefined && one.coreVersion !== null && before.coreVersion !== one.coreVersion;
  });
  if (afterChange)
    return {
      pointId: afterChange.id,
      reason: `the first point after the backend changed to ${afterChange.coreVersion}`,
    };
  const oldest = newestFirst.at(-1);
  if (oldest && !drilled.has(oldest.id)) return { pointId: oldest.id, reason: 'the oldest point that is kept' };
  const [newestNever] = never;
  if (newestNever) return { pointId: newestNever.id, reason: 'the newest point that was never rehearsed' };
  const order = drills.map((one) => one.pointId);
  const longestAgo = newestFirst.toSorted((a, b) => order.lastIndexOf(a.id) - order.lastIndexOf(b.id))[0];
  return { pointId: longestAgo?.id ?? '', reason: 'the point whose last drill is longest ago' };
}
