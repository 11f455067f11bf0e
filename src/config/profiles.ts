import type { SettingName, SettingValues } from './settings.ts';

/**
 * What the development profile has in place of the defaults, which are the production profile: it looks more often and says
 * more. What somebody set stays as it was set.
 */
export const developmentDefaults: Partial<Pick<SettingValues, SettingName>> = {
  logLevel: 'debug',
  sampleIntervalSeconds: 1,
  directorySizesIntervalSeconds: 10,
  metricsIntervalSeconds: 10,
  metricsMaxValues: 100_000,
  probeIntervalSeconds: 2,
  leakCheckIntervalSeconds: 10,
  alertEvaluationIntervalSeconds: 10,
  resourceCleanupIntervalSeconds: 30,
};
