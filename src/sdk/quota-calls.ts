import { type Call, type CallOptions, pathPart, type Transport } from './transport.ts';
import type {
  CountedKind,
  OneQuotaBody,
  OwnQuotaBody,
  Page,
  QuotaActionName,
  QuotaBody,
  QuotaCheckBody,
  QuotaDimensionName,
  QuotaPeriodName,
  QuotaReplayBody,
  QuotaReservationBody,
  QuotaStatusBody,
  QuotaTypeName,
  QuotaUsageBody,
  QuotaViolationBody,
  QuotaWhenLost,
} from './wire.ts';

/** What a quota says, besides its id. */
export type QuotaSettings = {
  readonly name: string;
  readonly description?: string;
  /** What is counted. */
  readonly resourceType: CountedKind;
  readonly quotaType?: QuotaTypeName;
  readonly period?: QuotaPeriodName;
  readonly window?: 'calendar' | 'sliding';
  readonly limit: number;
  readonly burstLimit?: number | null;
  readonly maxLimit?: number | null;
  readonly action?: QuotaActionName;
  readonly targetId?: string | null;
  readonly workspaceId?: string | null;
  readonly userId?: string | null;
  readonly keyId?: string | null;
  readonly per?: readonly QuotaDimensionName[];
  readonly enabled?: boolean;
  readonly shadow?: boolean;
  readonly whenLost?: QuotaWhenLost;
  readonly ratePerMinute?: number | null;
  readonly waitSeconds?: number;
  readonly endsAt?: Date | null;
  readonly tags?: Readonly<Record<string, string>>;
};
export type NewQuota = QuotaSettings & { readonly quotaId: string };

/** A use, and whom it belongs to. */
export type QuotaUse = {
  readonly resourceType?: CountedKind;
  readonly usageAmount?: number;
  /** Several kinds at once, instead of the two above. */
  readonly amounts?: Readonly<Partial<Record<CountedKind, number>>>;
  readonly targetId?: string;
  readonly workspaceId?: string;
  readonly userId?: string;
  readonly keyId?: string;
};

const base = '/api/v1/metrics/quotas';
const one = (id: string, what = ''): string => `${base}/${pathPart(id)}${what}`;
const reservation = (id: string, what = ''): string => `${base}/reservations/${pathPart(id)}${what}`;

const settingsBody = (given: Partial<QuotaSettings>) => ({
  name: given.name,
  description: given.description,
  resource_type: given.resourceType,
  quota_type: given.quotaType,
  period: given.period,
  window: given.window,
  limit: given.limit,
  burst_limit: given.burstLimit,
  max_limit: given.maxLimit,
  action: given.action,
  target_id: given.targetId,
  workspace_id: given.workspaceId,
  user_id: given.userId,
  key_id: given.keyId,
  per: given.per,
  enabled: given.enabled,
  shadow: given.shadow,
  when_lost: given.whenLost,
  rate_per_minute: given.ratePerMinute,
  wait_seconds: given.waitSeconds,
  ends_at: given.endsAt === null ? null : given.endsAt?.toISOString(),
  tags: given.tags,
});
const useBody = (use: QuotaUse) => ({
  resource_type: use.resourceType,
  usage_amount: use.usageAmount,
  amounts: use.amounts,
  target_id: use.targetId,
  workspace_id: use.workspaceId,
  user_id: use.userId,
  key_id: use.keyId,
});

/** What may be used, by whom, and what was. Checking and reserving needs a service token, defining an admin's. */
export function createQuotaCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  const post = { method: 'POST' } as const;
  return {
    /** All of them with how they stand, or those that one user or workspace shares in. */
    status: ({
      quotaId,
      userId,
      workspaceId,
      ...call
    }: CallOptions & { quotaId?: string; userId?: string; workspaceId?: string } = {}) =>
      send<QuotaStatusBody>(base, {
        ...call,
        query: { quota_id: quotaId, user_id: userId, workspace_id: workspaceId },
      }),
    /** What the caller may still use; a user's token is enough. */
    own: (call?: CallOptions) => send<Page<OwnQuotaBody>>(`${base}/own`, call),
    /** With what was used in so many windows before, 30 unless told. @throws `quota/unknown` */
    get: async (id: string, { history, ...call }: CallOptions & { history?: number } = {}) =>
      send<OneQuotaBody>(one(id), { ...call, query: { history } }),
    /** @throws `conflict/state` when there is one of this id */
    create: (given: NewQuota, call?: CallOptions) =>
      send<QuotaBody>(base, { ...call, ...post, body: { quota_id: given.quotaId, ...settingsBody(given) } }),
    /** What is left out stays. @throws `quota/unknown`; `conflict/state` when it stands in the file */
    update: async (id: string, given: Partial<QuotaSettings>, call?: CallOptions) =>
      send<QuotaBody>(one(id), { ...call, method: 'PATCH', body: settingsBody(given) }),
    /** With all that was counted. */
    remove: async (id: string, call?: CallOptions) => send<void>(one(id), { ...call, method: 'DELETE' }),
    /** Begins to count anew, one bucket or all. @throws `quota/unknown` */
    reset: async (id: string, { bucket, ...call }: CallOptions & { bucket?: string } = {}) =>
      send<QuotaUsageBody>(one(id, '/reset'), { ...call, ...post, body: { bucket } }),
    /** What a definition would have done to what passed and is remembered; nothing is changed. */
    replay: (given: NewQuota | { readonly existing: string }, call?: CallOptions) =>
      send<QuotaReplayBody>(`${base}/replay`, {
        ...{ ...call, ...post },
        body: 'existing' in given ? given : { quota_id: given.quotaId, ...settingsBody(given) },
      }),
    /** Asks every quota that applies and uses it up in the same step, all of them or none; with `dryRun` it only asks. */
    check: ({ dryRun, ...use }: QuotaUse & { dryRun?: boolean }, call?: CallOptions) =>
      send<QuotaCheckBody>(`${base}/check`, { ...call, ...post, body: { ...useBody(use), dry_run: dryRun } }),
    /** The newest first. `limit` 1 to 200, 100 unless told. */
    violations: ({
      quotaId,
      resolved,
      limit,
      cursor,
      ...call
    }: CallOptions & { quotaId?: string; resolved?: boolean; limit?: number; cursor?: string } = {}) =>
      send<Page<QuotaViolationBody> & { readonly total: number }>(`${base}/violations`, {
        ...call,
        query: { quota_id: quotaId, resolved, limit, cursor },
      }),
    /**
     * Holds what will be used. The same `idempotencyKey` gives the same reservation.
     * @throws `quota/exceeded`, `quota/too-many`
     */
    reserve: (
      {
        ttlSeconds,
        onExpiry,
        ...use
      }: QuotaUse & {
        /** 1 to 86,400, 300 unless told. */ ttlSeconds?: number;
        onExpiry?: 'release' | 'charge';
      },
      { idempotencyKey, ...call }: CallOptions & { idempotencyKey?: string } = {},
    ) =>
      send<QuotaReservationBody>(`${base}/reservations`, {
        ...{ ...call, ...post },
        ...(idempotencyKey === undefined ? {} : { headers: { 'idempotency-key': idempotencyKey } }),
        body: { ...useBody(use), ttl_seconds: ttlSeconds, on_expiry: onExpiry },
      }),
    /** The newest first; of a service its own. */
    reservations: ({
      state,
      limit,
      cursor,
      ...call
    }: CallOptions & { state?: QuotaReservationBody['state']; limit?: number; cursor?: string } = {}) =>
      send<Page<QuotaReservationBody>>(`${base}/reservations`, { ...call, query: { state, limit, cursor } }),
    /** @throws `quota/unknown-reservation` */
    reservation: async (id: string, call?: CallOptions) => send<QuotaReservationBody>(reservation(id), call),
    /** It was used: these amounts, or as much as was held. */
    settle: async (
      id: string,
      { amounts, ...call }: CallOptions & { amounts?: Readonly<Partial<Record<CountedKind, number>>> } = {},
    ) => send<QuotaReservationBody>(reservation(id, '/settle'), { ...call, ...post, body: { amounts } }),
    /** Nothing of it was used. */
    release: async (id: string, call?: CallOptions) =>
      send<QuotaReservationBody>(reservation(id, '/release'), { ...call, ...post }),
    /** It lasts so long from now on. */
    renew: async (id: string, { ttlSeconds, ...call }: CallOptions & { ttlSeconds: number }) =>
      send<QuotaReservationBody>(reservation(id, '/renew'), { ...call, ...post, body: { ttl_seconds: ttlSeconds } }),
  };
}
