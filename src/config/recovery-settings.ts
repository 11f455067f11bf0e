import { env, setting } from './setting.ts';
import { decimal, flag, folder, oneOf, wholeNumber } from './value-parsers.ts';

/** Drills and objectives: whether, and how fast, it can be brought back. */
export const recoverySettings = {
  recoveryEnabled: setting({
    key: 'recovery.enabled',
    env: env('LIGHTRAG_RECOVERY_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Rehearse restores. Off: no drill is begun, and the recovery routes answer 409.',
  }),
  recoveryRpoSeconds: setting({
    key: 'recovery.rpo_seconds',
    env: env('RAGWARDEN_RPO'),
    parser: decimal(60, 31_536_000),
    fallback: undefined,
    example: 3600,
    unit: 'seconds',
    runtime: true,
    about: 'Greatest loss accepted (RPO). Default: the interval of the schedule and an hour.',
  }),
  recoveryRtoSeconds: setting({
    key: 'recovery.rto_seconds',
    env: env('RAGWARDEN_RTO'),
    parser: decimal(1, 31_536_000),
    fallback: 300,
    unit: 'seconds',
    runtime: true,
    about: 'Longest restore accepted (RTO); drills measure it.',
  }),
  checkpointIntervalSeconds: setting({
    key: 'recovery.checkpoint_interval_seconds',
    env: env({ name: 'LIGHTRAG_RECOVERY_CHECKPOINT_INTERVAL', perUnit: 3600 }),
    parser: decimal(60, 31_536_000),
    fallback: 43_200,
    unit: 'seconds',
    runtime: true,
    about:
      'Time between two checkpoints of all graphs that are made by themselves. More often: they reach less far back.',
  }),
  automaticCheckpoints: setting({
    key: 'recovery.automatic_checkpoints',
    env: env('RAGWARDEN_AUTOMATIC_CHECKPOINTS'),
    parser: wholeNumber(0, 50),
    fallback: 3,
    runtime: true,
    about:
      'How many checkpoints that were made by themselves are kept of a target; 0 makes none and leaves those that are there. More: more points stay in the repository.',
  }),
  drillFrequencySeconds: setting({
    key: 'drill.frequency_seconds',
    env: env('RAGWARDEN_DRILL_FREQUENCY'),
    parser: decimal(0, 31_536_000),
    fallback: 604_800,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two drills, 0 for none by themselves. More often: damage is found sooner, more is read.',
  }),
  drillChoice: setting({
    key: 'drill.choice',
    env: env('RAGWARDEN_DRILL_CHOICE'),
    parser: oneOf(['newest', 'oldest', 'random', 'risk']),
    fallback: 'newest',
    runtime: true,
    about:
      'Which point a scheduled drill takes: the newest good one, the oldest kept, any, or the one that is most doubtful.',
  }),
  drillScratchDir: setting({
    key: 'drill.scratch_dir',
    env: env('RAGWARDEN_DRILL_SCRATCH_DIR'),
    parser: folder,
    fallback: undefined,
    example: '/srv/scratch',
    about: 'Where drills restore to; needs room for one whole point. Default: `drills` in the data folder.',
  }),
  drillTimeLimitSeconds: setting({
    key: 'drill.time_limit_seconds',
    env: env('RAGWARDEN_DRILL_TIME_LIMIT'),
    parser: decimal(1, 604_800),
    fallback: 14_400,
    unit: 'seconds',
    runtime: true,
    about: 'A drill that takes longer is ended and counts as one that could not be done.',
  }),
  drillMinFreeBytes: setting({
    key: 'drill.min_free_bytes',
    env: env('RAGWARDEN_DRILL_MIN_FREE'),
    parser: wholeNumber(0, Number.MAX_SAFE_INTEGER),
    fallback: 1_073_741_824,
    unit: 'bytes',
    runtime: true,
    about: 'What must stay free where drills restore to; a drill that would leave less is not begun, or ended.',
  }),
  drillLowPriority: setting({
    key: 'drill.low_priority',
    env: env('RAGWARDEN_DRILL_LOW_PRIORITY'),
    parser: flag,
    fallback: true,
    about:
      'Read the repository with nice and ionice, where they are there: the backend goes first, a drill takes longer.',
  }),
  drillCpus: setting({
    key: 'drill.cpus',
    env: env('RAGWARDEN_DRILL_CPUS'),
    parser: wholeNumber(0, 1024),
    fallback: 0,
    about:
      'On how many processors a drill may read the repository at once; 0 for all. Fewer: slower, and less in the way.',
  }),
} as const;
