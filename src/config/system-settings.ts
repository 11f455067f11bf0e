import { env, setting } from './setting.ts';
import { decimal, patternText, secretUrl, wholeNumber } from './value-parsers.ts';

const cap = wholeNumber(0, Number.MAX_SAFE_INTEGER);

const percentOfDisk = decimal(0, 100);
const percentMore = decimal(0, 1_000);

export const systemSettings = {
  heartbeatUrl: setting({
    key: 'heartbeat.url',
    env: env('RAGWARDEN_HEARTBEAT_URL'),
    parser: secretUrl('URL, https://host/path', ['http', 'https']),
    fallback: undefined,
    secret: true,
    about:
      'Called (GET) after each completed round of the background work, so that somebody elsewhere notices when the calls end.',
  }),
  heartbeatIntervalSeconds: setting({
    key: 'heartbeat.interval_seconds',
    env: env('RAGWARDEN_HEARTBEAT_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 60,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two calls; whoever is called waits somewhat longer before it raises the alarm.',
  }),
  heartbeatUnhealthySuffix: setting({
    key: 'heartbeat.unhealthy_suffix',
    env: env('RAGWARDEN_HEARTBEAT_UNHEALTHY_SUFFIX'),
    parser: patternText('path such as /fail', '^/[A-Za-z0-9._~/-]{1,100}$', 'is no path that begins with /'),
    fallback: undefined,
    example: '/fail',
    about:
      'Called below the heartbeat URL when a round is not complete. Unset: silence, which is what a dead warden gives too.',
  }),
  growthEvents: setting({
    key: 'growth.events',
    env: env('RAGWARDEN_GROWTH_EVENTS'),
    parser: cap,
    fallback: 500_000,
    unit: 'entries',
    runtime: true,
    about: 'Events kept at most, besides their days; about 500 bytes each. 0: no cap.',
  }),
  growthAuditEntries: setting({
    key: 'growth.audit_entries',
    env: env('RAGWARDEN_GROWTH_AUDIT_ENTRIES'),
    parser: cap,
    fallback: 1_000_000,
    unit: 'entries',
    runtime: true,
    about:
      'Entries of the audit trail kept at most; older ones go by segments of 1,000 whose closing hash stays. 0: no cap.',
  }),
  growthOperations: setting({
    key: 'growth.operations',
    env: env('RAGWARDEN_GROWTH_OPERATIONS'),
    parser: cap,
    fallback: 50_000,
    unit: 'entries',
    runtime: true,
    about: 'Ended operations kept at most, besides their days; about 2 KB each. 0: no cap.',
  }),
  growthIdempotencyKeys: setting({
    key: 'growth.idempotency_keys',
    env: env('RAGWARDEN_GROWTH_IDEMPOTENCY_KEYS'),
    parser: cap,
    fallback: 100_000,
    unit: 'entries',
    runtime: true,
    about:
      'Keys of repeated requests kept at most, besides their day; a repeat whose key is gone starts its work again. 0: no cap.',
  }),
  growthLogins: setting({
    key: 'growth.logins',
    env: env('RAGWARDEN_GROWTH_LOGINS'),
    parser: cap,
    fallback: 20_000,
    unit: 'entries',
    runtime: true,
    about: 'Sessions and login links kept at most; only those that are over go. 0: no cap.',
  }),
  growthPointHistory: setting({
    key: 'growth.point_history',
    env: env('RAGWARDEN_GROWTH_POINT_HISTORY'),
    parser: cap,
    fallback: 20_000,
    unit: 'entries',
    runtime: true,
    about: 'Rows of failed runs and forgotten points kept at most; points that exist are never among them. 0: no cap.',
  }),
  growthDrills: setting({
    key: 'growth.drills',
    env: env('RAGWARDEN_GROWTH_DRILLS'),
    parser: cap,
    fallback: 2_000,
    unit: 'entries',
    runtime: true,
    about: 'Ended drills kept at most with their evidence; the last of each target that passed stays. 0: no cap.',
  }),
  growthSamplesBytes: setting({
    key: 'growth.samples_bytes',
    env: env('RAGWARDEN_GROWTH_SAMPLES_BYTES'),
    parser: cap,
    fallback: 2_147_483_648,
    unit: 'bytes',
    runtime: true,
    about: 'Stored samples kept at most, besides their days. 0: no cap.',
  }),
  growthStateCopies: setting({
    key: 'growth.state_copies',
    env: env('RAGWARDEN_GROWTH_STATE_COPIES'),
    parser: cap,
    fallback: 6,
    unit: 'entries',
    runtime: true,
    about: 'Copies of the databases from before a change of schema; each is as large as the database was. 0: no cap.',
  }),
  growthResticCacheBytes: setting({
    key: 'growth.restic_cache_bytes',
    env: env('RAGWARDEN_GROWTH_RESTIC_CACHE_BYTES'),
    parser: cap,
    fallback: 4_294_967_296,
    unit: 'bytes',
    runtime: true,
    about: 'Cache of the repository; a smaller one is fetched again more often from a remote store. 0: no cap.',
  }),
  growthStagingBytes: setting({
    key: 'growth.staging_bytes',
    env: env('RAGWARDEN_GROWTH_STAGING_BYTES'),
    parser: cap,
    fallback: 0,
    unit: 'bytes',
    runtime: true,
    about:
      'Staging trees, up to two more copies of each workspace. Above it a tree goes, and the next point reads everything again. 0: no cap.',
  }),
  growthUndoBytes: setting({
    key: 'growth.undo_bytes',
    env: env('RAGWARDEN_GROWTH_UNDO_BYTES'),
    parser: cap,
    fallback: 0,
    unit: 'bytes',
    runtime: true,
    about:
      'Former states that restores set aside. Above it the oldest goes before the next restore would remove it. 0: no cap.',
  }),
  lowDiskWarnPercent: setting({
    key: 'low_disk.warn_percent',
    env: env('RAGWARDEN_LOW_DISK_WARN_PERCENT'),
    parser: percentOfDisk,
    fallback: 10,
    unit: 'percent',
    runtime: true,
    about:
      'Free share of the data folder’s file system below which its filling is told; counts only when the bytes are short as well.',
  }),
  lowDiskWarnBytes: setting({
    key: 'low_disk.warn_bytes',
    env: env('RAGWARDEN_LOW_DISK_WARN_BYTES'),
    parser: cap,
    fallback: 1_073_741_824,
    unit: 'bytes',
    runtime: true,
    about: 'Free bytes below which the filling is told; counts only when the share is short as well.',
  }),
  lowDiskActPercent: setting({
    key: 'low_disk.act_percent',
    env: env('RAGWARDEN_LOW_DISK_ACT_PERCENT'),
    parser: percentOfDisk,
    fallback: 5,
    unit: 'percent',
    runtime: true,
    about:
      'Free share below which staging, then old samples are given up and no point is begun; counts only when the bytes are short as well.',
  }),
  lowDiskActBytes: setting({
    key: 'low_disk.act_bytes',
    env: env('RAGWARDEN_LOW_DISK_ACT_BYTES'),
    parser: cap,
    fallback: 536_870_912,
    unit: 'bytes',
    runtime: true,
    about:
      'Free bytes below which things are given up; counts only when the share is short as well. 0: nothing ever is.',
  }),
  lowDiskHysteresisPercent: setting({
    key: 'low_disk.hysteresis_percent',
    env: env('RAGWARDEN_LOW_DISK_HYSTERESIS_PERCENT'),
    parser: percentMore,
    fallback: 50,
    unit: 'percent',
    runtime: true,
    about: 'How much more than a limit must be free again before it counts as over; less lets it go to and fro.',
  }),
} as const;
