import { env, setting } from './setting.ts';
import type { SettingValues } from './settings.ts';
import { decimal, flag, wholeNumber } from './value-parsers.ts';

/** What is looked at after a change of the backend's parameters, and what is done when it made things worse. */
export const tuningWatchSettings = {
  tuningCheckIntervalSeconds: setting({
    key: 'tuning.check_interval_seconds',
    env: env('RAGWARDEN_TUNING_CHECK_INTERVAL'),
    parser: decimal(5, 3_600),
    fallback: 60,
    unit: 'seconds',
    about: 'Time between two looks at whether the backend runs with what was set, and at how it goes after a change.',
  }),
  tuningWatchMinutes: setting({
    key: 'tuning.watch_minutes',
    env: env('RAGWARDEN_TUNING_WATCH_MINUTES'),
    parser: decimal(0, 1_440),
    fallback: 15,
    unit: 'minutes',
    runtime: true,
    about:
      'How long errors, times and the known question are watched after a change, against as long before it; 0 watches nothing.',
  }),
  tuningWatchRollBack: setting({
    key: 'tuning.watch_roll_back',
    env: env('RAGWARDEN_TUNING_WATCH_ROLL_BACK'),
    parser: flag,
    fallback: false,
    runtime: true,
    about:
      'Take a change back by itself when it made the backend worse, which restarts it once more. Off: the verdict is only told.',
  }),
  tuningWatchErrorRisePercent: setting({
    key: 'tuning.watch_error_rise_percent',
    env: env('RAGWARDEN_TUNING_WATCH_ERROR_RISE'),
    parser: decimal(0.1, 100),
    fallback: 5,
    unit: 'percent',
    runtime: true,
    about: 'How many of 100 requests more may fail than before the change.',
  }),
  tuningWatchSlowdownPercent: setting({
    key: 'tuning.watch_slowdown_percent',
    env: env('RAGWARDEN_TUNING_WATCH_SLOWDOWN'),
    parser: decimal(1, 10_000),
    fallback: 50,
    unit: 'percent',
    runtime: true,
    about: 'By how much answers may be slower than before (95 of 100 of them); 50 is half as long again.',
  }),
  tuningWatchLeastRequests: setting({
    key: 'tuning.watch_least_requests',
    env: env('RAGWARDEN_TUNING_WATCH_LEAST_REQUESTS'),
    parser: wholeNumber(1, 1_000_000),
    fallback: 20,
    runtime: true,
    about: 'Fewer requests than this say nothing; fewer judge sooner and by chance.',
  }),
} as const;

export const buildTuningWatch = (values: SettingValues) => ({
  windowMs: values.tuningWatchMinutes * 60_000,
  rollBack: values.tuningWatchRollBack,
  limits: {
    leastRequests: values.tuningWatchLeastRequests,
    errorRise: values.tuningWatchErrorRisePercent / 100,
    slowdown: values.tuningWatchSlowdownPercent / 100,
  },
});
