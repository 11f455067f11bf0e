import {
  type ActionRunners,
  type Alerts,
  alertRoutes,
  createAlerts,
  createDefaultRules,
  registerAlertMetrics,
} from '../alerts/index.ts';
import type { Backup, WriteBarrier } from '../backup/index.ts';
import { createCurrentValues, type MetricHistory } from '../metrics/index.ts';
import { AppError } from '../platform/errors.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import { createLeases } from '../platform/leases.ts';
import type { Reconciler } from '../platform/reconciler.ts';
import type { Ground } from './ground.ts';

export type AlertWiring = { readonly alerts: Alerts; readonly job: Reconciler; readonly alertRoutes: RoutePlugin };

/** A holder that died is given up after so long, or after three intervals. */
const shortestLeaseMs = 90_000;

/** Rules with where their values come from, and what they may have done. */
export function createAlertWiring(
  ground: Ground,
  ports: {
    readonly history: Pick<MetricHistory, 'view' | 'recent'>;
    readonly backup: Pick<Backup, 'take'>;
    readonly barrier: WriteBarrier;
    /** Of slices that are wired later. */
    readonly runners?: ActionRunners;
  },
): AlertWiring {
  const { config, live, db, clock, events, notifier, registry, logOf } = ground;
  const { instance, place } = config.state;
  const { evaluationIntervalMs: intervalMs, rules, defaultRules } = config.alerts;
  const fleet = place.kind === 'postgres';
  const current = fleet ? undefined : createCurrentValues({ registry, windows: ports.history.recent, instance });
  const alerts = createAlerts({
    fileRules: rules,
    defaultRules: defaultRules ? createDefaultRules(config.monitoring.thresholds) : [],
    runners: { ...createRunners(ground, ports), ...ports.runners },
    history: ports.history,
    current,
    leases: fleet ? createLeases({ db, clock, instance, ttlMs: Math.max(shortestLeaseMs, 3 * intervalMs) }) : undefined,
    ...{ instance, intervalMs, db, events, notifier, clock, log: logOf('alerts') },
  });
  registerAlertMetrics(registry, alerts.evaluation);
  const { job } = alerts.evaluation;
  live.onChange((now) => job.setIntervalMs(now.alerts.evaluationIntervalMs));
  return {
    alerts,
    alertRoutes: alertRoutes({
      ...{ alerts, history: ports.history, current, registry, notifier, clock },
      intervalMs: () => live.config().alerts.evaluationIntervalMs,
      enabled: config.alerts.enabled && config.metrics.enabled,
    }),
    job: {
      ...job,
      async start(signal) {
        await alerts.rules.tellShelved();
        await job.start?.(signal);
      },
    },
  };
}

/** What can be done here; cleanup and quotas hand in theirs. */
const createRunners = (
  { clock, logOf }: Pick<Ground, 'clock' | 'logOf'>,
  { backup, barrier }: { readonly backup: Pick<Backup, 'take'>; readonly barrier: WriteBarrier },
): ActionRunners => ({
  'take-recovery-point': {
    describe: async ({ targetId }) => `a recovery point of ${targetId} is taken.`,
    async run({ targetId }, why) {
      const operation = await backup.take({ targetId, cause: 'manual', requestedBy: 'alerts' });
      logOf('alerts').info({ target: targetId, operation: operation.id, why }, 'an alert has a recovery point taken');
      return { detail: `A recovery point of ${targetId} is being taken.`, operationId: operation.id };
    },
  },
  'pause-inserts': {
    describe: async ({ targetId, forSeconds }) =>
      `the gateway keeps inserts of ${targetId} waiting for ${forSeconds} s.`,
    async run({ targetId, forSeconds }, why) {
      const { signal } = new AbortController();
      const held = await barrier.hold({ targetId, maxMs: forSeconds * 1_000, reason: why, signal });
      if (!held.held) throw new AppError('conflict/state', `Inserts could not be held: ${held.reason}.`);
      // It ends by itself.
      const untilMs = clock.now() + forSeconds * 1_000;
      return {
        detail: `Inserts of ${targetId} wait until ${new Date(untilMs).toISOString()}.`,
        operationId: null,
      };
    },
  },
});
