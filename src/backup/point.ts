import { AppError } from '../platform/errors.ts';
import type { RandomSource } from '../platform/ids.ts';
import type { PointCause } from './point-cause.ts';
import type { ProofGrade } from './sources/source.ts';

/** `backup_YYYYMMDD_HHMMSS_xxxx`: the time is UTC, the tail tells two points of one second apart. */
export type PointId = string;

/**
 * `partial`: the point exists, but something of the target is not in it. `lost`: it existed, and the repository does not hold it
 * any more although nobody forgot it.
 */
export type PointStatus = 'running' | 'success' | 'partial' | 'error' | 'lost';

/** One row of the catalogue. Times are epoch milliseconds. */
export type RecoveryPoint = {
  readonly id: PointId;
  readonly targetId: string;
  readonly scope: 'target' | 'workspace';
  /** Set exactly with scope `workspace`; the unnamed one is ''. */
  readonly workspace: string | null;
  readonly cause: PointCause;
  readonly status: PointStatus;
  readonly grade: ProofGrade | null;
  /** The moment of the capture: what the point holds is how things stood then. */
  readonly takenMs: number;
  readonly startedMs: number;
  readonly finishedMs: number | null;
  readonly verifiedMs: number | null;
  readonly forgottenMs: number | null;
  readonly repositoryId: string;
  readonly treeId: string | null;
  readonly logicalBytes: number;
  /** Null where nobody noted it: while it runs, or when the process ended before it was known. */
  readonly storedBytes: number | null;
  readonly manifest: import('./manifest.ts').Manifest | null;
  readonly error: string | null;
  readonly pinned: boolean;
  readonly operationId: string | null;
  /** Seen for long enough to be dated ahead of the clock, and so for good: see `misdated.ts`. */
  readonly misdated?: boolean;
  /** Beside `misdated`: nothing that is there was taken after it and is dated before it. Only its age is not known. */
  readonly inOrder?: boolean;
};

type Dated = Pick<RecoveryPoint, 'takenMs' | 'misdated' | 'inOrder'>;

/** By so much the clocks of two machines that share a state may differ; by more, one of them was wrong. */
export const clockLeewayMs = 300_000;

export const isAheadOfClock = ({ takenMs }: Pick<RecoveryPoint, 'takenMs'>, nowMs: number): boolean =>
  takenMs > nowMs + clockLeewayMs;

/** Whether what was taken after it may bear an earlier date: then its date says nothing of its place among others either. */
export const isOutOfOrder = (point: Dated, nowMs: number): boolean =>
  (point.misdated === true && point.inOrder !== true) || isAheadOfClock(point, nowMs);

/**
 * Dated by a clock that was wrong then and was set back since: how old it is nobody knows, but older than what was taken after that.
 * It stays so when its date comes.
 */
export const isMisdated = (point: Pick<RecoveryPoint, 'takenMs' | 'misdated'>, nowMs: number): boolean =>
  point.misdated === true || isAheadOfClock(point, nowMs);

/** When it was taken, as far as that is to be believed: what is misdated is older than anything. */
export const believedMs = (point: Pick<RecoveryPoint, 'takenMs' | 'misdated'>, nowMs: number): number =>
  isMisdated(point, nowMs) ? Number.NEGATIVE_INFINITY : point.takenMs;

/** Newest first. What is out of order comes after everything else, whatever its date says, so that it is the newest only where there is no other. */
export const newestFirstAt =
  (nowMs: number) =>
  (one: Dated & { readonly id: PointId }, other: Dated & { readonly id: PointId }): number =>
    Number(isOutOfOrder(one, nowMs)) - Number(isOutOfOrder(other, nowMs)) ||
    other.takenMs - one.takenMs ||
    (one.id < other.id ? 1 : -1);

const idShape = /^backup_\d{8}_\d{6}_[0-9a-hjkmnp-tv-z]{4}$/;

/** Ids come from outside in routes and commands; whatever does not match never reaches a path or a program. */
export const isPointId = (text: string): text is PointId => idShape.test(text);

/** An id as the documents write it, without what tells points of one second apart. */
export const isSecondOfId = (text: string): boolean => /^backup_\d{8}_\d{6}$/.test(text);

/**
 * @param begun ids of the points that were begun in that second
 * @throws AppError `backup/invalid-id` when they are several
 */
export function idMeantBy(second: string, begun: readonly string[]): string {
  const [first, ...others] = begun;
  if (first !== undefined && others.length > 0)
    throw new AppError('backup/invalid-id', `Several points were begun then, name one: ${begun.join(', ')}.`);
  return first ?? second;
}

export function newPointId(nowMs: number, random: RandomSource): PointId {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
  const stamp = new Date(nowMs).toISOString().slice(0, 19).replaceAll('-', '').replaceAll(':', '').replace('T', '_');
  let tail = '';
  for (const byte of random(4)) tail += alphabet[byte & 31];
  return `backup_${stamp}_${tail}`;
}

/** A point that can be restored: it exists, completely or in part, and was not forgotten. */
export const isRestorable = (point: RecoveryPoint): boolean =>
  (point.status === 'success' || point.status === 'partial') && point.forgottenMs === null;

const gradeOrder: readonly ProofGrade[] = ['consistent', 'crash-consistent', 'fuzzy'];

/** A point is as good as its worst component. */
export const worstGrade = (grades: readonly ProofGrade[]): ProofGrade =>
  grades.reduce(
    (worst, grade) => (gradeOrder.indexOf(grade) > gradeOrder.indexOf(worst) ? grade : worst),
    'consistent',
  );
