import type { MetricRegistry } from '../metrics/index.ts';
import type { AlertEvaluation } from './alert-evaluation.ts';

const durationBuckets = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** What the evaluation of rules costs, and what it found. */
export function registerAlertMetrics(registry: MetricRegistry, evaluation: AlertEvaluation): void {
  const rules = registry.gauge({ name: 'ragwarden_alert_rules', help: 'Alert rules that are evaluated here.' });
  const alerts = registry.gauge({
    name: 'ragwarden_alerts',
    help: 'Alerts by rule and state, as decided here.',
    labels: ['rule', 'state'],
  });
  const failing = registry.gauge({
    name: 'ragwarden_alert_rules_failing',
    help: 'Rules that the last evaluation could not evaluate.',
  });
  const last = registry.gauge({
    name: 'ragwarden_alert_evaluation_timestamp_seconds',
    help: 'When the rules were last evaluated here, since the Unix epoch.',
    unit: 'seconds',
  });
  const duration = registry.histogram({
    name: 'ragwarden_alert_evaluation_duration_seconds',
    help: 'Time that one evaluation of all rules took.',
    unit: 'seconds',
    buckets: durationBuckets,
  });
  const missed = registry.counter({
    name: 'ragwarden_alert_evaluations_missed_total',
    help: 'Evaluations that did not take place because the one before, or something else, took too long.',
  });
  evaluation.onEvaluated((facts) => {
    duration.observe(facts.durationMs / 1_000);
    missed.inc(facts.missed);
  });
  registry.collector({
    name: 'alerts',
    sets: [rules, alerts, failing, last],
    collect() {
      const facts = evaluation.lastFacts();
      if (facts === undefined) return;
      rules.set(facts.rules);
      failing.set(facts.failed);
      last.set(facts.atMs / 1_000);
      for (const [rule, found] of evaluation.alerts())
        for (const phase of ['pending', 'firing'] as const) {
          const count = found.filter((alert) => alert.phase === phase).length;
          if (count > 0) alerts.labels(rule, phase).set(count);
        }
    },
  });
}
