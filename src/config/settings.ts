import {
  decimal,
  flag,
  folder,
  hostName,
  httpUrl,
  oneOf,
  type Parser,
  text,
  wholeNumber,
  words,
} from './value-parsers.ts';

/** An environment variable of a setting; `perUnit` converts what is written there into the setting's own unit. */
export type EnvironmentName = { readonly name: string; readonly perUnit?: number };

export type Setting<T = unknown> = {
  /** Where it stands in `ragwarden.yaml`. */
  readonly key: string;
  readonly env: readonly EnvironmentName[];
  readonly flag?: string;
  readonly parser: Parser<T>;
  readonly fallback: T | undefined;
  /** What it is, and what a larger or smaller value costs; one line. */
  readonly about: string;
  readonly unit?: string;
  /** Read from `<NAME>_FILE` as well, never printed, never taken from the YAML file. */
  readonly secret?: boolean;
};

type Definition<T, Fallback> = Omit<Setting<T>, 'fallback'> & { readonly fallback: Fallback };
const setting = <T, const Fallback extends T | undefined>(
  definition: Definition<T, Fallback>,
): Definition<T, Fallback> => definition;
const env = (...names: (string | EnvironmentName)[]): readonly EnvironmentName[] =>
  names.map((name) => (typeof name === 'string' ? { name } : name));

const percent = decimal(1, 100);

/** Every scalar setting. What stands here is what the environment, the flags, the file, the reference and `config show` know. */
export const settings = {
  profile: setting({
    key: 'profile',
    env: env('RAGWARDEN_PROFILE'),
    parser: oneOf(['production', 'development']),
    fallback: 'production',
    about: 'Set of default intervals: development samples and probes more often and costs more.',
  }),
  dataDir: setting({
    key: 'data_dir',
    env: env('RAGWARDEN_DATA_DIR'),
    flag: 'data-dir',
    parser: folder,
    fallback: 'ragwarden-data',
    about: 'Folder of the state, the staging tree and, unless set elsewhere, the backup repository.',
  }),
  host: setting({
    key: 'server.host',
    env: env('RAGWARDEN_HOST'),
    flag: 'host',
    parser: text,
    fallback: '127.0.0.1',
    about: 'Address to listen on. Anything but loopback needs an admin token of your own.',
  }),
  port: setting({
    key: 'server.port',
    env: env('RAGWARDEN_PORT'),
    flag: 'port',
    parser: wholeNumber(0, 65535),
    fallback: 8710,
    about: 'Port of API and dashboard; 0 takes any free one.',
  }),
  publicHosts: setting({
    key: 'server.public_hosts',
    env: env('RAGWARDEN_PUBLIC_HOSTS'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Further host names under which clients may call; all others are refused (DNS rebinding).',
  }),
  trustedProxies: setting({
    key: 'server.trusted_proxies',
    env: env('RAGWARDEN_TRUSTED_PROXIES'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Addresses of proxies whose X-Forwarded-For is believed.',
  }),
  adminToken: setting({
    key: 'server.admin_token',
    env: env('RAGWARDEN_ADMIN_TOKEN'),
    parser: text,
    fallback: undefined,
    secret: true,
    about: 'The admin token. Without it the first start makes one.',
  }),
  adminUserIds: setting({
    key: 'access.admin_user_ids',
    env: env('ADMIN_USER_IDS'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Whose JWT makes an admin: values of `sub` at the configured issuer. Empty: nobody by JWT.',
  }),
  jwtSecret: setting({
    key: 'access.jwt.secret',
    env: env('RAGWARDEN_JWT_SECRET'),
    parser: text,
    fallback: undefined,
    secret: true,
    about: 'Accept JWTs signed with this shared secret (HS256 only), at least 32 bytes.',
  }),
  jwtJwksUrl: setting({
    key: 'access.jwt.jwks_url',
    env: env('RAGWARDEN_JWT_JWKS_URL'),
    parser: httpUrl,
    fallback: undefined,
    about: 'Accept JWTs signed with a key that this JSON Web Key Set lists (asymmetric algorithms only).',
  }),
  auth0Domain: setting({
    key: 'access.jwt.auth0_domain',
    env: env('AUTH0_DOMAIN'),
    parser: hostName,
    fallback: undefined,
    about: 'Short for the key set and the issuer of an Auth0 tenant.',
  }),
  jwtIssuer: setting({
    key: 'access.jwt.issuer',
    env: env('RAGWARDEN_JWT_ISSUER'),
    parser: text,
    fallback: undefined,
    about: 'What `iss` of a JWT must be, to the letter. Required with a key set.',
  }),
  jwtAudience: setting({
    key: 'access.jwt.audience',
    env: env('RAGWARDEN_JWT_AUDIENCE', 'AUTH0_API_AUDIENCE'),
    parser: text,
    fallback: undefined,
    about: 'What `aud` of a JWT must be or hold. Required with a key set.',
  }),
  jwtWorkspacesClaim: setting({
    key: 'access.jwt.workspaces_claim',
    env: env('RAGWARDEN_JWT_WORKSPACES_CLAIM'),
    parser: text,
    fallback: undefined,
    about: 'Claim of a JWT that lists the workspaces of its user. Unset: none.',
  }),
  logLevel: setting({
    key: 'log.level',
    env: env('RAGWARDEN_LOG_LEVEL', 'MONITORING_LOG_LEVEL'),
    flag: 'log-level',
    parser: oneOf(['trace', 'debug', 'info', 'warn', 'warning', 'error', 'silent']),
    fallback: 'info',
    about: 'Least severity that is logged.',
  }),
  monitoringEnabled: setting({
    key: 'monitoring.enabled',
    env: env('MONITORING_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Sample the host, probe the target, inspect its files. Off: none of it, and /api/v1/monitoring answers 409.',
  }),
  sampleIntervalSeconds: setting({
    key: 'monitoring.interval_seconds',
    env: env('RAGWARDEN_SAMPLE_INTERVAL'),
    parser: decimal(0.2, 3600),
    fallback: 5,
    unit: 'seconds',
    about: 'Time between two samples of the host; each costs well under a millisecond.',
  }),
  directorySizesIntervalSeconds: setting({
    key: 'monitoring.directory_sizes_interval_seconds',
    env: env('RAGWARDEN_DIRECTORY_SIZES_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 60,
    unit: 'seconds',
    about: 'Time between two walks that size the user directories; a walk reads every name below them.',
  }),
  cpuWarningPercent: setting({
    key: 'monitoring.thresholds.cpu_warning_percent',
    env: env('RAGWARDEN_CPU_WARNING_PERCENT'),
    parser: percent,
    fallback: 80,
    unit: 'percent',
    about: "CPU use of the host, or of the container's limit, that warns when held for the window.",
  }),
  cpuCriticalPercent: setting({
    key: 'monitoring.thresholds.cpu_critical_percent',
    env: env('RAGWARDEN_CPU_CRITICAL_PERCENT'),
    parser: percent,
    fallback: 90,
    unit: 'percent',
    about: "CPU use of the host, or of the container's limit, that is critical when held for the window.",
  }),
  memoryWarningPercent: setting({
    key: 'monitoring.thresholds.memory_warning_percent',
    env: env('RAGWARDEN_MEMORY_WARNING_PERCENT'),
    parser: percent,
    fallback: 85,
    unit: 'percent',
    about: "Memory use of the host, or of the container's limit, that warns when held for the window.",
  }),
  memoryCriticalPercent: setting({
    key: 'monitoring.thresholds.memory_critical_percent',
    env: env('RAGWARDEN_MEMORY_CRITICAL_PERCENT'),
    parser: percent,
    fallback: 90,
    unit: 'percent',
    about: "Memory use of the host, or of the container's limit, that is critical when held for the window.",
  }),
  diskWarningPercent: setting({
    key: 'monitoring.thresholds.disk_warning_percent',
    env: env('RAGWARDEN_DISK_WARNING_PERCENT'),
    parser: percent,
    fallback: 80,
    unit: 'percent',
    about: 'Use of a file system that warns.',
  }),
  diskCriticalPercent: setting({
    key: 'monitoring.thresholds.disk_critical_percent',
    env: env('RAGWARDEN_DISK_CRITICAL_PERCENT'),
    parser: percent,
    fallback: 90,
    unit: 'percent',
    about: 'Use of a file system that is critical.',
  }),
  memoryPressureWarningPercent: setting({
    key: 'monitoring.thresholds.memory_pressure_warning_percent',
    env: env('RAGWARDEN_MEMORY_PRESSURE_WARNING_PERCENT'),
    parser: percent,
    fallback: 10,
    unit: 'percent',
    about: 'Share of the time in which all work waits for memory that warns when held for the window.',
  }),
  thresholdWindowSeconds: setting({
    key: 'monitoring.thresholds.window_seconds',
    env: env('RAGWARDEN_THRESHOLD_WINDOW'),
    parser: decimal(0, 3600),
    fallback: 60,
    unit: 'seconds',
    about: 'How long CPU and memory must stay above a threshold before it counts.',
  }),
  metricsEnabled: setting({
    key: 'metrics.enabled',
    env: env('LIGHTRAG_METRICS_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Serve /metrics. Off: no listener, no recording.',
  }),
  metricsPort: setting({
    key: 'metrics.port',
    env: env('LIGHTRAG_METRICS_PORT'),
    flag: 'metrics-port',
    parser: wholeNumber(0, 65535),
    fallback: 9090,
    about: 'Port of the Prometheus exposition; 0 takes any free one.',
  }),
  metricsIntervalSeconds: setting({
    key: 'metrics.collection_interval_seconds',
    env: env('LIGHTRAG_METRICS_COLLECTION_INTERVAL'),
    parser: decimal(1, 3600),
    fallback: 60,
    unit: 'seconds',
    about: 'Time between two collections of figures that cost a walk or a query (workspace sizes, counts).',
  }),
  backupEnabled: setting({
    key: 'backup.enabled',
    env: env('BACKUP_ENABLED', 'LIGHTRAG_BACKUP_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Take recovery points. Off: no schedule, and the backup routes answer 409.',
  }),
  backupLocation: setting({
    key: 'backup.location',
    env: env('BACKUP_DIR', 'LIGHTRAG_BACKUP_STORAGE'),
    parser: text,
    fallback: undefined,
    about: 'Where the repository is: an absolute folder. Default: `repository` in the data folder.',
  }),
  backupPasswordFile: setting({
    key: 'backup.password_file',
    env: env('RAGWARDEN_REPOSITORY_PASSWORD_FILE'),
    parser: folder,
    fallback: undefined,
    about: 'File with the password of the repository. Default: made once in the data folder; keep a copy elsewhere.',
  }),
  backupFrequencySeconds: setting({
    key: 'backup.frequency_seconds',
    env: env('BACKUP_FREQUENCY', { name: 'LIGHTRAG_AUTO_BACKUP_INTERVAL', perUnit: 3600 }),
    parser: decimal(10, 31_536_000),
    fallback: 86_400,
    unit: 'seconds',
    about: 'Time between two scheduled recovery points; also the base of the RPO. Hourly is advised.',
  }),
  backupAtStart: setting({
    key: 'backup.at_start',
    env: env('RAGWARDEN_BACKUP_AT_START'),
    parser: flag,
    fallback: true,
    about:
      'Take the first point soon after the first start; off, it comes one interval later. A missed one is always made up for.',
  }),
  backupRetentionDays: setting({
    key: 'backup.retention_days',
    env: env('BACKUP_RETENTION_DAYS'),
    parser: decimal(0, 36_500),
    fallback: 7,
    unit: 'days',
    about: 'Every point is kept this long; 0 keeps all for ever.',
  }),
  backupDailyRetentionDays: setting({
    key: 'backup.daily_retention_days',
    env: env('LIGHTRAG_BACKUP_RETENTION_DAYS'),
    parser: decimal(0, 36_500),
    fallback: 30,
    unit: 'days',
    about: 'After that the last point of each day is kept until this age.',
  }),
  eventsEnabled: setting({
    key: 'events.enabled',
    env: env('LIGHTRAG_EVENT_LOGGING_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Keep the event log. The audit trail cannot be switched off.',
  }),
  eventsRetentionDays: setting({
    key: 'events.retention_days',
    env: env('LIGHTRAG_EVENT_LOG_RETENTION'),
    parser: decimal(1, 36_500),
    fallback: 90,
    unit: 'days',
    about: 'Age at which events are deleted.',
  }),
  healthCheckEnabled: setting({
    key: 'health.enabled',
    env: env('LIGHTRAG_HEALTH_CHECK_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Probe the target in the background. Off: its state is unknown.',
  }),
  targetId: setting({
    key: 'target.id',
    env: env('RAGWARDEN_TARGET_ID'),
    parser: {
      describe: 'lower-case letters, digits and dashes',
      parse: (raw) =>
        /^[a-z0-9][a-z0-9-]{0,62}$/.test(raw)
          ? { ok: true, value: raw }
          : { ok: false, complaint: 'must match [a-z0-9][a-z0-9-]{0,62}; it never changes afterwards' },
    },
    fallback: 'default',
    about: 'Name of the RAG installation under watch; never changed later.',
  }),
  targetUrl: setting({
    key: 'target.url',
    env: env('RAGWARDEN_TARGET_URL'),
    flag: 'target-url',
    parser: httpUrl,
    fallback: undefined,
    about: 'Base URL of the RAG backend. Without a target the bundled sample backend is watched.',
  }),
  targetApiKey: setting({
    key: 'target.api_key',
    env: env('LIGHTRAG_API_KEY'),
    parser: text,
    fallback: undefined,
    secret: true,
    about: 'Key sent to the backend as X-API-Key; without it a protected backend shows less.',
  }),
  targetUsername: setting({
    key: 'target.username',
    env: env('RAGWARDEN_TARGET_USERNAME'),
    parser: text,
    fallback: undefined,
    about: 'Account for a backend that asks for a login.',
  }),
  targetPassword: setting({
    key: 'target.password',
    env: env('RAGWARDEN_TARGET_PASSWORD'),
    parser: text,
    fallback: undefined,
    secret: true,
    about: 'Password of that account.',
  }),
  workingDir: setting({
    key: 'target.working_dir',
    env: env('WORKING_DIR'),
    parser: folder,
    fallback: undefined,
    about: 'The backend’s storage folder (its WORKING_DIR): inspected, backed up, restored.',
  }),
  inputDir: setting({
    key: 'target.input_dir',
    env: env('INPUT_DIR'),
    parser: folder,
    fallback: undefined,
    about: 'The backend’s folder of source documents (its INPUT_DIR): backed up, restored.',
  }),
  workspace: setting({
    key: 'target.workspace',
    env: env('WORKSPACE'),
    parser: {
      describe: 'letters, digits and underscores',
      parse: (raw) =>
        /^[A-Za-z0-9_]*$/.test(raw)
          ? { ok: true, value: raw }
          : { ok: false, complaint: 'may hold letters, digits and underscores only, as the backend allows' },
    },
    fallback: '',
    about: 'The workspace that the backend serves; empty is the unnamed one.',
  }),
  targetEnvFile: setting({
    key: 'target.env_file',
    env: env('RAGWARDEN_TARGET_ENV_FILE'),
    parser: folder,
    fallback: undefined,
    about: 'The backend’s own environment file: part of every recovery point.',
  }),
  targetConfigFiles: setting({
    key: 'target.config_files',
    env: env('RAGWARDEN_TARGET_CONFIG_FILES'),
    parser: words,
    fallback: [] as readonly string[],
    about: 'Further files of the backend’s configuration (compose file, prompts): part of every recovery point.',
  }),
  userDataDir: setting({
    key: 'target.data_dir',
    env: env('DATA_DIR'),
    parser: folder,
    fallback: undefined,
    about: 'Folder whose first-level folders are counted as user directories. Default: the working folder.',
  }),
  probeIntervalSeconds: setting({
    key: 'target.probe_interval_seconds',
    env: env('RAGWARDEN_PROBE_INTERVAL'),
    parser: decimal(0.2, 3600),
    fallback: 10,
    unit: 'seconds',
    about: 'Time between two probes of the backend.',
  }),
  probeTimeoutSeconds: setting({
    key: 'target.probe_timeout_seconds',
    env: env('RAGWARDEN_PROBE_TIMEOUT'),
    parser: decimal(0.1, 600),
    fallback: 10,
    unit: 'seconds',
    about: 'How long a probe may take. The default stores answer slowly while they rewrite their files.',
  }),
  stopTimeoutSeconds: setting({
    key: 'target.stop_timeout_seconds',
    env: env('RAGWARDEN_TARGET_STOP_TIMEOUT'),
    parser: decimal(1, 3600),
    fallback: 300,
    unit: 'seconds',
    about: 'How long the backend may take to stop, or an operator to stop it by hand.',
  }),
  startTimeoutSeconds: setting({
    key: 'target.start_timeout_seconds',
    env: env('RAGWARDEN_TARGET_START_TIMEOUT'),
    parser: decimal(1, 3600),
    fallback: 300,
    unit: 'seconds',
    about: 'How long the backend may take until it is healthy after a start.',
  }),
} as const;

export type Settings = typeof settings;
export type SettingName = keyof Settings;
type ValueOf<S> = S extends { readonly parser: Parser<infer T> } ? T : never;
/** One parsed value per setting; `undefined` only where there is no default. */
export type SettingValues = {
  readonly [Name in SettingName]: undefined extends Settings[Name]['fallback']
    ? ValueOf<Settings[Name]> | undefined
    : ValueOf<Settings[Name]>;
};

/** Defaults that the development profile replaces. */
export const developmentDefaults: Partial<Record<SettingName, unknown>> = {
  sampleIntervalSeconds: 1,
  directorySizesIntervalSeconds: 10,
  metricsIntervalSeconds: 10,
  probeIntervalSeconds: 2,
  logLevel: 'debug',
};
