import { env, setting } from './setting.ts';
import { decimal, flag } from './value-parsers.ts';

/** When somebody is to be told, and how often that is looked at. */
export const alertSettings = {
  alertsEnabled: setting({
    key: 'alerts.enabled',
    env: env('RAGWARDEN_ALERTS_ENABLED'),
    parser: flag,
    fallback: true,
    about: 'Evaluate alert rules. Off: none of it, and /api/v1/metrics/alerts answers 409.',
  }),
  alertEvaluationIntervalSeconds: setting({
    key: 'alerts.evaluation_interval_seconds',
    env: env('RAGWARDEN_ALERT_EVALUATION_INTERVAL'),
    parser: decimal(1, 3_600),
    fallback: 30,
    unit: 'seconds',
    runtime: true,
    about: 'Time between two evaluations of the alert rules; a rule fires later by up to one of these.',
  }),
  alertsDefaultRules: setting({
    key: 'alerts.default_rules',
    env: env('RAGWARDEN_ALERT_DEFAULT_RULES'),
    parser: flag,
    fallback: true,
    about:
      'Evaluate the rules that come with ragwarden. Single ones are switched off or replaced by a rule of the same name.',
  }),
} as const;
