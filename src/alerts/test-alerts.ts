import type { AlertRuleBody } from '../config/index.ts';
import { createEventLog, type EventLog } from '../events/index.ts';
import { createCurrentValues } from '../metrics/index.ts';
import { openMetrics, type TestMetrics } from '../metrics/test-metrics.ts';
import { openTestState, type TestState } from '../migrations/test-state.ts';
import type { Notification, Notifier } from '../notify/index.ts';
import type { Database } from '../platform/database/index.ts';
import { createFakeClock, type FakeClock } from '../platform/fake-clock.ts';
import { createLeases } from '../platform/leases.ts';
import { silentLogger } from '../platform/logging.ts';
import type { ActionRunners } from './action.ts';
import { type Alerts, createAlerts } from './alerts.ts';

export const testIntervalMs = 30_000;
export const testLeaseMs = 90_000;

export type TestAlerts = {
  readonly clock: FakeClock;
  readonly metrics: TestMetrics;
  readonly state: TestState;
  readonly events: EventLog;
  /** What the notifier was told, in units that committed. */
  readonly told: Notification[];
  readonly acknowledged: string[];
  alerts: Alerts;
  /** Writing fails while it is true. */
  failing: { now: boolean };
  /** Writing of the first instance waits for this; `reached` once it does. */
  held: { until: Promise<void> | undefined; reached: boolean };
  /** Sets a level that others look up, as the gauge `level`. */
  set(value: number | null, target?: string): void;
  /** Moves time by one interval and evaluates. @returns what was told by it, as `status key` */
  tick(times?: number, options?: { sampled?: boolean }): Promise<string[]>;
  /** A further process on the same stores; with `leases`, as where the state is in PostgreSQL. Who made it stops it. */
  another(instance: string): Alerts;
  /** The next life of the process, on the same stores. */
  restart(options?: { rules?: readonly AlertRuleBody[] }): Promise<void>;
  remove(): Promise<void>;
};

/** Test support: rules and all behind them, on real databases, with a clock that is moved. Nothing runs by itself. */
export async function openTestAlerts(
  options: {
    rules?: readonly AlertRuleBody[];
    defaultRules?: readonly AlertRuleBody[];
    runners?: ActionRunners;
    leases?: boolean;
  } = {},
): Promise<TestAlerts> {
  const clock = createFakeClock();
  const metrics = await openMetrics({ clock });
  const state = await openTestState();
  const told: Notification[] = [];
  const acknowledged: string[] = [];
  const failing = { now: false };
  const held: TestAlerts['held'] = { until: undefined, reached: false };
  const levels = new Map<string, number>();
  const gauge = metrics.registry.gauge({ name: 'level', help: 'A level.', labels: ['target'] });
  metrics.registry.collector({
    name: 'test',
    sets: [gauge],
    collect() {
      for (const [target, value] of levels) gauge.labels(target).set(value);
    },
  });
  const notifier: Notifier = {
    async tell(tx, notification) {
      tx.afterCommit(() => void told.push(notification));
    },
    async acknowledge(tx, key) {
      tx.afterCommit(() => void acknowledged.push(key));
      return true;
    },
    silencedBy: async () => [],
  };
  const build = (rules: readonly AlertRuleBody[], instance = 'i1'): Alerts => {
    const events = createEventLog({ db: state.db, clock, instance });
    test.events = events;
    const db: Database = {
      ...state.db,
      async unit(work) {
        if (failing.now) throw new Error('away');
        if (instance === 'i1' && held.until !== undefined) {
          held.reached = true;
          await held.until;
        }
        return state.db.unit(work);
      },
    };
    return createAlerts({
      ...{ fileRules: rules, defaultRules: options.defaultRules ?? [], runners: options.runners ?? {} },
      history: metrics.metrics.history,
      current: options.leases
        ? undefined
        : createCurrentValues({
            ...{ registry: metrics.registry, windows: metrics.metrics.history.recent, instance: 'i1' },
          }),
      leases: options.leases ? createLeases({ db: state.db, clock, instance, ttlMs: testLeaseMs }) : undefined,
      ...{ instance, intervalMs: testIntervalMs, db, events, notifier, clock },
      log: silentLogger,
    });
  };
  const test = { clock, metrics, state, told, acknowledged, failing, held } as TestAlerts & { events: EventLog };
  Object.assign(test, {
    set(value: number | null, target = 'a') {
      if (value === null) levels.delete(target);
      else levels.set(target, value);
    },
    async tick(times = 1, { sampled = true } = {}) {
      const from = told.length;
      for (let i = 0; i < times; i += 1) {
        await clock.advance(testIntervalMs);
        // Levels are read as they stand; what is read from the store has to be there.
        await (sampled ? metrics.metrics.history.sampleOnce() : metrics.registry.collect());
        await test.alerts.evaluation.job.runOnce();
      }
      return told.slice(from).map(({ status, key }) => `${status} ${key.replace(/:[0-9a-f]{16}$/, '')}`);
    },
    another: (instance: string) => build(options.rules ?? [], instance),
    async restart(next: { rules?: readonly AlertRuleBody[] } = {}) {
      await state.reopen();
      test.alerts = build(next.rules ?? options.rules ?? []);
    },
    async remove() {
      await metrics.remove();
      await state.remove();
    },
  } satisfies Partial<TestAlerts>);
  test.alerts = build(options.rules ?? []);
  return test;
}
