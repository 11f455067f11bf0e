import type { NewEvent, Severity } from '../events/index.ts';
import {
  type CheckChange,
  createCheckRunner,
  createHealth,
  createHealthWatch,
  createSeenWords,
  type Health,
  type HealthCheck,
  type HealthWord,
  isLooking,
  type LookingCheck,
} from '../health/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import type { Ground } from './ground.ts';
import { registerHealthMetrics } from './health-metrics.ts';

export type HealthWiring = {
  readonly health: Health;
  /** To be begun when everything that hands in a check runs. */
  readonly parts: readonly Part[];
};

/** All checks of all slices, those that are read and those that look; what they say becomes events and metrics. */
export function createHealthWiring(ground: Ground, checks: readonly (HealthCheck | LookingCheck)[]): HealthWiring {
  const { config, clock, db, events, registry, documentMetrics, logOf } = ground;
  const log = logOf('health');
  const read = checks.filter((check) => !isLooking(check)) as readonly HealthCheck[];
  const looking = config.healthCheckEnabled ? checks.filter(isLooking) : [];
  const onChange = async (change: CheckChange): Promise<void> => {
    const event = eventOf(change);
    const { name: check, targetId: target, before, status, message, untold } = change;
    // Once, also where the event waits for a database that is away; and the end of what began while it was.
    if (status !== untold && (event !== undefined || untold !== undefined))
      log[status === 'healthy' ? 'info' : 'warn']({ check, target, before: untold ?? before, status }, message);
    if (event !== undefined) await db.unit((tx) => events.record(tx, event));
  };
  // Its first failure is then an increase to whoever scrapes, not the beginning of a series.
  for (const { name, targetId } of looking) documentMetrics.healthCheckFailures.labels(targetId ?? '', name).inc(0);
  const runner = createCheckRunner({
    checks: looking,
    ...{ clock, log, onChange },
    onLook({ name, targetId = '', looked, tookMs }) {
      documentMetrics.healthCheckDurationSeconds.labels(targetId, name).observe(tookMs / 1_000);
      if (looked !== 'healthy') documentMetrics.healthCheckFailures.labels(targetId, name).inc();
    },
  });
  ground.live.onChange((now, before) => {
    if (now.health.intervalMs !== before.health.intervalMs) runner.reschedule();
  });
  const seen = createSeenWords();
  const health = createHealth({ checks: read, runner, seen, clock });
  registerHealthMetrics(registry, health);
  return { health, parts: [runner, createHealthWatch({ checks: read, health, words: seen, clock, log, onChange })] };
}

const severities: Readonly<Record<HealthWord, Severity>> = {
  healthy: 'info',
  unknown: 'warning',
  degraded: 'warning',
  unhealthy: 'error',
  critical: 'critical',
};

/** A life that begins well, or does not know yet, is no change; nor is what is as it was told, whatever came between. */
export function eventOf({ name, targetId, before, status, message, flapping }: CheckChange): NewEvent | undefined {
  if (before === status || (before === undefined && (status === 'healthy' || status === 'unknown'))) return undefined;
  return {
    type: 'health.status-changed',
    severity: severities[status],
    targetId,
    message: `${sentences[name]?.[status] ?? `${name} is ${status}`}${message === '' ? '.' : `: ${message}`}`.slice(
      0,
      2_000,
    ),
    data: { check: name, before: before ?? null, status, flapping },
  };
}

const sentencesOf = (what: string): Readonly<Partial<Record<HealthWord, string>>> => ({
  healthy: `The backend can ${what} again`,
  unhealthy: `The backend cannot ${what}`,
  unknown: `Nobody knows whether the backend can ${what}`,
});
const sentences: Readonly<Record<string, Readonly<Partial<Record<HealthWord, string>>>>> = {
  'can answer': sentencesOf('answer'),
  'can ingest': sentencesOf('ingest'),
};
