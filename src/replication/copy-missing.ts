import type { OperationContext } from '../operations/index.ts';
import { AppError, type ErrorCode, isAppError } from '../platform/errors.ts';
import { copyPoint } from './copy-point.ts';
import type { Place } from './places/place.ts';
import type { PointCopy } from './plan-sync.ts';
import type { Replica } from './replica.ts';
import type { ReplicationDeps } from './replication-deps.ts';
import type { StuckPoints } from './stuck-points.ts';

/** What is wrong with one point keeps no other from being copied. */
const ofOnePoint: ReadonlySet<string> = new Set([
  'request/too-large',
  'replication/digest-mismatch',
  'backup/unknown-point',
  'repository/damaged',
  'replication/conflict',
  'replication/not-kept',
] satisfies ErrorCode[]);
/** After so many it is hardly a matter of the points. */
const mostFailing = 3;

export type Copied = {
  readonly pointIds: readonly string[];
  /** As stored there; null where one of them cannot be told. */
  readonly bytes: number | null;
  /** Why it ended before the last one: somebody switched it off, or what fails is wrong with all. */
  readonly stopped?: { readonly why: 'switched-off' | 'too-many'; readonly error: AppError };
};

/** Copies points one after the other: the newest first, then what is stuck. */
export async function copyMissing(
  deps: ReplicationDeps,
  replica: Replica,
  place: Place,
  missing: readonly PointCopy[],
  stuck: StuckPoints,
  context: OperationContext,
): Promise<Copied> {
  const pointIds: string[] = [];
  let bytes: number | null = 0;
  /** What was seen to go over, for the rate. */
  let bytesDone = 0;
  let failures = 0;
  let firstFailure: AppError | undefined;
  // What is stuck in turn, so that one behind too many that fail is reached where all are due together.
  const triedMs = ({ point }: PointCopy): number => stuck.triedMs(point.id);
  const items = missing
    .filter(({ point }) => !stuck.waits(point.id))
    .sort((one, other) => (triedMs(one) < triedMs(other) ? -1 : triedMs(one) > triedMs(other) ? 1 : 0));
  const filesTotal = items.length;
  for (const [index, item] of items.entries()) {
    context.progress({ filesDone: pointIds.length, filesTotal });
    await context.checkHeld();
    // Who switches it off while it copies waits for one point at most; a new rate holds from the next one on.
    const current = await deps.replicas.require(replica.id);
    if (!current.enabled || !deps.settings().enabled) {
      const detail = `${replica.id} was switched off meanwhile. What was copied stays there.`;
      return { pointIds, bytes, stopped: { why: 'switched-off', error: new AppError('conflict/state', detail) } };
    }
    const before = bytesDone;
    let sent = 0;
    const brought = await copyPoint(deps, current, place, item, context, (now) => {
      sent = now.bytesDone;
      // How much the others will be is known when they are packed: a total only with the last.
      const last = index === filesTotal - 1;
      context.progress({
        bytesDone: before + sent,
        ...(last && now.bytesTotal !== null ? { bytesTotal: before + now.bytesTotal } : {}),
      });
    }).catch(async (err: unknown) => {
      context.signal.throwIfAborted();
      if (!isAppError(err) || !ofOnePoint.has(err.code)) throw err;
      await stuck.note(item.point.id, err);
      firstFailure ??= err;
      failures += 1;
      return undefined;
    });
    if (firstFailure && failures > mostFailing)
      return { pointIds, bytes, stopped: { why: 'too-many', error: firstFailure } };
    if (brought === undefined) continue;
    stuck.brought(item.point.id);
    bytesDone = before + (sent > 0 ? sent : (brought ?? 0));
    pointIds.push(item.point.id);
    bytes = bytes === null || brought === null ? null : bytes + brought;
    context.progress({ bytesDone });
  }
  context.progress({ filesDone: pointIds.length, filesTotal });
  return { pointIds, bytes };
}
