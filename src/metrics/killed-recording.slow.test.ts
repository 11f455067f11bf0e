import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { metricsMigrations } from '../migrations/index.ts';
import { systemClock } from '../platform/clock.ts';
import { migrate, openSqlite } from '../platform/database/index.ts';
import { silentLogger } from '../platform/logging.ts';
import { createMetrics } from './metrics.ts';
import { createMetricRegistry } from './registry.ts';

test('killed while it records, ten times in a row, it loses nothing that was flushed, and flushing is every ten seconds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ragwarden-killed-'));
  const path = join(folder, 'metrics.sqlite');
  const script = join(import.meta.dirname, 'killed-recording.fixture.ts');
  const startedMs = Date.now();
  let flushed = 0;
  for (let life = 0; life < 10; life += 1) {
    const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    let known = 0;
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      known = Number(line);
      lines += 1;
      // Somewhere in the flush that comes next.
      if (lines === 1 + (life % 4)) child.kill('SIGKILL');
    }
    expect((await exited)[1]).toBe('SIGKILL');
    expect(known).toBeGreaterThan(0);
    flushed += known;

    const db = openSqlite({ name: 'metrics', path, synchronous: 'NORMAL', log: silentLogger });
    await migrate(db, metricsMigrations);
    const registry = createMetricRegistry({ clock: systemClock });
    const { history } = await createMetrics({
      ...{ registry, db, clock: systemClock, log: silentLogger, instance: 'i1' },
    });
    const ask = async (name: string, aggregation: 'sum' | 'count') =>
      (await history.query({ name, aggregation, fromMs: startedMs - 10_000, toMs: Date.now(), groupBy: [] })).series[0]
        ?.values[0];
    // At most one more flush of 50 was under way when each life ended.
    const most = flushed + 50 * (life + 1);
    for (const found of [
      await ask('counted', 'sum'),
      await ask('took_ms', 'count'),
      await ask('exported', 'sum'),
      await history.countValues().then((n) => n / 2),
    ]) {
      expect(found).toBeGreaterThanOrEqual(flushed);
      expect(found).toBeLessThanOrEqual(most + 50 * lines);
    }
    expect(
      registry.families().find(({ definition }) => definition.name === 'ragwarden_metrics_damaged_blocks_total')
        ?.values[1],
    ).toBe(0);
    expect(history.jobs().find(({ name }) => name === 'metric flush')?.intervalMs).toBe(10_000);
    await db.close();
  }
  rmSync(folder, { recursive: true });
});
