import { join } from 'node:path';
import type { HealthCheck } from '../health/index.ts';
import { createNotify, type KnownReceiver, type Notify, notifyRoutes } from '../notify/index.ts';
import type { RoutePlugin } from '../platform/http/index.ts';
import type { Part } from '../platform/lifecycle.ts';
import { createSeal } from '../platform/seal.ts';
import type { Ground } from './ground.ts';
import { createNotifyMetrics } from './notify-metrics.ts';

export type NotifyWiring = {
  readonly notify: Notify;
  readonly notifyRoutes: RoutePlugin;
  readonly check: HealthCheck;
  /** To be begun in this order. */
  readonly parts: readonly Part[];
};

/** What is told to people outside. */
export function createNotifyWiring(ground: Omit<Ground, 'notifier'>, instance: string): NotifyWiring {
  const { config, live, db, http, events, clock, random, registry, logOf } = ground;
  const metrics = createNotifyMetrics(registry, clock);
  metrics.begin(config.notify.receivers.map(({ id }) => id));
  const notify = createNotify({
    ...{ db, http, events, instance, clock, random },
    config: () => live.config().notify,
    seal: createSeal({ given: config.access.sealKey, file: join(config.dataDir, 'seal.key'), random }),
    log: logOf('notify'),
    onAttempt: metrics.noteAttempt,
  });
  metrics.follow(notify);
  live.onChange(() => notify.planner.wake());
  return {
    notify,
    notifyRoutes: notifyRoutes({
      ...{ notify, random },
      admit: (host, port) => http.forUntrusted({ allowPrivate: live.config().notify.allowPrivate }).admit(host, port),
      now: () => clock.now(),
    }),
    check: receiversCheck(notify.courier.receivers),
    parts: [notify.planner, notify.courier],
  };
}

/** Who cannot be told is known before there is something to tell. Silent while there is no receiver. */
const receiversCheck = (
  read: () => { readonly known: readonly KnownReceiver[]; readonly atMs: number } | undefined,
): HealthCheck => ({
  name: 'notifications',
  kind: 'application',
  about: 'own',
  read() {
    const seen = read();
    if (!seen) return { status: 'unknown', message: 'Not looked at yet.', atMs: undefined };
    const { known, atMs } = seen;
    const bad = known.flatMap(({ receiver, state, broken }) => {
      if (broken !== null) return [`${receiver.id}: ${broken}`];
      if (state.disabledMs !== null) return [`${receiver.id} is gone: ${state.disabledReason ?? 'it said so'}.`];
      return state.failures >= 3 ? [`${receiver.id} takes nothing: ${state.lastError ?? 'no reason'}.`] : [];
    });
    const message =
      known.length === 0
        ? 'No receiver is set, so nobody is told of anything.'
        : bad.join(' ') || `${known.length} ${known.length === 1 ? 'receiver takes' : 'receivers take'} notifications.`;
    return { status: bad.length > 0 ? 'degraded' : 'healthy', message, atMs };
  },
});
