import { env, setting } from './setting.ts';
import { decimal, file, flag, text, wholeNumber, words } from './value-parsers.ts';

/** Recovery points: where, how often, for how long. */
export const backupSettings = {
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
    example: '/srv/ragwarden/repository',
    about:
      'Where the repository is: an absolute folder, or a store elsewhere (`s3:https://host/bucket/path`, `azure:`, `gs:`, `rest:`, `sftp:`), whose credentials are in `backup.credentials` or in the variables of its own tools. Default: `repository` in the data folder.',
  }),
  backupCaFile: setting({
    key: 'backup.ca_file',
    env: env('RAGWARDEN_REPOSITORY_CA_FILE'),
    parser: file,
    fallback: undefined,
    example: '/etc/ragwarden/store-ca.pem',
    about: 'Certificates (PEM) that vouch for a repository elsewhere instead of those that the system trusts.',
  }),
  backupPasswordFile: setting({
    key: 'backup.password_file',
    env: env('RAGWARDEN_REPOSITORY_PASSWORD_FILE'),
    parser: file,
    fallback: undefined,
    example: '/etc/ragwarden/repository-password',
    about: 'File with the password of the repository. Default: made once in the data folder; keep a copy elsewhere.',
  }),
  backupFrequencySeconds: setting({
    key: 'backup.frequency_seconds',
    env: env('BACKUP_FREQUENCY', { name: 'LIGHTRAG_AUTO_BACKUP_INTERVAL', perUnit: 3600 }),
    parser: decimal(10, 31_536_000),
    fallback: 86_400,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two scheduled recovery points; also the base of the RPO. Hourly is advised.',
  }),
  backupJitterSeconds: setting({
    key: 'backup.jitter_seconds',
    env: env('RAGWARDEN_BACKUP_JITTER'),
    parser: decimal(0, 3600),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about:
      'A scheduled point comes up to this much later, by chance, and never by more than a tenth of the interval; 0 for on time. More spreads the load of many instances on one repository.',
  }),
  backupAtStart: setting({
    key: 'backup.at_start',
    env: env('RAGWARDEN_BACKUP_AT_START'),
    parser: flag,
    fallback: true,
    about:
      'Take the first point soon after the first start; off, it comes one interval later. A missed one is always made up for.',
  }),
  backupIdleWaitSeconds: setting({
    key: 'backup.idle_wait_seconds',
    env: env('RAGWARDEN_BACKUP_IDLE_WAIT'),
    parser: decimal(0, 3600),
    fallback: 10,
    unit: 'seconds',
    runtime: true,
    about:
      'How long a point waits until the backend’s pipeline rests. Longer: more points that are one moment over all stores.',
  }),
  backupHoldSeconds: setting({
    key: 'backup.hold_seconds',
    env: env('RAGWARDEN_BACKUP_HOLD'),
    parser: decimal(0, 300),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about:
      'How long inserts may be held back at most while a point is captured; then they go on and the point says so.',
  }),
  backupUnfold: setting({
    key: 'backup.unfold',
    env: env('RAGWARDEN_BACKUP_UNFOLD'),
    parser: flag,
    fallback: true,
    runtime: true,
    about:
      'Store LightRAG’s files by record, so that a point costs what changed. Takes about one more copy of each workspace on disk; off: whole files.',
  }),
  backupAllowedRoots: setting({
    key: 'backup.allowed_roots',
    env: env('RAGWARDEN_ALLOWED_ROOTS'),
    parser: words,
    fallback: [] as readonly string[],
    example: ['/srv/restored'],
    about: 'Folders below which a restore asked for over the API may put files beside the live ones. None: none may.',
  }),
  backupRetentionDays: setting({
    key: 'backup.retention_days',
    env: env('BACKUP_RETENTION_DAYS'),
    parser: decimal(0, 36_500),
    fallback: 7,
    unit: 'days',
    runtime: true,
    about: 'Every point is kept this long; 0 keeps all for ever.',
  }),
  backupDailyRetentionDays: setting({
    key: 'backup.daily_retention_days',
    env: env('LIGHTRAG_BACKUP_RETENTION_DAYS'),
    parser: decimal(0, 36_500),
    fallback: 30,
    unit: 'days',
    runtime: true,
    about: 'After that the last point of each day is kept until this age.',
  }),
  backupPruneIntervalDays: setting({
    key: 'backup.prune_interval_days',
    env: env('RAGWARDEN_BACKUP_PRUNE_INTERVAL_DAYS'),
    parser: decimal(0, 365),
    fallback: 7,
    unit: 'days',
    runtime: true,
    about: 'Time between two runs that free the space of forgotten points; 0 never frees it by itself.',
  }),
  backupCheckIntervalDays: setting({
    key: 'backup.check_interval_days',
    env: env('RAGWARDEN_BACKUP_CHECK_INTERVAL_DAYS'),
    parser: decimal(0, 365),
    fallback: 7,
    unit: 'days',
    runtime: true,
    about: 'Time between two checks of the repository that also read data; 0 never checks by itself.',
  }),
  backupCheckParts: setting({
    key: 'backup.check_parts',
    env: env('RAGWARDEN_BACKUP_CHECK_PARTS'),
    parser: wholeNumber(0, 255),
    fallback: 10,
    runtime: true,
    about:
      'Each check reads one of so many parts of the data, in turn; 1 reads all each time, 0 reads none and finds no rotten bytes.',
  }),
} as const;
