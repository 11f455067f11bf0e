import { createAlertCalls } from './alert-calls.ts';
import { createAnalyticsCalls } from './analytics-calls.ts';
import { createCleanupCalls } from './cleanup-calls.ts';
import { createDocumentCalls } from './document-calls.ts';
import { createEventCalls } from './event-calls.ts';
import { createFailoverCalls } from './failover-calls.ts';
import { createGatewayCalls } from './gateway-calls.ts';
import { createGraphCalls } from './graph-calls.ts';
import { createHealthCalls } from './health-calls.ts';
import { createMetricCalls } from './metric-calls.ts';
import { createNotificationCalls } from './notification-calls.ts';
import { createOperationCalls, type StartOptions } from './operation-calls.ts';
import { createQuotaCalls } from './quota-calls.ts';
import { createReplicationCalls } from './replication-calls.ts';
import { createResourceCalls } from './resource-calls.ts';
import { createSystemCalls } from './system-calls.ts';
import { createMonitoringCalls, createTrafficCalls } from './traffic-calls.ts';
import { type Call, type CallOptions, type ClientOptions, createTransport, pathPart } from './transport.ts';
import { createTuningCalls } from './tuning-calls.ts';
import type {
  BackupResult,
  BackupSources,
  BackupStatusBody,
  BackupTimeline,
  ConfigFile,
  DrillBody,
  DrillEvidence,
  InspectionBody,
  LoginLinkBody,
  NewTokenBody,
  OperationBody,
  Page,
  PointContents,
  RecoveryObjectives,
  RepositoryBody,
  RestorePlan,
  RetentionItem,
  Role,
  ScheduleBody,
  SettingBody,
  SettingChange,
  SettingsCheckBody,
  SettingValue,
  TargetBody,
  TokenBody,
  WhoBody,
} from './wire.ts';

export type NewToken = {
  /** Lower-case letters, digits, dot, dash and underscore. */
  readonly name: string;
  readonly role: Role;
  /** All when left out, except for users, who then get none. */
  readonly workspaces?: 'all' | readonly string[];
  readonly label?: string;
  readonly expiresAt?: Date;
};

export type LoginLink = {
  readonly role?: 'user' | 'admin';
  /** Whom it logs in, as `local:NAME`. An admin may leave it out: themselves. */
  readonly name?: string;
  /** Of a user. An admin has all. */
  readonly workspaces?: 'all' | readonly string[];
};

/** What a point is wanted of; all of it unless told. */
export type PointWish = {
  readonly target?: string | undefined;
  /** This workspace alone; '' is the unnamed one. */
  readonly workspace?: string | undefined;
  /** A point without a part that the target has is `partial`. */
  readonly include?: {
    readonly database?: boolean | undefined;
    readonly workspaces?: boolean | undefined;
    readonly config?: boolean | undefined;
  };
};

/** What of a point goes back, and where to; all of it in place unless told. */
export type RestoreWish = {
  readonly components?: readonly string[] | undefined;
  /** Only what belongs to it; '' is the unnamed one. */
  readonly workspace?: string | undefined;
  /** Under this name, beside the one it has. */
  readonly asWorkspace?: string | undefined;
  /** Beside the live data: a new folder below `backup.allowed_roots`, a name for what is no folder. */
  readonly to?: { readonly folder?: string | undefined; readonly name?: string | undefined } | undefined;
};

const bodyOfWish = ({ components, workspace, asWorkspace, to }: RestoreWish) => ({
  components,
  workspace,
  as_workspace: asWorkspace,
  to,
});

export type RagwardenClient = ReturnType<typeof createClient>;

/**
 * A client of one ragwarden. Nothing is sent, and no timer runs, before a call.
 * Every call rejects with a `RagwardenError`, or with the reason of its signal.
 * @throws TypeError when `url` is no http(s) URL, or has credentials in it
 */
export function createClient(options: ClientOptions) {
  const transport = createTransport(options);
  // Answers are checked against their schemas where they are made; a second check here would be a second truth.
  const get = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T;
  const post = <T>(path: string, call: Call): Promise<T> => get(path, { ...call, method: 'POST' });
  const target = (id: string, verb?: string): string =>
    `/api/v1/targets/${pathPart(id)}${verb === undefined ? '' : `/${verb}`}`;
  const point = (backupId: string, verb?: string): string =>
    `/api/v1/backup/points/${pathPart(backupId)}${verb === undefined ? '' : `/${verb}`}`;

  return {
    health: createHealthCalls(transport),
    /** The description of the API, OpenAPI 3.1. */
    describe: (call?: CallOptions) => get<Readonly<Record<string, unknown>>>('/openapi.json', call),
    gateway: createGatewayCalls(transport),
    tuning: createTuningCalls(transport),
    notifications: createNotificationCalls(transport),
    metrics: createMetricCalls(transport),
    monitoring: createMonitoringCalls(transport),
    traffic: createTrafficCalls(transport),
    resources: createResourceCalls(transport),
    analytics: createAnalyticsCalls(transport),
    cleanup: createCleanupCalls(transport),
    quotas: createQuotaCalls(transport),
    alerts: createAlertCalls(transport),
    replication: createReplicationCalls(transport),
    targets: {
      /** Everything that is watched, as it was last seen. */
      list: (call?: CallOptions) => get<Page<TargetBody>>('/api/v1/targets', call),
      /** @throws `target/unknown` */
      get: async (id: string, call?: CallOptions) => get<TargetBody>(target(id), call),
      /** Looks now instead of telling what was last seen. @throws `target/unknown` */
      probe: async (id: string, call?: CallOptions) => post<TargetBody>(target(id, 'probe'), { ...call }),
      /** What the last look into its files found. @throws `conflict/state` before the first one */
      inspection: async (id: string, call?: CallOptions) => get<InspectionBody>(target(id, 'inspection'), call),
      /** Begins to look into its files; the result is an `InspectionBody`. */
      inspect: async (id: string, call?: StartOptions) => post<OperationBody>(target(id, 'inspect'), { ...call }),
      ...createDocumentCalls(transport),
    },
    backup: {
      status: ({ target, ...call }: CallOptions & { target?: string } = {}) =>
        get<BackupStatusBody>('/api/v1/backup/status', { ...call, query: { target } }),
      /** The last runs, oldest first. `limit` 1 to 100, 10 unless told. */
      history: ({ target, limit, ...call }: CallOptions & { target?: string; limit?: number } = {}) =>
        get<BackupResult[]>('/api/v1/backup/history', { ...call, query: { target, limit } }),
      /** Recovery points that exist, newest first. `limit` 1 to 500, 50 unless told. */
      points: ({
        target,
        limit,
        cursor,
        ...call
      }: CallOptions & { target?: string; limit?: number; cursor?: string } = {}) =>
        get<Page<BackupResult>>('/api/v1/backup/points', { ...call, query: { target, limit, cursor } }),
      /** Every run of the last `days` (1 to 400, 30 unless told), those that failed or were forgotten too. */
      timeline: ({ target, days, ...call }: CallOptions & { target?: string; days?: number } = {}) =>
        get<BackupTimeline>('/api/v1/backup/timeline', { ...call, query: { target, days } }),
      /** What is in it, part by part. @throws `backup/unknown-point`, `conflict/state` for a run that failed */
      contents: async (backupId: string, call?: CallOptions) => get<PointContents>(point(backupId, 'contents'), call),
      /** @throws `backup/unknown-point`, `backup/invalid-id` */
      point: async (backupId: string, call?: CallOptions) => get<BackupResult>(point(backupId), call),
      /** Begins to take a point; its result is a `BackupResult`. @throws `backup/unavailable`, `operation/busy` */
      trigger: ({ target, workspace, include = {}, ...call }: StartOptions & PointWish = {}) =>
        post<OperationBody>('/api/v1/backup/trigger', {
          ...call,
          body: {
            target,
            workspace,
            include_database: include.database,
            include_workspaces: include.workspaces,
            include_config: include.config,
          },
        }),
      /** Begins to read every byte of a point back. */
      verify: async (backupId: string, call?: StartOptions) =>
        post<OperationBody>(point(backupId, 'verify'), { ...call }),
      /** What a restore would do; changes nothing. */
      planRestore: async (backupId: string, { signal, ...wish }: CallOptions & RestoreWish = {}) =>
        post<RestorePlan>(`/api/v1/backup/restore/${pathPart(backupId)}`, {
          signal,
          body: { plan_only: true, ...bodyOfWish(wish) },
        }),
      /**
       * Begins a restore, which replaces the data of the target; a safety point is taken first.
       * @throws `conflict/confirmation-required` without `confirm: true`, `restore/plan-changed`, `restore/blocked`
       */
      restore: async (
        backupId: string,
        {
          confirm,
          planId,
          safetyPoint,
          signal,
          idempotencyKey,
          ...wish
        }: StartOptions & RestoreWish & { confirm: boolean; planId?: string; safetyPoint?: boolean },
      ) =>
        post<OperationBody>(`/api/v1/backup/restore/${pathPart(backupId)}`, {
          signal,
          idempotencyKey,
          body: { confirm, plan_id: planId, safety_point: safetyPoint, ...bodyOfWish(wish) },
        }),
      startSchedule: (call?: CallOptions) => post<ScheduleBody>('/api/v1/backup/start', { ...call }),
      stopSchedule: (call?: CallOptions) => post<ScheduleBody>('/api/v1/backup/stop', { ...call }),
      /** Retention never forgets a pinned point. @throws `backup/unknown-point` */
      pin: async (backupId: string, call?: CallOptions) =>
        get<BackupResult>(point(backupId, 'pin'), { ...call, method: 'PUT' }),
      /** Leaves a point to retention again. */
      unpin: async (backupId: string, call?: CallOptions) =>
        get<BackupResult>(point(backupId, 'pin'), { ...call, method: 'DELETE' }),
      /** Begins to make the catalogue of points from the repository alone; the result is a `CatalogueReport`. */
      rebuildCatalogue: ({ dryRun, ...call }: StartOptions & { dryRun?: boolean } = {}) =>
        post<OperationBody>('/api/v1/backup/rebuild-catalogue', { ...call, body: { dry_run: dryRun } }),
      /** What a point taken now would hold, what each part is worth, and what it would lack. */
      sources: ({ target, ...call }: CallOptions & { target?: string } = {}) =>
        get<BackupSources>('/api/v1/backup/sources', { ...call, query: { target } }),
      /** The configuration that a point holds, with its secrets taken out. */
      config: async (backupId: string, call?: CallOptions) =>
        get<Page<ConfigFile>>(point(backupId, 'config'), { ...call }),
      /** What retention would keep and forget now, with a reason for each point. */
      retention: ({ target, ...call }: CallOptions & { target?: string } = {}) =>
        get<Page<RetentionItem>>('/api/v1/backup/retention', { ...call, query: { target } }),
      /** Somebody has the recovery kit elsewhere; the warning about it ends. */
      confirmRecoveryKit: (call?: CallOptions) =>
        post<{ readonly confirmed_at: string }>('/api/v1/backup/recovery-kit/confirm', { ...call }),
      /** Accepts what lies at the location now, or begins a new repository there with the next point. */
      adoptRepository: ({ confirm, ...call }: CallOptions & { confirm: true }) =>
        post<{ readonly message: string }>('/api/v1/backup/repository/adopt', { ...call, body: { confirm } }),
    },
    recovery: {
      ...createFailoverCalls(transport),
      /** RPO and RTO of each target: objective, measured, how much of it is used, trend. @throws `target/unknown` */
      objectives: ({ target, ...call }: CallOptions & { target?: string } = {}) =>
        get<Page<RecoveryObjectives>>('/api/v1/recovery/objectives', { ...call, query: { target } }),
      /** Rehearsed restores, newest first. `limit` 1 to 500, 50 unless told. */
      drills: ({
        target,
        kind,
        limit,
        cursor,
        ...call
      }: CallOptions & { target?: string; kind?: DrillBody['kind']; limit?: number; cursor?: string } = {}) =>
        get<Page<DrillBody>>('/api/v1/recovery/drills', { ...call, query: { target, kind, limit, cursor } }),
      /**
       * Begins a drill; its result is a `DrillResult`.
       * @throws `operation/busy` while one of the target runs, `backup/unknown-point`, `storage/full`
       */
      startDrill: ({
        target,
        kind,
        backupId,
        choice,
        ...call
      }: StartOptions & {
        target?: string;
        kind?: DrillBody['kind'];
        backupId?: string;
        choice?: NonNullable<DrillBody['choice']>;
      } = {}) =>
        post<OperationBody>('/api/v1/recovery/drills', {
          ...call,
          body: { target, kind, backup_id: backupId, choice },
        }),
      /** @throws `recovery/unknown-drill` */
      drill: async (drillId: string, call?: CallOptions) =>
        get<DrillBody>(`/api/v1/recovery/drills/${pathPart(drillId)}`, call),
      /** What it proved, to be kept elsewhere. @throws `recovery/unknown-drill`, `conflict/state` while it runs */
      evidence: async (drillId: string, call?: CallOptions) =>
        get<DrillEvidence>(`/api/v1/recovery/drills/${pathPart(drillId)}/evidence`, call),
    },
    repository: {
      /** Where it is, whether it opens, who locks it, and when it was last kept in order. */
      get: (call?: CallOptions) => get<RepositoryBody>('/api/v1/repository', call),
      /** Begins a check: the structure, and of the data the part whose turn it is, `subset` (`10%`, `1/7`, `500M`), or with `readData` all of it. */
      check: ({ readData, subset, ...call }: StartOptions & { readData?: boolean; subset?: string } = {}) =>
        post<OperationBody>('/api/v1/repository/check', { ...call, body: { read_data: readData, subset } }),
      /** Begins to forget what retention gives up; with `dryRun` its result only tells. Frees nothing: `prune` does. */
      forget: ({ target, dryRun, ...call }: StartOptions & { target?: string; dryRun?: boolean } = {}) =>
        post<OperationBody>('/api/v1/repository/forget', { ...call, body: { target, dry_run: dryRun } }),
      /** Begins to free the bytes that no point refers to. */
      prune: (call?: StartOptions) => post<OperationBody>('/api/v1/repository/prune', { ...call }),
      /** Begins to remove locks whose holder is proved to be dead: the named ones, or all of them. */
      unlock: ({ lockIds, ...call }: StartOptions & { lockIds?: readonly string[] } = {}) =>
        post<OperationBody>('/api/v1/repository/unlock', { ...call, body: { lock_ids: lockIds } }),
    },
    snapshots: createGraphCalls(transport),
    operations: createOperationCalls(transport),
    ...createEventCalls(transport),
    settings: {
      /** Every setting in force, or those of `keys`, with where it came from; secrets never. `etag` is the version of them all. */
      list: async ({
        keys,
        ...call
      }: CallOptions & { keys?: readonly string[] } = {}): Promise<
        Page<SettingBody> & { readonly etag: string | null }
      > => {
        const { body, etag } = await transport.sendForEtag('/api/v1/settings', { ...call, query: { key: keys } });
        return { ...(body as Page<SettingBody>), etag };
      },
      /** @throws `settings/unknown` with the nearest name */
      get: async (key: string, call?: CallOptions) => get<SettingBody>(`/api/v1/settings/${pathPart(key)}`, call),
      /**
       * Changes runtime settings, all of them or none, at once and over restarts; null gives one back to file and default.
       * @param changes by key, such as `{ 'backup.frequency_seconds': 3600 }`
       * @throws `settings/needs-restart`, `settings/fixed` by flag or environment, `request/invalid`; with `ifMatch` when
       *   another change came first
       */
      patch: (changes: Readonly<Record<string, SettingValue>>, call?: CallOptions & { ifMatch?: string }) =>
        get<Page<SettingBody> & { readonly changed: readonly SettingChange[] }>('/api/v1/settings', {
          ...call,
          method: 'PATCH',
          body: changes,
        }),
      /** What reading file and secrets again would do; changes nothing. */
      check: (call?: CallOptions) => post<SettingsCheckBody>('/api/v1/settings/check', { ...call }),
      /** Reads file and secrets again, all of it or nothing. @throws `config/invalid` */
      reload: (call?: CallOptions) => post<SettingsCheckBody>('/api/v1/settings/reload', { ...call }),
    },
    system: createSystemCalls(transport),
    access: {
      /** Who the token of this client stands for. */
      session: (call?: CallOptions) => get<WhoBody>('/api/v1/access/session', call),
      /** Tokens, newest first, without their secrets. `limit` 1 to 500, 100 unless told. */
      tokens: ({ limit, cursor, ...call }: CallOptions & { limit?: number; cursor?: string } = {}) =>
        get<Page<TokenBody>>('/api/v1/access/tokens', { ...call, query: { limit, cursor } }),
      /** Makes a token; its secret is told this once. */
      createToken: ({ expiresAt, ...token }: NewToken, call?: CallOptions) =>
        post<NewTokenBody>('/api/v1/access/tokens', {
          ...call,
          body: { ...token, expires_at: expiresAt?.toISOString() },
        }),
      /** Gives a token a new secret, told this once. The old one ends now, or after `graceSeconds`. */
      rotateToken: async (
        id: string,
        { graceSeconds, expiresAt, ...call }: CallOptions & { graceSeconds?: number; expiresAt?: Date | null } = {},
      ) =>
        post<NewTokenBody>(`/api/v1/access/tokens/${pathPart(id)}/rotate`, {
          ...call,
          body: { grace_seconds: graceSeconds, expires_at: expiresAt === null ? null : expiresAt?.toISOString() },
        }),
      /** Revokes a token and ends its sessions. */
      revokeToken: async (id: string, call?: CallOptions): Promise<void> => {
        await transport.send(`/api/v1/access/tokens/${pathPart(id)}`, { ...call, method: 'DELETE' });
      },
      /** Logs one browser in, once, within ten minutes: as who is asking, or as somebody else. */
      createLoginLink: (link: LoginLink = {}, call?: CallOptions) =>
        post<LoginLinkBody>('/api/v1/access/login-links', { ...call, body: link }),
      /** Ends every browser session of oneself, or, for admins, of the subject that is named. */
      endSessions: ({ subject, ...call }: CallOptions & { subject?: string } = {}) =>
        get<{ readonly subject: string; readonly ended: number }>('/api/v1/access/sessions', {
          ...call,
          method: 'DELETE',
          query: { subject },
        }),
    },
  };
}
