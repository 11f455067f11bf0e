import { env, setting } from './setting.ts';
import { decimal, wholeNumber } from './value-parsers.ts';

/** What programs register, and how it is looked after. */
export const resourceSettings = {
  leakCheckIntervalSeconds: setting({
    key: 'resources.leak_check_interval_seconds',
    env: env('RAGWARDEN_LEAK_CHECK_INTERVAL'),
    parser: decimal(1, 86_400),
    fallback: 60,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two searches for registered resources without a live owner.',
  }),
  orphanCheckIntervalSeconds: setting({
    key: 'resources.orphan_check_interval_seconds',
    env: env('RAGWARDEN_ORPHAN_CHECK_INTERVAL'),
    parser: decimal(1, 604_800),
    fallback: 3_600,
    unit: 'seconds',
    runtime: true,
    about:
      'Time between two searches for what belongs to nothing any more in the stores of a target; a database compares its tables for it.',
  }),
  trackedResources: setting({
    key: 'resources.max_tracked',
    env: env('RAGWARDEN_MAX_TRACKED_RESOURCES'),
    parser: wholeNumber(1, 10_000_000),
    fallback: 100_000,
    runtime: true,
    about:
      'Most resources that are tracked at once, in memory, about 600 bytes each; beyond them registering is refused.',
  }),
} as const;
