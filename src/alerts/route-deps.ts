import type { CurrentValues, MetricHistory, MetricRegistry } from '../metrics/index.ts';
import type { Notifier } from '../notify/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Alerts } from './alerts.ts';

export type AlertRouteDeps = {
  readonly alerts: Alerts;
  readonly history: Pick<MetricHistory, 'view'>;
  readonly current: CurrentValues | undefined;
  readonly registry: Pick<MetricRegistry, 'families'>;
  readonly notifier: Pick<Notifier, 'silencedBy'>;
  readonly clock: Clock;
  readonly intervalMs: () => number;
  readonly enabled: boolean;
};

export const base = '/api/v1/metrics/alerts';
