import type { StartOptions } from './operation-calls.ts';
import type { Call, CallOptions, Transport } from './transport.ts';
import type {
  CacheStatsBody,
  ClearedCachesBody,
  ConfigValidationBody,
  GrowthBody,
  JobBody,
  LogFolderBody,
  OperationBody,
  Page,
  RestartedJobBody,
} from './wire.ts';

export type RestartServicesOptions = CallOptions & {
  /** Names of `jobs()`; all unless told. */
  readonly names?: readonly string[];
  /** How long a run under way is awaited; 30 unless told, 600 at most. */
  readonly waitSeconds?: number;
  /** Tells a run under way to give up. */
  readonly force?: boolean;
};

export type ClearCachesOptions = CallOptions & {
  /** Unless told, every cache that costs nothing dear. */
  readonly types?: readonly string[];
  /** The consequence was read. */
  readonly confirm?: boolean;
};

export type ValidateOptions = CallOptions & {
  readonly type?: ConfigValidationBody['config_type'];
  /** Warnings count as errors. */
  readonly strict?: boolean;
};

/** ragwarden itself: what works in it, its logs and caches, the configuration of both sides. */
export function createSystemCalls(transport: Transport) {
  const send = async <T>(path: string, call?: Call): Promise<T> => (await transport.send(path, call)) as T; // checked where it is made
  return {
    /** Its background jobs, and whether they keep their time. */
    jobs: (call?: CallOptions) => send<Page<JobBody>>('/api/v1/system/jobs', call),
    /** What of it grows, how far, and what bounds it. */
    growth: (call?: CallOptions) => send<Page<GrowthBody>>('/api/v1/system/growth', call),
    /** Logs that are looked after, and what rotating and cleaning would do now. */
    logs: ({ all, daysToKeep, ...call }: CallOptions & { all?: boolean; daysToKeep?: number } = {}) =>
      send<Page<LogFolderBody>>('/api/v1/system/logs', { ...call, query: { all, days_to_keep: daysToKeep } }),
    /** Begins to set logs aside; the result is a `LogRotation`. @throws `conflict/state` without a log */
    rotateLogs: ({ all, ...call }: StartOptions & { all?: boolean } = {}) =>
      send<OperationBody>('/api/v1/system/logs/rotate', { ...call, method: 'POST', body: { all } }),
    /** Begins to delete old logs; the result is a `LogCleanup`. */
    cleanupLogs: ({ daysToKeep, ...call }: StartOptions & { daysToKeep?: number } = {}) =>
      send<OperationBody>('/api/v1/system/logs/cleanup', {
        ...call,
        method: 'POST',
        body: { days_to_keep: daysToKeep },
      }),
    /** Begins background jobs anew without dropping their work. @throws `request/not-found` for a name that none has */
    restartServices: ({ names, waitSeconds, force, signal }: RestartServicesOptions = {}) =>
      send<Page<RestartedJobBody>>('/api/v1/system/services/restart', {
        signal,
        method: 'POST',
        body: { names, wait_seconds: waitSeconds, force },
        // The server holds its answer back so long.
        ...(waitSeconds === undefined ? { waitSeconds: 30 } : { waitSeconds: Math.ceil(waitSeconds) }),
      }),
    /** What may be cleared, and what that costs. */
    caches: (call?: CallOptions) => send<CacheStatsBody>('/api/system/cache/stats', call),
    /** @throws `conflict/confirmation-required` with the consequence */
    clearCaches: ({ types, confirm, ...call }: ClearCachesOptions = {}) =>
      send<ClearedCachesBody>('/api/system/cache/clear', {
        ...call,
        method: 'POST',
        query: { cache_types: types?.join(','), confirm },
      }),
    /** The settings of ragwarden and of the backend as they are written; changes nothing. */
    validateConfiguration: ({ type, strict, ...call }: ValidateOptions = {}) =>
      send<ConfigValidationBody>('/api/system/config/validate', {
        ...call,
        method: 'POST',
        query: { config_type: type, strict_mode: strict },
      }),
    /** What somebody who helps needs to see, without secrets: a .tar.gz. */
    bundle: (call?: CallOptions) =>
      transport.send('/api/v1/system/bundle', { ...call, as: 'bytes' }) as Promise<Uint8Array>,
  };
}
