import { isIP } from 'node:net';
import { isAbsolute, join, resolve } from 'node:path';
import { type DatabasePlace, readDatabaseUrl } from '../platform/database-url.ts';
import type { LogLevel } from '../platform/logging.ts';
import type { AlertRuleBody } from './alert-structure.ts';
import { type AnalyticsConfig, buildAnalytics } from './analytics-settings.ts';
import { buildTarget, foldersOfTarget, type TargetConfig } from './build-target.ts';
import { buildCleanup, type CleanupConfig } from './cleanup-settings.ts';
import { buildCanary, buildDocuments, type CanaryConfig, type DocumentConfig } from './document-config.ts';
import { buildGateway, type GatewayConfig } from './gateway-config.ts';
import { buildHealth, type HealthConfig } from './health-config.ts';
import { isInside } from './is-inside.ts';
import { buildJwt, type JwtConfig } from './jwt-config.ts';
import { buildLogs, type LogsConfig } from './log-config.ts';
import {
  buildReadBack,
  buildRemoteWrite,
  buildScrape,
  type HistoryStoreConfig,
  type RemoteStoreConfig,
  type ScrapeConfig,
} from './metrics-structure.ts';
import { buildNotify, type NotifyConfig } from './notify-config.ts';
import type { QuotaConfig } from './quota-config.ts';
import type { Origins } from './read-config.ts';
import { buildReplication, type ReplicationConfig } from './replication-config.ts';
import { buildRepository, type RepositoryConfig } from './repository-config.ts';
import { buildWatchedProcesses, type WatchedProcess } from './resource-settings.ts';
import type { SettingValues } from './settings.ts';
import type { Problem } from './settings-file.ts';
import { findRepositoriesInStandby } from './standby-config.ts';
import { readStoreProxy, type StoreProxy } from './store-proxy.ts';
import type { Structure } from './structures.ts';
import { type DumpCommand, findNameProblems } from './target-config.ts';
import { buildTargetDatabase, type TargetDatabase } from './target-database.ts';
import { buildTargetQdrant, type TargetQdrant } from './target-qdrant.ts';
import { buildTargetRedis, type TargetRedis } from './target-redis.ts';
import { buildPrices, type ModelPrice } from './traffic-config.ts';
import { firstTuningValues } from './tuning-settings.ts';
import { buildProviders, type ModelProvider } from './tuning-structure.ts';
import { buildTuningWatch } from './tuning-watch-settings.ts';

/** Everything the product runs with, parsed and frozen. Paths are absolute; durations in milliseconds. */
const dayMs = 86_400_000;

export type Config = {
  readonly profile: 'production' | 'development';
  readonly dataDir: string;
  /** Where the state lies, and under which name this process works on it. */
  readonly state: { readonly place: DatabasePlace; readonly instance: string };
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly publicHosts: readonly string[];
    readonly trustedProxies: readonly string[];
    readonly adminToken: string | undefined;
  };
  readonly access: {
    /** `sub` of those whose JWT makes an admin. */
    readonly adminUserIds: readonly string[];
    /** Undefined: no JWT opens anything. */
    readonly jwt: JwtConfig | undefined;
    /** 32 bytes in base64; undefined: the file in the data folder. */
    readonly sealKey: string | undefined;
  };
  readonly logLevel: LogLevel;
  /** Parts whose log has another level. */
  readonly logLevels: Readonly<Record<string, LogLevel>>;
  readonly monitoring: {
    readonly enabled: boolean;
    readonly sampleIntervalMs: number;
    readonly directorySizesIntervalMs: number;
    readonly thresholds: HostThresholds;
  };
  readonly metrics: {
    readonly enabled: boolean;
    readonly port: number;
    /** Somebody asked for this very port; the default one may be taken. */
    readonly portChosen: boolean;
    readonly collectionIntervalMs: number;
    readonly remoteWrite: readonly RemoteStoreConfig[];
    /** Undefined: no other store is read. */
    readonly readBack: HistoryStoreConfig | undefined;
    readonly scrape: readonly ScrapeConfig[];
    readonly history: {
      readonly maxValues: number;
      readonly rollUpIntervalMs: number;
      readonly cleanUpIntervalMs: number;
      readonly compression: boolean;
      readonly caching: boolean;
      /** By tier. */
      readonly retention: Readonly<Record<'values' | 'raw' | '5m' | '1h', number>>;
    };
  };
  readonly events: { readonly enabled: boolean; readonly retentionDays: number };
  readonly healthCheckEnabled: boolean;
  readonly health: HealthConfig;
  readonly backup: RepositoryConfig & {
    readonly enabled: boolean;
    readonly frequencyMs: number;
    readonly jitterMs: number;
    readonly atStart: boolean;
    readonly idleWaitMs: number;
    readonly holdMs: number;
    readonly unfold: boolean;
    /** Absolute folders. */
    readonly allowedRoots: readonly string[];
    readonly retentionDays: number;
    readonly dailyRetentionDays: number;
    readonly pruneIntervalMs: number;
    readonly checkIntervalMs: number;
    readonly checkParts: number;
  };
  readonly recovery: {
    readonly enabled: boolean;
    /** Undefined: the schedule's interval and an hour. */
    readonly rpoMs: number | undefined;
    readonly rtoMs: number;
    readonly checkpointIntervalMs: number;
    /** How many are kept that were made by themselves; 0: none is made. */
    readonly automaticCheckpoints: number;
  };
  readonly drill: {
    /** 0: none by themselves. */
    readonly frequencyMs: number;
    readonly choice: SettingValues['drillChoice'];
    readonly scratchDir: string;
    readonly timeLimitMs: number;
    readonly minFreeBytes: number;
    readonly lowPriority: boolean;
    /** 0: all. */
    readonly cpus: number;
  };
  /** Caps by kind, in entries or bytes; 0 is none. */
  readonly growth: {
    readonly events: number;
    readonly audit: number;
    readonly operations: number;
    readonly 'idempotency-keys': number;
    readonly logins: number;
    readonly agents: number;
    readonly 'point-history': number;
    readonly drills: number;
    readonly 'replication-log': number;
    readonly deliveries: number;
    readonly silences: number;
    readonly 'quota-usage': number;
    readonly 'quota-violations': number;
    readonly 'quota-reservations': number;
    readonly samples: number;
    readonly 'state-copies': number;
    readonly 'restic-cache': number;
    readonly staging: number;
    readonly undo: number;
    readonly 'alert-history': number;
    readonly analytics: number;
    readonly 'cleanup-history': number;
    readonly quarantine: number;
  };
  readonly lowDisk: {
    readonly warnPercent: number;
    readonly warnBytes: number;
    readonly actPercent: number;
    readonly actBytes: number;
    readonly hysteresisPercent: number;
  };
  /** Undefined: nobody is called. The URL holds a key. */
  readonly heartbeat:
    | { readonly url: string; readonly intervalMs: number; readonly unhealthySuffix: string | undefined }
    | undefined;
  readonly analytics: AnalyticsConfig;
  readonly resources: {
    readonly leakCheckIntervalMs: number;
    readonly orphanCheckIntervalMs: number;
    readonly observe: { readonly enabled: boolean; readonly intervalMs: number };
    readonly processes: readonly WatchedProcess[];
    readonly maxTracked: number;
    readonly cleanupIntervalMs: number;
  };
  readonly alerts: {
    readonly enabled: boolean;
    readonly evaluationIntervalMs: number;
    readonly defaultRules: boolean;
    /** Those of the file. */
    readonly rules: readonly AlertRuleBody[];
  };
  /** Parameters of the backend that environment or file set, by their names. */
  readonly tuning: {
    readonly first: Readonly<Record<string, number | boolean>>;
    /** The backend's own environment file. */
    readonly environmentFile: string | undefined;
    readonly checkIntervalMs: number;
    readonly watch: ReturnType<typeof buildTuningWatch>;
    readonly providers: readonly ModelProvider[];
  };
  readonly cleanup: CleanupConfig;
  readonly quotas: { readonly checkIntervalMs: number; readonly definitions: readonly QuotaConfig[] };
  readonly replication: ReplicationConfig;
  /** How stores elsewhere are reached, the repository's and those of replicas. */
  readonly storeProxy: StoreProxy;
  readonly logs: LogsConfig;
  readonly traffic: { readonly maxExchanges: number; readonly prices: readonly ModelPrice[] };
  /** The `ragwarden.yaml` that was read; undefined when there is none. */
  readonly settingsFile: string | undefined;
  readonly gateway: GatewayConfig;
  readonly notify: NotifyConfig;
  /** Undefined: nothing was configured, `up` brings the sample backend. */
  readonly target: TargetConfig | undefined;
  readonly documents: DocumentConfig;
  /** Undefined: nobody asks whether the graph answers. */
  readonly canary: CanaryConfig | undefined;
  /** The backend's databases, as far as somebody named them; both hold secrets. */
  readonly targetDatabases: {
    readonly postgres: TargetDatabase | undefined;
    /** What of it goes into a point. */
    readonly postgresDump: 'database' | 'lightrag';
    readonly redis: TargetRedis | undefined;
    readonly qdrant: TargetQdrant | undefined;
    /** Database files that are captured while they are in use. */
    readonly sqlite: readonly { readonly name: string; readonly path: string }[];
    /** Programs whose output is captured. */
    readonly commands: readonly DumpCommand[];
  };
};

export type HostThresholds = {
  readonly warning: { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number };
  readonly critical: { readonly cpuPercent: number; readonly memoryPercent: number; readonly diskPercent: number };
  readonly memoryPressureWarningPercent: number;
  /** How long CPU and memory must be above before it counts, milliseconds. */
  readonly windowMs: number;
};

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);

/** Puts parsed values together and finds what only shows between several of them. */
export function buildConfig(
  values: SettingValues,
  structure: Structure,
  cwd: string,
  origins: Origins,
  env: Readonly<Record<string, string | undefined>>,
  settingsFile: string | undefined,
): { config: Config; problems: Problem[] } {
  const problems: Problem[] = [];
  const path = (value: string): string => resolve(cwd, value);
  const dataDir = path(values.dataDir);
  const repository = buildRepository(values, structure.backup, { env, cwd, dataDir, origins, problems });
  if (!loopback.has(values.host) && values.adminToken === undefined)
    problems.push({
      place: origins.host.place,
      message: `listening on ${values.host} needs a token of your own`,
      mend: 'Set RAGWARDEN_ADMIN_TOKEN or RAGWARDEN_ADMIN_TOKEN_FILE, or listen on 127.0.0.1.',
    });
  if (values.adminToken !== undefined && values.adminToken.length < 16)
    problems.push({
      place: origins.adminToken.place,
      message: 'the admin token is shorter than 16 characters',
      mend: 'Use at least 16 random characters.',
    });
  for (const [low, high, what] of [
    ['cpuWarningPercent', 'cpuCriticalPercent', 'CPU'],
    ['memoryWarningPercent', 'memoryCriticalPercent', 'memory'],
    ['diskWarningPercent', 'diskCriticalPercent', 'disk'],
  ] as const)
    if (values[low] > values[high])
      problems.push({
        place: origins[low].place,
        message: `the ${what} warning (${values[low]} %) lies above its critical threshold (${values[high]} %)`,
        mend: 'Lower the one or raise the other.',
      });
  for (const range of values.trustedProxies)
    if (!isAddressRange(range))
      problems.push({
        place: origins.trustedProxies.place,
        message: `"${range}" is no address and no range of addresses`,
        mend: 'Write addresses such as 10.0.0.7 or ranges such as 10.0.0.0/8.',
      });
  for (const name of values.publicHosts)
    if (!/^[A-Za-z0-9._-]+$/.test(name) && isIP(name.replace(/^\[|\]$/g, '')) === 0)
      problems.push({
        place: origins.publicHosts.place,
        message: `"${name}" is no host name`,
        mend: 'Write names such as rag.example.org, without scheme and port.',
      });
  for (const [act, warn, what] of [
    ['lowDiskActPercent', 'lowDiskWarnPercent', '%'],
    ['lowDiskActBytes', 'lowDiskWarnBytes', 'bytes'],
  ] as const)
    if (values[act] > values[warn])
      problems.push({
        place: origins[act].place,
        message: `things are given up (${values[act]} ${what}) before the disk is said to be low (${values[warn]} ${what})`,
        mend: 'Lower the one or raise the other.',
      });
  const target = buildTarget(values, structure.target, cwd, origins, problems, env);
  const repositories = [
    { place: origins.backupLocation.place, location: repository.location },
    ...(structure.replication.targets ?? []).map((one) => ({
      place: `replication.targets ${one.id}`,
      location: one.location ?? '',
    })),
  ];
  for (const { place, location } of repositories)
    if (isAbsolute(location) && target && foldersOfTarget(target).some((folder) => isInside(location, folder)))
      problems.push({
        place,
        message: 'the repository lies inside the folder it protects',
        mend: 'Put it elsewhere.',
      });
  problems.push(...findRepositoriesInStandby(target?.standby, repositories), ...findNameProblems(structure.target));
  const config: Config = {
    profile: values.profile,
    dataDir,
    state: { place: statePlace(values.stateDatabaseUrl, dataDir, path), instance: values.instance },
    server: {
      host: values.host,
      port: values.port,
      publicHosts: values.publicHosts,
      trustedProxies: values.trustedProxies,
      adminToken: values.adminToken,
    },
    access: {
      adminUserIds: values.adminUserIds,
      jwt: buildJwt(values, origins, problems),
      sealKey: sealKeyOf(values, origins, problems),
    },
    logLevel: logLevel(values.logLevel),
    logLevels: Object.fromEntries(Object.entries(values.logLevels).map(([slice, level]) => [slice, logLevel(level)])),
    monitoring: {
      enabled: values.monitoringEnabled,
      sampleIntervalMs: values.sampleIntervalSeconds * 1000,
      directorySizesIntervalMs: values.directorySizesIntervalSeconds * 1000,
      thresholds: {
        warning: {
          cpuPercent: values.cpuWarningPercent,
          memoryPercent: values.memoryWarningPercent,
          diskPercent: values.diskWarningPercent,
        },
        critical: {
          cpuPercent: values.cpuCriticalPercent,
          memoryPercent: values.memoryCriticalPercent,
          diskPercent: values.diskCriticalPercent,
        },
        memoryPressureWarningPercent: values.memoryPressureWarningPercent,
        windowMs: values.thresholdWindowSeconds * 1000,
      },
    },
    metrics: {
      enabled: values.metricsEnabled,
      port: values.metricsPort,
      portChosen: origins.metricsPort.kind !== 'default',
      collectionIntervalMs: values.metricsIntervalSeconds * 1000,
      remoteWrite: buildRemoteWrite(structure.metrics, { env, cwd, problems }),
      readBack: buildReadBack(structure.metrics, { env, cwd, problems }),
      scrape: buildScrape(structure.metrics, { env, cwd, problems }),
      history: {
        maxValues: values.metricsMaxValues,
        rollUpIntervalMs: values.metricsAggregationIntervalSeconds * 1000,
        cleanUpIntervalMs: values.metricsCleanupIntervalSeconds * 1000,
        compression: values.metricsCompressionEnabled,
        caching: values.metricsCachingEnabled,
        retention: {
          values: values.metricsRawRetentionDays * dayMs,
          raw: values.metricsRawRetentionDays * dayMs,
          '5m': values.metricsFiveMinuteRetentionDays * dayMs,
          '1h': values.metricsHourRetentionDays * dayMs,
        },
      },
    },
    events: { enabled: values.eventsEnabled, retentionDays: values.eventsRetentionDays },
    healthCheckEnabled: values.healthCheckEnabled,
    health: buildHealth(values, structure.health, { env, cwd, problems }),
    analytics: buildAnalytics(values),
    resources: {
      leakCheckIntervalMs: values.leakCheckIntervalSeconds * 1_000,
      orphanCheckIntervalMs: values.orphanCheckIntervalSeconds * 1_000,
      observe: { enabled: values.observeEnabled, intervalMs: values.observeIntervalSeconds * 1_000 },
      processes: buildWatchedProcesses(structure.resources),
      maxTracked: values.trackedResources,
      cleanupIntervalMs: values.resourceCleanupIntervalSeconds * 1_000,
    },
    alerts: {
      enabled: values.alertsEnabled,
      evaluationIntervalMs: values.alertEvaluationIntervalSeconds * 1_000,
      defaultRules: values.alertsDefaultRules,
      rules: structure.alerts.rules ?? [],
    },
    tuning: {
      first: firstTuningValues(values, origins),
      environmentFile: values.targetEnvFile === undefined ? undefined : path(values.targetEnvFile),
      checkIntervalMs: values.tuningCheckIntervalSeconds * 1_000,
      watch: buildTuningWatch(values),
      providers: buildProviders(structure.tuning, { env, cwd, problems }),
    },
    cleanup: buildCleanup(values, structure.cleanup, cwd),
    quotas: {
      checkIntervalMs: values.quotaCheckIntervalSeconds * 1_000,
      definitions: structure.quotas.definitions ?? [],
    },
    replication: buildReplication(values, structure.replication, { env, cwd, problems }),
    logs: buildLogs(values, structure.logs, cwd),
    traffic: { maxExchanges: values.trafficMaxExchanges, prices: buildPrices(structure.traffic) },
    settingsFile,
    growth: {
      events: values.growthEvents,
      audit: values.growthAuditEntries,
      operations: values.growthOperations,
      'idempotency-keys': values.growthIdempotencyKeys,
      logins: values.growthLogins,
      agents: values.growthAgents,
      'point-history': values.growthPointHistory,
      drills: values.growthDrills,
      'replication-log': values.growthReplicationLog,
      deliveries: values.growthDeliveries,
      silences: values.growthSilences,
      'quota-usage': values.growthQuotaUsage,
      'quota-violations': values.growthQuotaViolations,
      'quota-reservations': values.growthQuotaReservations,
      samples: values.growthSamplesBytes,
      'state-copies': values.growthStateCopies,
      'restic-cache': values.growthResticCacheBytes,
      staging: values.growthStagingBytes,
      undo: values.growthUndoBytes,
      'alert-history': values.growthAlertHistory,
      analytics: values.growthAnalytics,
      'cleanup-history': values.growthCleanupHistory,
      quarantine: values.growthQuarantineBytes,
    },
    lowDisk: {
      warnPercent: values.lowDiskWarnPercent,
      warnBytes: values.lowDiskWarnBytes,
      actPercent: values.lowDiskActPercent,
      actBytes: values.lowDiskActBytes,
      hysteresisPercent: values.lowDiskHysteresisPercent,
    },
    heartbeat: buildHeartbeat(values, origins, problems),
    storeProxy: readStoreProxy(env),
    backup: {
      enabled: values.backupEnabled,
      ...repository,
      frequencyMs: values.backupFrequencySeconds * 1000,
      jitterMs: values.backupJitterSeconds * 1000,
      atStart: values.backupAtStart,
      idleWaitMs: values.backupIdleWaitSeconds * 1000,
      holdMs: values.backupHoldSeconds * 1000,
      unfold: values.backupUnfold,
      allowedRoots: values.backupAllowedRoots.map((one) => path(one)),
      retentionDays: values.backupRetentionDays,
      dailyRetentionDays: values.backupDailyRetentionDays,
      pruneIntervalMs: values.backupPruneIntervalDays * 86_400_000,
      checkIntervalMs: values.backupCheckIntervalDays * 86_400_000,
      checkParts: values.backupCheckParts,
    },
    recovery: {
      enabled: values.recoveryEnabled,
      rpoMs: values.recoveryRpoSeconds === undefined ? undefined : values.recoveryRpoSeconds * 1000,
      rtoMs: values.recoveryRtoSeconds * 1000,
      checkpointIntervalMs: values.checkpointIntervalSeconds * 1000,
      automaticCheckpoints: values.automaticCheckpoints,
    },
    drill: {
      frequencyMs: values.drillFrequencySeconds * 1000,
      choice: values.drillChoice,
      scratchDir: values.drillScratchDir === undefined ? join(dataDir, 'drills') : path(values.drillScratchDir),
      timeLimitMs: values.drillTimeLimitSeconds * 1000,
      minFreeBytes: values.drillMinFreeBytes,
      lowPriority: values.drillLowPriority,
      cpus: values.drillCpus,
    },
    gateway: buildGateway(values, structure.gateway, target, origins, { env, cwd, problems }),
    notify: buildNotify(values, structure.notify, { env, cwd, problems }),
    target,
    documents: buildDocuments(values),
    canary: buildCanary(values, origins, problems),
    targetDatabases: {
      postgres: buildTargetDatabase(values, origins, problems),
      postgresDump: values.postgresDump,
      redis: buildTargetRedis(values),
      qdrant: buildTargetQdrant(values),
      sqlite: structure.target.sqlite ?? [],
      commands: structure.target.commands ?? [],
    },
  };
  return { config: deepFreeze(config), problems };
}

function sealKeyOf(values: SettingValues, origins: Origins, problems: Problem[]): string | undefined {
  const { sealKey } = values;
  if (sealKey !== undefined && Buffer.from(sealKey, 'base64').length !== 32)
    problems.push({
      place: origins.sealKey.place,
      message: 'is not 32 bytes in base64',
      mend: 'Make one with `openssl rand -base64 32`.',
    });
  return sealKey;
}

function buildHeartbeat(values: SettingValues, origins: Origins, problems: Problem[]): Config['heartbeat'] {
  const { heartbeatUrl: url, heartbeatUnhealthySuffix: unhealthySuffix } = values;
  if (url === undefined) {
    if (unhealthySuffix !== undefined)
      problems.push({
        place: origins.heartbeatUnhealthySuffix.place,
        message: 'names what is called below the heartbeat URL, and that is not set',
        mend: 'Set RAGWARDEN_HEARTBEAT_URL, or remove it.',
      });
    return undefined;
  }
  const { username, password } = new URL(url);
  if (username !== '' || password !== '')
    problems.push({
      place: origins.heartbeatUrl.place,
      message: 'must not carry a user name or a password',
      mend: 'Use a URL whose path is the key.',
    });
  return { url, intervalMs: values.heartbeatIntervalSeconds * 1000, unhealthySuffix };
}

/** Its parser has refused whatever cannot be read. */
function statePlace(url: string | undefined, dataDir: string, path: (value: string) => string): DatabasePlace {
  const place = url === undefined ? undefined : readDatabaseUrl(url);
  if (!place || 'complaint' in place) return { kind: 'sqlite', path: join(dataDir, 'state.sqlite') };
  return place.kind === 'sqlite' ? { kind: 'sqlite', path: path(place.path) } : place;
}

/** What the HTTP server takes as a proxy: an address, or one with the length of its prefix. */
function isAddressRange(range: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(range)) return true;
  const [address = '', prefix, ...rest] = range.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

const logLevel = (level: LogLevel | 'warning'): LogLevel => (level === 'warning' ? 'warn' : level);

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
