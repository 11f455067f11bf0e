import {
  countedKinds,
  lostPolicies,
  quotaActions,
  quotaDimensions,
  quotaPeriods,
  quotaTypes,
  quotaWindows,
  resourceKinds,
} from '../config/index.ts';

// The words of a definition are those of the file.
export { countedKinds, lostPolicies, quotaActions, quotaDimensions, quotaPeriods, quotaTypes, quotaWindows };
export type Counted = (typeof countedKinds)[number];

export type QuotaPeriod = (typeof quotaPeriods)[number];
export type QuotaAction = (typeof quotaActions)[number];
export type QuotaDimension = (typeof quotaDimensions)[number];
export type LostPolicy = (typeof lostPolicies)[number];

/** A limit, as somebody defined it. Amounts are whole and not above 2^53 − 1. */
export type Quota = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly counts: Counted;
  readonly type: (typeof quotaTypes)[number];
  readonly period: QuotaPeriod;
  /**
   * calendar: from one full second, minute, hour, day (Monday for weeks, the first for months) of UTC to the next. sliding: the
   * last second, minute, … 30 days before any moment, in sixtieths; what was used comes back at most a sixtieth late.
   */
  readonly window: (typeof quotaWindows)[number];
  readonly limit: number;
  readonly burstLimit: number | null;
  readonly action: QuotaAction;
  /** Only what belongs here; null is any. */
  readonly of: Place;
  /** Each of these has the limit for itself; none: all share it. */
  readonly per: readonly QuotaDimension[];
  readonly enabled: boolean;
  /** Counted and reported, never denied. */
  readonly shadow: boolean;
  readonly whenLost: LostPolicy;
  /** For `throttle`: how many units a minute pass beyond the limit. */
  readonly ratePerMinute: number | null;
  /** For `throttle` and `queue`: how long one waits at most. */
  readonly waitSeconds: number;
  /** For `dynamic`: never above. */
  readonly mostLimit: number | null;
  /** It ends by itself. */
  readonly endsMs: number | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly origin: 'file' | 'api' | 'default';
  readonly createdMs: number;
  readonly updatedMs: number;
};

/** Whom a use belongs to. In a definition null means any, in a use that nobody said. */
export type Place = {
  readonly targetId: string | null;
  readonly workspace: string | null;
  readonly userId: string | null;
  readonly keyId: string | null;
};
export const anyPlace: Place = { targetId: null, workspace: null, userId: null, keyId: null };

export type Amounts = Readonly<Partial<Record<Counted, number>>>;

/** What may stand in one window at most: up to it a use is granted, above `limit` with a warning. */
export const ceilingOf = (quota: Pick<Quota, 'limit' | 'burstLimit'>): number => quota.burstLimit ?? quota.limit;

/** Whether it can turn a use away, slow it down or keep it waiting; others are counted only. */
export const denies = (quota: Pick<Quota, 'shadow' | 'action' | 'enabled'>): boolean =>
  quota.enabled && !quota.shadow && quota.action !== 'warn';

/** Used while it is held, and free again afterwards; everything else is used up. */
export const comesBack = ({ counts, period }: Pick<Quota, 'counts' | 'period'>): boolean =>
  counts === 'concurrent_inserts' || (period === 'forever' && resourceKinds.some((kind) => kind === counts));

/**
 * Whether it is asked before a use. Of what comes back also where it never denies: what is held must be given back when its
 * holder dies, and only a lease does that.
 */
export const isAsked = (quota: Quota): boolean => denies(quota) || (quota.enabled && comesBack(quota));

/** A level that ragwarden measures itself: what is stored, not what was used. */
export const isLevel = ({ counts, period }: Pick<Quota, 'counts' | 'period'>): boolean =>
  period === 'forever' && (counts === 'stored_bytes' || counts === 'backup_bytes');

export type Verdict = 'within' | 'warned' | 'over';

/** Grants exactly when what stands in the window and what is asked for are together not above the ceiling. */
export function judge(
  quota: Pick<Quota, 'limit' | 'burstLimit'>,
  standing: number,
  amount: number,
): { readonly verdict: Verdict; readonly exceededBy: number } {
  const after = standing + amount;
  const exceededBy = Math.max(0, after - quota.limit);
  if (after <= quota.limit) return { verdict: 'within', exceededBy };
  return { verdict: after <= ceilingOf(quota) ? 'warned' : 'over', exceededBy };
}

/** Whether a use at this place is a matter of this quota. */
export function concerns(quota: Quota, place: Place, nowMs: number): boolean {
  if (!quota.enabled || (quota.endsMs !== null && quota.endsMs <= nowMs)) return false;
  const { of } = quota;
  if (of.targetId !== null && of.targetId !== place.targetId) return false;
  if (of.workspace !== null && of.workspace !== place.workspace) return false;
  if (of.userId !== null && of.userId !== place.userId) return false;
  if (of.keyId !== null && of.keyId !== place.keyId) return false;
  // Of nobody there is no share of one.
  return quota.per.every((dimension) => sharedValue(place, dimension) !== null);
}

function sharedValue(place: Place, dimension: QuotaDimension): string | null {
  if (dimension === 'target') return place.targetId;
  if (dimension === 'user') return place.userId;
  if (dimension === 'key') return place.keyId;
  return place.workspace === null ? null : `${place.targetId ?? ''}/${place.workspace}`;
}

/** Who shares one limit, as a text: `user=local%3Aanna&workspace=default%2F`; empty for all. */
export const bucketOf = (quota: Pick<Quota, 'per'>, place: Place): string =>
  quota.per.map((dimension) => `${dimension}=${encodeURIComponent(sharedValue(place, dimension) ?? '')}`).join('&');

export function placeOfBucket(bucket: string): Place {
  const said = new Map(
    bucket.split('&').map((part) => {
      const [name = '', value = ''] = part.split('=');
      return [name, decodeURIComponent(value)] as const;
    }),
  );
  const workspace = said.get('workspace');
  const slash = workspace?.indexOf('/') ?? -1;
  return {
    targetId: said.get('target') ?? (workspace === undefined ? null : workspace.slice(0, slash) || null),
    workspace: workspace === undefined ? null : workspace.slice(slash + 1),
    userId: said.get('user') ?? null,
    keyId: said.get('key') ?? null,
  };
}

/** `user local:anna, workspace default/` for people; empty for all. */
export const describeBucket = (bucket: string): string =>
  bucket === ''
    ? ''
    : bucket
        .split('&')
        .map((part) => {
          const [name = '', value = ''] = part.split('=');
          return `${name} ${decodeURIComponent(value) || '(nobody known)'}`;
        })
        .join(', ');
