/** Run by a test as a process of its own, to be killed while it records: prints how much it had counted when a flush was over. */
import { metricsMigrations } from '../migrations/index.ts';
import { systemClock } from '../platform/clock.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createMetrics } from './metrics.ts';
import { createMetricRegistry } from './registry.ts';

const path = process.argv[2];
if (path !== undefined && process.argv[1]?.endsWith('killed-recording.fixture.ts')) {
  const db = openSqlite({ name: 'metrics', path, synchronous: 'NORMAL', log: silentLogger });
  await migrate(db, metricsMigrations);
  const registry = createMetricRegistry({ clock: systemClock });
  const { recorder, history, otlp } = await createMetrics({
    ...{ registry, db, clock: systemClock, log: silentLogger, instance: 'i1' },
  });
  let counted = 0;
  for (;;) {
    for (let i = 0; i < 50; i += 1) {
      recorder.record({ name: 'counted', value: 1, use: 'counter', labels: { part: String(i % 5) } });
      recorder.record({ name: 'took_ms', value: i, use: 'timer', metadata: { i } });
      // As an exporter sends it: what was added since it last did, of each of its series once.
      const point = { name: 'exported', labels: { part: String(i) } };
      otlp.take(point, { atMs: Date.now(), startMs: undefined }, { kind: 'amount', value: 1, counted: 'since-last' });
      counted += 1;
    }
    await history.sampleOnce();
    await history.flushOnce();
    process.stdout.write(`${counted}\n`);
  }
}
