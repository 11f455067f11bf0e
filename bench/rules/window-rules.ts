// Below the door of the slice: what is measured is what lies behind it.
import { join } from 'node:path';
import { noState } from '../../src/alerts/alert.ts';
import { decideAlerts } from '../../src/alerts/decide-alerts.ts';
import { createRuleReader } from '../../src/alerts/read-rule.ts';
import { ruleOf } from '../../src/alerts/rule-body.ts';
import {
  createCurrentValues,
  createMetricRegistry,
  createMetrics,
  type MetricHistory,
} from '../../src/metrics/index.ts';
import { metricsMigrations } from '../../src/migrations/index.ts';
import { type Clock, systemClock } from '../../src/platform/clock.ts';
import { migrate, openSqlite } from '../../src/platform/database/index.ts';
import { silentLogger } from '../../src/platform/logging.ts';
import { temporaryFolder } from '../processes.ts';

const intervalMs = 1_000;

/** Rules on the average of a minute of 1,000 series that are sampled each second; reading and deciding, without the writing of changes. */
export async function openWindowRules(count: number): Promise<{ once(): Promise<void>; close(): Promise<void> }> {
  const db = openSqlite({
    ...{ name: 'metrics', path: join(temporaryFolder(), 'metrics.sqlite'), synchronous: 'NORMAL', log: silentLogger },
  });
  await migrate(db, metricsMigrations);
  let nowMs = 1_800_000_000_000;
  const clock: Clock = { ...systemClock, now: () => nowMs };
  const registry = createMetricRegistry({ clock, maxSeriesPerMetric: 2_000 });
  const { history } = await createMetrics({ registry, db, clock, log: silentLogger, instance: 'bench' });
  const level = registry.gauge({ name: 'level', help: 'A level.', labels: ['series'] });
  const handles = Array.from({ length: 1_000 }, (_, i) => level.labels(String(i)));
  const sample = async (): Promise<void> => {
    nowMs += intervalMs;
    for (const [i, handle] of handles.entries()) handle.set(i % 4 === 0 ? 95 : 40 + ((nowMs / 1_000 + i) % 20));
    await history.sampleOnce();
  };
  for (let i = 0; i < 60; i += 1) await sample();
  const current = createCurrentValues({ registry, windows: history.recent, instance: 'bench' });
  const bound = Array.from({ length: count }, (_, i) => {
    const rule = ruleOf({
      ...{ name: `w${i}`, metric_name: 'level', labels: { series: String(i % 1_000) }, aggregation: 'average' },
      ...{ window_seconds: 60, condition: 'gt', threshold: 70, duration_seconds: 10 },
    });
    return { rule, reader: createRuleReader(rule, current), state: noState };
  });
  return {
    async once() {
      // Made when the first question is asked, as the evaluation does.
      let made: Pick<MetricHistory, 'query'> | undefined;
      const view: Pick<MetricHistory, 'query'> = {
        query(request) {
          made ??= history.view();
          return made.query(request);
        },
      };
      for (const one of bound) {
        const found = one.reader.read(view, nowMs);
        const readings = found instanceof Promise ? await found : found;
        one.state = decideAlerts(one.rule, readings, one.state, { nowMs, stepMs: intervalMs }).state;
      }
      nowMs += 1;
    },
    close: () => db.close(),
  };
}
