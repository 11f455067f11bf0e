import { isAppError } from '../platform/errors.ts';
import type { ReplicaState } from './replica.ts';

/**
 * A copy reads nothing of what was there before: damage that was found stays found until a heal, or all of it was read, and a conflict
 * until a comparison finds none. A place is well where only single points cannot be copied to it; why they cannot stays told until a
 * copy brings all.
 */
export const statusByFindings = ({
  findings: [first],
  conflict,
  ...before
}: Pick<ReplicaState, 'findings' | 'conflict' | 'status' | 'failuresInRow' | 'error'>) => {
  if (first !== undefined) return { status: 'degraded' as const, error: `Damaged: ${first}` };
  if (conflict !== null) return { status: 'degraded' as const, error: conflict };
  const told = before.status === 'healthy' && before.failuresInRow > 0;
  return { status: 'healthy' as const, error: told ? before.error : null };
};

/** A place that answers and refuses is there; whether it is reachable at all is another question. */
export function statusOfFailure(err: unknown): 'degraded' | 'unreachable' {
  if (!isAppError(err)) return 'degraded';
  switch (err.code) {
    case 'outgoing/failed':
    case 'outgoing/timeout':
    case 'repository/unreachable':
    case 'repository/failed':
    case 'repository/missing':
      return 'unreachable';
    default:
      return 'degraded';
  }
}
